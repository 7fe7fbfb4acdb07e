"""What runs in a judge: a suite is collected once, and run in a fork for each submission, which ends then.

A suite that cannot be forked (see `grader.judge.forkable`) is collected for each submission.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from grader.judge import current
from grader.judge.errors import Exhausted
from grader.judge.forbidden import violations
from grader.judge.forkable import Holdings, open_anew, opened_since
from grader.judge.imports import Finder, Solution
from grader.judge.line import Line
from grader.judge.plugin import JudgePlugin
from grader.judge.processor import Waiting
from grader.judge.session import Material, Session

_WITHOUT = ("cacheprovider", "terminal", "faulthandler", "doctest", "junitxml", "pastebin", "unraisableexception")
_OPTIONS = ("--capture=sys", "--strict-markers", *(f"-pno:{plugin}" for plugin in _WITHOUT))


class WorkerSupervisor:
    """The session's supervisor: the worker at the other end of the line. It is this process's for good."""

    def __init__(self, line: Line) -> None:
        self._line, self._waiting = line, Waiting()

    def guest(self) -> Any:
        self._line.say({"say": "guest"})
        answer, sockets = self._line.hear()
        if not sockets:
            raise Exhausted(answer["exhausted"], answer["detail"])
        return sockets[0]

    def lost(self, why: str) -> tuple[str, str]:
        self._line.say({"say": "lost", "why": why})
        answer, _ = self._line.hear()
        return answer["outcome"], answer["detail"]

    def more_time(self) -> float:
        self._line.say({"say": "time"})
        answer, _ = self._line.hear()
        return float(answer["seconds"])

    def waited_s(self) -> float:
        return self._waiting.seconds()


def collect(suite: dict[str, Any], next_job: Callable[[bool], tuple[Line, dict[str, Any]]]) -> None:
    """Collect a suite (see `grader.judge.client`), and then run it on whatever job comes next. `next_job(forkable)`
    returns in a fork for each submission, and never where the suite was collected; or there, once, if it cannot be
    forked."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(suite["judge_cpu_s"]), resource.RLIM_INFINITY))
    limit(resource.RLIMIT_DATA, (suite["judge_memory_mb"] << 20) + _data_bytes())
    tests = Path(suite["tests"])
    session, solution = Session(), Solution()
    Finder(solution).install()
    current.set_session(session)
    held = Holdings.now()

    def next_grading() -> Line:
        gc.collect()
        gc.freeze()  # shared by all forks
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        opened = opened_since(held)
        line, job = next_job(opened is not None)
        open_anew(opened or [])
        limit(resource.RLIMIT_CPU, suite["judge_cpu_s"] + time.process_time())
        files = _decoded(job["files"])
        material = Material(
            files=files,
            assets=_decoded(job["assets"]),
            forbid=job["forbid"],
            answers=frozenset(job["answers"]),
            copy_back=frozenset(job["copy_back"]),
            files_mb=job["files_mb"],
            seed=job["seed"],
            wall_s=job["wall_s"],
            test_wall_s=job["test_wall_s"],
        )
        session.turn_to(material, WorkerSupervisor(line))
        plugin.forbid(violations(files, job["forbid"]))
        return line

    plugin = JudgePlugin(session, solution, tests, suite["points"], next_grading)
    _make_room_for_compiled(tests)
    pytest.main(_arguments(tests, tests), plugins=[plugin])
    if plugin.finished:
        used = resource.getrusage(resource.RUSAGE_SELF)
        plugin.line.say({"say": "done", "cpu_s": used.ru_utime + used.ru_stime})


def warm(runtime: str, scratch: str) -> None:
    """Import what judges need, by using it: torch loads some 500 modules at its first use; then keep it all shared.
    What suites import later is compiled into `scratch`: nothing is written beside them, and nothing read."""
    sys.dont_write_bytecode = True
    if runtime != "python":
        _warm_torch()
    suite = Path(scratch) / "test_warm.py"
    suite.write_text(
        "import pytest\n@pytest.mark.parametrize('n', [1])\ndef test_warm(n, tmp_path):\n"
        "    with pytest.raises(ZeroDivisionError):\n        n / 0\n    assert n == pytest.approx(1)\n"
        "def test_fails():\n    assert [1] == [2], 'warm'\n"
    )
    pytest.main(_arguments(suite, Path(scratch)))
    sys.pycache_prefix, sys.dont_write_bytecode = scratch, False
    SourceFileLoader.set_data = _keep_compiled  # type: ignore[method-assign, assignment]
    gc.collect()
    gc.freeze()


def _keep_compiled(loader: SourceFileLoader, path: str, data: bytes, **_: Any) -> None:
    """Python's own keeps a file of which a full disk took only the beginning, and fails on it from then on."""
    part = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(part, "wb") as file:  # buffered: it writes all or raises
            file.write(data)
        os.replace(part, path)
    except OSError:  # done without
        with contextlib.suppress(OSError):
            os.unlink(part)


def _make_room_for_compiled(tests: Path) -> None:
    """pytest keeps the suite compiled in the scratch folder. On a full disk it does without where a file cannot be
    written, but where the folder cannot be made it calls the suite broken: so make it, or have nothing kept."""
    try:
        os.makedirs(f"{sys.pycache_prefix}{tests}", exist_ok=True)
    except OSError:
        sys.dont_write_bytecode = True


def _arguments(what: Path, root: Path) -> list[str]:
    """Nothing above `root` has a say: no settings, and no conftest.py, which no exercise's digest would name."""
    return [str(what), f"--rootdir={root}", f"--confcutdir={root}", "--config-file=/dev/null", *_OPTIONS]


def _warm_torch() -> None:
    import torch

    torch.set_num_threads(1)
    x = torch.ones(2, 2, requires_grad=True)
    torch.nn.Linear(2, 2)(x).exp().softmax(-1).sum().backward()
    torch.testing.assert_close(torch.ones(2), torch.ones(2))
    torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1).step()
    str(torch.randn(3))


def limit(kind: int, value: float) -> None:
    resource.setrlimit(kind, (int(value), int(value)))


def _data_bytes() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmData"].split()[0]) << 10


def _decoded(files: dict[str, str]) -> dict[str, bytes]:
    return {name: b64decode(content) for name, content in files.items()}
