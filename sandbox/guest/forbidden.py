"""Names that the statement forbids, replaced by functions that say so.

The check on the syntax tree is the judge's. This one catches what no reading finds: `getattr(torch.nn, "LS" + "TM")`.
Code that takes the interpreter apart can still reach the original: SECURITY.md says so.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any


class ForbiddenName(RuntimeError):
    """The candidate's code used what the statement says not to use."""


class Forbidden:
    def __init__(self) -> None:
        self._used: str | None = None

    def arm(self, names: list[str]) -> None:
        """Replace each dotted name wherever its own package holds it, under whatever alias."""
        for dotted in names:
            *path, name = dotted.split(".")
            if not path:
                continue  # a builtin: found by reading
            try:
                original = getattr(_found(path), name)
            except (ImportError, AttributeError, ValueError):
                continue
            self._replace(dotted, original)

    def check(self) -> None:
        """Raise if a forbidden name was used since, even if the candidate's code caught what it raised."""
        if self._used is not None:
            raise ForbiddenName(f"uses {self._used}, which the statement forbids")

    def _replace(self, dotted: str, original: Any) -> None:
        def refuse(*args: Any, **kwargs: Any) -> None:
            self._used = dotted
            self.check()

        *path, name = dotted.split(".")
        refuse.__name__ = name
        for module_name, module in list(sys.modules.items()):
            if module is not None and module_name.partition(".")[0] == path[0]:
                for alias in [key for key, value in vars(module).items() if value is original]:
                    setattr(module, alias, refuse)
        if getattr(_found(path), name) is not refuse:  # not in the holder's own dictionary
            _put(path, name, refuse)


class _Instead:
    """Stands for an object that lets none of its attributes be set: has them all, but for those that are set here."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _found(path: list[str]) -> Any:
    """What a dotted name leads to, whether a module or an object in one. Raises ImportError."""
    found = importlib.import_module(path[0])
    for depth, part in enumerate(path[1:], 2):
        found = getattr(found, part) if hasattr(found, part) else importlib.import_module(".".join(path[:depth]))
    return found


def _put(path: list[str], name: str, refuse: Callable[..., None]) -> None:
    """Set an attribute of what `path` leads to, or of something that takes its place."""
    holder = _found(path)
    try:
        setattr(holder, name, refuse)
    except (AttributeError, TypeError):
        instead = _Instead(holder)
        setattr(instead, name, refuse)
        setattr(_found(path[:-1]), path[-1], instead)
