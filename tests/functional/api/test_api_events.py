"""GET /v1/submissions/{id}/events: server-sent events that can be followed live and taken up again."""

import contextlib
import json

import pytest

from grader.grading import service as gradings
from tests.functional.api.material import code, result, submitted


def parsed(lines):
    """The events of a stream as (id, kind, data), as they come in."""
    event = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name and not line.startswith(":"):
            event[name] = value
        elif not line and event:
            yield int(event["id"]), event["event"], json.loads(event["data"])
            event = {}


def events(client, identity, after=None):
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    answer = client.get(f"/v1/submissions/{identity}/events", headers=headers)
    return answer, list(parsed(answer.text.splitlines()))


def kinds(told):
    return [kind for _, kind, _ in told]


@contextlib.contextmanager
def following(client, identity):
    with client.stream("GET", f"/v1/submissions/{identity}/events") as answer:
        yield parsed(answer.iter_lines())


def test_what_ended_is_told_from_its_beginning_and_the_stream_ends(service, candidate):
    identity = submitted(candidate)
    service.grade(identity)
    answer, told = events(candidate, identity)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert kinds(told) == ["queued", "started", "test", "test", "test", "done"]
    assert [data["done"] for _, kind, data in told if kind == "test"] == [1, 2, 3]
    assert told[-1][2] == candidate.get(f"/v1/submissions/{identity}").json()


def test_each_test_is_told_as_it_ends(service, candidate):
    identity = submitted(candidate)
    with following(candidate, identity) as told:
        assert next(told)[1] == "queued"
        held = service.start(identity)
        assert next(told)[1:] == ("started", {"total": 3})
        for number in (1, 2, 3):
            service.tell(held, number)
            assert next(told)[2]["test"]["title"] == f"claim {number}"
        with service.database.begin() as session:
            gradings.finish(session, held, result(), "titles")
        assert next(told)[2]["score"] == 4
        assert list(told) == []


def test_a_broken_stream_goes_on_after_the_last_event(service, candidate):
    identity = submitted(candidate)
    held = service.start(identity, told=1)
    with following(candidate, identity) as told:
        seen = [next(told) for _ in range(3)]
    service.tell(held, 2)
    with service.database.begin() as session:
        gradings.finish(session, held, result(), "titles")
    _, rest = events(candidate, identity, after=seen[-1][0])
    assert kinds(seen) + kinds(rest) == ["queued", "started", "test", "test", "done"]
    numbers = [number for number, _, _ in seen + rest]
    assert numbers == sorted(set(numbers))


def test_nothing_comes_after_the_final_event(service, candidate):
    identity = submitted(candidate)
    service.grade(identity)
    _, told = events(candidate, identity)
    answer, nothing = events(candidate, identity, after=told[-1][0])
    assert (answer.status_code, answer.content, nothing) == (204, b"", [])


def test_a_cancelled_submission_says_so_and_ends(candidate):
    identity = submitted(candidate)
    candidate.delete(f"/v1/submissions/{identity}")
    _, told = events(candidate, identity)
    assert kinds(told) == ["queued", "cancelled"]
    assert told[-1][2]["status"] == "cancelled"


def test_a_fault_is_told_as_a_retry_and_then_as_a_fault_without_its_reason(service, candidate):
    identity = submitted(candidate)
    held = service.start(identity)
    with service.database.begin() as session:
        gradings.put_off(session, held, "secret reason", wait_s=0, counted=True)
    held = service.start(identity)
    with service.database.begin() as session:
        gradings.give_up(session, held, "secret reason")
    answer, told = events(candidate, identity)
    assert kinds(told) == ["queued", "started", "retry", "started", "fault"]
    assert "secret" not in answer.text


def test_reviewers_follow_every_test_in_full(service, candidate, reviewer):
    identity = submitted(candidate, "shows-none")
    service.grade(identity, "none")
    _, told = events(reviewer, identity)
    assert told[2][2]["test"]["id"] == "test_secret.py::test_hidden_alpha"


@pytest.mark.parametrize("last", ["x", "-1", "1" * 30, "1.5"])
def test_a_last_event_id_that_is_none_is_refused(candidate, last):
    answer, _ = events(candidate, submitted(candidate), after=last)
    assert code(answer) == (422, "invalid")
