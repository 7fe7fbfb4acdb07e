"""The life of a grading in the database, on both kinds: who may do what, when, and who is refused."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest

from grader.db import now
from grader.grading import service
from grader.grading.model import Outcome, Result, Status, TestResult, Verdict
from grader.grading.service import Event, LeaseLost
from grader.models import Grading
from sandbox.limits import Usage
from tests.databases import again, reread, submit, told


def claim(database, grading, lease_s=60.0):
    with database.begin() as session:
        return service.claim(session, grading.id, lease_s)


def do(database, step, *args, **kwargs):
    with database.begin() as session:
        return step(session, *args, **kwargs)


def result(output="", message="", score=1.0):
    test = TestResult("test_a.py::test_a", "a", Outcome.FAILED, 0, 1, message)
    return Result(
        "adding",
        Status.DONE,
        Verdict.PARTIAL,
        score,
        2.0,
        (test,),
        Usage(),
        {"seed": 7, "exercise_digest": "sha256:1"},
        output,
    )


def test_a_grading_is_queued_claimed_told_about_and_finished(database):
    grading = submit(database)
    held = claim(database, grading)
    do(database, service.record, held, [Event("started", {"total": 1})])
    do(database, service.finish, held, result(), "titles", [Event("test", {"done": 1, "total": 1})])
    stored = reread(database, grading)
    assert (stored.status, stored.verdict, stored.score, stored.lease) == (Status.DONE, Verdict.PARTIAL, 1.0, None)
    assert stored.result == result().to_json()
    assert told(database, grading) == ["queued", "started", "test", "done"]


def test_a_running_grading_cannot_be_claimed(database):
    grading = submit(database)
    assert claim(database, grading) is not None
    assert claim(database, grading) is None


def test_of_many_claims_at_once_one_succeeds(database):
    grading = submit(database)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: claim(database, grading), range(8)))
    assert sum(held is not None for held in claims) == 1
    assert reread(database, grading).attempts == 1


def test_of_many_claims_of_an_abandoned_grading_one_succeeds(database):
    grading = submit(database)
    first = claim(database, grading, lease_s=-1)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: claim(database, grading), range(8)))
    (second,) = [held for held in claims if held is not None]
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.lease != second.lease


def test_whoever_lost_the_lease_changes_nothing(database):
    grading = submit(database)
    late = claim(database, grading, lease_s=-1)
    held = claim(database, grading)
    for step, args in (
        (service.renew, (60,)),
        (service.record, ([Event("test", {})],)),
        (service.finish, (result(score=2.0), "titles")),
        (service.put_off, ("late", 0, True)),
        (service.give_up, ("late",)),
    ):
        with pytest.raises(LeaseLost):
            do(database, step, late, *args)
    do(database, service.finish, held, result(score=1.0), "titles")
    stored = reread(database, grading)
    assert (stored.score, stored.fault) == (1.0, None)
    assert told(database, grading) == ["queued", "done"]


def test_a_lease_that_ran_out_is_still_good_until_somebody_claims(database):
    grading = submit(database)
    held = claim(database, grading, lease_s=-1)
    do(database, service.renew, held, 60)
    assert claim(database, grading) is None


def test_a_finished_grading_stays_as_it_is(database):
    grading = submit(database)
    held = claim(database, grading)
    do(database, service.finish, held, result(), "titles")
    for step, args in ((service.finish, (result(score=2.0), "full")), (service.give_up, ("no",))):
        with pytest.raises(LeaseLost):
            do(database, step, held, *args)
    assert claim(database, grading) is None
    assert not do(database, service.cancel, grading.id)
    assert reread(database, grading).score == 1.0


def test_a_grading_that_is_put_off_waits_and_keeps_its_seed(database):
    grading = submit(database)
    held = claim(database, grading)
    do(database, service.put_off, held, "JudgeError: it died", 3600, counted=True)
    stored = reread(database, grading)
    assert (stored.status, stored.attempts, stored.seed) == (Status.QUEUED, 1, grading.seed)
    assert (stored.enqueued_at, stored.fault) == (None, "JudgeError: it died")
    assert claim(database, grading) is None
    do(database, lambda session: setattr(session.get_one(Grading, grading.id), "not_before", now(session)))
    assert claim(database, grading).attempt == 2
    assert told(database, grading) == ["queued", "retry"]


def test_waiting_for_a_sandbox_costs_no_try(database):
    grading = submit(database)
    for _ in range(3):
        held = claim(database, grading)
        assert held.attempt == 1
        do(database, service.put_off, held, "no engine", 0, counted=False)


def test_a_grading_that_is_given_up_is_a_fault_without_a_score(database):
    grading = submit(database)
    do(database, service.give_up, claim(database, grading), "SuiteError: broken")
    stored = reread(database, grading)
    assert (stored.status, stored.verdict, stored.score) == (Status.FAULT, None, None)
    assert told(database, grading) == ["queued", "fault"]
    assert claim(database, grading) is None


def test_a_queued_grading_can_be_cancelled_once(database):
    grading = submit(database)
    assert do(database, service.cancel, grading.id)
    assert not do(database, service.cancel, grading.id)
    assert claim(database, grading) is None
    assert told(database, grading) == ["queued", "cancelled"]


def test_a_running_grading_cannot_be_cancelled(database):
    grading = submit(database)
    held = claim(database, grading)
    assert not do(database, service.cancel, grading.id)
    do(database, service.finish, held, result(), "titles")


def test_of_a_claim_and_a_cancellation_at_once_one_succeeds(database):
    for _ in range(10):
        grading = submit(database)
        with ThreadPoolExecutor(2) as pool:
            cancelled = pool.submit(do, database, service.cancel, grading.id)
            held = pool.submit(claim, database, grading)
        assert cancelled.result() is (held.result() is None)
        wanted = Status.CANCELLED if cancelled.result() else Status.RUNNING
        assert reread(database, grading).status is wanted


def test_a_submission_has_many_gradings_and_one_that_counts(database):
    first = submit(database)
    second = again(database, first, seed=first.seed)
    assert second.seed == first.seed != again(database, first).seed
    assert do(database, service.counting, first.submission_id).id == first.id


def test_what_a_candidate_printed_can_be_stored_whatever_it_is(database):
    grading = submit(database)
    held = claim(database, grading)
    do(database, service.record, held, [Event("test", {"test": {"message": "a\0b\ud800c"}})])
    do(database, service.finish, held, result(output="\0\udfff", message="x\0y"), "full")
    stored = reread(database, grading)
    assert stored.output == "\ufffd\ufffd"
    assert stored.result["tests"][0]["message"] == "x\ufffdy"


def test_moments_come_back_in_utc_and_in_order(database):
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    created = reread(database, submit(database)).created_at
    assert created.tzinfo is not None
    assert before < created < before + datetime.timedelta(minutes=10)
