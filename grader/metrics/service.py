"""What the service says of itself: live workers, gradings that wait, gradings that ended."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from grader.db import now
from grader.grading.models import Grading, Kind
from grader.metrics.models import Worker
from grader.regrades.models import Regrade

SILENT_BEATS = 3  # heartbeats that a worker may miss before it is taken for dead
FORGOTTEN_AFTER_S = 86_400  # a worker that fell silent this long ago is no longer listed


def beat(session: Session, worker_id: str, sandbox: str, problem: str | None, only: Kind | None = None) -> None:
    """A worker says that it is there. `problem`: why its sandbox cannot be used, if so; `only`: what it takes, if not
    gradings of all kinds."""
    moment = now(session)
    session.merge(Worker(id=worker_id, sandbox=sandbox, problem=problem, only=only, seen_at=moment))
    forgotten = moment - datetime.timedelta(seconds=FORGOTTEN_AFTER_S)
    session.execute(delete(Worker).where(Worker.seen_at < forgotten))


def gone(session: Session, worker_id: str) -> None:
    """A worker ends in good order."""
    session.execute(delete(Worker).where(Worker.id == worker_id))


def live(session: Session, silent_s: float) -> Sequence[Worker]:
    """The workers that spoke within the last `silent_s` seconds."""
    since = now(session) - datetime.timedelta(seconds=silent_s)
    return session.scalars(select(Worker).where(Worker.seen_at >= since).order_by(Worker.id)).all()


def counts(session: Session) -> list[tuple[str, str, str, int]]:
    """How many gradings there are: (status, kind, verdict or "", number)."""
    rows = session.execute(
        select(Grading.status, Grading.kind, Grading.verdict, func.count()).group_by(
            Grading.status, Grading.kind, Grading.verdict
        )
    )
    return [(str(status), str(kind), str(verdict or ""), number) for status, kind, verdict, number in rows]


def regrades(session: Session) -> list[tuple[str, int]]:
    """How many regrades there are: (state, number)."""
    rows = session.execute(select(Regrade.state, func.count()).group_by(Regrade.state))
    return [(str(state), number) for state, number in rows]


def longest_wait_s(session: Session, kind: str) -> float:
    """Seconds that the oldest queued grading of this kind has waited since it was asked for; 0 if none waits."""
    oldest = session.scalar(
        select(func.min(Grading.created_at)).where(Grading.status == "queued", Grading.kind == kind)
    )
    return 0.0 if oldest is None else max(0.0, (now(session) - oldest).total_seconds())


def by_sandbox(workers: Sequence[Worker]) -> Counter[tuple[str, str]]:
    """How many of these workers there are: by ("docker" or "local", "yes" or "no": whether it can be used)."""
    return Counter((worker.sandbox, "yes" if worker.problem is None else "no") for worker in workers)
