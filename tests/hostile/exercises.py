"""Two small exercises with hidden suites that hold canaries, and honest solutions to them."""

from __future__ import annotations

from pathlib import Path

from grader.catalog.model import Exercise
from sandbox.limits import Limits

CANARY = "kanarie" + "vogel"  # never in one piece in a submission
SEED = 6_273_519_840_271_938_465
LIMITS = Limits(cpu_s=2, wall_s=4, memory_mb=128, processes=16, files_mb=8, output_kb=16, test_cpu_s=0.5, test_wall_s=1)

SUITES = {
    "python": f'''
import pytest
import solution
from solution import Point, add

EXPECTED_BY_{CANARY} = "{CANARY}"

def test_{CANARY}_adds(seed):
    assert add(2, 3) == 5
    assert seed % 1000 + 1 == add(seed % 1000, 1)

def test_code():
    assert solution.code(46368) == "{CANARY}-46368"
    assert "{CANARY}-75025" in [solution.code(75025)]

def test_numbers():
    assert sorted(solution.squares(4)) == [0, 1, 4, 9]
    assert len(solution.squares(7)) == 7
    assert solution.squares(3)[-1] in {{4}}

def test_half():
    assert solution.half(3) == pytest.approx(1.5)
    assert 0.4 < solution.half(1) < 0.6

def test_point():
    assert Point(1, 2).x == 1
    assert (Point(3, 4).y, Point(3, 4).total()) == (4, 7)

def test_mapped():
    assert solution.mapped(lambda value: value * 2, [1, 2]) == [2, 4]

def test_refuses():
    with pytest.raises(ValueError, match="negative"):
        solution.root(-1)
    assert solution.root(9) == 3
''',
    "torch": f'''
import torch
import solution

EXPECTED_BY_{CANARY} = "{CANARY}"

def test_doubles():
    x = torch.randn(3, 4)
    assert torch.equal(solution.double(x), x * 2)

def test_close():
    torch.testing.assert_close(solution.double(torch.ones(2)), torch.full((2,), 2.0))
    assert torch.allclose(solution.double(torch.ones(2)), torch.full((2,), 2.0))

def test_every_element():
    assert (solution.double(torch.arange(4)) == torch.tensor([0, 2, 4, 6])).all()
    assert float(solution.double(torch.tensor(1.5))) == 3.0
    assert solution.double(torch.ones(2, 3)).shape == (2, 3)

def test_gradient():
    x = torch.randn(3, requires_grad=True)
    solution.double(x).sum().backward()
    assert torch.equal(x.grad, torch.full((3,), 2.0))
''',
}

HONEST = {
    "python": """
import math, sys, threading
WORD = "".join(chr(c) for c in (107, 97, 110, 97, 114, 105, 101, 118, 111, 103, 101, 108))
print("loading")
def add(a, b):
    print("adding", a)
    print("to stderr", file=sys.stderr)
    return a + b
def code(n):
    sys.stdin.read()
    return f"{WORD}-{n}"
def squares(n):
    found = []
    thread = threading.Thread(target=lambda: found.extend(i * i for i in range(n)))
    thread.start()
    thread.join()
    return found
def half(x): return x / 2
class Point:
    def __init__(self, x, y): self.x, self.y = x, y
    def total(self): return self.x + self.y
def mapped(function, values): return [function(value) for value in values]
def root(x):
    if x < 0: raise ValueError("negative")
    return math.isqrt(x)
threading.Thread(target=threading.Event().wait, daemon=True).start()
""",
    "torch": "import torch\ndef double(x):\n    print(x)\n    return x * 2\n",
}

NOTHING = {
    "python": """
def add(a, b): ...
def code(n): ...
def squares(n): ...
def half(x): ...
class Point:
    def __init__(self, *_): ...
def mapped(function, values): ...
def root(x): ...
""",
    "torch": "def double(x): ...\n",
}


def exercise(folder: Path, runtime: str) -> Exercise:
    """The exercise of a runtime, made in `folder`."""
    tests = folder / "tests"
    tests.mkdir(parents=True)
    (tests / "test_hidden.py").write_text(SUITES[runtime])
    return Exercise(folder, runtime, runtime, "sha256:hostile", runtime=runtime, limits=LIMITS)
