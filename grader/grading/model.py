"""The words of a grading, as types. design words: verdict, outcome, status, score, provenance. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from grader.catalog.model import Exercise
from sandbox.limits import Usage


class Outcome(StrEnum):
    """How one test ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    CRASHED = "crashed"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """How a grading that ran to its end turned out."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    ERROR = "error"  # the solution could not be loaded
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    CRASHED = "crashed"


class Status(StrEnum):
    """Where a grading stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAULT = "fault"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class TestResult:
    """One line of the score table. ``message`` is plain text, empty for a passed test."""

    __test__ = False  # not a test, whatever pytest thinks of the name

    id: str
    title: str
    outcome: Outcome
    points: float
    max_points: float
    message: str = ""
    duration_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"outcome": str(self.outcome)}


@dataclass(frozen=True)
class Measure:
    """What a suite measured of a solution, and the threshold that it had to reach (`grader.suite.threshold`)."""

    test: str
    name: str
    value: float
    bound: float
    at_least: bool  # else: at most

    @property
    def holds(self) -> bool:
        """Whether the value is on the right side. Not a number never is."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True)
class Job:
    """What a grading is made from. The five that name it: exercise, image, submission (digests), seed and limits."""

    files: Mapping[str, bytes]  # relative POSIX path -> content; has "solution.py"
    submission_digest: str
    seed: int  # 0 <= seed < 2**63, secret to the grading


@dataclass(frozen=True)
class Result:
    """What a grading that ended says. ``to_json`` is the object that `grader grade --json` prints."""

    exercise: str
    status: Status
    verdict: Verdict | None
    score: float
    max_score: float
    tests: tuple[TestResult, ...]
    usage: Usage
    provenance: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""  # what the candidate's code printed, capped; not part of the JSON
    measures: tuple[Measure, ...] = ()  # for authors; not part of the JSON
    judge_cpu_s: float = 0.0  # what the judge used, on top of `usage`; not part of the JSON

    def to_json(self) -> dict[str, Any]:
        return {
            "exercise": self.exercise,
            "status": str(self.status),
            "verdict": None if self.verdict is None else str(self.verdict),
            "score": self.score,
            "max_score": self.max_score,
            "tests": [test.to_json() for test in self.tests],
            "usage": asdict(self.usage),
            "provenance": dict(self.provenance),
        }


def provenance(exercise: Exercise, job: Job, image: str, versions: Mapping[str, str]) -> dict[str, Any]:
    """What a score was made from: the same five first values give the same score again."""
    return {
        "exercise_digest": exercise.digest,
        "submission_digest": job.submission_digest,
        "image": image,
        "seed": job.seed,
        "limits": asdict(exercise.limits),
        "versions": dict(versions),
    }
