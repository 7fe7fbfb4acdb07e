"""What was stored and never graded is sent again, on both databases and through both brokers; and nothing else is."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from grader.db import now
from grader.grading import service
from grader.grading.models import Kind
from grader.grading.reconciler import Reconciler
from grader.models import Grading
from grader.queue import Queue
from grader.settings import Settings
from tests.databases import submit

EVERY_S = 5.0
LONG_AGO_S = 100.0


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def queue(request):
    """An empty queue on each of the brokers in turn."""
    url = request.getfixturevalue("empty_redis_url") if request.param == "redis" else None
    found = Queue(Settings(redis_url=url and SecretStr(url)))
    yield found
    found.close()


@pytest.fixture
def run(database, queue):
    """Reconcile once; how many messages wait then, (interactive, batch)."""

    def once():
        Reconciler(database, queue, EVERY_S).run()
        return queue.depth(Kind.INTERACTIVE), queue.depth(Kind.BATCH)

    return once


def sent(database, grading, seconds_ago):
    with database.begin() as session:
        moment = now(session) - datetime.timedelta(seconds=seconds_ago)
        session.get_one(Grading, grading.id).enqueued_at = moment
    return grading


def test_what_nobody_sent_is_sent_once(database, run):
    submit(database)
    submit(database, kind=Kind.BATCH)
    assert run() == (1, 1)
    assert run() == (1, 1)


def test_a_lost_message_is_sent_again(database, run):
    for _ in range(3):
        sent(database, submit(database), LONG_AGO_S)
    assert run() == (3, 0)


def test_a_message_that_may_be_on_its_way_is_not_sent_again(database, run):
    sent(database, submit(database), EVERY_S)
    assert run() == (0, 0)


def test_a_backlog_whose_messages_are_there_is_not_doubled(database, queue, run):
    for grading in [sent(database, submit(database), LONG_AGO_S) for _ in range(4)]:
        queue.send(grading.id, grading.submission_id, grading.kind)
    assert run() == (4, 0)


def test_of_a_backlog_so_many_are_sent_again_as_messages_are_missing(database, queue, run):
    gradings = [sent(database, submit(database), LONG_AGO_S) for _ in range(4)]
    queue.send(gradings[0].id, gradings[0].submission_id, gradings[0].kind)
    assert run() == (4, 0)


def test_a_grading_that_is_put_off_is_sent_when_it_is_due(database, queue):
    grading = sent(database, submit(database), LONG_AGO_S)
    with database.begin() as session:
        held = service.claim(session, grading.id, 60)
        service.put_off(session, held, "fault", 2.0, counted=True)
    reconciler = Reconciler(database, queue, EVERY_S)
    assert 0 < reconciler.run() <= 2.0
    assert queue.depth(Kind.INTERACTIVE) == 0
    with database.begin() as session:
        session.get_one(Grading, grading.id).not_before = now(session)
    assert reconciler.run() == EVERY_S
    assert queue.depth(Kind.INTERACTIVE) == 1


def test_a_grading_whose_worker_fell_silent_is_sent_once(database, queue, run):
    waiting = sent(database, submit(database), LONG_AGO_S)
    queue.send(waiting.id, waiting.submission_id, waiting.kind)
    orphan = sent(database, submit(database), LONG_AGO_S)
    with database.begin() as session:
        service.claim(session, orphan.id, lease_s=-1)
    assert run() == (2, 0)
    assert run() == (2, 0)


def test_what_runs_is_done_or_was_cancelled_is_left_alone(database, run):
    running, cancelled, given_up = (sent(database, submit(database), LONG_AGO_S) for _ in range(3))
    with database.begin() as session:
        service.claim(session, running.id, 60)
        service.cancel(session, cancelled.id)
        service.give_up(session, service.claim(session, given_up.id, 60), "broken")
    assert run() == (0, 0)


def test_many_reconcilers_at_once_send_what_nobody_sent_once(database, queue):
    for _ in range(10):
        submit(database)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: Reconciler(database, queue, EVERY_S).run(), range(4)))
    assert queue.depth(Kind.INTERACTIVE) == 10
