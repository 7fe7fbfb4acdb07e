"""What crosses, seen from the judge: his own objects outward, the guest's inward.

`Outward` is the encoder's hook, `Inward` the decoder's. Everything that `Inward` gets is hostile: each kind is matched
against its exact form, and anything else is a CodecError, which the session takes as a violation.
"""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any

from grader.judge import mirrors
from grader.judge.far import Far, FarClass, FarIterator, make_far
from grader.judge.refs import Ref, ref_of
from grader.judge.symbols import Symbol, name_of
from sandbox.codec import CodecError, named_dtype

if TYPE_CHECKING:
    from grader.judge.session import Session

_LIBRARIES = frozenset(
    {"builtins", "torch", "numpy", "math", "operator", "random", "functools", "itertools", "collections"}
)


class Lending:
    """An object of the suite's together with the methods that the guest may call. Made by `grader.suite.lend`."""

    def __init__(self, obj: Any, methods: tuple[str, ...]) -> None:
        self.methods = {name: getattr(obj, name) for name in methods}


class Outward:
    """The judge's objects as the guest may have them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, value: Any) -> tuple[str, Any] | None:  # noqa: PLR0911, PLR0912  (one line per kind)
        torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
        if type(value) is Symbol:
            return "symbol", name_of(value)
        if (ref := ref_of(value)) is not None:
            self._session.take_along(ref.kept)
            return "far", self._session.inward.checked(ref).handle
        if (cls := mirrors.enum_class(value)) is not None:
            return "member", (cls, value.value)
        if (ref := mirrors.error_ref(value)) is not None:
            return "far", self._session.inward.checked(ref).handle
        if type(value) is _Named:
            return "far", value.handle
        if torch is not None and isinstance(value, torch.Tensor):
            return self._tensor(value)
        if torch is not None and type(value) is torch.Size:
            return "size", list(value)
        if torch is not None and isinstance(value, torch.dtype):
            return "name", ("torch", str(value).removeprefix("torch."))
        if numpy is not None and isinstance(value, numpy.dtype):
            return "name", ("numpy.dtype", value.str)
        if isinstance(value, Lending):
            return "lent", {name: self._session.lend(method) for name, method in value.methods.items()}
        if isinstance(value, Exception):
            return "error", self._error(value)
        if isinstance(value, (Iterator, KeysView, ValuesView, ItemsView)):
            return "iterator", self._session.lend(iter(value).__next__)
        if callable(value):
            return self._callable(value)
        raise CodecError(
            f"a {type(value).__name__} cannot be sent to the candidate's code: pass values, lend it with "
            "grader.suite.lend, or build it inside a function marked @in_guest"
        )

    def _error(self, error: Exception) -> tuple[Any, list[Any], int]:
        plain = all(type(arg) in (str, int, float, bool, type(None)) for arg in error.args)
        builtin = next(cls.__name__ for cls in type(error).__mro__ if cls.__module__ == "builtins")
        cls = builtin if mirrors.error_ref(type(error)) is None else type(error)
        return cls, list(error.args) if plain else [str(error)], self._session.throw(error)

    def _tensor(self, value: Any) -> tuple[str, Any]:
        if value.requires_grad:
            return self._session.gradients.outward(value)
        return "plain", value.detach().as_subclass(sys.modules["torch"].Tensor)

    def _callable(self, value: Any) -> tuple[str, Any]:
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
        if isinstance(module, str) and module.partition(".")[0] in _LIBRARIES and _lookup(module, name) is value:
            return "name", (module, name)
        binds = isinstance(value, types.FunctionType)
        return "function", (self._session.lend(value), getattr(value, "__name__", "function"), binds)


class Inward:
    """The guest's objects as the suite sees them; also the book of which handles are held."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.reset()

    def reset(self) -> None:
        """A fresh guest: its handles start anew."""
        self._refs: dict[int, Ref] = {}
        self._alive: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._received: dict[int, int] = {}
        self._drops: list[tuple[int, int]] = []
        self._mirrors: dict[Any, Any] = {}

    def __call__(self, kind: str, told: Any) -> Any:
        make = _KINDS.get(kind)
        if make is None:
            raise CodecError("an unknown kind of object")
        try:
            return make(self, told)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
            if isinstance(error, CodecError):
                raise
            raise CodecError(f"not a {kind}: {type(error).__name__}") from None

    def error(self, told: Any) -> Exception:
        """A raised exception, mirrored."""
        if type(told) is not dict:
            raise self._session._lose("violation", "an exception that is none")
        if (own := self._session.thrown(told.get("thrown"))) is not None:
            return own
        try:
            return mirrors.error(told)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError):
            raise self._session._lose("violation", "an exception that is none") from None

    def take_drops(self) -> list[tuple[int, int]]:
        """The handles that the suite let go of since the last request, with how often each had come."""
        drops, self._drops = self._drops, []
        for handle, _ in drops:
            if handle not in self._alive and handle not in self._received:
                self._refs.pop(handle, None)
        return drops

    def release(self, handle: int) -> None:
        """Nothing here holds that handle any more."""
        if (count := self._received.pop(handle, 0)) > 0:
            self._drops.append((handle, count))

    def checked(self, ref: Ref) -> Ref:
        """The ref, if its object lives in the guest that is there now."""
        if ref.generation != self._session.generation or not self._session.alive:
            raise self._session.refuse(f"{ref.shown()} lived in a process of the candidate's that has ended")
        return ref

    def hold(self, handle: Any) -> Far:
        """A handle that is no object to the suite (a graph's end), kept for as long as the answer is."""
        return make_far(self._receive(handle, {"kind": "object", "type": None, "callable": False}))

    def named(self, handle: int) -> Any:
        """Something that encodes as that handle."""
        return _Named(handle)

    def far(self, told: Any) -> Any:
        """A handle: the same Python object for as long as the suite holds it."""
        handle, description = told["handle"], told["told"]
        ref = self._receive(handle, description)
        alive = self._alive.get(handle)
        if alive is None:
            alive = self._alive[handle] = make_far(ref)
            if isinstance(alive, FarClass):
                self._mirrors[handle] = alive  # classes are few, and instances refer to them
        return alive

    def _receive(self, handle: Any, description: Any) -> Ref:
        if _number(handle) not in self._refs:
            if type(description) is not dict:
                raise CodecError("an unknown handle")
            self._refs[handle] = Ref(self._session, handle, self._session.generation, description)
        self._received[handle] = self._received.get(handle, 0) + 1
        ref = self._refs[handle]
        ref.kept.update(self._session.leave_with())
        return ref

    def _iterator(self, told: Any) -> Any:
        ref = self._receive(told["handle"], {"kind": "iterator", "generator": told["generator"] is True})
        alive = self._alive.get(ref.handle)
        if alive is None:
            alive = self._alive[ref.handle] = FarIterator(ref)
        return alive

    def _subclass(self, told: Any) -> Any:
        return mirrors.subclass(told["base"], told["content"], self.far(_payload(told["far"])), self._mirrors)

    def _tuple(self, told: Any) -> Any:
        far = self.far(_payload(told["far"]))
        return mirrors.named_tuple(told["name"], told["fields"], told["content"], far, self._mirrors)

    def _enum(self, told: Any) -> Any:
        return mirrors.enum_member(told, self.far(_payload(told["cls"])), self._mirrors)

    def _error_class(self, told: Any) -> Any:
        handle = _number(told["handle"])
        if handle not in self._mirrors:
            cls = self._mirrors[handle] = mirrors.error_class(told["told"])
            if cls.__module__ == "solution":
                cls._far = Ref(self._session, handle, self._session.generation, {"kind": "class", "name": cls.__name__})  # type: ignore[attr-defined]
        return self._mirrors[handle]

    def _own(self, number: Any) -> Any:
        function = self._session.lent(number)
        if function is None:
            raise CodecError("a function that is not lent")
        return function


class _Named:
    """A bare handle, for messages of the session's own."""

    def __init__(self, handle: int) -> None:
        self.handle = handle


def _number(handle: Any) -> int:
    if type(handle) is not int or handle < 0:
        raise CodecError("a handle that is none")
    return handle


def _payload(told: Any) -> Any:
    if type(told) is not dict:
        raise CodecError("a description that is none")
    return told


def _library_name(told: Any) -> Any:
    """Only dtypes and builtin classes come by name, and only those that are there."""
    match told:
        case ["numpy.dtype", str(name)] if "numpy" in sys.modules:
            return named_dtype(sys.modules["numpy"], name)
        case ["torch", str(name)] if "torch" in sys.modules:
            dtype = vars(sys.modules["torch"]).get(name)  # no getattr: torch imports some of its names when asked
            if isinstance(dtype, sys.modules["torch"].dtype):
                return dtype
        case ["builtins", str(name)]:
            value = getattr(sys.modules["builtins"], name, None)
            if isinstance(value, type):
                return value
    raise CodecError("a name that may not cross")


def _size(told: Any) -> Any:
    if "torch" not in sys.modules or type(told) is not list or any(type(size) is not int for size in told):
        raise CodecError("a size that is none")
    return sys.modules["torch"].Size(told)


def _lookup(module: str, name: str) -> Any:
    value: Any = sys.modules.get(module)
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


_KINDS: dict[str, Any] = {
    "far": lambda inward, told: inward.far(_payload(told)),
    "iterator": lambda inward, told: inward._iterator(_payload(told)),
    "sub": lambda inward, told: inward._subclass(_payload(told)),
    "tuple": lambda inward, told: inward._tuple(_payload(told)),
    "enum": lambda inward, told: inward._enum(_payload(told)),
    "error": lambda inward, told: inward.error(_payload(told)),
    "error_class": lambda inward, told: inward._error_class(_payload(told)),
    "name": lambda inward, told: _library_name(told),
    "own": Inward._own,
    "plain": lambda inward, told: told,
    "size": lambda inward, told: _size(told),
    "leaf": lambda inward, told: inward._session.gradients.leaf(_payload(told)),
    "graph": lambda inward, told: inward._session.gradients.graph(_payload(told)),
}
