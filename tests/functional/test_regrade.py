"""A suite with a bug is mended, and what it graded is graded again: on the embedded service, by the command line."""

import csv
import json

import pytest

from tests.functional.embedded import Embedded
from tests.functional.service import write_exercise

SUITE = """
from solution import add

def test_adds(seed):
    "adds numbers"
    assert add(seed, 1) == seed + 1

def test_nothing():
    "adds nothing"
    assert type(add(2, 0)) is int, "two and nothing"
"""
RIGHT, WRONG = "def add(a, b):\n    return float(a + b)\n", "def add(a, b):\n    return 3\n"


@pytest.fixture(scope="module")
def exercises(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exercises")
    for slug in ("to-mend", "adding"):
        write_exercise(folder, slug, SUITE)
    return folder


@pytest.fixture(scope="module")
def service(local_backend, exercises, tmp_path_factory):
    found = Embedded(tmp_path_factory.mktemp("embedded"), exercises)
    found.start()
    yield found
    found.stop()


@pytest.fixture(params=["adding"])
def submitted(request, service, tmp_path):
    """Three right solutions, which the suite charged for its own bug, and a wrong one, which it rewarded."""
    ids = []
    for number, text in enumerate([RIGHT, RIGHT, RIGHT, WRONG]):
        (tmp_path / f"{number}.py").write_text(text)
        done = service.cli("submit", request.param, tmp_path / f"{number}.py", "--json")
        assert json.loads(done.stdout)["score"] == 1, done.stderr
        with service.client() as client:
            ids.append(client.get("/v1/submissions").json()["items"][0]["id"])
    return ids


def scores(service, ids):
    with service.client() as client:
        return [client.get(f"/v1/submissions/{submission_id}").json()["score"] for submission_id in ids]


@pytest.mark.parametrize("submitted", ["to-mend"], indirect=True)
def test_a_mended_suite_changes_scores_when_an_admin_applies_them(service, submitted, exercises, tmp_path):
    suite = exercises / "to-mend" / "tests" / "test_it.py"
    suite.write_text(suite.read_text().replace("type(add(2, 0)) is int", "add(2, 0) == 2"))
    counted = service.cli("regrade", "create", "--reason", "x", "--exercise", "to-mend", "--dry-run", "--json")
    assert json.loads(counted.stdout) == {"submissions": 4}
    made = service.cli("regrade", "create", "--reason", "two and nothing are two", "--exercise", "to-mend", "--no-wait")
    regrade = made.stdout.strip()
    service.stop()
    service.start()  # it goes on where it was
    shown = service.cli("regrade", "show", regrade, "--follow")
    assert shown.returncode == 0, shown.stderr
    assert "4 of 4 graded, 4 changed" in shown.stdout
    assert "3 scores raised, 1 lowered" in shown.stdout
    assert scores(service, submitted) == [1, 1, 1, 1]
    applied = service.cli("regrade", "apply", regrade, "--reason", "our bug", "--only", "raised")
    assert "3 new gradings count now" in applied.stdout
    assert scores(service, submitted) == [2, 2, 2, 1]
    service.cli("regrade", "discard", regrade, "--reason", "not to anybody's harm")
    refused = service.cli("regrade", "apply", regrade, "--reason", "after all")
    assert refused.returncode == 2
    assert "it is discarded" in refused.stderr
    told = json.loads(service.cli("regrade", "show", regrade, "--which", "all", "--json").stdout)
    assert [act["kind"] for act in told["regrade"]["acts"]] == ["created", "applied", "discarded"]
    assert len(told["changes"]) == 4
    assert service.cli("regrade", "show", regrade, "--csv", tmp_path / "found.csv").returncode == 0
    with (tmp_path / "found.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["new_score"] for row in csv.DictReader(file)] == ["2.0", "2.0", "2.0", "0.0"]


def test_results_are_exported_for_spreadsheets_and_programs(service, submitted, tmp_path):
    for name in ("results.csv", "results.jsonl"):
        assert service.cli("export", tmp_path / name, "--exercise", "adding").returncode == 0
    with (tmp_path / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [line["id"] for line in lines] == submitted[::-1]
    assert rows[-1]["tests"] == "test_it.py::test_adds: passed 1/1\ntest_it.py::test_nothing: failed 0/1"
    assert lines[-1]["tests"][1]["message"].startswith("two and nothing")
    nothing = service.cli("export", tmp_path / "none.csv", "--verdict", "crashed")
    assert nothing.returncode == 0
    assert len((tmp_path / "none.csv").read_text("utf-8-sig").splitlines()) == 1


def test_an_assessment_is_a_key_s_and_chooses_for_regrades_and_exports(service, tmp_path):
    made = service.cli("key", "create", "Ada", "--role", "candidate", "--assessment", "backend-2026", "--json")
    ada = json.loads(made.stdout)
    assert ada["assessment"] == "backend-2026"
    assert "backend-2026" in service.cli("key", "list").stdout
    (tmp_path / "solution.py").write_text(RIGHT)
    refused = service.cli("submit", "adding", tmp_path / "solution.py", "--assessment", "x", GRADER_KEY=ada["key"])
    assert (refused.returncode, "your key knows its own" in refused.stderr) == (2, True)
    assert service.cli("submit", "adding", tmp_path / "solution.py", GRADER_KEY=ada["key"]).returncode == 1
    others = service.cli("submit", "adding", tmp_path / "solution.py", "--assessment", "backend-2027")
    assert others.returncode == 1, others.stderr
    counted = service.cli("regrade", "create", "--reason", "x", "--assessment", "backend-2026", "--dry-run", "--json")
    assert json.loads(counted.stdout) == {"submissions": 1}
    assert service.cli("export", tmp_path / "results.csv", "--assessment", "backend-2027").returncode == 0
    with (tmp_path / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["assessment"] for row in csv.DictReader(file)] == ["backend-2027"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["regrade", "create", "--reason", "x"], "choose what to grade again"),
        (["regrade", "create", "--reason", "x", "--all", "--exercise", "adding"], "--all chooses everything"),
        (["regrade", "create", "--reason", "x", "--exercise", "ading"], "ading"),
        (["regrade", "create", "--reason", "x", "--since", "yesterday"], "'yesterday' is no moment"),
        (["regrade", "create", "--reason", "x", "--assessment", "never-was"], "no graded submission"),
        (["regrade", "show", "nothing"], "no such regrade"),
        (["key", "create", "Bo", "--role", "candidate", "--assessment", "Two words"], "such as backend-2026"),
        (["export", "results.xlsx"], "must end in .csv or .jsonl"),
        (["export", "/nowhere/results.csv"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_remedy(service, command, told):
    done = service.cli(*command)
    assert done.returncode == 2
    assert told in done.stderr
