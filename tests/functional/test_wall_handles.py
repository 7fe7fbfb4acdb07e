"""What is no value crosses as a handle that behaves as a reader would expect."""

SUITE = """
import copy, dataclasses, inspect, types
import pytest, solution
from solution import Point, add, Color, LIMIT, Shape

def test_attributes_and_methods():
    point = Point(1, 2)
    assert point.x == 1 and point.norm(scale=2) == 6 and point.total == 3
    point.x = 5
    assert point.norm() == 7 and hasattr(point, "y") and not hasattr(point, "z")
    point.label = "new"
    assert point.label == "new" and getattr(point, "nothing", "default") == "default"
    del point.label
    assert not hasattr(point, "label")
    with pytest.raises(AttributeError, match="z"):
        point.z

def test_classes():
    assert Point.origin().x == 0 and Point.make(3).x == 3 and Point.DIMENSIONS == 2
    assert isinstance(Point(1, 2), Point) and isinstance(Point(1, 2), solution.Point)
    assert isinstance(solution.Special(1, 2), Point) and not isinstance(Point(1, 2), solution.Special)
    assert not isinstance(3, Point) and issubclass(solution.Special, Point) and not issubclass(Point, solution.Special)
    assert isinstance(Point(1, 2), (int, Point)) and not isinstance(Point(1, 2), (int, str))
    assert issubclass(Point, object) and isinstance(Point, type) and callable(Point) and inspect.isclass(Point)
    Point.DIMENSIONS = 3
    assert Point(1, 2).DIMENSIONS == 3

def test_what_changed_a_class_is_seen_by_later_tests_as_in_any_process():
    assert Point.DIMENSIONS == 3

def test_identity():
    point = Point(1, 2)
    solution.keep(point)
    assert solution.kept() is point and solution.kept() is solution.kept()
    assert point.itself() is point and Point(1, 2) is not Point(1, 2)
    first = [solution.kept()]
    assert point in first and first.index(point) == 0 and [point] == first
    assert Color.RED is Color.RED and solution.favourite() is Color.RED and solution.favourite() is not Color.BLUE
    assert Color.RED == Color.RED and Color.RED != Color.BLUE

def test_enums():
    assert Color.RED.name == "RED" and Color.RED.value == "r" and Color("b") is Color.BLUE and Color["RED"] is Color.RED
    assert [color.name for color in Color] == ["RED", "BLUE"] and len(Color) == 2 and isinstance(Color.RED, Color)
    assert Color.RED in Color and list(Color.__members__) == ["RED", "BLUE"] and Color.RED.label() == "red!"
    assert {Color.RED: 1}[solution.favourite()] == 1 and Color.__members__["BLUE"] is Color.BLUE
    assert issubclass(Color, __import__("enum").Enum)

def test_functions_answer_inspect():
    assert add.__name__ == "add" and add.__doc__ == "Adds." and Point.__name__ == "Point"
    assert Point.__doc__ == "A point."
    assert list(inspect.signature(add).parameters) == ["a", "b", "scale"]
    assert inspect.signature(add).parameters["scale"].kind is inspect.Parameter.KEYWORD_ONLY
    assert inspect.signature(add).parameters["b"].default is not inspect.Parameter.empty
    assert list(inspect.signature(Point).parameters) == ["x", "y"]
    assert list(inspect.signature(Point(1, 2).norm).parameters) == ["scale"]
    assert callable(add) and inspect.isfunction(add) and inspect.getdoc(add) == "Adds."
    assert not inspect.isgeneratorfunction(add)
    assert solution.__name__ == "solution" and inspect.ismodule(solution)

def test_default_values_of_a_signature():
    assert inspect.signature(add).parameters["b"].default == 3

def test_dataclasses():
    shape = Shape("square", 4)
    assert dataclasses.is_dataclass(shape) and dataclasses.is_dataclass(Shape)
    assert [field.name for field in dataclasses.fields(shape)] == ["name", "sides"]
    assert [field.name for field in dataclasses.fields(Shape)] == ["name", "sides"]
    assert dataclasses.asdict(shape) == {"name": "square", "sides": 4} and dataclasses.astuple(shape) == ("square", 4)
    assert dataclasses.replace(shape, sides=5).sides == 5

def test_plain_objects_hash_by_identity():
    node = solution.Node(1)
    assert node in {node} and {node: 2}[node] == 2 and len({solution.Node(1), solution.Node(1)}) == 2

def test_names_of_the_module():
    assert LIMIT == 10 and solution.LIMIT == 10 and "add" in dir(solution) and hasattr(solution, "add")
    assert not hasattr(solution, "nothing")
    assert "norm" in dir(Point(1, 2)) and vars(Point(1, 2)) == {"x": 1, "y": 2}

def test_setting_a_name_of_the_module(monkeypatch):
    monkeypatch.setattr(solution, "LIMIT", 20)
    assert solution.limit() == 20
    monkeypatch.setattr(solution, "add", lambda a, b: "patched")
    assert solution.use_add(1, 2) == "patched"
    monkeypatch.setattr("solution.helper", lambda: 5)
    assert solution.use_helper() == 5

def test_the_patches_are_undone():
    assert solution.limit() == 10 and solution.use_add(1, 2) == 3 and solution.use_helper() == 1

def test_copies():
    point = Point(1, 2)
    other = copy.copy(point)
    other.x = 9
    assert point.x == 1 and copy.deepcopy(point) is not point and copy.deepcopy(point).x == 1

def test_type_and_class():
    assert type(Point(1, 2)).__name__ == "Point" and Point(1, 2).__class__.__name__ == "Point"
    assert Point(1, 2).__class__ is Point and type(Point(1, 2)) is type(Point(3, 4))

def test_linked_objects():
    head = solution.chain(3)
    seen = []
    while head is not None:
        seen.append(head.value)
        head = head.next
    assert seen == [0, 1, 2]

def test_handles_inside_values():
    points = solution.points(2)
    assert [point.x for point in points] == [0, 1] and solution.sum_x(points) == 1
    assert solution.sum_x([*points, Point(5, 0)]) == 6 and solution.by_name()["a"].x == 1

def test_partials_lambdas_and_nested_functions():
    assert solution.adder(3)(4) == 7 and solution.doubled(4) == 8 and solution.square(3) == 9

def test_other_modules_of_the_solution():
    import solution as again
    assert again is solution and solution.math_module.sqrt(4) == 2.0

def test_closed_over_repr_is_short():
    assert repr(Point(1, 2)) == "<Point object>" and str(add) == "<function add>" and f"{Point}" == "<class Point>"
"""
SOLUTION = '''
import dataclasses, enum, functools, math as math_module
LIMIT = 10
class Point:
    """A point."""
    DIMENSIONS = 2
    def __init__(self, x, y): self.x, self.y = x, y
    def norm(self, scale=1): return scale * (self.x + self.y)
    @property
    def total(self): return self.x + self.y
    @classmethod
    def origin(cls): return cls(0, 0)
    @staticmethod
    def make(x): return Point(x, x)
    def itself(self): return self
class Special(Point): pass
class Color(enum.Enum):
    RED = "r"
    BLUE = "b"
    def label(self): return self.name.lower() + "!"
@dataclasses.dataclass
class Shape:
    name: str
    sides: int = 3
class Node:
    def __init__(self, value, next=None): self.value, self.next = value, next
def chain(n):
    head = None
    for i in reversed(range(n)): head = Node(i, head)
    return head
def keep(point): global _kept; _kept = point
def kept(): return _kept
def favourite(): return Color.RED
def add(a, b=3, *, scale=1):
    """Adds."""
    return scale * (a + b)
def limit(): return LIMIT
def use_add(a, b): return add(a, b)
def helper(): return 1
def use_helper(): return helper()
def points(n): return [Point(i, 0) for i in range(n)]
def sum_x(points): return sum(point.x for point in points)
def by_name(): return {"a": Point(1, 1)}
def adder(n): return lambda x: x + n
doubled = functools.partial(lambda factor, x: factor * x, 2)
square = lambda x: x * x
'''


def test_handles_behave_as_a_reader_would_expect(grade):
    assert grade(SUITE, SOLUTION).flaws == {}
