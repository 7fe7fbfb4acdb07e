"""Values and exceptions of the candidate's own classes, as local classes that behave like their builtin base.

What a mirror compares, computes and prints is the builtin's on our side; only attributes that the builtin does not
have are asked of the far object.
"""

from __future__ import annotations

import builtins
import collections
import enum
import keyword
import sys
from typing import Any

from sandbox.codec import CodecError

_BASES: dict[str, type] = {
    base.__name__: base for base in (int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset, complex)
}
_MOST_NAMES, _MOST_BASES = 1000, 100
# Ordinary exceptions only: nothing that pytest, a for loop or the interpreter acts upon.
_NEVER = {"StopIteration", "StopAsyncIteration", "BaseExceptionGroup", "ExceptionGroup"}
_ERRORS: dict[str, type[Exception]] = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, Exception) and name not in _NEVER
}


# And ordinary ones of these modules, as far as the judge has them.
_ERROR_MODULES = frozenset(
    {
        "json.decoder",
        "decimal",
        "struct",
        "binascii",
        "subprocess",
        "queue",
        "_queue",
        "dataclasses",
        "copy",
        "csv",
        "_csv",
    }
    | {"statistics", "re", "pickle", "_pickle", "graphlib", "zipfile", "zlib", "asyncio.exceptions", "asyncio.queues"}
    | {"torch", "torch.autograd", "numpy.exceptions", "numpy.linalg"}
)


class SolutionExit(Exception):
    """The candidate's code raised SystemExit, KeyboardInterrupt or the like."""


class SolutionStop(RuntimeError):
    """The candidate's code raised StopIteration; a real one would end a loop of the suite's."""


def _attribute(self: Any, name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(object.__getattribute__(self, "_far"), name)


def subclass(base_name: Any, content: Any, far: Any, made: dict[Any, Any]) -> Any:
    """An instance of a candidate's subclass of a builtin: the content, and `_far` for whatever else it has."""
    base = _BASES.get(base_name)
    if base is None or type(content) is not base:
        raise CodecError("the content is not what it is said to be")
    cls = _made(
        far, made, "sub", lambda name: type(name, (base,), {"__getattr__": _attribute, "__module__": "solution"})
    )
    mirrored = cls(content)
    mirrored._far = far
    return mirrored


def named_tuple(name: Any, fields: Any, content: Any, far: Any, made: dict[Any, Any]) -> Any:
    """A namedtuple with the same fields. Raises CodecError for fields that are no names."""
    names = [_identifier(field) for field in _few(fields)]

    def make(_: str) -> Any:
        base = collections.namedtuple(_identifier(name), names, rename=True)  # type: ignore[misc]
        return type(base.__name__, (base,), {"__getattr__": _attribute, "__module__": "solution"})

    cls = _made(far, made, "tuple", make)
    mirrored = cls._make(_list(content))
    mirrored._far = far
    return mirrored


def enum_member(told: dict[str, Any], cls_far: Any, made: dict[Any, Any]) -> Any:
    """The member of a local IntEnum, StrEnum or IntFlag with the same members: `is` and isinstance work."""
    handle = object.__getattribute__(cls_far, "_ref").handle
    key = ("enum", handle)
    if key not in made:
        pairs = [(_identifier(name), _small(value)) for name, value in _few(told["members"])]
        made[key] = _enum(cls_far, _identifier(told["name"]), pairs, told["flag"] is True)
    return made[key](_small(told["value"]))


def enum_class(value: Any) -> Any:
    """The far class of a member of a mirrored enum; None for anything else."""
    return getattr(type(value), "_far_class", None) if isinstance(value, enum.Enum) else None


def _enum(cls_far: Any, name: str, pairs: list[tuple[str, Any]], flag: bool) -> Any:
    base: Any = _enum_base(pairs, flag)
    made = base(name, pairs, module="solution")
    made._far_class = cls_far
    made.__getattr__ = _member_attribute
    return made


def _member_attribute(member: Any, name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return object.__getattribute__(type(member)._far_class, "_ref").session.request("get", member, name)


def error_class(told: Any) -> type[Exception]:
    """A local exception class for one of the candidate's: the same name, under the same ordinary builtin.

    A class of a library is the judge's own, if he knows it for an ordinary one.
    """
    if type(told) is not dict:
        raise CodecError("an unknown class of exceptions")
    known: Any = _library_error(told["module"], told["name"])
    if known is not None:
        return known  # type: ignore[no-any-return]
    bases = tuple(base for base in _list(told["bases"]) if isinstance(base, type) and issubclass(base, Exception))
    base = bases[0] if bases else _ordinary(told["builtins"])
    if len(base.__mro__) > _MOST_BASES:
        raise CodecError("a class of exceptions with too many bases")
    doc = told["doc"] if type(told["doc"]) is str else None
    return type(_identifier(told["name"]), (base,), {"__module__": "solution", "__doc__": doc})


def error_ref(value: Any) -> Any:
    """The ref of the candidate's class of exceptions that a local one stands for; None for anything else."""
    return vars(value).get("_far") if isinstance(value, type) and _is_error_class(value) else None


def error(told: dict[str, Any]) -> Exception:
    """An exception of the candidate's, with plain arguments; `_where` says where in their files it was raised."""
    cls = told["cls"] if _is_error_class(told["cls"]) else _ordinary(told["builtins"])
    args = [arg for arg in _list(told["args"]) if type(arg) in (str, int, float, bool, type(None))]
    if issubclass(cls, SyntaxError):  # the rest is a place, which `_where` has
        del args[1:]
    text = told["text"] if type(told["text"]) is str else ""
    try:
        mirrored = cls(*args)
    except Exception:
        mirrored = cls.__new__(cls, text)
    shown = "" if str(mirrored) == text else text
    if shown and not isinstance(mirrored, (KeyError, OSError)):
        mirrored.args = (text,)
    attributes = told["attributes"] if type(told["attributes"]) is dict else {}
    for name, value in attributes.items():
        if type(name) is str and name.isidentifier() and not name.startswith("_"):
            setattr(mirrored, name, _plain(value))
    vars(mirrored)["_where"] = _where(told["where"])
    return mirrored


def _ordinary(names: Any) -> type[Exception]:
    known = [_ERRORS[name] for name in _list(names) if name in _ERRORS]
    if "StopIteration" in names:
        return SolutionStop
    return known[0] if known else SolutionExit


def _is_error_class(cls: Any) -> bool:
    ours = isinstance(cls, type) and issubclass(cls, Exception)
    return ours and (cls.__module__ == "solution" or cls.__module__ in _ERROR_MODULES)


def _library_error(module: Any, name: Any) -> Any:
    if type(module) is not str or module not in _ERROR_MODULES or type(name) is not str:
        return None
    found = vars(sys.modules.get(module, object)).get(name)  # no getattr: some modules import when asked
    return found if _is_error_class(found) else None


def _where(told: Any) -> list[tuple[str, int, str]]:
    return [
        (file[:200], line, name[:200])
        for file, line, name in _list(told)
        if type(file) is str and type(line) is int and type(name) is str
    ]


def _made(far: Any, made: dict[Any, Any], kind: str, make: Any) -> Any:
    cls_ref = object.__getattribute__(far, "_ref").cls_ref()
    key = (kind, cls_ref.handle if cls_ref is not None else -1)
    if key not in made:
        made[key] = make(cls_ref.name() if cls_ref is not None else "solution")
    return made[key]


def _enum_base(pairs: list[tuple[str, Any]], flag: bool) -> Any:
    if flag:
        return enum.IntFlag
    return enum.IntEnum if all(type(value) is int for _, value in pairs) else enum.StrEnum


def _identifier(name: Any) -> str:
    if type(name) is not str or not name.isidentifier() or keyword.iskeyword(name) or len(name) > 100:
        raise CodecError("a name that is none")
    return name


def _list(value: Any) -> Any:
    if type(value) is not list:
        raise CodecError("a list that is none")
    return value


def _few(value: Any) -> Any:
    """A list that a class may be made from, in a time that grows with its square."""
    if len(_list(value)) > _MOST_NAMES:
        raise CodecError("too many names for a class")
    return value


def _small(value: Any) -> Any:
    """The value of a member. Flags are taken apart bit by bit."""
    if type(value) is int and value.bit_length() > _MOST_NAMES:
        raise CodecError("a member of too many bits")
    return _plain(value)


def _plain(value: Any) -> Any:
    if type(value) not in (str, int, float, bool, type(None)):
        raise CodecError("not a plain value")
    return value
