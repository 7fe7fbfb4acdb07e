"""Keeps regrades going: compares what has been graded, and sends the next submissions to the batch queue.

Every worker does this beside grading; on PostgreSQL they skip regrades that another one has in hand, on SQLite one
transaction waits for the other. All of it is in the database, so it survives restarts of everything. Only `AHEAD`
gradings of a regrade are queued at a time: a pause takes effect at once, and a queue that is flushed is refilled soon.
Submissions of an exercise that is out of service wait, and keep nobody else waiting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from grader.catalog.catalog import Catalog
from grader.catalog.model import Exercise
from grader.db import Database, now
from grader.errors import BadInput
from grader.grading import service as gradings
from grader.grading.model import Status
from grader.grading.models import Grading, Kind
from grader.proving.service import standings
from grader.queue import Queue
from grader.regrades.comparison import moved, same_five
from grader.regrades.models import Change, Found, Regrade, State
from grader.submissions.models import Submission
from sandbox.errors import SandboxError
from sandbox.interface import Backend

AHEAD = 64
_ENDED = (Status.DONE, Status.FAULT, Status.CANCELLED)
_SOON_S = 0.25
_log = structlog.get_logger()


class Feeder:
    """`backend` tells which image a grading would be made with now."""

    def __init__(self, database: Database, queue: Queue, catalog: Catalog, backend: Backend) -> None:
        self._database, self._queue, self._catalog, self._backend = database, queue, catalog, backend

    def run(self, idle_s: float) -> float:
        """Do what there is to do. The seconds after which to look again. Raises SQLAlchemyError."""
        open_ = (Regrade.state == State.RUNNING) | _unsettled()
        with self._database.begin() as session:
            ids = session.scalars(select(Regrade.id).where(open_).order_by(Regrade.id)).all()
        if not ids:
            return idle_s
        with self._database.begin() as session:
            there = standings(session, self._catalog)
        serving = [slug for slug, why in there.items() if why is None]
        for regrade_id in ids:
            try:
                with self._database.begin() as session:
                    self._serve(session, regrade_id, serving, list(there))
            except Exception:  # the others go on
                _log.exception("a regrade could not be fed", regrade=regrade_id)
        return _SOON_S

    def _serve(self, session: Session, regrade_id: str, serving: Sequence[str], there: Sequence[str]) -> None:
        """`serving`: the exercises that grade somebody now; submissions of the others that are `there` wait."""
        query = select(Regrade).where(Regrade.id == regrade_id).with_for_update(skip_locked=True)
        regrade = session.scalar(query)
        if regrade is None:  # another worker has it in hand
            return
        self._settle(session, regrade)
        if regrade.state is not State.RUNNING:
            return
        room = AHEAD - _under_way(session, regrade, serving)
        if room > 0 and not self._feed(session, regrade, room, serving):
            self._give_up(session, regrade, there)  # at the end: it looks at all that wait
        if not _left(session, regrade):
            regrade.state, regrade.ready_at = State.READY, now(session)
            _log.info("regrade ready", regrade=regrade.id, submissions=regrade.total)

    def _give_up(self, session: Session, regrade: Regrade, there: Sequence[str]) -> None:
        """Submissions whose exercise is gone end as faults, for a person to see; the rest goes on without them."""
        gone = Submission.exercise.not_in(there)
        for change, submission, old in _waiting(session, regrade, gone, AHEAD):
            new = gradings.create(session, submission, Kind.BATCH, counts=False, seed=old.seed)
            held = gradings.claim(session, new.id, lease_s=60)
            assert held is not None  # nobody else knows of it yet
            gradings.give_up(session, held, f"there is no exercise {submission.exercise!r} any more")
            session.refresh(new)
            change.new_id = new.id
            _compare(session, change, old, new)

    def _feed(self, session: Session, regrade: Regrade, room: int, serving: Sequence[str]) -> bool:
        """Whether there was anything to send."""
        waiting = _waiting(session, regrade, Submission.exercise.in_(serving), room)
        for change, submission, old in waiting:
            earlier = None if regrade.again else self._earlier(session, submission, old)
            if earlier is not None:
                change.new_id, change.reused = earlier.id, True
                _compare(session, change, old, earlier)
                continue
            new = gradings.create(session, submission, Kind.BATCH, counts=False, seed=old.seed)
            change.new_id, change.found, change.reused = new.id, Found.GRADING, False
            self._queue.send_after_commit(session, new)
        return bool(waiting)

    def _earlier(self, session: Session, submission: Submission, old: Grading) -> Grading | None:
        """A grading that was made from the same five as a new one would be; the one that counts before others."""
        try:
            exercise = self._catalog.get(submission.exercise)
            image = self._backend.identity(exercise.runtime)
        except (BadInput, SandboxError):  # it is graded when both are there again
            return None
        due = _due(exercise, submission, image, old.seed)
        made = (
            select(Grading)
            .where(
                Grading.submission_id == submission.id,
                Grading.status == Status.DONE,
                Grading.seed == old.seed,
                Grading.exercise_digest == exercise.digest,
            )
            .order_by(Grading.counts.desc(), Grading.id.desc())
        )
        for grading in session.scalars(made):
            if grading.result is not None and same_five(grading.result["provenance"], due):
                return grading
        return None

    def _settle(self, session: Session, regrade: Regrade) -> None:
        for change, new in _graded(session, regrade):
            _compare(session, change, session.get_one(Grading, change.old_id), new)


def _due(exercise: Exercise, submission: Submission, image: str, seed: int) -> dict[str, Any]:
    return {
        "exercise_digest": exercise.digest,
        "submission_digest": submission.digest,
        "image": image,
        "seed": seed,
        "limits": dataclasses.asdict(exercise.limits),
    }


def _compare(session: Session, change: Change, old: Grading, new: Grading) -> None:
    """Store how the new grading differs from the old one."""
    change.old_verdict, change.old_score, change.old_max_score = old.verdict, old.score, old.max_score
    change.new_verdict, change.new_score, change.new_max_score = new.verdict, new.score, new.max_score
    change.settled_at = now(session)
    if new.status is not Status.DONE or new.result is None:
        change.found = Found.FAULT
        return
    tests = [test.to_json() for test in moved(old.result, new.result)]
    differs = bool(tests) or (old.verdict, old.score, old.max_score) != (new.verdict, new.score, new.max_score)
    change.found = Found.CHANGED if differs else Found.SAME
    change.moved = tests
    known = old.result is not None and same_five(old.result["provenance"], new.result["provenance"])
    change.flaky = differs and known


def _graded(session: Session, regrade: Regrade) -> Sequence[tuple[Change, Grading]]:
    query = (
        select(Change, Grading)
        .join(Grading, Grading.id == Change.new_id)
        .where(Change.regrade_id == regrade.id, Change.found == Found.GRADING, Grading.status.in_(_ENDED))
    )
    return [(change, grading) for change, grading in session.execute(query)]


def _unsettled() -> Any:
    """A regrade that was paused or cancelled may have gradings that ran on and have ended since."""
    return (
        select(Change.submission_id)
        .join(Grading, Grading.id == Change.new_id)
        .where(Change.regrade_id == Regrade.id, Change.found == Found.GRADING, Grading.status.in_(_ENDED))
        .exists()
    )


def _waiting(
    session: Session, regrade: Regrade, condition: ColumnElement[bool], most: int
) -> Sequence[tuple[Change, Submission, Grading]]:
    """What is not sent yet: (change, submission, old grading), the oldest first."""
    query = (
        select(Change, Submission, Grading)
        .join(Submission, Submission.id == Change.submission_id)
        .join(Grading, Grading.id == Change.old_id)
        .where(Change.regrade_id == regrade.id, Change.found == Found.WAITING, condition)
        .order_by(Change.submission_id)
        .limit(most)
    )
    return [(change, submission, old) for change, submission, old in session.execute(query)]


def _under_way(session: Session, regrade: Regrade, serving: Sequence[str]) -> int:
    query = (
        select(func.count())
        .select_from(Change)
        .join(Submission, Submission.id == Change.submission_id)
        .where(Change.regrade_id == regrade.id, Change.found == Found.GRADING, Submission.exercise.in_(serving))
    )
    return session.scalar(query) or 0


def _left(session: Session, regrade: Regrade) -> bool:
    """Whether anything waits to be sent, or to be graded."""
    open_ = Change.found.in_((Found.WAITING, Found.GRADING))
    return (
        session.scalar(select(Change.submission_id).where(Change.regrade_id == regrade.id, open_).limit(1)) is not None
    )
