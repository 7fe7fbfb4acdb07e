"""The database: engine, transactions, the clock that leases are measured by, and types that both databases share."""

from __future__ import annotations

import contextlib
import datetime
import re
import secrets
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, Enum, MetaData, create_engine, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from grader.settings import Settings

DATABASE_FILE = "grader.sqlite"
"""Of the embedded service, in its data folder."""

Json = JSON().with_variant(JSONB(), "postgresql")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_BUSY_MS = 30_000  # SQLite has one writer at a time: how long the others wait for it


class Base(DeclarativeBase):
    """The models of all domains. Constraint names are fixed, so that migrations can name them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Moment(TypeDecorator[datetime.datetime]):
    """A moment in UTC. SQLite keeps no zone, so it is put back when read; a moment without a zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        return None if value is None else value.astimezone(datetime.UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime.datetime | None:
        moment: datetime.datetime | None = value
        return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)


def word(kind: type[StrEnum]) -> Enum:
    """A column that holds one word of a StrEnum, as text."""
    return Enum(kind, native_enum=False, length=20, values_callable=lambda k: [str(member) for member in k])


def new_id() -> str:
    """An id of 32 hex digits: milliseconds since 1970 first, so that ids sort by age, then 80 random bits."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


class Database:
    """One engine and its transactions. Thread-safe."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextlib.contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        with self._sessions.begin() as session:
            yield session

    def ping(self) -> None:
        """Return when the database answers. Raises SQLAlchemyError."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def storable(value: Any) -> Any:
    """The same text, or JSON, with U+FFFD for what PostgreSQL refuses to keep and candidates can print: NUL and lone
    surrogates. Otherwise one of them in a message would turn a score into a fault."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return value


def open_database(settings: Settings) -> Database:
    """The database that the settings name; on the embedded default its folder is made, for the owner only."""
    if settings.database_url is not None:
        return Database(settings.database_url.get_secret_value())
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Database(f"sqlite:///{settings.data_dir / DATABASE_FILE}")


def now(session: Session) -> datetime.datetime:
    """The database's clock where it is a server: workers' own clocks may differ, and leases must not."""
    if session.get_bind().dialect.name == "postgresql":
        moment: datetime.datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment
    return datetime.datetime.now(datetime.UTC)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
    engine = create_engine(url, connect_args={"timeout": _BUSY_MS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """Readers beside one writer (WAL), foreign keys, and transactions that begin where we say (see `begin` above):
    a transaction that reads first and writes later would otherwise fail when another wrote in between."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")
