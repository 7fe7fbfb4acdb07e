"""Handles: the candidate's classes, functions and objects, as the suite holds them.

A handle forwards attribute access and calls. Everything that could decide a verdict (comparison, truth, length, hash,
conversion to a number or an array) is refused with a message, unless the exercise names the operator in
`[boundary] answers`; and even then a comparison asks the far side only about two of its own objects, so that what the
judge computed is never sent over by an `==`.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from grader.judge.mirrors import SolutionStop
from sandbox.codec import CodecError

if TYPE_CHECKING:
    from grader.judge.session import Session

_COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")
_ARITHMETIC = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift")
_OPERATORS = (
    *(f"__{side}{name}__" for name in (*_ARITHMETIC, "and", "or", "xor") for side in ("", "r")),
    *(f"__i{name}__" for name in (*_ARITHMETIC, "and", "or", "xor") if name != "divmod"),
    *("__neg__", "__pos__", "__abs__", "__invert__", "__round__", "__trunc__", "__floor__", "__ceil__"),
    *("__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "__reversed__"),
    *("__enter__", "__exit__"),
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
# Names that a reader may ask for; every other dunder stays here (numpy would believe an `__array_interface__`).
_READABLE = frozenset({"__dict__", "__annotations__", "__slots__", "__members__", "__dataclass_fields__", "__all__"})
_LIBRARIES = frozenset({"torch", "abc", "collections", "typing", "numbers", "contextlib", "random"})


class Ref:
    """What the judge knows of a far object: its number, and what it was told when it first came."""

    __slots__ = ("generation", "handle", "near", "session", "shadow", "told")

    def __init__(self, session: Session, handle: int, generation: int, told: dict[str, Any]) -> None:
        self.session, self.handle, self.generation, self.told = session, handle, generation, told
        self.near: dict[
            bool, type[Far]
        ] = {}  # of a class: the local classes of its objects, by whether they are callable
        self.shadow: Any = None
        if told.get("kind") not in ("module", "class", "function", "object", "iterator"):
            raise CodecError("an unknown kind of handle")

    def name(self) -> str:
        """The name of a class, function or module; of an object's class otherwise."""
        cls = self.cls_ref() if self.told["kind"] == "object" else None
        name = (cls or self).told.get("name")
        return name if isinstance(name, str) and name.isidentifier() else "object"

    def cls_ref(self) -> Ref | None:
        """The ref of the object's class, if that is a class of the candidate's or a library's."""
        return ref_of(self.told.get("type"))

    def shown(self) -> str:
        """How it is shown in messages; the far side is not asked."""
        kind = self.told["kind"]
        return f"<{self.name()} object>" if kind == "object" else f"<{kind} {self.name()}>"

    def answers(self, operator: str) -> bool:
        allowed = self.session.material.answers
        return operator in allowed or "*" in allowed


def ref_of(value: Any) -> Ref | None:
    """The ref behind a handle, a mirror of a value, or a bare handle number of the session's; else None."""
    if isinstance(value, Far):
        return object.__getattribute__(value, "_ref")  # type: ignore[no-any-return]
    far = getattr(value, "__dict__", {}).get("_far") if type(value).__module__ == "solution" else None
    return ref_of(far) if far is not None else None


class Far:
    """A handle to a far object."""

    __slots__ = ("__weakref__", "_ref")

    def __init__(self, ref: Ref) -> None:
        object.__setattr__(self, "_ref", ref)

    def __getattr__(self, name: str) -> Any:
        ref = _ref(self)
        if name in ("__name__", "__qualname__"):
            if ref.told["kind"] in ("class", "function", "module") and isinstance(ref.told.get(name[2:-2]), str):
                return ref.told[name[2:-2]]
            raise AttributeError(name)
        if name.startswith("__") and name.endswith("__") and name not in _READABLE:
            raise AttributeError(f"{ref.shown()} keeps {name} to itself; only values cross the wall")
        return ref.session.request("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ref(self).session.request("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        _ref(self).session.request("del", self, name)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be going down
            ref = _ref(self)
            if ref.generation == ref.session.generation:
                ref.session.inward.release(ref.handle)

    def __repr__(self) -> str:
        return _shown(self, "__repr__")

    def __str__(self) -> str:
        return _shown(self, "__str__")

    def __format__(self, spec: str) -> str:
        return format(_shown(self, "__str__"), spec)

    def __copy__(self) -> Any:
        return _ref(self).session.request("copy", self, False)

    def __deepcopy__(self, memo: Any) -> Any:
        return _ref(self).session.request("copy", self, True)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"{_ref(self).shown()} lives in the candidate's process and cannot be pickled")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise _refuse(self, "an array")

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        far = next((arg for arg in args if isinstance(arg, Far)), None)
        raise _refuse(far, "a tensor") if far is not None else TypeError("a handle is no tensor")


class _Callable(Far):
    __slots__ = ()

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        ref = _ref(self)
        names = ref.session.material.copy_back
        if "*" not in names and ref.told.get("name") not in names:
            return ref.session.request("call", self, list(args), kwargs)
        value, *after = ref.session.request("call", self, list(args), kwargs, back=True)
        _copy_back((list(args), kwargs), after)
        return value

    @property
    def __signature__(self) -> inspect.Signature:
        return _signature(_ref(self))


class FarFunction(_Callable):
    """A function or method of the candidate's."""

    __slots__ = ()


class FarClass(_Callable):
    """A class of the candidate's: makes objects, and answers isinstance from what the judge was told."""

    __slots__ = ()

    def __instancecheck__(self, obj: Any) -> bool:
        ref = ref_of(obj)
        cls = ref.cls_ref() if ref is not None else None
        return cls is not None and _ref(self) in _lineage(cls)

    def __subclasscheck__(self, cls: Any) -> bool:
        ref = ref_of(cls)
        return ref is not None and _ref(self) in _lineage(ref)

    def __mro_entries__(self, bases: Any) -> Any:
        raise TypeError(
            f"a suite cannot derive from {_ref(self).shown()}, which lives in the candidate's process; "
            "define the subclass inside a function marked @in_guest"
        )

    @property
    def __bases__(self) -> tuple[Any, ...]:
        own = tuple(base for base in _ref(self).told.get("bases") or () if isinstance(base, FarClass))
        return own or (_shadow(_ref(self)),)


class FarIterator(Far):
    """A generator, iterator or view of the candidate's: values are pulled one by one, each under the deadline."""

    __slots__ = ()

    def __iter__(self) -> FarIterator:
        return self

    def __next__(self) -> Any:
        match _ref(self).session.request("next", self):
            case [True, value]:
                return value
            case _:
                raise StopIteration

    @property
    def __class__(self) -> Any:
        import types

        return types.GeneratorType if _ref(self).told["generator"] else FarIterator

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError("a handle keeps its class")


class Symbol:
    """A name of solution.py that was imported before there was a guest: `from solution import f` at module level.

    Stands for whatever the name is in the guest that is there when it is used.
    """

    __slots__ = ("__weakref__", "_find", "_name")

    def __init__(self, name: str, find: Callable[[str], Any]) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_find", find)

    def __getattr__(self, name: str) -> Any:
        if name in ("__name__", "__qualname__"):
            return object.__getattribute__(self, "_name")
        if name.startswith("__") and name.endswith("__") and name not in _READABLE:
            raise AttributeError(name)
        return getattr(_resolve(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_resolve(self), name, value)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return _resolve(self)(*args, **kwargs)

    def __instancecheck__(self, obj: Any) -> bool:
        return isinstance(obj, _resolve(self))

    def __subclasscheck__(self, cls: Any) -> bool:
        return issubclass(cls, _resolve(self))

    def __mro_entries__(self, bases: Any) -> Any:
        return FarClass.__mro_entries__(_resolve(self), bases)

    @property
    def __bases__(self) -> Any:
        return _resolve(self).__bases__

    def __repr__(self) -> str:
        return f"<solution.{object.__getattribute__(self, '_name')}>"

    @property
    def __signature__(self) -> Any:
        return inspect.signature(_resolve(self))


def make_far(ref: Ref) -> Far:
    """The handle for a ref, of the class that fits what it is."""
    kind = ref.told["kind"]
    if kind == "class":
        return FarClass(ref)
    if kind == "function":
        return FarFunction(ref)
    if kind == "module":
        return Far(ref)
    return _object_class(ref)(ref)


def _object_class(ref: Ref) -> type[Far]:
    """A local class of the same name, whose `__class__` makes isinstance work for library bases (nn.Module)."""
    cls = ref.cls_ref() or ref
    is_callable = ref.told.get("callable") is True
    if is_callable not in cls.near:
        namespace: dict[str, Any] = {"__slots__": ()}
        shadow = _shadow(cls) if cls is not ref else object
        if shadow is not object:
            namespace["__class__"] = property(lambda self: shadow)
        cls.near[is_callable] = type(cls.name(), (_Callable if is_callable else Far,), namespace)
    return cls.near[is_callable]


def _shadow(cls: Ref) -> Any:
    """A local class with the library base that the far class was said to have; never one whose objects are values."""
    if cls.shadow is None:
        found = [_library_class(pair) for pair in _pairs(cls.told.get("library"))]
        base = next((base for base in found if base is not None), object)
        try:
            cls.shadow = type(cls.name(), (base,), {}) if base is not object else object
        except (TypeError, AttributeError):  # a metaclass that wants more than a name
            cls.shadow = object
    return cls.shadow


def _library_class(pair: Any) -> Any:
    match pair:
        case [str(module), str(name)] if module.partition(".")[0] in _LIBRARIES and "." not in name:
            value = getattr(sys.modules.get(module), name, None)
            tensor = getattr(sys.modules.get("torch"), "Tensor", ())
            if isinstance(value, type) and not issubclass(value, (tensor, dict, list, tuple, int, str)):
                return value
    return None


def _pairs(value: Any) -> list[Any]:
    return value[:50] if isinstance(value, list) else []


def _lineage(cls: Ref) -> list[Ref]:
    bases = [ref_of(base) for base in cls.told.get("bases") or () if isinstance(base, Far)]
    return [cls, *(base for base in bases if base is not None)]


def _ref(far: Any) -> Ref:
    return object.__getattribute__(far, "_ref")  # type: ignore[no-any-return]


def _resolve(symbol: Any) -> Any:
    return object.__getattribute__(symbol, "_find")(object.__getattribute__(symbol, "_name"))


def _told_text(far: Any, name: str) -> str | None:
    if isinstance(far, Far):
        value = _ref(far).told.get(name)
        return value if isinstance(value, str) else None
    return None


def _signature(ref: Ref) -> inspect.Signature:
    parameters = []
    for entry in _pairs(ref.told.get("params")):
        match entry:
            case [str(name), int(kind), bool(default)] if name.isidentifier() and 0 <= kind <= 4:
                value = ... if default else inspect.Parameter.empty
                parameters.append(inspect.Parameter(name, inspect._ParameterKind(kind), default=value))
    if ref.told.get("params") is None:
        raise ValueError(f"no signature found for {ref.shown()}")
    return inspect.Signature(parameters)


def _shown(far: Any, operator: str) -> str:
    ref = _ref(far)
    if not ref.answers(operator) or not ref.session.alive:
        return ref.shown()
    text = ref.session.request("special", far, operator, [])
    return text if type(text) is str else ref.shown()


def _refuse(far: Any, wanted: str, operator: str | None = None) -> Exception:
    ref = _ref(far)
    if operator is None:
        return ref.session.refuse(f"the candidate's code gave {ref.shown()}, expected {wanted}")
    return ref.session.refuse(
        f"the candidate's code gave {ref.shown()} where the test {wanted}; if the exercise tests the candidate's own "
        f'{operator}, add it to [boundary] answers = ["{operator}"] in exercise.toml'
    )


def _copy_back(before: tuple[list[Any], dict[str, Any]], after: list[Any]) -> None:
    args, kwargs = after
    pairs = [*zip(before[0], args, strict=False), *((value, kwargs.get(name)) for name, value in before[1].items())]
    for ours, theirs in pairs:
        if type(theirs) is not type(ours):
            continue
        if isinstance(ours, (list, bytearray)):
            ours[:] = theirs
        elif isinstance(ours, (dict, set)):
            ours.clear()
            ours.update(theirs)
        elif type(ours).__module__ in ("numpy", "torch") and ours.shape == theirs.shape:
            _fill(ours, theirs)


def _fill(ours: Any, theirs: Any) -> None:
    if type(ours).__module__ == "torch":
        ours.data.copy_(theirs.detach())
    else:
        ours[...] = theirs


def _comparison(operator: str) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        ref, other_ref = _ref(self), ref_of(other)
        if other_ref is None:
            raise _refuse(self, f"a value of type {type(other).__name__}")
        if ref.answers(operator):
            return ref.session.request("special", self, operator, [other])
        cls = ref.cls_ref()
        if operator in ("__eq__", "__ne__") and not (cls is not None and cls.told.get("compares")):
            return (ref is other_ref) == (operator == "__eq__")
        raise _refuse(self, f"uses {operator} of two of its objects", operator)

    return compare


def _operator(operator: str) -> Callable[..., Any]:
    def operate(self: Any, *args: Any) -> Any:
        ref = _ref(self)
        if not ref.answers(operator):
            raise _refuse(self, f"uses {operator}", operator)
        plain = [None if inspect.istraceback(arg) else arg for arg in args]
        value = ref.session.request("special", self, operator, plain)
        return iter(value) if operator in ("__iter__", "__reversed__") and isinstance(value, (list, tuple)) else value

    return operate


def _converted(operator: str, kind: type) -> Callable[[Any], Any]:
    def convert(self: Any) -> Any:
        ref = _ref(self)
        if not ref.answers(operator):
            raise _refuse(self, f"needs its {operator}", operator)
        value = ref.session.request("special", self, operator, [])
        if type(value) is not kind:
            raise ref.session.refuse(
                f"{operator} of {ref.shown()} gave a {type(value).__name__}, not a {kind.__name__}"
            )
        return value

    return convert


def _next(self: Any) -> Any:
    try:
        return _operator("__next__")(self)
    except SolutionStop:
        raise StopIteration from None


def _of_symbol(operator: str) -> Callable[..., Any]:
    def operate(self: Any, *args: Any) -> Any:
        return getattr(_resolve(self), operator)(*args)

    return operate


for _name in _COMPARISONS:
    setattr(Far, _name, _comparison(_name))
    setattr(Symbol, _name, _of_symbol(_name))
for _name in _OPERATORS:
    setattr(Far, _name, _operator(_name))
    setattr(Symbol, _name, _of_symbol(_name))
for _name, _kind in _RESULTS.items():
    setattr(Far, _name, _converted(_name, _kind))
    if _name != "__hash__":
        setattr(Symbol, _name, _of_symbol(_name))
FarIterator.__len__ = None  # type: ignore[attr-defined]  # list() asks an iterator for it and expects a TypeError
Far.__next__ = _next  # type: ignore[attr-defined]
for _class in (Far, FarFunction, FarClass, FarIterator):  # what a reader of a handle expects is the far object's
    _class.__doc__ = property(lambda self: _told_text(self, "doc"))  # type: ignore[assignment]
Symbol.__doc__ = property(lambda self: _resolve(self).__doc__)  # type: ignore[assignment]
Symbol.__hash__ = object.__hash__  # type: ignore[method-assign]
