"""Forbidden names are found on the syntax tree, under whatever alias."""

import pytest

from grader.judge.forbidden import violations

FORBID = ["torch.nn.LSTM", "sorted", "heapq"]


def found(text):
    return violations({"solution.py": text.encode()}, FORBID)


@pytest.mark.parametrize(
    "text",
    [
        "import torch\nx = torch.nn.LSTM(1, 2)",
        "import torch.nn as nn\nx = nn.LSTM",
        "from torch import nn\nx = nn.LSTM",
        "from torch.nn import LSTM as Cell",
        "import torch.nn\ndef f():\n    return torch.nn.LSTM.forward",
        "x = sorted([1])",
        "from builtins import sorted as s",
        "import heapq as h",
        "from heapq import nsmallest",
    ],
)
def test_a_use_is_found(text):
    assert found(text)


@pytest.mark.parametrize(
    "text",
    [
        "import torch\nx = torch.nn.LSTMCell(1, 2)",
        "class LSTM: pass\nx = LSTM()",
        "def sorted(x): return x\ny = sorted([1])",
        "# sorted\nx = 'sorted(heapq)'",
        "def f(x): return x.sorted()",
    ],
)
def test_what_only_looks_like_one_is_not(text):
    assert not found(text)


def test_each_use_is_told_with_its_file_and_line_once():
    text = "import torch\n\nx = torch.nn.LSTM; y = torch.nn.LSTM\n"
    assert found(text) == ["solution.py, line 3: uses torch.nn.LSTM, which the statement forbids"]


def test_a_file_that_does_not_parse_is_left_to_the_import():
    assert found("def f(:") == []
    assert violations({"data.txt": b"sorted"}, FORBID) == []
