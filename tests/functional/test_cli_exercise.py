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
        "cost",
        "margins",
    ]
    assert all(check["ok"] for check in told["checks"])
    assert all(check["usage"]["cpu_s"] >= 0 for check in told["checks"][:7])
    assert "[7/9] sums: wrong/ignores_the_second.py: ok" in said.err
    assert "[9/9] sums: margins: ok" in said.err


@pytest.mark.parametrize(
    ("only", "what"),
    [
        (["ignores_the_second"], ["wrong/ignores_the_second.py"]),
        (["wrong/*", "starter"], ["starter", "wrong/cannot_be_loaded.py", "wrong/ignores_the_second.py"]),
        (["reference"], ["reference, seed 1", "reference, seed 2"]),
        (["reference, seed 2"], ["reference, seed 2"]),
    ],
)
def test_a_part_of_an_exercise_is_proved(grader: Grader, sums: Path, only: list[str], what: list[str]) -> None:
    options = [option for name in only for option in ("--only", name)]
    said = grader("exercise", "verify", sums, *LOCAL, "--seeds", 2, "--json", *options)
    assert (said.code, [check["what"] for check in said.json["checks"]]) == (0, what)


# Each seed asks for one side; where that is 2, `doubles` is right.
CHANCE = {
    "tests/test_square.py": """
import random
import solution

def test_square(seed):
    side = random.Random(seed).randrange(1, 4)
    assert solution.square(side) == side * side
""",
    "exercise.toml": """
slug = "square"
title = "Square"
runtime = "python"
[wrong.doubles]
fails = ["test_square"]
[wrong.is_a_constant]
fails = ["test_square"]
""",
    "reference/solution.py": "def square(side): return side * side",
    "wrong/doubles.py": "def square(side): return 2 * side",
    "wrong/is_a_constant.py": "def square(side): return 16",
}


def test_a_wrong_solution_that_is_caught_by_chance_is_told(grader: Grader, tmp_path: Path) -> None:
    folder = write(tmp_path / "square", CHANCE)
    said = grader(
        "exercise", "verify", folder, *LOCAL, "--seeds", 1, "--wrong-seeds", 12, "--only", "wrong/*", "--json"
    )
    assert said.code == 1
    checks = said.json["checks"]
    for name, always in (("doubles", False), ("is_a_constant", True)):
        mine = [check for check in checks if check["what"].startswith(f"wrong/{name}.py")]
        assert [check["what"] for check in mine] == [f"wrong/{name}.py, seed {nth}" for nth in range(1, 13)]
        assert all(check["ok"] for check in mine) is always
    uncaught = next(check for check in checks if not check["ok"])
    assert uncaught["why"] == ["test_square.py::test_square passed, but `fails` names it"]


def test_a_part_that_is_not_there_is_bad_input(grader: Grader, sums: Path) -> None:
    said = grader("exercise", "verify", sums, *LOCAL, "--only", "ignores_the_third")
    assert said.code == 2
    assert "wrong/ignores_the_second.py" in said.err


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
    assert [check["what"] for check in said.json["checks"] if check["ok"]] == ["cost", "margins"]
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


def test_limits_without_room_fall_short(grader: Grader, sums: Path) -> None:
    busy = "import time\ndef add(a, b):\n    until = time.process_time() + 0.6\n"
    busy += "    while time.process_time() < until: pass\n    return a + b\n"
    toml = FILES["exercise.toml"] + "[limits]\ncpu_s = 1\ntest_cpu_s = 1\n"
    write(sums, {"reference/solution.py": busy, "exercise.toml": toml})
    said = grader("exercise", "verify", sums, *LOCAL, "--seeds", 1, "--json")
    cost = next(check for check in said.json["checks"] if check["what"] == "cost")
    assert (said.code, cost["ok"]) == (1, False)
    assert "raise limits.cpu_s" in cost["why"][0]


THRESHOLD = {
    "tests/test_guess.py": """
import random
import solution
from grader.suite import threshold

def test_guess(seed):
    truth = random.Random(seed).uniform(10, 11)
    assert threshold("distance", abs(solution.guess() - truth), at_most=2), "too far"
    assert threshold("size", solution.guess(), at_least=5), "too small"
""",
    "exercise.toml": """
slug = "guess"
title = "Guess"
runtime = "python"
[wrong.far]
fails = ["test_guess"]
[wrong.far_and_small]
fails = ["test_guess"]
""",
    "reference/solution.py": "def guess(): return 10.5",
    "alternatives/other.py": "def guess(): return 10",
    "wrong/far.py": "def guess(): return 20",
    "wrong/far_and_small.py": "def guess(): return 8",
}


def test_margins_stand_between_the_worst_correct_and_the_best_wrong(grader: Grader, tmp_path: Path) -> None:
    folder = write(tmp_path / "guess", THRESHOLD)
    short = grader("exercise", "verify", folder, *LOCAL, "--json")
    margins = short.json["checks"][-1]
    assert (short.code, margins["ok"]) == (1, False)
    assert "there is no margins.md; run: grader exercise margins" in margins["why"][0]

    said = grader("exercise", "margins", folder, *LOCAL, "--seeds", 4)
    rows = [[cell.strip() for cell in line.split("|")] for line in said.out.splitlines() if line.startswith("| `")]
    assert [row[2] for row in rows] == ["distance", "size"]
    _, test, _, threshold, correct, wrong, room, _ = rows[0]
    assert (test, threshold) == ("`test_guess.py::test_guess`", "at most 2")
    assert 0 < float(correct.split()[0]) <= 1
    assert 2 < float(wrong.removesuffix(" (far_and_small)")) <= 3
    assert 0 < float(room.removesuffix("%")) <= 50
    assert said.code == 1, "nothing that is graded misses the second threshold"
    assert "size: no wrong solution misses it" in said.out

    suite = THRESHOLD["tests/test_guess.py"].replace("at_least=5", "at_least=9")
    write(folder, {"tests/test_guess.py": suite.replace("at_most=2", "at_most=8")})
    said = grader("exercise", "margins", folder, *LOCAL, "--seeds", 4)
    assert said.code == 0, said.out
    proved = grader("exercise", "verify", folder, *LOCAL)
    assert proved.code == 0, proved.out

    write(folder, {"tests/test_guess.py": suite.replace("at_most=2", "at_most=7.5")})
    stale = grader("exercise", "verify", folder, *LOCAL, "--json").json["checks"][-1]
    assert stale["why"][0].startswith("test_guess.py::test_guess: distance, at most 7.5, is not in margins.md")


def near(fails: str, may_fail: str) -> str:
    return f'[wrong.near]\nfails = ["{fails}"]\nmay_fail = ["{may_fail}"]\n'


def test_what_may_fail_needs_a_threshold_and_leaves_the_margins_alone(grader: Grader, tmp_path: Path) -> None:
    distance, _, _ = THRESHOLD["tests/test_guess.py"].partition('    assert threshold("size"')
    suite = (
        distance.replace("at_most=2", "at_most=1.25") + "\ndef test_whole():\n    assert solution.guess() != 11.75\n"
    )
    toml = THRESHOLD["exercise.toml"] + near("test_whole", "test_guess")
    files = {"tests/test_guess.py": suite, "exercise.toml": toml, "wrong/near.py": "def guess(): return 11.75"}
    folder = write(tmp_path / "guess", THRESHOLD | files)
    said = grader("exercise", "margins", folder, *LOCAL, "--seeds", 8)
    assert said.code == 0, said.out
    assert "(near)" not in said.out, "it misses the threshold with some seeds only"
    assert grader("exercise", "verify", folder, *LOCAL).code == 0

    write(folder, {"exercise.toml": THRESHOLD["exercise.toml"] + near("test_guess", "test_whole")})
    margins = grader("exercise", "verify", folder, *LOCAL, "--json").json["checks"][-1]
    assert "[wrong.near] may_fail names test_whole, without a threshold" in margins["why"][0]


def test_a_threshold_that_does_not_part_right_from_wrong_is_told(grader: Grader, tmp_path: Path) -> None:
    folder = write(tmp_path / "guess", THRESHOLD)
    write(folder, {"alternatives/other.py": "def guess(): return 12.2"})
    said = grader("exercise", "margins", folder, *LOCAL, "--seeds", 6)
    assert said.code == 1
    assert "alternatives/other.py" in said.out
    assert not (folder / "margins.md").exists(), (
        "a table of solutions that fare otherwise than they should helps nobody"
    )


def test_all_folders_that_are_no_exercises_are_told_at_once(grader: Grader, sums: Path, tmp_path: Path) -> None:
    said = grader("exercise", "verify", sums, "sum", tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "did you mean sums?" in said.err
    assert "there is no exercise.toml" in said.err
