"""The worker's side of the judges: one warm parent per runtime, a judge per grading."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grader.catalog.digest import entries
from grader.catalog.model import Exercise
from grader.errors import JudgeError
from grader.grading.model import Job
from grader.judge.line import Line
from grader.text import visible

_WARM_S = 120.0
_MOST_COMPLAINTS = 16 << 10
_log = logging.getLogger(__name__)  # not structlog: where nobody set logs up, it is plain text on stderr
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # what else is installed here has no say in a verdict
}
_START = "import sys; sys.path.insert(0, {root!r}); from grader.judge.parent import main; main()"
_ROOT = str(Path(__file__).parents[2])


class JudgeParent:
    """A preloaded process that forks judges. Thread-safe."""

    def __init__(self, runtime: str) -> None:
        self._lock = threading.Lock()
        self._scratch = tempfile.mkdtemp(prefix="grader-judge-")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START.format(root=_ROOT), str(theirs.fileno()), runtime, self._scratch],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_ENVIRONMENT | {"HOME": self._scratch},
            )
        self._control.settimeout(_WARM_S)
        self._warm = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def fork(self, job: Mapping[str, Any], stderr_fd: int) -> tuple[Line, int]:
        """A judge at work on `job`, that complains to `stderr_fd`: the line to it and its pid. Raises JudgeError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, _memory_file(json.dumps(job).encode()) as job_fd, self._lock:
            try:
                if not self._warm and self._control.recv(16) != b"warm":
                    raise EOFError
                self._warm = True
                socket.send_fds(self._control, [b"judge"], [theirs.fileno(), job_fd, stderr_fd])
                pid = int(self._control.recv(16) or b"0")
            except (OSError, EOFError, ValueError) as error:
                ours.close()
                raise JudgeError(f"the judges' parent does not answer: {error or type(error).__name__}") from None
        if pid <= 0:
            ours.close()
            raise JudgeError("the judges' parent has ended")
        return Line(ours), pid

    def close(self) -> None:
        """End the parent and every judge of it."""
        self._control.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)


class Judges:
    """The parents, started when a runtime is first needed and replaced when they have died."""

    def __init__(self, cpu_s: float, memory_mb: int) -> None:
        self._limits = {"judge_cpu_s": cpu_s, "judge_memory_mb": memory_mb}
        self._parents: dict[str, JudgeParent] = {}
        self._lock = threading.Lock()

    def warm(self, runtime: str) -> JudgeParent:
        """The parent for that runtime; it may still be importing. What is built on torch shares torch's."""
        runtime = "python" if runtime == "python" else "torch"
        with self._lock:
            parent = self._parents.get(runtime)
            if parent is None or not parent.alive:
                if parent is not None:
                    parent.close()
                parent = self._parents[runtime] = JudgeParent(runtime)
            return parent

    @contextlib.contextmanager
    def judge(self, exercise: Exercise, job: Job) -> Iterator[Line]:
        """A judge for one grading; dead when the block is left."""
        with _complaints() as stderr_fd:
            line, pid = self.warm(exercise.runtime).fork(_task(exercise, job) | self._limits, stderr_fd)
            try:
                yield line
            finally:
                with contextlib.suppress(ProcessLookupError):  # first: one that notices the closed line complains
                    os.kill(pid, signal.SIGKILL)
                line.close()

    def close(self) -> None:
        with self._lock:
            for parent in self._parents.values():
                parent.close()
            self._parents.clear()


def _task(exercise: Exercise, job: Job) -> dict[str, Any]:
    """What a judge is told of a grading, as JSON."""
    limits = exercise.limits
    assets = {path: (exercise.assets / path).read_bytes() for path, _ in _assets(exercise.assets)}
    return {
        "tests": str(exercise.tests.resolve()),
        "files": {name: b64encode(content).decode() for name, content in job.files.items()},
        "assets": {name: b64encode(content).decode() for name, content in assets.items()},
        "forbid": list(exercise.forbid),
        "answers": list(exercise.boundary.answers),
        "copy_back": list(exercise.boundary.copy_back),
        "points": dict(exercise.points),
        "seed": job.seed,
        "wall_s": limits.wall_s,
        "test_wall_s": limits.one_test_wall_s,
    }


def _assets(folder: Path) -> list[tuple[str, os.stat_result]]:
    """What the digest counts, and nothing else."""
    return entries(folder) if folder.is_dir() else []


@contextlib.contextmanager
def _complaints() -> Iterator[int]:
    """A file for a judge's stderr. What it wrote is logged by us, with the ids that this thread's lines have."""
    fd = os.memfd_create("stderr")
    try:
        yield fd
    finally:
        if size := os.fstat(fd).st_size:
            said = os.pread(fd, _MOST_COMPLAINTS, max(0, size - _MOST_COMPLAINTS))
            _log.warning("a judge complained:\n%s", visible(said.decode("utf-8", "replace")).rstrip())
        os.close(fd)


@contextlib.contextmanager
def _memory_file(content: bytes) -> Iterator[int]:
    fd = os.memfd_create("job")
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
