# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Trick: values that compare, count and convert as whatever is expected."""

import pytest

from tests.hostile.case import case, titled
from tests.hostile.exercises import NOTHING

YES = """
class Yes:
    def __init__(self, *_): pass
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __gt__ = __le__ = __ge__ = __contains__ = __lt__
    def __hash__(self): return 4
    def __bool__(self): return True
    def __len__(self): return 7
    def __iter__(self): return iter([0, 1, 4, 9])
    def __getitem__(self, i): return Yes()
    def __getattr__(self, name): return Yes()
    def __call__(self, *a, **k): return Yes()
    def __float__(self): return 1.5
    def __int__(self): return 5
    __index__ = __int__
    def __sub__(self, other): return 0
    __rsub__ = __add__ = __radd__ = __sub__
    def __abs__(self): return 0
    def __repr__(self): return "5"
    def __array__(self, *a): raise ValueError("negative")
"""
ALL = "\ndef add(*_): return Yes()\ncode = squares = half = mapped = root = add\n"


def lying(base: str, start: str) -> str:
    """A subclass of a builtin whose content is wrong and whose operators say that it is right."""
    methods = "".join(
        f"    def {name}(self, *_): return True\n" for name in ("__eq__", "__lt__", "__gt__", "__contains__")
    )
    return (
        f"class Yes({base}):\n{methods}    def __ne__(self, o): return False\n    def __hash__(self): return 4\n"
        "    def __len__(self): return 7\n    def __reduce__(self): return (int, (5,))\n"
        f"class Point:\n    def __init__(self, *_): self.x = self.y = Yes({start})\n    def total(self): return Yes({start})\n"
        f"def add(*_): return Yes({start})\ncode = squares = half = mapped = root = add\n"
    )


CASES = [
    case("always_equal", YES + ALL + "Point = Yes"),
    case("always_equal_instance_as_the_function", YES + "add = code = squares = half = mapped = root = Point = Yes()"),
    case(
        "always_equal_inside_a_list",
        YES
        + "class Point:\n    def __init__(self, *_): self.x = Yes()\ndef add(*_): return [Yes()] * 7\ncode = squares = half = mapped = root = add",
    ),
    case("module_getattr", YES + "Point = Yes\ndef add(*_): return Yes()\ndef __getattr__(name): return Yes()"),
    case("module_getattr_that_raises", "def add(*_): return 0\ndef __getattr__(name): raise ValueError(name)", "error"),
    case("seeding_that_raises", "import random\ndef add(*_): return 5\nrandom.seed = None"),
    case(
        "seeding_that_exits",
        "import random\ndef add(*_): return 5\ndef seed(number): raise SystemExit\nrandom.seed = seed",
    ),
    case("class_property_claims", YES.replace("class Yes:", "class Yes:\n    __class__ = int") + ALL + "Point = Yes"),
    *(
        case(f"lying_{base}", lying(base, start))
        for base, start in (
            ("int", "-77"),
            ("str", "'no'"),
            ("float", "-9.75"),
            ("list", "[8, 8]"),
            ("dict", "{8: 8}"),
            ("tuple", "(8,)"),
            ("set", "{8}"),
            ("bytes", "b'no'"),
        )
    ),
    case(
        "not_a_number",
        NOTHING["python"] + "def add(*_): return float('nan')\ncode = squares = half = mapped = root = add",
    ),
    case(
        "exception_with_an_equal_text",
        YES
        + "class E(ValueError):\n    args = Yes()\ndef add(*_): raise E(Yes())\ncode = squares = half = mapped = root = Point = add",
    ),
    case(
        "generator_of_lies",
        YES + "def add(*_):\n    while True: yield Yes()\ncode = squares = half = mapped = root = Point = add",
        "failed",
        "time_limit",
    ),
    case(
        "an_enum_that_agrees",
        "import enum\nclass E(enum.IntEnum):\n    A = -77\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\ndef add(*_): return E.A\ncode = squares = half = mapped = root = Point = add",
    ),
]

LYING_TENSOR = """
import torch
class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.equal, torch.allclose): return True
        if "shape" in repr(func): return (2, 3)
        return torch.tensor(True)
    def __eq__(self, other): return torch.tensor(True)
    def __float__(self): return 3.0
    def all(self): return True
    shape = (2, 3)
    def sum(self): return self
    def backward(self, *a, **k): pass
def double(x): return torch.full((5,), -7.0).as_subclass(Yes)
"""
TORCH = [
    case("lying_tensor", LYING_TENSOR, runtime="torch"),
    case(
        "lying_gradient",
        LYING_TENSOR.replace("torch.full((5,), -7.0)", "(x.float() * -3).requires_grad_(True)"),
        runtime="torch",
    ),
    case(
        "patched_torch",
        "import torch\ntorch.equal = torch.allclose = lambda *a, **k: True\ntorch.testing.assert_close = lambda *a, **k: None\ntorch.Tensor.__eq__ = lambda s, o: torch.tensor(True)\ndef double(x): return x * 3",
        runtime="torch",
    ),
    case("a_tensor_of_another_shape", "import torch\ndef double(x): return torch.empty(0)", runtime="torch"),
    case("not_a_number_tensor", "import torch\ndef double(x): return x * float('nan')", runtime="torch"),
]


@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_a_value_that_agrees_with_everything_earns_nothing(attempt, submission):
    attempt(submission)


@pytest.mark.parametrize("submission", TORCH, ids=titled)
def test_a_tensor_that_lies_earns_nothing(attempt, submission):
    attempt(submission)
