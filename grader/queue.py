"""The queue: Celery over Redis, or in memory for the embedded service. A message is a hint, the database is the truth.

A message carries ids and nothing else. It is sent after the commit that stored what it names, so that a worker never
looks for a row that is not there yet. If it cannot be sent, or is lost, or comes twice, nothing is lost and nothing is
graded twice: the reconciler (see `grader.grading.reconciler`) sends what waits too long, and claiming is exclusive.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence

import structlog
from celery import Celery
from kombu import Queue as Declared
from kombu.exceptions import OperationalError
from sqlalchemy import event
from sqlalchemy.orm import Session

from grader.db import now
from grader.errors import QueueDown
from grader.grading.models import Grading, Kind
from grader.settings import Settings

TASK = "grader.grade"
_WAITING = "gradings to send after the commit"
_REDIS = {
    "queue_order_strategy": "priority",  # interactive first, wherever both are consumed
    "priority_steps": [0],  # one Redis list per queue
    "socket_connect_timeout": 3,
    "socket_timeout": 10,  # longer than any BRPOP waits: a silent Redis is noticed
    "health_check_interval": 10,
    "socket_keepalive": True,
    "socket_keepalive_options": {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3},
}
_MEMORY = {"polling_interval": 0.02}
_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}  # for a connection gone stale
_log = structlog.get_logger()


class Queue:
    """Sends gradings to workers. One per process; thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._redis_url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
        # Memory is shared by all that this process runs: names of our own keep two embedded services apart.
        self._suffix = f".{secrets.token_hex(4)}" if self._redis_url is None else ""
        self._app = self.app(tuple(Kind))
        with self._app.connection() as connection:
            self._errors = (OperationalError, *connection.connection_errors, *connection.channel_errors)

    def app(self, kinds: Sequence[Kind]) -> Celery:
        """A Celery app of its own, whose workers take messages of these kinds; the first is the more urgent one."""
        app = Celery("grader", broker=self._redis_url or "memory://localhost/", set_as_current=False)
        app.conf.update(
            # Nothing to acknowledge: a message is gone when it is taken, and a lease says whether its grading runs. An
            # acknowledgement that a restart of Redis swallows would keep a slot waiting for it forever.
            task_queues=[Declared(self._name(kind), no_ack=True) for kind in kinds],
            task_ignore_result=True,
            task_serializer="json",
            accept_content=["json"],
            broker_transport_options=(_MEMORY if self._redis_url is None else _REDIS) | _RETRY,
            broker_connection_retry_on_startup=True,
            broker_connection_max_retries=None,
            worker_enable_remote_control=False,
            worker_enable_prefetch_count_reduction=False,
            worker_hijack_root_logger=False,
            worker_cancel_long_running_tasks_on_connection_loss=False,
        )
        return app

    def send_after_commit(self, session: Session, grading: Grading) -> None:
        """Send it when the transaction of this session has been committed; if it is rolled back, nothing is sent."""
        grading.enqueued_at = now(session)
        if _WAITING not in session.info:
            session.info[_WAITING] = []
            event.listen(session, "after_commit", self._committed)
        session.info[_WAITING].append((grading.id, grading.submission_id, grading.kind))

    def send(self, grading_id: str, submission_id: str, kind: Kind) -> None:
        """Send one message. Raises QueueDown."""
        ids = {"grading_id": grading_id, "submission_id": submission_id}
        try:
            sent = self._app.send_task(TASK, kwargs=ids, queue=self._name(kind), retry=True, retry_policy=_RETRY)
        except self._errors as error:
            raise QueueDown(f"the queue does not answer: {error}") from error
        _log.info("grading sent", grading=grading_id, submission=submission_id, task=sent.id, kind=str(kind))

    def depth(self, kind: Kind) -> int:
        """Messages that wait in the broker for a worker to take them. Raises QueueDown."""
        try:
            with self._app.connection_or_acquire() as connection:
                count: int = connection.default_channel.queue_declare(self._name(kind)).message_count
        except self._errors as error:
            raise QueueDown(f"the queue does not answer: {error}") from error
        return count

    def ping(self) -> None:
        """Return when the broker answers. Raises QueueDown."""
        self.depth(Kind.INTERACTIVE)

    def close(self) -> None:
        """Let go of the connections."""
        self._app.close()

    def _name(self, kind: Kind) -> str:
        return f"{kind}{self._suffix}"

    def _committed(self, session: Session) -> None:
        if session.in_nested_transaction():  # a savepoint was released; the transaction goes on
            return
        for grading_id, submission_id, kind in session.info.pop(_WAITING, ()):
            try:
                self.send(grading_id, submission_id, kind)
            except Exception as error:  # what is committed stays committed, whatever becomes of the message
                _log.warning("grading not sent; the reconciler will", grading=grading_id, why=str(error))
