"""Grades an exercise's own reference before the exercise grades anybody: once for each version and image.

A suite that cannot be collected, or that its reference does not pass, would cost candidates points, or end in faults
one by one. Instead the exercise is out of service: its submissions wait, those of others go on, and the log, /readyz,
the metrics and `grader doctor` say so. It goes back into service by itself: a mended folder is a new version, and a
reference that failed is graded again after a pause.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from grader.catalog.catalog import Catalog
from grader.catalog.model import Exercise
from grader.db import Database
from grader.errors import BadInput, Fault, UploadError
from grader.grading.model import Job, Outcome, Result, Verdict
from grader.grading.runner import Grades
from grader.proving import service
from grader.proving.models import Standing
from grader.submissions.archives import from_path
from grader.submissions.files import digest
from sandbox.errors import SandboxError

_MORE_SEEDS = 2  # after a failure: whether it was the seed
_TOLD = 3  # failed tests that are named
_log = structlog.get_logger()


class Identifies(Protocol):
    """The part of a backend that is needed."""

    def identity(self, runtime: str) -> str:
        """What names the code that guests run on."""


class OutOfService(BadInput):
    """The exercise grades nobody now; its submissions wait."""

    def __init__(self, exercise: Exercise, why: str) -> None:
        super().__init__(f"{exercise.slug} is out of service: {why}", "out_of_service")


class Prover:
    """Thread-safe. `lease_s`: as for gradings."""

    def __init__(
        self, database: Database, catalog: Catalog, grades: Grades, backend: Identifies, lease_s: float
    ) -> None:
        self._database, self._catalog, self._grades = database, catalog, grades
        self._backend, self._lease_s = backend, lease_s
        self._passed: set[tuple[str, str]] = set()
        self._closed = False

    def require(self, exercise: Exercise) -> str:
        """Return if its reference has passed, with the image that it passed on; grade it now where nobody has done so.

        Raises OutOfService, SQLAlchemyError, and SandboxUnavailable where nobody knows the image.
        """
        image = self._backend.identity(exercise.runtime)
        if (exercise.digest, image) in self._passed:
            return image
        self._prove(exercise, image)
        with self._database.begin() as session:
            proof = service.known(session, exercise, image)
        if proof is None or proof.standing is Standing.UNKNOWN:
            raise OutOfService(exercise, "its reference is being graded, by another worker")
        if proof.standing is Standing.FAILED:
            raise OutOfService(exercise, str(proof.why))
        self._passed.add((exercise.digest, image))
        return image

    def next(self) -> None:
        """Grade the reference of one exercise that waits for it, if there is one; one at a time in the whole service,
        since people come first. Raises as `require` does."""
        with self._database.begin() as session:
            if service.under_way(session):
                return
        for exercise in self._catalog.look().values():
            if not isinstance(exercise, Exercise):
                continue
            image = self._backend.identity(exercise.runtime)
            if (exercise.digest, image) not in self._passed and self._prove(exercise, image):
                return

    def close(self) -> None:
        """Call it before the runner is closed: what fails from now on says nothing of an exercise."""
        self._closed = True

    def _prove(self, exercise: Exercise, image: str) -> bool:
        """Grade the reference, if that is due and nobody else does it; whether it was."""
        with self._database.begin() as session:
            if not service.claim(session, exercise, image, self._lease_s):
                return False
        try:
            why = self._failure(exercise, image)
        except SandboxError as error:  # says nothing of the exercise
            self._let_go(exercise, image)
            raise OutOfService(exercise, f"its reference could not be graded: {error}") from error
        except BaseException:
            self._let_go(exercise, image)
            raise
        with self._database.begin() as session:
            service.settle(session, exercise, image, why)
        if why is None:
            _log.info("exercise in service", exercise=exercise.slug, digest=exercise.digest)
        else:
            _log.error("exercise out of service", exercise=exercise.slug, digest=exercise.digest, why=why)
        return True

    def _let_go(self, exercise: Exercise, image: str) -> None:
        with self._database.begin() as session:
            service.hold(session, exercise, image, 0)

    def _failure(self, exercise: Exercise, image: str) -> str | None:
        """How the reference fails; None if it passes. What fails with a single seed of three is told, and passes."""
        why = self._grade(exercise, image)
        if why is None:
            return None
        for _ in range(_MORE_SEEDS):
            if (again := self._grade(exercise, image)) is not None:
                return again
        _log.warning("a reference failed with one seed and passed with others", exercise=exercise.slug, why=why)
        return None

    def _grade(self, exercise: Exercise, image: str) -> str | None:
        def on_event(event: Mapping[str, Any]) -> None:
            with self._database.begin() as session:
                service.hold(session, exercise, image, self._lease_s)

        try:
            files = from_path(exercise.reference)
            job = Job(files, digest(files), secrets.randbits(63))
            result = self._grades.grade(exercise, job, on_event, "per_process")
        except (UploadError, Fault) as error:
            if self._closed:
                raise OutOfService(exercise, "the worker ends") from error
            return f"its own reference cannot be graded: {error}"
        if self._catalog.get(exercise.slug).digest != exercise.digest:
            raise OutOfService(exercise, "it changed while its reference was graded")
        if result.provenance.get("image") != image:
            raise OutOfService(exercise, "the image changed while its reference was graded")
        return None if result.verdict is Verdict.PASSED else _told(result, job.seed)


def _told(result: Result, seed: int) -> str:
    failed = [test for test in result.tests if test.outcome is not Outcome.PASSED]
    first = "; ".join(f"{test.id}: {_first_line(test.message)}" for test in failed[:_TOLD])
    more = f" (and {len(failed) - _TOLD} more)" if len(failed) > _TOLD else ""
    return (
        f"its own reference has {result.score:g} of {result.max_score:g} points and is {result.verdict} with the seed "
        f"{seed}: {first}{more}"
    )


def _first_line(message: str) -> str:
    return message.strip().partition("\n")[0][:200]
