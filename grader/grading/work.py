"""What a worker does with one grading: claim it, run it under a lease, store the score; or a fault of ours, never both.

How it ends:
- the suite ran to its end                       -> finish: a score
- a fault (`Fault`, `SandboxError`, any other)   -> put off with backoff and the same seed; the last try: `fault`
- no sandbox, exercise, database, disk to be had, or
  the exercise is out of service                 -> put off, and not counted as a try: it waits until there is one
- the lease was lost                             -> nothing: whoever has the grading now says how it ends
- the database stays away for longer than a lease, or the worker dies
                                                 -> nothing: the lease runs out and the grading is claimed again
"""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from grader.catalog.catalog import Catalog
from grader.db import Database, now
from grader.errors import BadInput, SuiteError
from grader.grading import service
from grader.grading.heartbeat import Heartbeat
from grader.grading.model import Job
from grader.grading.models import Grading, Kind
from grader.grading.runner import Grades
from grader.grading.service import Claim, Event, LeaseLost
from grader.metrics.worker import Measures
from grader.proving.prover import Prover
from grader.settings import Policy, Settings
from grader.submissions.models import Submission
from sandbox.errors import PoolClosed, SandboxLost, SandboxUnavailable

_DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)
# BadInput: the exercise is gone, broken or out of service. OSError: this machine wants disk, memory, descriptors.
_MISSING = (SandboxUnavailable, PoolClosed, BadInput, OSError, *_DATABASE_AWAY)
_LONGEST_WAIT_S = 30.0
_log = structlog.get_logger()


@dataclass(frozen=True)
class _Order:
    """What a grading asks for, as it is stored."""

    exercise: str
    job: Job
    kind: Kind
    age_s: float
    waited_s: float


class Work:
    """Grades what it is told to. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        catalog: Catalog,
        grades: Grades,
        prover: Prover,
        measures: Measures,
    ) -> None:
        self._settings, self._database = settings, database
        self._catalog, self._grades, self._prover, self._measures = catalog, grades, prover, measures
        self._busy: set[threading.Thread] = set()
        self._ended = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the last grading here ended; 0 while one runs."""
        return 0.0 if self._busy else time.monotonic() - self._ended

    def busy(self, thread: threading.Thread) -> bool:
        """Whether that thread is grading now."""
        return thread in self._busy

    def grade(self, grading_id: str) -> None:
        """Grade it, if it waits to be graded. Raises SQLAlchemyError where the database cannot be asked."""
        self._busy.add(threading.current_thread())
        try:
            self._grade(grading_id)
        finally:
            self._ended = time.monotonic()
            self._busy.discard(threading.current_thread())

    def _grade(self, grading_id: str) -> None:
        with self._database.begin() as session:
            held = service.claim(session, grading_id, self._settings.lease_s)
        if held is None:
            _log.info("nothing to grade: done, cancelled, not due, or another worker has it")
            return
        try:
            with Heartbeat(self._database, held, self._settings.lease_s) as heartbeat, self._measures.running():
                self._attempt(held, heartbeat)
        except LeaseLost:
            _log.warning("lease lost, or cancelled: another worker's word counts", attempt=held.attempt)
        except _DATABASE_AWAY as error:
            _log.exception("the database went away; put off when it is back", attempt=held.attempt)
            self._hand_back(held, error)

    def _hand_back(self, held: Claim, error: Exception) -> None:
        """Put it off as soon as the database is back: a lease that runs out would count as a try, and take longer."""
        until = time.monotonic() + self._settings.lease_s
        while time.monotonic() < until:
            time.sleep(min(1.0, self._settings.lease_s / 10))
            with contextlib.suppress(*_DATABASE_AWAY):
                with self._database.begin() as session, contextlib.suppress(LeaseLost):
                    wait_s = self._settings.retry_backoff_s
                    service.put_off(session, held, _reason(error), wait_s, counted=False)
                return

    def _attempt(self, held: Claim, heartbeat: Heartbeat) -> None:
        order = self._load(held)
        try:
            if held.attempt > self._settings.max_attempts:
                raise WorkersDied(f"{held.attempt - 1} tries did not end: the worker died, or was killed, each time")
            self._run(held, order, heartbeat)
        except LeaseLost:
            raise
        except _MISSING as error:
            self._wait(held, order, error, heartbeat.rest())
        except Exception as error:
            self._failed(held, order, error, heartbeat.rest())

    def _load(self, held: Claim) -> _Order:
        with self._database.begin() as session:
            grading = session.get_one(Grading, held.grading_id)
            submission = session.get_one(Submission, grading.submission_id)
            files = {file.path: file.content for file in submission.files}
            moment = now(session)
        return _Order(
            exercise=submission.exercise,
            job=Job(files, submission.digest, grading.seed),
            kind=grading.kind,
            age_s=_seconds(moment - grading.created_at),
            waited_s=_seconds(moment - grading.not_before),
        )

    def _run(self, held: Claim, order: _Order, heartbeat: Heartbeat) -> None:
        exercise = self._catalog.get(order.exercise)
        image = self._prover.require(exercise)
        phases = self._measures.phases(order.waited_s)

        def on_event(event: Mapping[str, Any]) -> None:
            phases.saw(event["kind"])
            if event["kind"] != "sandboxed":  # of interest to operators only
                heartbeat.tell(Event(event["kind"], {k: v for k, v in event.items() if k != "kind"}))

        _log.info("grading", exercise=exercise.slug, kind=str(order.kind), attempt=held.attempt)
        begun = time.monotonic()
        result = self._grades.grade(exercise, order.job, on_event, self._policy(order.kind))
        if self._catalog.get(order.exercise).digest != exercise.digest:
            raise SuiteError("the exercise changed while it graded: nobody could say which suite the score is from")
        if result.provenance.get("image") != image:
            raise SandboxLost("the image changed while it graded: the exercise is not proved on the new one yet")
        phases.saw("done")
        events = heartbeat.rest()
        with self._database.begin() as session:
            service.finish(session, held, result, exercise.feedback, events)
        self._measures.ended(order.kind, "done", str(result.verdict))
        _log.info(
            "graded",
            verdict=str(result.verdict),
            score=result.score,
            max_score=result.max_score,
            seconds=round(time.monotonic() - begun, 3),
        )

    def _policy(self, kind: Kind) -> Policy | None:
        return self._settings.policy_batch if kind is Kind.BATCH else self._settings.policy_interactive

    def _wait(self, held: Claim, order: _Order, error: Exception, events: list[Event]) -> None:
        """Something is missing that will be there again: wait, the longer the longer it has been missing."""
        wait_s = min(_LONGEST_WAIT_S, max(self._settings.retry_backoff_s, order.age_s / 4))
        _log.warning("grading put off: something is missing", why=_reason(error), wait_s=wait_s)
        self._measures.fault(error)
        with self._database.begin() as session:
            service.record(session, held, events)
            service.put_off(session, held, _reason(error), wait_s, counted=False)

    def _failed(self, held: Claim, order: _Order, error: Exception, events: list[Event]) -> None:
        last = held.attempt >= self._settings.max_attempts
        _log.error("fault", attempt=held.attempt, last=last, exc_info=error)
        self._measures.fault(error)
        with self._database.begin() as session:
            service.record(session, held, events)
            if last:
                service.give_up(session, held, _reason(error))
            else:
                wait_s = self._settings.retry_backoff_s * 2 ** (held.attempt - 1)
                service.put_off(session, held, _reason(error), wait_s, counted=True)
        if last:
            self._measures.ended(order.kind, "fault", "")


class WorkersDied(Exception):
    """A grading that kills its workers ends as a fault, too."""


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


def _seconds(span: datetime.timedelta) -> float:
    return max(0.0, span.total_seconds())
