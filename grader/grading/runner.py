"""Runs one grading: a warm sandbox on one side, a judge on the other, and what each may ask in between.

This is the only place where the sandbox pool and the judge meet. It has no database and no queue: the CLI's
`grade`, the verifier and the Celery task all call `Runner.grade`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from grader.catalog.model import Exercise
from grader.grading.model import Job, Result

OnEvent = Callable[[Mapping[str, Any]], None]
"""Called with {"kind": "started"}, {"kind": "test", "test": {...TestResult as JSON...}, "done": n, "total": n}."""


class Grades(Protocol):
    """What the service, the CLI and the verifier need of the runner."""

    def grade(self, exercise: Exercise, job: Job, on_event: OnEvent = ...) -> Result:
        """Grade to the end. Raises `Fault` or `SandboxError` when *we* failed; anything else is in the Result."""

    def close(self) -> None:
        """Destroy the sandboxes and end the judges."""
