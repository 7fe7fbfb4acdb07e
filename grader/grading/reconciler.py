"""Sends again what was stored and never graded: its message was lost, could not be sent, or its worker died.

Any number of workers may do this at the same time: a grading is marked as sent by an UPDATE that only one of them wins.
Three kinds of gradings that are due are sent:
- those that nobody sent yet (`enqueued_at` is empty: a fault put them off),
- those whose worker fell silent, once after the lease ran out,
- and where the broker holds fewer messages than gradings are due, so many of the oldest as are missing; but none that
  was sent a moment ago and may be on its way. So a flushed Redis is refilled, and a long backlog is not doubled.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from grader.db import Database, now
from grader.grading.model import Status
from grader.grading.models import Grading, Kind
from grader.queue import Queue

_MOST_AT_ONCE = 500
_SHORTEST_WAIT_S = 0.1
_log = structlog.get_logger()


@dataclass(frozen=True)
class _Lost:
    """A grading that is to be sent."""

    grading_id: str
    submission_id: str
    kind: Kind


class Reconciler:
    """`every_s`: how often it is run. A message may be on its way for twice as long."""

    def __init__(self, database: Database, queue: Queue, every_s: float) -> None:
        self._database, self._queue, self._every_s = database, queue, every_s

    def run(self) -> float:
        """Look once. The seconds after which to look again. Raises SQLAlchemyError or QueueDown."""
        for kind in Kind:
            depth = self._queue.depth(kind)
            with self._database.begin() as session:
                found = self._claimed(session, kind, depth)
            for lost in found:
                self._queue.send(lost.grading_id, lost.submission_id, lost.kind)
            if found:
                _log.info("sent again", kind=str(kind), gradings=len(found))
        with self._database.begin() as session:
            return self._pause_s(session)

    def _claimed(self, session: Session, kind: Kind, depth: int) -> Sequence[_Lost]:
        moment = now(session)
        due = and_(Grading.kind == kind, _due(moment))
        orphaned = and_(Grading.status == Status.RUNNING, Grading.enqueued_at <= Grading.lease_until)
        found = self._mark(session, moment, and_(due, or_(Grading.enqueued_at.is_(None), orphaned)), _MOST_AT_ONCE)
        number = session.scalar(select(func.count()).select_from(Grading).where(due)) or 0
        missing = min(number - len(found) - depth, _MOST_AT_ONCE)
        if missing > 0:
            before = moment - datetime.timedelta(seconds=2 * self._every_s)
            found += self._mark(session, moment, and_(due, Grading.enqueued_at < before), missing)
        return found

    def _mark(self, session: Session, moment: datetime.datetime, wanted: ColumnElement[bool], most: int) -> list[_Lost]:
        """Mark at most so many of the wanted as sent now, the oldest first. The condition stands twice, since another
        reconciler may have marked some between the look and the update."""
        oldest = select(Grading.id).where(wanted).order_by(Grading.id).limit(most)
        rows = session.execute(
            update(Grading)
            .where(Grading.id.in_(oldest.scalar_subquery()), wanted)
            .values(enqueued_at=moment)
            .returning(Grading.id, Grading.submission_id, Grading.kind)
            .execution_options(synchronize_session=False)
        )
        return sorted((_Lost(*row) for row in rows), key=lambda lost: lost.grading_id)

    def _pause_s(self, session: Session) -> float:
        """Until the next grading that was put off is due, if that is soon."""
        moment = now(session)
        query = select(func.min(Grading.not_before)).where(
            Grading.status == Status.QUEUED, Grading.not_before > moment, Grading.enqueued_at.is_(None)
        )
        due = session.scalar(query)
        left_s = self._every_s if due is None else (due - moment).total_seconds()
        return min(self._every_s, max(_SHORTEST_WAIT_S, left_s))


def _due(moment: datetime.datetime) -> ColumnElement[bool]:
    """What may be claimed now; the same as in `grader.grading.service.claim`."""
    waiting = and_(Grading.status == Status.QUEUED, Grading.not_before <= moment)
    return or_(waiting, and_(Grading.status == Status.RUNNING, Grading.lease_until < moment))
