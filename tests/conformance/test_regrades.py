"""Regrades on both databases, from their beginning to a decision; with a scripted runner and the real feeder."""

import itertools
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from grader.accounts import service as accounts
from grader.accounts.models import Role
from grader.accounts.service import Caller
from grader.catalog.catalog import Catalog
from grader.errors import BadInput, JudgeError
from grader.grading import service as gradings
from grader.grading.model import Job, Outcome, Result, Status, TestResult, Verdict, provenance
from grader.grading.models import Kind
from grader.grading.work import Work
from grader.metrics.worker import Measures
from grader.models import Change, Grading, Submission
from grader.proving import service as proving
from grader.proving.prover import Prover
from grader.queue import Queue
from grader.regrades import changeset, service
from grader.regrades.feeder import AHEAD, Feeder
from grader.regrades.models import Found, Policy, State
from grader.regrades.service import Part, Selection
from grader.settings import Settings
from sandbox.limits import Usage
from tests.databases import reread, submit
from tests.functional.service import write_exercise
from tests.stand_ins import Engine

SUITE = "def test_one():\n    pass\n\n\ndef test_two():\n    pass\n"
ONE, TWO = "test_it.py::test_one", "test_it.py::test_two"


class Scripted:
    """A runner whose score is in the submission: digits that are the points of test_one and test_two.

    `change` maps a submission's text to another one; an exception is raised. `number` is how often it graded.
    """

    def __init__(self):
        self.change, self.number = {}, itertools.count()

    def grade(self, exercise, job, on_event, policy):
        text = job.files["solution.py"].decode()
        if text.startswith("def"):  # the reference
            text = "55"
        else:
            next(self.number)
            text = self.change.get(text, text)
        if isinstance(text, Exception):
            raise text
        tests = tuple(
            TestResult(name, name[-3:], Outcome.PASSED if int(digit) else Outcome.FAILED, int(digit), 5, f"got {digit}")
            for name, digit in zip((ONE, TWO), text, strict=True)
        )
        score = sum(test.points for test in tests)
        verdict = {10: Verdict.PASSED, 0: Verdict.FAILED}.get(score, Verdict.PARTIAL)
        made = provenance(exercise, job, "image", {})
        return Result(exercise.slug, Status.DONE, verdict, score, 10, tests, Usage(), made)

    def close(self):
        """Nothing to close."""


class World:
    """A service without its API: what it holds, and what its workers would do."""

    def __init__(self, database, folder):
        self.database, self.exercises = database, folder
        self.catalog, self.runner = Catalog(folder), Scripted()
        settings = Settings(retry_backoff_s=0, max_attempts=1)
        self.queue = Queue(settings)
        prover = Prover(database, self.catalog, self.runner, Engine(), settings.lease_s)
        self.work = Work(settings, database, self.catalog, self.runner, prover, Measures(CollectorRegistry()))
        self.feeder = Feeder(database, self.queue, self.catalog, Engine())
        with database.begin() as session:
            row, _ = accounts.create(session, "a person", Role.ADMIN)
            self.caller = Caller(row.id, Role.ADMIN)

    def submit(self, *texts, exercise="adding"):
        """Submissions that are graded, one for each text."""
        made = [submit(self.database, {"solution.py": text.encode()}, exercise) for text in texts]
        for grading in made:
            self.work.grade(grading.id)
        return [grading.submission_id for grading in made]

    def new_suite(self):
        file = self.exercises / "adding" / "tests" / "test_it.py"
        file.write_text(file.read_text() + "# mended\n")

    def begin(self, selection=None, policy=Policy.AS_GRADED, again=False):
        with self.database.begin() as session:
            chosen = selection or Selection(exercise="adding")
            return service.create(session, self.caller, chosen, {}, "a bug in the suite", policy, again).id

    def step(self):
        """Feed once, and grade all that waits."""
        self.feeder.run(idle_s=5)
        for grading in self.waiting():
            self.work.grade(grading)

    def waiting(self):
        with self.database.begin() as session:
            query = select(Grading.id).where(Grading.status == Status.QUEUED, Grading.kind == Kind.BATCH)
            return session.scalars(query).all()

    def finish(self, regrade_id):
        for _ in range(200):
            self.step()
            if self.state(regrade_id) is State.READY:
                return
        raise AssertionError("it is never ready")

    def state(self, regrade_id):
        with self.database.begin() as session:
            return service.find(session, regrade_id).state

    def progress(self, regrade_id):
        with self.database.begin() as session:
            return changeset.progress(session, service.find(session, regrade_id))

    def summary(self, regrade_id):
        with self.database.begin() as session:
            return changeset.summary(session, service.find(session, regrade_id))

    def lines(self, regrade_id, which="all"):
        with self.database.begin() as session:
            return changeset.lines(session, service.find(session, regrade_id), which, None, 1000)

    def do(self, what, regrade_id, *about):
        with self.database.begin() as session:
            return what(session, self.caller, regrade_id, *about, "because")

    def scores(self, ids):
        """The scores that count."""
        with self.database.begin() as session:
            return [gradings.counting(session, submission_id).score for submission_id in ids]


@pytest.fixture
def world(database, tmp_path):
    write_exercise(tmp_path / "exercises", "adding", SUITE)
    return World(database, tmp_path / "exercises")


def test_a_regrade_ends_as_a_change_set_and_counts_when_it_is_applied(world):
    ids = world.submit("55", "50", "00")
    seeds = {grading.submission_id: grading.seed for grading in all_gradings(world)}
    world.new_suite()
    world.runner.change = {"50": "55", "55": "50"}
    later = world.begin()
    world.submit("50")  # comes meanwhile, and is not part of it
    world.finish(later)
    assert world.scores(ids) == [10, 5, 0], "nothing counts before somebody applies it"
    summary = world.summary(later)
    assert summary.matrix == [("failed", "failed", 1), ("partial", "passed", 1), ("passed", "partial", 1)]
    assert (summary.raised, summary.lowered) == (1, 1)
    assert [(low, high, n) for low, high, n in summary.histogram if n] == [(-50.0, -20.0, 1), (20.0, 50.0, 1)]
    assert summary.tests == [(TWO, "two", "failed", "passed", 1), (TWO, "two", "passed", "failed", 1)]
    assert len(summary.old_digests) == len(summary.new_digests) == 1
    assert summary.old_digests != summary.new_digests
    (line,) = world.lines(later, "lowered")
    assert line.tests == [
        {
            "id": TWO,
            "title": "two",
            "old": {"outcome": "passed", "points": 5, "max_points": 5, "message": "got 5"},
            "new": {"outcome": "failed", "points": 0, "max_points": 5, "message": "got 0"},
        }
    ]
    applied = world.do(service.apply, later, Part())
    assert (applied.applied, applied.kept_back, applied.overtaken) == (3, 0, 0)
    assert world.scores(ids) == [5, 10, 0]
    assert world.state(later) is State.APPLIED
    stored = [grading for grading in all_gradings(world) if grading.submission_id in ids]
    assert len(stored) == 6, "every grading ever made is there"
    assert {grading.submission_id: grading.seed for grading in stored} == {i: seeds[i] for i in ids}
    with world.database.begin() as session:
        acts = service.acts(session, later)
    assert [(act.kind, act.key_id, act.reason, act.changes) for act in acts] == [
        ("created", world.caller.key_id, "a bug in the suite", 3),
        ("applied", world.caller.key_id, "because", 3),
    ]


def test_what_was_graded_with_the_same_five_is_not_graded_again_unless_asked(world):
    ids = world.submit("55", "50")
    graded = next(world.runner.number)
    first = world.begin()
    world.finish(first)
    assert next(world.runner.number) == graded + 1, "nothing was graded"
    progress = world.progress(first)
    assert (progress.reused, progress.same, progress.changed) == (2, 2, 0)
    assert world.do(service.apply, first, Part()).applied == 2
    assert world.scores(ids) == [10, 5]
    asked = world.begin(again=True)
    world.finish(asked)
    assert next(world.runner.number) == graded + 4
    assert world.progress(asked).reused == 0


def test_a_result_that_changes_although_nothing_changed_is_called_flaky(world):
    flaky, _ = world.submit("55", "00")
    world.runner.change = {"55": "50"}
    regrade = world.begin(again=True)
    world.finish(regrade)
    assert world.progress(regrade).flaky == 1
    assert [line.change.submission_id for line in world.lines(regrade, "flaky")] == [flaky]
    other_suite = world.begin()
    world.new_suite()
    world.finish(other_suite)
    assert [line.change.found for line in world.lines(other_suite, "changed")] == [Found.CHANGED]
    assert world.progress(other_suite).flaky == 0, "the suite is another one"


def test_faults_stand_apart_and_are_tried_again_on_request(world):
    ids = world.submit("55", "50")
    world.new_suite()
    world.runner.change = {"50": JudgeError("it died")}
    regrade = world.begin()
    world.finish(regrade)
    (line,) = world.lines(regrade, "faults")
    assert line.fault == "JudgeError: it died"
    assert world.do(service.apply, regrade, Part()).applied == 1
    assert world.scores(ids) == [10, 5], "a fault costs nobody a point"
    world.runner.change = {}
    again = world.begin(Selection(ids=[ids[1]]))
    world.runner.change = {"50": JudgeError("it died")}
    world.finish(again)
    world.runner.change = {"50": "55"}
    world.do(service.resume, again)
    world.finish(again)
    assert world.do(service.apply, again, Part()).applied == 1
    assert world.scores(ids) == [10, 10]


def test_what_ended_in_a_fault_can_be_graded_again(world):
    world.runner.change = {"55": JudgeError("it died")}
    (submission,) = world.submit("55")
    world.runner.change = {}
    regrade = world.begin(Selection(faults=True))
    world.finish(regrade)
    assert world.summary(regrade).matrix == [("fault", "passed", 1)]
    world.do(service.apply, regrade, Part())
    assert world.scores([submission]) == [10]


def test_never_lower_keeps_back_what_would_cost_points_unless_it_is_named(world):
    ids = world.submit("55", "50")
    world.new_suite()
    world.runner.change = {"55": "50", "50": "55"}
    regrade = world.begin(policy=Policy.NEVER_LOWER)
    world.finish(regrade)
    applied = world.do(service.apply, regrade, Part())
    assert (applied.applied, applied.kept_back) == (1, 1)
    assert world.scores(ids) == [10, 10]
    assert world.state(regrade) is State.APPLIED
    other = world.begin(policy=Policy.NEVER_LOWER)
    world.finish(other)
    assert world.do(service.apply, other, Part(ids=[ids[0]])).applied == 1
    assert world.scores(ids) == [5, 10]


def test_a_change_set_is_applied_in_part_and_the_rest_later_or_never(world):
    ids = world.submit("55", "50", "00")
    world.new_suite()
    world.runner.change = {"55": "50", "50": "55", "00": "50"}
    regrade = world.begin()
    world.finish(regrade)
    assert world.do(service.apply, regrade, Part(only="raised")).applied == 2
    assert (world.scores(ids), world.state(regrade)) == ([10, 10, 5], State.READY)
    with pytest.raises(BadInput, match="none of these submissions"):
        world.do(service.apply, regrade, Part(ids=[ids[1]]))
    world.do(service.discard, regrade)
    assert (world.scores(ids), world.state(regrade)) == ([10, 10, 5], State.DISCARDED)
    with pytest.raises(BadInput, match="it is discarded"):
        world.do(service.apply, regrade, Part())


def test_what_another_regrade_made_count_meanwhile_is_left_alone(world):
    ids = world.submit("55", "50")
    world.new_suite()
    slow, quick = world.begin(), world.begin(Selection(ids=[ids[0]]))
    world.finish(slow)
    world.new_suite()
    world.runner.change = {"55": "00"}
    world.finish(quick)
    third = world.begin(Selection(ids=[ids[0]]))
    world.finish(third)
    assert world.do(service.apply, third, Part()).applied == 1
    applied = world.do(service.apply, slow, Part())
    assert (applied.applied, applied.overtaken) == (1, 1)
    assert world.scores(ids) == [0, 5]


def test_two_people_who_apply_at_once_do_it_once(world):
    ids = world.submit(*["50"] * 6)
    world.new_suite()
    world.runner.change = {"50": "55"}
    regrade = world.begin()
    world.finish(regrade)

    def apply(_):
        try:
            return world.do(service.apply, regrade, Part()).applied
        except BadInput as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(apply, range(4)))
    assert sorted(told, key=str) == [6, *["it is applied; this can be done to one that is ready"] * 3]
    assert world.scores(ids) == [10] * 6


def test_a_pause_takes_back_what_waits_and_a_resume_goes_on(world):
    ids = world.submit("55", "50")
    world.new_suite()
    regrade = world.begin()
    world.feeder.run(idle_s=5)
    held = world.waiting()
    assert len(held) == 2
    with world.database.begin() as session:
        assert gradings.claim(session, held[0], 60)  # a worker has begun with this one
    world.do(service.pause, regrade)
    assert world.waiting() == []
    world.feeder.run(idle_s=5)
    assert world.waiting() == [], "nothing is begun during a pause"
    progress = world.progress(regrade)
    assert (progress.waiting, progress.grading) == (1, 1)
    with pytest.raises(BadInput, match="it is paused"):
        world.do(service.apply, regrade, Part())
    world.do(service.resume, regrade)
    world.feeder.run(idle_s=5)
    assert len(world.waiting()) == 1
    assert len(ids) == world.progress(regrade).total


def test_what_ends_during_a_pause_is_noted(world):
    world.submit("55")
    world.new_suite()
    regrade = world.begin()
    world.feeder.run(idle_s=5)
    (grading,) = world.waiting()
    with world.database.begin() as session:
        held = gradings.claim(session, grading, 60)
    world.do(service.pause, regrade)
    with world.database.begin() as session:
        exercise = world.catalog.get("adding")
        order = session.get_one(Grading, grading)
        job = Job({"solution.py": b"55"}, "sha256:0", order.seed)
        gradings.finish(session, held, world.runner.grade(exercise, job, None, None), "titles")
    world.feeder.run(idle_s=5)
    assert world.progress(regrade).same == 1


def test_a_cancelled_regrade_leaves_everything_as_it_was(world):
    ids = world.submit("55", "50")
    world.new_suite()
    world.runner.change = {"50": "55"}
    regrade = world.begin()
    world.feeder.run(idle_s=5)
    world.do(service.cancel, regrade)
    assert world.waiting() == []
    world.step()
    assert world.state(regrade) is State.CANCELLED
    assert world.scores(ids) == [10, 5]


def test_only_some_wait_in_the_queue_at_a_time_and_two_feeders_send_none_twice(world):
    world.submit(*["55"] * (AHEAD + 10))
    world.new_suite()
    regrade = world.begin()
    other = Feeder(world.database, world.queue, world.catalog, Engine())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda feeder: feeder.run(idle_s=5), [world.feeder, other] * 3))
    assert len(world.waiting()) == AHEAD
    world.finish(regrade)
    assert world.progress(regrade).same == AHEAD + 10
    assert len([grading for grading in all_gradings(world) if grading.kind is Kind.BATCH]) == AHEAD + 10


def test_a_selection_chooses_by_what_counts_now(world):
    passed, partial, failed = world.submit("55", "50", "00")
    with world.database.begin() as session:
        middle = session.get_one(Submission, partial).created_at
        digest = gradings.counting(session, passed).exercise_digest
        session.get_one(Submission, partial).assessment = "backend-2026"
    submit(world.database, exercise="adding")  # waits, so it is never chosen

    def chosen(**about):
        with world.database.begin() as session:
            return service.count(session, Selection(**about))

    assert chosen() == chosen(exercise="adding") == chosen(exercise_digest=digest) == 3
    assert chosen(exercise="other") == chosen(exercise_digest="sha256:other") == chosen(faults=True) == 0
    assert chosen(verdicts=[Verdict.PASSED, Verdict.FAILED]) == 2
    assert chosen(verdicts=[Verdict.PASSED], faults=True) == 1
    assert chosen(ids=[failed, "0" * 32]) == 1
    assert chosen(since=middle) == 2
    assert chosen(until=middle) == 1
    assert chosen(assessment="backend-2026") == chosen(assessment="backend-2026", ids=[partial, failed]) == 1
    assert chosen(assessment="backend-2025") == chosen(assessment="backend-2026", exercise="other") == 0
    with pytest.raises(BadInput, match="no graded submission is chosen"):
        world.begin(Selection(exercise="other"))


def test_a_selection_of_nothing_leaves_no_regrade(world):
    with pytest.raises(BadInput):
        world.begin()
    with world.database.begin() as session:
        assert service.listed(session, None, 10) == []
        assert session.scalars(select(Change)).all() == []


def all_gradings(world):
    with world.database.begin() as session:
        return session.scalars(select(Grading).order_by(Grading.id)).all()


def test_old_gradings_are_not_touched(world):
    (submission,) = world.submit("50")
    (before,) = all_gradings(world)
    world.new_suite()
    world.runner.change = {"50": "55"}
    regrade = world.begin()
    world.finish(regrade)
    world.do(service.apply, regrade, Part())
    after = reread(world.database, before)
    assert not after.counts
    assert (after.score, after.result, after.finished_at) == (before.score, before.result, before.finished_at)
    assert world.scores([submission]) == [10]


@pytest.fixture
def two(world):
    """A submission to each of two exercises, and a regrade of both."""
    write_exercise(world.exercises, "other", SUITE)
    world.submit("55")
    world.submit("50", exercise="other")
    return world.begin(Selection(), again=True)


def test_submissions_of_an_exercise_that_is_gone_end_as_faults(world, two):
    shutil.rmtree(world.exercises / "other")
    world.finish(two)
    assert (world.progress(two).same, world.progress(two).faults) == (1, 1)
    (line,) = world.lines(two, "faults")
    assert line.fault == "there is no exercise 'other' any more"


def test_submissions_of_an_exercise_that_is_out_of_service_wait_and_keep_nobody_waiting(world, two):
    file = world.exercises / "other" / "tests" / "test_it.py"
    file.write_text(SUITE + "# broken\n")
    with world.database.begin() as session:
        proving.claim(session, world.catalog.get("other"), "image", 60)
        proving.settle(session, world.catalog.get("other"), "image", "its reference fails")
    for _ in range(3):
        world.step()
    progress = world.progress(two)
    assert (progress.same, progress.waiting, progress.grading) == (1, 1, 0)
    assert world.state(two) is State.RUNNING
    file.write_text(SUITE + "# mended\n")
    world.finish(two)
    assert world.progress(two).same == 2


def test_a_regrade_that_cannot_be_fed_keeps_no_other_waiting(world):
    spoilt, fine = world.submit("55", "50")
    with world.database.begin() as session:
        gradings.counting(session, spoilt).result = {"of": "another age"}
    first, second = world.begin(Selection(ids=[spoilt]), again=True), world.begin(Selection(ids=[fine]), again=True)
    world.finish(second)
    assert world.state(first) is State.RUNNING
