"""The exercises that come with the service: each is complete, says the same in both languages, and proves itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from grader.catalog.expect import ALL
from grader.catalog.model import Wrong
from grader.catalog.read import read
from grader.catalog.shown import languages
from grader.catalog.verify import verify
from grader.grading.model import Job, Result, Verdict
from grader.grading.runner import Runner
from grader.settings import Settings
from grader.submissions.archives import from_path
from sandbox.interface import Backend

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[2] / "exercises").glob("*/exercise.toml"))

each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@pytest.fixture(scope="module")
def runner(local_backend: Backend) -> Iterator[Runner]:
    with Runner(Settings(policy="per_process"), local_backend) as found:
        yield found


@pytest.fixture(scope="module")
def docker_runner(docker_backend: Backend) -> Iterator[Runner]:
    with Runner(Settings(policy="per_process"), docker_backend) as found:
        yield found


def beside(tmp_path: Path, folder: Path, solution: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python where a candidate would: in a folder with solution.py and the public tests."""
    shutil.copytree(folder / "public", tmp_path / "public", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(folder / solution / "solution.py", tmp_path)
    env = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def graded_starter(folder: Path, runner: Runner) -> Result:
    return runner.grade(read(folder), Job(from_path(folder / "starter"), "sha256:0", seed=1))


@each
def test_an_exercise_has_both_languages_and_a_licence(folder):
    exercise = read(folder)
    assert exercise.slug == folder.name
    assert set(languages(exercise)) == {"en", "zh"}
    assert "licence" in exercise.source


@each
def test_an_exercise_has_enough_solutions_that_are_wrong_and_others_that_are_right(folder):
    assert len(read(folder).wrong) >= 8
    assert len(list((folder / "alternatives").glob("*.py"))) >= 2


@each
def test_the_points_of_12_to_30_tests_add_up_to_100_and_the_starter_earns_few(folder, runner):
    result = graded_starter(folder, runner)
    assert 12 <= len(result.tests) <= 30
    assert result.max_score == 100
    assert result.verdict in (Verdict.PARTIAL, Verdict.FAILED), "a starter can be loaded"
    assert result.score < 20


@each
def test_every_test_is_failed_by_a_known_wrong_solution_other_than_the_banks(folder, runner):
    exercise = read(folder)
    named = {test for name, wrong in exercise.wrong.items() if name != "bank_sample" for test in wrong.fails}
    there = {test.id.rpartition("::")[2] for test in graded_starter(folder, runner).tests}
    assert there == named - {"*"}


@each
def test_public_tests_pass_with_the_reference_under_plain_pytest(folder, tmp_path):
    done = beside(tmp_path, folder, "reference", "-m", "pytest", "-q", "public")
    assert done.returncode == 0, done.stdout


@each
def test_the_starter_can_be_imported_and_fails_public_tests(folder, tmp_path):
    done = beside(tmp_path, folder, "starter", "-m", "pytest", "-q", "public")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "error" not in done.stdout.splitlines()[-1]


def witnesses(wrong: Mapping[str, Wrong]) -> dict[str, Wrong]:
    """For each test a known-wrong solution that fails it and as few others as possible; the bank's sample answers too.

    All of them would take too long in each run: `make exercises-soak` grades them.
    """
    chosen = {name: named for name, named in wrong.items() if name == "bank_sample"}
    sharpest = sorted((name for name, named in wrong.items() if named.fails != ALL), key=lambda n: len(wrong[n].fails))
    failing = Counter(test for name in sharpest for test in wrong[name].fails)
    for test in sorted(failing, key=lambda test: (failing[test], test)):
        if not any(test in named.fails for named in chosen.values()):
            name = next(name for name in sharpest if test in wrong[name].fails)
            chosen[name] = wrong[name]
    return chosen


@each
def test_solutions_of_an_exercise_fare_as_its_folder_says(folder, runner):
    exercise = read(folder)
    some = witnesses(exercise.wrong)
    assert {test for wrong in some.values() for test in wrong.fails} >= {
        test for wrong in exercise.wrong.values() for test in wrong.fails
    }
    checks = verify([replace(exercise, wrong=some)], runner, seeds=1, on_check=lambda check, done, total: None)
    assert [(check.what, check.why) for check in checks if not check.ok] == []


@pytest.mark.engine
@each
def test_reference_and_public_tests_pass_on_docker_too(folder, docker_runner):
    """Where folders have other names than on the judge's side."""
    checks = verify(
        [read(folder)],
        docker_runner,
        seeds=1,
        only=["reference*", "public tests"],
        on_check=lambda check, done, total: None,
    )
    assert [(check.what, check.why) for check in checks] == [("reference, seed 1", ()), ("public tests", ())]
