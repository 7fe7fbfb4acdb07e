"""What may be stored as a submission, however it comes in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader.errors import UploadError
from grader.submissions.archives import from_path
from grader.submissions.files import Caps, check, digest
from tests.unit.archives import tarred, zipped

GOOD = {"solution.py": b"import helpers\n", "helpers.py": b"x = 1\n", "data/table.bin": b"\xff\x00"}
CAPS = Caps(total_bytes=10_000, files=5)


def refusal(files: dict[str, bytes], caps: Caps = CAPS) -> UploadError:
    with pytest.raises(UploadError) as caught:
        check(files, caps)
    return caught.value


def test_good_files_are_kept_as_they_are() -> None:
    assert check(GOOD, CAPS) == GOOD
    assert list(check(GOOD, CAPS)) == sorted(GOOD)


def test_a_single_folder_around_everything_is_taken_off() -> None:
    assert check({f"work/{path}": content for path, content in GOOD.items()}, CAPS) == GOOD


def test_what_tools_leave_behind_is_dropped() -> None:
    litter = {"__pycache__/solution.cpython-311.pyc": b"", ".git/config": b"", ".DS_Store": b"", "__MACOSX/._x": b""}
    assert check(GOOD | litter, CAPS) == GOOD


def test_dots_and_double_slashes_are_tidied() -> None:
    assert check({"./solution.py": b"x", "a//b.py": b"y"}, CAPS) == {"solution.py": b"x", "a/b.py": b"y"}


@pytest.mark.parametrize(
    "path",
    [
        "../a.py",
        "a/../../b.py",
        "a/../b.py",
        "/etc/passwd",
        "C:/a.py",
        "c:a.py",
        "a\\b.py",
        "..\\a.py",
        "a\0b.py",
        "a\nb.py",
        "a\x1b[2Jb.py",
        "a\N{RIGHT-TO-LEFT OVERRIDE}yp.exe",
        "a\N{ZERO WIDTH SPACE}.py",
        "a\N{LINE SEPARATOR}.py",
        "a\udcff.py",
        "",
        ".",
        "x" * 201,
        "/".join("abcdefghi"),
    ],
)
def test_a_path_that_could_escape_or_deceive_is_refused(path: str) -> None:
    error = refusal(GOOD | {path: b""})
    assert error.code == "bad_path"
    assert str(error).isprintable()


@pytest.mark.parametrize(
    "paths",
    [
        ("a.py", "A.py"),
        ("a/x.py", "A/y.py"),
        ("a", "a/x.py"),
        ("straße.py", "STRASSE.py"),
        ("\N{LATIN SMALL LIGATURE FI}.py", "fi.py"),
        ("solution.py", "Solution.py"),
    ],
)
def test_names_that_are_one_on_some_systems_are_refused(paths: tuple[str, str]) -> None:
    assert refusal({"solution.py": b"x"} | dict.fromkeys(paths, b"y")).code == "path_collision"


def test_two_forms_of_one_name_are_the_same_file() -> None:
    assert refusal(GOOD | {"caf\u00e9.py": b"", "cafe\u0301.py": b""}).code == "duplicate_path"


@pytest.mark.parametrize(
    ("files", "code", "told"),
    [
        ({}, "empty_submission", "send at least solution.py"),
        ({".DS_Store": b""}, "empty_submission", "send at least solution.py"),
        ({"solution.py": b" \n"}, "empty_submission", "solution.py is empty; was it saved?"),
        ({"main.py": b"x"}, "no_solution", "should 'main.py' be it?"),
        ({"Solution.py": b"x"}, "no_solution", "should 'Solution.py' be it?"),
        ({"a/solution.py": b"x", "b.py": b""}, "no_solution", "should 'a/solution.py' be it?"),
        ({"solution.py": b"x", "solution/x.py": b""}, "path_collision", "would hide solution.py"),
        ({"solution.py": b"s = '\xe9'"}, "not_utf8", "'solution.py' is not UTF-8 (byte 5)"),
        ({"solution.py": "x = 1".encode("utf-16-le")}, "not_utf8", "has zero bytes"),
        ({"solution.py": b"x" * 10_001}, "too_large", "larger than 9 KB"),
        ({f"{n}.py": b"" for n in range(6)}, "too_many_files", "more than 5 files"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(files: dict[str, bytes], code: str, told: str) -> None:
    error = refusal(files)
    assert error.code == code
    assert told in str(error)


def test_the_digest_names_paths_and_contents() -> None:
    assert digest(GOOD) == digest(dict(reversed(GOOD.items())))
    assert len({digest(GOOD), digest({}), digest({"solution.py": GOOD["helpers.py"]})}) == 3


@pytest.mark.parametrize("name", ["work.zip", "work.tar", "work.tar.gz", "work.TGZ"])
def test_an_archive_on_disk_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(zipped(GOOD) if name.endswith("zip") else tarred(GOOD, packed=name != "work.tar"))
    assert from_path(path, CAPS) == GOOD


def test_a_python_file_of_any_name_is_the_solution(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_bytes(b"x = 1")
    assert from_path(tmp_path / "mine.py") == {"solution.py": b"x = 1"}


def test_a_folder_is_read_without_what_tools_left_in_it(tmp_path: Path) -> None:
    for path, content in (GOOD | {".git/objects/big": b"x" * 20_000, "__pycache__/a.pyc": b""}).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    assert from_path(tmp_path, CAPS) == GOOD


def test_a_folder_with_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "solution.py").write_bytes(b"x")
    os.symlink("/etc/passwd", tmp_path / "data.txt")
    with pytest.raises(UploadError, match="is a link"):
        from_path(tmp_path)


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "solution.py").write_bytes(b"x")
    with open(tmp_path / "model.pt", "wb") as file:
        file.truncate(1 << 40)  # a hole: reading it all would fill the memory
    with pytest.raises(UploadError, match="send source code only"):
        from_path(tmp_path)


@pytest.mark.parametrize(
    ("name", "told"), [("none.py", "there is no file or folder"), ("notes.ipynb", r"send one of these")]
)
def test_what_cannot_be_taken_is_told(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "notes.ipynb").write_bytes(b"{}")
    with pytest.raises(UploadError, match=told):
        from_path(tmp_path / name)
