"""Runs one grading: a warm sandbox on one side, a judge on the other, and what each may ask in between.

This is the only place where the sandbox pool and the judge meet. It has no database and no queue: the CLI's
`grade`, the verifier and the Celery task all call `Runner.grade`.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from importlib import metadata
from typing import Any, Protocol, Self

from grader.catalog.model import Exercise
from grader.errors import JudgeError, SuiteError
from grader.grading.model import Job, Measure, Outcome, Result, Status, TestResult, provenance
from grader.grading.verdict import score, verdict
from grader.judge.client import Judges
from grader.judge.line import Line
from grader.settings import Policy, Settings
from sandbox.errors import PoolClosed, SandboxError, SandboxLost
from sandbox.interface import Backend, Cause, Guest, SandboxSpec
from sandbox.limits import Usage
from sandbox.pool import Lease, SandboxPool

OnEvent = Callable[[Mapping[str, Any]], None]
"""Called with {"kind": "started", "total": n} when the suite is collected, {"kind": "sandboxed"} when the solution has
its sandbox, and {"kind": "test", "test": {…TestResult}, "done": n, "total": n} after each test."""

_MOST_AT_ONCE = 256  # gradings of one process
_OUTCOMES = {
    Cause.TIME_LIMIT: Outcome.TIME_LIMIT,
    Cause.MEMORY_LIMIT: Outcome.MEMORY_LIMIT,
    Cause.OUTPUT_LIMIT: Outcome.CRASHED,
    Cause.FILES_LIMIT: Outcome.CRASHED,
    Cause.CRASHED: Outcome.CRASHED,
}


class Grades(Protocol):
    """What the service, the CLI and the verifier need of the runner."""

    def grade(self, exercise: Exercise, job: Job, on_event: OnEvent = ..., policy: Policy | None = None) -> Result:
        """Grade to the end. Raises `Fault` or `SandboxError` when *we* failed; anything else is in the Result."""

    def close(self) -> None:
        """Destroy the sandboxes and end the judges."""


def ignore(event: Mapping[str, Any]) -> None:
    """An `OnEvent` for those who only want the result."""


class Runner:
    """Owns the sandboxes and the judges of one process. Thread-safe: each thread grades one submission at a time."""

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self.backend = backend
        self._settings = settings
        self._pool = SandboxPool(
            backend, size=settings.pool_size, cap=settings.pool_cap, max_uses=settings.sandbox_max_uses
        )
        self._judges = Judges(settings.judge_cpu_s, settings.judge_memory_mb)
        self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, "first-guest")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prewarm(self, exercise: Exercise) -> None:
        """Start what a grading of this exercise will need, without waiting for it."""
        self._judges.warm(exercise.runtime)
        self._pool.prewarm(SandboxSpec.of(exercise.runtime, exercise.limits))

    def census(self) -> dict[str, int]:
        """The state of the pool: see `sandbox.pool.SandboxPool.census`."""
        return self._pool.census()

    def grade(self, exercise: Exercise, job: Job, on_event: OnEvent = ignore, policy: Policy | None = None) -> Result:
        """Grade to the end. Raises `Fault` or `SandboxError` when *we* failed; anything else is in the Result."""
        self._judges.warm(exercise.runtime)
        guests = _Guests(self._pool, self._threads, exercise, policy or self._settings.policy)
        with guests, self._judges.judge(exercise, job) as line:
            grading = _Grading(exercise, guests, line, on_event, self._settings.judge_cpu_s)
            grading.run()
            guests.end()
        image = guests.image or self.backend.identity(exercise.runtime)
        earned, most = score(grading.tests)
        return Result(
            exercise=exercise.slug,
            status=Status.DONE,
            verdict=verdict(grading.tests, grading.load_outcome, guests.exhausted, guests.causes),
            score=earned,
            max_score=most,
            tests=tuple(grading.tests),
            usage=guests.usage,
            provenance=provenance(exercise, job, image, _versions(self.backend.name)),
            output=guests.output.decode("utf-8", "replace"),
            measures=tuple(grading.measures),
            judge_cpu_s=grading.judge_cpu_s,
        )

    def close(self) -> None:
        """Destroy the sandboxes and end the judges."""
        self._judges.close()
        self._pool.close()
        self._threads.shutdown()
        self.backend.close()


class _Guests:
    """The guests of one grading, one after the other, and the limits that they share.

    The first one is begun at once, in a thread of its own: to fork it takes as long as to fork the judge that asks.
    """

    def __init__(self, pool: SandboxPool, threads: Executor, exercise: Exercise, policy: Policy) -> None:
        self._pool, self._policy, self._limits = pool, policy, exercise.limits
        self._threads = threads
        self._first: Future[Guest] | None = None
        self._spec = SandboxSpec.of(exercise.runtime, exercise.limits)
        self._lease: Lease | None = None
        self._guest: Guest | None = None
        self._waited_s = self._given_s = 0.0  # by the guests that have ended; of it and the present one's, given back
        self.image = ""  # of the sandboxes
        self.usage = Usage()
        self.output = b""
        self.causes: list[str] = []
        self.exhausted = False

    def __enter__(self) -> Self:
        try:
            self._first = self._threads.submit(contextvars.copy_context().run, self._spawned)
        except RuntimeError:  # no thread takes anything any more
            raise PoolClosed("the runner is closed") from None
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever happened: the guest has ended, and its sandbox goes back; or it goes away, with whatever the guest
        left in it, soon after this and without serving anybody else."""
        unasked = self._first is not None  # nothing of the candidate's is in it
        self._forget_first()
        if self._guest is not None:
            self._release(clean=unasked)
        elif self._lease is not None:
            self._release(clean=not self.causes)

    def fresh(self) -> Guest:
        """A guest with a share of what is left of the processor time; in the same sandbox if that can be cleaned."""
        return self._settle() or self._spawned()

    def _settle(self) -> Guest | None:
        """The first guest, if nobody has asked for it yet."""
        if self._first is None:
            return None
        guest = self._first.result()
        self._first = None
        return guest

    def _forget_first(self) -> None:
        """Wait for a first guest that nobody asked for; what kept it from coming is nobody's business."""
        with contextlib.suppress(Exception):
            self._settle()

    def _spawned(self) -> Guest:
        if self._lease is not None:
            try:
                self._lease.sandbox.reset()
            except SandboxError:
                self._release(clean=False)
        if self._lease is None:
            self._lease = self._pool.acquire(self._spec, self._policy)
            image, self.image = self.image, self._lease.sandbox.image
            if image not in ("", self.image):
                raise SandboxLost(
                    "the image changed while this was graded: nobody could say which one the score is from"
                )
        self._guest = self._lease.sandbox.spawn(self._limits)
        self.allow()
        return self._guest

    def left_s(self) -> float:
        """Processor seconds that the grading's next guest may use."""
        return self._limits.cpu_s - self.usage.cpu_s

    def allow(self) -> None:
        """The next test begins: it may use its share."""
        if self._guest is not None:
            self._guest.allow_cpu(self._limits.one_test_cpu_s, self.left_s())

    def extra_s(self) -> float:
        """Seconds that the guests have waited for a processor since the last question. Threads of one can wait for
        each other, but only as long as its processor time lasts."""
        waited_s = self._waited_s + (self._guest.waited_s() if self._guest is not None else 0.0)
        extra_s = max(0.0, waited_s - self._given_s)
        self._given_s += extra_s
        return extra_s

    def end(self) -> tuple[Cause, str]:
        """End the guest that is there, and add up what it used. Raises SandboxError for a fault of ours."""
        self._forget_first()
        if self._guest is None:
            return Cause.CRASHED, "the process had ended before"
        guest, self._guest = self._guest, None
        ending = guest.end()
        if ending.fault:
            raise SandboxLost(ending.fault)
        self.usage += ending.usage
        self._waited_s += ending.waited_s
        self.output = (self.output + ending.output)[: self._limits.output_kb << 10]
        if ending.cause is not Cause.ENDED:
            self.causes.append(str(ending.cause))
        return ending.cause, ending.detail

    def _release(self, clean: bool) -> None:
        lease, self._lease = self._lease, None
        if self._guest is not None:
            with contextlib.suppress(SandboxError):
                self.end()
        self._guest = None
        if lease is not None:
            lease.release(clean=clean)


class _Grading:
    """Listens to the judge and answers it until the suite has run."""

    def __init__(self, exercise: Exercise, guests: _Guests, line: Line, on_event: OnEvent, judge_cpu_s: float) -> None:
        self._guests, self._line, self._on_event = guests, line, on_event
        self._limits = exercise.limits
        self._until = time.monotonic() + 10 * self._limits.wall_s + 2 * judge_cpu_s
        self._expected: list[dict[str, Any]] = []
        self._sandboxed = self._finished = False
        self.tests: list[TestResult] = []
        self.measures: list[Measure] = []
        self.judge_cpu_s = 0.0
        self.load_outcome: Outcome | None = None

    def run(self) -> None:
        """Until the judge says "done". Raises JudgeError or SuiteError."""
        while not self._finished:
            try:
                message, _ = self._line.hear(max(0.1, self._until - time.monotonic()))
                self._act(message)
            except EOFError:
                raise JudgeError("the judge ended before the suite did") from None
            except (TimeoutError, BlockingIOError):
                raise JudgeError("the judge did not end in time") from None
            except (OSError, KeyError, ValueError, TypeError) as error:
                raise JudgeError(f"the judge's report cannot be read: {type(error).__name__}: {error}") from error
        if not self._expected or [test.id for test in self.tests] != [test["id"] for test in self._expected]:
            raise JudgeError("the judge's report does not have exactly the tests of the suite")

    def _act(self, message: Mapping[str, Any]) -> None:
        match message["say"]:
            case "ready":
                self._expected = message["tests"]
                self._on_event({"kind": "started", "total": len(self._expected)})
            case "broken":
                raise SuiteError(f"the hidden suite cannot be collected: {message['message']}")
            case "fault":
                raise JudgeError(message["why"])
            case "guest":
                self._give_guest()
            case "lost":
                self._line.say(self._lost(message["why"]))
            case "time":
                extra_s = self._guests.extra_s()
                self._until += extra_s
                self._line.say({"seconds": extra_s})
            case "start":
                self._guests.allow()
            case "load":
                self.load_outcome = Outcome(message["outcome"])
            case "exhausted":
                self._guests.exhausted = True
            case "test":
                self._tested(message["test"])
                self.measures += [Measure(message["test"]["id"], *measured) for measured in message["measures"]]
            case "done":
                self.judge_cpu_s = float(message["cpu_s"])
                self._finished = True
            case other:
                raise ValueError(f"unknown message {other!r}")

    def _give_guest(self) -> None:
        if self._guests.left_s() <= 0.01:
            detail = f"the {self._limits.cpu_s:g} s of processor time of the grading were used up before this test"
            self._line.say({"exhausted": "time_limit", "detail": detail})
            return
        guest = self._guests.fresh()
        with guest.channel:
            self._line.say({}, guest.channel)
        if not self._sandboxed:
            self._sandboxed = True
            self._on_event({"kind": "sandboxed"})

    def _lost(self, why: str) -> dict[str, str]:
        """What became of the guest, as an outcome and a sentence for the candidate."""
        cause, detail = self._guests.end()
        if why == "wall" and cause is Cause.ENDED:
            self._guests.causes.append(str(Cause.TIME_LIMIT))
            wall_s = self._limits.one_test_wall_s
            return {"outcome": "time_limit", "detail": f"no answer within {wall_s:g} s (the time of a single test)"}
        if cause is Cause.ENDED:
            self._guests.causes.append(str(Cause.CRASHED))
            return {"outcome": "crashed", "detail": "the process broke the protocol between it and the judge"}
        return {"outcome": str(_OUTCOMES[cause]), "detail": detail}

    def _tested(self, told: Mapping[str, Any]) -> None:
        test = TestResult(**{**told, "outcome": Outcome(told["outcome"])})
        self.tests.append(test)
        event = {"kind": "test", "test": test.to_json(), "done": len(self.tests), "total": len(self._expected)}
        self._on_event(event)


@functools.cache
def _versions(backend: str) -> Mapping[str, str]:
    found = {"python": platform.python_version(), "sandbox": backend}
    for package in ("grader", "pytest", "torch", "numpy", "transformers"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
