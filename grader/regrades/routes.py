"""The API of regrades: begun, watched, held, and decided about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from anyio import Event, to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from grader.accounts.service import Caller
from grader.regrades import changeset, export, service
from grader.regrades.models import Regrade, State, Which
from grader.regrades.views import (
    AppliedView,
    ApplyBody,
    ChangesView,
    CountView,
    ReasonBody,
    RegradeBody,
    RegradesView,
    RegradeView,
    SelectionBody,
    SummaryView,
    applied_view,
    change_view,
    regrade_view,
    summary_view,
)
from grader.web import pages
from grader.web.auth import Admin, Reviewer
from grader.web.context import Context, InContext
from grader.web.documented import Absent, problems

router = APIRouter(prefix="/v1/regrades", tags=["regrades"])
_POLL_S = 0.5
_HEARTBEAT_S = 15
_CLOSING_S = 2
_ENDED = (State.READY, State.APPLIED, State.DISCARDED, State.CANCELLED)

RegradeId = Annotated[str, Path(description="Id of a regrade.", examples=["0193a4e2b7c1f00dfeedc0ffee123456"])]
_Does = Callable[[Session, Caller, str, str], Regrade]


class Page(BaseModel):
    """The query of a list."""

    model_config = ConfigDict(extra="forbid")

    cursor: str | Absent = Field(None, max_length=100, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=200, description="Most items on a page.")


class ChangesPage(Page):
    """The query of a change-set."""

    which: Which = Field(Which.CHANGED, description="Which submissions.")


@router.post(
    "",
    status_code=201,
    summary="Begin a regrade",
    response_description="It is stored, and its submissions are graded again, a few at a time.",
    responses=problems(400, 401, 403, 404),
)
def create(response: Response, context: InContext, caller: Reviewer, body: RegradeBody) -> RegradeView:
    """Grade stored submissions again, each with its stored seed, against the exercise as it is now. The scores that
    count stay as they are until an admin applies the change-set.
    """
    if body.selection.exercise is not None:
        context.catalog.get(body.selection.exercise)
    told = body.selection.model_dump(mode="json", exclude_defaults=True)
    with context.database.begin() as session:
        regrade = service.create(
            session, caller, body.selection.selection(), told, body.reason, body.policy, body.again
        )
        view = _view(session, regrade)
    response.headers["Location"] = f"{router.prefix}/{view.id}"
    return view


@router.post(
    "/count",
    summary="Count what a regrade would grade",
    response_description="The number.",
    responses=problems(400, 401, 403),
)
def count(context: InContext, caller: Reviewer, body: SelectionBody) -> CountView:
    """Begins nothing."""
    with context.database.begin() as session:
        return CountView(submissions=service.count(session, body.selection()))


@router.get("", summary="List regrades", response_description="A page of the list.", responses=problems(401, 403))
def page(
    request: Request, response: Response, context: InContext, caller: Reviewer, asked: Annotated[Page, Query()]
) -> RegradesView:
    """The newest first."""
    before = None if asked.cursor is None else pages.read(asked.cursor)
    with context.database.begin() as session:
        rows = service.listed(session, before, asked.limit + 1)
        items = [_view(session, regrade) for regrade in rows[: asked.limit]]
    following = _next(request, response, items[-1].id if len(rows) > asked.limit else None)
    return RegradesView(items=items, next=following)


@router.get("/{regrade_id}", summary="Show a regrade", response_description="It.", responses=problems(401, 403, 404))
def show(context: InContext, caller: Reviewer, regrade_id: RegradeId) -> RegradeView:
    """How far it is, and who did what to it."""
    with context.database.begin() as session:
        return _view(session, service.find(session, regrade_id))


@router.get(
    "/{regrade_id}/summary",
    summary="Show a change-set in numbers",
    response_description="What has been found up to now.",
    responses=problems(401, 403, 404),
)
def summary(context: InContext, caller: Reviewer, regrade_id: RegradeId) -> SummaryView:
    """Verdicts before and after, changes of scores, tests that moved."""
    with context.database.begin() as session:
        return summary_view(changeset.summary(session, service.find(session, regrade_id)))


@router.get(
    "/{regrade_id}/changes",
    summary="Show a change-set",
    response_description="A page of it.",
    responses=problems(401, 403, 404),
)
def changes(
    request: Request,
    response: Response,
    context: InContext,
    caller: Reviewer,
    regrade_id: RegradeId,
    asked: Annotated[ChangesPage, Query()],
) -> ChangesView:
    """Its submissions, the oldest first, with both outcomes and messages of each test that moved."""
    after = None if asked.cursor is None else pages.read(asked.cursor)
    with context.database.begin() as session:
        regrade = service.find(session, regrade_id)
        found = changeset.lines(session, regrade, asked.which, after, asked.limit + 1)
        items = [change_view(line) for line in found[: asked.limit]]
    following = _next(request, response, items[-1].submission_id if len(found) > asked.limit else None)
    return ChangesView(items=items, next=following)


@router.get(
    "/{regrade_id}/changes.csv",
    summary="Export a change-set",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/csv": {}}, "description": "A line for each submission."},
        **problems(401, 403, 404),
    },
)
def changes_csv(
    context: InContext,
    caller: Reviewer,
    regrade_id: RegradeId,
    which: Annotated[Which, Query(description="Which submissions.")] = Which.ALL,
) -> StreamingResponse:
    """As CSV (RFC 4180) that a spreadsheet takes for data: nothing in it becomes a formula."""
    with context.database.begin() as session:
        service.find(session, regrade_id)
    return StreamingResponse(
        export.csv_of(context.database, regrade_id, which),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="regrade-{regrade_id}.csv"'},
    )


@router.post("/{regrade_id}/pause", summary="Pause a regrade", responses=problems(400, 401, 403, 404, 409))
def pause(context: InContext, caller: Reviewer, regrade_id: RegradeId, body: ReasonBody) -> RegradeView:
    """No further submission is begun; what is being graded ends."""
    return _done(context, caller, regrade_id, body.reason, service.pause)


@router.post("/{regrade_id}/resume", summary="Resume a regrade", responses=problems(400, 401, 403, 404, 409))
def resume(context: InContext, caller: Reviewer, regrade_id: RegradeId, body: ReasonBody) -> RegradeView:
    """Go on after a pause. One that is ready tries those submissions again that ended in a fault."""
    return _done(context, caller, regrade_id, body.reason, service.resume)


@router.post("/{regrade_id}/cancel", summary="Cancel a regrade", responses=problems(400, 401, 403, 404, 409))
def cancel(context: InContext, caller: Reviewer, regrade_id: RegradeId, body: ReasonBody) -> RegradeView:
    """End it before it is ready. Nothing of it ever counts."""
    return _done(context, caller, regrade_id, body.reason, service.cancel)


@router.post("/{regrade_id}/discard", summary="Discard a change-set", responses=problems(400, 401, 403, 404, 409))
def discard(context: InContext, caller: Admin, regrade_id: RegradeId, body: ReasonBody) -> RegradeView:
    """Decide that (the rest of) the new gradings shall not count. They stay readable."""
    return _done(context, caller, regrade_id, body.reason, service.discard)


@router.post("/{regrade_id}/apply", summary="Apply a change-set", responses=problems(400, 401, 403, 404, 409))
def apply(context: InContext, caller: Admin, regrade_id: RegradeId, body: ApplyBody) -> AppliedView:
    """Let new gradings count, all at once: the whole, or the part that is named. The old ones stay readable."""
    with context.database.begin() as session:
        applied = service.apply(session, caller, regrade_id, body.part(), body.reason)
        return applied_view(applied, _view(session, service.find(session, regrade_id)))


@router.get(
    "/{regrade_id}/events",
    summary="Follow a regrade",
    response_class=EventSourceResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "The regrade, each time something changed."},
        **problems(401, 403, 404),
    },
)
async def follow(context: InContext, caller: Reviewer, regrade_id: RegradeId) -> Response:
    """Server-sent events named `progress`, whose data is the regrade as `GET` shows it, at most two a second. The
    stream ends after the one that says that it is ready, or that somebody ended it.
    """
    closing = Event()
    await run_in_threadpool(show, context, caller, regrade_id)
    return EventSourceResponse(
        _stream(context, caller, regrade_id, closing),
        ping=_HEARTBEAT_S,
        shutdown_event=closing,
        shutdown_grace_period=_CLOSING_S,
    )


async def _stream(context: Context, caller: Caller, regrade_id: str, closing: Event) -> AsyncIterator[ServerSentEvent]:
    told = None
    while not closing.is_set():
        view = await to_thread.run_sync(show, context, caller, regrade_id, limiter=context.followers)
        if view != told:
            told = view
            yield ServerSentEvent(view.model_dump_json(), event="progress")
        if view.state in _ENDED:
            return
        await asyncio.sleep(_POLL_S)


def _done(context: Context, caller: Caller, regrade_id: str, reason: str, does: _Does) -> RegradeView:
    with context.database.begin() as session:
        return _view(session, does(session, caller, regrade_id, reason))


def _view(session: Session, regrade: Regrade) -> RegradeView:
    return regrade_view(regrade, changeset.progress(session, regrade), service.acts(session, regrade.id))


def _next(request: Request, response: Response, last_id: str | None) -> str | None:
    """The cursor of the next page, and its Link header."""
    if last_id is None:
        return None
    following = pages.cursor(last_id)
    response.headers["Link"] = pages.link(request, following)
    return following
