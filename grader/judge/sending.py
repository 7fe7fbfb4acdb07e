"""Functions that a suite sends over: their source, without what a reader should not see, and the names that they use."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
import types
from collections.abc import Callable
from typing import Any

from grader.judge import current


class Sent:
    """A function marked `@in_guest`. Calling it sends it once per guest and calls it there."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._sent: tuple[int, Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current.session() is None:
            return self._function(*args, **kwargs)
        return self.far()(*args, **kwargs)

    def far(self) -> Any:
        """The function in the guest that is there now."""
        session = current.session()
        if session is None:
            raise RuntimeError("no judge is running")
        if self._sent is None or self._sent[0] != session.generation:
            far = session.request("send", source(self._function), self._function.__name__, self._names())
            self._sent = (session.generation, far)
        return self._sent[1]

    def _names(self) -> dict[str, tuple[bool, Any]]:
        """The names of the suite that the function uses: modules by name, other values as they are."""
        function = self._function
        code = function.__code__
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        closed = {name: cell.cell_contents for name, cell in cells}
        seen = {**function.__globals__, **closed}
        return {name: _sendable(name, seen[name]) for name in sorted(_used(code)) if name in seen}


def _used(code: types.CodeType) -> set[str]:
    """The names that the code looks up outside itself, its inner functions and comprehensions included."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return {*code.co_names, *code.co_freevars}.union(*map(_used, inner))


def source(function: Callable[..., Any]) -> str:
    """The function's source without decorators, comments and docstring."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"@in_guest marks plain functions, not {type(definition).__name__}")
    definition.decorator_list.clear()
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _sendable(name: str, value: Any) -> tuple[bool, Any]:
    if isinstance(value, types.ModuleType):
        return True, value.__name__
    if isinstance(value, Sent):
        return False, value.far()
    if isinstance(value, types.FunctionType) and value.__module__.partition(".")[0] not in ("torch", "numpy"):
        raise TypeError(f"{name} is used by a function marked @in_guest; mark it @in_guest too")
    return False, value
