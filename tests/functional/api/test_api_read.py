"""Reading submissions: whose, how far, in which pages."""

import httpx
import pytest

from grader.accounts.models import Role
from grader.grading import service as gradings
from grader.grading.models import Kind
from grader.models import Submission
from tests.functional.api.material import SECRET_SEED, code, result, submitted

PATHS = ["", "/files", "/events"]


@pytest.mark.parametrize("path", PATHS)
def test_another_candidate_s_submission_is_as_if_it_were_not_there(service, candidate, path):
    identity = submitted(candidate)
    with service.client(Role.CANDIDATE) as other:
        hidden = other.get(f"/v1/submissions/{identity}{path}")
        absent = other.get(f"/v1/submissions/{'0' * 32}{path}")
    assert code(hidden) == code(absent) == (404, "not_found")
    assert hidden.text == absent.text


def test_another_candidate_s_submission_can_neither_be_taken_back_nor_listed(service, candidate):
    identity = submitted(candidate)
    with service.client(Role.CANDIDATE) as other:
        assert code(other.delete(f"/v1/submissions/{identity}")) == (404, "not_found")
        assert other.get("/v1/submissions").json() == {"items": [], "next": None}
    assert candidate.get(f"/v1/submissions/{identity}").json()["status"] == "queued"


@pytest.mark.parametrize("identity", ["nothing", "%00", "0" * 31 + "X", "1" * 200, "..%2f..%2fadding"])
def test_an_id_that_is_none_is_not_found(reviewer, identity):
    assert code(reviewer.get(f"/v1/submissions/{identity}")) == (404, "not_found")


def test_reviewers_see_every_submission_with_all_that_was_graded(service, candidate, reviewer):
    identity = submitted(candidate, "shows-none")
    service.grade(identity, "none")
    found = reviewer.get(f"/v1/submissions/{identity}").json()
    told = result().to_json()
    assert {name: found[name] for name in ("verdict", "score", "max_score", "usage", "provenance", "tests")} == {
        name: told[name] for name in ("verdict", "score", "max_score", "usage", "provenance", "tests")
    }
    assert found["provenance"]["seed"] == SECRET_SEED
    assert found["output"] == "printed hidden-input"


def test_gradings_are_for_reviewers_and_one_of_them_counts(service, candidate, reviewer):
    identity = submitted(candidate)
    service.grade(identity)
    with service.database.begin() as session:
        gradings.create(session, session.get_one(Submission, identity), Kind.BATCH, counts=False)
    path = f"/v1/submissions/{identity}/gradings"
    found = reviewer.get(path).json()["items"]
    assert [(grading["counts"], grading["status"], grading["kind"]) for grading in found] == [
        (False, "queued", "batch"),
        (True, "done", "interactive"),
    ]
    assert code(candidate.get(path)) == (403, "forbidden")


def test_a_fault_of_ours_is_no_score_and_only_reviewers_learn_the_reason(service, candidate, reviewer):
    identity = submitted(candidate)
    held = service.start(identity, told=1)
    with service.database.begin() as session:
        gradings.give_up(session, held, "the judge died: /srv/secret")
    mine, all_of_it = (client.get(f"/v1/submissions/{identity}").json() for client in (candidate, reviewer))
    assert (mine["status"], mine["verdict"], mine["score"], mine["tests"]) == ("fault", None, None, [])
    assert "costs you nothing" in mine["detail"]
    assert all_of_it["detail"] == "the judge died: /srv/secret"


def test_a_list_is_in_pages_that_follow_each_other_without_gap_or_overlap(reviewer):
    identities = [submitted(reviewer) for _ in range(5)]
    key = reviewer.get(f"/v1/submissions/{identities[0]}").json()["key_id"]
    seen, path = [], f"/v1/submissions?key={key}&limit=2"
    while path:
        page = reviewer.get(path)
        seen.append([item["id"] for item in page.json()["items"]])
        path = page.links.get("next", {}).get("url")
        assert bool(path) == bool(page.json()["next"])
    assert seen == [identities[:2:-1], identities[2:0:-1], identities[:1]]


def test_a_new_submission_does_not_shift_the_pages_after_it(candidate):
    identities = [submitted(candidate) for _ in range(2)]
    first = candidate.get("/v1/submissions", params={"limit": 1}).json()
    submitted(candidate)
    second = candidate.get("/v1/submissions", params={"limit": 1, "cursor": first["next"]}).json()
    assert [item["id"] for item in (first["items"] + second["items"])] == identities[::-1]


def listed(client: httpx.Client, **query):
    return [item["id"] for item in client.get("/v1/submissions", params=query).json()["items"]]


def test_a_list_can_be_filtered(service, candidate):
    graded, waiting = submitted(candidate, "shows-full"), submitted(candidate)
    service.grade(graded, "full")
    at = candidate.get(f"/v1/submissions/{waiting}").json()["created_at"]
    assert listed(candidate) == [waiting, graded]
    assert listed(candidate, exercise="adding") == [waiting]
    assert listed(candidate, status="done") == [graded]
    assert listed(candidate, verdict="partial") == [graded]
    assert listed(candidate, verdict="passed") == []
    assert listed(candidate, since=at) == [waiting]
    assert listed(candidate, until=at) == [graded]


def test_a_reviewer_can_list_what_one_key_sent(service, candidate, reviewer):
    identity = submitted(candidate)
    key = candidate.get(f"/v1/submissions/{identity}").json()["key_id"]
    assert listed(reviewer, key=key) == [identity]
    assert code(candidate.get("/v1/submissions", params={"key": key})) == (403, "forbidden")


def test_what_belongs_to_an_assessment_can_be_listed_each_sees_what_is_theirs(service, reviewer):
    with (
        service.client(Role.CANDIDATE, assessment="listed-2026") as one,
        service.client(Role.CANDIDATE, assessment="listed-2026") as other,
    ):
        first, second = submitted(one), submitted(other)
        submitted(reviewer)
        assert listed(reviewer, assessment="listed-2026") == [second, first]
        assert listed(one, assessment="listed-2026") == [first]
        assert listed(one, assessment="listed-2025") == []
        items = reviewer.get("/v1/submissions?assessment=listed-2026").json()["items"]
    assert {item["assessment"] for item in items} == {"listed-2026"}


def test_a_verdict_that_is_not_shown_cannot_be_searched_for(service, candidate, reviewer):
    identity = submitted(candidate, "shows-none")
    service.grade(identity, "none")
    key = candidate.get(f"/v1/submissions/{identity}").json()["key_id"]
    assert [listed(candidate, verdict=verdict) for verdict in ("partial", "passed")] == [[], []]
    assert listed(reviewer, key=key, verdict="partial") == [identity]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1000",
        "limit=x",
        "status=x",
        "verdict=x",
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "until=99999999999999999",
        "exercise=%00",
        "key=1",
        "assessment=Two%20words",
        "colour=red",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(reviewer, query):
    assert code(reviewer.get(f"/v1/submissions?{query}")) == (422, "invalid")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "é", "A" * 22 + "%0A"])
def test_a_cursor_of_somebody_s_own_making_is_refused(reviewer, cursor):
    assert code(reviewer.get(f"/v1/submissions?cursor={cursor}")) == (422, "bad_cursor")


def test_a_queued_submission_can_be_taken_back_and_stays_in_the_list(candidate):
    identity = submitted(candidate)
    for _ in range(2):
        answer = candidate.delete(f"/v1/submissions/{identity}")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert listed(candidate, status="cancelled") == [identity]


def test_what_is_being_graded_or_was_cannot_be_taken_back(service, candidate):
    running, done = submitted(candidate), submitted(candidate)
    service.start(running)
    service.grade(done)
    for identity, status in ((running, "running"), (done, "done")):
        answer = candidate.delete(f"/v1/submissions/{identity}")
        assert code(answer) == (409, "not_queued")
        assert f"it is {status} already" in answer.json()["detail"]
