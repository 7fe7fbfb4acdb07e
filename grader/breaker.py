"""The circuit breaker of a worker: its sandbox is taken out of service when it is broken, and back when it works again.

A worker whose sandbox is broken would take gradings faster than any other, and fail each. Out of service is a runtime
whose sandboxes a look at the machine finds something missing for, or that failed `FAILURES` gradings in a row; until
such a sandbox can be started again. Gradings that need it are put off, and cost no try; a worker that can serve no
runtime takes nothing from the queue.
"""

from __future__ import annotations

import threading
from collections import Counter

import structlog

from grader.backends import lacking
from grader.catalog.catalog import Catalog
from grader.catalog.model import Exercise
from grader.grading.model import Job, Result
from grader.grading.runner import Grades, OnEvent, ignore
from grader.settings import Policy
from sandbox.errors import PoolClosed, SandboxError, SandboxUnavailable
from sandbox.interface import Backend, Finding, SandboxSpec

FAILURES = 3
_ASK_AGAIN_S = 0.2
_log = structlog.get_logger()


class Breaker:
    """A runner behind a breaker. Thread-safe. `look` is to be called every few seconds."""

    def __init__(self, grades: Grades, backend: Backend, catalog: Catalog) -> None:
        self._grades, self._backend, self._catalog = grades, backend, catalog
        self._lock = threading.Lock()
        self._failures: Counter[str] = Counter()
        self._why: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        self._everything = False

    @property
    def problem(self) -> str | None:
        """What is out of service, and why; None if nothing is."""
        return "; ".join(f"{runtime}: {why}" for runtime, why in sorted(self._problems.items())) or None

    def grade(self, exercise: Exercise, job: Job, on_event: OnEvent = ignore, policy: Policy | None = None) -> Result:
        """As `Runner.grade`. Raises SandboxUnavailable at once where the sandbox is out of service."""
        runtime = exercise.runtime
        if (problem := self._problems.get(runtime)) is not None:
            raise SandboxUnavailable(f"the sandbox for {runtime} is out of service here:", problem)
        try:
            result = self._grades.grade(exercise, job, on_event, policy)
        except PoolClosed:
            raise
        except SandboxError as error:
            self._failed(runtime, str(error))
            raise
        with self._lock:
            self._failures[runtime] = 0
        return result

    def close(self) -> None:
        """Close the runner."""
        self._grades.close()

    def wait(self, stopping: threading.Event) -> None:
        """Return when there is a runtime that can be served, or when `stopping` is set."""
        while self._everything and not stopping.wait(_ASK_AGAIN_S):
            pass

    def look(self) -> None:
        """Look at the machine, and try what failed."""
        runtimes, findings = self._catalog.runtimes(), self._findings()
        missing = {runtime: lacking(findings, {runtime}) for runtime in runtimes}
        found = {runtime: f"{lack.detail}: {lack.remedy}" for runtime, lack in missing.items() if lack is not None}
        with self._lock:
            failed = {runtime: why for runtime, why in self._why.items() if runtime not in found}
        for runtime, why in failed.items():
            if self._starts(runtime):
                with self._lock:
                    self._failures[runtime] = 0
                    self._why.pop(runtime, None)
            else:
                found[runtime] = why
        self._change(found)
        self._everything = bool(runtimes) and runtimes <= found.keys()

    def _findings(self) -> list[Finding]:
        try:
            return self._backend.check()
        except OSError as error:  # a full disk, say
            return [Finding("machine", "missing", f"it cannot be looked at: {error}", "free what it lacks")]

    def _failed(self, runtime: str, why: str) -> None:
        with self._lock:
            self._failures[runtime] += 1
            if self._failures[runtime] < FAILURES:
                return
            self._why[runtime] = f"{FAILURES} gradings in a row failed, the last one: {why}"
            problems = {**self._problems, runtime: self._why[runtime]}
        self._change(problems)

    def _starts(self, runtime: str) -> bool:
        """Whether a sandbox can be started; `start` waits until it answers."""
        try:
            sandbox = self._backend.start(SandboxSpec(runtime))
        except (SandboxError, OSError) as error:
            _log.info("the sandbox is still broken", runtime=runtime, why=str(error))
            return False
        sandbox.destroy()
        return True

    def _change(self, problems: dict[str, str]) -> None:
        with self._lock:
            before, self._problems = self._problems, problems
        for runtime in sorted(problems.keys() - before.keys()):
            _log.error("sandbox out of service", runtime=runtime, why=problems[runtime])
        for runtime in sorted(before.keys() - problems.keys()):
            _log.info("sandbox in service again", runtime=runtime)
