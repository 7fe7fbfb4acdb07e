"""Regrades in the database: begun, fed to the workers, compared, and applied or discarded by a person.

    running ◄─resume─► paused         every submission is graded again, a few at a time
       │  └────────┬──────┘
       │           └─cancel─► cancelled
       ▼ (all are graded)
     ready ──apply──► applied         in part: it stays ready; the rest can be applied or discarded
       └────discard──► discarded

The old gradings count until a person applies the new ones, in one transaction. No grading is ever changed or removed.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, insert, literal, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from grader.accounts.service import Caller
from grader.db import new_id, now, storable
from grader.errors import BadInput
from grader.grading import service as gradings
from grader.grading.model import Status, Verdict
from grader.grading.models import Grading
from grader.regrades.models import COMPARED, Act, Change, Found, Only, Policy, Regrade, State, Which
from grader.submissions.models import Submission

_ENDED = (Status.DONE, Status.FAULT)


@dataclass(frozen=True)
class Selection:
    """Which submissions, by what counts for them now; None or nothing leaves a field open. All must hold."""

    exercise: str | None = None
    assessment: str | None = None
    exercise_digest: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    verdicts: Sequence[Verdict] = ()
    faults: bool = False
    ids: Sequence[str] = ()


@dataclass(frozen=True)
class Part:
    """Which changes to apply; the default is all of them. `ids`: of submissions."""

    ids: Collection[str] = ()
    only: Only = Only.ALL


@dataclass(frozen=True)
class Applied:
    """How many new gradings count now. `overtaken`: another grading counts by now than when the regrade began."""

    applied: int
    kept_back: int
    overtaken: int


def count(session: Session, selection: Selection) -> int:
    """How many submissions are chosen."""
    chosen = select(Grading.id).join(Submission, Submission.id == Grading.submission_id).where(*_chosen(selection))
    return session.scalar(select(func.count()).select_from(chosen.subquery())) or 0


def create(
    session: Session,
    caller: Caller,
    selection: Selection,
    told: dict[str, object],
    reason: str,
    policy: Policy,
    again: bool,
) -> Regrade:
    """Begin to grade again what is chosen now. `told`: the selection as it was asked for. Raises BadInput for none."""
    regrade = Regrade(
        id=new_id(),
        state=State.RUNNING,
        policy=policy,
        again=again,
        selection=told,
        reason=storable(reason),
        key_id=caller.key_id,
        total=0,
        created_at=now(session),
    )
    session.add(regrade)
    session.flush()
    columns = (Change.regrade_id, Change.submission_id, Change.old_id, Change.found, Change.reused, Change.flaky)
    rows = (
        select(
            literal(regrade.id),
            Grading.submission_id,
            Grading.id,
            literal(str(Found.WAITING)),
            literal(False),
            literal(False),
        )
        .join(Submission, Submission.id == Grading.submission_id)
        .where(*_chosen(selection))
    )
    session.execute(insert(Change).from_select([column.key for column in columns], rows))
    of_this = select(func.count()).select_from(Change).where(Change.regrade_id == regrade.id)
    regrade.total = session.scalar(of_this) or 0
    if not regrade.total:
        raise BadInput("no graded submission is chosen by this; `--dry-run` counts without beginning", "nothing_chosen")
    _note(session, regrade, caller, "created", reason, regrade.total)
    return regrade


def find(session: Session, regrade_id: str, lock: bool = False) -> Regrade:
    """Raises BadInput."""
    query = select(Regrade).where(Regrade.id == regrade_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise BadInput("there is no such regrade", "not_found")
    return found


def listed(session: Session, before: str | None, limit: int) -> Sequence[Regrade]:
    """The newest first."""
    query = select(Regrade).order_by(Regrade.id.desc()).limit(limit)
    return session.scalars(query.where(Regrade.id < before) if before else query).all()


def acts(session: Session, regrade_id: str) -> Sequence[Act]:
    """Who did what, in order."""
    return session.scalars(select(Act).where(Act.regrade_id == regrade_id).order_by(Act.id)).all()


def pause(session: Session, caller: Caller, regrade_id: str, reason: str) -> Regrade:
    """Begin no further submission; what waits in the queue is taken back. Raises BadInput."""
    regrade = _expect(session, regrade_id, State.RUNNING)
    _take_back(session, regrade)
    regrade.state = State.PAUSED
    _note(session, regrade, caller, "paused", reason)
    return regrade


def resume(session: Session, caller: Caller, regrade_id: str, reason: str) -> Regrade:
    """Go on after a pause; or, once it is ready, try again what ended in a fault. Raises BadInput."""
    regrade = _expect(session, regrade_id, State.PAUSED, State.READY)
    retried = 0
    if regrade.state is State.READY:
        retried = _reset(session, and_(Change.regrade_id == regrade.id, Change.found == Found.FAULT))
        if not retried:
            raise BadInput("it is ready, and no submission of it ended in a fault: apply it, or discard it", "conflict")
        regrade.ready_at = None
    regrade.state = State.RUNNING
    _note(session, regrade, caller, "resumed", reason, retried or None)
    return regrade


def cancel(session: Session, caller: Caller, regrade_id: str, reason: str) -> Regrade:
    """End it before it is ready. What was graded stays readable; nothing of it counts. Raises BadInput."""
    regrade = _expect(session, regrade_id, State.RUNNING, State.PAUSED)
    _take_back(session, regrade)
    regrade.state = State.CANCELLED
    _note(session, regrade, caller, "cancelled", reason)
    return regrade


def discard(session: Session, caller: Caller, regrade_id: str, reason: str) -> Regrade:
    """Decide that (the rest of) the new gradings shall not count. Raises BadInput."""
    regrade = _expect(session, regrade_id, State.READY)
    regrade.state = State.DISCARDED
    _note(session, regrade, caller, "discarded", reason)
    return regrade


def apply(session: Session, caller: Caller, regrade_id: str, part: Part, reason: str) -> Applied:
    """Let new gradings count, all of the part in this transaction, or none. Raises BadInput.

    Left out: faults, what the regrade's policy keeps back unless its submission is named, and submissions for which
    another grading counts by now than when the regrade began. When nothing is left to apply, the regrade is `applied`.
    """
    regrade = _expect(session, regrade_id, State.READY)
    open_ = and_(Change.regrade_id == regrade.id, _compared(), Change.applied_at.is_(None))
    asked = and_(open_, *_part(part))
    keeps = _lower() if regrade.policy is Policy.NEVER_LOWER and not part.ids else None
    kept_back = _number(session, and_(asked, keeps)) if keeps is not None else 0
    chosen = asked if keeps is None else and_(asked, ~keeps)
    old = aliased(Grading)
    still = exists().where(old.id == Change.old_id, old.counts)
    overtaken = _number(session, and_(chosen, ~still))
    moment = now(session)
    # Marked first: "still" is no longer true once the old gradings do not count.
    mark = update(Change).where(chosen, still).values(applied_at=moment)
    marked = session.execute(mark.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    if not marked and part.ids:
        raise BadInput("none of these submissions has a new grading in this regrade that could be applied", "conflict")
    of_now = and_(Change.regrade_id == regrade.id, Change.applied_at == moment)
    for value, column in ((False, Change.old_id), (True, Change.new_id)):
        session.execute(
            update(Grading)
            .where(Grading.id.in_(select(column).where(of_now)))
            .values(counts=value)
            .execution_options(synchronize_session=False)
        )
    left = and_(open_, ~_lower()) if regrade.policy is Policy.NEVER_LOWER else open_
    if not _number(session, and_(left, still)):
        regrade.state = State.APPLIED
    _note(session, regrade, caller, "applied", reason, marked)
    return Applied(marked, kept_back, overtaken)


def _chosen(selection: Selection) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Grading.counts.is_(True), Grading.status.in_(_ENDED)]
    if selection.exercise is not None:
        found.append(Submission.exercise == selection.exercise)
    if selection.assessment is not None:
        found.append(Submission.assessment == selection.assessment)
    if selection.exercise_digest is not None:
        found.append(Grading.exercise_digest == selection.exercise_digest)
    if selection.since is not None:
        found.append(Submission.created_at >= selection.since)
    if selection.until is not None:
        found.append(Submission.created_at < selection.until)
    if selection.verdicts or selection.faults:
        fault = [Grading.status == Status.FAULT] if selection.faults else []
        found.append(or_(Grading.verdict.in_(selection.verdicts), *fault))
    if selection.ids:
        found.append(Submission.id.in_(selection.ids))
    return found


def named(which: Which | Only) -> list[ColumnElement[bool]]:
    """The changes that a word names, as conditions."""
    conditions: dict[str, list[ColumnElement[bool]]] = {
        "all": [],
        "changed": [Change.found == Found.CHANGED],
        "raised": [_compared(), _share(Change.new_score, Change.new_max_score) > _old_share() + 1e-9],
        "lowered": [_compared(), _lower()],
        "flaky": [Change.flaky.is_(True)],
        "faults": [Change.found == Found.FAULT],
    }
    return conditions[which]


def _part(part: Part) -> list[ColumnElement[bool]]:
    return [*named(part.only), *([Change.submission_id.in_(part.ids)] if part.ids else [])]


def _compared() -> ColumnElement[bool]:
    return Change.found.in_(COMPARED)


def _lower() -> ColumnElement[bool]:
    """The new score is a smaller share. Shares, since a new suite may have other points."""
    return _share(Change.new_score, Change.new_max_score) < _old_share() - 1e-9


def _old_share() -> ColumnElement[float]:
    return _share(Change.old_score, Change.old_max_score)


def _share(
    score: InstrumentedAttribute[float | None], most: InstrumentedAttribute[float | None]
) -> ColumnElement[float]:
    """As `comparison.share`, for the database."""
    return func.coalesce(score / func.nullif(most, 0.0), 0.0)


def _number(session: Session, condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Change).where(condition)) or 0


def _take_back(session: Session, regrade: Regrade) -> None:
    """What waits in the queue is cancelled and waits in the regrade again; what is being graded goes on."""
    mine = and_(Change.regrade_id == regrade.id, Change.found == Found.GRADING)
    for submission_id, grading_id in session.execute(select(Change.submission_id, Change.new_id).where(mine)).all():
        if grading_id is not None and gradings.cancel(session, grading_id):
            _reset(session, and_(mine, Change.submission_id == submission_id))


def _reset(session: Session, condition: ColumnElement[bool]) -> int:
    values = {"found": Found.WAITING, "new_id": None, "settled_at": None, "flaky": False, "moved": None}
    changed = session.execute(
        update(Change).where(condition).values(values).execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]


def _expect(session: Session, regrade_id: str, *states: State) -> Regrade:
    regrade = find(session, regrade_id, lock=True)
    if regrade.state not in states:
        raise BadInput(f"it is {regrade.state}; this can be done to one that is {' or '.join(states)}", "conflict")
    return regrade


def _note(
    session: Session, regrade: Regrade, caller: Caller, kind: str, reason: str, changes: int | None = None
) -> None:
    about = {"regrade_id": regrade.id, "kind": kind, "key_id": caller.key_id, "reason": storable(reason)}
    session.add(Act(**about, changes=changes, at=now(session)))
    session.flush()
