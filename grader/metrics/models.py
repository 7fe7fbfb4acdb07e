"""Workers, as the database knows them: each says every few seconds that it is there, and how its sandbox is."""

from __future__ import annotations

import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from grader.db import Base, Moment, word
from grader.grading.models import Kind


class Worker(Base):
    """``problem``: why its sandbox cannot be used; None where it can. ``only``: the one kind of gradings that it takes;
    None where it takes all."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    sandbox: Mapped[str] = mapped_column(String(20))
    problem: Mapped[str | None] = mapped_column(Text)
    only: Mapped[Kind | None] = mapped_column(word(Kind))
    seen_at: Mapped[datetime.datetime] = mapped_column(Moment)
