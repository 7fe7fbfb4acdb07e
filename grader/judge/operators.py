"""The operators of handles: refused, unless the exercise names them in `[boundary] answers`.

Even then a comparison asks the far side only about two of its own objects, so that what the judge computed is never
sent over by an `==`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from grader.judge.mirrors import SolutionStop
from grader.judge.refs import Handle, class_of, own_ref, ref_of

_COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")
_ARITHMETIC = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift")
_PLAIN = (
    *(f"__{side}{name}__" for name in (*_ARITHMETIC, "and", "or", "xor") for side in ("", "r")),
    *(f"__i{name}__" for name in (*_ARITHMETIC, "and", "or", "xor") if name != "divmod"),
    *("__neg__", "__pos__", "__abs__", "__invert__", "__round__", "__trunc__", "__floor__", "__ceil__"),
    *("__getitem__", "__setitem__", "__delitem__", "__iter__", "__reversed__", "__enter__", "__exit__"),
)
_RESULTS = {  # what the interpreter requires of the answer
    "__len__": int,
    "__bool__": bool,
    "__hash__": int,
    "__int__": int,
    "__float__": float,
    "__index__": int,
    "__complex__": complex,
}
NAMES = (*_COMPARISONS, *_PLAIN, *_RESULTS, "__contains__", "__next__")


class Operators(Handle):
    """A handle with every operator that could decide a verdict. Filled below."""

    __slots__ = ()

    def __contains__(self, value: Any) -> Any:
        ref = own_ref(self)
        if ref.told.get("enum") is True:
            cls = class_of(value)
            return cls is not None and ref in cls.lineage()
        return _asked(self, "__contains__", value)

    def __next__(self) -> Any:
        try:
            return _asked(self, "__next__")
        except SolutionStop:
            raise StopIteration from None

    def __hash__(self) -> int:
        ref = own_ref(self)
        if not ref.compares():
            return object.__hash__(self)
        return _converted("__hash__", int)(self)  # type: ignore[no-any-return]


def _asked(self: Any, operator: str, *args: Any) -> Any:
    ref = own_ref(self)
    if not ref.answers(operator):
        raise ref.refuse(f"uses {operator}", operator)
    return ref.session.request("special", self, operator, list(args))


def _comparison(operator: str) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        ref, other_ref = own_ref(self), ref_of(other)
        if other_ref is None:
            raise ref.refuse(_word_for(other))
        if ref.answers(operator):
            return ref.session.request("special", self, operator, [other])
        if operator in ("__eq__", "__ne__") and not ref.compares():
            return (ref is other_ref) == (operator == "__eq__")
        raise ref.refuse(f"uses {operator} of two of its objects", operator)

    return compare


def _word_for(expected: Any) -> str:
    """What the test expected, in a word; the number inside a `pytest.approx`."""
    if type(expected).__module__.startswith("_pytest."):
        expected = getattr(expected, "expected", expected)
    return type(expected).__name__


def _operator(operator: str) -> Callable[..., Any]:
    def operate(self: Any, *args: Any) -> Any:
        plain = [None if inspect.istraceback(arg) else arg for arg in args]
        value = _asked(self, operator, *plain)
        return iter(value) if operator in ("__iter__", "__reversed__") and isinstance(value, (list, tuple)) else value

    return operate


def _converted(operator: str, kind: type[Any]) -> Callable[[Any], Any]:
    def convert(self: Any) -> Any:
        ref = own_ref(self)
        if not ref.answers(operator):
            raise ref.refuse(f"needs its {operator}", operator)
        value = ref.session.request("special", self, operator, [])
        if type(value) is not kind:
            raise ref.session.refuse(
                f"{operator} of {ref.shown()} gave a {type(value).__name__}, not a {kind.__name__}"
            )
        if operator == "__len__" and value > ref.session.caps.items:  # list() makes room for that many at once
            raise ref.session.refuse(f"{operator} of {ref.shown()} gave {value}: more than can come from there")
        return value

    return convert


for _name in _COMPARISONS:
    setattr(Operators, _name, _comparison(_name))
for _name in _PLAIN:
    setattr(Operators, _name, _operator(_name))
for _name, _kind in _RESULTS.items():
    if _name != "__hash__":
        setattr(Operators, _name, _converted(_name, _kind))
