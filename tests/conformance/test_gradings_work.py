"""What a worker does with a grading, on both databases. The runner is scripted: what it may do is what matters here."""

import errno
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError

from grader.catalog.catalog import Catalog
from grader.db import now
from grader.errors import JudgeError, SuiteError
from grader.grading import service
from grader.grading.model import Outcome, Result, Status, TestResult, Verdict, provenance
from grader.grading.models import Kind
from grader.grading.work import Work
from grader.metrics.worker import Measures
from grader.models import Grading
from grader.proving.prover import Prover
from grader.settings import Settings
from sandbox.errors import SandboxLost, SandboxUnavailable
from sandbox.limits import Usage
from tests.databases import again, reread, submit, told
from tests.functional.service import write_exercise
from tests.stand_ins import Engine

AWAY = SandboxUnavailable("no engine answers.", "Start it.")


class Script:
    """A runner that does what it is told: an exception is raised, a callable is called, None is a passed test."""

    def __init__(self, *endings):
        self.endings, self.jobs, self.policies = itertools.chain(endings, itertools.repeat(None)), [], []
        self.image = "image"

    def grade(self, exercise, job, on_event, policy):
        self.jobs.append(job)
        self.policies.append(policy)
        on_event({"kind": "started", "total": 1})
        on_event({"kind": "sandboxed"})
        ending = next(self.endings)
        if isinstance(ending, Exception):
            raise ending
        if ending is not None:
            ending()
        test = TestResult("test_it.py::test_adds", "adds", Outcome.PASSED, 1, 1)
        on_event({"kind": "test", "test": test.to_json(), "done": 1, "total": 1})
        return Result(
            exercise.slug,
            Status.DONE,
            Verdict.PASSED,
            1,
            1,
            (test,),
            Usage(),
            provenance(exercise, job, self.image, {}),
        )

    def close(self):
        """Nothing to close."""


@pytest.fixture
def exercises(tmp_path):
    write_exercise(tmp_path / "exercises", "adding")
    return tmp_path / "exercises"


@pytest.fixture
def work(database, exercises):
    """A worker's work with a scripted runner."""

    def make(*endings, **settings):
        script, registry = Script(*endings), CollectorRegistry()
        found = Settings(**{"retry_backoff_s": 0, "lease_s": 60} | settings)
        catalog = Catalog(exercises)
        prover = Prover(database, catalog, Script(), Engine(), 60)
        made = Work(found, database, catalog, script, prover, Measures(registry))
        made.script, made.registry = script, registry
        return made

    return make


def due(database, grading):
    with database.begin() as session:
        session.get_one(Grading, grading.id).not_before = now(session)


def test_an_exercise_that_changes_while_it_grades_gives_no_score(database, work, exercises):
    grading = submit(database, {"solution.py": b"x"})

    def change():
        (exercises / "adding" / "tests" / "test_it.py").write_text("def test_other():\n    pass\n")

    found = work(change)
    found.grade(grading.id)
    assert reread(database, grading).status is Status.QUEUED
    assert "the exercise changed" in reread(database, grading).fault
    found.grade(grading.id)
    assert reread(database, grading).status is Status.DONE
    assert found.script.jobs[0] == found.script.jobs[1]


def test_a_score_from_another_image_than_the_exercise_is_proved_on_is_none(database, work):
    grading = submit(database, {"solution.py": b"x"})
    found = work(None, max_attempts=2)
    found.script.image = "newer"  # of the sandboxes: the engine was asked just before
    found.grade(grading.id)
    assert reread(database, grading).status is Status.QUEUED
    assert "the image changed" in reread(database, grading).fault
    found.script.image = "image"
    found.grade(grading.id)
    assert reread(database, grading).status is Status.DONE
    assert reread(database, grading).result["provenance"]["image"] == "image"


def test_a_grading_is_graded_once_however_often_its_message_comes(database, work):
    grading = submit(database, {"solution.py": b"x", "more.py": b"y"})
    found = work()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(found.grade, [grading.id] * 4))
    (job,) = found.script.jobs
    assert (job.files, job.seed) == ({"solution.py": b"x", "more.py": b"y"}, grading.seed)
    stored = reread(database, grading)
    assert (stored.status, stored.score, stored.feedback) == (Status.DONE, 1, "titles")
    assert told(database, grading) == ["queued", "started", "test", "done"]


@pytest.mark.parametrize("error", [JudgeError("died"), SuiteError("broken"), SandboxLost("gone"), KeyError("a bug")])
def test_a_fault_is_tried_again_with_the_same_seed_and_then_shown(database, work, error):
    grading = submit(database)
    found = work(error, error, error)
    for tries in range(1, 4):
        found.grade(grading.id)
        assert reread(database, grading).attempts == tries
    assert {job.seed for job in found.script.jobs} == {grading.seed}
    stored = reread(database, grading)
    assert (stored.status, stored.verdict, stored.score) == (Status.FAULT, None, None)
    assert stored.fault == f"{type(error).__name__}: {error}"
    assert told(database, grading) == ["queued", "started", "retry", "started", "retry", "started", "fault"]


def test_a_fault_that_passes_leaves_a_score(database, work):
    grading = submit(database)
    found = work(JudgeError("died"))
    for _ in range(2):
        found.grade(grading.id)
    stored = reread(database, grading)
    assert (stored.status, stored.score, stored.fault) == (Status.DONE, 1, None)


def test_the_wait_before_a_further_try_doubles(database, work):
    grading = submit(database)
    found = work(*[JudgeError("died")] * 3, retry_backoff_s=1000, max_attempts=4)
    waits = []
    for _ in range(3):
        due(database, grading)
        found.grade(grading.id)
        with database.begin() as session:
            waits.append((session.get_one(Grading, grading.id).not_before - now(session)).total_seconds())
    assert [round(wait, -2) for wait in waits] == [1000, 2000, 4000]


@pytest.mark.parametrize("lack", [AWAY, OSError(errno.ENOSPC, "No space left on device")], ids=["sandbox", "disk"])
def test_what_is_missing_is_waited_for_as_long_as_it_takes(database, work, lack):
    grading = submit(database)
    found = work(*[lack] * 9)
    for _ in range(9):
        found.grade(grading.id)
        due(database, grading)
        assert reread(database, grading).status is Status.QUEUED
    found.grade(grading.id)
    assert reread(database, grading).status is Status.DONE


def test_an_exercise_that_is_gone_is_waited_for(database, work, exercises):
    grading = submit(database, exercise="later")
    found = work(max_attempts=1)
    found.grade(grading.id)
    stored = reread(database, grading)
    assert (stored.status, stored.attempts) == (Status.QUEUED, 0)
    assert "there is no exercise 'later'" in stored.fault
    write_exercise(exercises, "later")
    due(database, grading)
    found.grade(grading.id)
    assert reread(database, grading).status is Status.DONE


def test_a_grading_that_kills_every_worker_ends_as_a_fault(database, work):
    grading = submit(database)
    for _ in range(3):
        with database.begin() as session:
            assert service.claim(session, grading.id, lease_s=-1)
    found = work()
    found.grade(grading.id)
    stored = reread(database, grading)
    assert (stored.status, stored.score, found.script.jobs) == (Status.FAULT, None, [])
    assert "3 tries did not end" in stored.fault


def test_a_worker_that_lost_its_lease_stops_and_says_nothing(database, work):
    grading = submit(database)

    def taken_over():
        with database.begin() as session:
            session.get_one(Grading, grading.id).lease_until = now(session)
        work().grade(grading.id)

    work(taken_over).grade(grading.id)
    assert [kind for kind in told(database, grading) if kind != "started"] == ["queued", "test", "done"]
    assert reread(database, grading).attempts == 2


def test_a_long_grading_keeps_its_lease(database, work):
    grading = submit(database)
    renewed = threading.Event()

    def until_renewed():
        until = reread(database, grading).lease_until
        while reread(database, grading).lease_until == until:
            renewed.wait(0.01)

    work(until_renewed, lease_s=1).grade(grading.id)
    assert reread(database, grading).attempts == 1
    assert reread(database, grading).status is Status.DONE


def test_a_database_that_went_away_costs_no_try(database, work):
    grading = submit(database)
    found = work(OperationalError("UPDATE", {}, Exception("the server closed the connection")), max_attempts=1)
    found.grade(grading.id)
    assert reread(database, grading).status is Status.QUEUED
    due(database, grading)
    found.grade(grading.id)
    assert reread(database, grading).status is Status.DONE


def test_a_database_that_stays_away_for_a_while_costs_no_try(database, work):
    grading = submit(database)
    away = AwayFor(database, begins=3)
    found = work(away.go, max_attempts=1, lease_s=2)
    found._database = away
    found.grade(grading.id)
    assert away.left == 0
    stored = reread(database, grading)
    assert (stored.status, stored.attempts) == (Status.QUEUED, 0)
    found.grade(grading.id)
    assert reread(database, grading).status is Status.DONE


class AwayFor:
    """A database that does not answer for so many transactions, once told to `go`."""

    def __init__(self, database, begins):
        self._database, self._begins, self.left = database, begins, 0

    def go(self):
        self.left = self._begins

    def begin(self):
        if self.left:
            self.left -= 1
            raise OperationalError("BEGIN", {}, Exception("connection refused"))
        return self._database.begin()


def test_the_policy_follows_the_kind(database, work):
    grading = submit(database, kind=Kind.INTERACTIVE)
    found = work(policy_interactive="per_process", policy_batch="per_container")
    for one in (grading, again(database, grading, kind=Kind.BATCH)):
        found.grade(one.id)
    assert found.script.policies == ["per_process", "per_container"]


def test_scores_and_faults_are_counted(database, work):
    found = work(JudgeError("died"), max_attempts=1)
    for grading in (submit(database), submit(database)):
        found.grade(grading.id)
    count = found.registry.get_sample_value
    labels = {"kind": "interactive", "verdict": "passed", "status": "done"}
    assert count("grader_worker_gradings_total", labels) == 1
    assert count("grader_worker_gradings_total", labels | {"verdict": "", "status": "fault"}) == 1
    assert count("grader_worker_faults_total", {"cause": "JudgeError"}) == 1
    seen = {phase: count("grader_worker_phase_seconds_count", {"phase": phase}) for phase in ("sandbox", "suite")}
    assert seen == {"sandbox": 2, "suite": 1}
    assert count("grader_worker_running") == 0
