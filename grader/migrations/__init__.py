"""The schema's versions. Packaged with the code and run by it: whoever starts a server or a worker has the schema.

Any number of processes may upgrade one database at the same time: the first does it, the others wait for it and find
nothing left to do. All of it is one transaction, on both databases: an upgrade that fails leaves the schema as it was.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from grader.db import Database

_LOCK = 0x67726164  # any number that all our processes agree on


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to that revision, or to the newest. Raises SQLAlchemyError."""
    with database.engine.begin() as connection:
        _wait_for_our_turn(connection)
        command.upgrade(config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the schema back to that revision; "base" is an empty database."""
    with database.engine.begin() as connection:
        _wait_for_our_turn(connection)
        command.downgrade(config(connection), revision)


def config(connection: Connection) -> Config:
    """What Alembic needs to know, without a file: where the versions are, and the connection to use."""
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent))
    found.attributes["connection"] = connection
    return found


def _wait_for_our_turn(connection: Connection) -> None:
    """SQLite needs no more than its BEGIN IMMEDIATE (see `grader.db`); PostgreSQL's lock ends with the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
