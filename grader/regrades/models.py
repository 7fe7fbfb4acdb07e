"""Regrades, as they are stored: what was chosen, what became of each submission, who did what and why."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from grader.db import Base, Json, Moment, new_id, word
from grader.grading.model import Verdict


class State(StrEnum):
    """Where a regrade stands."""

    RUNNING = "running"
    PAUSED = "paused"
    READY = "ready"  # all are graded: a change-set that waits for a decision
    APPLIED = "applied"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"


class Policy(StrEnum):
    """Which of the new gradings a person means to let count when the whole is applied."""

    AS_GRADED = "as_graded"  # whatever they are
    NEVER_LOWER = "never_lower"  # not those with a lower score: the fault was ours


class Found(StrEnum):
    """What a submission's new grading says."""

    WAITING = "waiting"  # not sent to the workers yet
    GRADING = "grading"
    SAME = "same"  # verdict, points and the outcome of each test are as before
    CHANGED = "changed"
    FAULT = "fault"  # no new score; the old grading goes on counting


class Which(StrEnum):
    """Which submissions of a change-set to list."""

    CHANGED = "changed"
    RAISED = "raised"
    LOWERED = "lowered"
    FLAKY = "flaky"
    FAULTS = "faults"
    ALL = "all"


class Only(StrEnum):
    """Which changes to apply."""

    ALL = "all"
    CHANGED = "changed"
    RAISED = "raised"
    LOWERED = "lowered"


COMPARED = (Found.SAME, Found.CHANGED)
"""There is a new score."""


class Regrade(Base):
    """``selection`` is what was asked for. ``again``: also what has been graded with the same five."""

    __tablename__ = "regrades"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    state: Mapped[State] = mapped_column(word(State))
    policy: Mapped[Policy] = mapped_column(word(Policy))
    again: Mapped[bool]
    selection: Mapped[dict[str, Any]] = mapped_column(Json)
    reason: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    total: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime.datetime] = mapped_column(Moment)
    ready_at: Mapped[datetime.datetime | None] = mapped_column(Moment)


class Change(Base):
    """One submission of a regrade: its grading that counted when the regrade began, and the new one.

    ``moved`` are the tests whose outcome or points differ. ``flaky``: something differs although exercise, image,
    submission, seed and limits are the same. ``reused``: no new grading was made, since one of the same five was there.
    ``settled_at``: when the two were compared. ``applied_at``: when the new one began to count.
    """

    __tablename__ = "regrade_changes"
    __table_args__ = (
        Index("ix_regrade_changes_regrade_id_found", "regrade_id", "found", "submission_id"),
        Index("ix_regrade_changes_submission_id", "submission_id"),
    )

    regrade_id: Mapped[str] = mapped_column(ForeignKey("regrades.id", ondelete="CASCADE"), primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id", ondelete="CASCADE"), primary_key=True)
    old_id: Mapped[str] = mapped_column(ForeignKey("gradings.id", ondelete="CASCADE"))
    new_id: Mapped[str | None] = mapped_column(ForeignKey("gradings.id", ondelete="CASCADE"), index=True)
    found: Mapped[Found] = mapped_column(word(Found))
    reused: Mapped[bool] = mapped_column(default=False)
    flaky: Mapped[bool] = mapped_column(default=False)
    old_verdict: Mapped[Verdict | None] = mapped_column(word(Verdict))
    old_score: Mapped[float | None] = mapped_column(Float)
    old_max_score: Mapped[float | None] = mapped_column(Float)
    new_verdict: Mapped[Verdict | None] = mapped_column(word(Verdict))
    new_score: Mapped[float | None] = mapped_column(Float)
    new_max_score: Mapped[float | None] = mapped_column(Float)
    moved: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)
    settled_at: Mapped[datetime.datetime | None] = mapped_column(Moment)
    applied_at: Mapped[datetime.datetime | None] = mapped_column(Moment)


class Act(Base):
    """Who did what to a regrade, when and why: created, paused, resumed, cancelled, applied, discarded."""

    __tablename__ = "regrade_acts"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    regrade_id: Mapped[str] = mapped_column(ForeignKey("regrades.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    reason: Mapped[str] = mapped_column(Text)
    changes: Mapped[int | None] = mapped_column(Integer)
    at: Mapped[datetime.datetime] = mapped_column(Moment)
