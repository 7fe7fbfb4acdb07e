"""Names that the statement forbids, replaced by functions that say so.

The check on the syntax tree is the judge's. This one catches what no reading finds: `getattr(torch.nn, "LS" + "TM")`.
Code that takes the interpreter apart can still reach the original: SECURITY.md says so.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


class ForbiddenName(RuntimeError):
    """The candidate's code used what the statement says not to use."""


class Forbidden:
    def __init__(self) -> None:
        self._used: str | None = None

    def arm(self, names: list[str]) -> None:
        """Replace each dotted name wherever its own package holds it, under whatever alias."""
        for dotted in names:
            module_name, _, name = dotted.rpartition(".")
            try:
                original = getattr(importlib.import_module(module_name), name)
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

        refuse.__name__ = dotted.rpartition(".")[2]
        package = dotted.partition(".")[0]
        for module_name, module in list(sys.modules.items()):
            if module is not None and module_name.partition(".")[0] == package:
                for alias in [key for key, value in vars(module).items() if value is original]:
                    setattr(module, alias, refuse)
