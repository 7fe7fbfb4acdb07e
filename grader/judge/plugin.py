"""The judge's pytest plugin: collects without a guest, runs each test under its limits, says how it ended."""

from __future__ import annotations

import errno
import random
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from _pytest._io.saferepr import saferepr
from _pytest.runner import runtestprotocol

from grader.grading.model import Outcome, TestResult
from grader.judge.errors import Exhausted, GuestLost, LoadFailed, OurFault
from grader.judge.imports import Solution
from grader.judge.line import Line
from grader.judge.session import Session, derived_seed, told
from grader.text import visible

_MESSAGE = 2000
_MEASURES = 200  # of one test
_LIMITS = {
    errno.ENOSPC: "the limit of files_mb was reached",
    errno.EFBIG: "the limit of files_mb was reached",
    errno.EAGAIN: "the limit of processes was reached",
}
_LACKS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


@dataclass
class Phases:
    """What pytest reported of one test: reports and exceptions by phase (setup, call, teardown)."""

    reports: dict[str, pytest.TestReport] = field(default_factory=dict)
    errors: dict[str, BaseException] = field(default_factory=dict)


class JudgePlugin:
    """`next_grading` returns the line to the worker once there is a submission to grade; it is asked when the suite has
    been collected, and may return in a fork."""

    def __init__(
        self,
        session: Session,
        solution: Solution,
        tests: Path,
        points: Mapping[str, float],
        next_grading: Callable[[], Line],
    ) -> None:
        self._session, self._solution = session, solution
        self._tests, self._points, self._next_grading = tests, points, next_grading
        self.finished = False  # whether every test was run or accounted for
        self.line: Line  # to the worker, once there is a submission
        self._broken: list[str] = []
        self._load: tuple[Outcome, str] | None = None
        self._phases = Phases()

    def forbid(self, violations: list[str]) -> None:
        """The solution uses what the statement forbids: no test runs, each is told why."""
        if violations:
            self._load = Outcome.FAILED, "; ".join(violations[:5])

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "points(n): what the test is worth; 1 without it")
        for name in self._points:
            if name.isidentifier():
                config.addinivalue_line("markers", f"{name}: named in [points] of exercise.toml")

    @pytest.fixture(scope="session")
    def seed(self) -> int:
        """The grading's seed for the suite's own random numbers: 32 bits, secret, the same when graded again."""
        return derived_seed(self._session.material.seed, "suite")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._broken.append(f"{report.nodeid}: {report.longreprtext}"[:_MESSAGE])

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str]:
        """One short line. pytest's own diffs of strings take time that grows with the square of what came back."""
        return [f"{saferepr(left, maxsize=120)} {op} {saferepr(right, maxsize=120)}"]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        if call.excinfo is not None:
            self._phases.errors[call.when] = call.excinfo.value
        report = yield
        self._phases.reports[call.when] = report
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        folder = str(self._tests)
        suite = [m for m in list(sys.modules.values()) if (getattr(m, "__file__", None) or "").startswith(folder)]
        self._solution.note_places(suite)
        self.line = self._next_grading()
        if self._broken or not session.items:
            self.line.say({"say": "broken", "message": "\n".join(self._broken)[:20_000] or "the suite has no tests"})
            return True
        try:
            about = [{"id": i.nodeid, "title": self._title(i), "max_points": self._worth(i)} for i in session.items]
        except (TypeError, ValueError) as error:
            self.line.say({"say": "broken", "message": f"points are no number: {error}"})
            return True
        self.line.say({"say": "ready", "tests": about})
        self._solution.attach(self._session)
        try:
            self._run_all(session.items)
        except OurFault as fault:
            self.line.say({"say": "fault", "why": clean(str(fault))})
        else:
            self.finished = True
        return True

    def _run_all(self, items: Sequence[pytest.Item]) -> None:
        self._load = self._load or self._loaded()
        if self._load is not None:
            self.line.say({"say": "load", "outcome": str(self._load[0]), "message": self._load[1]})
        for item, following in zip(items, [*items[1:], None], strict=True):
            self._run(item, following)

    def _loaded(self) -> tuple[Outcome, str] | None:
        """Load the solution for the first time; what all tests are told if that fails."""
        try:
            self._session.ensure_guest()
            self._solution.fill_places()
        except LoadFailed as error:
            outcome = Outcome.MEMORY_LIMIT if error.for_memory else Outcome.ERROR
            return outcome, clean(f"solution.py could not be loaded: {error}")
        except GuestLost as lost:
            return Outcome(lost.outcome), clean(f"while solution.py was loaded: {lost.detail}")
        except Exhausted as error:
            return Outcome.TIME_LIMIT, str(error)
        except BaseException as error:
            outcome, message = _theirs("setup", error)
            return outcome, f"solution.py could not be looked into: {message}"
        return None

    def _run(self, item: pytest.Item, following: pytest.Item | None) -> None:
        self.line.say({"say": "start", "id": item.nodeid})
        self._phases = Phases()
        outcome, message = self._load or self._begun(item) or self._played(item, following)
        if self._session.fault is not None:
            raise self._session.fault
        passed = outcome is Outcome.PASSED
        worth = self._worth(item)
        result = TestResult(
            id=item.nodeid,
            title=self._title(item),
            outcome=outcome,
            points=worth if passed else 0.0,
            max_points=worth,
            message="" if passed else clean(message),
            duration_s=round(sum(report.duration for report in self._phases.reports.values()), 4),
        )
        self.line.say({"say": "test", "test": vars(result), "measures": self._session.measures[:_MEASURES]})

    def _begun(self, item: pytest.Item) -> tuple[Outcome, str] | None:
        """Give the test its guest and its random numbers; what it is told if there is none."""
        try:
            if self._session.begin(item.nodeid):
                self._solution.fill_places()
        except Exhausted as error:
            self.line.say({"say": "exhausted"})
            return Outcome.TIME_LIMIT, f"not run: {error.detail}"
        except GuestLost as lost:
            return Outcome(lost.outcome), lost.detail
        except LoadFailed as error:
            return Outcome.CRASHED, f"solution.py could not be loaded again: {error}"
        except BaseException as error:  # by what an earlier test left behind
            return _theirs("call", error)
        _seed(derived_seed(self._session.material.seed, item.nodeid, "judge"))
        return None

    def _played(self, item: pytest.Item, following: pytest.Item | None) -> tuple[Outcome, str]:
        runtestprotocol(item, log=False, nextitem=following)
        outcome = self._judged()
        setup = item.session._setupstate
        while not self._session.alive and setup.stack:  # fixtures of a wider scope died with the guest: make them anew
            # They may call it at their end, or fail for it; the outcome is known.
            with suppress(GuestLost, pytest.fail.Exception, pytest.skip.Exception, Exception):
                setup.teardown_exact(None)
        return outcome

    def _judged(self) -> tuple[Outcome, str]:
        """The outcome, from what the session noted first: a test cannot swallow a broken limit or a refusal."""
        for incident in self._session.incidents:
            if isinstance(incident, GuestLost):
                return Outcome(incident.outcome), incident.detail
        if self._session.incidents:
            return Outcome.FAILED, _asserted(self._session.incidents[0])
        for phase in ("setup", "call", "teardown"):
            report, error = self._phases.reports.get(phase), self._phases.errors.get(phase)
            if report is None or report.passed:
                continue
            if report.skipped:
                return Outcome.SKIPPED, "skipped by the suite"
            if not hasattr(error, "_where") and (lacking := _lacking(error)):
                raise self._session.fail(f"the judge itself {lacking}")
            return _failed(phase, error)
        return (Outcome.PASSED, "") if "call" in self._phases.reports else (Outcome.ERROR, "the test did not run")

    def _title(self, item: pytest.Item) -> str:
        doc = getattr(getattr(item, "obj", None), "__doc__", None) or ""
        name = getattr(item, "originalname", item.name)
        title = doc.strip().splitlines()[0] if doc.strip() else name.removeprefix("test_").replace("_", " ")
        callspec = getattr(item, "callspec", None)
        return f"{title} [{callspec.id}]" if callspec is not None else title

    def _worth(self, item: pytest.Item) -> float:
        """Points by id, by function, by marker named in exercise.toml; then by the marker `points`; else 1."""
        names = [item.nodeid, getattr(item, "originalname", item.name), *(mark.name for mark in item.iter_markers())]
        for name in names:
            if name in self._points:
                return float(self._points[name])
        marker = item.get_closest_marker("points")
        return float(marker.args[0]) if marker is not None and marker.args else 1.0


def _theirs(phase: str, error: BaseException) -> tuple[Outcome, str]:
    """What is told of an error that the candidate's code raised between tests; one of ours goes on its way."""
    if not hasattr(error, "_where"):
        raise error
    return _failed(phase, error)


def _failed(phase: str, error: BaseException | None) -> tuple[Outcome, str]:
    if _out_of_memory(error):
        return Outcome.MEMORY_LIMIT, "the memory limit was reached"
    outcome = Outcome.FAILED if phase == "call" else Outcome.ERROR
    if isinstance(error, pytest.fail.Exception):
        return outcome, str(error.msg)
    if isinstance(error, AssertionError) and not hasattr(error, "_where"):
        return outcome, _asserted(error)
    hint = _LIMITS.get(error.errno or 0) if isinstance(error, OSError) else None
    shown = told(error) if error is not None else "failed"
    return outcome, f"{shown} ({hint})" if hint else shown


def _out_of_memory(error: BaseException | None) -> bool:
    """Python's error or torch's own. A suite may quote the latter in a message of its own: that is a failed test."""
    from_torch = type(error) is RuntimeError and "can't allocate memory" in str(error)[:500]
    return from_torch or isinstance(error, MemoryError)


def _lacking(error: BaseException | None) -> str:
    """What it is that the machine could not give where this was raised; "" where it is no such error."""
    if _out_of_memory(error):
        return "ran out of memory"
    return f"could not go on: {error}" if isinstance(error, OSError) and error.errno in _LACKS else ""


def _asserted(error: BaseException) -> str:
    """The message that the suite's author gave an assertion; what pytest makes of it where there is none."""
    return str(error).partition("\nassert ")[0] or "an assertion failed"


def clean(text: str) -> str:
    """Text for people: capped, and nothing in it that cannot be seen."""
    return visible(text[:_MESSAGE])


def _seed(number: int) -> None:
    random.seed(number)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(number)
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(number)  # not torch.manual_seed: it formats its stack for each device
