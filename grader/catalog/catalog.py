"""The exercises of a folder. A changed one is read anew; a broken one does not hide the others."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.catalog.digest import Signature, left_behind, signature
from grader.catalog.model import Exercise
from grader.catalog.read import read
from grader.catalog.schema import FILE, nearest
from grader.errors import BadInput, ExerciseError
from sandbox.limits import Limits


class UnknownExercise(BadInput):
    """No exercise of that name; the message names the nearest one."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(known) or 'none'}"
        super().__init__(f"there is no exercise {name!r}; {hint}", "unknown_exercise")


@dataclass(frozen=True)
class _Read:
    signature: Signature
    found: Exercise | ExerciseError


class Catalog:
    """Thread-safe. `limits` are those that an exercise.toml leaves open."""

    def __init__(self, folder: Path, limits: Limits = Limits()) -> None:  # noqa: B008  (frozen)
        self.folder = folder
        self._limits = limits
        self._read: dict[str, _Read] = {}
        self._lock = threading.Lock()

    def look(self) -> dict[str, Exercise | ExerciseError]:
        """All folders as they are on disk now, sorted by name: the exercise, or what is wrong with it."""
        return {name: self._look(name) for name in self._names()}

    def slugs(self) -> list[str]:
        """The exercises that can be graded, sorted."""
        return [name for name, found in self.look().items() if isinstance(found, Exercise)]

    def problems(self) -> dict[str, str]:
        """What is wrong with those that cannot, by folder name."""
        return {name: str(found) for name, found in self.look().items() if isinstance(found, ExerciseError)}

    def runtimes(self) -> frozenset[str]:
        """The runtimes that these exercises need."""
        return frozenset(found.runtime for found in self.look().values() if isinstance(found, Exercise))

    def get(self, slug: str) -> Exercise:
        """The exercise as it is on disk now. Raises UnknownExercise, or ExerciseError if it is broken."""
        names = self._names()
        if slug not in names:
            raise UnknownExercise(slug, names)
        found = self._look(slug)
        if isinstance(found, ExerciseError):
            raise found
        return found

    def find(self, slug_or_folder: str | Path) -> Exercise:
        """The exercise of that slug, or the one in any folder of the format. Raises as `get` does."""
        name = str(slug_or_folder)
        if name in self._names():
            return self.get(name)
        folder = Path(slug_or_folder)
        if folder.is_dir():
            return read(folder.resolve(), self._limits)
        if "/" in name:
            raise ExerciseError(f"there is no folder {name}")
        return self.get(name)

    def _names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        folders = (child for child in self.folder.iterdir() if child.is_dir() and not left_behind(child.name))
        return sorted(child.name for child in folders if (child / FILE).exists() or (child / "tests").exists())

    def _look(self, name: str) -> Exercise | ExerciseError:
        folder = self.folder / name
        try:
            seen = signature(folder)
        except (OSError, ExerciseError) as error:
            return ExerciseError(f"{folder}: {error}")
        with self._lock:
            known = self._read.get(name)
        if known is None or known.signature != seen:
            known = _Read(seen, self._fresh(folder))
            with self._lock:
                self._read[name] = known
        return known.found

    def _fresh(self, folder: Path) -> Exercise | ExerciseError:
        try:
            exercise = read(folder.resolve(), self._limits)
        except ExerciseError as error:
            return error
        if exercise.slug != folder.name:
            return ExerciseError(f"{folder}: its slug is {exercise.slug}; rename the folder or the slug")
        return exercise
