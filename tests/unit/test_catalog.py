"""The catalog of a folder: found, cached, read anew when changed, and what people are shown of an exercise."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.catalog import shown
from grader.catalog.catalog import Catalog, UnknownExercise
from grader.errors import ExerciseError


def write(folder: Path, slug: str, **files: str) -> Path:
    content = {
        "exercise.toml": f'slug = "{slug}"\ntitle = "Title of {slug}"\nruntime = "python"\n[title_in]\nzh = "题"\n',
        "tests/test_it.py": "def test_it(): pass\n",
        "reference/solution.py": "",
        **files,
    }
    for path, text in content.items():
        target = folder / slug / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder / slug


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    write(tmp_path, "adding")
    write(tmp_path, "sorting")
    return Catalog(tmp_path)


def test_exercises_are_listed_by_slug(catalog: Catalog) -> None:
    (catalog.folder / "__pycache__").mkdir()
    (catalog.folder / "notes.txt").touch()
    assert catalog.slugs() == ["adding", "sorting"]
    assert catalog.get("adding").title == "Title of adding"


def test_an_unknown_exercise_names_the_nearest(catalog: Catalog) -> None:
    with pytest.raises(UnknownExercise, match="no exercise 'ading'; did you mean adding") as caught:
        catalog.get("ading")
    assert caught.value.code == "unknown_exercise"


@pytest.mark.parametrize("name", ["../adding", "/etc", "", ".", "adding/../adding", "adding/"])
def test_a_slug_is_never_a_path(catalog: Catalog, name: str) -> None:
    with pytest.raises(UnknownExercise):
        catalog.get(name)


def test_an_unchanged_exercise_is_read_once(catalog: Catalog) -> None:
    assert catalog.get("adding") is catalog.get("adding")


@pytest.mark.parametrize("path", ["exercise.toml", "tests/test_it.py", "tests/new.py"])
def test_a_changed_exercise_is_read_anew(catalog: Catalog, path: str) -> None:
    before = catalog.get("adding")
    with open(catalog.folder / "adding" / path, "a") as file:
        file.write("# more\n")
    assert catalog.get("adding").digest != before.digest


def test_a_broken_exercise_does_not_hide_the_others(catalog: Catalog) -> None:
    (catalog.folder / "sorting" / "reference" / "solution.py").unlink()
    assert catalog.slugs() == ["adding"]
    assert "no reference/solution.py" in catalog.problems()["sorting"]
    with pytest.raises(ExerciseError, match=r"no reference/solution\.py"):
        catalog.get("sorting")


def test_a_repaired_exercise_comes_back(catalog: Catalog) -> None:
    (catalog.folder / "sorting" / "exercise.toml").unlink()
    assert catalog.slugs() == ["adding"]
    write(catalog.folder, "sorting")
    assert catalog.slugs() == ["adding", "sorting"]
    assert catalog.problems() == {}


def test_a_folder_is_called_what_its_slug_is(catalog: Catalog) -> None:
    (catalog.folder / "adding").rename(catalog.folder / "summing")
    assert "its slug is adding" in catalog.problems()["summing"]


def test_an_exercise_is_found_by_slug_or_by_folder(catalog: Catalog, tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere", "dividing")
    assert catalog.find("adding").slug == "adding"
    assert catalog.find(elsewhere).slug == "dividing"
    with pytest.raises(UnknownExercise):
        catalog.find("multiplying")


def test_a_missing_folder_is_an_empty_catalog(tmp_path: Path) -> None:
    assert Catalog(tmp_path / "nowhere").slugs() == []


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ([], "en"),
        (["zh"], "zh"),
        (["ZH-Hant", "en"], "zh"),
        (["fr", "pt"], "pt-BR"),
        (["en-GB", "zh"], "en"),
        (["*"], "en"),
    ],
)
def test_a_statement_comes_in_the_best_language_there_is(tmp_path: Path, wanted: list[str], language: str) -> None:
    readmes = {"README.md": "en", "README.zh.md": "zh", "README.pt-BR.md": "pt-BR"}
    write(tmp_path, "adding", **readmes)
    assert shown.statement(Catalog(tmp_path).get("adding"), wanted) == (language, language)


def test_without_a_statement_there_is_the_title(catalog: Catalog) -> None:
    exercise = catalog.get("adding")
    assert shown.statement(exercise) == ("en", "# Title of adding\n")
    assert (shown.title(exercise), shown.title(exercise, ["zh-CN"])) == ("Title of adding", "题")


def test_starter_and_public_tests_are_shown_and_nothing_else(tmp_path: Path) -> None:
    files = {"starter/solution.py": "start", "public/test_it.py": "public", "public/__pycache__/x.pyc": "litter"}
    exercise = Catalog(write(tmp_path, "adding", **files).parent).get("adding")
    assert shown.starter(exercise) == {"solution.py": "start"}
    assert shown.public_tests(exercise) == {"test_it.py": "public"}
