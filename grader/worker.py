"""The composition root of the worker: slots that take gradings from the queue, and one runner that they share.

A slot is a Celery worker of its own, in a thread, that runs one task at a time in that thread (pool "solo"): it holds
no message behind the one that it works on, and takes the next one the moment it is done. `interactive_reserve` slots
take interactive gradings only; the others take those first, and batch gradings when there are none. A worker can be
kept to gradings of one kind. One that takes batch gradings only is nice: it, its judges and its sandboxes get what is
left of the processors.

    queue ──► slot (interactive)              ┐
          ──► slot (interactive, batch)       ├─► Work ──► Runner: sandboxes and judges
          ──► ...                             ┘
    caretaker: tells the database that this worker is there, sends again what was lost
    prover: grades the references of exercises before these grade anybody, while there is nothing else to do

Stopping is warm: every slot finishes what it grades, then the sandboxes go. What comes meanwhile goes back to the
queue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog
from celery import Celery
from celery.exceptions import WorkerShutdown
from celery.worker import WorkController
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from grader.backends import make_backend
from grader.breaker import Breaker
from grader.caretaker import Caretaker
from grader.catalog.catalog import Catalog
from grader.db import Database
from grader.errors import BadInput
from grader.grading.models import Kind
from grader.grading.runner import Runner
from grader.grading.tasks import register
from grader.grading.work import Work
from grader.metrics.worker import Measures, Messages, Sandboxes
from grader.proving.prover import Prover
from grader.queue import Queue
from grader.settings import Settings
from sandbox.errors import SandboxError
from sandbox.interface import FULL_CPU_SHARES
from sandbox.place import give_way

_ASK_AGAIN_S = 0.2
_PROVE_EVERY_S, _IDLE_S = 1.0, 10.0
_NICENESS = 15  # for processes: a thirtieth of what the others get where processors are short
_CPU_SHARES = 102  # for containers, which do a part of a grading only: a tenth
_DISCONNECTED_S = 10.0  # a slot that works on nothing and still does not end waits for a broker that is down
_log = structlog.get_logger()


def start_embedded(settings: Settings, database: Database, queue: Queue, registry: CollectorRegistry) -> Worker:
    """A worker inside the server's process; `stop` ends it. Raises SandboxUnavailable where no sandbox works."""
    worker = Worker(settings, database, queue, registry)
    worker.start()
    return worker


def shares(concurrency: int, reserve: int, only: Kind | None) -> list[Sequence[Kind]]:
    """What each slot takes, the more urgent kind first. Without `only` at least one takes batch gradings, or they would
    never run."""
    if only is not None:
        return [(only,)] * concurrency
    reserved = min(reserve, concurrency - 1)
    return [(Kind.INTERACTIVE,)] * reserved + [(Kind.INTERACTIVE, Kind.BATCH)] * (concurrency - reserved)


class Worker:
    """Grades between `start` and `stop`. `only`: gradings of this kind; with batch, `start` makes the process nice."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        queue: Queue,
        registry: CollectorRegistry,
        only: Kind | None = None,
    ) -> None:
        self._gives_way = only is Kind.BATCH
        self._stopping = threading.Event()
        self._catalog = Catalog(settings.exercises_dir)
        cpu_shares = _CPU_SHARES if self._gives_way else FULL_CPU_SHARES
        self._runner = Runner(settings, make_backend(settings, self._catalog.runtimes(), cpu_shares))
        self._breaker = Breaker(self._runner, self._runner.backend, self._catalog)
        self._prover = Prover(database, self._catalog, self._breaker, self._runner.backend, settings.lease_s)
        self._work = Work(settings, database, self._catalog, self._breaker, self._prover, Measures(registry))
        kinds = shares(settings.concurrency, settings.interactive_reserve, only)
        self._slots = [self._slot(queue.app(share), number) for number, share in enumerate(kinds)]
        registry.register(Messages(queue))
        registry.register(Sandboxes(self._runner.census))
        self._caretaker = Caretaker(settings, database, queue, self._runner.backend, self._catalog, self._breaker, only)
        self._proving = threading.Thread(target=self._prove, name="prover", daemon=True)

    def start(self) -> None:
        """Begin, and warm up what the exercises will need."""
        if self._gives_way:
            give_way(_NICENESS)
        for slot in self._slots:
            slot.start()
        self._caretaker.start()
        _prewarm(self._runner, self._catalog)
        self._proving.start()
        _log.info("worker started", slots=len(self._slots), sandbox=self._runner.backend.name)

    def stop(self) -> None:
        """Finish what is being graded, take nothing new, let go of everything. Takes as long as a grading may."""
        _log.info("worker stopping")
        self._stopping.set()
        for slot in self._slots:
            slot.ask_to_end()
        for slot in self._slots:
            slot.wait()
        self._caretaker.stop()
        self._prover.close()
        self._runner.close()  # ends the grading of a reference, too
        self._proving.join()
        _log.info("worker stopped")

    def _prove(self) -> None:
        """Whenever nothing has been graded for a while, grade a reference that was not graded before."""
        while not self._stopping.wait(_PROVE_EVERY_S):
            if self._work.idle_s < _IDLE_S:
                continue
            try:
                self._prover.next()
            except (BadInput, SandboxError, SQLAlchemyError) as error:
                _log.info("no reference graded; looking again", why=str(error))
            except Exception:
                _log.exception("grading a reference failed")

    def _slot(self, app: Celery, number: int) -> _Slot:
        register(app, self._work, self._breaker, self._stopping)
        return _Slot(app, f"slot-{number}", self._work)


class _Slot:
    """One Celery worker in a thread, without what Celery's own command adds: signals, remote control, gossip, logs."""

    def __init__(self, app: Celery, name: str, work: Work) -> None:
        self._app, self._work, self._ending = app, work, False
        self._controller = WorkController(
            app=app,
            hostname=name,
            pool="solo",
            concurrency=1,
            use_eventloop=False,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            task_events=False,
        )
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_end(self) -> None:
        """Have the slot's own loop end it, between two tasks: the one way to end one Celery worker among several in a
        process. Nothing happens where the loop does not run yet, or not now: ask again."""
        if (consumer := self._controller.consumer) is not None:
            consumer.call_soon(self._end)

    def wait(self) -> None:
        """Until the task that runs is done and the slot has ended."""
        idle_since = time.monotonic()
        while self._thread.is_alive() and time.monotonic() - idle_since < _DISCONNECTED_S:
            if self._work.busy(self._thread):
                idle_since = time.monotonic()
            self._thread.join(_ASK_AGAIN_S)
            self.ask_to_end()

    def _run(self) -> None:
        self._app.set_current()  # of this thread: Celery looks tasks up there
        self._controller.start()

    def _end(self) -> None:
        if not self._ending:
            self._ending = True
            raise WorkerShutdown(0)


def _prewarm(runner: Runner, catalog: Catalog) -> None:
    """One exercise of each runtime: more kinds of sandboxes are started when they are first asked for."""
    warmed = set()
    for slug in catalog.slugs():
        try:
            exercise = catalog.get(slug)
        except BadInput:  # changed since it was listed
            continue
        if exercise.runtime not in warmed:
            warmed.add(exercise.runtime)
            runner.prewarm(exercise)
