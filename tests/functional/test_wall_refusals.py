"""No object of the candidate's decides a verdict, whatever operators it brings."""

import pytest

ALWAYS_EQUAL = """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __hash__(self): return hash(5)
    def __bool__(self): return True
    def __len__(self): return 5
    def __contains__(self, item): return True
    def __iter__(self): return iter([5])
    def __getitem__(self, key): return 5
    def __float__(self): return 5.0
    def __int__(self): return 5
    __index__ = __int__
    def __complex__(self): return 5j
    def __sub__(self, other): return 0
    __rsub__ = __add__ = __radd__ = __mul__ = __rmul__ = __truediv__ = __sub__
    def __abs__(self): return 0
    def __round__(self, n=None): return 5
    def __array__(self, *args, **kwargs): raise RuntimeError("array")
    __array_interface__ = {"shape": (), "typestr": "<i8", "version": 3}
    def __enter__(self): return 5
    def __exit__(self, *args): return True
    def __str__(self): return "5"
    __repr__ = __str__
    def __format__(self, spec): return "5"
    def __class_getitem__(cls, item): return cls
    def __fspath__(self): return "/etc/passwd"
def f(*args): return Equal()
"""
USES = [
    "assert f() == 5",
    "assert 5 == f()",
    "assert f() != 6",
    "assert not 5 != f()",
    "assert f() in [5]",
    "assert 5 in [f()]",
    "assert [f()] == [5]",
    "assert (5,) == (f(),)",
    "assert {'a': f()} == {'a': 5}",
    "assert f() == pytest.approx(5)",
    "assert pytest.approx(5) == f()",
    "assert f() == pytest.approx([5])",
    "assert f() < 6",
    "assert 4 < f()",
    "assert 4 <= f() <= 6",
    "assert f()",
    "assert not (not f())",
    "assert len(f()) == 5",
    "assert f() in {5}",
    "assert {f(): 1}[5]",
    "assert float(f()) == 5",
    "assert int(f()) == 5",
    "assert [0] * 9 == [0] * f()",
    "assert range(f())",
    "assert 5 in f()",
    "assert list(f()) == [5]",
    "assert [*f()] == [5]",
    "assert f()[0] == 5",
    "assert abs(f() - 5) < 1",
    "assert 5 - f() == 0",
    "assert f() + 1 == 6",
    "assert round(f()) == 5",
    "assert sum([f()]) == 5",
    "assert max(f(), 5) == 5",
    "assert sorted([f(), 1])",
    "assert math.isclose(f(), 5)",
    "assert np.array_equal(f(), 5)",
    "assert np.allclose(f(), 5)",
    "np.testing.assert_allclose(f(), 5)",
    "assert np.asarray(f()) == 5",
    "assert f() == np.float64(5)",
    "assert np.float64(5) == f()",
    "assert (np.ones(1) * 5 == f()).all()",
    "assert all([f()])",
    "assert any([f()])",
    "with f() as x: assert x == 5",
    "assert f() == f()",
    "assert f() == solution.Equal()",
    "assert any(f() == x for x in [5])",
    "assert Fraction(5) == f()",
    "assert Decimal(5) == f()",
    "assert f().value == 5",
    "assert [5].index(f()) == 0",
    "assert [5].count(f())",
    "assert str(f()) == '5'",
    "assert f'{f()}' == '5'",
    "assert repr(f()) == '5'",
    "assert open(f())",
    "assert json.dumps(f()) == '5'",
    "assert complex(f()) == 5",
    "assert 'a5'.endswith(f())",
    "assert isinstance(f(), int)",
    "assert type(f()) is int",
    "assert f() is True",
    "assert f() == None",
    "assert f() == ANY_EQUAL",
    "assert f().__eq__(5)",
    "assert solution.Equal.__eq__(f(), 5)",
    "assert operator.eq(f(), 5)",
    "assert f() <= f()",
    "match f():\n        case 5: pass\n        case _: assert False",
    "try: assert f() == 5\n    except BaseException: pass",
    "with pytest.raises(AssertionError): f() == 5",
    "with contextlib.suppress(Exception): len(f())",
    "assert divmod(f(), 5)",
    "assert f() % 5 == 0",
    "assert -f() == 5",
    "assert pickle.dumps(f())",
    "assert 5 == int.__add__(0, f())",
    "assert statistics.mean([f()]) == 5",
    "assert collections.Counter([f()])[5] == 1",
    "assert [0, 1, 2, 3, 4, 5, 6][f()] == 5",
]
HEAD = """
import collections, contextlib, json, math, operator, pickle, statistics
from decimal import Decimal
from fractions import Fraction
import numpy as np, pytest, solution
from solution import f
class ANY: pass
ANY_EQUAL = ANY()
"""


def test_an_object_that_equals_everything_passes_no_test(grade):
    suite = HEAD + "".join(f"def test_{i}():\n    {use}\n" for i, use in enumerate(USES))
    graded = grade(suite, ALWAYS_EQUAL)
    passed = [USES[int(name.removeprefix("test_"))] for name, shown in graded.shown.items() if shown == "passed"]
    assert passed == []
    assert len(graded.shown) == len(USES)
    assert {shown.partition(":")[0] for shown in graded.shown.values()} == {"failed"}
    assert (graded.result.score, str(graded.result.verdict)) == (0, "failed")


def test_it_passes_none_either_when_its_operators_may_answer_each_other(grade):
    suite = HEAD + "".join(f"def test_{i}():\n    {use}\n" for i, use in enumerate(USES[:12]))
    graded = grade(suite, ALWAYS_EQUAL, answers=["__eq__", "__lt__", "__add__"])
    assert "passed" not in graded.shown.values()


MESSAGES = """
import solution, pytest
def test_equal(): assert solution.f() == 5
def test_reflected(): assert 5 == solution.f()
def test_approx(): assert solution.f() == pytest.approx(5.0)
def test_truth(): assert solution.f()
def test_sum(): assert solution.f() + solution.f() == 3
def test_none(): assert solution.none() == 5
def test_text(): assert solution.text() == "b"
"""
MESSAGES_SOLUTION = """
class Point: pass
def f(): return Point()
def none(): return None
def text(): return "a"
"""


def test_a_refusal_says_what_came_and_what_was_expected(grade):
    shown = grade(MESSAGES, MESSAGES_SOLUTION).shown
    assert shown["test_equal"] == shown["test_reflected"] == "failed: returned <Point object>, expected int"
    assert shown["test_approx"] == "failed: returned <Point object>, expected float"
    assert shown["test_truth"].startswith("failed: returned <Point object> where the test needs its __bool__;")
    assert '[boundary] answers = ["__add__"]' in shown["test_sum"]
    assert "None == 5" in shown["test_none"]
    assert "'a' == 'b'" in shown["test_text"]


ANSWERS = """
import pytest, solution
from solution import Vector, Stack

def test_handle_against_handle():
    assert Vector(1, 2) == Vector(1, 2) and Vector(1, 2) != Vector(3, 4)
    assert not Vector(1, 2) == Vector(3, 4) and Vector(1, 2) < Vector(3, 4) and Vector(3, 4) > Vector(1, 2)
    assert [Vector(1, 2)] == [Vector(1, 2)] and Vector(1, 2) in [Vector(1, 2)]
    assert sorted([Vector(3, 0), Vector(1, 0)])[0].x == 1 and hash(Vector(1, 2)) == hash(Vector(1, 2))
    assert len({Vector(1, 2), Vector(1, 2)}) == 1

def test_arithmetic():
    assert Vector(1, 2) + Vector(3, 4) == Vector(4, 6) and Vector(1, 2) * 3 == Vector(3, 6)
    assert 3 * Vector(1, 2) == Vector(3, 6)
    assert -Vector(1, 2) == Vector(-1, -2) and abs(Vector(3, 4)) == 5 and Vector(1, 2) @ Vector(3, 4) == 11
    total = Vector(1, 1)
    total += Vector(1, 1)
    assert total == Vector(2, 2) and sum([Vector(1, 1)], Vector(0, 0)) == Vector(1, 1)
    with pytest.raises(TypeError):
        Vector(1, 2) + "a"

def test_containers():
    stack = Stack([1, 2, 3])
    assert len(stack) == 3 and stack[0] == 1 and stack[1:] == [2, 3] and list(stack) == [1, 2, 3] and 2 in stack
    stack[0] = 9
    del stack[1]
    assert list(reversed(stack)) == [3, 9] and bool(stack) and not Stack([])
    with pytest.raises(IndexError):
        stack[7]
    assert [a for a in stack] == [9, 3] and dict(zip(stack, "ab")) == {9: "a", 3: "b"}

def test_context_managers():
    with solution.Manager() as value:
        assert value == "entered"
    with pytest.raises(KeyError):
        with solution.Manager():
            raise KeyError("x")
    with solution.Manager(swallow=True):
        raise KeyError("x")

def test_texts():
    assert str(Vector(1, 2)) == "(1, 2)" and repr(Vector(1, 2)) == "Vector(1, 2)" and f"{Vector(1, 2)}" == "(1, 2)"

def test_not_implemented_is_not_true():
    assert not Vector(1, 2) == solution.Other() and Vector(1, 2) != solution.Other()
    with pytest.raises(TypeError):
        Vector(1, 2) < solution.Other()
    assert Vector(1, 2).__eq__(solution.Other()) is NotImplemented

def test_conversions():
    assert float(Vector(3, 4)) == 5.0 and int(Vector(3, 4)) == 5 and callable(solution.Adder(2))
    assert solution.Adder(2)(3) == 5

def test_plain_against_handle_is_still_refused():
    assert Vector(1, 2) == (1, 2)

def test_a_lying_conversion_is_refused():
    assert len(solution.Lying()) > 0

def test_a_length_without_an_end_is_refused():
    assert list(solution.Endless()) == []
"""
ANSWERS_SOLUTION = """
import functools
@functools.total_ordering
class Vector:
    def __init__(self, x, y): self.x, self.y = x, y
    def __eq__(self, other):
        if not hasattr(other, "x"): return NotImplemented
        return (self.x, self.y) == (other.x, other.y)
    def __lt__(self, other):
        if not isinstance(other, Vector): return NotImplemented
        return (self.x, self.y) < (other.x, other.y)
    def __hash__(self): return hash((self.x, self.y))
    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y) if isinstance(other, Vector) else NotImplemented
    def __mul__(self, k): return Vector(self.x * k, self.y * k)
    __rmul__ = __mul__
    def __matmul__(self, other): return self.x * other.x + self.y * other.y
    def __neg__(self): return Vector(-self.x, -self.y)
    def __abs__(self): return (self.x ** 2 + self.y ** 2) ** 0.5
    __float__ = __abs__
    def __int__(self): return int(abs(self))
    def __str__(self): return f"({self.x}, {self.y})"
    def __repr__(self): return f"Vector({self.x}, {self.y})"
class Other: pass
class Stack:
    def __init__(self, items): self.items = items
    def __len__(self): return len(self.items)
    def __getitem__(self, key): return self.items[key]
    def __setitem__(self, key, value): self.items[key] = value
    def __delitem__(self, key): del self.items[key]
    def __iter__(self): return iter(self.items)
    def __contains__(self, item): return item in self.items
    def __reversed__(self): return reversed(self.items)
    def __bool__(self): return bool(self.items)
class Manager:
    def __init__(self, swallow=False): self.swallow = swallow
    def __enter__(self): return "entered"
    def __exit__(self, *args): return self.swallow
class Adder:
    def __init__(self, n): self.n = n
    def __call__(self, m): return self.n + m
class Lying:
    def __len__(self): return True
class Endless:
    def __len__(self): return 1 << 40
    def __iter__(self): return iter([])
"""


def test_operators_work_where_the_exercise_names_them(grade):
    flaws = grade(ANSWERS, ANSWERS_SOLUTION, answers=["*"]).flaws
    assert flaws.pop("test_plain_against_handle_is_still_refused") == "failed: returned <Vector object>, expected tuple"
    assert flaws.pop("test_a_lying_conversion_is_refused").startswith("failed")
    assert "gave 1099511627776" in flaws.pop("test_a_length_without_an_end_is_refused")
    assert flaws == {}


EXPECTED = """
import solution, pytest
SECRET = "the expected value"
@pytest.mark.parametrize("use", range(8))
def test_compare(use):
    spy = solution.Spy()
    acts = [lambda: spy == SECRET, lambda: SECRET == spy, lambda: spy in [SECRET], lambda: pytest.approx(7.5) == spy]
    acts += [lambda: spy < 3, lambda: spy != SECRET, lambda: [spy] == [SECRET], lambda: spy.__eq__(SECRET)]
    with pytest.raises(AssertionError):
        acts[use]()
    assert solution.seen() == []
def test_seen(): assert solution.seen() == []
"""
SPY = """
_seen = []
class Spy:
    def __eq__(self, other): _seen.append(repr(other)); return True
    __lt__ = __gt__ = __ne__ = __eq__
def seen(): return _seen
"""


@pytest.mark.parametrize("answers", [[], ["*"]])
def test_what_the_judge_expects_is_never_sent_over_by_a_comparison(grade, answers):
    graded = grade(EXPECTED, SPY, answers=answers)
    assert graded.shown["test_seen"] == "passed"
    assert {shown.partition(",")[0] for name, shown in graded.shown.items() if name != "test_seen"} == {
        "failed: returned <Spy object>"
    }
