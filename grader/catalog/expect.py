"""How a solution must fare: functions from a result to problems, one sentence each; none if it fared as it should."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from grader.catalog.model import Exercise, Wrong
from grader.catalog.schema import nearest
from grader.grading.model import Outcome, Result, TestResult, Verdict

Expectation = Callable[[Result], Iterable[str]]
ALL = ("*",)
_MESSAGE = 300


def passes(result: Result) -> Iterator[str]:
    """Every test is passed."""
    if result.verdict is not Verdict.PASSED:
        yield from (_failure(test) for test in result.tests if test.outcome is not Outcome.PASSED)


def does_not_pass(result: Result) -> Iterator[str]:
    """At least one test is not passed."""
    if result.verdict is Verdict.PASSED:
        yield "it passes all tests: what is left for the candidate to do?"


def proves(exercise: Exercise) -> Expectation:
    """The reference passes. It also shows which tests there are, so the names in [points] are looked at too."""

    def problems(result: Result) -> Iterator[str]:
        yield from passes(result)
        known = _names(result.tests) | _markers(exercise)
        for name in exercise.points:
            if name not in known:
                yield f"[points] names {name}, which is neither a test nor a marker of the suite{_perhaps(name, known)}"

    return problems


def fails(wrong: Wrong) -> Expectation:
    """All tests that `fails` names are not passed, and no others but those that `may_fail` names."""

    def problems(result: Result) -> Iterator[str]:
        known = _names(result.tests).union(ALL)
        for key, names in (("fails", wrong.fails), ("may_fail", wrong.may_fail)):
            for name in names:
                if name not in known:
                    yield f"`{key}` names {name}, which is no test of the suite{_perhaps(name, known)}"
        for test in result.tests:
            named = is_to_fail(wrong, test.id)
            excused = not called(test.id).isdisjoint(wrong.may_fail)
            passed = test.outcome is Outcome.PASSED
            if named and passed:
                yield f"{test.id} passed, but `fails` names it"
            elif not named and not excused and not passed:
                yield f"{_failure(test)}; but `fails` does not name it"

    return problems


def is_to_fail(wrong: Wrong, test_id: str) -> bool:
    """Whether `fails` names this test, by whichever of its names."""
    return wrong.fails == ALL or not called(test_id).isdisjoint(wrong.fails)


def called(test_id: str) -> set[str]:
    """What a test may be called by: its id, its id without parameters, its function."""
    bare = test_id.partition("[")[0]
    return {test_id, bare, bare.rpartition("::")[2]}


def _failure(test: TestResult) -> str:
    message = " ".join(test.message.split())[:_MESSAGE]
    return f"{test.id} {test.outcome}" + (f": {message}" if message else "")


def _names(tests: Sequence[TestResult]) -> set[str]:
    return set().union(*(called(test.id) for test in tests))


def _markers(exercise: Exercise) -> set[str]:
    sources = (path.read_text("utf-8", "replace") for path in exercise.tests.rglob("*.py"))
    return {name for source in sources for name in re.findall(r"\bmark\.(\w+)", source)}


def _perhaps(name: str, known: Iterable[str]) -> str:
    near = nearest(name, sorted(known))
    return f"; did you mean {near}?" if near else ""
