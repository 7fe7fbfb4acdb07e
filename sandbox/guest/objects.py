"""The candidate's objects as the judge may know them: a table of handles, and what a reader would see of each."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
from typing import Any

_TEXT = 2000


class Objects:
    """Handles by number, each with the count of how often it was sent: the judge gives back what it received.

    The same object is always the same handle while the judge holds it.
    """

    def __init__(self) -> None:
        self._held: dict[int, list[Any]] = {}  # handle -> [object, times sent]
        self._handles: dict[int, int] = {}  # id(object) -> handle
        self._next = 1

    def refer(self, obj: Any) -> tuple[int, bool]:
        """The object's handle, and whether the judge does not know it yet."""
        handle = self._handles.get(id(obj))
        new = handle is None
        if handle is None:
            handle, self._next = self._next, self._next + 1
            self._held[handle] = [obj, 0]
            self._handles[id(obj)] = handle
        self._held[handle][1] += 1
        return handle, new

    def known(self, obj: Any) -> int | None:
        """The object's handle if the judge holds one."""
        return self._handles.get(id(obj))

    def object(self, handle: int) -> Any:
        return self._held[handle][0]

    def drop(self, drops: list[tuple[int, int]]) -> None:
        for handle, count in drops:
            entry = self._held[handle]
            entry[1] -= count
            if entry[1] <= 0:
                del self._held[handle], self._handles[id(entry[0])]


def kind_of(obj: Any) -> str:
    """What a reader would call it: module, class, function or object."""
    if isinstance(obj, types.ModuleType):
        return "module"
    if isinstance(obj, type):
        return "class"
    functions = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType)
    return "function" if isinstance(obj, functions) else "object"


def describe(obj: Any, own_modules: frozenset[str]) -> dict[str, Any]:
    """What the judge is told of an object that it sees for the first time: plain values, and its class."""
    kind = kind_of(obj)
    told: dict[str, Any] = {"kind": kind}
    if kind == "object":
        return told | {"type": type(obj), "callable": callable(obj)}
    told |= {name: _text(obj, f"__{name}__") for name in ("name", "qualname", "module", "doc")}
    if kind != "module":
        told["params"] = _parameters(obj)
    if isinstance(obj, types.FunctionType):
        told["flags"] = obj.__code__.co_flags
    if kind == "class":
        told |= _class(obj, own_modules)
    return told


def _class(cls: type, own_modules: frozenset[str]) -> dict[str, Any]:
    mro = type.mro(cls) if cls is not type else [cls]
    return {
        "library": [[c.__module__, c.__qualname__] for c in mro if c.__module__ not in own_modules and c is not object],
        "bases": [c for c in mro[1:] if c.__module__ in own_modules],
        "compares": any("__eq__" in c.__dict__ for c in mro if c is not object),
        "enum": isinstance(cls, enum.EnumMeta),
        "fields": _fields(cls),
    }


def _fields(cls: type) -> list[list[Any]] | None:
    """Name and whether __init__ takes it, for each field of a dataclass."""
    if not dataclasses.is_dataclass(cls):
        return None
    return [[field.name, field.init] for field in dataclasses.fields(cls)[:100]]


def _default(value: Any) -> Any:
    """A default value that is plain and short, else an ellipsis."""
    if type(value) in (bool, float, type(None)) or (type(value) is int and value.bit_length() <= 64):
        return value
    return value if type(value) is str and len(value) <= _TEXT else ...


def _text(obj: Any, name: str) -> str | None:
    value = getattr(obj, name, None)
    return value[:_TEXT] if type(value) is str else None


def _parameters(obj: Any) -> list[list[Any]] | None:
    """Name, kind, whether there is a default and which, for each parameter; None where there is no signature."""
    try:
        return [
            [p.name, int(p.kind), p.default is not inspect.Parameter.empty, _default(p.default)]
            for p in list(inspect.signature(obj).parameters.values())[:100]
        ]
    except Exception:
        return None
