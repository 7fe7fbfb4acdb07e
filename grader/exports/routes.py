"""The API of exports: results as files, for spreadsheets and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from grader.accounts.service import Caller
from grader.catalog.schema import Slug
from grader.exports import spreadsheet
from grader.grading.model import Verdict
from grader.submissions import service
from grader.submissions.service import Filters
from grader.submissions.views import SubmissionView, submission_view
from grader.web.auth import Reviewer
from grader.web.context import Context, InContext
from grader.web.documented import Absent, problems

router = APIRouter(prefix="/v1/exports", tags=["exports"])
_PAGE = 200
_ABOUT = (
    *("id", "exercise", "assessment", "key_id", "created_at", "finished_at"),
    *("status", "verdict", "score", "max_score", "digest"),
)
_MADE_FROM = ("exercise_digest", "image")  # not the seed: it has more digits than a spreadsheet's numbers


class Asked(BaseModel):
    """Which results."""

    model_config = ConfigDict(extra="forbid")

    exercise: Slug | Absent = Field(None, description="Slug of an exercise.")
    assessment: Slug | Absent = Field(None, description="Name of an assessment.")
    verdict: Verdict | Absent = Field(None, description="How the grading that counts turned out.")
    since: AwareDatetime | Absent = Field(None, description="Submitted then or later (RFC 3339).")
    until: AwareDatetime | Absent = Field(None, description="Submitted before then (RFC 3339).")

    @property
    def filters(self) -> Filters:
        return Filters(**self.model_dump())


@router.get(
    "/results.csv",
    summary="Export results for a spreadsheet",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}, "description": "A line for each submission."}, **problems(401, 403)},
)
def results_csv(context: InContext, caller: Reviewer, asked: Annotated[Asked, Query()]) -> StreamingResponse:
    """What counts for each submission, the newest first, as CSV (RFC 4180). Nothing in it becomes a formula."""
    header = [*_ABOUT, *_MADE_FROM, "tests"]
    lines = spreadsheet.lines(header, map(_row, _results(context, caller, asked.filters)))
    return _file(lines, "text/csv; charset=utf-8", "results.csv")


@router.get(
    "/results.jsonl",
    summary="Export results for a program",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/jsonl": {}}, "description": "A submission as `GET` shows it on each line."},
        **problems(401, 403),
    },
)
def results_jsonl(context: InContext, caller: Reviewer, asked: Annotated[Asked, Query()]) -> StreamingResponse:
    """What counts for each submission, the newest first, as lines of JSON with every test, message and digest."""
    lines = (f"{view.model_dump_json()}\n" for view in _results(context, caller, asked.filters))
    return _file(lines, "application/jsonl", "results.jsonl")


def _results(context: Context, caller: Caller, filters: Filters) -> Iterator[SubmissionView]:
    """Page by page: no transaction stays open while a slow client reads."""
    before: str | None = None
    while True:
        with context.database.begin() as session:
            rows = service.listed(session, caller, filters, before, _PAGE)
            views = [submission_view(submission, grading, caller) for submission, grading in rows]
        yield from views
        if len(views) < _PAGE:
            return
        before = views[-1].id


def _row(view: SubmissionView) -> list[object]:
    told = view.model_dump(mode="json")
    made_from = told["provenance"] or {}
    tests = "\n".join(
        f"{test['id']}: {test['outcome']} {test['points']:g}/{test['max_points']:g}" for test in told["tests"]
    )
    return [*(told[name] for name in _ABOUT), *(made_from.get(name) for name in _MADE_FROM), tests]


def _file(content: Iterator[str], media_type: str, name: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(content, media_type=media_type, headers=headers)
