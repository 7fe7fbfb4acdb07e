"""What is submitted, and what it must get: a pure function of solution and seed, so that chaos has no say in it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grader.grading.model import Verdict
from grader.grading.models import Kind
from grader.judge.session import derived_seed
from tests.functional.service import write_exercise

Expected = tuple[Verdict, float, float]
"""Verdict, score, most that could be had."""

BITS = """
    import pytest
    from solution import solve

    @pytest.mark.parametrize("bit", range(12))
    def test_bit(seed, bit):
        assert solve(seed >> bit & 1) == seed >> bit & 1
"""
SLOW = """
    import pytest
    from solution import solve

    @pytest.mark.parametrize("bit", range(5))
    def test_bit(seed, bit):
        assert solve(seed >> bit & 1) == seed >> bit & 1
"""
ROUGH = """
    import pytest
    from solution import solve

    @pytest.mark.parametrize("what", ["before", "rough", "after"])
    def test_work(what):
        assert solve(what) == what
"""
_ENDS = "import os\ndef solve(what):\n    return os._exit(3) if what == 'rough' else what\n"
_SPINS = "def solve(what):\n    while what == 'rough':\n        pass\n    return what\n"


@dataclass(frozen=True)
class Solution:
    """A solution, and what it must get for a seed. `weight`: how often it is submitted."""

    exercise: str
    code: str
    expected: Callable[[int], Expected]
    weight: int


@dataclass(frozen=True)
class Planned:
    """A submission to come. The key makes it one submission, however often it has to be sent."""

    number: int
    solution: str
    kind: Kind
    idempotency_key: str


def scored(score: int, most: int) -> Expected:
    """What a solution gets that breaks no limit."""
    verdict = Verdict.PASSED if score == most else Verdict.PARTIAL if score else Verdict.FAILED
    return verdict, score, most


def ones(seed: int, bits: int) -> int:
    """How many of the lowest bits are set in what a suite gets as `seed`, where the grading has this one."""
    return (derived_seed(seed, "suite") & (1 << bits) - 1).bit_count()


SOLUTIONS = {
    "right": Solution("bits", "def solve(bit):\n    return bit\n", lambda seed: scored(12, 12), 20),
    "says one": Solution("bits", "def solve(bit):\n    return 1\n", lambda seed: scored(ones(seed, 12), 12), 15),
    "says zero": Solution("bits", "def solve(bit):\n    return 0\n", lambda seed: scored(12 - ones(seed, 12), 12), 15),
    "cannot be loaded": Solution("bits", "def solve(bit:\n", lambda seed: (Verdict.ERROR, 0, 12), 4),
    "slow and right": Solution(
        "slow", "import time\ndef solve(bit):\n    time.sleep(0.3)\n    return bit\n", lambda seed: scored(5, 5), 20
    ),
    "slow and says one": Solution(
        "slow",
        "import time\ndef solve(bit):\n    time.sleep(0.3)\n    return 1\n",
        lambda seed: scored(ones(seed, 5), 5),
        16,
    ),
    "ends its process": Solution("rough", _ENDS, lambda seed: scored(2, 3), 5),
    "never returns": Solution("rough", _SPINS, lambda seed: scored(2, 3), 5),
}


def plan(dice: random.Random, submissions: int) -> list[Planned]:
    """So many submissions, every solution among the first of them."""
    names = list(SOLUTIONS)
    drawn = dice.choices(names, [SOLUTIONS[name].weight for name in names], k=max(0, submissions - len(names)))
    first = dice.sample(names, len(names))
    return [
        Planned(number, name, Kind.BATCH if dice.random() < 0.3 else Kind.INTERACTIVE, f"{dice.getrandbits(64):016x}")
        for number, name in enumerate((first + drawn)[:submissions])
    ]


def write_exercises(folder: Path) -> Path:
    """The exercises of these solutions; their folder."""
    for slug, suite, toml in (
        ("bits", BITS, ""),
        ("slow", SLOW, ""),
        ("rough", ROUGH, "[limits]\ntest_cpu_s = 0.5\n"),
    ):
        made = write_exercise(folder, slug, suite, toml)
        (made / "reference/solution.py").write_text("def solve(what):\n    return what\n")
    return folder
