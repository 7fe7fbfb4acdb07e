"""A tiny exercise, and a way to run the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grader.cli.main import run

FILES = {
    "exercise.toml": """
slug = "sums"
title = "Sums"
runtime = "python"
[points]
test_more = 2
[wrong.ignores_the_second]
fails = ["test_more"]
[wrong.cannot_be_loaded]
fails = ["*"]
""",
    "starter/solution.py": "def add(a, b):\n    raise NotImplementedError\n",
    "public/test_public.py": "from solution import add\n\n\ndef test_example():\n    assert add(0, 0) == 0\n",
    "tests/test_sums.py": """
import pytest
import solution

def test_zero():
    \"\"\"Nothing and nothing\"\"\"
    assert solution.add(0, 0) == 0

@pytest.mark.parametrize("n", [1, 2])
def test_more(n, seed):
    \"\"\"Random numbers [bold]\"\"\"
    assert solution.add(seed, n) == seed + n, f"{n} was not added"
""",
    "reference/solution.py": "def add(a, b):\n    return a + b\n",
    "alternatives/by_sum.py": "def add(*numbers):\n    return sum(numbers)\n",
    "wrong/ignores_the_second.py": "def add(a, b):\n    return a\n",
    "wrong/cannot_be_loaded.py": "import nothing_of_that_name\n",
}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@dataclass(frozen=True)
class Said:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as the one object that it must be."""
        return json.loads(self.out)


Grader = Callable[..., Said]


def runner(capsys: pytest.CaptureFixture[str]) -> Grader:
    """Runs `grader` with these arguments."""

    def say(*arguments: object) -> Said:
        code = run([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return say
