"""What the API tells a candidate of the hidden suite, under each policy, wherever it could be told."""

import pytest

from grader.grading import service as gradings
from grader.grading.model import Outcome, TestResult, Verdict
from tests.functional.api.material import SECRET_IDS, SECRET_MESSAGE, SECRET_SEED, result, submitted

POLICIES = ("full", "titles", "score", "none")


def everywhere(client, identity):
    """All that a candidate can read about a submission, as one text."""
    paths = ["", "/events", "/files"]
    texts = [client.get(f"/v1/submissions/{identity}{path}").text for path in paths]
    return "\n".join([*texts, client.get("/v1/submissions").text])


@pytest.mark.parametrize("policy", POLICIES)
def test_the_seed_is_never_told(service, candidate, policy):
    identity = submitted(candidate, f"shows-{policy}")
    service.grade(identity, policy)
    assert str(SECRET_SEED) not in everywhere(candidate, identity)


@pytest.mark.parametrize("policy", ["titles", "score", "none"])
def test_hidden_names_messages_and_inputs_are_only_told_in_full(service, candidate, policy):
    identity = submitted(candidate, f"shows-{policy}")
    service.grade(identity, policy)
    told = everywhere(candidate, identity)
    assert not [secret for secret in ("hidden", "test_secret", *SECRET_IDS, SECRET_MESSAGE) if secret in told]


@pytest.mark.parametrize("policy", ["score", "none"])
def test_titles_are_not_told_where_there_is_a_score_only(service, candidate, policy):
    identity = submitted(candidate, f"shows-{policy}")
    service.grade(identity, policy)
    told = everywhere(candidate, identity)
    assert "claim" not in told
    assert '"total"' not in told
    assert "event: test" not in told


def test_none_tells_the_status_alone(service, candidate):
    identity = submitted(candidate, "shows-none")
    service.grade(identity, "none")
    found = candidate.get(f"/v1/submissions/{identity}").json()
    fields = ("verdict", "score", "max_score", "usage", "provenance", "output", "detail")
    assert found["status"] == "done"
    assert [found[name] for name in fields] == [None] * len(fields)
    assert found["tests"] == []
    assert "partial" not in everywhere(candidate, identity)


def test_titles_tell_numbers_titles_outcomes_and_points(service, candidate):
    identity = submitted(candidate)
    service.grade(identity)
    found = candidate.get(f"/v1/submissions/{identity}").json()
    assert (found["verdict"], found["score"], found["max_score"], found["output"]) == ("partial", 4, 6, None)
    assert found["tests"][1] == {
        "id": "2",
        "title": "claim 2",
        "outcome": "failed",
        "points": 0,
        "max_points": 2,
        "message": "",
        "duration_s": 0.01,
    }


def test_full_tells_ids_messages_and_what_was_printed(service, candidate):
    identity = submitted(candidate, "shows-full")
    service.grade(identity, "full")
    found = candidate.get(f"/v1/submissions/{identity}").json()
    assert [test["id"] for test in found["tests"]] == SECRET_IDS
    assert found["tests"][1]["message"] == SECRET_MESSAGE
    assert found["output"] == "printed hidden-input"


def test_the_policy_stored_with_the_score_holds_whatever_the_exercise_says_now(service, candidate):
    identity = submitted(candidate, "shows-full")
    service.grade(identity, "score")
    assert candidate.get(f"/v1/submissions/{identity}").json()["tests"] == []
    assert "claim" not in everywhere(candidate, identity)


def test_events_of_an_exercise_that_went_away_tell_no_tests(service, candidate, exercises):
    folder = exercises / "shows-full"
    identity = submitted(candidate, "shows-full")
    held = service.start(identity, told=2)
    folder.rename(exercises / "away")
    try:
        with service.database.begin() as session:
            gradings.give_up(session, held, "gone")
        assert "claim" not in everywhere(candidate, identity)
    finally:
        (exercises / "away").rename(folder)


@pytest.mark.parametrize("policy", ["full", "titles", "score"])
def test_whoever_s_solution_does_not_load_learns_why(service, candidate, policy):
    identity = submitted(candidate, f"shows-{policy}")
    message = "solution.py could not be loaded: SyntaxError: invalid syntax (solution.py, line 3)"
    failed = TestResult("test_secret.py::test_a", "claim 1", Outcome.ERROR, 0.0, 2.0, message)
    service.grade(identity, policy, result(verdict=Verdict.ERROR, tests=(failed,), score=0.0, output="so far"))
    found = candidate.get(f"/v1/submissions/{identity}").json()
    assert (found["verdict"], found["detail"], found["output"]) == ("error", message, "so far")
