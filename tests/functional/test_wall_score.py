"""Points, seeds and rules; and faults of ours, which are exceptions and never a score."""

import pytest

from grader.errors import JudgeError, SuiteError
from grader.grading.runner import Runner
from grader.settings import Settings
from sandbox.limits import Limits

FINE = "def f(): return 1\n"

POINTS = """
import pytest, solution
def test_one():
    '''The first line is the title.

    More of it.'''
    assert solution.f() == 1
@pytest.mark.points(3)
def test_three(): assert solution.f() == 1
@pytest.mark.points(5)
def test_lost(): assert solution.f() == 2
@pytest.mark.points(0.5)
@pytest.mark.parametrize("n", [1, 2])
def test_halves(n): assert solution.f() == n
@pytest.mark.gradients
def test_by_marker(): pass
def test_by_function(): pass
def test_by_id(): pass
@pytest.mark.points(9)
@pytest.mark.skip(reason="no")
def test_skipped(): pass
"""


def test_points_and_titles(grade):
    points = {"gradients": 7, "test_by_function": 11, "test_wall.py::test_by_id": 13}
    result = grade(POINTS, FINE, points=points).result
    assert [test.max_points for test in result.tests] == [1, 3, 5, 0.5, 0.5, 7, 11, 13, 9]
    assert [test.points for test in result.tests] == [1, 3, 0, 0.5, 0, 7, 11, 13, 0]
    assert (result.score, result.max_score, str(result.verdict)) == (35.5, 50, "partial")
    titles = [test.title for test in result.tests]
    assert titles[:4] == ["The first line is the title.", "three", "lost", "halves [1]"]


RANDOM = """
import random
import numpy as np, pytest, solution
DRAWN = []
def test_a(seed): DRAWN.append((seed, random.random(), np.random.rand(), *solution.draw()))
def test_b(seed): DRAWN.append((seed, random.random(), np.random.rand(), *solution.draw()))
def test_show(seed):
    assert DRAWN[0][0] == DRAWN[1][0] == seed and DRAWN[0][1:] != DRAWN[1][1:]
    pytest.fail(repr(DRAWN))
"""
DRAWS = "import os, random, numpy as np\ndef draw(): return random.random(), np.random.rand()\n"


def test_the_same_seed_gives_the_same_numbers_on_both_sides(grade):
    first, again, other = (grade(RANDOM, DRAWS, seed=seed).shown["test_show"] for seed in (1, 1, 2))
    assert first == again != other
    assert first.startswith("failed: [(")


def test_what_one_test_draws_does_not_depend_on_how_another_ended(grade):
    suite = (
        "import solution, pytest\ndef test_a(): solution.maybe()\ndef test_b(): pytest.fail(repr(solution.draw()))\n"
    )
    fine, crashed = (
        grade(suite, DRAWS + f"def maybe(): {body}\n").shown for body in ("random.random()", "os._exit(1)")
    )
    assert fine["test_a"] == "passed"
    assert crashed["test_a"].startswith("crashed")
    assert fine["test_b"] == crashed["test_b"]


TORCH_RANDOM = """
import torch, solution, pytest
def test_a(): pytest.fail(repr((torch.rand(1).item(), solution.draw())))
"""


def test_torch_is_seeded_on_both_sides(grade):
    solution = "import torch\ndef draw(): return torch.rand(1).item()\n"
    first, again = (grade(TORCH_RANDOM, solution, runtime="torch").shown for _ in range(2))
    assert first == again


def test_events_tell_each_test_as_it_ends(grade):
    seen = []
    grade("import solution\ndef test_a(): pass\ndef test_b(): assert solution.f() == 2\n", FINE, on_event=seen.append)
    assert [event["kind"] for event in seen] == ["started", "sandboxed", "test", "test"]
    assert seen[0]["total"] == 2
    assert [(event["done"], event["test"]["outcome"]) for event in seen[2:]] == [(1, "passed"), (2, "failed")]


FORBID = "import solution\nfrom solution import f\ndef test_a(): assert f([2, 1]) == [1, 2]\n"
SORTS = {
    "def f(x): return sorted(x)": "failed: solution.py, line 1: uses sorted, which the statement forbids",
    "def f(x):\n    g = sorted\n    return g(x)": "failed: solution.py, line 2: uses sorted, which",
    "import builtins\ndef f(x): return builtins.sorted(x)": "failed: solution.py, line 2: uses sorted",
    "import math\ndef f(x): return getattr(math, 'pr' + 'od')(x)": "failed: ForbiddenName: uses math.prod",
    "def sorted(x): return [min(x), max(x)]\nf = sorted": "passed",
    "import heapq\ndef f(x): return heapq.nsmallest(2, x)": "failed: solution.py, line 1: uses heapq, which",
    "from heapq import nsmallest as n\ndef f(x): return n(2, x)": "failed: solution.py, line 1: uses heapq, which",
    "def f(x): return [min(x), max(x)]": "passed",
}


def test_forbidden_names_are_found_by_reading_and_at_run_time(grade):
    for solution, message in SORTS.items():
        assert grade(FORBID, solution, forbid=["sorted", "heapq", "math.prod"]).shown["test_a"].startswith(message), (
            solution
        )


TORCH_FORBIDS = [
    "torch.ops.aten.conv2d",
    "torch._C._VariableFunctions.conv2d",
    "torch._VF.conv2d",
    "torch.nn.attention.sdpa_kernel",
]
BY_WAY_OF = {
    "aten = torch.ops.aten\nf = lambda x: aten.conv2d(x, x)": "torch.ops.aten.conv2d",
    "inner = torch._C\nf = lambda x: inner._VariableFunctions.conv2d(x, x)": "torch._C._VariableFunctions.conv2d",
    "inner = torch._VF\nf = lambda x: inner.conv2d(x, x)": "torch._VF.conv2d",
    "import torch.nn as n\nf = lambda x: getattr(n.attention, 'sdpa' + '_kernel')(x)": "torch.nn.attention.sdpa_kernel",
}


def test_what_is_forbidden_may_lie_in_an_object_that_is_no_module(grade):
    suite = "import solution, torch\ndef test_a(): assert solution.f(torch.ones(1, 1, 1, 1)).item() == 1\n"
    for body, name in BY_WAY_OF.items():
        shown = grade(suite, f"import torch\n{body}\n", runtime="torch", forbid=TORCH_FORBIDS).shown["test_a"]
        assert shown.startswith(f"failed: ForbiddenName: uses {name}"), (body, shown)
    body = (
        "import torch\nf = lambda x: torch.nn.functional.relu(torch.nn.Linear(1, 1).requires_grad_(False)(x) * 0 + 1)\n"
    )
    assert grade(suite, body, runtime="torch", forbid=TORCH_FORBIDS).shown == {"test_a": "passed"}


IN_THE_WAY = {
    "uses a forbidden name": (
        "import math\ndef f():\n    return getattr(math, 'pr' + 'od')([1])\n",
        "failed: ForbiddenName: uses",
    ),
    "hides that it did": (
        "import math\ndef f():\n    try:\n        getattr(math, 'pr' + 'od')([1])\n    except Exception: return 1\n",
        "failed: ForbiddenName: uses",
    ),
    "spoils the seeding": ("import random\ndef f(): return 1\nrandom.seed = None\n", "failed: TypeError"),
    "seeding says it ran out of memory": (
        "import random\ndef f(): return 1\ndef seed(number): raise MemoryError\nrandom.seed = seed\n",
        "memory_limit: ",
    ),
    "seeding exits": (
        "import random\ndef f(): return 1\ndef seed(number): raise SystemExit\nrandom.seed = seed\n",
        "failed: SolutionExit",
    ),
    "looking for names fails": (
        "def f(): return 1\ndef __getattr__(name): raise ValueError(name)\n",
        "error: solution.py could not be looked into: ValueError",
    ),
}


@pytest.mark.parametrize("solution", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_a_test_leaves_behind_fails_the_next_and_is_no_fault(grade, solution):
    source, message = solution
    suite = "import solution\nfrom solution import f, gone\n" + "".join(
        f"def test_{n}(): assert f() == 1\n" for n in "ab"
    )
    shown = grade(suite, source, forbid=["math.prod"]).shown
    assert shown["test_b"].startswith(message), shown


ENDS_IN_A_TEARDOWN = """
import pytest, solution

@pytest.fixture(scope="module")
def kept():
    yield solution.f
    {end}

def test_a(kept): assert kept() == 1
def test_b(kept): assert kept() == 1
"""


@pytest.mark.parametrize("f", ["os._exit(0)", "[][0]", "sys.exit()"])
@pytest.mark.parametrize("end", ["solution.f()", "pytest.fail('it is gone')", "pytest.skip('it is gone')"])
def test_a_teardown_that_fails_after_the_solution_costs_tests_and_is_no_fault(grade, end, f):
    shown = grade(ENDS_IN_A_TEARDOWN.format(end=end), f"import os, sys\ndef f(): {f}\n").shown
    assert set(shown) == {"test_a", "test_b"}
    assert not any(told.startswith("passed") for told in shown.values())


SUITES_THAT_FAIL = {
    "def f(:": "SyntaxError",
    "import nothing_here": "No module named 'nothing_here'",
    "x = 1": "the suite has no tests",
    "import solution\nVALUE = solution.f()\ndef test_a(): pass": "use it inside a test or a fixture",
    "import solution\nassert solution.LIMIT == 3\ndef test_a(): pass": "use it inside a test or a fixture",
    "import solution\nclass Mine(solution.Base): pass\ndef test_a(): pass": "@in_guest",
    "import pytest\n@pytest.mark.unknown\ndef test_a(): pass": "unknown",
    "import pytest\npytest.skip('whole file', allow_module_level=True)\ndef test_a(): pass": "the suite has no tests",
    "import pytest\n@pytest.mark.points('three')\ndef test_a(): pass": "points",
    "def test_a(missing_fixture): pass": None,
}


@pytest.mark.parametrize("suite", SUITES_THAT_FAIL)
def test_a_suite_that_cannot_be_collected_is_a_fault(grade, suite):
    expected = SUITES_THAT_FAIL[suite]
    if expected is None:
        assert grade(suite, FINE).shown["test_a"].startswith("error")
        return
    with pytest.raises(SuiteError, match=expected):
        grade(suite, FINE)


def test_which_tests_there_are_never_depends_on_the_candidate(grade):
    suite = "import solution\nfrom solution import gone\ndef test_a(): pass\ndef test_b(): gone()\n"
    assert set(grade(suite, "import os\nos._exit(0)").shown) == {"test_a", "test_b"}
    assert grade(suite, "").shown["test_b"] == "failed: AttributeError: solution.py does not define gone"


DEATHS = {
    "exit": "import os\ndef test_a(): os._exit(0)\n",
    "segfault": "import ctypes\ndef test_a(): ctypes.string_at(0)\n",
    "at_import": "import os\nos._exit(0)\n",
    "cpu": "def test_a():\n    while True: pass\n",
    "hang": "import time\ndef test_a(): time.sleep(600)\n",
    "exit_call": "import pytest\ndef test_a(): pytest.exit('all')\ndef test_b(): pass\n",
    "interrupt": "def test_a(): raise KeyboardInterrupt\ndef test_b(): pass\n",
    "system_exit_at_import": "raise SystemExit(0)\n",
}


@pytest.fixture(scope="module")
def hasty(local_backend):
    settings = Settings(policy="per_process", pool_size=1, judge_cpu_s=1, judge_memory_mb=512)
    with Runner(settings, local_backend) as runner:
        yield runner


@pytest.mark.parametrize("death", DEATHS)
def test_a_judge_that_dies_or_hangs_is_a_fault_in_bounded_time(grade, hasty, death):
    with pytest.raises((JudgeError, SuiteError)):
        grade(DEATHS[death], FINE, runner=hasty, limits=Limits(cpu_s=1, wall_s=1))
    assert grade("def test_a(): pass\n", FINE, runner=hasty).shown == {"test_a": "passed"}


def test_a_suite_that_needs_more_memory_than_a_judge_has_is_a_fault(grade, hasty):
    greedy = "def test_a(): x = bytearray(10**10)\n"
    with pytest.raises(JudgeError):
        grade(greedy, FINE, runner=hasty)


@pytest.mark.parametrize("error", ["RuntimeError", "MemoryError", "AssertionError"])
def test_words_about_memory_in_a_candidates_error_are_no_fault_of_ours(grade, hasty, error):
    suite = "import pytest, solution\ndef test_a():\n    try: solution.f()\n"
    suite += "    except Exception as e: pytest.fail(f'it raised {e}')\n"
    suite += "def test_b(): assert 0, str(pytest.raises(Exception, solution.f).value)\n"
    fails = f'def f(): raise {error}("DefaultCPUAllocator: can\'t allocate memory")\n'
    shown = grade(suite, fails, runner=hasty).shown
    assert {outcome.partition(":")[0] for outcome in shown.values()} == {"failed"}
