"""Reads an exercise folder. Whatever does not fit the format is told, with the file and the remedy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from grader.catalog.digest import entries, of_files
from grader.catalog.model import Boundary, Exercise, Wrong
from grader.catalog.schema import FILE, ExerciseTable, nearest, parse
from grader.errors import ExerciseError
from sandbox.limits import Limits

_FOLDERS = ("starter", "public", "tests", "reference", "alternatives", "wrong", "assets")
_TEXTS = ("starter/", "public/", "README")


def read(folder: Path, limits: Limits = Limits()) -> Exercise:  # noqa: B008  (frozen)
    """The exercise in `folder`; `limits` are those that its exercise.toml leaves open. Raises ExerciseError."""
    if not folder.is_dir():
        raise ExerciseError(f"{folder} is not a folder; an exercise is a folder with {FILE}, tests/ and reference/")
    try:
        files = {path: (folder / path).read_bytes() for path, _ in entries(folder)}
        table = parse(_toml(files))
        _check_files(folder, files, table)
        limits = _limits(table, limits)
    except OSError as error:
        raise ExerciseError(f"{folder} cannot be read: {error}") from None
    except ExerciseError as error:
        raise ExerciseError(f"{folder}: {error}") from None
    return _exercise(folder, table, limits, of_files(files.items()))


def _exercise(folder: Path, table: ExerciseTable, limits: Limits, digest: str) -> Exercise:
    return Exercise(
        folder=folder,
        slug=table.slug,
        title=table.title,
        digest=digest,
        runtime=table.runtime,
        title_in=table.title_in,
        limits=limits,
        feedback=table.feedback.hidden,
        points=table.points,
        forbid=tuple(table.rules.forbid),
        boundary=Boundary(tuple(table.boundary.answers), tuple(table.boundary.copy_back)),
        source=table.source,
        wrong={name: Wrong(tuple(wrong.fails), tuple(wrong.may_fail)) for name, wrong in table.wrong.items()},
    )


def _toml(files: Mapping[str, bytes]) -> dict[str, Any]:
    if FILE not in files:
        raise ExerciseError(f"there is no {FILE}; `grader exercise new` makes one to start from")
    try:
        return tomllib.loads(files[FILE].decode())
    except UnicodeDecodeError as error:
        raise ExerciseError(f"{FILE} is not UTF-8: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ExerciseError(f"{FILE} is not TOML: {error}") from None


def _limits(table: ExerciseTable, defaults: Limits) -> Limits:
    limits = replace(defaults, **table.limits.model_dump(exclude_none=True))
    for unit in ("cpu_s", "wall_s"):
        single, whole = getattr(limits, f"test_{unit}"), getattr(limits, unit)
        if single is not None and single > whole:
            raise ExerciseError(f"{FILE}: limits.test_{unit} = {single:g} is more than limits.{unit} = {whole:g}")
    return limits


def _check_files(folder: Path, files: Mapping[str, bytes], table: ExerciseTable) -> None:
    _check_folders(folder)
    if not any(path.startswith("tests/") and _is_test(path) for path in files):
        raise ExerciseError("tests/ has no test_*.py: that is where the hidden suite goes")
    if "reference/solution.py" not in files:
        raise ExerciseError("there is no reference/solution.py: a solution that passes all tests")
    if any(path.startswith("starter/") for path in files) and "starter/solution.py" not in files:
        raise ExerciseError("starter/ has no solution.py: that is what candidates start from")
    _check_wrong(files, table)
    for path, content in files.items():
        if path.startswith(_TEXTS):
            _check_text(path, content)


def _check_folders(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and child.name not in _FOLDERS and (near := nearest(child.name, _FOLDERS)) is not None:
            raise ExerciseError(f"{child.name}/ is no folder of the format; did you mean {near}/?")


def _check_wrong(files: Mapping[str, bytes], table: ExerciseTable) -> None:
    """Each wrong/<name>.py has its [wrong.<name>], and the other way round."""
    there = {path.removeprefix("wrong/") for path in files if path.startswith("wrong/")}
    for name in there:
        stem = name.removesuffix(".py")
        if not stem.isidentifier() or stem == name:
            raise ExerciseError(f"wrong/{name}: a known-wrong solution is one file called wrong/<name>.py")
        if stem not in table.wrong:
            raise ExerciseError(
                f"wrong/{name} is not in {FILE}; add:\n[wrong.{stem}]\nfails = [...]  # the tests that it must fail"
            )
    for name in table.wrong:
        if f"{name}.py" not in there:
            near = nearest(f"{name}.py", sorted(there))
            raise ExerciseError(
                f"{FILE}: [wrong.{name}] has no wrong/{name}.py" + (f"; did you mean wrong/{near}?" if near else "")
            )


def _check_text(path: str, content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise ExerciseError(f"{path} is shown to candidates and must be UTF-8: {error}") from None


def _is_test(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith("test_") and name.endswith(".py")
