"""The shapes in which the API shows submissions and gradings, and what goes into them for whom."""

from __future__ import annotations

import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from grader.accounts.models import Role
from grader.accounts.service import Caller
from grader.catalog.model import Feedback
from grader.grading.model import Outcome, Status, Verdict
from grader.grading.models import Grading, Kind
from grader.submissions.feedback import Seen, everything, for_candidate, policy
from grader.submissions.models import Submission

_FAULT = "a fault on our side, not your solution's: a person will look at it, and it costs you nothing"


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class TestView(_View):
    """One test of the hidden suite, as far as the exercise shows it to the holder of this key."""

    id: str = Field(description="The test's id, or only its number.", examples=["1"])
    title: str = Field(examples=["padding gets no weight"])
    outcome: Outcome
    points: float
    max_points: float
    message: str = Field(description="What was wrong; empty where it passed, or where messages are not shown.")
    duration_s: float


class UsageView(_View):
    """What the grading used."""

    wall_s: float
    cpu_s: float
    memory_mb: float


class ProvenanceView(_View):
    """What the score was made from: the same again gives the same score again."""

    exercise_digest: str
    submission_digest: str
    image: str
    seed: int | None = Field(description="Secret to candidates: null for them.")
    limits: dict[str, float | None]
    versions: dict[str, str]


class GradedView(_View):
    """Where a grading stands, and how it ended. What is not known yet, or not shown to this key, is null or empty."""

    status: Status
    verdict: Verdict | None
    score: float | None
    max_score: float | None
    tests: list[TestView]
    usage: UsageView | None
    provenance: ProvenanceView | None
    output: str | None = Field(description="What the solution printed, where it may be shown.")
    detail: str | None = Field(description="Why there is no better answer: the solution does not load, or a fault.")
    kind: Kind
    attempts: int = Field(description="How often it was tried; more than 1 after a fault on our side.")
    started_at: datetime.datetime | None
    finished_at: datetime.datetime | None


class SubmissionView(GradedView):
    """A submission and the grading that counts."""

    id: str = Field(examples=["0193a4e2b7c1f00dfeedc0ffee123456"])
    exercise: str = Field(examples=["attention-classifier"])
    digest: str = Field(description="Digest of the submitted files.", examples=["sha256:9f86d08188…"])
    key_id: str = Field(description="The key that it was sent with.")
    assessment: str | None = Field(description="The assessment that it belongs to.", examples=["backend-2026"])
    created_at: datetime.datetime


class GradingView(GradedView):
    """One of a submission's gradings, for reviewers."""

    id: str
    counts: bool = Field(description="Whether this is the grading that counts.")
    created_at: datetime.datetime


class SummaryView(_View):
    """A line in a list of submissions."""

    id: str
    exercise: str
    key_id: str
    assessment: str | None
    created_at: datetime.datetime
    finished_at: datetime.datetime | None
    status: Status
    verdict: Verdict | None
    score: float | None
    max_score: float | None


class PageView(_View):
    """A page of a list, the newest first."""

    items: list[SummaryView]
    next: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one.")


class GradingsView(_View):
    """All gradings of a submission, the newest first."""

    items: list[GradingView]


class FilesView(_View):
    """The files of a submission."""

    files: dict[str, str] = Field(description="Text by path.", examples=[{"solution.py": "def add(a, b): …"}])
    binary: dict[str, str] = Field(description="Base64 by path, for files that are not UTF-8 text.")


def submission_view(submission: Submission, grading: Grading, caller: Caller) -> SubmissionView:
    """A submission as this caller sees it."""
    return SubmissionView(
        id=submission.id,
        exercise=submission.exercise,
        digest=submission.digest,
        key_id=submission.key_id,
        assessment=submission.assessment,
        created_at=submission.created_at,
        **_graded(grading, caller),
    )


def grading_view(grading: Grading, caller: Caller) -> GradingView:
    """A grading as this caller sees it."""
    return GradingView(id=grading.id, counts=grading.counts, created_at=grading.created_at, **_graded(grading, caller))


def summary_view(submission: Submission, grading: Grading, caller: Caller) -> SummaryView:
    """A submission as a line in a list."""
    view = submission_view(submission, grading, caller)
    return SummaryView.model_validate({name: getattr(view, name) for name in SummaryView.model_fields})


def _graded(grading: Grading, caller: Caller) -> dict[str, Any]:
    seen = _seen(grading, caller, policy(grading.feedback))
    return {
        **vars(seen),
        "detail": seen.detail or (_fault(grading, caller) if grading.status is Status.FAULT else None),
        "status": grading.status,
        "kind": grading.kind,
        "attempts": grading.attempts,
        "started_at": grading.started_at,
        "finished_at": grading.finished_at,
    }


def _seen(grading: Grading, caller: Caller, shown: Feedback) -> Seen:
    if grading.status is not Status.DONE or grading.result is None:
        return Seen()
    if caller.may(Role.REVIEWER):
        return everything(grading.result, grading.output)
    return for_candidate(grading.result, grading.output, shown)


def _fault(grading: Grading, caller: Caller) -> str | None:
    return grading.fault if caller.may(Role.REVIEWER) else _FAULT
