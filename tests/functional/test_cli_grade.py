"""`grader grade`: exit codes, the JSON object, what goes where. Real judge, real local sandbox."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.catalog.digest import digest
from sandbox.interface import Backend
from tests.functional.cli import FILES, Grader, runner, write

LOCAL = ("--sandbox", "local")


@pytest.fixture
def grader(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, local_backend: Backend
) -> Grader:
    monkeypatch.setenv("GRADER_EXERCISES_DIR", str(tmp_path / "exercises"))
    monkeypatch.setenv("COLUMNS", "200")
    write(tmp_path / "exercises" / "sums", FILES)
    return runner(capsys)


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    return tmp_path / "exercises" / "sums"


def test_a_correct_solution_is_zero_and_a_table_on_stdout(grader: Grader, sums: Path) -> None:
    said = grader("grade", "sums", sums / "reference", *LOCAL)
    assert said.code == 0
    assert "Random numbers [bold]" in said.out
    assert "sums: passed, 5 of 5 points" in said.out
    assert "sums" not in said.err


def test_a_flawed_solution_is_one_and_told_why(grader: Grader, sums: Path) -> None:
    said = grader("grade", sums, sums / "wrong" / "ignores_the_second.py", *LOCAL)
    assert said.code == 1
    assert "2 was not added" in said.out
    assert "sums: partial, 1 of 5 points" in said.out


def test_json_is_exactly_the_object_of_the_format(grader: Grader, sums: Path) -> None:
    solution = write(sums.parent.parent / "mine", {"solution.py": "print('[red]hi\\x1b[2J')\ndef add(a, b): return a"})
    said = grader("grade", "sums", solution, *LOCAL, "--json", "--seed", 7)
    told = said.json
    assert list(told) == ["exercise", "status", "verdict", "score", "max_score", "tests", "usage", "provenance"]
    assert (told["exercise"], told["status"], told["verdict"]) == ("sums", "done", "partial")
    assert (told["score"], told["max_score"], said.code) == (1, 5, 1)
    keys = ["id", "title", "outcome", "points", "max_points", "message", "duration_s"]
    assert [list(test) for test in told["tests"]] == [keys] * 3
    assert [test["outcome"] for test in told["tests"]] == ["passed", "failed", "failed"]
    assert list(told["usage"]) == ["wall_s", "cpu_s", "memory_mb"]
    made = told["provenance"]
    assert list(made) == ["exercise_digest", "submission_digest", "image", "seed", "limits", "versions"]
    assert (made["seed"], made["exercise_digest"]) == (7, digest(sums))
    assert "[red]hi\N{REPLACEMENT CHARACTER}[2J" in said.err


def test_the_same_seed_gives_the_same_score_again(grader: Grader, sums: Path) -> None:
    write(sums, {"tests/test_luck.py": "import solution\ndef test_luck(seed): assert solution.add(seed, 0) % 2"})
    tests = []
    for _ in range(2):
        told = grader("grade", "sums", sums / "reference", *LOCAL, "--json", "--seed", 11).json
        tests.append([{**test, "duration_s": None} for test in told["tests"]])
    assert tests[0] == tests[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["grade"], "Missing argument"),
        (["grad"], "Did you mean"),
        (["grade", "sums", "FILE", "--frobnicate"], "No such option"),
        (["grade", "sums", "FILE", "--sandbox", "chroot"], "'--sandbox'"),
        (["grade", "sums", "FILE", "--seed", "-1"], "'--seed'"),
        (["grade", "sum", "FILE"], "did you mean sums?"),
        (["grade", "no/folder", "FILE"], "there is no folder no/folder"),
        (["grade", "sums", "nothing.py"], "there is no file or folder nothing.py"),
        (["grade", "sums", "EMPTY"], "solution.py is empty"),
        (["exercise", "verify", "nowhere"], "there is no exercise 'nowhere'"),
        (["exercise", "digest"], "Missing argument"),
    ],
)
def test_bad_input_is_two_and_nothing_on_stdout(
    grader: Grader, sums: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    (tmp_path / "empty.py").touch()
    places = {"FILE": sums / "reference", "EMPTY": tmp_path / "empty.py"}
    said = grader(*(places.get(argument, argument) for argument in arguments))
    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_settings_that_cannot_be_used_are_bad_input(
    grader: Grader, sums: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADER_POOL_CAP", "many")
    said = grader("grade", "sums", sums / "reference")
    assert said.code == 2
    assert "GRADER_POOL_CAP" in said.err


def test_a_broken_exercise_is_bad_input(grader: Grader, sums: Path) -> None:
    (sums / "reference" / "solution.py").unlink()
    said = grader("grade", "sums", sums / "starter")
    assert said.code == 2
    assert "there is no reference/solution.py" in said.err


def test_a_suite_that_cannot_be_collected_is_a_fault_and_never_a_score(grader: Grader, sums: Path) -> None:
    write(sums, {"tests/test_sums.py": "import nothing_of_that_name"})
    said = grader("grade", "sums", sums / "reference", *LOCAL, "--json")
    assert said.code == 3
    assert "there is no score" in said.err
    told = said.json
    assert (told["status"], told["verdict"], told["score"], told["tests"]) == ("fault", None, None, [])
    assert told["provenance"]["submission_digest"].startswith("sha256:")


def test_no_engine_is_a_fault_that_says_what_to_do(grader: Grader, sums: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    said = grader("grade", "sums", sums / "reference", "--sandbox", "docker")
    assert (said.code, said.out) == (3, "")
    assert "no Docker engine answers" in said.err
    assert "use the local sandbox" in said.err


@pytest.mark.parametrize("command", ["grade", "verify"])
def test_an_interrupt_ends_everything_that_was_started(grader: Grader, sums: Path, command: str) -> None:
    write(sums, {"reference/solution.py": "import time\ntime.sleep(1000)\n"})
    what = ["grade", "sums", str(sums / "reference")] if command == "grade" else ["exercise", "verify", "sums"]
    code = "import sys; from grader.cli.main import main; sys.argv[0] = 'grader'; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *what, *LOCAL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        started = wait_for_children(process.pid)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not [pid for pid in started if os.path.exists(f"/proc/{pid}") and not is_zombie(pid)]


def wait_for_children(pid: int) -> set[int]:
    """A judge's parent and a sandbox's launcher, once both are there."""
    until = time.monotonic() + 30
    while True:
        found = set(children(pid))
        if len(found) >= 2:
            return found
        assert time.monotonic() < until, "nothing was started"
        time.sleep(0.05)


def children(pid: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            yield int(stat.parent.name)


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
