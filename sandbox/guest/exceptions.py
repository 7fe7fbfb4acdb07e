"""The candidate's exceptions as plain values: builtin names, capped arguments, and where in their files it happened."""

from __future__ import annotations

import traceback
from typing import Any

_TEXT = 2000
_FRAMES = 8


def tell(error: BaseException, folder: str) -> dict[str, Any]:
    """What the judge is told of a raised exception. `cls` is the class itself, if it is not a builtin one."""
    try:
        return _tell(error, folder)
    except Exception:  # its own attributes cannot be read
        return _tell(RuntimeError(f"a {type(error).__name__} whose attributes cannot be read"), folder)


def _tell(error: BaseException, folder: str) -> dict[str, Any]:
    cls = type(error)
    return {
        "cls": None if cls.__module__ == "builtins" else cls,
        "builtins": _builtins(cls),
        "args": [_plain(arg) for arg in error.args[:8]] if type(error.args) is tuple else [],
        "text": _shown(error),
        "where": _where(error, folder),
        "attributes": _attributes(error),
        "thrown": getattr(error, "_thrown", None),
    }


def tell_class(cls: type[BaseException]) -> dict[str, Any]:
    """What the judge is told of an exception class of the candidate's."""
    return {
        "name": cls.__name__[:100],
        "module": cls.__module__,
        "doc": (cls.__doc__ or "")[:_TEXT] if type(cls.__doc__) is str else "",
        "builtins": _builtins(cls),
        "bases": [
            base for base in cls.__mro__[1:] if issubclass(base, BaseException) and base.__module__ != "builtins"
        ],
    }


def _builtins(cls: type) -> list[str]:
    return [base.__name__ for base in cls.__mro__ if base.__module__ == "builtins"]


def _plain(value: Any) -> Any:
    if type(value) is str:
        return value[:_TEXT]
    if type(value) in (bool, float, type(None)) or (type(value) is int and value.bit_length() <= 64):
        return value
    return f"<{type(value).__name__}>"


def _attributes(error: BaseException) -> dict[str, Any]:
    own = getattr(error, "__dict__", {})
    return {name: _plain(value) for name, value in list(own.items())[:20] if type(name) is str and name.isidentifier()}


def _shown(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT]
    except Exception:
        return "(its text cannot be shown)"


def _where(error: BaseException, folder: str) -> list[list[Any]]:
    """The innermost frames that lie in the candidate's own files: [file, line, function]."""
    frames = [
        [frame.f_code.co_filename[len(folder) :].lstrip("/"), line, frame.f_code.co_name]
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.startswith(folder)
    ]
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(folder):
        frames.append([error.filename[len(folder) :].lstrip("/"), error.lineno, error.text or ""])
    return frames[-_FRAMES:]
