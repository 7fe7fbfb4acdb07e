"""The events of a grading, followed in the database: what a follower is told, filtered for whom it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.accounts.models import Role
from grader.accounts.service import Caller
from grader.catalog.catalog import Catalog
from grader.catalog.model import Feedback
from grader.errors import BadInput
from grader.grading.models import Grading, GradingEvent
from grader.submissions import feedback
from grader.submissions.models import Submission
from grader.submissions.views import submission_view

_FINAL = ("done", "fault", "cancelled")
_BATCH = 200


@dataclass(frozen=True)
class Told:
    """One event for a follower. ``final``: no other comes after it."""

    id: int
    kind: str
    data: Mapping[str, Any]

    @property
    def final(self) -> bool:
        return self.kind in _FINAL


def since(session: Session, catalog: Catalog, caller: Caller, followed: str, after: int) -> tuple[int, list[Told]]:
    """(id of the last event looked at, what is told of those after the event `after`), in order.

    `followed` is a grading's id. The final event carries the submission as a GET shows it.
    """
    events = session.scalars(
        select(GradingEvent)
        .where(GradingEvent.grading_id == followed, GradingEvent.id > after)
        .order_by(GradingEvent.id)
        .limit(_BATCH)
    ).all()
    if not events:
        return after, []
    # Read after the events: then it is at least as far on as they say, whatever is committed in between.
    grading = session.get_one(Grading, followed)
    submission = session.get_one(Submission, grading.submission_id)
    shown = None if caller.may(Role.REVIEWER) else _policy(catalog, submission, grading)
    told = []
    for event in events:
        data: Mapping[str, Any] | None = event.data
        if event.kind in _FINAL:
            data = submission_view(submission, grading, caller).model_dump(mode="json")
        elif shown is not None:
            data = feedback.event(event.kind, event.data, shown)
        if data is not None:
            told.append(Told(event.id, event.kind, data))
    return events[-1].id, told


def ended(session: Session, followed: str, after: int) -> bool:
    """Whether the final event of this grading is not after the event `after`: then there is nothing to follow."""
    final = session.scalar(
        select(GradingEvent.id).where(GradingEvent.grading_id == followed, GradingEvent.kind.in_(_FINAL)).limit(1)
    )
    return final is not None and final <= after


def _policy(catalog: Catalog, submission: Submission, grading: Grading) -> Feedback:
    """The policy that was stored with the score; until there is one, the exercise's as it is now, or the strictest."""
    if grading.feedback is not None:
        return feedback.policy(grading.feedback)
    try:
        return catalog.get(submission.exercise).feedback
    except BadInput:
        return "none"
