"""The first guest of a grading is begun before the judge asks for one: whatever becomes of it, no sandbox is lost."""

import pytest

from grader.errors import SuiteError
from grader.grading.runner import Runner
from grader.settings import Settings
from sandbox.errors import PoolClosed

SOLUTION = "def f(): return 1"
USES = "def test_it():\n    from solution import f\n    assert f() == 1"


@pytest.fixture
def one(local_backend):
    """A runner with one sandbox."""
    with Runner(Settings(policy="per_process", pool_size=1, pool_cap=1), local_backend) as runner:
        yield runner


def test_a_suite_that_asks_nothing_leaves_the_sandbox_to_the_next(one, grade):
    for suite in ("def test_it(): pass", USES, "def test_it(): pass", USES):
        assert grade(suite, SOLUTION, runner=one).flaws == {}
        assert one.census() == {"idle": 1, "busy": 0, "starting": 0, "wanted": 0}


def test_a_suite_that_cannot_be_collected_leaves_the_sandbox_to_the_next(one, grade):
    for _ in range(3):
        with pytest.raises(SuiteError):
            grade("import nothing_that_there_is", SOLUTION, runner=one)
        assert one.census() == {"idle": 1, "busy": 0, "starting": 0, "wanted": 0}
    assert grade(USES, SOLUTION, runner=one).flaws == {}


def test_a_runner_that_is_closed_takes_nothing(local_backend, grade):
    with Runner(Settings(policy="per_process", pool_size=1), local_backend) as runner:
        pass
    with pytest.raises(PoolClosed):
        grade(USES, SOLUTION, runner=runner)
