"""`grader exercise`: what authors do. Real judge, real local sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.interface import Backend
from tests.functional.cli import FILES, Grader, runner, write

LOCAL = ("--sandbox", "local")


@pytest.fixture
def grader(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, local_backend: Backend
) -> Grader:
    monkeypatch.setenv("GRADER_EXERCISES_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return runner(capsys)


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    return write(tmp_path / "sums", FILES)


def test_a_new_exercise_verifies_as_it_is(grader: Grader, tmp_path: Path) -> None:
    made = grader("exercise", "new", "my-first-one")
    assert (made.code, made.err) == (0, "")
    assert str(tmp_path / "my-first-one") in made.out
    said = grader("exercise", "verify", "my-first-one", *LOCAL)
    assert (said.code, "NO" in said.out.split()) == (0, False), said.out


def test_a_new_exercise_never_overwrites_one(grader: Grader, sums: Path) -> None:
    said = grader("exercise", "new", "sums")
    assert said.code == 2
    assert "is there already" in said.err
    assert (sums / "exercise.toml").read_text() == FILES["exercise.toml"]


@pytest.mark.parametrize("arguments", [["A Name"], ["../up"], ["ok", "--runtime", "rust"]])
def test_a_new_exercise_needs_a_slug_and_a_runtime(grader: Grader, tmp_path: Path, arguments: list[str]) -> None:
    assert grader("exercise", "new", *arguments).code == 2
    assert not list(tmp_path.iterdir())


def test_the_list_has_the_good_ones_and_says_what_the_others_lack(grader: Grader, sums: Path) -> None:
    write(sums.parent / "bare", {"exercise.toml": ""})
    said = grader("exercise", "list")
    assert said.code == 0
    assert "sums" in said.out
    assert "bare: exercise.toml: slug is missing" in said.err


def test_the_digest_is_printed_alone(grader: Grader, sums: Path) -> None:
    by_slug, by_folder = grader("exercise", "digest", "sums"), grader("exercise", "digest", sums)
    assert by_slug.out == by_folder.out
    assert by_slug.out.startswith("sha256:")


def test_an_exercise_that_holds_is_proved_check_by_check(grader: Grader, sums: Path) -> None:
    said = grader("exercise", "verify", sums, *LOCAL, "--seeds", 2, "--json")
    told = said.json
    assert (said.code, told["ok"], list(told["exercises"])) == (0, True, ["sums"])
    assert [check["what"] for check in told["checks"]] == [
        "reference, seed 1",
        "reference, seed 2",
        "public tests",
        "starter",
        "alternatives/by_sum.py",
        "wrong/cannot_be_loaded.py",
        "wrong/ignores_the_second.py",
    ]
    assert all(check["ok"] and check["usage"]["cpu_s"] >= 0 for check in told["checks"])
    assert "[7/7] sums: wrong/ignores_the_second.py: ok" in said.err


FLAWS = {
    "reference/solution.py": "def add(a, b):\n    return a + b if a else 1\n",
    "starter/solution.py": FILES["reference/solution.py"],
    "alternatives/by_sum.py": "def add(a, b):\n    return a\n",
    "wrong/ignores_the_second.py": "def add(a, b):\n    return None\n",
    "wrong/cannot_be_loaded.py": "def add(a, b):\n    return a\n",
}


def test_an_exercise_that_falls_short_is_one_and_each_flaw_is_told(grader: Grader, sums: Path) -> None:
    write(sums, FLAWS)
    said = grader("exercise", "verify", sums, *LOCAL, "--seeds", 1, "--json")
    assert (said.code, said.json["ok"]) == (1, False)
    why = {check["what"]: check["why"] for check in said.json["checks"]}
    assert not any(check["ok"] for check in said.json["checks"])
    assert "test_sums.py::test_zero failed" in why["reference, seed 1"][0]
    assert "test_public.py::test_example failed" in why["public tests"][0]
    assert "passes all tests" in why["starter"][0]
    assert "1 was not added" in why["alternatives/by_sum.py"][0]
    assert why["wrong/cannot_be_loaded.py"] == ["test_sums.py::test_zero passed, but `fails` names it"]
    assert "`fails` does not name it" in why["wrong/ignores_the_second.py"][0]


def test_a_suite_that_cannot_be_collected_falls_short(grader: Grader, sums: Path) -> None:
    write(sums, {"tests/test_sums.py": "import nothing_of_that_name"})
    said = grader("exercise", "verify", sums, *LOCAL, "--seeds", 1)
    assert said.code == 1
    assert "nothing_of_that_name" in said.out


def test_all_folders_that_are_no_exercises_are_told_at_once(grader: Grader, sums: Path, tmp_path: Path) -> None:
    said = grader("exercise", "verify", sums, "sum", tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "did you mean sums?" in said.err
    assert "there is no exercise.toml" in said.err
