"""The Celery task. It carries ids, and binds them to every log line that is written while it runs."""

from __future__ import annotations

import threading
from typing import Any

import structlog
from celery import Celery

from grader.breaker import Breaker
from grader.grading.work import Work
from grader.queue import TASK

_log = structlog.get_logger()


def register(app: Celery, work: Work, breaker: Breaker, stopping: threading.Event) -> None:
    """Make the workers of this app do `work`, until `stopping`: what comes then goes back to the queue. While the
    sandbox is out of service nothing is claimed; the reconciler sends other workers what this one holds back."""

    @app.task(name=TASK, bind=True, shared=False)  # type: ignore[untyped-decorator]
    def grade(self: Any, grading_id: str, submission_id: str) -> None:
        with structlog.contextvars.bound_contextvars(
            grading=grading_id, submission=submission_id, task=self.request.id
        ):
            breaker.wait(stopping)
            if stopping.is_set():  # for another worker
                self.apply_async(
                    kwargs={"grading_id": grading_id, "submission_id": submission_id},
                    queue=self.request.delivery_info["routing_key"],
                )
                return
            try:
                work.grade(grading_id)
            except Exception:  # the message is done with: what is not graded yet is sent again by the reconciler
                _log.exception("the grading could not be claimed")
