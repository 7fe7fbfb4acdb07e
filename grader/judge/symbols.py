"""Names of solution.py that the suite imported before there was a guest: `from solution import f` at module level."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from grader.judge.far import READABLE, no_subclass
from grader.judge.operators import NAMES


class Symbol:
    """Stands for whatever the name is in the guest that is there when it is used."""

    __slots__ = ("__weakref__", "_find", "_name")

    def __init__(self, name: str, find: Callable[[str], Any]) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_find", find)

    def __getattr__(self, name: str) -> Any:
        if name in ("__name__", "__qualname__"):
            return name_of(self)
        if name.startswith("__") and name.endswith("__") and name not in READABLE:
            raise AttributeError(name)
        return getattr(_resolve(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_resolve(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_resolve(self), name)

    def __dir__(self) -> Any:
        return dir(_resolve(self))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return _resolve(self)(*args, **kwargs)

    def __instancecheck__(self, obj: Any) -> bool:
        return isinstance(obj, _resolve(self))

    def __subclasscheck__(self, cls: Any) -> bool:
        return issubclass(cls, _resolve(self))

    def __mro_entries__(self, bases: Any) -> Any:
        raise TypeError(no_subclass(repr(self)))

    @property
    def __class__(self) -> Any:
        try:
            return _resolve(self).__class__
        except (ImportError, AttributeError):  # no guest yet, or none with such a name
            return Symbol

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError("a handle keeps its class")

    @property
    def __bases__(self) -> Any:
        return _resolve(self).__bases__

    def __repr__(self) -> str:
        return f"<solution.{name_of(self)}>"

    def __hash__(self) -> int:
        return object.__hash__(self)

    @property
    def __signature__(self) -> Any:
        return inspect.signature(_resolve(self))


def name_of(symbol: Symbol) -> str:
    """The name that it stands for."""
    name: str = object.__getattribute__(symbol, "_name")
    return name


def _resolve(symbol: Any) -> Any:
    return object.__getattribute__(symbol, "_find")(name_of(symbol))


def _delegated(operator: str) -> Callable[..., Any]:
    def operate(self: Any, *args: Any) -> Any:
        return getattr(_resolve(self), operator)(*args)

    return operate


for _name in NAMES:
    if _name != "__hash__":
        setattr(Symbol, _name, _delegated(_name))
Symbol.__doc__ = property(lambda self: _resolve(self).__doc__)  # type: ignore[assignment]
