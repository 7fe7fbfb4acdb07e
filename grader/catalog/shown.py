"""What of an exercise people may see: statement, starter, public tests. Never the hidden parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grader.catalog.digest import entries
from grader.catalog.model import Exercise

DEFAULT_LANGUAGE = "en"  # of README.md and of `title`


def languages(exercise: Exercise) -> list[str]:
    """The languages that the statement is there in, the default first."""
    names = (path.name.removeprefix("README.").removesuffix(".md") for path in exercise.folder.glob("README.*.md"))
    return [DEFAULT_LANGUAGE, *sorted(name for name in names if name != DEFAULT_LANGUAGE)]


def statement(exercise: Exercise, wanted: Sequence[str] = ()) -> tuple[str, str]:
    """(language, Markdown) in the first of the `wanted` languages that is there; a title where there is no README."""
    language = _best(languages(exercise), wanted)
    name = "README.md" if language == DEFAULT_LANGUAGE else f"README.{language}.md"
    path = exercise.folder / name
    return language, path.read_text("utf-8") if path.exists() else f"# {exercise.title}\n"


def title(exercise: Exercise, wanted: Sequence[str] = ()) -> str:
    """The title in the first of the `wanted` languages that is there."""
    language = _best([DEFAULT_LANGUAGE, *exercise.title_in], wanted)
    return exercise.title_in.get(language, exercise.title)


def starter(exercise: Exercise) -> dict[str, str]:
    """What the candidate starts from, path -> text; empty where there is none."""
    return _texts(exercise.folder / "starter")


def public_tests(exercise: Exercise) -> dict[str, str]:
    """The tests that the candidate may see, path -> text; empty where there are none."""
    return _texts(exercise.folder / "public")


def _best(there: Sequence[str], wanted: Sequence[str]) -> str:
    """RFC 4647 lookup: each wish as it is, then ever shorter; then any that begins with it."""
    known = {name.lower(): name for name in there}
    for wish in wanted:
        parts = wish.lower().split("-")
        for length in range(len(parts), 0, -1):
            prefix = "-".join(parts[:length])
            if prefix in known:
                return known[prefix]
        if (longer := next((name for name in known if name.startswith(f"{parts[0]}-")), None)) is not None:
            return known[longer]
    return there[0]


def _texts(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    return {path: (folder / path).read_text("utf-8") for path, _ in entries(folder)}
