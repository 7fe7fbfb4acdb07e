"""References are graded before their exercises grade anybody, on both databases. The runner is scripted."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry

from grader.catalog.catalog import Catalog
from grader.db import now
from grader.errors import JudgeError, SuiteError
from grader.grading.model import Outcome, Result, Status, TestResult, Verdict, provenance
from grader.grading.work import Work
from grader.metrics.worker import Measures
from grader.models import Grading, Proof
from grader.proving import service
from grader.proving.models import Standing
from grader.proving.prover import OutOfService, Prover
from grader.settings import Settings
from sandbox.errors import SandboxLost
from sandbox.limits import Usage
from tests.databases import reread, submit
from tests.functional.service import write_exercise
from tests.stand_ins import Engine


class Scripted:
    """A runner. `endings` are those of references, one after the other: an exception is raised, False fails, a callable
    is called; then all pass. What is submitted always passes."""

    def __init__(self):
        self.endings, self.references, self.submissions = [], [], 0
        self.engine = Engine()  # sandboxes are of the image that it has

    def grade(self, exercise, job, on_event, policy):
        on_event({"kind": "started", "total": 1})
        ending = None
        if job.files["solution.py"].startswith(b"def"):
            self.references.append(exercise.slug)
            ending = self.endings.pop(0) if self.endings else None
        else:
            self.submissions += 1
        if isinstance(ending, Exception):
            raise ending
        if callable(ending):
            ending()
        passed = ending is not False
        test = TestResult(
            "test_it.py::test_adds", "adds", Outcome.PASSED if passed else Outcome.FAILED, 0, 1, "3 != 4\n"
        )
        verdict = Verdict.PASSED if passed else Verdict.FAILED
        made = provenance(exercise, job, self.engine.image, {})
        return Result(exercise.slug, Status.DONE, verdict, int(passed), 1, (test,), Usage(), made)

    def close(self):
        """Nothing to close."""


class World:
    """Two exercises, a prover, and what a worker does."""

    def __init__(self, database, folder):
        self.database, self.folder = database, folder
        for slug in ("adding", "other"):
            write_exercise(folder, slug)
        self.catalog, self.runner = Catalog(folder), Scripted()
        self.engine = self.runner.engine
        self.prover = self.another()
        settings = Settings(retry_backoff_s=0, max_attempts=1)
        self.work = Work(settings, database, self.catalog, self.runner, self.prover, Measures(CollectorRegistry()))

    def another(self):
        """The prover of a further worker."""
        return Prover(self.database, self.catalog, self.runner, self.engine, 60)

    def require(self, slug="adding"):
        self.another().require(self.catalog.get(slug))

    def proof(self, slug="adding"):
        with self.database.begin() as session:
            return service.known(session, self.catalog.get(slug), self.engine.image)

    def later(self):
        """All pauses and leases are over."""
        with self.database.begin() as session:
            for proof in session.query(Proof):
                proof.until = now(session)

    def mend(self, slug="adding"):
        file = self.folder / slug / "tests" / "test_it.py"
        file.write_text(file.read_text() + "# mended\n")

    def out_of_service(self):
        with self.database.begin() as session:
            found = service.standings(session, self.catalog)
            return {slug: why for slug, why in found.items() if why is not None}

    def grade(self, grading):
        with self.database.begin() as session:
            session.get_one(Grading, grading.id).not_before = now(session)
        self.work.grade(grading.id)
        return reread(self.database, grading)


@pytest.fixture
def world(database, tmp_path):
    return World(database, tmp_path / "exercises")


def test_a_version_is_proved_once_for_all_workers(world):
    for _ in range(3):
        world.require()
    assert world.runner.references == ["adding"]
    world.mend()
    world.require()
    assert world.runner.references == ["adding"] * 2
    assert world.out_of_service() == {}


def test_another_image_is_another_proof(world):
    world.require()
    world.engine.image = "newer"
    world.require()
    assert world.runner.references == ["adding"] * 2


def test_workers_at_once_grade_a_reference_once_and_the_others_wait(world):
    with ThreadPoolExecutor(1) as pool:

        def another_asks():
            with pytest.raises(OutOfService, match="is being graded, by another worker"):
                pool.submit(world.require).result()

        world.runner.endings = [another_asks]
        world.require()
    world.require()
    assert world.runner.references == ["adding"]


def test_submissions_of_a_broken_exercise_wait_and_those_of_others_go_on(world):
    world.runner.endings = [False] * 2
    broken, fine = submit(world.database, {"solution.py": b"x"}), submit(world.database, {"solution.py": b"x"}, "other")
    stored = world.grade(broken)
    assert (stored.status, stored.attempts, world.runner.submissions) == (Status.QUEUED, 0, 0)
    assert "adding is out of service: its own reference has 0 of 1 points" in stored.fault
    assert "test_it.py::test_adds: 3 != 4" in stored.fault
    assert world.grade(fine).status is Status.DONE
    assert list(world.out_of_service()) == ["adding"]
    world.mend()
    assert world.grade(broken).status is Status.DONE
    assert world.out_of_service() == {}


@pytest.mark.parametrize("error", [SuiteError("no such module"), JudgeError("the judge died")])
def test_a_suite_that_does_not_collect_or_kills_the_judge_is_out_of_service(world, error):
    world.runner.endings = [error] * 2
    with pytest.raises(OutOfService, match=f"its own reference cannot be graded: {error}"):
        world.require()
    assert world.proof().standing is Standing.FAILED


def test_a_reference_that_fails_with_one_seed_of_three_passes(world):
    world.runner.endings = [False, None, None]
    world.require()
    assert world.runner.references == ["adding"] * 3
    assert world.proof().standing is Standing.PASSED


def test_a_sandbox_that_is_lost_says_nothing_of_the_exercise(world):
    world.runner.endings = [SandboxLost("gone")]
    grading = submit(world.database, {"solution.py": b"x"})
    stored = world.grade(grading)
    assert (stored.status, stored.attempts) == (Status.QUEUED, 0)
    assert (world.proof().standing, world.out_of_service()) == (Standing.UNKNOWN, {})
    assert world.grade(grading).status is Status.DONE


def test_a_worker_that_ends_meanwhile_says_nothing_of_the_exercise(world):
    def ends():
        world.prover.close()
        raise JudgeError("the judge ended before the suite did")

    world.runner.endings = [ends]
    with pytest.raises(OutOfService, match="the worker ends"):
        world.prover.require(world.catalog.get("adding"))
    assert world.proof().standing is Standing.UNKNOWN
    world.require()


def test_an_exercise_that_changes_meanwhile_is_not_proved(world):
    world.runner.endings = [world.mend]
    before = world.catalog.get("adding")
    with pytest.raises(OutOfService, match="changed while its reference was graded"):
        world.prover.require(before)
    with world.database.begin() as session:
        assert service.known(session, before, "image").standing is Standing.UNKNOWN
    world.require()


def test_an_image_that_changes_meanwhile_is_not_proved(world):
    def make_anew():
        world.engine.image = "newer"

    world.runner.endings = [make_anew]
    with pytest.raises(OutOfService, match="the image changed while its reference was graded"):
        world.require()
    assert world.proof() is None
    world.require()
    assert world.proof().standing is Standing.PASSED


def test_what_failed_is_tried_again_after_pauses_that_grow(world):
    pauses = []
    for _ in range(3):
        world.runner.endings = [False] * 2
        world.later()
        with pytest.raises(OutOfService):
            world.require()
        with pytest.raises(OutOfService):  # from the database
            world.require()
        pauses.append((world.proof().until - world.proof().at).total_seconds())
    assert pauses == [60, 120, 240]
    assert world.runner.references == ["adding"] * 6
    world.later()
    world.require()
    assert world.out_of_service() == {}


def test_a_worker_that_died_with_a_reference_is_replaced(world):
    with world.database.begin() as session:
        assert service.claim(session, world.catalog.get("adding"), "image", 60)
    with pytest.raises(OutOfService, match="by another worker"):
        world.require()
    world.later()
    world.require()


def test_references_are_graded_before_anybody_asks(world):
    world.runner.endings = [False] * 2
    for _ in range(3):
        world.prover.next()
    assert world.runner.references == ["adding", "adding", "other"]
    assert list(world.out_of_service()) == ["adding"]


def test_idle_workers_grade_one_reference_at_a_time(world):
    with world.database.begin() as session:
        assert service.claim(session, world.catalog.get("other"), "image", 60)
    world.prover.next()
    assert world.runner.references == []
    world.require()
    assert world.runner.references == ["adding"], "a submission does not wait for that"
    world.later()
    world.prover.next()
    assert world.runner.references == ["adding", "other"]


def test_a_folder_that_cannot_be_read_is_out_of_service_too(world):
    (world.folder / "adding" / "exercise.toml").write_text("slug = ")
    assert list(world.out_of_service()) == ["adding"]
    world.prover.next()
    assert world.runner.references == ["other"]
