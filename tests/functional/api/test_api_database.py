"""What the API says while its database cannot be used."""

import pytest
from sqlalchemy import text

from grader.db import Database
from tests.functional.api.conftest import serving
from tests.functional.api.material import code


@pytest.fixture
def broken(tmp_path, exercises):
    """A client of a service whose tables are gone."""
    database = Database(f"sqlite:///{tmp_path / 'grader.sqlite'}")
    with serving(database, exercises) as service, service.client() as client:
        with database.begin() as session:
            for table in ("workers", "api_keys"):
                session.execute(text(f"DROP TABLE {table}"))
        yield client


def test_requests_are_told_to_come_again(broken):
    answer = broken.get("/v1/exercises")
    assert code(answer) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "SELECT" not in answer.text


def test_the_service_is_alive_and_not_ready(broken):
    assert broken.get("/healthz").json() == {"ok": True}
    answer = broken.get("/readyz")
    assert (answer.status_code, answer.json()["sandbox"]["ok"]) == (503, False)
