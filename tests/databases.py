"""Databases of a test's own, on both engines, and what tests store in them and read from them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import create_engine, make_url, select, text

from grader.accounts.models import Role
from grader.db import Database, new_id, now
from grader.grading import service
from grader.grading.models import Kind
from grader.models import ApiKey, Grading, GradingEvent, Submission, SubmissionFile


@contextlib.contextmanager
def postgres_database(server_url: str) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database, dropped at the end whoever is still connected."""
    name = f"grader_test_{secrets.token_hex(6)}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


def submit(
    database: Database, files: Mapping[str, bytes] | None = None, exercise: str = "adding", **about: Any
) -> Grading:
    """A stored submission and its grading, queued. `about`: as for `grader.grading.service.create`."""
    files = {"solution.py": b""} if files is None else files
    with database.begin() as session:
        key = ApiKey(name="a candidate", role=Role.CANDIDATE, hint="", digest=new_id(), created_at=now(session))
        session.add(key)
        session.flush()
        submission = Submission(exercise=exercise, digest="sha256:0", key_id=key.id, created_at=now(session))
        submission.files = [SubmissionFile(path=path, content=content) for path, content in files.items()]
        session.add(submission)
        session.flush()
        return service.create(session, submission, **{"kind": Kind.INTERACTIVE, "counts": True} | about)


def again(database: Database, grading: Grading, **about: Any) -> Grading:
    """A further grading of the same submission, queued."""
    with database.begin() as session:
        submission = session.get_one(Submission, grading.submission_id)
        return service.create(session, submission, **{"kind": Kind.BATCH, "counts": False} | about)


def reread(database: Database, grading: Grading) -> Grading:
    """The grading as it is stored now."""
    with database.begin() as session:
        return session.get_one(Grading, grading.id)


def told(database: Database, grading: Grading) -> list[str]:
    """The kinds of its events, in order."""
    with database.begin() as session:
        query = select(GradingEvent.kind).where(GradingEvent.grading_id == grading.id).order_by(GradingEvent.id)
        return list(session.scalars(query))
