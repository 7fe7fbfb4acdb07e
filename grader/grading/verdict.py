"""From test results to score and verdict: pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from grader.grading.model import Outcome, TestResult, Verdict

_LIMITS = {
    Outcome.TIME_LIMIT: Verdict.TIME_LIMIT,
    Outcome.MEMORY_LIMIT: Verdict.MEMORY_LIMIT,
    Outcome.CRASHED: Verdict.CRASHED,
}


def score(tests: Sequence[TestResult]) -> tuple[float, float]:
    """Points earned and points to earn, rounded to 6 decimals so that sums of fractions compare as people expect."""
    earned = sum(test.points for test in tests if test.outcome is Outcome.PASSED)
    return round(earned, 6), round(sum(test.max_points for test in tests), 6)


def verdict(
    tests: Sequence[TestResult], load_outcome: Outcome | None, exhausted: bool, causes: Sequence[str]
) -> Verdict:
    """The one word for a grading that ran to its end.

    ``load_outcome`` is how loading the solution failed, if it did. ``exhausted`` says that tests were not run because
    the grading's limits were used up. ``causes`` are the words of `sandbox.interface.Cause` of guests that were lost.
    """
    if not tests:
        raise ValueError("a grading without tests has no verdict")
    if all(test.outcome is Outcome.PASSED for test in tests):
        return Verdict.PASSED
    if load_outcome is not None:
        if "output_limit" in causes:
            return Verdict.OUTPUT_LIMIT
        return _LIMITS.get(load_outcome, Verdict.FAILED if load_outcome is Outcome.FAILED else Verdict.ERROR)
    if exhausted:
        return Verdict.TIME_LIMIT
    if score(tests)[0] > 0:
        return Verdict.PARTIAL
    return _nothing_earned(tests, causes)


def _nothing_earned(tests: Sequence[TestResult], causes: Sequence[str]) -> Verdict:
    """Without a point: the limit that most tests broke, if more tests broke it than failed otherwise."""
    (outcome, _), *_ = Counter(test.outcome for test in tests).most_common()
    if outcome is Outcome.CRASHED and causes and Counter(causes).most_common(1)[0][0] == "output_limit":
        return Verdict.OUTPUT_LIMIT
    return _LIMITS.get(outcome, Verdict.FAILED)
