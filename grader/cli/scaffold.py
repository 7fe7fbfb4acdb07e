"""The files that `grader exercise new` writes: a complete exercise that verifies, to be changed bit by bit."""

from __future__ import annotations

from collections.abc import Mapping

_TOML = """\
slug = "{slug}"
title = "{title}"
runtime = "{runtime}"

[title_in]
zh = "{title}"

[limits]  # per grading; what is not here has a default
cpu_s = 10
memory_mb = 256

[feedback]
hidden = "titles"  # what candidates see of the hidden suite: full | titles | score | none

[points]  # by test or marker; 1 without
test_many_numbers = 2

[wrong.forgets_the_empty_list]  # wrong/forgets_the_empty_list.py, and exactly the tests that it fails
fails = ["test_nothing_at_all"]

[wrong.returns_the_sum]
fails = ["test_many_numbers", "test_nothing_at_all"]
"""

_README = """\
# {title}

Write `mean(numbers)` in `solution.py`: the mean of a list of numbers as a float, and 0.0 for an empty list.

```python
mean([1, 2, 6])  # 3.0
```
"""

_README_ZH = """\
# {title}

在 `solution.py` 中实现 `mean(numbers)`：返回一组数的平均值（浮点数），空列表返回 0.0。

```python
mean([1, 2, 6])  # 3.0
```
"""

_STARTER = '''\
def mean(numbers):
    """The mean of a list of numbers as a float; 0.0 for an empty list."""
    raise NotImplementedError
'''

_REFERENCE = '''\
def mean(numbers):
    """The mean of a list of numbers as a float; 0.0 for an empty list."""
    return sum(numbers) / len(numbers) if numbers else 0.0
'''

_PUBLIC = '''\
"""What candidates may see and run: `python -m pytest` beside solution.py."""

from solution import mean


def test_the_example():
    """The example of the statement"""
    assert mean([1, 2, 6]) == 3.0
'''

_TESTS = '''\
"""The hidden suite: plain pytest. The first line of a docstring is the title that candidates may see."""

import random

import pytest
from solution import mean


def test_one_number():
    """A single number is its own mean"""
    assert mean([4]) == 4.0, "mean([4]) must be 4.0"


def test_many_numbers(seed):
    """The mean of many random numbers; `seed` is secret, and the same when a submission is graded again"""
    numbers = [random.Random(seed).uniform(-5, 5) for _ in range(100)] + [1.0, 2.0]
    assert mean(numbers) == pytest.approx(sum(numbers) / len(numbers)), "the mean of 102 numbers is not right"


def test_nothing_at_all():
    """An empty list"""
    assert mean([]) == 0.0, "mean([]) must be 0.0"
'''

_WRONG_EMPTY = """\
def mean(numbers):
    return sum(numbers) / len(numbers)
"""

_WRONG_SUM = """\
def mean(numbers):
    return float(sum(numbers)) if numbers else None
"""

_FILES: Mapping[str, str] = {
    "exercise.toml": _TOML,
    "README.md": _README,
    "README.zh.md": _README_ZH,
    "starter/solution.py": _STARTER,
    "public/test_public.py": _PUBLIC,
    "tests/test_mean.py": _TESTS,
    "reference/solution.py": _REFERENCE,
    "wrong/forgets_the_empty_list.py": _WRONG_EMPTY,
    "wrong/returns_the_sum.py": _WRONG_SUM,
}


def scaffold(slug: str, title: str, runtime: str) -> dict[str, str]:
    """Path -> text of a new exercise. `title` has neither quotes nor backslashes."""
    names = {"{slug}": slug, "{title}": title, "{runtime}": runtime}
    files = dict(_FILES)
    for path, text in files.items():
        for name, value in names.items():
            text = text.replace(name, value)  # noqa: PLW2901
        files[path] = text
    return files
