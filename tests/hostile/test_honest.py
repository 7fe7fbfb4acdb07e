"""What the hostile suite measures against: an honest solution earns everything, however unusual; a stub nothing."""

import pytest

from grader.grading.model import Job
from tests.hostile.case import per_container, titled, values_only
from tests.hostile.exercises import HONEST, NOTHING, SEED
from tests.hostile.honest import ALL, IN_A_FRESH_SANDBOX


@pytest.mark.parametrize("runtime", sorted(HONEST))
def test_an_honest_solution_that_prints_reads_stdin_and_starts_threads_gets_full_points(grade, runtime):
    result = grade(HONEST[runtime], runtime)
    assert (result.score, result.verdict) == (result.max_score, "passed"), result.tests
    assert result.output


@pytest.mark.parametrize("runtime", sorted(HONEST))
def test_a_stub_gets_nothing(grade, runtime):
    result = grade(NOTHING[runtime], runtime)
    assert (result.score, result.verdict) == (0, "failed"), result.tests


@values_only
@pytest.mark.parametrize("solution", ALL, ids=titled)
def test_an_unusual_honest_solution_gets_full_points(runner, tmp_path, solution):
    assert_full_points(runner, tmp_path, solution)


@per_container
@pytest.mark.parametrize("solution", IN_A_FRESH_SANDBOX, ids=titled)
def test_and_so_it_does_in_a_sandbox_of_its_own(runner, tmp_path, solution):
    assert_full_points(runner, tmp_path, solution)


def assert_full_points(runner, tmp_path, solution):
    files = {name: text.encode() for name, text in solution.files.items()}
    result = runner.grade(solution.exercise(tmp_path), Job(files, "sha256:x", SEED))
    assert (result.score, result.verdict) == (1, "passed"), (result.tests, result.output)
