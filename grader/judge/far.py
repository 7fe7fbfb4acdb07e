"""Handles: the candidate's classes, functions and objects, as the suite holds them.

A handle forwards attribute access and calls. Everything that could decide a verdict (comparison, truth, length, hash,
conversion to a number or an array) is refused with a message, see `grader.judge.operators`.
"""

from __future__ import annotations

import contextlib
import inspect
import types
from typing import Any

from grader.judge.copy_back import copy_back
from grader.judge.operators import Operators
from grader.judge.refs import Ref, class_of, listed, own_ref, ref_of
from grader.judge.shadows import dataclass_fields, object_class, shadow

# Names that a reader may ask for; every other dunder stays here (numpy would believe an `__array_interface__`).
READABLE = frozenset({"__dict__", "__annotations__", "__slots__", "__members__", "__all__"})
_CODE_FLAGS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_NAMES_OF = {"__name__": "name", "__qualname__": "qualname"}


class Far(Operators):
    """A handle to a far object."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        ref = own_ref(self)
        if name in _NAMES_OF:
            return _told_name(ref, name)
        if name == "__dataclass_fields__" and (fields := dataclass_fields(ref)) is not None:
            return fields
        if name.startswith("__") and name.endswith("__") and name not in READABLE:
            raise AttributeError(f"{ref.shown()} keeps {name} to itself; only values cross the wall")
        return ref.session.request("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        own_ref(self).session.request("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        own_ref(self).session.request("del", self, name)

    def __dir__(self) -> Any:
        return own_ref(self).session.names(self)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be going down
            ref = own_ref(self)
            if ref.generation == ref.session.generation:
                ref.session.inward.release(ref.handle)

    def __repr__(self) -> str:
        return _shown(self, "__repr__")

    def __str__(self) -> str:
        return _shown(self, "__str__")

    def __format__(self, spec: str) -> str:
        return format(_shown(self, "__str__"), spec)

    def __copy__(self) -> Any:
        return own_ref(self).session.request("copy", self, False)

    def __deepcopy__(self, memo: Any) -> Any:
        return own_ref(self).session.request("copy", self, True)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"{own_ref(self).shown()} lives in the candidate's process and cannot be pickled")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise own_ref(self).refuse("an array")

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        far = next((arg for arg in [*args, *(kwargs or {}).values()] if isinstance(arg, Far)), None)
        raise own_ref(far).refuse("a tensor") if far is not None else TypeError("a handle is no tensor")


class _Callable(Far):
    __slots__ = ()

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        ref = own_ref(self)
        names = ref.session.material.copy_back
        if "*" not in names and ref.told.get("name") not in names:
            return ref.session.request("call", self, list(args), kwargs)
        match ref.session.request("call", self, list(args), kwargs, back=True):
            case [value, list() as after, dict() as named]:
                copy_back((list(args), kwargs), (after, named))
                return value
            case _:
                raise RuntimeError("the arguments did not come back")

    @property
    def __signature__(self) -> inspect.Signature:
        return _signature(own_ref(self))


class FarFunction(_Callable):
    """A function or method of the candidate's. To `inspect` it is a function with nothing in it but its kind."""

    __slots__ = ()

    @property
    def __code__(self) -> Any:
        flags = own_ref(self).told.get("flags")
        if type(flags) is not int:
            raise AttributeError("__code__")
        return types.SimpleNamespace(co_flags=flags & _CODE_FLAGS, co_name=own_ref(self).name())

    @property
    def __class__(self) -> Any:
        return types.FunctionType if type(own_ref(self).told.get("flags")) is int else FarFunction

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError("a handle keeps its class")


class FarClass(_Callable):
    """A class of the candidate's: makes objects, and answers isinstance from what the judge was told."""

    __slots__ = ()

    def __instancecheck__(self, obj: Any) -> bool:
        cls = class_of(obj)
        return cls is not None and own_ref(self) in cls.lineage()

    def __subclasscheck__(self, cls: Any) -> bool:
        ref = ref_of(cls)
        return ref is not None and own_ref(self) in ref.lineage()

    def __mro_entries__(self, bases: Any) -> Any:
        raise TypeError(no_subclass(own_ref(self).shown()))

    @property
    def __bases__(self) -> tuple[Any, ...]:
        own = tuple(base for base in listed(own_ref(self).told.get("bases")) if isinstance(base, FarClass))
        return own or (shadow(own_ref(self)),)

    @property
    def __class__(self) -> Any:
        return type

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError("a handle keeps its class")


class FarIterator(Far):
    """A generator, iterator or view of the candidate's: values are pulled one by one, each under the deadline."""

    __slots__ = ()
    __len__ = None  # list() asks an iterator for it and expects a TypeError

    def __iter__(self) -> FarIterator:
        return self

    def __next__(self) -> Any:
        match own_ref(self).session.request("next", self):
            case [True, value]:
                return value
            case _:
                raise StopIteration

    @property
    def __class__(self) -> Any:
        return types.GeneratorType if own_ref(self).told["generator"] else FarIterator

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError("a handle keeps its class")


def make_far(ref: Ref) -> Far:
    """The handle for a ref, of the class that fits what it is."""
    kind = ref.told["kind"]
    if kind == "class":
        return FarClass(ref)
    if kind == "function":
        return FarFunction(ref)
    if kind == "module":
        return Far(ref)
    far: Far = object_class(ref, {True: _Callable, False: Far})(ref)
    return far


def no_subclass(shown: str) -> str:
    """Why a suite cannot derive from a far class, and what to do instead."""
    return (
        f"a suite cannot derive from {shown}, which lives in the candidate's process; "
        "define the subclass inside a function marked @in_guest"
    )


def _told_name(ref: Ref, name: str) -> str:
    value = ref.told.get(_NAMES_OF[name])
    if ref.told["kind"] == "object" or not isinstance(value, str):
        raise AttributeError(name)
    return value


def _told_doc(far: Any) -> str | None:
    value = own_ref(far).told.get("doc")
    return value if isinstance(value, str) else None


def _signature(ref: Ref) -> inspect.Signature:
    if ref.told.get("params") is None:
        raise ValueError(f"no signature found for {ref.shown()}")
    parameters = []
    for entry in listed(ref.told["params"]):
        match entry:
            case [str(name), int(kind), bool(given), default] if name.isidentifier() and 0 <= kind <= 4:
                value = default if given else inspect.Parameter.empty
                parameters.append(inspect.Parameter(name, inspect._ParameterKind(kind), default=value))
    return inspect.Signature(parameters)


def _shown(far: Any, operator: str) -> str:
    ref = own_ref(far)
    if not ref.answers(operator) or not ref.session.alive:
        return ref.shown()
    text = ref.session.request("special", far, operator, [])
    return text if type(text) is str else ref.shown()


for _class in (Far, FarFunction, FarClass, FarIterator):  # what a reader of a handle expects is the far object's
    _class.__doc__ = property(_told_doc)  # type: ignore[assignment]
