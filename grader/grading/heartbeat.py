"""Holds the lease of a grading for as long as it runs."""

from __future__ import annotations

import contextvars
import threading
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from grader.db import Database
from grader.grading import service
from grader.grading.service import Claim, LeaseLost

_log = structlog.get_logger()


class Heartbeat:
    """While the block runs, a thread renews the lease three times as often as it would run out.

    A database that does not answer is no reason to stop: as long as nobody else claimed the grading, it is ours.
    """

    def __init__(self, database: Database, held: Claim, lease_s: float) -> None:
        self._database, self._held, self._lease_s = database, held, lease_s
        self._ended, self._lost = threading.Event(), threading.Event()
        context = contextvars.copy_context()  # the log lines of the thread name the grading, too
        self._thread = threading.Thread(target=context.run, args=(self._beat,), name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Raise LeaseLost once somebody else has the grading."""
        if self._lost.is_set():
            raise LeaseLost(self._held.grading_id)

    def _beat(self) -> None:
        while not self._ended.wait(self._lease_s / 3):
            try:
                with self._database.begin() as session:
                    service.renew(session, self._held, self._lease_s)
            except LeaseLost:
                self._lost.set()
                return
            except SQLAlchemyError as error:
                _log.warning("lease not renewed", why=str(error))
