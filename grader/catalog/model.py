"""An exercise as data. Reading a folder is `grader.catalog.read`'s work; nothing here touches the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sandbox.limits import Limits

Feedback = Literal["full", "titles", "score", "none"]


@dataclass(frozen=True)
class Boundary:
    """What the wall lets through beyond values, attribute access and calls."""

    answers: tuple[str, ...] = ()  # dunder names that the candidate's objects may answer; ("*",) for all
    copy_back: tuple[str, ...] = ()  # functions whose in-place changes to arguments come back; ("*",) for all


@dataclass(frozen=True)
class Wrong:
    """The tests that a known-wrong solution fails (function names or ids): with every seed; with some seeds."""

    fails: tuple[str, ...]  # ("*",) for all
    may_fail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """One exercise folder, read and checked.

    ``points`` maps a test id, a test's function name, or a marker name to points. ``wrong`` maps the name of a
    known-wrong solution to the tests that it fails. ``digest`` is "sha256:<hex>" over the folder's content: it is the
    version that a grading names.
    """

    folder: Path
    slug: str
    title: str
    digest: str
    runtime: str = "python"
    title_in: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    feedback: Feedback = "titles"
    points: Mapping[str, float] = field(default_factory=dict)
    forbid: tuple[str, ...] = ()
    boundary: Boundary = field(default_factory=Boundary)
    source: Mapping[str, Any] = field(default_factory=dict)
    wrong: Mapping[str, Wrong] = field(default_factory=dict)

    @property
    def tests(self) -> Path:
        """The folder of the hidden suite."""
        return self.folder / "tests"

    @property
    def reference(self) -> Path:
        """The folder of the reference solution."""
        return self.folder / "reference"

    @property
    def assets(self) -> Path:
        """Data that guest and judge may read; need not exist."""
        return self.folder / "assets"
