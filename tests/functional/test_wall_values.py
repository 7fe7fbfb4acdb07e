"""Values cross the wall both ways as what they are."""

MAKES = """
import collections, datetime as dt, decimal, fractions, uuid, enum
VALUES = {
    "none": None, "true": True, "int": 3, "big": 10**50, "negative": -(2**70), "float": 0.1, "inf": float("inf"),
    "complex": 1 + 2j, "negative_zeros": complex(-0.0, -0.0), "str": "x\\u20ac\\ud800", "bytes": b"\\0\\xff",
    "bytearray": bytearray(b"ab"),
    "list": [1, "a", [None]], "floats": [0.5] * 20,
    "ints": list(range(20)), "tuple": (1, (2,)), "dict": {1: "a", (2, 3): [4]},
    "bools": [True] * 12, "set": {1, 2}, "frozenset": frozenset({3}), "decimal": decimal.Decimal("-1.230"),
    "decimal_inf": decimal.Decimal("-Infinity"), "fraction": fractions.Fraction(-1, 3),
    "datetime": dt.datetime(2024, 2, 29, 1, 2, 3, 4, dt.timezone.utc), "date": dt.date(2024, 2, 29),
    "time": dt.time(1, 2), "timedelta": dt.timedelta(days=-1, microseconds=3),
    "timezone": dt.timezone(dt.timedelta(hours=2)),
    "uuid": uuid.UUID(int=5), "range": range(1, 10, 3), "slice": slice(1, None, 2), "ellipsis": ...,
    "counter": collections.Counter("aab"), "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
    "default": collections.defaultdict(list, {"a": [1]}), "deque": collections.deque([1, 2], maxlen=3),
    "type": int, "notimplemented": NotImplemented,
}
"""

STANDARD = (
    MAKES
    + """
import pytest, solution

@pytest.mark.parametrize("name", VALUES)
def test_comes(name):
    got = solution.VALUES[name]
    assert type(got) is type(VALUES[name]) and repr(got) == repr(VALUES[name])

@pytest.mark.parametrize("name", VALUES)
def test_goes_and_returns(name):
    got = solution.same(VALUES[name])
    assert type(got) is type(VALUES[name]) and repr(got) == repr(VALUES[name])
    assert solution.looks_like(name, VALUES[name])

def test_nan():
    got = solution.same(float("nan"))
    assert got != got

def test_a_default_dict_goes_on_working():
    solution.same(VALUES["default"])["new"].append(3)
    assert solution.VALUES["deque"].maxlen == 3
"""
)
STANDARD_SOLUTION = (
    MAKES
    + """
def same(value): return value
def looks_like(name, value): return type(value) is type(VALUES[name]) and repr(value) == repr(VALUES[name])
"""
)


def test_every_standard_type_crosses_both_ways_as_its_exact_type(grade):
    assert grade(STANDARD, STANDARD_SOLUTION).flaws == {}


SUBCLASSES = """
import collections, enum, http
import solution

def test_a_subclass_compares_as_its_plain_content_here():
    assert solution.Liar([1, 2]) == [1, 2] and not solution.Liar([1]) == [1, 2]
    assert isinstance(solution.Liar([1]), list) and isinstance(solution.Liar([1]), solution.Liar)
    assert len(solution.Liar([1, 2, 3])) == 3 and sorted(solution.Liar([2, 1])) == [1, 2]
    assert solution.Liar([5]).extra() == "extra" and type(solution.Liar([1])).__name__ == "Liar"

def test_numbers_and_texts_of_subclasses():
    assert solution.Count(3) + 1 == 4 and solution.Count(3).twice() == 6
    assert solution.Name("abc") == "abc" and solution.Name("abc").upper() == "ABC"
    assert solution.Table({"a": 1}) == {"a": 1} and solution.Real(1.5) == 1.5

def test_a_named_tuple():
    point = solution.Point(1, 2)
    assert point == (1, 2) and point.x == 1 and point._replace(x=5) == (5, 2) and isinstance(point, tuple)
    assert point._asdict() == {"x": 1, "y": 2} and point.norm() == 3 and isinstance(point, solution.Point)
    assert point._fields == ("x", "y") and repr(point) == "Point(x=1, y=2)"

def test_a_typed_named_tuple_and_equality_with_a_local_one():
    Local = collections.namedtuple("Point", "x y")
    assert solution.Point(1, 2) == Local(1, 2)

def test_int_enums():
    assert solution.Level.HIGH == 2 and solution.Level.HIGH > solution.Level.LOW
    assert solution.Level.HIGH is solution.Level.HIGH and solution.highest() is solution.Level.HIGH
    assert isinstance(solution.highest(), solution.Level) and solution.highest().name == "HIGH"
    assert [level.name for level in solution.Level] == ["LOW", "HIGH"] and solution.Level(2) is solution.Level.HIGH

def test_a_value_of_a_subclass_goes_back_as_the_same_object():
    liar = solution.Liar([1])
    assert solution.is_last(liar)
    assert solution.is_member(solution.Level.HIGH)
"""
SUBCLASSES_SOLUTION = """
import collections, enum
class Liar(list):
    def __init__(self, content):
        super().__init__(content)
        global last
        last = self
    def __eq__(self, other): return True
    def __iter__(self): return iter([9, 9])
    def __len__(self): return 77
    def extra(self): return "extra"
def is_last(value): return value is last
class Count(int):
    def twice(self): return self * 2
class Name(str): pass
class Table(dict): pass
class Real(float): pass
class Point(collections.namedtuple("Point", "x y")):
    def norm(self): return self.x + self.y
class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2
def highest(): return Level.HIGH
def is_member(level): return level is Level.HIGH
"""


def test_own_subclasses_cross_as_content_that_is_compared_on_our_side(grade):
    assert grade(SUBCLASSES, SUBCLASSES_SOLUTION).flaws == {}


ITERATORS = """
import inspect, itertools, types
import pytest, solution

def test_generators_are_pulled():
    assert list(solution.squares(4)) == [0, 1, 4, 9]
    assert list(itertools.islice(solution.forever(), 3)) == [0, 1, 2]
    assert inspect.isgenerator(solution.forever()) and isinstance(solution.forever(), types.GeneratorType)
    assert inspect.isgeneratorfunction(solution.squares)

def test_views_and_iterators():
    assert list(solution.views()["map"]) == [2, 4] and list(solution.views()["zip"]) == [(1, "a"), (2, "b")]
    assert sorted(solution.views()["keys"]) == ["a", "b"] and sorted(solution.views()["items"]) == [("a", 1), ("b", 2)]
    assert next(solution.views()["iter"]) == 1 and next(iter([]), None) is None and sum(solution.squares(3)) == 5
    assert list(reversed(list(solution.views()["reversed"]))) == [1, 2]

def test_what_a_generator_raises():
    pulled = solution.breaks()
    assert next(pulled) == 1
    with pytest.raises(ValueError, match="broken"):
        next(pulled)

def test_a_generator_can_be_sent_to():
    echo = solution.echo()
    next(echo)
    assert echo.send(5) == 5
    with pytest.raises(StopIteration):
        next(solution.squares(0))

def test_own_iterators():
    assert list(solution.Countdown(3)) == [3, 2, 1]

def test_an_endless_generator_costs_only_its_test():
    for _ in solution.sleepy(): pass
def test_goes_on(): assert list(solution.squares(2)) == [0, 1]
"""
ITERATORS_SOLUTION = """
import itertools
def squares(n): return (i * i for i in range(n)) if n < 0 else _squares(n)
def _squares(n):
    for i in range(n): yield i * i
def squares(n):
    for i in range(n): yield i * i
def forever():
    for i in itertools.count(): yield i
def views():
    d = {"a": 1, "b": 2}
    return {"map": map(lambda x: 2 * x, [1, 2]), "zip": zip([1, 2], "ab"), "keys": d.keys(), "items": d.items(),
            "iter": iter([1, 2]), "reversed": reversed([1, 2])}
def breaks():
    yield 1
    raise ValueError("broken")
def echo():
    got = yield
    while True: got = yield got
class Countdown:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if self.n == 0: raise StopIteration
        self.n -= 1
        return self.n + 1
def sleepy():
    import time
    while True:
        time.sleep(0.2)
        yield 1
"""


def test_iterators_are_pulled_under_the_deadline(grade):
    from sandbox.limits import Limits

    graded = grade(
        ITERATORS,
        ITERATORS_SOLUTION,
        limits=Limits(cpu_s=20, wall_s=20, test_wall_s=1),
        answers=["__iter__", "__next__"],
    )
    flaws = graded.flaws
    assert flaws.pop("test_an_endless_generator_costs_only_its_test").startswith("time_limit")
    assert flaws == {}


ARRAYS = """
import numpy as np
import pytest, solution

def test_arrays_keep_dtype_and_shape():
    for dtype in ("f4", "f8", "i1", "u8", "?", "c16", "U3", "M8[s]", ">i4"):
        sent = np.zeros((2, 0, 3) if dtype == "f4" else (2, 3), dtype)
        got = solution.same(sent)
        assert type(got) is np.ndarray and got.dtype == sent.dtype.newbyteorder("=") and got.shape == sent.shape
        assert got.flags.writeable and np.array_equal(got, sent)

def test_scalars_keep_their_type():
    for scalar in (np.float32(1.5), np.int64(-3), np.bool_(True), np.complex64(1j)):
        assert type(solution.same(scalar)) is type(scalar) and solution.same(scalar) == scalar
        assert solution.is_scalar(scalar)

def test_subclasses_come_plain():
    got = solution.lying_array()
    assert type(got) is np.ndarray and not (got == 5).any()
    masked = solution.masked()
    assert type(masked) is np.ndarray

def test_non_contiguous_views_and_zero_dimensions():
    assert np.array_equal(solution.same(np.arange(12).reshape(3, 4).T[::2]), np.arange(12).reshape(3, 4).T[::2])
    assert solution.same(np.array(3.5)).shape == ()

def test_an_argument_changed_in_place_stays_as_it_was_here():
    ours, array = [1, 2], np.ones(3)
    solution.zero(ours)
    solution.zero(array)
    assert ours == [1, 2] and array.sum() == 3

def test_unless_the_exercise_names_the_function():
    ours, array, table, seen = [1, 2], np.ones(3), {"a": 1}, {1}
    assert solution.clear(ours, array, table=table, seen=seen) == "cleared"
    assert ours == [0] and array.sum() == 0 and table == {"b": 2} and seen == {5}
    assert solution.scalars(np.float64(1), np.dtype("f4"), 3, "a", (1,), b"", int, None) == 8

def test_object_arrays_are_refused_clearly():
    with pytest.raises(TypeError, match="dtype object"):
        solution.same(np.array([object()]))
    with pytest.raises(TypeError, match="cannot cross the wall"):
        solution.object_array()

def test_dtypes():
    assert solution.same(np.dtype("f4")) == np.float32 and solution.dtype_of(np.ones(1, "f4")) == np.dtype("f4")
    assert np.allclose(solution.apply(np.sin, np.ones(2)), np.sin(1))
    assert solution.make(np.float32) == np.float32(1)
"""
ARRAYS_SOLUTION = """
import numpy as np
def same(x): return x
def is_scalar(x): return isinstance(x, np.generic)
class Lying(np.ndarray):
    def __eq__(self, other): return np.ones(self.shape, bool)
def lying_array(): return np.zeros(3).view(Lying)
def masked(): return np.ma.array([1, 2], mask=[0, 1])
def zero(x):
    x[:] = [0] * len(x)
def clear(items, array, table, seen):
    items[:] = [0]
    array[:] = 0
    table.clear(); table["b"] = 2
    seen.clear(); seen.add(5)
    return "cleared"
def scalars(*args): return len(args)
def object_array(): return np.array([object()])
def dtype_of(x): return x.dtype
def apply(f, x): return f(x)
def make(kind): return kind(1)
"""


def test_numpy_arrays_and_scalars_cross_and_changes_stay_here_unless_named(grade):
    assert grade(ARRAYS, ARRAYS_SOLUTION, copy_back=["clear", "scalars"]).flaws == {}
