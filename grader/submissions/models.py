"""Submissions: what a candidate sent, never changed afterwards."""

from __future__ import annotations

import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from grader.db import Base, Moment, new_id


class Submission(Base):
    """``digest`` is over the files. ``request_digest`` is over all that was asked under ``idempotency_key``.

    ``assessment`` is a name that a hiring team gave; it is the key's, where none was sent with the submission.
    """

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("key_id", "idempotency_key"),
        Index("ix_submissions_key_id_id", "key_id", "id"),
        Index("ix_submissions_exercise_id", "exercise", "id"),
        Index("ix_submissions_assessment_id", "assessment", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    exercise: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(80))
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    assessment: Mapped[str | None] = mapped_column(String(100))
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    request_digest: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[datetime.datetime] = mapped_column(Moment)
    files: Mapped[list[SubmissionFile]] = relationship(order_by="SubmissionFile.path", cascade="all, delete-orphan")


class SubmissionFile(Base):
    """One file of a submission; ``path`` is relative, POSIX, checked."""

    __tablename__ = "submission_files"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id", ondelete="CASCADE"), primary_key=True)
    path: Mapped[str] = mapped_column(String(400), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
