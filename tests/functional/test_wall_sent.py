"""Functions that a suite sends over run beside the candidate's code, with what they use."""

import subprocess
import sys

SUITE = """
import math
import pytest, solution
from math import sqrt
from grader.suite import in_guest, lend
from solution import Counter, LIMIT

SCALE = 3
TABLE = {"a": [1, 2]}
def unmarked(x): return x

@in_guest
def scaled(x):
    "Secret docstring."
    return SCALE * x  # secret comment
@in_guest
def both(x): return scaled(x) + len(TABLE["a"])
@in_guest
def uses_modules(x): return math.floor(sqrt(x)) + math.pi
@in_guest
def uses_solution(n):
    counter = solution.Counter()
    for _ in range(n): counter.count()
    return counter.total, Counter is solution.Counter, LIMIT
@in_guest
def uses_unmarked(x): return unmarked(x)
@in_guest
def inner(n):
    def square(x): return x * x * SCALE
    return [square(i) for i in range(n)] + [sum(y * SCALE for y in range(n))]
@in_guest
def with_defaults(a, b=2, *rest, key=5, **more): return a + b + key + sum(rest) + sum(more.values())
@in_guest
def recursive(n): return 1 if n == 0 else n * recursive(n - 1)
@in_guest
def derives():
    class Fast(Counter):
        def count(self): self.total += 10
    fast = Fast()
    fast.count()
    return fast.total
@in_guest
def captured():
    import contextlib, io
    with contextlib.redirect_stdout(io.StringIO()) as out: solution.prints()
    return out.getvalue()
@in_guest
def source_of_me():
    import inspect
    try: return inspect.getsource(scaled)
    except OSError: return ""
@in_guest
def raises(): assert solution.LIMIT == 11, "the limit must be 11"
@in_guest
def returns_object(): return Counter()
@in_guest
def calls_back(f): return f(2)
@in_guest
def lies(): return solution.Equal()
total, answer = unmarked, "expected value"
@in_guest
def attributes():
    counter = solution.Counter()
    counter.answer = 3
    return counter.total + counter.answer
@in_guest
def own_names():
    import sys
    class Inner: pass
    return [name for name in ("total", "answer") if name in sys._getframe().f_globals]

def test_names_of_the_suite(): assert scaled(2) == 6 and both(1) == 5
def test_modules(): assert uses_modules(10) == 3 + math.pi
def test_the_solution(): assert uses_solution(4) == (4, True, 10)
def test_inner_functions(): assert inner(3) == [0, 3, 12, 9]
def test_attributes_are_no_names_of_the_suite(): assert attributes() == 3 and own_names() == []
def test_defaults(): assert with_defaults(1) == 8 and with_defaults(1, 2, 3, key=0, z=4) == 10
def test_recursion(): assert recursive(4) == 24
def test_subclasses(): assert derives() == 10
def test_output(): assert captured() == "printed\\n"
def test_source(): assert "Secret" not in source_of_me() and "secret" not in source_of_me()
def test_handles(): assert isinstance(returns_object(), Counter) and returns_object().total == 0
def test_closures_over_plain_values():
    factor = 7
    @in_guest
    def times(x): return x * factor
    assert times(2) == 14
def test_callbacks(): assert calls_back(lambda x: x + 1) == 3 and calls_back(scaled) == 6
def test_names(): assert scaled.__name__ == "scaled"
def test_changed_globals(monkeypatch):
    monkeypatch.setitem(globals(), "SCALE", 5)
    assert scaled(2) == 10
def test_unmarked():
    with pytest.raises(TypeError, match="unmarked is used by a function marked @in_guest; mark it @in_guest too"):
        uses_unmarked(1)
def test_failed_assertion(): raises()
def test_hostile_result(): assert lies() == 5
@in_guest
def test_as_a_test(): assert solution.LIMIT == 10
class TestMethods:
    @staticmethod
    @in_guest
    def helper(x): return x + 1
    def test_static(self): assert self.helper(1) == 2
"""
SOLUTION = """
LIMIT = 10
class Counter:
    def __init__(self): self.total = 0
    def count(self): self.total += 1
class Equal:
    def __eq__(self, other): return True
def prints(): print("printed")
"""


def test_marked_functions_run_in_the_guest(grade):
    flaws = grade(SUITE, SOLUTION).flaws
    assert flaws.pop("test_failed_assertion") == "failed: AssertionError: the limit must be 11"
    assert flaws.pop("test_hostile_result") == "failed: returned <Equal object>, expected int"
    assert flaws == {}


TRAINING = """
import torch, solution
from torch import nn
from grader.suite import in_guest

@in_guest
def train(net, x, y, steps):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
@in_guest
def count(net): return sum(p.numel() for p in net.parameters())

def test_training_loop():
    net, x = solution.Net(), torch.randn(16, 2)
    losses = train(net, x, x.sum(1, keepdim=True), 50)
    assert len(losses) == 50 and losses[-1] < losses[0] and count(net) == 3
    assert ((net(x) - x.sum(1, keepdim=True)) ** 2).mean().item() < losses[0]

def test_parameters_held_here_see_what_the_loop_did():
    net = solution.Net()
    weight = net.weight
    before = weight.detach().clone()
    train(net, torch.ones(4, 2), torch.ones(4, 1) * 9, 3)
    assert not torch.equal(net.weight, before) and net.weight is weight and not torch.equal(weight, before)
"""
NET = """
from torch import nn
class Net(nn.Linear):
    def __init__(self): super().__init__(2, 1)
"""


def test_a_training_loop_runs_beside_the_model(grade):
    assert grade(TRAINING, NET, runtime="torch").flaws == {}


PLAIN = """
from grader.suite import in_guest, lend
import pytest, solution
@in_guest
def twice(x): return 2 * x
class World:
    def step(self, x): return x + 1
    def hidden(self): pass
def test_all():
    assert twice(2) == 4 and twice.__name__ == "twice"
    assert solution.use(lend(World(), "step")) == 2
    with pytest.raises(AttributeError):
        lend(World(), "step").hidden
"""


def test_the_same_suite_runs_under_plain_pytest(tmp_path):
    (tmp_path / "test_public.py").write_text(PLAIN)
    (tmp_path / "solution.py").write_text("def use(world): return world.step(1)\n")
    command = [sys.executable, "-m", "pytest", "-q", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


CHANGES = """
from pathlib import Path
from grader.suite import in_guest
import solution
@in_guest
def first(): return "first"
@in_guest
def second(): return "second"
def test_a():
    own = Path(__file__)
    own.write_text("\\n" * 6 + own.read_text())
    assert first() == "first" and second() == "second"
"""


def test_a_suite_that_is_saved_anew_in_the_middle_of_a_grading_goes_on_as_it_was(grade):
    assert grade(CHANGES, "").flaws == {}
