"""Gradings and their events, as they are stored. A submission has many gradings, never overwritten; one counts."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from grader.db import Base, Json, Moment, new_id, word
from grader.grading.model import Status, Verdict


class Kind(StrEnum):
    """Who waits for a grading: a person, or a batch that takes what is left. Each has a queue of this name."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class Grading(Base):
    """One grading of one submission.

    While it is queued: ``not_before`` is when it may run (a fault puts it off), ``enqueued_at`` when a task for it was
    last sent. While it runs: ``lease`` is a random word that only its worker knows, good until ``lease_until``.
    When it is done: ``result`` is the object of design section 6, unabridged; ``feedback`` what the exercise let
    candidates see of it at that time, ``exercise_digest`` the version that graded. ``fault`` says what failed of ours,
    last, for operators.
    """

    __tablename__ = "gradings"
    __table_args__ = (
        Index(
            "uq_gradings_counting",
            "submission_id",
            unique=True,
            sqlite_where=text("counts"),
            postgresql_where=text("counts"),
        ),
        Index("ix_gradings_status_kind_id", "status", "kind", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id", ondelete="CASCADE"), index=True)
    counts: Mapped[bool]
    kind: Mapped[Kind] = mapped_column(word(Kind))
    status: Mapped[Status] = mapped_column(word(Status))
    seed: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime.datetime] = mapped_column(Moment)
    not_before: Mapped[datetime.datetime] = mapped_column(Moment)
    enqueued_at: Mapped[datetime.datetime | None] = mapped_column(Moment)
    started_at: Mapped[datetime.datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime.datetime | None] = mapped_column(Moment)
    lease: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime.datetime | None] = mapped_column(Moment)
    verdict: Mapped[Verdict | None] = mapped_column(word(Verdict))
    score: Mapped[float | None] = mapped_column(Float)
    max_score: Mapped[float | None] = mapped_column(Float)
    exercise_digest: Mapped[str | None] = mapped_column(String(80), index=True)
    feedback: Mapped[str | None] = mapped_column(String(20))
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    output: Mapped[str | None] = mapped_column(Text)
    fault: Mapped[str | None] = mapped_column(Text)


class GradingEvent(Base):
    """What happened to a grading, in order of ``id``: queued, started, test, retry, done, fault, cancelled."""

    __tablename__ = "grading_events"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    grading_id: Mapped[str] = mapped_column(ForeignKey("gradings.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]] = mapped_column(Json)
    at: Mapped[datetime.datetime] = mapped_column(Moment)
