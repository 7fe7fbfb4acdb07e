"""`import solution` in the suite.

The suite is collected before any guest exists, so that which tests there are never depends on a candidate. Names that
it imports then are symbols; once the solution is loaded, what they turn out to be is put in their places in the
modules of the suite.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

from grader.judge.session import Session
from grader.judge.symbols import Symbol, name_of


class Solution(types.ModuleType):
    """The module object behind `import solution`."""

    _symbols: dict[str, Symbol]
    _session: Session | None
    _places: list[tuple[dict[str, Any], str, str, Symbol]]

    def __init__(self) -> None:
        super().__init__("solution", "The candidate's solution, seen through the wall.")
        for name, value in (("_symbols", {}), ("_session", None), ("_places", [])):
            super().__setattr__(name, value)

    def attach(self, session: Session) -> None:
        super().__setattr__("_session", session)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if self._session is not None and self._session.alive:
            return self.find(name)
        if name not in self._symbols:
            self._symbols[name] = Symbol(name, self.find)
        return self._symbols[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            session = self._there()
            session.request("set", session.request("module"), name, value)

    def __delattr__(self, name: str) -> None:
        session = self._there()
        session.request("del", session.request("module"), name)

    def __dir__(self) -> list[str]:
        session = self._there()
        return session.names(session.request("module"))

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """What the solution defines: monkeypatch looks here for what it has to put back."""
        return {name: self.find(name) for name in dir(self) if not name.startswith("__")}

    def find(self, name: str) -> Any:
        """What the name is in the guest. Raises AttributeError where the solution does not define it."""
        match self._there().request("find", [name]):
            case [[True, value]]:
                return value
        raise AttributeError(f"solution.py does not define {name}")

    def _there(self) -> Session:
        session = self._session
        if session is None:
            raise ImportError(
                "the suite uses what solution.py defines while it is being collected; use it inside a test or a fixture"
            )
        session.ensure_guest()
        return session

    def note_places(self, modules: Sequence[types.ModuleType]) -> None:
        """Remember where the suite's modules hold symbols."""
        places = [
            (vars(module), key, name_of(value), value)
            for module in modules
            for key, value in vars(module).items()
            if type(value) is Symbol
        ]
        super().__setattr__("_places", places)

    def fill_places(self) -> None:
        """A guest is there: what the names are in it takes the places of their symbols."""
        places = self._places
        answer = self._there().request("find", [name for _, _, name, _ in places]) if places else []
        if type(answer) is not list or len(answer) != len(places):
            raise ImportError("the names of solution.py could not be found")
        for (namespace, key, _, symbol), found in zip(places, answer, strict=True):
            match found:
                case [True, value]:
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
