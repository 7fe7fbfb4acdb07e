"""The API over real HTTP, on both databases: uvicorn in a thread, and no worker, so that nothing happens by itself.

What a worker would do, tests do by hand through `grader.grading.service` (see `Service.grade`).
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from grader.accounts import service as accounts
from grader.accounts.models import Role
from grader.app import assemble
from grader.catalog.catalog import Catalog
from grader.db import Database
from grader.grading import service as gradings
from grader.grading.model import Result
from grader.migrations import upgrade
from grader.queue import Queue
from grader.settings import Settings
from grader.web.context import Context
from tests.databases import postgres_database
from tests.functional.api.material import result, test_event, write_exercise

_numbers = itertools.count()


@dataclass
class Service:
    """A running API, the database under it, and what tests do to both."""

    url: str
    database: Database
    catalog: Catalog

    def client(self, role: Role | None = Role.CANDIDATE, assessment: str | None = None, **headers: str) -> httpx.Client:
        """A client with a new key of this role, handed out for that assessment; without a role, without a key."""
        if role is not None:
            headers["Authorization"] = f"Bearer {self.key(role, assessment)}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=20)

    def key(self, role: Role, assessment: str | None = None) -> str:
        with self.database.begin() as session:
            return accounts.create(session, f"key {next(_numbers)}", role, assessment)[1]

    def start(self, submission_id: str, told: int = 0, total: int = 3) -> gradings.Claim:
        """Claim a submission's grading as a worker does, and tell the first tests of it."""
        with self.database.begin() as session:
            held = gradings.claim(session, gradings.counting(session, submission_id).id, 60)
            assert held is not None
            gradings.record(session, held, [gradings.Event("started", {"total": total})])
        for number in range(1, told + 1):
            self.tell(held, number, total)
        return held

    def tell(self, held: gradings.Claim, number: int, total: int = 3) -> None:
        with self.database.begin() as session:
            gradings.record(session, held, [gradings.Event("test", test_event(number, total))])

    def grade(self, submission_id: str, feedback: str = "titles", given: Result | None = None) -> None:
        """Grade a submission from claim to score, without a sandbox."""
        held = self.start(submission_id, told=3)
        with self.database.begin() as session:
            gradings.finish(session, held, given or result(), feedback)


@pytest.fixture(scope="session")
def exercises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an exercise for each feedback policy, called by its name, and "adding"."""
    folder = tmp_path_factory.mktemp("exercises")
    for feedback in ("full", "titles", "score", "none"):
        write_exercise(folder, f"shows-{feedback}", feedback)
    write_exercise(folder, "adding", "titles")
    return folder


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def service(
    request: pytest.FixtureRequest, exercises: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """One service for all tests of a session: each makes keys of its own and looks only at what these sent."""
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{tmp_path_factory.mktemp('data') / 'grader.sqlite'}"
        if request.param == "postgres":
            url = stack.enter_context(postgres_database(request.getfixturevalue("postgres_url")))
        database = Database(url)
        stack.callback(database.close)
        yield stack.enter_context(serving(database, exercises))


@contextlib.contextmanager
def serving(database: Database, exercises: Path, **settings: Any) -> Iterator[Service]:
    """An API on that database, without a worker."""
    upgrade(database)
    used = Settings(exercises_dir=exercises, max_upload_kb=64, max_files=5, max_queued_per_key=3, **settings)
    catalog, queue = Catalog(exercises), Queue(used)

    @contextlib.contextmanager
    def opened(registry: CollectorRegistry) -> Iterator[Context]:
        yield Context(used, database, catalog, queue, registry)
        queue.close()

    with listening(assemble(used, opened)) as url:
        yield Service(url, database, catalog)


@contextlib.contextmanager
def listening(app: Any) -> Iterator[str]:
    """The URL of a real server that serves this app in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, server_header=False, timeout_graceful_shutdown=3))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def candidate(service: Service) -> Iterator[httpx.Client]:
    with service.client(Role.CANDIDATE) as client:
        yield client


@pytest.fixture
def reviewer(service: Service) -> Iterator[httpx.Client]:
    with service.client(Role.REVIEWER) as client:
        yield client


@pytest.fixture
def nobody(service: Service) -> Iterator[httpx.Client]:
    """A client without a key."""
    with service.client(None) as client:
        yield client
