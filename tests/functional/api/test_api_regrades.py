"""The API of regrades: who may do what, what is shown, and what is exported. Gradings are made by hand."""

import csv
import dataclasses
import io

import pytest

from grader.accounts.models import Role
from grader.grading import service as gradings
from grader.grading.model import Outcome
from grader.models import Grading
from grader.queue import Queue
from grader.regrades.feeder import Feeder
from grader.settings import Settings
from tests.functional.api.material import code, result, sent, submitted
from tests.stand_ins import Engine

ACTS = ("pause", "resume", "cancel", "apply", "discard")


@pytest.fixture
def reviewer(service):
    with service.client(Role.REVIEWER) as client:
        yield client


@pytest.fixture
def admin(service):
    with service.client(Role.ADMIN) as client:
        yield client


@pytest.fixture
def graded(service):
    """Three graded submissions of a candidate."""
    with service.client(Role.CANDIDATE) as client:
        ids = [submitted(client) for _ in range(3)]
    for submission_id in ids:
        service.grade(submission_id)
    return ids


@pytest.fixture
def begin(reviewer, graded):
    def one(**about):
        body = {"selection": {"ids": graded}, "reason": "a bug in the suite"} | about
        return reviewer.post("/v1/regrades", json=body)

    return one


def grade_all(service, given=None):
    """What a worker does to all regrades, until they are ready."""
    queue = Queue(Settings())
    feeder = Feeder(service.database, queue, service.catalog, Engine())
    for _ in range(3):
        feeder.run(idle_s=5)
        with service.database.begin() as session:
            waiting = [row.id for row in session.query(Grading).filter_by(status="queued", kind="batch")]
        for grading_id in waiting:
            with service.database.begin() as session:
                held = gradings.claim(session, grading_id, 60)
            with service.database.begin() as session:
                gradings.finish(session, held, given or result(), "titles")
    queue.close()


def better(message="=HYPERLINK(1)"):
    """A result whose second test passes, too, and whose first one says something nasty."""
    told = result()
    tests = tuple(dataclasses.replace(test, outcome=Outcome.PASSED, points=2.0, message=message) for test in told.tests)
    return dataclasses.replace(told, tests=tests, score=6.0, verdict="passed")


def test_a_regrade_is_for_reviewers_and_its_end_for_admins(service, reviewer, begin):
    regrade = begin().json()["id"]
    with service.client(Role.CANDIDATE) as candidate:
        answers = [candidate.post("/v1/regrades", json={}), candidate.get("/v1/regrades")]
        answers += [candidate.get(f"/v1/regrades/{regrade}{part}") for part in ("", "/summary", "/changes", "/events")]
        answers += [candidate.post(f"/v1/regrades/{regrade}/{act}", json={"reason": "x"}) for act in ACTS]
    assert {answer.status_code for answer in answers} == {403}
    for act in ("apply", "discard"):
        assert reviewer.post(f"/v1/regrades/{regrade}/{act}", json={"reason": "x"}).status_code == 403
    assert reviewer.post(f"/v1/regrades/{regrade}/cancel", json={"reason": "x"}).status_code == 200


def test_a_regrade_from_its_beginning_to_its_application(service, reviewer, admin, graded, begin):
    made = begin()
    assert made.status_code == 201
    assert made.headers["Location"] == f"/v1/regrades/{made.json()['id']}"
    at = made.headers["Location"]
    assert made.json()["progress"] | {"total": 3, "done": 0, "waiting": 3} == made.json()["progress"]
    assert code(admin.post(f"{at}/apply", json={"reason": "now"})) == (409, "conflict")
    grade_all(service, better())
    shown = reviewer.get(at).json()
    assert (shown["state"], shown["progress"]["changed"]) == ("ready", 3)
    summary = reviewer.get(f"{at}/summary").json()
    assert summary["matrix"] == [{"old": "partial", "new": "passed", "submissions": 3}]
    assert (summary["raised"], summary["lowered"]) == (3, 0)
    first = reviewer.get(f"{at}/changes?limit=2").json()
    assert [item["submission_id"] for item in first["items"]] == graded[:2]
    (test,) = first["items"][0]["tests"]
    assert (test["old"]["outcome"], test["new"]["outcome"]) == ("failed", "passed")
    assert test["new"]["message"] == "=HYPERLINK(1)"
    rest = reviewer.get(f"{at}/changes", params={"cursor": first["next"]}).json()
    assert [item["submission_id"] for item in rest["items"]] == graded[2:]
    assert reviewer.get(f"/v1/submissions/{graded[0]}").json()["score"] == 4
    told = admin.post(f"{at}/apply", json={"reason": "the suite was wrong"}).json()
    assert (told["applied"], told["regrade"]["state"]) == (3, "applied")
    assert reviewer.get(f"/v1/submissions/{graded[0]}").json()["score"] == 6
    assert len(reviewer.get(f"/v1/submissions/{graded[0]}/gradings").json()["items"]) == 2
    assert [act["kind"] for act in told["regrade"]["acts"]] == ["created", "applied"]


def test_a_change_set_is_exported_as_data_not_as_formulas(service, reviewer, begin, graded):
    at = begin().headers["Location"]
    nasty = [dataclasses.replace(test, id=f"=cmd|{test.id}") for test in better().tests]
    grade_all(service, dataclasses.replace(better(), tests=tuple(nasty)))
    answer = reviewer.get(f"{at}/changes.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["submission_id"] for row in rows] == graded
    assert {(row["old_score"], row["new_score"]) for row in rows} == {("4.0", "6.0")}
    assert all(row["tests"].startswith("'=cmd|") for row in rows)


def test_what_is_to_be_graded_is_counted_without_a_beginning(reviewer, graded):
    before = len(reviewer.get("/v1/regrades?limit=200").json()["items"])
    assert reviewer.post("/v1/regrades/count", json={"ids": graded}).json() == {"submissions": 3}
    open_ = dict.fromkeys(("exercise", "assessment", "exercise_digest", "since", "until"))
    assert reviewer.post("/v1/regrades/count", json={"ids": graded} | open_).json() == {"submissions": 3}
    assert len(reviewer.get("/v1/regrades?limit=200").json()["items"]) == before


def test_an_assessment_is_graded_again_and_nothing_else_is(service, reviewer, graded):
    with service.client(Role.CANDIDATE, assessment="regraded-2026") as invited:
        chosen = [submitted(invited), submitted(invited, "shows-full")]
    for submission_id in chosen:
        service.grade(submission_id)
    selection = {"assessment": "regraded-2026"}
    assert reviewer.post("/v1/regrades/count", json=selection).json() == {"submissions": 2}
    made = reviewer.post("/v1/regrades", json={"selection": selection, "reason": "the assessment's suites were wrong"})
    assert made.json()["selection"] == selection
    grade_all(service)
    changes = reviewer.get(f"{made.headers['location']}/changes?which=all").json()["items"]
    assert [change["submission_id"] for change in changes] == chosen


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ({"selection": {"exercise": "no-such-exercise"}}, "no-such-exercise"),
        ({"selection": {"ids": ["0" * 32]}}, "no graded submission"),
        ({"reason": ""}, "reason"),
        ({"policy": "whatever"}, "policy"),
        ({"selection": {"suite": "x"}}, "suite"),
        ({"selection": {"assessment": "Two words"}}, "assessment"),
        ({"selection": {"assessment": "never-was"}}, "no graded submission"),
    ],
)
def test_a_regrade_that_cannot_be_is_refused_with_the_reason(begin, about, named):
    answer = begin(**about)
    assert 400 <= answer.status_code < 500
    assert named in answer.json()["detail"]


def test_a_regrade_is_followed_until_it_is_ready(service, reviewer, begin):
    at = begin().headers["Location"]
    with reviewer.stream("GET", f"{at}/events") as events:
        lines = events.iter_lines()
        assert '"state":"running"' in next(line for line in lines if line.startswith("data"))
        grade_all(service)
        assert '"state":"ready"' in [line for line in lines if line.startswith("data")][-1]


def test_there_is_no_such_regrade(reviewer):
    assert code(reviewer.get("/v1/regrades/nothing")) == (404, "not_found")


def test_what_is_graded_again_takes_no_place_in_a_candidate_s_quota(service, candidate, reviewer):
    ids = [submitted(candidate) for _ in range(3)]
    for submission_id in ids:
        service.grade(submission_id)
    reviewer.post("/v1/regrades", json={"selection": {"ids": ids}, "reason": "a bug", "again": True})
    queue = Queue(Settings())
    Feeder(service.database, queue, service.catalog, Engine()).run(idle_s=5)
    queue.close()
    with service.database.begin() as session:
        waiting = session.query(Grading).filter(Grading.submission_id.in_(ids), Grading.status == "queued").count()
    assert waiting == 3
    assert [sent(candidate).status_code for _ in range(4)] == [202, 202, 202, 429]
