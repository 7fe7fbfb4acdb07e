"""What every worker does beside grading: say that it is there, send again what was lost, keep regrades going."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from grader.breaker import Breaker
from grader.catalog.catalog import Catalog
from grader.db import Database
from grader.errors import QueueDown
from grader.grading.models import Kind
from grader.grading.reconciler import Reconciler
from grader.metrics import service
from grader.queue import Queue
from grader.regrades.feeder import Feeder
from grader.settings import Settings
from sandbox.interface import Backend

_log = structlog.get_logger()


class Caretaker:
    """A thread that looks after the worker's surroundings every `reconcile_every_s` seconds."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        queue: Queue,
        backend: Backend,
        catalog: Catalog,
        breaker: Breaker,
        only: Kind | None = None,
    ) -> None:
        self._database, self._sandbox, self._breaker, self._only = database, backend.name, breaker, only
        self._every_s = settings.reconcile_every_s
        self._reconciler = Reconciler(database, queue, settings.reconcile_every_s)
        self._feeder = Feeder(database, queue, catalog, backend)
        self._next_reconciling = 0.0
        self._id = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._next_beat = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caretaker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, and say that the worker is gone."""
        self._stopping.set()
        self._thread.join()
        try:
            with self._database.begin() as session:
                service.gone(session, self._id)
        except SQLAlchemyError as error:
            _log.warning("the database does not know that this worker ended", why=str(error))

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            pause_s = self._every_s
            try:
                self._beat()
                pause_s = self._feeder.run(idle_s=self._reconcile())
            except (SQLAlchemyError, QueueDown) as error:
                _log.warning("database or queue away; looking again", why=str(error), pause_s=pause_s)
            except Exception:  # this thread outlives everything, or lost messages stay lost
                _log.exception("the caretaker stumbled")

    def _reconcile(self) -> float:
        """Seconds until it is to be done again."""
        if (left_s := self._next_reconciling - time.monotonic()) > 0:
            return left_s
        pause_s = self._reconciler.run()
        self._next_reconciling = time.monotonic() + pause_s
        return pause_s

    def _beat(self) -> None:
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + self._every_s
        self._breaker.look()
        with self._database.begin() as session:
            service.beat(session, self._id, self._sandbox, self._breaker.problem, self._only)
