"""A service without its API: a database, a Redis, exercises, and worker processes to start, stop and kill."""

from __future__ import annotations

import itertools
import socket
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from grader.db import Database
from grader.grading.model import Status
from grader.grading.models import Kind
from grader.models import Grading
from grader.queue import Queue
from grader.settings import Settings
from sandbox.interface import Backend
from tests import databases
from tests.functional.service import Process, until, write_exercise

RIGHT = b"def add(a, b):\n    return a + b\n"
SOLUTIONS = {
    "gated": RIGHT + b"gated = True\n",
    "bits": b"def add(a, b):\n    return 2\n",
    "niceness": b"import os\ndef niceness(): return os.nice(0)\n",
}
"""What is submitted to an exercise; to all others the right solution."""
ENDED = {Status.DONE, Status.FAULT, Status.CANCELLED}
GATED = """
    import pathlib, time
    import solution

    def test_begins():
        assert solution.add(1, 1) == 2

    def test_waits_for_the_gate():
        while getattr(solution, "gated", False) and not pathlib.Path({gate!r}).exists():
            time.sleep(0.02)
        assert solution.add(1, 2) == 3
"""
BITS = """
    import pytest
    from solution import add

    @pytest.mark.parametrize("bit", range(12))
    def test_bit(seed, bit):
        assert add(seed >> bit & 1, 1) == (seed >> bit & 1) + 1, f"the seed begins with {seed % 7}"
"""
BROKEN = """
    import a_module_that_nobody_has

    def test_it():
        pass
"""


@dataclass
class Workers:
    """Everything that a test needs to have gradings done. Exercises: adding, gated, bits, broken."""

    folder: Path
    url: str
    database: Database
    redis_url: str
    queue: Queue
    processes: list[Process] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Small and impatient, on the local sandbox."""
        return {
            "database_url": self.url,
            "redis_url": self.redis_url,
            "exercises_dir": self.folder / "exercises",
            "sandbox": "local",
            "pool_size": 1,
            "lease_s": 2,
            "reconcile_every_s": 0.3,
            "retry_backoff_s": 0.1,
            "concurrency": 1,
        } | changes

    def start(self, *options: str, **changes: Any) -> Process:
        """A worker process, ready to grade."""
        log = self.folder / f"worker-{next(self.numbers)}.log"
        self.processes.append(Process(log, "worker", *options, **self.settings(**changes)))
        self.processes[-1].wait_for("worker started")
        return self.processes[-1]

    def submit(self, exercise: str = "adding", kind: Kind = Kind.INTERACTIVE, **about: Any) -> Grading:
        """Store a submission and send its grading, as the API does."""
        grading = databases.submit(
            self.database, {"solution.py": SOLUTIONS.get(exercise, RIGHT)}, exercise, kind=kind, **about
        )
        with self.database.begin() as session:
            self.queue.send_after_commit(session, session.get_one(Grading, grading.id))
        return grading

    def open_gate(self) -> None:
        """Let the gradings of "gated" go on."""
        (self.folder / "gate").touch()

    def now(self, grading: Grading) -> Grading:
        return databases.reread(self.database, grading)

    def told(self, grading: Grading) -> list[str]:
        return databases.told(self.database, grading)

    def in_the_middle(self, grading: Grading) -> None:
        """Wait until its first test is done, and the second one waits for the gate."""
        until(lambda: "test" in self.told(grading), "the first test")

    def ended(self, *gradings: Grading) -> list[Grading]:
        """Wait until all of them have ended."""
        for grading in gradings:
            until(lambda grading=grading: self.now(grading).status in ENDED, "the end of a grading")
        return [self.now(grading) for grading in gradings]


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def exercises(tmp_path: Path) -> Path:
    """The folder with the exercises of these tests."""
    folder = tmp_path / "exercises"
    write_exercise(folder, "adding")
    write_exercise(folder, "gated", textwrap.dedent(GATED).format(gate=str(tmp_path / "gate")))
    write_exercise(folder, "bits", BITS, '[feedback]\nhidden = "full"\n')
    write_exercise(folder, "broken", BROKEN)
    return folder


@pytest.fixture
def workers(exercises: Path, database: Database, empty_redis_url: str, local_backend: Backend) -> Iterator[Workers]:
    """On each database in turn; whatever a test left running is ended."""
    queue = Queue(Settings(redis_url=SecretStr(empty_redis_url)))
    url = database.engine.url.render_as_string(hide_password=False)
    found = Workers(exercises.parent, url, database, empty_redis_url, queue)
    yield found
    found.open_gate()
    for process in found.processes:
        process.stop()
    queue.close()
