"""What the candidate's code raises arrives as an exception that a test can expect, and never acts upon pytest."""

SUITE = """
import json, pytest, solution
from solution import MyError, SubError, fails

def test_builtin_types():
    for name in ("ValueError", "KeyError", "IndexError", "TypeError", "ZeroDivisionError", "NotImplementedError",
                 "OverflowError", "RuntimeError", "OSError", "FileNotFoundError", "AttributeError", "AssertionError"):
        with pytest.raises(getattr(__builtins__, name, None) or __builtins__[name], match="told"):
            fails(name)

def test_arguments_and_messages():
    with pytest.raises(ValueError, match=r"^bad 3$") as caught:
        solution.value_error(3)
    assert caught.value.args == ("bad 3",) and str(caught.value) == "bad 3" and caught.type is ValueError
    with pytest.raises(KeyError) as caught:
        solution.key_error("k")
    assert caught.value.args == ("k",) and str(caught.value) == "'k'"
    with pytest.raises(OSError) as caught:
        open_error = solution.open_missing()
    assert caught.value.errno == 2 and isinstance(caught.value, FileNotFoundError)

def test_own_classes():
    with pytest.raises(MyError) as caught:
        solution.raise_mine("text", 7)
    assert caught.value.args == ("text", 7) and caught.value.code == 7 and "text" in str(caught.value)
    assert isinstance(caught.value, ValueError) and type(caught.value).__name__ == "MyError"
    with pytest.raises(solution.MyError, match="sub"):
        solution.raise_sub()
    with pytest.raises(SubError):
        solution.raise_sub()
    with pytest.raises((KeyError, MyError)):
        solution.raise_sub()

def test_hierarchy():
    assert issubclass(MyError, ValueError) and issubclass(SubError, MyError) and issubclass(MyError, Exception)
    assert not issubclass(MyError, KeyError) and MyError.__name__ == "MyError" and MyError.__doc__ == "Mine."
    with pytest.raises(MyError):
        try:
            solution.raise_sub()
        except KeyError:
            assert False

def test_own_classes_with_their_own_init():
    with pytest.raises(solution.Overdrawn) as caught:
        solution.overdraw(10, 30)
    assert caught.value.balance == 10 and caught.value.needed == 30 and str(caught.value) == "30 > 10"

def test_making_one_and_giving_it_back():
    assert solution.describe(ValueError("x")) == "ValueError:x"
    assert isinstance(solution.made(), ValueError) and solution.made().args == ("made",)
    assert solution.describe(MyError("mine", 2)) == "MyError:mine"

def test_exceptions_of_a_library():
    with pytest.raises(json.JSONDecodeError):
        solution.parse("{")
    with pytest.raises(ValueError, match="Expecting"):
        solution.parse("{")

def test_what_is_expected_but_not_raised():
    with pytest.raises(ValueError):
        solution.fine()

def test_the_wrong_one():
    with pytest.raises(ValueError):
        solution.key_error("k")

def test_unexpected(): solution.value_error(4)
def test_in_a_helper(): solution.deep()
def test_missing_name(): solution.nothing(3)
def test_missing_attribute(): solution.Thing().nothing

def test_causes_are_not_needed():
    with pytest.raises(RuntimeError, match="outer"):
        solution.chained()

def test_stop_iteration_ends_no_loop_of_ours():
    seen = []
    with pytest.raises(RuntimeError):
        for item in map(solution.stop, [1, 2, 3]):
            seen.append(item)
    assert seen == []

def test_groups_and_warnings():
    with pytest.raises(Exception):
        solution.group()
    solution.warn()

def test_recursion():
    with pytest.raises(RecursionError):
        solution.recurse()
"""
SOLUTION = '''
import json, warnings
import builtins
class MyError(ValueError):
    """Mine."""
    def __init__(self, text, code=0):
        super().__init__(text, code)
        self.code = code
class SubError(MyError): pass
class Overdrawn(Exception):
    def __init__(self, balance, needed):
        self.balance, self.needed = balance, needed
        super().__init__(f"{needed} > {balance}")
class Thing: pass
def fails(name): raise getattr(builtins, name)("told")
def value_error(n): raise ValueError(f"bad {n}")
def key_error(k): raise KeyError(k)
def open_missing(): open("/nowhere/file")
def raise_mine(text, code): raise MyError(text, code)
def raise_sub(): raise SubError("sub")
def overdraw(a, b): raise Overdrawn(a, b)
def describe(e): return f"{type(e).__name__}:{e.args[0]}"
def made(): return ValueError("made")
def parse(text): return json.loads(text)
def fine(): pass
def deep(): return helper(0)
def helper(n): return 1 / n
def chained():
    try: 1 / 0
    except ZeroDivisionError as error: raise RuntimeError("outer") from error
def stop(x): raise StopIteration
def group(): raise ExceptionGroup("many", [ValueError("a"), KeyError("b")])
def warn(): warnings.warn("careful")
def recurse(): return recurse()
'''


def test_exceptions_arrive_as_what_a_suite_expects(grade):
    flaws = grade(SUITE, SOLUTION).flaws
    assert flaws.pop("test_what_is_expected_but_not_raised") == "failed: DID NOT RAISE ValueError"
    assert flaws.pop("test_the_wrong_one") == "failed: KeyError: 'k' (solution.py, line 17)"
    assert flaws.pop("test_unexpected") == "failed: ValueError: bad 4 (solution.py, line 16)"
    assert flaws.pop("test_in_a_helper") == "failed: ZeroDivisionError: division by zero (solution.py, line 27)"
    assert flaws.pop("test_missing_name") == "failed: AttributeError: solution.py does not define nothing"
    assert flaws.pop("test_missing_attribute") == "failed: AttributeError: 'Thing' object has no attribute 'nothing'"
    assert flaws == {}


ESCAPES = {
    "exit": "raise SystemExit(0)",
    "sys_exit": "import sys; sys.exit('bye')",
    "interrupt": "raise KeyboardInterrupt",
    "generator_exit": "raise GeneratorExit",
    "base": "raise BaseException('base')",
    "own_base": "raise type('Mine', (BaseException,), {})('x')",
    "cancelled": "import asyncio; raise asyncio.CancelledError",
    "skipped": "raise type('Skipped', (Exception,), {'__module__': 'builtins'})('skip me')",
    "unittest_skip": "import unittest; raise unittest.SkipTest('skip me')",
    "stop": "raise StopIteration(1)",
    "stop_async": "raise StopAsyncIteration",
    "lying_class": "raise type('Exit', (Exception,), {'__module__': '_pytest.outcomes'})('x')",
    "lying_name": "raise type('SystemExit', (Exception,), {'__module__': 'builtins'})(0)",
    "lying_mro": "raise type('E', (Exception,), {'__class__': SystemExit})(0)",
    "memory": "raise MemoryError",
    "not_an_exception": "raise 5",
    "args_lie": "e = ValueError(); e.args = (object(), [1], 'x' * 10**6); raise e",
    "str_fails": "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "str_is_huge": "raise type('E', (Exception,), {'__str__': lambda self: 'x' * 10**7})()",
    "frozen": "raise type('E', (Exception,), {'__getattribute__': lambda *a: 1 / 0})()",
}


def test_nothing_that_is_raised_acts_upon_pytest(grade):
    suite = "import solution\ndef test_first(): assert solution.ok() == 1\n"
    suite += "".join(f"def test_{name}(): solution.{name}()\n" for name in ESCAPES)
    suite += "def test_last(): assert solution.ok() == 1\n"
    solution = "def ok(): return 1\n" + "".join(f"def {name}():\n    {code}\n" for name, code in ESCAPES.items())
    graded = grade(suite, solution)
    assert graded.shown["test_first"] == graded.shown["test_last"] == "passed"
    outcomes = {name: shown.partition(":")[0] for name, shown in graded.flaws.items()}
    assert outcomes == dict.fromkeys((f"test_{name}" for name in ESCAPES), "failed") | {"test_memory": "memory_limit"}
    assert max(len(test.message) for test in graded.result.tests) <= 2000


def test_nothing_that_is_raised_passes_for_what_a_suite_expects_of_pytest(grade):
    suite = "import pytest, solution\n"
    suite += "ACTS = (SystemExit, KeyboardInterrupt, GeneratorExit, pytest.skip.Exception)\n"
    for name in ESCAPES:
        suite += f"def test_{name}():\n    with pytest.raises(ACTS):"
        suite += f" solution.{name}()\n"
    solution = "".join(f"def {name}():\n    {code}\n" for name, code in ESCAPES.items())
    assert "passed" not in grade(suite, solution).shown.values()
