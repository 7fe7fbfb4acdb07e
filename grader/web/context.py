"""What the endpoints work with. `grader.app` makes it, and nothing of it is global."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Protocol

from anyio import CapacityLimiter
from fastapi import Depends, Request
from prometheus_client import CollectorRegistry
from sqlalchemy.orm import Session

from grader.catalog.catalog import Catalog
from grader.db import Database
from grader.grading.models import Grading
from grader.settings import Settings


class Dispatches(Protocol):
    """What the API needs of the queue."""

    def send_after_commit(self, session: Session, grading: Grading) -> None:
        """Hand a grading to the workers when this transaction has been committed. A broker that is away is no error."""

    def ping(self) -> None:
        """Return when the broker answers. Raises QueueDown."""


@dataclass(frozen=True)
class Context:
    """One service: its settings and the parts that were opened with them.

    ``metrics`` are this server's own numbers. ``followers`` bounds the threads that all event streams together may take
    from the other requests.
    """

    settings: Settings
    database: Database
    catalog: Catalog
    queue: Dispatches
    metrics: CollectorRegistry
    followers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))


def context(request: Request) -> Context:
    """The context of the app that serves this request."""
    found: Context = request.app.state.context
    return found


InContext = Annotated[Context, Depends(context)]
