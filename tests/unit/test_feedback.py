"""What a candidate sees of any result: pure, so tried with all sorts of results."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.grading.model import Outcome, Verdict
from grader.submissions.feedback import event, everything, for_candidate, policy

SECRET = "\N{LOCK}hidden"
POLICIES = ["full", "titles", "score", "none"]
tests = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.just(f"test_x.py::{SECRET}"),
            "title": st.text(max_size=5),
            "outcome": st.sampled_from([str(outcome) for outcome in Outcome]),
            "points": st.floats(0, 5),
            "max_points": st.floats(0, 5),
            "message": st.sampled_from(["", f"expected {SECRET}"]),
            "duration_s": st.floats(0, 5),
        }
    ),
    min_size=1,
    max_size=5,
)
results = st.fixed_dictionaries(
    {
        "exercise": st.just("adding"),
        "status": st.just("done"),
        "verdict": st.sampled_from([str(verdict) for verdict in Verdict if verdict is not Verdict.ERROR]),
        "score": st.floats(0, 5),
        "max_score": st.floats(0, 5),
        "tests": tests,
        "usage": st.just({"wall_s": 1.0, "cpu_s": 1.0, "memory_mb": 1.0}),
        "provenance": st.just({"seed": 123456789, "image": "local"}),
    }
)


def text(seen):
    return json.dumps(vars(seen), ensure_ascii=False)


@given(results, st.sampled_from(["titles", "score", "none"]))
def test_ids_messages_and_what_was_printed_are_only_in_full(result, shown):
    assert SECRET not in text(for_candidate(result, f"printed {SECRET}", shown))


@given(results, st.sampled_from(POLICIES))
def test_the_seed_is_in_none(result, shown):
    assert "123456789" not in text(for_candidate(result, "", shown))


@given(results, st.sampled_from(POLICIES))
def test_a_candidate_s_view_changes_nothing_of_what_is_stored(result, shown):
    before = json.dumps(result)
    for_candidate(result, "", shown)
    assert json.dumps(result) == before


@given(results)
def test_titles_keep_order_outcomes_and_points(result):
    seen = for_candidate(result, "", "titles").tests
    assert [test["id"] for test in seen] == [str(number) for number in range(1, len(result["tests"]) + 1)]
    for name in ("title", "outcome", "points", "max_points"):
        assert [test[name] for test in seen] == [test[name] for test in result["tests"]]


@given(results)
def test_reviewers_see_what_is_stored(result):
    seen = everything(result, "printed")
    assert [dict(test) for test in seen.tests] == result["tests"]
    assert (seen.provenance, seen.output) == (result["provenance"], "printed")


@given(results, st.sampled_from(["score", "none"]))
def test_events_of_tests_and_their_number_are_not_told_where_tests_are_not_shown(result, shown):
    assert event("test", {"test": result["tests"][0], "done": 1, "total": 5}, shown) is None
    assert event("started", {"total": 5}, shown) == {}


@given(results)
def test_an_event_tells_of_a_test_what_the_titles_tell(result):
    seen = for_candidate(result, "", "titles").tests
    told = [
        event("test", {"test": test, "done": number, "total": 9}, "titles")
        for number, test in enumerate(result["tests"], 1)
    ]
    assert [found["test"] for found in told] == list(seen)


@pytest.mark.parametrize(("word", "expected"), [("titles", "titles"), (None, "none"), ("", "none"), ("all", "none")])
def test_an_unknown_policy_is_the_strictest(word, expected):
    assert policy(word) == expected
