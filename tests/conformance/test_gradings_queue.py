"""Sending gradings: through Redis and in memory, after the commit, and what happens when the broker is down."""

import pytest
import redis
from pydantic import SecretStr

from grader.errors import QueueDown
from grader.grading import service
from grader.grading.models import Kind
from grader.models import Submission
from grader.queue import Queue
from grader.settings import Settings
from tests.databases import reread, submit


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def queue(request):
    """An empty queue on each of the brokers in turn."""
    url = request.getfixturevalue("empty_redis_url") if request.param == "redis" else None
    found = Queue(Settings(redis_url=url and SecretStr(url)))
    yield found
    found.close()


@pytest.fixture
def dead_queue():
    found = Queue(Settings(redis_url=SecretStr("redis://127.0.0.1:1/0")))
    yield found
    found.close()


def create(database, queue, **about):
    """A further grading of a new submission, sent."""
    submission_id = submit(database).submission_id
    with database.begin() as session:
        submission = session.get_one(Submission, submission_id)
        grading = service.create(session, submission, **{"kind": Kind.BATCH, "counts": False} | about)
        queue.send_after_commit(session, grading)
        assert queue.depth(grading.kind) == 0
    return grading


def test_a_message_is_sent_after_the_commit_to_the_queue_of_its_kind(database, queue):
    grading = create(database, queue)
    assert (queue.depth(Kind.BATCH), queue.depth(Kind.INTERACTIVE)) == (1, 0)
    assert reread(database, grading).enqueued_at is not None


def test_nothing_is_sent_when_the_transaction_is_rolled_back(database, queue):
    grading = submit(database)
    with database.begin() as session:
        queue.send_after_commit(session, session.merge(grading))
        session.rollback()
    assert queue.depth(Kind.INTERACTIVE) == 0


def test_the_release_of_a_savepoint_is_not_yet_the_commit(database, queue):
    grading = submit(database)
    with database.begin() as session:
        with session.begin_nested():
            queue.send_after_commit(session, session.merge(grading))
        assert queue.depth(Kind.INTERACTIVE) == 0
    assert queue.depth(Kind.INTERACTIVE) == 1


def test_two_embedded_queues_do_not_see_each_other(database):
    one, other = Queue(Settings()), Queue(Settings())
    create(database, one)
    assert (one.depth(Kind.BATCH), other.depth(Kind.BATCH)) == (1, 0)


def test_a_commit_succeeds_when_the_broker_is_down(database, dead_queue):
    grading = submit(database)
    with database.begin() as session:
        dead_queue.send_after_commit(session, session.merge(grading))
    assert reread(database, grading).enqueued_at is not None


def test_a_broker_that_is_down_is_told_as_such(dead_queue):
    with pytest.raises(QueueDown, match="does not answer"):
        dead_queue.ping()
    with pytest.raises(QueueDown, match="does not answer"):
        dead_queue.send("g", "s", Kind.BATCH)


@pytest.mark.redis
def test_a_flushed_redis_takes_messages_as_before(empty_redis_url):
    queue = Queue(Settings(redis_url=SecretStr(empty_redis_url)))
    for _ in range(2):
        queue.send("a", "s", Kind.BATCH)
        assert queue.depth(Kind.BATCH) == 1
        redis.Redis.from_url(empty_redis_url).flushdb()
    queue.close()
