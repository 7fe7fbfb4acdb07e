"""What operators and their tools ask: is it alive, is it ready, how is it going."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError

from grader.errors import QueueDown
from grader.grading.models import Kind
from grader.metrics import service
from grader.proving.service import standings
from grader.web.auth import operator
from grader.web.context import Context, InContext
from grader.web.documented import problems

router = APIRouter(tags=["operation"])
_log = structlog.get_logger()


class Alive(BaseModel):
    """The answer of a server that runs."""

    ok: bool = True


class Part(BaseModel):
    """Whether one part of the service can be used."""

    ok: bool
    detail: str = Field(description="How it is, or what is wrong with it.", examples=["2 workers: docker"])


class Ready(BaseModel):
    """Whether submissions can be taken and graded. `exercises` does not count for `ok`: the others can be graded."""

    ok: bool
    database: Part
    queue: Part
    sandbox: Part
    exercises: Part


@router.get("/healthz", summary="Is it alive?")
def healthz() -> Alive:
    """Answers as long as the server runs, whatever else is broken. No key needed."""
    return Alive()


@router.get(
    "/readyz", summary="Is it ready?", responses={503: {"model": Ready, "description": "A part is not usable."}}
)
def readyz(response: Response, context: InContext) -> Ready:
    """Database, queue, sandbox and exercises. The sandbox is the workers' own: they tell the database every few seconds
    how it is. An exercise that is out of service is told here, and keeps the service as a whole from nothing: its
    submissions wait. No key needed: it tells that a part is broken, and no more.
    """
    database, queue, sandbox = _database(context), _queue(context), _sandbox(context)
    ready = Ready(
        ok=database.ok and queue.ok and sandbox.ok,
        database=database,
        queue=queue,
        sandbox=sandbox,
        exercises=_exercises(context),
    )
    if not ready.ok:
        response.status_code = 503
    return ready


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    dependencies=[Depends(operator)],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}, **problems(401, 403)},
)
def metrics(context: InContext) -> Response:
    """Open to the machine that the service runs on; from elsewhere it needs a reviewer's or admin's key."""
    gradings = CollectorRegistry()
    gradings.register(_Gradings(context))
    text = generate_latest(context.metrics) + generate_latest(gradings)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


@dataclass(frozen=True)
class _Gradings:
    """Read from the database at each scrape: the same numbers, whichever server of several is asked."""

    context: Context

    def collect(self) -> Iterator[Metric]:
        total = GaugeMetricFamily("grader_gradings", "Gradings stored.", labels=("status", "kind", "verdict"))
        wait = GaugeMetricFamily("grader_longest_wait_seconds", "How long the oldest one has waited.", labels=("kind",))
        workers = GaugeMetricFamily("grader_workers", "Live workers.", labels=("sandbox", "usable"))
        regrades = GaugeMetricFamily("grader_regrades", "Regrades begun.", labels=("state",))
        exercises = GaugeMetricFamily(
            "grader_exercise_in_service", "0 for an exercise whose submissions wait.", labels=("exercise",)
        )
        with self.context.database.begin() as session:
            for slug, why in standings(session, self.context.catalog).items():
                exercises.add_metric([slug], why is None)
            for state, number in service.regrades(session):
                regrades.add_metric([state], number)
            for *labels, number in service.counts(session):
                total.add_metric(labels, number)
            for kind in Kind:
                wait.add_metric([kind], service.longest_wait_s(session, kind))
            for key, number in service.by_sandbox(service.live(session, _silent_s(self.context))).items():
                workers.add_metric(key, number)
        yield from (total, wait, workers, regrades, exercises)


def _database(context: Context) -> Part:
    return _asked(context.database.ping, "it does not answer; see the server's log", SQLAlchemyError)


def _queue(context: Context) -> Part:
    return _asked(context.queue.ping, "it does not answer; submissions are stored and graded later", QueueDown)


def _asked(ping: Callable[[], None], trouble: str, kind: type[Exception]) -> Part:
    try:
        ping()
    except kind as error:
        _log.error("not ready", problem=str(error))
        return Part(ok=False, detail=trouble)
    return Part(ok=True, detail="answers")


def _sandbox(context: Context) -> Part:
    try:
        with context.database.begin() as session:
            workers = service.live(session, _silent_s(context))
    except SQLAlchemyError:
        return Part(ok=False, detail="not known without the database")
    usable = [worker for worker in workers if worker.problem is None]
    for kind in Kind:
        if usable and all(worker.only not in (None, kind) for worker in usable):
            return Part(ok=False, detail=f"no live worker takes {kind} gradings; start one with `grader worker`")
    if usable:
        return Part(ok=True, detail=f"{len(usable)} of {len(workers)} live workers have one")
    if workers:
        return Part(ok=False, detail="no live worker can use one; `grader doctor` on its machine says why")
    return Part(ok=False, detail="no live worker; start one with `grader worker`")


def _exercises(context: Context) -> Part:
    try:
        with context.database.begin() as session:
            found = standings(session, context.catalog)
    except SQLAlchemyError:
        return Part(ok=False, detail="not known without the database")
    if broken := sum(why is not None for why in found.values()):
        told = f"{broken} of {len(found)} out of service; `grader doctor` on the server says which and why"
        return Part(ok=False, detail=told)
    return Part(ok=True, detail=f"{len(found)} in service")


def _silent_s(context: Context) -> float:
    return service.SILENT_BEATS * context.settings.reconcile_every_s
