"""How the candidate's objects cross: what kind each is, and the plain values that stand for it.

Kinds (the first element of an `O` value, see `sandbox.codec`):

    far      {handle, told?}              anything that is not a value; told is given the first time
    iterator {handle, generator}          pulled one by one
    sub      {base, content, far}         an instance of the candidate's own subclass of a builtin value type
    tuple    {name, fields, content, far} a namedtuple          enum {name, members, member, cls}   an IntEnum and kin
    error    {…}                          an exception as a value    error_class {…}  a class of exceptions
    name     [module, name]               a builtin class, a dtype      own [number]  a function that the judge lent
    plain value    size [ints]            a value whose subclass does not matter; a torch.Size
    leaf, graph                           see `sandbox.guest.gradients`
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import ItemsView, Iterator, KeysView, MappingView
from typing import Any

from sandbox.codec import NUMPY_KINDS
from sandbox.guest import exceptions
from sandbox.guest.gradients import Gradients
from sandbox.guest.objects import Objects, describe

_BASES: tuple[type, ...] = (int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset, complex)
_MEMBERS = 1000


class LentFunction:
    """A function of the judge's, while the call that it was passed to runs."""

    def __init__(self, agent: Any, number: int, name: str, binds: bool = False) -> None:
        self._agent, self._number, self._binds = agent, number, binds
        self.__name__ = self.__qualname__ = name

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        """As an attribute of a class it becomes a method if it is a plain function over there."""
        return types.MethodType(self, obj) if self._binds and obj is not None else self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._agent.call_back(self._number, args, kwargs)


class LentIterator:
    """An iterator of the judge's: each item is asked for when it is needed."""

    def __init__(self, agent: Any, number: int) -> None:
        self._next = LentFunction(agent, number, "__next__")

    def __iter__(self) -> LentIterator:
        return self

    def __next__(self) -> Any:
        return self._next()


class Lent:
    """An object of the judge's: exactly the methods that it was lent with."""

    def __init__(self, agent: Any, methods: dict[str, int]) -> None:
        for name, number in methods.items():
            setattr(self, name, LentFunction(agent, number, name))


class Outward:
    """The encoder's `foreign` hook."""

    def __init__(self, objects: Objects, gradients: Gradients) -> None:
        self._objects, self._gradients = objects, gradients
        self.own_modules: frozenset[str] = frozenset({"solution"})
        self.folder = "/nonexistent"

    def __call__(self, value: Any) -> tuple[str, Any]:  # noqa: PLR0911, PLR0912  (one line per kind)
        torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
        if torch is not None and isinstance(value, torch.Tensor):
            return self._gradients.tell(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, BaseException):
            return "error", exceptions.tell(value, self.folder)
        if isinstance(value, enum.Enum) and isinstance(value, (int, str)):
            return self._enum(value)
        if numpy is not None and isinstance(value, numpy.ndarray):
            return "plain", value.view(numpy.ndarray)
        if torch is not None and type(value) is torch.Size:
            return "size", list(value)
        for base in _BASES:
            if isinstance(value, base):
                return self._subclass(value, base)
        if numpy is not None and isinstance(value, numpy.dtype) and value.kind in NUMPY_KINDS:
            return "name", ["numpy.dtype", value.str]
        if torch is not None and isinstance(value, torch.dtype):
            return "name", ["torch", str(value).removeprefix("torch.")]
        if isinstance(value, LentFunction):
            return "own", value._number
        if isinstance(value, types.MappingProxyType):
            return "plain", dict(value)
        if type(value).__module__ not in self.own_modules:
            if isinstance(value, Iterator):
                return self._iterator(value)
            if isinstance(value, MappingView):
                return "plain", _view(value)
        return "far", self._far(value)

    def _far(self, value: Any) -> dict[str, Any]:
        handle, new = self._objects.refer(value)
        return {"handle": handle, "told": describe(value, self.own_modules) if new else None}

    def _iterator(self, value: Any) -> tuple[str, Any]:
        handle, _ = self._objects.refer(value)
        return "iterator", {"handle": handle, "generator": isinstance(value, types.GeneratorType)}

    def _class(self, cls: type) -> tuple[str, Any]:
        if cls.__module__ == "builtins" and getattr(sys.modules["builtins"], cls.__name__, None) is cls:
            return "name", ["builtins", cls.__name__]
        if issubclass(cls, BaseException):
            handle, new = self._objects.refer(cls)
            return "error_class", {"handle": handle, "told": exceptions.tell_class(cls) if new else None}
        return "far", self._far(cls)

    def _subclass(self, value: Any, base: type) -> tuple[str, Any]:
        """Its plain content, read through the builtin's own methods, whatever the subclass overrides."""
        fields = getattr(type(value), "_fields", None)
        if base is tuple and isinstance(fields, tuple) and len(fields) == tuple.__len__(value):
            return "tuple", {
                "name": type(value).__name__,
                "fields": list(fields),
                "content": list(tuple.__iter__(value)),
                "far": self._far(value),
            }
        return "sub", {"base": base.__name__, "content": _content(value, base), "far": self._far(value)}

    def _enum(self, member: Any) -> tuple[str, Any]:
        cls: Any = type(member)
        members = [[m._name_, _content(m, int if isinstance(m, int) else str)] for m in list(cls)[:_MEMBERS]]
        return "enum", {
            "name": cls.__name__,
            "members": members,
            "member": member._name_,
            "value": _content(member, int if isinstance(member, int) else str),
            "flag": isinstance(member, enum.Flag),
            "cls": self._far(cls),
        }


def _view(value: Any) -> Any:
    """A view of any mapping as one of a dict with the same content: it has a length, and can be gone through again."""
    if isinstance(value, KeysView):
        return dict.fromkeys(value).keys()
    return dict(value).items() if isinstance(value, ItemsView) else dict(enumerate(value)).values()


def _content(value: Any, base: Any) -> Any:
    """The value as its exact builtin type."""
    if base is dict:
        return {key: dict.__getitem__(value, key) for key in dict.keys(value)}
    if base in (list, tuple, set, frozenset):
        return base(base.__iter__(value))
    if base is complex:
        return complex.__add__(value, 0j)
    if base is str:
        return str.__str__(value) if type(str.__str__(value)) is str else "".join(str.__iter__(value))
    if base in (bytes, bytearray):
        return base(memoryview(value))
    return base.__add__(value, base())
