"""Proofs, as they are stored: whether an exercise's own reference passes its suite on an image."""

from __future__ import annotations

import datetime
from enum import StrEnum

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from grader.db import Base, Moment, word


class Standing(StrEnum):
    """What is known of an exercise."""

    UNKNOWN = "unknown"  # its reference has not been graded to the end yet
    PASSED = "passed"  # in service
    FAILED = "failed"  # out of service


class Proof(Base):
    """What one version of an exercise showed on one image.

    ``until``: nobody else grades the reference before then; while it is being graded a lease, after a failure a pause
    that grows with ``tries``. ``why``: how the reference failed, for operators. ``at``: of the last word.
    """

    __tablename__ = "proofs"

    exercise_digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    image: Mapped[str] = mapped_column(Text, primary_key=True)
    exercise: Mapped[str] = mapped_column(String(100))
    standing: Mapped[Standing] = mapped_column(word(Standing))
    tries: Mapped[int] = mapped_column(Integer)
    until: Mapped[datetime.datetime] = mapped_column(Moment)
    why: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime.datetime] = mapped_column(Moment)
