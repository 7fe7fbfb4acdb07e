"""What the commands share: settings, exercises, and a runner that tries again."""

from __future__ import annotations

import contextlib
import datetime
import threading
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from grader.backends import make_backend
from grader.catalog.catalog import Catalog
from grader.catalog.model import Exercise
from grader.client import Client
from grader.errors import BadInput, Fault, SuiteError
from grader.grading.model import Job, Result
from grader.grading.runner import Grades, OnEvent, Runner, ignore
from grader.settings import Policy, Settings
from sandbox.errors import SandboxError, SandboxUnavailable


class SandboxChoice(StrEnum):
    """The sandboxes that can be asked for."""

    DOCKER = "docker"
    LOCAL = "local"


SandboxOption = Annotated[
    SandboxChoice | None,
    typer.Option("--sandbox", help="Where the code runs; without it: GRADER_SANDBOX, else docker where it is ready."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and all else on stderr.")]

ServerOption = Annotated[str | None, typer.Option("--server", envvar="GRADER_SERVER", help="URL of the server.")]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="GRADER_KEY", help="API key; without it, the one a server left in GRADER_DATA_DIR."),
]
AssessmentOption = Annotated[str | None, typer.Option(help="Name of an assessment.")]
MomentOption = Annotated[str | None, typer.Option(metavar="MOMENT", help="RFC 3339; without a zone, this machine's.")]


def moment(option: str, text: str | None) -> str | None:
    """What a MomentOption says, with a zone. Raises BadInput."""
    if text is None:
        return None
    try:
        return datetime.datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError:
        raise BadInput(f"{option}: {text!r} is no moment such as 2026-11-26 or 2026-11-26T14:00:00Z") from None


def read_settings(**changes: Any) -> Settings:
    """The settings of the environment with these changes; None changes nothing. Raises BadInput."""
    try:
        return Settings(**{name: value for name, value in changes.items() if value is not None})
    except ValidationError as error:
        lines = [f"GRADER_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise BadInput("the settings cannot be used: " + "; ".join(lines)) from None


def catalog(settings: Settings) -> Catalog:
    """The exercises of the settings' folder."""
    return Catalog(settings.exercises_dir)


class Patient:
    """A runner that tries again after a fault of ours, with the same seed and ever longer waits."""

    def __init__(self, grades: Grades, settings: Settings) -> None:
        self._grades, self._settings = grades, settings
        self._closed = threading.Event()

    def grade(self, exercise: Exercise, job: Job, on_event: OnEvent = ignore, policy: Policy | None = None) -> Result:
        """As `Runner.grade`; raises what the last try raised. A fault that cannot pass is raised at once."""
        for failed in range(self._settings.max_attempts - 1):
            try:
                return self._grades.grade(exercise, job, on_event, policy)
            except (SuiteError, SandboxUnavailable):
                raise
            except (Fault, SandboxError):
                if self._closed.wait(self._settings.retry_backoff_s * 2**failed):
                    raise
        return self._grades.grade(exercise, job, on_event, policy)

    def close(self) -> None:
        """Destroy the sandboxes and end the judges; what is running fails, and is not tried again."""
        self._closed.set()
        self._grades.close()


@contextlib.contextmanager
def opened_runner(settings: Settings, runtimes: Collection[str], at_once: int = 1) -> Iterator[Patient]:
    """A runner for `at_once` gradings at a time, closed when the block is left. Nothing is kept warm for later."""
    settings = settings.model_copy(update={"pool_size": 0, "pool_cap": at_once})
    with Runner(settings, make_backend(settings, runtimes)) as runner:
        yield Patient(runner, settings)


@contextlib.contextmanager
def opened_client(server: str | None, key: str | None) -> Iterator[Client]:
    """A client of that server with that key; without them, of this machine's with the key that it left here."""
    settings = read_settings()
    with Client(server or f"http://127.0.0.1:{settings.port}", key or _key_here(settings)) as client:
        yield client


def _key_here(settings: Settings) -> str:
    file = settings.data_dir / "key"
    try:
        return file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise BadInput(
            f"no API key: give one with --key or GRADER_KEY (there is none in {file} either); "
            "`grader key create` makes one where the server runs"
        ) from None
