"""API keys, as they are stored: never the key itself."""

from __future__ import annotations

import datetime
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from grader.db import Base, Moment, new_id, word


class Role(StrEnum):
    """What the holder of a key may do; each role includes the ones below it."""

    ADMIN = "admin"
    REVIEWER = "reviewer"  # reads everything, hidden tests and messages included; batches; begins regrades
    CANDIDATE = "candidate"  # submits, and reads own submissions as the feedback policy allows


class ApiKey(Base):
    """``digest`` is SHA-256 of the key, which has 256 random bits: nothing slower is needed. ``hint`` is its start.

    ``assessment`` is what it was handed out for: what is sent with it belongs there.
    """

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(word(Role))
    hint: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    assessment: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime.datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime.datetime | None] = mapped_column(Moment)
