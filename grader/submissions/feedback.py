"""What a candidate sees of a grading: pure functions of the result and the exercise's feedback policy.

    full    everything but the seed
    titles  per test a number in place of its id, title, outcome and points; no message
    score   verdict, score and how much was used
    none    the status alone

What the candidate's own code printed can hold the hidden suite's inputs, so it is shown where messages are: under
`full`. A solution that could not be loaded saw no input, and whoever wrote it has to learn why: then all but `none`
show what it printed, and the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from grader.catalog.model import Feedback
from grader.grading.model import Verdict

_TITLED = ("title", "outcome", "points", "max_points", "duration_s")


@dataclass(frozen=True)
class Seen:
    """What somebody sees of a finished grading. Tests, usage and provenance as in design section 6."""

    verdict: str | None = None
    score: float | None = None
    max_score: float | None = None
    tests: tuple[Mapping[str, Any], ...] = ()
    usage: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] | None = None
    output: str | None = None
    detail: str | None = None


def policy(word: str | None) -> Feedback:
    """The policy of that name; the strictest where there is none, or an unknown one."""
    return next((known for known in get_args(Feedback) if known == word), "none")


def everything(result: Mapping[str, Any], output: str | None) -> Seen:
    """What reviewers and admins see."""
    return Seen(
        verdict=result["verdict"],
        score=result["score"],
        max_score=result["max_score"],
        tests=tuple(result["tests"]),
        usage=result["usage"],
        provenance=result["provenance"],
        output=output,
        detail=_load_error(result),
    )


def for_candidate(result: Mapping[str, Any], output: str | None, policy: Feedback) -> Seen:
    """What the candidate sees whose submission it is."""
    if policy == "none":
        return Seen()
    unloaded = result["verdict"] == Verdict.ERROR
    shown = (shown_test(test, number, policy) for number, test in enumerate(result["tests"], 1))
    return Seen(
        verdict=result["verdict"],
        score=result["score"],
        max_score=result["max_score"],
        tests=tuple(test for test in shown if test is not None),
        usage=result["usage"],
        provenance={**result["provenance"], "seed": None},
        output=output if policy == "full" or unloaded else None,
        detail=_load_error(result),
    )


def shown_test(test: Mapping[str, Any], number: int, policy: Feedback) -> Mapping[str, Any] | None:
    """One test as a candidate sees it, `number` counting from 1; None where tests are not shown."""
    if policy == "full":
        return test
    if policy == "titles":
        return {"id": str(number), **{name: test[name] for name in _TITLED}, "message": ""}
    return None


def event(kind: str, data: Mapping[str, Any], policy: Feedback) -> Mapping[str, Any] | None:
    """An event's data as a candidate sees it; None for an event that is not shown."""
    shows_tests = policy in ("full", "titles")
    if kind == "test":
        return {**data, "test": shown_test(data["test"], data["done"], policy)} if shows_tests else None
    if kind == "started":
        return data if shows_tests else {}
    return data


def _load_error(result: Mapping[str, Any]) -> str | None:
    """Why the solution could not be loaded. All tests are told the same then."""
    return result["tests"][0]["message"] if result["verdict"] == Verdict.ERROR else None
