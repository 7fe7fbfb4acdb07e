"""Holds the lease of a grading for as long as it runs, and writes down what happens in it."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from grader.db import Database
from grader.grading import service
from grader.grading.service import Claim, Event, LeaseLost

_EVENTS_S = 0.2  # how late an event may be: tests that end soon after each other share a transaction
_log = structlog.get_logger()


class Heartbeat:
    """While the block runs, a thread renews the lease three times as often as it would run out, and writes events.

    A database that does not answer is no reason to stop: as long as nobody else claimed the grading, it is ours.
    """

    def __init__(self, database: Database, held: Claim, lease_s: float) -> None:
        self._database, self._held, self._lease_s = database, held, lease_s
        self._ended, self._lost = threading.Event(), threading.Event()
        self._events: list[Event] = []  # that are not written yet; only the thread takes any away
        context = contextvars.copy_context()  # the log lines of the thread name the grading, too
        self._thread = threading.Thread(target=context.run, args=(self._beat,), name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def tell(self, event: Event) -> None:
        """Have it written soon. Raises LeaseLost once somebody else has the grading."""
        if self._lost.is_set():
            raise LeaseLost(self._held.grading_id)
        self._events.append(event)

    def rest(self) -> list[Event]:
        """Stop; the events that are not written yet, for whoever stores how it ended. Raises LeaseLost."""
        self._stop()
        if self._lost.is_set():
            raise LeaseLost(self._held.grading_id)
        return self._events

    def _stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        pause_s = min(_EVENTS_S, self._lease_s / 3)
        renew_at = time.monotonic() + self._lease_s / 3
        while not self._ended.wait(pause_s):
            events, due = list(self._events), time.monotonic() >= renew_at
            if not events and not due:
                continue
            try:
                with self._database.begin() as session:
                    if events:
                        service.record(session, self._held, events)
                    if due:
                        service.renew(session, self._held, self._lease_s)
            except LeaseLost:
                self._lost.set()
                return
            except SQLAlchemyError as error:
                _log.warning("lease not renewed, events not written", why=str(error))
                self._ended.wait(self._lease_s / 10)
                continue
            del self._events[: len(events)]
            if due:
                renew_at = time.monotonic() + self._lease_s / 3
