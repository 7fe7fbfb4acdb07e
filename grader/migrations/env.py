"""Run by Alembic: migrates over the connection, and in the transaction, that `grader.migrations` hands in."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from grader.db import Moment
from grader.models import Base


def render(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Versions outlive the code that they were written with: they name plain column types, none of our own."""
    if kind == "type" and isinstance(item, Moment):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.Enum):
        return f"sa.String(length={item.length})"
    return False


connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, render_item=render)
context.run_migrations()
