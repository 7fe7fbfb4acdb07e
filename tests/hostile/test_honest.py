"""What the hostile suite measures against: an honest solution earns everything, a stub nothing."""

import pytest

from tests.hostile.exercises import HONEST, NOTHING


@pytest.mark.parametrize("runtime", sorted(HONEST))
def test_an_honest_solution_that_prints_reads_stdin_and_starts_threads_gets_full_points(grade, runtime):
    result = grade(HONEST[runtime], runtime)
    assert (result.score, result.verdict) == (result.max_score, "passed"), result.tests
    assert result.output


@pytest.mark.parametrize("runtime", sorted(HONEST))
def test_a_stub_gets_nothing(grade, runtime):
    result = grade(NOTHING[runtime], runtime)
    assert (result.score, result.verdict) == (0, "failed"), result.tests
