"""`grader doctor` and what stands before a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.catalog.catalog import Catalog
from grader.db import Database
from grader.migrations import upgrade
from grader.proving import service as proving
from sandbox.interface import Backend
from tests.functional.cli import FILES, Grader, runner, write


@pytest.fixture
def grader(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Grader:
    monkeypatch.setenv("GRADER_EXERCISES_DIR", str(tmp_path / "exercises"))
    monkeypatch.setenv("GRADER_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("GRADER_SANDBOX", "local")
    monkeypatch.setenv("COLUMNS", "200")
    write(tmp_path / "exercises" / "sums", FILES)
    return runner(capsys)


def test_a_setup_that_can_grade_is_zero(grader: Grader, tmp_path: Path, local_backend: Backend) -> None:
    said = grader("doctor")
    assert said.code == 0, said.out
    assert "local sandbox (used for gradings)" in said.out
    assert "This setup can grade." in said.out
    assert not (tmp_path / "var").exists()


def test_json_has_every_finding_with_its_remedy(grader: Grader, local_backend: Backend) -> None:
    told = grader("doctor", "--json").json
    assert (told["ok"], told["sandbox"]) == (True, "local")
    assert {finding["area"] for finding in told["findings"]} == {
        "machine",
        "python",
        "docker sandbox",
        "local sandbox",
        "exercises",
        "services",
    }
    assert all(finding["level"] in ("ok", "slow", "unsafe", "missing") for finding in told["findings"])
    assert all(finding["remedy"] for finding in told["findings"] if finding["level"] != "ok")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("GRADER_EXERCISES_DIR", "/nowhere", "none in /nowhere"),
        ("GRADER_REDIS_URL", "redis://:hunter2@127.0.0.1:1/0", "start Redis, or mend GRADER_REDIS_URL"),
        ("GRADER_DATABASE_URL", "postgresql+psycopg://me:hunter2@127.0.0.1:1/x", "mend GRADER_DATABASE_URL"),
        ("GRADER_DATA_DIR", "/dev/null/var", "set GRADER_DATA_DIR"),
    ],
)
def test_a_setup_that_cannot_grade_is_three_with_the_remedy(
    grader: Grader, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    said = grader("doctor")
    assert said.code == 3
    assert told in said.out
    assert "hunter2" not in said.out + said.err


def test_a_missing_engine_matters_only_where_it_is_used(
    grader: Grader, monkeypatch: pytest.MonkeyPatch, local_backend: Backend
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert grader("doctor").code == 0
    monkeypatch.setenv("GRADER_SANDBOX", "auto")
    assert grader("doctor", "--json").json["sandbox"] == "local"
    monkeypatch.setenv("GRADER_SANDBOX", "docker")
    said = grader("doctor")
    assert said.code == 3
    assert "no Docker engine answers" in said.out


def test_a_broken_exercise_is_told_and_keeps_nobody_from_grading(
    grader: Grader, tmp_path: Path, local_backend: Backend
) -> None:
    write(tmp_path / "exercises" / "bare", {"exercise.toml": ""})
    said = grader("doctor")
    assert said.code == 0
    assert "slug is missing" in said.out


def test_an_exercise_that_workers_took_out_of_service_is_told(
    grader: Grader, tmp_path: Path, local_backend: Backend
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'var' / 'grader.sqlite'}")
    (tmp_path / "var").mkdir()
    upgrade(database)
    exercise = Catalog(tmp_path / "exercises").get("sums")
    with database.begin() as session:
        assert proving.claim(session, exercise, "image", 60)
        proving.settle(session, exercise, "image", "its own reference has 1 of 3 points")
    database.close()
    said = grader("doctor")
    assert said.code == 0
    assert "out of service, its submissions wait: its own reference has 1 of 3 points" in said.out
    assert "grader exercise verify sums" in said.out


def test_the_help_names_every_command(grader: Grader) -> None:
    said = grader("--help")
    assert said.code == 0
    for command in ("grade", "submit", "exercise", "serve", "worker", "key", "doctor"):
        assert f" {command} " in said.out


def test_the_version_is_told(grader: Grader) -> None:
    assert grader("--version").out.startswith("grader 0.")
