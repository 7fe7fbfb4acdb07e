"""The worker's side of the judges: a warm parent per runtime, a fork of it per suite, a fork of that per grading."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grader.catalog.digest import Signature, entries, signature
from grader.catalog.model import Exercise
from grader.errors import JudgeError, SuiteError
from grader.grading.model import Job
from grader.judge.line import Line
from grader.text import visible
from sandbox.folders import abandoned, hold

_SCRATCH = "grader-judge-"
_WARM_S = 120.0
_MOST_COMPLAINTS = 16 << 10
_MOST_SUITES = 16  # collected ones that are kept for later
_Seen = tuple[Signature, Signature]
_log = logging.getLogger(__name__)  # not structlog: where nobody set logs up, it is plain text on stderr
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # what else is installed here has no say in a verdict
}
_START = "import sys; sys.path.insert(0, {root!r}); from grader.judge.parent import main; main()"
_ROOT = str(Path(__file__).parents[2])


class _Taken(Exception):
    """A suite that cannot be forked has its one submission already."""


class _Forks:
    """A process that forks on request: the parent of a runtime, or a collected suite. Thread-safe."""

    def __init__(self, control: socket.socket) -> None:
        self._control, self._lock = control, threading.Lock()
        self._control.settimeout(_WARM_S)

    @property
    def alive(self) -> bool:
        """Whether it has not hung up. One that somebody waits for is taken to be."""
        if not self._lock.acquire(blocking=False):
            return True
        try:
            poll = select.poll()
            poll.register(self._control, select.POLLIN)
            return not poll.poll(0)  # it says nothing unasked: it has hung up
        finally:
            self._lock.release()

    def fork(self, about: Mapping[str, Any], stderr_fd: int) -> tuple[socket.socket, int]:
        """A fork at work on `about`, that complains to `stderr_fd`: a socket to it and its pid.

        Raises JudgeError; _Taken of a suite that can make no further judge.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, _memory_file(json.dumps(about).encode()) as told_fd, self._lock:
            try:
                self._wait()
                socket.send_fds(self._control, [b"fork"], [theirs.fileno(), told_fd, stderr_fd])
                pid = int(self._control.recv(16) or b"0")
            except _Taken:
                ours.close()
                raise
            except (OSError, EOFError, ValueError) as error:
                ours.close()
                raise JudgeError(f"what forks judges does not answer: {str(error) or type(error).__name__}") from None
        if pid <= 0:
            ours.close()
            raise JudgeError("what forks judges has ended")
        return ours, pid

    def close(self) -> None:
        """Hang up: it ends, and all its forks."""
        self._control.close()

    def _wait(self) -> None:
        """Before the first word to it."""


class _Parent(_Forks):
    """A process with pytest and a runtime in memory; each fork of it collects a suite."""

    def __init__(self, runtime: str) -> None:
        self._scratch = tempfile.mkdtemp(prefix=_SCRATCH)
        self._lock_fd = hold(self._scratch)
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(control)
        with theirs:
            try:
                self._process = self._started(theirs, runtime)
            except OSError:  # no memory for it, or no process more
                super().close()
                self._remove_scratch()
                raise
        self._warm = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        super().close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._remove_scratch()

    def _started(self, theirs: socket.socket, runtime: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-c", _START.format(root=_ROOT), str(theirs.fileno()), runtime, self._scratch],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=_ENVIRONMENT | {"HOME": self._scratch, "TMPDIR": self._scratch},
        )

    def _remove_scratch(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _wait(self) -> None:
        if not self._warm and self._control.recv(16) != b"warm":
            raise EOFError
        self._warm = True


class _Suite(_Forks):
    """A process that has collected a suite; each fork of it is a judge. `seen`: the suite's files before that.

    `alone`: it cannot be forked, and is itself the one judge that it makes. None: it has not said so yet.
    """

    def __init__(self, control: socket.socket, seen: _Seen) -> None:
        super().__init__(control)
        self.seen, self.users, self.used, self.proved = seen, 0, 0.0, False
        self.alone: bool | None = None

    @property
    def alive(self) -> bool:
        return self.alone is None or super().alive

    def _wait(self) -> None:
        if self.alone:
            raise _Taken
        if self.alone is None:
            if not (word := self._control.recv(16)):
                raise EOFError
            self.alone = word == b"alone"


class Judges:
    """Parents and collected suites, made when they are first needed and replaced when they have died."""

    def __init__(self, cpu_s: float, memory_mb: int) -> None:
        self._limits = {"judge_cpu_s": cpu_s, "judge_memory_mb": memory_mb}
        self._parents: dict[str, _Parent] = {}
        self._suites: dict[tuple[object, ...], _Suite] = {}
        self._lock = threading.Lock()

    def warm(self, runtime: str) -> _Parent:
        """The parent for that runtime; it may still be importing. What is built on torch shares torch's."""
        runtime = "python" if runtime == "python" else "torch"
        with self._lock:
            parent = self._parents.get(runtime)
            if parent is None or not parent.alive:
                if parent is not None:
                    parent.close()
                _remove_abandoned()
                parent = self._parents[runtime] = _Parent(runtime)
            return parent

    @contextlib.contextmanager
    def judge(self, exercise: Exercise, job: Job) -> Iterator[Line]:
        """A judge for one grading; dead when the block is left."""
        with contextlib.ExitStack() as stack:
            stderr_fd = stack.enter_context(_complaints())
            suite, control, pid = self._begun(exercise, job, stderr_fd, stack)
            line = Line(control)
            try:
                if not suite.proved and _seen(exercise) != suite.seen:
                    raise JudgeError("the suite changed while it was being collected")
                suite.proved = True
                yield line
            finally:
                with contextlib.suppress(ProcessLookupError):  # first: one that notices the closed line complains
                    os.kill(pid, signal.SIGKILL)
                line.close()

    def _begun(
        self, exercise: Exercise, job: Job, stderr_fd: int, stack: contextlib.ExitStack
    ) -> tuple[_Suite, socket.socket, int]:
        """A judge at work, with the suite that it comes from, which `stack` holds."""
        while True:
            with contextlib.ExitStack() as held:
                suite = held.enter_context(self._suite(exercise, stderr_fd))
                with contextlib.suppress(_Taken):  # by another thread, in this moment: collect it anew
                    control, pid = suite.fork(_job(exercise, job), stderr_fd)
                    stack.push(held.pop_all())
                    return suite, control, pid

    def close(self) -> None:
        with self._lock:
            for forks in (*self._suites.values(), *self._parents.values()):
                forks.close()
            self._suites.clear()
            self._parents.clear()
            _remove_abandoned()

    @contextlib.contextmanager
    def _suite(self, exercise: Exercise, stderr_fd: int) -> Iterator[_Suite]:
        """The collected suite, for as long as the block runs; forgotten if it turns out to be of no use."""
        seen = _seen(exercise)
        key = (exercise.runtime, str(exercise.tests.resolve()), *sorted(exercise.points.items()), seen)
        suite = self._known(key)
        if suite is None:
            control, _ = self.warm(exercise.runtime).fork(_collected(exercise) | self._limits, stderr_fd)
            suite = self._remember(key, _Suite(control, seen))
        try:
            yield suite
        except (SuiteError, JudgeError):
            with self._lock:
                if self._suites.get(key) is suite:
                    del self._suites[key]
            raise
        finally:
            with self._lock:
                suite.users -= 1
                suite.used = time.monotonic()
                if not suite.users and self._suites.get(key) is not suite:
                    suite.close()

    def _known(self, key: tuple[object, ...]) -> _Suite | None:
        with self._lock:
            suite = self._suites.get(key)
            if suite is not None and (suite.alone or not suite.alive):
                del self._suites[key]
                if not suite.users:
                    suite.close()
                return None
            if suite is not None:
                suite.users += 1
            return suite

    def _remember(self, key: tuple[object, ...], suite: _Suite) -> _Suite:
        """Two threads may have had it collected at once: then the first one's is kept. Too many: the one goes that was
        not used for longest."""
        with self._lock:
            if (other := self._suites.get(key)) is not None:
                suite.close()
                other.users += 1
                return other
            suite.users += 1
            self._suites[key] = suite
            idle = sorted((k for k, s in self._suites.items() if not s.users), key=lambda k: self._suites[k].used)
            for spare in idle[: max(0, len(self._suites) - _MOST_SUITES)]:
                self._suites.pop(spare).close()
            return suite


def _remove_abandoned() -> None:
    """Remove what a worker left that was killed, and whose parent of judges was killed before that."""
    for folder in abandoned(Path(tempfile.gettempdir()), f"{_SCRATCH}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _seen(exercise: Exercise) -> _Seen:
    """What the suite's files look like from outside: with others, it is collected anew."""
    return signature(exercise.tests), signature(exercise.assets) if exercise.assets.is_dir() else ()


def _collected(exercise: Exercise) -> dict[str, Any]:
    """What a process is told of the suite that it is to collect, as JSON."""
    return {"tests": str(exercise.tests.resolve()), "points": dict(exercise.points)}


def _job(exercise: Exercise, job: Job) -> dict[str, Any]:
    """What a judge is told of a grading, as JSON."""
    limits = exercise.limits
    counted = entries(exercise.assets) if exercise.assets.is_dir() else []  # what the digest counts, and nothing else
    assets = {path: (exercise.assets / path).read_bytes() for path, _ in counted}
    return {
        "files": {name: b64encode(content).decode() for name, content in job.files.items()},
        "assets": {name: b64encode(content).decode() for name, content in assets.items()},
        "forbid": list(exercise.forbid),
        "answers": list(exercise.boundary.answers),
        "copy_back": list(exercise.boundary.copy_back),
        "files_mb": limits.files_mb,
        "seed": job.seed,
        "wall_s": limits.wall_s,
        "test_wall_s": limits.one_test_wall_s,
    }


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
