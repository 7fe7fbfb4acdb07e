"""`make demo`, as a newcomer runs it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(**env):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRADER_")}
    command = [sys.executable, "-m", "grader.demo"]
    return subprocess.run(command, cwd=ROOT, env=kept | env, capture_output=True, text=True, timeout=240, check=False)


def test_the_demo_grades_a_correct_and_a_flawed_solution_and_says_how_to_go_on(local_backend):
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "attention-classifier: passed, 100 of 100 points" in done.stdout
    assert "attention-classifier: partial" in done.stdout
    assert "failed: A padded token has a weight of exactly zero" in done.stderr
    for told in ("make serve", "http://127.0.0.1:8300/docs", "grader submit"):
        assert told in done.stdout


def test_a_demo_without_its_exercise_says_what_to_do(tmp_path):
    done = run(GRADER_EXERCISES_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "run the demo in the project's folder" in done.stderr
