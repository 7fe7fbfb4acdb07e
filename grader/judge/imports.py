"""`import solution` in the suite.

The suite is collected before any guest exists, so that which tests there are never depends on a candidate. Names that
it imports then are symbols; once the solution is loaded, those that turn out to be plain values or exception classes
are put in the symbols' places in the modules of the suite.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

from grader.judge.far import Far, Symbol
from grader.judge.session import Session


class Solution(types.ModuleType):
    """The module object behind `import solution`."""

    def __init__(self) -> None:
        super().__init__("solution", "The candidate's solution, seen through the wall.")
        self.__dict__["_symbols"] = {}
        self.__dict__["_session"] = None
        self.__dict__["_places"] = []

    def attach(self, session: Session) -> None:
        self.__dict__["_session"] = session

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        session: Session | None = self.__dict__["_session"]
        if session is not None and session.alive:
            return self.find(name)
        symbols = self.__dict__["_symbols"]
        if name not in symbols:
            symbols[name] = Symbol(name, self.find)
        return symbols[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            session = self._there()
            session.request("set", session.request("module"), name, value)

    def find(self, name: str) -> Any:
        """What the name is in the guest. Raises AttributeError where the solution does not define it."""
        return self._found(name, self._there().request("find", [name]))

    def _found(self, name: str, answer: Any) -> Any:
        match answer:
            case [[True, value]]:
                return value
        raise AttributeError(f"solution.py does not define {name}")

    def _there(self) -> Session:
        session: Session | None = self.__dict__["_session"]
        if session is None:
            raise ImportError(
                "the suite uses what solution.py defines while it is being collected; use it inside a test or a fixture"
            )
        session.ensure_guest()
        return session

    def note_places(self, modules: Sequence[types.ModuleType]) -> None:
        """Remember where the suite's modules hold symbols."""
        self.__dict__["_places"] = [
            (vars(module), key, object.__getattribute__(value, "_name"), value)
            for module in modules
            for key, value in vars(module).items()
            if type(value) is Symbol
        ]

    def fill_places(self) -> None:
        """A guest is there: plain values take the places of their symbols."""
        places = self.__dict__["_places"]
        answer = self._there().request("find", [name for _, _, name, _ in places]) if places else []
        if not isinstance(answer, list) or len(answer) != len(places):
            raise ImportError("the names of solution.py could not be found")
        for (namespace, key, _, symbol), found in zip(places, answer, strict=True):
            match found:
                case [True, value] if not isinstance(value, Far):
                    namespace[key] = value
                case _:
                    namespace[key] = symbol


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `solution`, and refuses its submodules with a reason."""

    def __init__(self, solution: Solution) -> None:
        self._solution = solution

    def install(self) -> None:
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name == "solution" else None

    def create_module(self, spec: Any) -> types.ModuleType:
        return self._solution

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run: the module is a window."""
