"""Workers, as the database knows them: each says every few seconds that it is there, and how its sandbox is."""

from __future__ import annotations

import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from grader.db import Base, Moment


class Worker(Base):
    """``problem`` says why its sandbox cannot be used, and is None where it can."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    sandbox: Mapped[str] = mapped_column(String(20))
    problem: Mapped[str | None] = mapped_column(Text)
    seen_at: Mapped[datetime.datetime] = mapped_column(Moment)
