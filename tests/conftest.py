"""What all tests share: services that may be missing. Those skip at a desk and fail where GRADER_REQUIRE_ALL=1."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import pytest
import redis
import structlog

from grader.db import Database
from grader.migrations import upgrade
from sandbox.errors import SandboxUnavailable
from sandbox.interface import Backend
from tests.databases import postgres_database

Missing = Callable[[str], NoReturn]


@pytest.fixture(scope="session", autouse=True)
def _plain_log() -> None:
    """What is logged is shown where a test fails; without local variables, which take long to render."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])


@pytest.fixture(scope="session")
def missing() -> Missing:
    """Call it with the reason when something that a test needs is not there."""

    def give_up(reason: str) -> NoReturn:
        if os.environ.get("GRADER_REQUIRE_ALL") == "1":
            pytest.fail(f"required, and not there: {reason}", pytrace=False)
        pytest.skip(reason)

    return give_up


@pytest.fixture(scope="session")
def redis_url(missing: Missing) -> str:
    """A database of a Redis server that tests may fill and flush; each worker of pytest-xdist has one of its own."""
    url = os.environ.get("GRADER_TEST_REDIS_URL") or missing("GRADER_TEST_REDIS_URL names no Redis server")
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return urlsplit(url)._replace(path=f"/{number}").geturl()


@pytest.fixture
def empty_redis_url(redis_url: str) -> str:
    """A Redis database without keys."""
    redis.Redis.from_url(redis_url).flushdb()
    return redis_url


@pytest.fixture(scope="session")
def postgres_url(missing: Missing) -> str:
    """A PostgreSQL server on which tests may create and drop databases."""
    return os.environ.get("GRADER_TEST_POSTGRES_URL") or missing("GRADER_TEST_POSTGRES_URL names no PostgreSQL server")


@pytest.fixture(scope="session")
def docker_backend(missing: Missing) -> Iterator[Backend]:
    """The docker backend, with images that fit this code. A short folder: the name of a socket has 107 bytes."""
    from sandbox.backends.docker import DockerBackend

    image = os.environ.get("GRADER_DOCKER_IMAGE", "grader-sandbox")
    with tempfile.TemporaryDirectory(prefix="grader-") as made:
        folder = os.environ.get("GRADER_DOCKER_SOCKET_DIR") or made
        yield from _usable(DockerBackend(image, None, Path(folder)), missing)


@pytest.fixture(scope="session")
def local_backend(missing: Missing) -> Iterator[Backend]:
    """The local backend."""
    from sandbox.backends.local import LocalBackend

    yield from _usable(LocalBackend(), missing)


@pytest.fixture(scope="session", params=[pytest.param("docker", marks=pytest.mark.engine), "local"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each real backend in turn."""
    found: Backend = request.getfixturevalue(f"{request.param}_backend")
    return found


def _usable(backend: Backend, missing: Missing) -> Iterator[Backend]:
    for finding in backend.check():
        if finding.level == "missing":
            missing(f"{backend.name} sandbox: {finding.detail} ({finding.remedy})")
    try:
        yield backend
    except SandboxUnavailable as error:
        missing(str(error))
    finally:
        backend.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, on each of the two kinds in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'grader.sqlite'}"
        return
    with postgres_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the schema in it, on each of the two kinds in turn."""
    found = Database(database_url)
    upgrade(found)
    yield found
    found.close()
