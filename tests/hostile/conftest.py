"""The whole path for hostile submissions: `Runner.grade` on each backend, under each policy."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from grader.catalog.model import Exercise
from grader.grading.model import Job, Result, Verdict
from grader.grading.runner import Runner
from grader.settings import Settings
from grader.submissions.feedback import for_candidate
from sandbox.backends import local
from sandbox.interface import Backend
from sandbox.limits import Limits
from tests.hostile.case import PER_CONTAINER, PER_PROCESS, Case
from tests.hostile.exercises import CANARY, HONEST, SEED, exercise
from tests.hostile.stock import Stock

ENVIRONMENT = {"GRADER_TEST_CANARY": CANARY}


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """After all hostile submissions nothing is there that was not there before: see `tests.hostile.stock`.

    What is made meanwhile is made in folders of our own, so that what belongs to other tests at the same time, on the
    same machine, is told apart.
    """
    tmp_path_factory.getbasetemp()  # pytest's own, which it keeps
    with tempfile.TemporaryDirectory(prefix="gs-") as made, tempfile.TemporaryDirectory(dir=local._FOLDERS) as homes:
        stock = Stock([Path(made), Path(homes)])
        before = stock.take()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", made)
            patch.setattr(local, "_FOLDERS", homes)
            yield
        left = stock.left(before)
    assert not left, "left behind: " + "; ".join(left)


@pytest.fixture(scope="session", params=[*PER_CONTAINER, *PER_PROCESS])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    backend, policy = request.param
    found: Backend = request.getfixturevalue(f"{backend}_backend")
    os.environ |= ENVIRONMENT
    settings = Settings(policy=policy, pool_size=1, pool_cap=4)
    runner = Runner(settings, found)
    yield runner
    runner._judges.close()
    runner._pool.close()  # the backend is the session's, and others go on with it
    for name in ENVIRONMENT:
        del os.environ[name]


@pytest.fixture(scope="session")
def exercises(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exercise]:
    folder = tmp_path_factory.mktemp("exercises")
    return {runtime: exercise(folder / runtime, runtime) for runtime in HONEST}


Grade = Callable[..., Result]


@pytest.fixture
def grade(runner: Runner, exercises: dict[str, Exercise]) -> Grade:
    """Grade a source. `limits` replaces the exercise's."""

    def graded(source: str, runtime: str = "python", limits: Limits | None = None) -> Result:
        about = exercises[runtime]
        about = replace(about, limits=limits) if limits is not None else about
        return runner.grade(about, Job({"solution.py": source.encode()}, "sha256:x", SEED))

    return graded


@pytest.fixture
def attempt(grade: Grade) -> Callable[[Case], Result]:
    """Grade a hostile case and assert what holds of each: no point, a word that fits, no canary; the next is served."""

    def attempted(case: Case) -> Result:
        result = grade(case.source, case.runtime)
        assert result.score == 0, [test for test in result.tests if test.points]
        assert str(result.verdict) in case.verdicts, (result.verdict, [test.message for test in result.tests])
        assert told_to_a_candidate(result).isdisjoint(canaries())
        following = grade(HONEST[case.runtime], case.runtime)
        assert (following.verdict, following.score) == (Verdict.PASSED, following.max_score), following.tests
        return result

    return attempted


def canaries() -> set[str]:
    return {CANARY, str(SEED)}


def told_to_a_candidate(result: Result) -> set[str]:
    """The canaries in what a candidate sees under "titles", and in what the code itself found and printed."""
    seen = for_candidate(result.to_json(), result.output, "titles")
    shown = repr([test["message"] for test in seen.tests]) + repr(seen.provenance) + (seen.detail or "") + result.output
    return {canary for canary in canaries() if canary in shown}
