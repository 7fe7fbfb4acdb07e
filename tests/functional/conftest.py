"""Whole gradings through `Runner.grade` on the real local sandbox: a suite and a solution as text go in."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from grader.catalog.model import Boundary, Exercise
from grader.grading.model import Job, Result
from grader.grading.runner import Runner, ignore
from grader.settings import Settings
from sandbox.interface import Backend
from sandbox.limits import Limits


@dataclass(frozen=True)
class Graded:
    """A result, and what tests ask of it. Tests are named by their id without the file: "test_a", "TestB::test_c"."""

    result: Result

    @property
    def flaws(self) -> dict[str, str]:
        """Each test that did not pass: "outcome: message"."""
        return {name: shown for name, shown in self.shown.items() if shown != "passed"}

    @property
    def shown(self) -> dict[str, str]:
        return {
            test.id.partition("::")[2]: f"{test.outcome}: {test.message}".rstrip(": ") for test in self.result.tests
        }


class Grade(Protocol):
    def __call__(self, suite: str | Mapping[str, str], solution: str | Mapping[str, str], **about: Any) -> Graded: ...


@pytest.fixture(scope="session")
def runner(local_backend: Backend) -> Iterator[Runner]:
    """A runner on the local backend that reuses its sandboxes, so that gradings are quick."""
    with Runner(Settings(policy="per_process", pool_size=1), local_backend) as runner:
        yield runner


@pytest.fixture
def grade(runner: Runner, tmp_path: Path) -> Grade:
    """Grades a suite against a solution: texts, or a text per file. `about`: fields of the exercise, `seed` …"""

    def graded(suite: str | Mapping[str, str], solution: str | Mapping[str, str], **about: Any) -> Graded:
        seed, on_event, with_runner = about.pop("seed", 7), about.pop("on_event", ignore), about.pop("runner", runner)
        files = {"solution.py": solution} if isinstance(solution, str) else solution
        sent = {name: textwrap.dedent(text).encode() for name, text in files.items()}
        exercise = _exercise(tmp_path, suite, about)
        return Graded(with_runner.grade(exercise, Job(sent, "sha256:submission", seed), on_event))

    return graded


@pytest.fixture
def grade_often(runner: Runner, tmp_path: Path) -> Callable[..., list[Graded]]:
    """Grades one suite against one solution so many times, three at once, with seeds from 0."""

    def graded(suite: str | Mapping[str, str], solution: str, times: int, **about: Any) -> list[Graded]:
        exercise = _exercise(tmp_path, suite, about)
        files = {"solution.py": textwrap.dedent(solution).encode()}
        jobs = [Job(files, "sha256:submission", seed) for seed in range(times)]
        with ThreadPoolExecutor(3) as pool:
            return [Graded(result) for result in pool.map(lambda job: runner.grade(exercise, job), jobs)]

    return graded


def _exercise(tmp_path: Path, suite: str | Mapping[str, str], about: dict[str, Any]) -> Exercise:
    folder = tmp_path / f"exercise-{len(list(tmp_path.iterdir()))}"
    files = {"test_wall.py": suite} if isinstance(suite, str) else suite
    for kind, texts in (("tests", files), ("assets", about.pop("assets", {}))):
        for name, text in texts.items():
            path = folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
    boundary = Boundary(tuple(about.pop("answers", ())), tuple(about.pop("copy_back", ())))
    about.setdefault("limits", Limits(cpu_s=20, wall_s=40))
    return Exercise(folder, "wall", "Wall", "sha256:exercise", boundary=boundary, **about)
