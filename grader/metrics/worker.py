"""What a worker measures of itself. Names and labels are a promise to dashboards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from grader.errors import QueueDown
from grader.grading.models import Kind

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 180, 600)


class Measures:
    """The worker's metrics, in a registry of the caller's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended = Counter(
            "grader_worker_gradings", "Gradings that ended here.", ("kind", "status", "verdict"), registry=registry
        )
        self._faults = Counter(
            "grader_worker_faults",
            "Tries that failed by our fault, or for want of something.",
            ("cause",),
            registry=registry,
        )
        self._running = Gauge("grader_worker_running", "Gradings that run here now.", registry=registry)
        self._seconds = Histogram(
            "grader_worker_phase_seconds",
            "Seconds by phase: wait (in the queue), judge (until the suite is collected), "
            "sandbox (until the solution has one), suite (the rest).",
            ("phase",),
            buckets=_SECONDS,
            registry=registry,
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """A grading runs while the block does."""
        with self._running.track_inprogress():
            yield

    def phases(self, waited_s: float) -> Phases:
        """A clock for one grading that waited so long and begins now."""
        self._seconds.labels("wait").observe(waited_s)
        return Phases(self._seconds)

    def ended(self, kind: str, status: str, verdict: str) -> None:
        """A grading ended here."""
        self._ended.labels(kind, status, verdict).inc()

    def fault(self, error: Exception) -> None:
        """A try failed; the cause is the exception's type."""
        self._faults.labels(type(error).__name__).inc()


class _CanCount(Protocol):
    """What is needed of the queue."""

    def depth(self, kind: Kind) -> int:
        """Messages that wait. Raises QueueDown."""


class Messages(Collector):
    """How many messages wait in the broker, asked at each scrape; nothing while the broker does not answer."""

    def __init__(self, queue: _CanCount) -> None:
        self._queue = queue

    def collect(self) -> Iterator[Metric]:
        """One gauge, by kind."""
        found = GaugeMetricFamily("grader_queue_messages", "Messages that wait for a worker.", labels=("kind",))
        with contextlib.suppress(QueueDown):
            for kind in Kind:
                found.add_metric([kind], self._queue.depth(kind))
        yield found


class Sandboxes(Collector):
    """The pool of this worker, asked at each scrape."""

    def __init__(self, census: Callable[[], Mapping[str, int]]) -> None:
        self._census = census

    def collect(self) -> Iterator[Metric]:
        """One gauge, by state."""
        text = "Sandboxes here that are idle, busy or starting, and (wanted) gradings that wait for one."
        found = GaugeMetricFamily("grader_worker_sandboxes", text, labels=("state",))
        for state, number in self._census().items():
            found.add_metric([state], number)
        yield found


class Phases:
    """The clock of one grading."""

    def __init__(self, seconds: Histogram) -> None:
        self._seconds, self._since = seconds, time.monotonic()

    def saw(self, event: str) -> None:
        """An event of `Runner.grade`, or "done"; it may end a phase."""
        phase = {"started": "judge", "sandboxed": "sandbox", "done": "suite"}.get(event)
        if phase is not None:
            moment = time.monotonic()
            self._seconds.labels(phase).observe(moment - self._since)
            self._since = moment
