"""The migrations make the schema that the models describe, on both databases."""

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from grader.db import Database
from grader.migrations import downgrade, upgrade
from grader.models import Base
from tests.databases import again, submit


def tables(database):
    return set(inspect(database.engine).get_table_names()) - {"alembic_version"}


def test_the_migrations_lead_to_what_the_models_say(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_downgrade_leaves_nothing_and_can_be_taken_back(database):
    downgrade(database, "base")
    assert tables(database) == set()
    upgrade(database)
    assert tables(database) == set(Base.metadata.tables)


def test_an_upgrade_of_an_upgraded_database_changes_nothing(database):
    upgrade(database)
    assert tables(database) == set(Base.metadata.tables)


def test_many_may_upgrade_an_empty_database_at_the_same_time(database_url):
    code = "import sys; from grader.db import Database; from grader.migrations import upgrade; "
    command = [sys.executable, "-c", f"{code} upgrade(Database(sys.argv[1]))", database_url]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    database = Database(database_url)
    assert tables(database) == set(Base.metadata.tables)
    database.close()


def test_a_failed_upgrade_leaves_an_empty_database(database_url, monkeypatch):
    monkeypatch.setattr("alembic.op.create_index", lambda *_, **__: 1 / 0)
    database = Database(database_url)
    with pytest.raises(ZeroDivisionError):
        upgrade(database)
    assert tables(database) == set()
    database.close()


def test_only_one_grading_of_a_submission_counts(database):
    first = submit(database)
    again(database, first, counts=False)
    with pytest.raises(IntegrityError):
        again(database, first, counts=True)
