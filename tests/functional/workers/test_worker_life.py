"""Worker processes from start to stop: who is served first, what a stop means, and that embedded ones score alike."""

import json
import signal
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from grader.grading.model import Status, Verdict
from grader.grading.models import Kind
from grader.metrics import service as presence
from grader.queue import Queue
from grader.settings import Settings
from grader.worker import shares, start_embedded
from tests.functional.service import until, write_exercise
from tests.functional.workers.conftest import SOLUTIONS

pytestmark = pytest.mark.redis


def test_a_grading_goes_through_redis_and_a_worker_to_a_score(workers):
    workers.start()
    (ended,) = workers.ended(workers.submit())
    assert (ended.status, ended.verdict, ended.score, ended.max_score) == (Status.DONE, Verdict.PASSED, 2, 2)
    assert ended.result["provenance"]["seed"] == ended.seed
    assert workers.told(ended) == ["queued", "started", "test", "test", "done"]


def test_a_stopped_worker_finishes_what_it_grades_and_takes_nothing_new(workers):
    first = workers.start()
    running = workers.submit("gated")
    workers.in_the_middle(running)
    first.tell(signal.SIGTERM)
    first.wait_for("worker stopping")
    waiting = workers.submit()
    workers.open_gate()
    assert first.ended() == 0
    assert (workers.now(running).score, workers.now(running).attempts) == (2, 1)
    assert workers.now(waiting).status is Status.QUEUED
    workers.start()
    assert workers.ended(waiting)[0].score == 2


def test_a_backlog_of_batch_work_does_not_block_people(workers):
    workers.start(concurrency=2, interactive_reserve=1)
    backlog = [workers.submit("gated", Kind.BATCH) for _ in range(3)]
    workers.in_the_middle(backlog[0])
    assert workers.ended(workers.submit())[0].score == 2
    assert {workers.now(grading).status for grading in backlog} == {Status.RUNNING, Status.QUEUED}
    workers.open_gate()
    assert [ended.score for ended in workers.ended(*backlog)] == [2, 2, 2]


def test_a_worker_of_one_takes_people_first_and_batch_work_too(workers):
    workers.start(concurrency=1, interactive_reserve=1)
    blocking = workers.submit("gated", Kind.BATCH)
    workers.in_the_middle(blocking)
    batch = [workers.submit(kind=Kind.BATCH) for _ in range(3)]
    person = workers.submit()
    workers.open_gate()
    first, *others = workers.ended(person, *batch)
    assert all(first.finished_at < other.finished_at for other in others)


NICENESS = """
    import os, solution

    def test_it():
        with open({said!r}, "w") as file:
            print(os.nice(0), open("/proc/self/autogroup").read().split()[-1], solution.niceness(), file=file)
        assert os.getsid(0) == os.getpid()
"""


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel knows no autogroups")
@pytest.mark.parametrize(("only", "nice"), [(Kind.BATCH, "15 15 19"), (Kind.INTERACTIVE, "0 0 0")])
def test_a_worker_of_one_kind_takes_that_only_and_is_nice_with_batch_work(workers, only, nice):
    """So are its session, its judges, each in a session of its own, and its guests."""
    said = workers.folder / "said"
    exercise = write_exercise(workers.folder / "exercises", "niceness", NICENESS.format(said=str(said)))
    (exercise / "reference" / "solution.py").write_bytes(SOLUTIONS["niceness"])
    worker = workers.start("--only", only)
    (other,) = (workers.submit(kind=kind) for kind in Kind if kind is not only)
    (ended,) = workers.ended(workers.submit("niceness", only))
    assert ended.score == 1
    assert said.read_text() == f"{nice}\n"
    assert Path(f"/proc/{worker.pid}/autogroup").read_text().split()[-1] == nice.split()[0]
    assert workers.now(other).status is Status.QUEUED


@pytest.mark.parametrize(
    ("concurrency", "reserve", "takes_batch"), [(1, 0, 1), (1, 1, 1), (2, 1, 1), (4, 1, 3), (4, 9, 1), (3, 0, 3)]
)
def test_there_is_always_somebody_for_batch_work(concurrency, reserve, takes_batch):
    kinds = shares(concurrency, reserve, None)
    assert len(kinds) == concurrency
    assert sum(Kind.BATCH in share for share in kinds) == takes_batch
    assert all(share[0] is Kind.INTERACTIVE for share in kinds)


def test_the_same_seed_scores_alike_embedded_and_through_redis(workers, database):
    seed = 2024
    workers.start()
    (through_redis,) = workers.ended(workers.submit("bits", seed=seed))
    settings = Settings(**workers.settings(redis_url=None))
    workers.queue = Queue(settings)
    embedded = start_embedded(settings, database, workers.queue, CollectorRegistry())
    try:
        (in_process,) = workers.ended(workers.submit("bits", seed=seed))
    finally:
        embedded.stop()
    assert 0 < through_redis.score == in_process.score < 12
    assert outcomes(through_redis) == outcomes(in_process)


def outcomes(grading):
    return [(test["id"], test["outcome"], test["message"]) for test in grading.result["tests"]]


def test_an_embedded_worker_finishes_what_it_grades_when_stopped(workers, database):
    settings = Settings(**workers.settings(redis_url=None, concurrency=2))
    workers.queue = Queue(settings)
    embedded = start_embedded(settings, database, workers.queue, CollectorRegistry())
    grading = workers.submit("gated", Kind.BATCH)
    workers.in_the_middle(grading)
    workers.open_gate()
    embedded.stop()
    assert (workers.now(grading).status, workers.now(grading).score) == (Status.DONE, 2)


def test_a_worker_tells_the_database_that_it_is_there_and_when_it_is_gone(workers, database):
    def alive():
        with database.begin() as session:
            return [(found.sandbox, found.problem) for found in presence.live(session, 60)]

    worker = workers.start()
    until(alive)
    assert alive() == [("local", None)]
    assert worker.stop() == 0
    assert alive() == []


def test_a_worker_serves_its_metrics_where_it_is_told_to(workers, free_port):
    workers.start(metrics_port=free_port)
    workers.ended(workers.submit())
    text = httpx.get(f"http://127.0.0.1:{free_port}/metrics").text
    assert 'grader_worker_gradings_total{kind="interactive",status="done",verdict="passed"} 1.0' in text
    assert 'grader_queue_messages{kind="batch"} 0.0' in text


def test_every_line_of_a_grading_names_submission_grading_and_task(workers):
    worker = workers.start()
    (ended,) = workers.ended(workers.submit())
    worker.wait_for('"event": "graded"')
    lines = [line for line in worker.said.splitlines() if ended.id in line]
    assert any('"event": "grading"' in line for line in lines)
    assert all(ended.submission_id in line and '"task": "' in line for line in lines)


def test_what_a_judge_complains_of_is_logged_with_the_ids_of_its_grading(workers):
    suite = "import os\n\ndef test_it():\n    os.write(2, b'a word of the suite \\x1b[2J')\n"
    write_exercise(workers.folder / "exercises", "loud", suite)
    worker = workers.start()
    (ended,) = workers.ended(workers.submit("loud"))
    worker.stop()
    told = [json.loads(line) for line in worker.said.splitlines() if "a word of the suite" in line]
    ids = [(line["grading"], line["submission"]) for line in told if "grading" in line]  # not the reference's, if idle
    assert ids == [(ended.id, ended.submission_id)] * len(ids)
    assert ids
    assert all(line["level"] == "warning" and line["task"] for line in told if "grading" in line)
    assert all("\x1b" not in line["event"] and "\N{REPLACEMENT CHARACTER}[2J" in line["event"] for line in told)
