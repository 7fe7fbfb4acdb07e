"""docker-compose.yml from end to end: PostgreSQL, Redis, the API and workers that grade in the docker sandbox."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.functional.service import until

ROOT = Path(__file__).parents[2]
ATTENTION = ROOT / "exercises" / "attention-classifier"
REQUIRED = ("POSTGRES_PASSWORD", "REDIS_PASSWORD")
PATIENCE_S = 300.0
"""For what happens in containers, beside other tests: six start at once, and a batch's have a tenth of a share."""

pytestmark = pytest.mark.engine


def _run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


class Stack:
    """One project of docker compose, with secrets and a port of its own."""

    def __init__(self, command, port):
        self.url = f"http://127.0.0.1:{port}"
        self._command = [*command, "--project-name", f"grader-test-{secrets.token_hex(4)}"]
        drawn = {name: secrets.token_hex(16) for name in REQUIRED}
        self._env = os.environ | drawn | {"GRADER_PORT": str(port)}

    def run(self, *arguments):
        done = _run([*self._command, *arguments], cwd=ROOT, env=self._env)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout

    def ready(self):
        try:
            told = httpx.get(f"{self.url}/readyz", timeout=5)
        except httpx.TransportError:
            return False
        return told.status_code == 200 and "3 of 3" in told.json()["sandbox"]["detail"]

    def submit(self, key, solution):
        """The exit code of `grader submit` and its object."""
        done = _run(
            [shutil.which("grader", path=str(ROOT / ".venv/bin")), "submit", ATTENTION.name, str(solution), "--json"],
            env=self._env | {"GRADER_SERVER": self.url, "GRADER_KEY": key},
        )
        assert done.stdout, done.stderr[-3000:]
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def compose(missing):
    """The command of docker compose, with images for all services."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and not _run([*command, "version"]).returncode:
            break
    else:
        missing("there is no docker compose")
    wanted = [("SERVICE_IMAGE", "grader-service"), ("REDIS_IMAGE", None), ("POSTGRES_IMAGE", None)]
    for image in (os.environ.get(name, default) for name, default in wanted):
        if image and _run(["docker", "image", "inspect", image]).returncode:
            missing(f"there is no image {image}: make service-image")
    return command


@pytest.fixture(scope="module")
def stack(compose):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    stack = Stack(compose, port)
    try:
        stack.run("up", "--detach", "--scale", "worker=2")
        until(stack.ready, "three ready workers", PATIENCE_S)
        yield stack
    except BaseException:
        sys.stdout.write(stack.run("logs", "--no-color", "--tail", "40"))
        raise
    finally:
        stack.run("down", "--volumes", "--timeout", "60")


@pytest.fixture(scope="module")
def key(stack):
    told = stack.run("exec", "-T", "api", "grader", "key", "create", "test", "--role", "admin", "--json")
    return json.loads(told)["key"]


def test_a_submission_gets_its_score(stack, key):
    status, told = stack.submit(key, ATTENTION / "reference" / "solution.py")
    assert (status, told["verdict"], told["score"]) == (0, "passed", 100.0)
    assert told["provenance"]["image"].startswith("sha256:")
    assert told["provenance"]["versions"]["sandbox"] == "docker"


def test_a_killed_worker_loses_nothing(stack, key):
    stack.run("kill", "-s", "KILL", "worker")
    stack.run("up", "--detach", "--scale", "worker=2")
    status, told = stack.submit(key, ATTENTION / "wrong" / "no_scaling.py")
    assert (status, told["verdict"]) == (1, "partial")


def test_a_batch_is_graded_by_its_own_worker(stack, key):
    stack.run("stop", "worker")
    files = {"solution.py": (ATTENTION / "reference" / "solution.py").read_text()}
    body = {"exercise": ATTENTION.name, "files": files, "kind": "batch"}
    with httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {key}"}) as client:
        where = client.post("/v1/submissions", json=body).raise_for_status().headers["Location"]
        until(lambda: client.get(where).json()["status"] == "done", "the batch's grading", PATIENCE_S)
        assert client.get(where).json()["verdict"] == "passed"
        assert "no live worker takes interactive" in client.get("/readyz").json()["sandbox"]["detail"]


def test_only_the_workers_reach_the_engine(stack):
    for service in ("api", "postgres", "redis"):
        assert "docker.sock" not in stack.run("exec", "-T", service, "cat", "/proc/self/mounts")


def test_secrets_have_no_defaults(compose, tmp_path):
    (tmp_path / "empty").touch()
    bare = {name: value for name, value in os.environ.items() if name not in REQUIRED}
    config = [*compose, "--env-file", str(tmp_path / "empty"), "--file", str(ROOT / "docker-compose.yml"), "config"]
    done = _run(config, env=bare)
    assert done.returncode != 0
    assert any(name in done.stderr for name in REQUIRED)
