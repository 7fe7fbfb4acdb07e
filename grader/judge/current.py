"""The one session of this judge. A judge grades one submission and ends, so this is its only global."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.judge.session import Session

_session: Session | None = None


def session() -> Session | None:
    """The session, or None where no judge runs."""
    return _session


def set_session(session: Session) -> None:
    global _session  # noqa: PLW0603  (one per process, set once)
    _session = session
