"""What all tests share: services that may be missing. A missing one skips at a desk and fails where GRADER_REQUIRE_ALL=1."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from sandbox.errors import SandboxUnavailable
from sandbox.interface import Backend

Missing = Callable[[str], NoReturn]


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
    """A Redis server that tests may fill and flush."""
    return os.environ.get("GRADER_TEST_REDIS_URL") or missing("GRADER_TEST_REDIS_URL names no Redis server")


@pytest.fixture(scope="session")
def postgres_url(missing: Missing) -> str:
    """A PostgreSQL server on which tests may create and drop databases."""
    return os.environ.get("GRADER_TEST_POSTGRES_URL") or missing("GRADER_TEST_POSTGRES_URL names no PostgreSQL server")


@pytest.fixture(scope="session")
def docker_backend(missing: Missing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """The docker backend, with images that fit this code."""
    from sandbox.backends.docker import DockerBackend

    image = os.environ.get("GRADER_DOCKER_IMAGE", "grader-sandbox")
    folder = os.environ.get("GRADER_DOCKER_SOCKET_DIR") or tmp_path_factory.mktemp("sockets")
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
