"""Functions that a suite sends over: their source, without what a reader should not see, and what they use."""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import textwrap
import types
from collections.abc import Callable
from typing import Any

from grader.judge import current

_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")


class Sent:
    """A function marked `@in_guest`: sent when it is first called, and again when a name in it means something else."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        # Read now, while the file is what was imported: an author may save another one in the middle of a grading.
        self._source = source(function) if current.session() is not None else ""
        self._sent: tuple[int, dict[str, Any], Any] | None = None
        self._on_its_way = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current.session() is None:
            return self._function(*args, **kwargs)
        return self.far()(*args, **kwargs)

    def far(self) -> Any:
        """The function in the guest that is there now."""
        session = current.session()
        if session is None:
            raise RuntimeError("no judge is running")
        used = self._used()
        if self._sent is None or self._sent[0] != session.generation or not _same(self._sent[1], used):
            if self._on_its_way:
                raise TypeError(f"{self._function.__name__} and another function marked @in_guest use each other")
            self._on_its_way = True
            try:
                names = {name: _sendable(name, value) for name, value in used.items()}
                far = session.request("send", self._source, self._function.__name__, names)
            finally:
                self._on_its_way = False
            self._sent = (session.generation, used, far)
        return self._sent[2]

    def _used(self) -> dict[str, Any]:
        """What the names of the suite that the function uses stand for now; its own name is found where it arrives."""
        function = self._function
        code = function.__code__
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        closed = {name: cell.cell_contents for name, cell in cells}
        seen = {**function.__globals__, **closed}
        names = (name for name in sorted(_used(code)) if name in seen)
        return {name: seen[name] for name in names if seen[name] is not self}


def _same(earlier: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether the names stand for the same objects, whatever these think of equality."""
    return earlier.keys() == now.keys() and all(earlier[name] is now[name] for name in now)


def _used(code: types.CodeType) -> set[str]:
    """The names that the code looks up outside itself, its inner functions and comprehensions included.

    Not those of attributes: `model.answer` must not send a global of the suite's that is called `answer`.
    """
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    steps = (step.argval for step in dis.get_instructions(code) if step.opname in _GLOBAL)
    looked_up = (name for name in steps if not name.startswith("__"))  # a class looks for its module's name
    return {*looked_up, *code.co_freevars}.union(*map(_used, inner))


def source(function: Callable[..., Any]) -> str:
    """The function's source without decorators, comments and docstring. Raises TypeError for what is no plain one."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"@in_guest marks plain functions, not {type(definition).__name__}")
    if definition.name != function.__name__:
        raise TypeError(f"the source of {function.__name__} changed while the suite was read")
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
