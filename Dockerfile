# The image of API and worker. `make service-image` resolves the wheels on the host and puts them into build/wheels, so
# that the build itself needs no network.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
COPY build/wheels /wheels
RUN python3 -m venv /opt/grader \
 && /opt/grader/bin/python -m pip install --no-cache-dir --no-index --find-links /wheels 'grader[torch,exercises]' \
 && /opt/grader/bin/python -m pip uninstall --yes pip setuptools

FROM ${BASE}
COPY --from=build /opt/grader /opt/grader
COPY exercises /exercises
ENV PATH=/opt/grader/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 \
    HOME=/tmp USER=grader LOGNAME=grader GRADER_EXERCISES_DIR=/exercises
USER 10001:10001
ENTRYPOINT ["grader"]
