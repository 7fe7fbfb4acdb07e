"""The life of a grading in the database: created, claimed under a lease, finished once.

    queued ──claim──► running ──finish──► done
      ▲  │               │
      │  └─cancel─► cancelled
      └──── put_off ─────┤ (a fault of ours, with backoff and the same seed)
                         └─ give_up ──► fault

Every step is one UPDATE that names the state, and the lease, that it expects: whoever comes second changes nothing and
is told so. A lease that ran out may be claimed by anybody; its former holder's words no longer count.
"""

from __future__ import annotations

import datetime
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from grader.db import new_id, now, storable
from grader.grading.model import Result, Status
from grader.grading.models import Grading, GradingEvent, Kind
from grader.submissions.models import Submission


@dataclass(frozen=True)
class Claim:
    """The right to grade, until the lease runs out. ``attempt`` counts from 1."""

    grading_id: str
    lease: str
    attempt: int


@dataclass(frozen=True)
class Event:
    """Something that happened to a grading while it ran, and when (`time.monotonic()`)."""

    kind: str
    data: Mapping[str, Any]
    at: float = field(default_factory=time.monotonic)


class LeaseLost(Exception):
    """Another worker has the grading, or it was cancelled: stop, and say nothing more about it."""


def create(session: Session, submission: Submission, kind: Kind, counts: bool, seed: int | None = None) -> Grading:
    """A new grading of a submission, queued. `seed`: that of an earlier grading, or a new secret one."""
    moment = now(session)
    grading = Grading(
        id=new_id(),
        submission_id=submission.id,
        counts=counts,
        kind=kind,
        status=Status.QUEUED,
        seed=secrets.randbits(63) if seed is None else seed,
        attempts=0,
        created_at=moment,
        not_before=moment,
    )
    session.add(grading)
    session.flush()
    tell(session, grading.id, "queued", {})
    return grading


def claim(session: Session, grading_id: str, lease_s: float) -> Claim | None:
    """Take a grading that waits, or whose worker fell silent; None if there is nothing to take."""
    moment = now(session)
    waiting = and_(Grading.status == Status.QUEUED, Grading.not_before <= moment)
    abandoned = and_(Grading.status == Status.RUNNING, Grading.lease_until < moment)
    lease = secrets.token_hex(16)
    attempt = session.execute(
        update(Grading)
        .where(Grading.id == grading_id, or_(waiting, abandoned))
        .values(
            status=Status.RUNNING,
            attempts=Grading.attempts + 1,
            started_at=moment,
            lease=lease,
            lease_until=moment + datetime.timedelta(seconds=lease_s),
        )
        .returning(Grading.attempts)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    return None if attempt is None else Claim(grading_id, lease, attempt)


def renew(session: Session, held: Claim, lease_s: float) -> None:
    """Hold the lease for longer. Raises LeaseLost."""
    _change(session, held, lease_until=now(session) + datetime.timedelta(seconds=lease_s))


def record(session: Session, held: Claim, events: Sequence[Event]) -> None:
    """Add events on behalf of the worker that holds the lease. Raises LeaseLost."""
    _change(session, held, lease=held.lease)
    _add(session, held, events, now(session))


def finish(session: Session, held: Claim, result: Result, feedback: str, events: Sequence[Event] = ()) -> None:
    """Store the score, and the events that were not yet recorded. Raises LeaseLost: then somebody else's counts."""
    moment = now(session)
    _change(
        session,
        held,
        status=Status.DONE,
        finished_at=moment,
        lease=None,
        lease_until=None,
        verdict=result.verdict,
        score=result.score,
        max_score=result.max_score,
        exercise_digest=result.provenance["exercise_digest"],
        feedback=feedback,
        result=storable(result.to_json()),
        output=storable(result.output),
        fault=None,
    )
    _add(session, held, [*events, Event("done", {})], moment)


def put_off(session: Session, held: Claim, reason: str, wait_s: float, counted: bool) -> None:
    """A fault of ours: try again later, with the same seed. Raises LeaseLost.

    `counted`: whether this try is one of those that a grading has; a sandbox that cannot be had costs none.
    """
    _change(
        session,
        held,
        status=Status.QUEUED,
        attempts=held.attempt if counted else held.attempt - 1,
        not_before=now(session) + datetime.timedelta(seconds=wait_s),
        enqueued_at=None,
        lease=None,
        lease_until=None,
        fault=storable(reason),
    )
    tell(session, held.grading_id, "retry", {"wait_s": wait_s})


def give_up(session: Session, held: Claim, reason: str) -> None:
    """The tries are used up: a fault, for a person to look at; no score. Raises LeaseLost."""
    _change(
        session,
        held,
        status=Status.FAULT,
        finished_at=now(session),
        lease=None,
        lease_until=None,
        fault=storable(reason),
    )
    tell(session, held.grading_id, "fault", {})


def cancel(session: Session, grading_id: str) -> bool:
    """Take back a grading that waits; False if it does not (any more)."""
    changed = session.execute(
        update(Grading)
        .where(Grading.id == grading_id, Grading.status == Status.QUEUED)
        .values(status=Status.CANCELLED, finished_at=now(session))
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount:  # type: ignore[attr-defined]
        tell(session, grading_id, "cancelled", {})
    return bool(changed.rowcount)  # type: ignore[attr-defined]


def tell(session: Session, grading_id: str, kind: str, data: Mapping[str, Any]) -> None:
    """Add an event; followers see it when the transaction commits."""
    session.add(GradingEvent(grading_id=grading_id, kind=kind, data=storable(dict(data)), at=now(session)))


def counting(session: Session, submission_id: str) -> Grading:
    """The grading that counts for a submission."""
    return session.scalars(select(Grading).where(Grading.submission_id == submission_id, Grading.counts)).one()


def _add(session: Session, held: Claim, events: Sequence[Event], moment: datetime.datetime) -> None:
    """Events of the past, told by the database's clock."""
    present = time.monotonic()
    for event in events:
        at = moment - datetime.timedelta(seconds=present - event.at)
        session.add(GradingEvent(grading_id=held.grading_id, kind=event.kind, data=storable(dict(event.data)), at=at))


def _change(session: Session, held: Claim, **values: Any) -> None:
    changed = session.execute(
        update(Grading)
        .where(Grading.id == held.grading_id, Grading.lease == held.lease, Grading.status == Status.RUNNING)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise LeaseLost(held.grading_id)
