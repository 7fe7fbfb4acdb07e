"""What a regrade found, in numbers: progress, matrix, histogram, tests that moved; and its submissions one by one."""

from __future__ import annotations

import datetime
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from grader.db import now
from grader.grading.models import Grading
from grader.regrades import service
from grader.regrades.comparison import moved, share
from grader.regrades.models import COMPARED, Change, Found, Regrade, State, Which

BOUNDS = (-50.0, -20.0, -5.0, 0.0, 5.0, 20.0, 50.0)
_RATE_OVER_S = 60.0
_TEST = ("outcome", "points", "max_points", "message")


@dataclass(frozen=True)
class Progress:
    """How far a regrade is. `rate_per_s`: over the last minute; `left_s`: None where nothing tells."""

    total: int
    waiting: int
    grading: int
    same: int
    changed: int
    faults: int
    reused: int
    flaky: int
    applied: int
    rate_per_s: float
    left_s: float | None

    @property
    def done(self) -> int:
        return self.same + self.changed + self.faults


def progress(session: Session, regrade: Regrade) -> Progress:
    """How far it is now."""
    of_this = Change.regrade_id == regrade.id
    counted = select(Change.found, func.count()).where(of_this).group_by(Change.found)
    found: dict[Found, int] = {row[0]: row[1] for row in session.execute(counted)}

    def number(condition: ColumnElement[bool]) -> int:
        return session.scalar(select(func.count()).select_from(Change).where(of_this, condition)) or 0

    moment = now(session)
    since = max(moment - datetime.timedelta(seconds=_RATE_OVER_S), regrade.created_at)
    recently = number(Change.settled_at > since)
    rate = recently / max((moment - since).total_seconds(), 0.001)
    left = found.get(Found.WAITING, 0) + found.get(Found.GRADING, 0)
    going = regrade.state is State.RUNNING
    return Progress(
        total=regrade.total,
        waiting=found.get(Found.WAITING, 0),
        grading=found.get(Found.GRADING, 0),
        same=found.get(Found.SAME, 0),
        changed=found.get(Found.CHANGED, 0),
        faults=found.get(Found.FAULT, 0),
        reused=number(Change.reused.is_(True)),
        flaky=number(Change.flaky.is_(True)),
        applied=number(Change.applied_at.is_not(None)),
        rate_per_s=rate if going else 0.0,
        left_s=left / rate if going and rate and left else None,
    )


@dataclass(frozen=True)
class Summary:
    """A change-set in numbers. `matrix`: (old verdict or "fault", new verdict, submissions).

    `histogram`: submissions by how their share of the points changed, in percentage points: (above, up to, number),
    with None at the open ends; those that did not change are not in it. `tests`: for each test that moved somewhere
    (id, title, old outcome or None, new outcome or None, submissions).
    """

    matrix: Sequence[tuple[str, str, int]]
    raised: int
    lowered: int
    histogram: Sequence[tuple[float | None, float | None, int]]
    tests: Sequence[tuple[str, str, str | None, str | None, int]]
    old_digests: Sequence[str]
    new_digests: Sequence[str]


def summary(session: Session, regrade: Regrade) -> Summary:
    """What has been found up to now."""
    of_this = (Change.regrade_id == regrade.id, Change.found.in_(COMPARED))
    pairs = session.execute(
        select(Change.old_verdict, Change.new_verdict, func.count())
        .where(*of_this)
        .group_by(Change.old_verdict, Change.new_verdict)
    ).all()
    deltas: list[float] = []
    tests: Counter[tuple[str, str, str | None, str | None]] = Counter()
    changed = select(Change).where(*of_this, Change.found == Found.CHANGED).execution_options(yield_per=500)
    for change in session.scalars(changed):
        if delta := change_in_points(change):
            deltas.append(delta)
        tests.update(
            (test["id"], test["title"], _outcome(test["old"]), _outcome(test["new"])) for test in change.moved or ()
        )
    return Summary(
        matrix=sorted((str(old or "fault"), str(new), number) for old, new, number in pairs),
        raised=sum(delta > 0 for delta in deltas),
        lowered=sum(delta < 0 for delta in deltas),
        histogram=_histogram(deltas),
        tests=[(*key, number) for key, number in sorted(tests.items(), key=_often)],
        old_digests=_digests(session, regrade, Change.old_id),
        new_digests=_digests(session, regrade, Change.new_id),
    )


def change_in_points(change: Change) -> float:
    """By how many percentage points the share of the points changed."""
    delta = share(change.new_score, change.new_max_score) - share(change.old_score, change.old_max_score)
    return round(100 * delta, 6)


@dataclass(frozen=True)
class Line:
    """One submission of a change-set, with both sides of each test that moved."""

    change: Change
    tests: Sequence[Mapping[str, Any]]
    fault: str | None


def lines(session: Session, regrade: Regrade, which: Which, after: str | None, limit: int) -> Sequence[Line]:
    """Submissions in order of their ids, after the id `after`."""
    old, new = aliased(Grading), aliased(Grading)
    query = (
        select(Change, old, new)
        .join(old, old.id == Change.old_id)
        .outerjoin(new, new.id == Change.new_id)
        .where(
            Change.regrade_id == regrade.id, *service.named(which), *([Change.submission_id > after] if after else [])
        )
        .order_by(Change.submission_id)
        .limit(limit)
    )
    return [_line(*row) for row in session.execute(query)]


def _line(change: Change, old: Grading, new: Grading | None) -> Line:
    tests: list[Mapping[str, Any]] = []
    if change.found is Found.CHANGED and new is not None and new.result is not None:
        for test in moved(old.result, new.result):
            tests.append({"id": test.id, "title": test.title, "old": _side(test.old), "new": _side(test.new)})
    return Line(change, tests, new.fault if new is not None and change.found is Found.FAULT else None)


def _side(test: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if test is None else {name: test[name] for name in _TEST}


def _outcome(side: Mapping[str, Any] | None) -> str | None:
    return None if side is None else str(side["outcome"])


def _histogram(deltas: Sequence[float]) -> list[tuple[float | None, float | None, int]]:
    edges = [None, *BOUNDS, None]
    found = []
    for low, high in itertools.pairwise(edges):
        # Nothing lies at 0 itself; a bound belongs to the side that is nearer to 0.
        number = sum(_between(delta, low, high) for delta in deltas)
        found.append((low, high, number))
    return found


def _between(delta: float, low: float | None, high: float | None) -> bool:
    if delta > 0:
        return (low is None or delta > low) and (high is None or delta <= high)
    return (low is None or delta >= low) and (high is None or delta < high)


def _often(counted: tuple[tuple[str | None, ...], int]) -> tuple[int, list[str]]:
    """The most frequent first, then by name."""
    key, number = counted
    return -number, [word or "" for word in key]


def _digests(session: Session, regrade: Regrade, column: Any) -> list[str]:
    query = (
        select(Grading.exercise_digest)
        .join(Change, column == Grading.id)
        .where(Change.regrade_id == regrade.id, Grading.exercise_digest.is_not(None))
        .distinct()
        .order_by(Grading.exercise_digest)
    )
    return [digest for digest in session.scalars(query) if digest is not None]
