"""The ways to grade one submission that are compared. Each is a context that gives a function which grades once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

EXERCISES = Path(__file__).with_name("exercises")
Grade = Callable[[], None]
_BIN = Path(sys.executable).parent
_PYTEST_IMAGE = "grader-benchmark:pytest"


@contextlib.contextmanager
def bare_pytest(slug: str) -> Iterator[Grade]:
    """No sandbox at all: `python -m pytest` beside the solution, without the plugins that this project has."""
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    with _folder(slug) as folder:
        yield lambda: _run(command, cwd=folder, env=environment)


@contextlib.contextmanager
def container_per_submission(slug: str) -> Iterator[Grade]:
    """`docker run` of an image with torch and pytest, tests and solution beside each other in it."""
    _make_pytest_image()
    with _folder(slug) as folder:
        command = ["docker", "run", "--rm", "--network", "none", "--memory", "2g", "--cpus", "1"]
        command += ["--volume", f"{folder}:/work:ro", "--workdir", "/work", "--entrypoint", "/opt/runtime/bin/python"]
        command += [_PYTEST_IMAGE, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
        yield lambda: _run(command)


@contextlib.contextmanager
def service(slug: str, sandbox: str, policy: str) -> Iterator[Grade]:
    """This service: HTTP → Redis → Celery worker → sandbox → PostgreSQL, until the score can be read."""
    with served(sandbox, policy) as (client, _):
        yield lambda: submit(client, slug, reference(slug))


@contextlib.contextmanager
def served(
    sandbox: str, policy: str, only: Sequence[str] = (), **settings: str
) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A service of its own: a client with an admin's key, and the environment of its processes, in which
    BENCHMARK_WORKER_PID is the (first) worker's number. One worker, or one for each kind of gradings in `only`."""
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(_environment(sandbox, policy)) | settings
        port = environment["GRADER_PORT"]
        key = json.loads(
            _run([str(_BIN / "grader"), "key", "create", "bench", "--role", "admin", "--json"], env=environment)
        )
        stack.enter_context(_process([str(_BIN / "grader"), "serve"], environment))
        options = [["--only", kind] for kind in only] or [[]]
        worker, *_ = (stack.enter_context(_process([str(_BIN / "grader"), "worker", *o], environment)) for o in options)
        client = stack.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key['key']}"}, timeout=60
            )
        )
        _until_ready(client)
        yield client, environment | {"BENCHMARK_WORKER_PID": str(worker)}


def reference(slug: str) -> str:
    """The solution that passes."""
    return (EXERCISES / slug / "reference" / "solution.py").read_text()


def submit(client: httpx.Client, slug: str, source: str) -> None:
    """Send a solution, and follow its events until one brings the score."""
    answer = client.post("/v1/submissions", json={"exercise": slug, "files": {"solution.py": source}})
    answer.raise_for_status()
    kind = told = ""
    with client.stream("GET", f"{answer.headers['Location']}/events") as events:
        for line in events.iter_lines():
            name, _, value = line.partition(": ")
            kind, told = (value if name == "event" else kind), (value if name == "data" else told)
    if kind != "done" or json.loads(told)["verdict"] != "passed":
        raise RuntimeError(f"the benchmark's own solution was not graded as passed: {kind} {told}")


@contextlib.contextmanager
def _environment(sandbox: str, policy: str) -> Iterator[dict[str, str]]:
    """Settings of a service of its own: a fresh database, an empty queue, a free port."""
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as folder, _database() as database_url:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        yield os.environ | {
            "GRADER_DATA_DIR": folder,
            "GRADER_DATABASE_URL": database_url,
            "GRADER_REDIS_URL": _required("GRADER_TEST_REDIS_URL"),
            "GRADER_EXERCISES_DIR": str(EXERCISES),
            "GRADER_DOCKER_SOCKET_DIR": f"{folder}/sockets",
            "GRADER_SANDBOX": sandbox,
            "GRADER_POLICY": policy,
            "GRADER_PORT": str(port),
            "GRADER_POOL_SIZE": "3",
        }


@contextlib.contextmanager
def _database() -> Iterator[str]:
    from sqlalchemy import create_engine, make_url, text

    url = make_url(_required("GRADER_TEST_POSTGRES_URL"))
    name = f"grader_bench_{uuid.uuid4().hex[:8]}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_ready(client: httpx.Client) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the service did not get ready within two minutes")


@contextlib.contextmanager
def _folder(slug: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as folder:
        shutil.copy(EXERCISES / slug / "reference" / "solution.py", folder)
        shutil.copytree(EXERCISES / slug / "tests", f"{folder}/tests", ignore=shutil.ignore_patterns("__pycache__"))
        Path(folder, "pytest.ini").write_text("[pytest]\npythonpath = .\n")
        os.chmod(folder, 0o755)
        yield folder


def _make_pytest_image() -> None:
    """The sandbox image of torch with pytest added: as small and as warm on disk as ours."""
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as folder:
        _run([sys.executable, "-m", "pip", "download", "--quiet", "--dest", f"{folder}/wheels", "pytest==9.2.0"])
        Path(folder, "Dockerfile").write_text(
            "FROM grader-sandbox:torch\nCOPY wheels /wheels\nRUN for w in /wheels/*.whl; do "
            "/opt/runtime/bin/python -m zipfile -e $w /opt/runtime/lib/python3.11/site-packages; done; "
            "cd /opt/runtime/lib/python3.11/site-packages; "
            "/opt/runtime/bin/python -m compileall -q _pytest pytest pluggy iniconfig pygments packaging\n"
        )
        _run(["docker", "build", "--quiet", "--network", "none", "--tag", _PYTEST_IMAGE, folder])


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SystemExit(f"{name} is not set: the benchmark needs Redis and PostgreSQL (see .ci/services)")
    return value


def _run(command: list[str], cwd: str | None = None, env: dict[str, str] | None = None) -> str:
    done: Any = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stdout[-1500:]}{done.stderr[-1500:]}")
    return str(done.stdout)
