"""The API of submissions: sent, followed, listed, taken back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import Event, to_thread
from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from grader.accounts.models import Role
from grader.accounts.service import Caller
from grader.catalog.schema import Slug
from grader.grading import service as gradings
from grader.grading.model import Status, Verdict
from grader.grading.models import Kind
from grader.submissions import events, service
from grader.submissions.files import Caps
from grader.submissions.service import Filters, Sent
from grader.submissions.views import (
    FilesView,
    GradingsView,
    PageView,
    SubmissionView,
    grading_view,
    submission_view,
    summary_view,
)
from grader.web import pages
from grader.web.auth import AnyCaller, Reviewer
from grader.web.context import Context, InContext
from grader.web.documented import Absent, problems, reference
from grader.web.problems import Problem
from grader.web.uploads import SubmissionForm, SubmissionRequest, incoming

router = APIRouter(prefix="/v1/submissions", tags=["submissions"])
_LEAST_PAUSE_S, _MOST_PAUSE_S, _PAUSE_SHARE = 0.01, 0.5, 0.1
_HEARTBEAT_S = 15
_CLOSING_S = 2
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": reference(SubmissionRequest)},
            "multipart/form-data": {"schema": reference(SubmissionForm)},
        },
    }
}

SubmissionId = Annotated[str, Path(description="Id of a submission.", examples=["0193a4e2b7c1f00dfeedc0ffee123456"])]
IdempotencyKey = Annotated[
    str | Absent,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="A word of your own choice, new for each submission. Sent again with the same request, after a "
        "broken connection say, it finds the submission that was stored instead of storing another.",
    ),
]


class Asked(BaseModel):
    """The query of a list."""

    model_config = ConfigDict(extra="forbid")

    exercise: Slug | Absent = Field(None, description="Slug of an exercise.")
    assessment: Slug | Absent = Field(None, description="Name of an assessment.")
    status: Status | Absent = Field(None, description="Where the grading stands.")
    verdict: Verdict | Absent = Field(None, description="How the grading turned out.")
    since: AwareDatetime | Absent = Field(None, description="Submitted then or later (RFC 3339).")
    until: AwareDatetime | Absent = Field(None, description="Submitted before then (RFC 3339).")
    key: str | Absent = Field(None, pattern=r"^[0-9a-f]{32}$", description="Id of an API key; for reviewers only.")
    cursor: str | Absent = Field(None, max_length=100, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=200, description="Most items on a page.")

    @property
    def filters(self) -> Filters:
        return Filters(**self.model_dump(exclude={"key", "cursor", "limit"}), key_id=self.key)


@router.post(
    "",
    status_code=202,
    summary="Submit a solution",
    response_description="It is stored, and waits to be graded.",
    openapi_extra=_BODY,
    responses=problems(400, 401, 403, 408, 415, 429),
)
async def submit(
    request: Request, response: Response, context: InContext, caller: AnyCaller, idempotency_key: IdempotencyKey = None
) -> SubmissionView:
    """Store a solution and have it graded. `Location` is where it is from now on, `/events` below it how far it is.

    Nothing is stored of what is refused.
    """
    sent = await incoming(request, Caps.of(context.settings))
    if sent.kind is Kind.BATCH and not caller.may(Role.REVIEWER):
        raise Problem(403, "only reviewers and admins may submit with kind `batch`; leave it out")
    if sent.assessment is not None and not caller.may(Role.REVIEWER):
        raise Problem(403, "only reviewers and admins may name an assessment; leave it out: your key knows its own")
    view, replayed = await run_in_threadpool(_store, context, caller, sent, idempotency_key)
    response.headers["Location"] = f"{router.prefix}/{view.id}"
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return view


@router.get("", summary="List submissions", response_description="A page of the list.", responses=problems(401, 403))
def page(
    request: Request, response: Response, context: InContext, caller: AnyCaller, asked: Annotated[Asked, Query()]
) -> PageView:
    """The newest first. Candidates see their own; reviewers and admins see all."""
    if asked.key is not None and not caller.may(Role.REVIEWER):
        raise Problem(403, "only reviewers and admins may ask for others' submissions; leave `key` out")
    before = None if asked.cursor is None else pages.read(asked.cursor)
    with context.database.begin() as session:
        rows = service.listed(session, caller, asked.filters, before, asked.limit + 1)
    items = [summary_view(*row, caller) for row in rows[: asked.limit]]
    following = pages.cursor(items[-1].id) if len(rows) > asked.limit else None
    if following is not None:
        response.headers["Link"] = pages.link(request, following)
    return PageView(items=items, next=following)


@router.get(
    "/{submission_id}",
    summary="Show a submission and its score",
    response_description="The submission and the grading that counts.",
    responses=problems(401, 404),
)
def show(context: InContext, caller: AnyCaller, submission_id: SubmissionId) -> SubmissionView:
    """As far as the exercise's feedback policy allows; reviewers and admins see everything."""
    with context.database.begin() as session:
        submission = service.find(session, caller, submission_id)
        return submission_view(submission, gradings.counting(session, submission.id), caller)


@router.get(
    "/{submission_id}/files",
    summary="Show the submitted files",
    response_description="The files.",
    responses=problems(401, 404),
)
def files(context: InContext, caller: AnyCaller, submission_id: SubmissionId) -> FilesView:
    """What was sent, as it was stored."""
    with context.database.begin() as session:
        texts, others = service.contents(service.find(session, caller, submission_id))
    return FilesView(files=texts, binary=others)


@router.get(
    "/{submission_id}/gradings",
    summary="Show all gradings of a submission",
    response_description="The gradings, the newest first.",
    responses=problems(401, 403, 404),
)
def all_gradings(context: InContext, caller: Reviewer, submission_id: SubmissionId) -> GradingsView:
    """Every grading that there was, for reviewers and admins; one of them counts."""
    with context.database.begin() as session:
        found = service.all_gradings(session, service.find(session, caller, submission_id))
    return GradingsView(items=[grading_view(grading, caller) for grading in found])


@router.delete(
    "/{submission_id}",
    summary="Take a submission back",
    response_description="It is cancelled.",
    responses=problems(401, 404, 409),
)
def cancel(context: InContext, caller: AnyCaller, submission_id: SubmissionId) -> SubmissionView:
    """Only while it is queued: what is being graded is graded to its end. It stays in the list, as `cancelled`."""
    with context.database.begin() as session:
        submission = service.find(session, caller, submission_id)
        return submission_view(submission, service.cancel(session, submission), caller)


@router.get(
    "/{submission_id}/events",
    summary="Follow a grading",
    response_class=EventSourceResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "The events so far, then each as it happens."},
        204: {"description": "Nothing comes after `Last-Event-ID`: the final event was told already."},
        **problems(401, 404),
    },
)
async def follow(
    context: InContext,
    caller: AnyCaller,
    submission_id: SubmissionId,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            pattern=r"^\d{1,18}$",
            description="The `id` of the last event that you got: go on after it.",
        ),
    ] = None,
) -> Response:
    """Server-sent events: `queued`, `started`, `test` (each, as far as the exercise shows them), `retry` (a fault of
    ours; it is tried again), and at last one of `done`, `fault` and `cancelled`, whose data is the submission as `GET`
    shows it. Then the stream ends. Comments in between keep the connection alive.
    """
    after = int(last_event_id or 0)
    followed, over = await run_in_threadpool(_followed, context, caller, submission_id, after)
    if over:
        return Response(status_code=204)
    closing = Event()
    return EventSourceResponse(
        _stream(context, caller, followed, after, closing),
        ping=_HEARTBEAT_S,
        shutdown_event=closing,
        shutdown_grace_period=_CLOSING_S,
    )


def _store(context: Context, caller: Caller, sent: Sent, idempotency_key: str | None) -> tuple[SubmissionView, bool]:
    """One transaction: all of it is stored, and then sent to the workers, or nothing is."""
    context.catalog.get(sent.exercise)
    with context.database.begin() as session:
        stored = service.submit(session, caller, sent, idempotency_key, context.settings.max_queued_per_key)
        if not stored.replayed:
            context.queue.send_after_commit(session, stored.grading)
        return submission_view(stored.submission, stored.grading, caller), stored.replayed


def _followed(context: Context, caller: Caller, submission_id: str, after: int) -> tuple[str, bool]:
    with context.database.begin() as session:
        submission = service.find(session, caller, submission_id)
        grading = gradings.counting(session, submission.id)
        return grading.id, events.ended(session, grading.id, after)


async def _stream(
    context: Context, caller: Caller, followed: str, after: int, closing: Event
) -> AsyncIterator[ServerSentEvent]:
    """Until the final event is told, or the server ends: then the client goes on with the next one.

    The database is asked again after a tenth of the time that nothing has happened for: no event is told late by much
    of what it took, and long waits cost little.
    """

    def read(after: int) -> tuple[int, list[events.Told]]:
        with context.database.begin() as session:
            return events.since(session, context.catalog, caller, followed, after)

    quiet_since = time.monotonic()
    while not closing.is_set():
        after, told = await to_thread.run_sync(read, after, limiter=context.followers)
        for event in told:
            yield _sse(event.kind, event.data, event.id)
            if event.final:
                return
        if told:
            quiet_since = time.monotonic()
        pause_s = (time.monotonic() - quiet_since) * _PAUSE_SHARE
        await asyncio.sleep(min(_MOST_PAUSE_S, max(_LEAST_PAUSE_S, pause_s)))


def _sse(kind: str, data: Any, number: int) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data), event=kind, id=str(number))
