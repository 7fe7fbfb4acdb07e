"""Score and verdict are pure functions of the test results."""

import pytest

from grader.grading.model import Outcome, TestResult, Verdict
from grader.grading.verdict import score, verdict


def results(*outcomes, points=1.0):
    return [
        TestResult(f"t{n}", "", outcome, points if outcome is Outcome.PASSED else 0.0, points)
        for n, outcome in enumerate(outcomes)
    ]


PASSED, FAILED, SKIPPED, CRASHED = Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED, Outcome.CRASHED
TIME, MEMORY = Outcome.TIME_LIMIT, Outcome.MEMORY_LIMIT


@pytest.mark.parametrize(
    ("outcomes", "causes", "expected"),
    [
        ([PASSED, PASSED], [], Verdict.PASSED),
        ([PASSED, FAILED], [], Verdict.PARTIAL),
        ([PASSED, SKIPPED], [], Verdict.PARTIAL),
        ([FAILED, FAILED], [], Verdict.FAILED),
        ([SKIPPED], [], Verdict.FAILED),
        ([TIME, TIME, FAILED], ["time_limit"], Verdict.TIME_LIMIT),
        ([MEMORY], ["memory_limit"], Verdict.MEMORY_LIMIT),
        ([CRASHED], ["crashed"], Verdict.CRASHED),
        ([CRASHED], ["output_limit"], Verdict.OUTPUT_LIMIT),
        ([PASSED, TIME], ["time_limit"], Verdict.PARTIAL),
    ],
)
def test_the_verdict_follows_from_the_outcomes(outcomes, causes, expected):
    assert verdict(results(*outcomes), None, False, causes) is expected


def test_a_solution_that_did_not_load_has_the_verdict_of_its_load():
    failed = results(Outcome.ERROR, Outcome.ERROR)
    assert verdict(failed, Outcome.ERROR, False, []) is Verdict.ERROR
    assert verdict(failed, Outcome.TIME_LIMIT, False, ["time_limit"]) is Verdict.TIME_LIMIT
    assert verdict(failed, Outcome.FAILED, False, []) is Verdict.FAILED


def test_used_up_limits_are_named_even_where_points_were_earned():
    assert verdict(results(PASSED, TIME), None, True, []) is Verdict.TIME_LIMIT


def test_only_passed_tests_earn_and_sums_compare_as_people_expect():
    assert score(results(PASSED, PASSED, PASSED, points=0.1)) == (0.3, 0.3)
    assert score(results(PASSED, SKIPPED, FAILED)) == (1, 3)


def test_a_grading_without_tests_has_no_verdict():
    with pytest.raises(ValueError, match="no verdict"):
        verdict([], None, False, [])
