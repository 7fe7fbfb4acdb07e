"""How solutions must fare: which differences are told, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.catalog import expect
from grader.catalog.model import Exercise, Wrong
from grader.grading.model import Outcome, Result, Status, TestResult
from grader.grading.verdict import score, verdict
from sandbox.limits import Usage

ADDS, ZERO, ONE = "test_a.py::test_adds", "test_a.py::test_more[0]", "test_a.py::TestB::test_more[1]"


def result(*failing: str) -> Result:
    """A result in which these tests failed and the others passed."""
    tests = tuple(
        TestResult(name, name, Outcome.FAILED, 0, 1, "it is 3\nnot 4")
        if name in failing
        else TestResult(name, name, Outcome.PASSED, 1, 1)
        for name in (ADDS, ZERO, ONE)
    )
    return Result("sums", Status.DONE, verdict(tests, None, False, ()), *score(tests), tests, Usage())


@pytest.mark.parametrize(
    ("named", "failing"),
    [
        (("test_adds",), (ADDS,)),
        ((ADDS,), (ADDS,)),
        (("test_more",), (ZERO, ONE)),
        ((ZERO,), (ZERO,)),
        (("test_a.py::test_more", "test_adds"), (ZERO, ADDS)),
        (("*",), (ADDS, ZERO, ONE)),
    ],
)
def test_failing_exactly_what_is_named_is_right(named: tuple[str, ...], failing: tuple[str, ...]) -> None:
    assert list(expect.fails(Wrong(named))(result(*failing))) == []


def test_a_named_test_that_passes_is_told() -> None:
    assert list(expect.fails(Wrong(("test_more",)))(result(ZERO))) == [f"{ONE} passed, but `fails` names it"]


def test_a_failing_test_that_is_not_named_is_told_with_its_message() -> None:
    told = list(expect.fails(Wrong(("test_adds",)))(result(ADDS, ZERO)))
    assert told == [f"{ZERO} failed: it is 3 not 4; but `fails` does not name it"]


@pytest.mark.parametrize("failing", [(ADDS,), (ADDS, ZERO), (ADDS, ZERO, ONE)])
def test_what_may_fail_may_pass_too_but_what_is_to_fail_must(failing: tuple[str, ...]) -> None:
    wrong = Wrong(("test_adds",), may_fail=("test_more",))
    assert list(expect.fails(wrong)(result(*failing))) == []
    assert list(expect.fails(wrong)(result(*failing[1:]))) == [f"{ADDS} passed, but `fails` names it"]
    told = list(expect.fails(Wrong(("test_adds",), ("test_moor",)))(result(ADDS)))
    assert told == ["`may_fail` names test_moor, which is no test of the suite; did you mean test_more?"]


def test_a_name_that_is_no_test_is_told_with_the_nearest() -> None:
    told = list(expect.fails(Wrong(("test_ads",)))(result()))
    assert told == ["`fails` names test_ads, which is no test of the suite; did you mean test_adds?"]


def test_a_reference_passes_every_test() -> None:
    assert list(expect.passes(result())) == []
    assert list(expect.passes(result(ADDS))) == [f"{ADDS} failed: it is 3 not 4"]


def test_a_starter_must_leave_something_to_do() -> None:
    assert list(expect.does_not_pass(result(ADDS))) == []
    assert len(list(expect.does_not_pass(result()))) == 1


def test_points_name_tests_or_markers(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("@pytest.mark.gradients\ndef test_adds(): ...")
    points = {"test_adds": 2.0, ONE: 3.0, "gradients": 4.0, "gradient": 5.0}
    exercise = Exercise(tmp_path, "sums", "Sums", "sha256:0", points=points)
    (told,) = expect.proves(exercise)(result())
    assert told == "[points] names gradient, which is neither a test nor a marker of the suite; did you mean gradients?"
