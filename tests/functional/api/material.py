"""Exercises, results and requests for the tests of the API."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import httpx

from grader.grading.model import Outcome, Result, Status, TestResult, Verdict
from sandbox.limits import Usage

SECRET_IDS = [f"test_secret.py::test_hidden_{word}" for word in ("alpha", "beta", "gamma")]
SECRET_MESSAGE = "expected hidden-message 42"
SECRET_SEED = 4611686018427387904
SOLUTION = {"solution.py": "def add(a, b):\n    return a + b\n"}
_OUTCOMES = (Outcome.PASSED, Outcome.FAILED, Outcome.PASSED)
_SUITE = """
import pytest
from solution import add


@pytest.mark.parametrize("numbers", [(1, 2), (3, 4)], ids=["small", "large"])
def test_hidden_sum(numbers):
    "adds two numbers"
    assert add(*numbers) == sum(numbers), "hidden-message"


def test_hidden_text():
    "adds texts"
    assert add("a", "b") == "ab"
"""


def write_exercise(folder: Path, slug: str, feedback: str) -> Path:
    """A tiny exercise: add two things."""
    files = {
        "exercise.toml": f"""
            slug = "{slug}"
            title = "Adding"
            runtime = "python"
            [title_in]
            zh = "加法"
            [feedback]
            hidden = "{feedback}"
            """,
        "README.md": "# Adding\n\nWrite `add(a, b)`.\n",
        "README.zh.md": "# 加法\n\n写 `add(a, b)`。\n",
        "starter/solution.py": "def add(a, b):\n    ...\n",
        "public/test_adding.py": "from solution import add\n\n\ndef test_one():\n    assert add(1, 1) == 2\n",
        "tests/test_secret.py": _SUITE,
        "reference/solution.py": SOLUTION["solution.py"],
    }
    for name, text in files.items():
        path = folder / slug / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
    return folder / slug


def tests() -> tuple[TestResult, ...]:
    """Three tests of which the second failed."""
    return tuple(
        TestResult(
            id=name,
            title=f"claim {number}",
            outcome=outcome,
            points=2.0 * (outcome is Outcome.PASSED),
            max_points=2.0,
            message="" if outcome is Outcome.PASSED else SECRET_MESSAGE,
            duration_s=0.01,
        )
        for number, (name, outcome) in enumerate(zip(SECRET_IDS, _OUTCOMES, strict=True), 1)
    )


def result(**changes: Any) -> Result:
    """A grading's result: 4 of 6 points."""
    told: dict[str, Any] = {
        "exercise": "adding",
        "status": Status.DONE,
        "verdict": Verdict.PARTIAL,
        "score": 4.0,
        "max_score": 6.0,
        "tests": tests(),
        "usage": Usage(0.5, 0.25, 12.0),
        "provenance": {
            "exercise_digest": "sha256:e",
            "submission_digest": "sha256:s",
            "image": "local",
            "seed": SECRET_SEED,
            "limits": {"cpu_s": 20.0, "test_cpu_s": None},
            "versions": {"python": "3.11"},
        },
        "output": "printed hidden-input",
    }
    return Result(**(told | changes))


def test_event(number: int, total: int) -> dict[str, Any]:
    """The data of the event of one test."""
    return {"test": tests()[number - 1].to_json(), "done": number, "total": total}


test_event.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest thinks of the name


def sent(client: httpx.Client, exercise: str = "adding", **about: Any) -> httpx.Response:
    """A submission of the correct solution as JSON; `about` may have `files`, `kind` and `headers`."""
    headers = about.pop("headers", {})
    body = {"exercise": exercise, "files": SOLUTION} | about
    return client.post("/v1/submissions", json=body, headers=headers)


def submitted(client: httpx.Client, exercise: str = "adding", **about: Any) -> str:
    """The id of a new submission."""
    answer = sent(client, exercise, **about)
    assert answer.status_code == 202, answer.text
    identity: str = answer.json()["id"]
    return identity


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, whose shape is looked at, too."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:grader:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    return answer.status_code, body["code"]
