"""The digest that a grading names an exercise and a submission by."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.catalog.digest import digest, of_files
from grader.errors import ExerciseError

FILES = {"exercise.toml": b"slug", "tests/test_a.py": b"x = 1\n", "tests/data.csv": b"1,2\n"}


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_the_digest_is_the_same_on_every_machine(tmp_path: Path) -> None:
    expected = "sha256:77ce85bce2318580b635e5a5444923ae7448e05a15535fa6ebf9a85f919b7994"
    assert digest(write(tmp_path, FILES)) == of_files(FILES.items()) == expected


@pytest.mark.parametrize(
    "path",
    ["tests/__pycache__/test_a.pyc", ".pytest_cache/x", "tests/.test_a.py.swp", "tests/test_a.py~", ".DS_Store"],
)
def test_what_tools_leave_behind_does_not_count(tmp_path: Path, path: str) -> None:
    folder = write(tmp_path, FILES)
    before = digest(folder)
    assert digest(write(folder, {path: b"litter"})) == before


def test_times_modes_and_empty_folders_do_not_count(tmp_path: Path) -> None:
    folder = write(tmp_path, FILES)
    before = digest(folder)
    os.utime(folder / "exercise.toml", (1, 1))
    (folder / "exercise.toml").chmod(0o600)
    (folder / "empty").mkdir()
    assert digest(folder) == before


def test_hidden_files_that_are_not_litter_count(tmp_path: Path) -> None:
    folder = write(tmp_path, FILES)
    before = digest(folder)
    assert digest(write(folder, {"assets/.data": b""})) != before


def test_a_link_or_a_pipe_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, FILES)
    os.mkfifo(folder / "pipe")
    with pytest.raises(ExerciseError, match="pipe is a link or a special file"):
        digest(folder)


names = st.text("ab/", min_size=1, max_size=4)
trees = st.dictionaries(names, st.binary(max_size=4), max_size=4)


@given(trees, trees)
def test_different_files_have_different_digests(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (of_files(one.items()) == of_files(other.items())) == (one == other)


@given(trees)
def test_the_order_of_files_does_not_count(files: dict[str, bytes]) -> None:
    assert of_files(reversed(files.items())) == of_files(files.items())
