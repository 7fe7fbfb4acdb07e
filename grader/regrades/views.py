"""The shapes in which the API shows regrades, and in which they are asked for."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from grader.catalog.schema import Slug
from grader.grading.model import Outcome, Verdict
from grader.regrades.changeset import Line, Progress, Summary, change_in_points
from grader.regrades.models import COMPARED, Act, Found, Only, Policy, Regrade, State
from grader.regrades.service import Applied, Part, Selection

_REASON = Field(min_length=1, max_length=2000, description="Why, for whoever reads it later.")


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SelectionBody(_View):
    """Which submissions: all must hold; what is left out, or null, is open. Those not graded yet are never chosen."""

    exercise: Slug | None = Field(None, description="Slug of the exercise.")
    assessment: Slug | None = Field(None, description="Name of the assessment.")
    exercise_digest: Annotated[str, Field(max_length=80)] | None = Field(
        None, description="Version of the exercise that the grading which counts was made with."
    )
    since: AwareDatetime | None = Field(None, description="Submitted then or later (RFC 3339).")
    until: AwareDatetime | None = Field(None, description="Submitted before then (RFC 3339).")
    verdicts: list[Verdict] = Field(default_factory=list, max_length=20, description="One of these verdicts.")
    faults: bool = Field(False, description="Those that ended in a fault; beside `verdicts`, these as well.")
    ids: list[str] = Field(default_factory=list, max_length=10_000, description="Ids of submissions.")

    def selection(self) -> Selection:
        return Selection(**self.model_dump())


class RegradeBody(_View):
    """What to grade again, and why."""

    selection: SelectionBody
    reason: str = _REASON
    policy: Policy = Field(
        Policy.AS_GRADED, description="`never_lower`: what would lower a score is kept back when the whole is applied."
    )
    again: bool = Field(
        False, description="Grade also what has been graded with the same exercise, image, submission, seed and limits."
    )


class ReasonBody(_View):
    """Why something is done to a regrade."""

    reason: str = _REASON


class ApplyBody(ReasonBody):
    """Which of the new gradings shall count."""

    only: Only = Field(Only.ALL, description="These changes; the rest waits.")
    ids: list[str] = Field(default_factory=list, max_length=10_000, description="Only these submissions.")

    def part(self) -> Part:
        return Part(self.ids, self.only)


class CountView(_View):
    """How many submissions a selection chooses."""

    submissions: int


class ProgressView(_View):
    """How far it is."""

    total: int
    done: int
    waiting: int
    grading: int
    same: int = Field(description="Verdict, points and outcomes are as before.")
    changed: int
    faults: int = Field(description="No new score; the old grading goes on counting.")
    reused: int = Field(description="Not graded again: there is a grading of the same five already.")
    flaky: int = Field(description="Changed although exercise, image, submission, seed and limits are the same.")
    applied: int
    rate_per_s: float = Field(description="Submissions a second, over the last minute.")
    left_s: float | None = Field(description="Seconds left at this rate; null where nothing tells.")


class ActView(_View):
    """Something that a person did to a regrade."""

    kind: str
    key_id: str
    reason: str
    changes: int | None = Field(description="How many submissions it was about, where that is known.")
    at: datetime.datetime


class RegradeView(_View):
    """A regrade."""

    id: str = Field(examples=["0193a4e2b7c1f00dfeedc0ffee123456"])
    state: State
    policy: Policy
    again: bool
    selection: dict[str, Any]
    reason: str
    key_id: str = Field(description="The key that began it.")
    created_at: datetime.datetime
    ready_at: datetime.datetime | None
    progress: ProgressView
    acts: list[ActView]


class RegradesView(_View):
    """A page of regrades, the newest first."""

    items: list[RegradeView]
    next: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one.")


class CellView(_View):
    """One cell of the matrix."""

    old: str = Field(description="Verdict of the grading that counted, or `fault`.")
    new: str
    submissions: int


class BarView(_View):
    """One bar of the histogram: by how many percentage points the share of the points changed."""

    above: float | None
    up_to: float | None
    submissions: int


class MovedTestView(_View):
    """A test that moved, and for how many submissions. Null: there is no such test on that side."""

    id: str
    title: str
    old: str | None
    new: str | None
    submissions: int


class SummaryView(_View):
    """A change-set in numbers."""

    matrix: list[CellView]
    raised: int
    lowered: int
    histogram: list[BarView]
    tests: list[MovedTestView]
    old_digests: list[str] = Field(description="Versions of the exercise that the old gradings were made with.")
    new_digests: list[str] = Field(description="The same of the new ones. More than one: it changed on the way.")


class SideView(_View):
    """How a test ended in one of the two gradings."""

    outcome: Outcome
    points: float
    max_points: float
    message: str


class MovedView(_View):
    """A test that did not end as before."""

    id: str
    title: str
    old: SideView | None
    new: SideView | None


class ChangeView(_View):
    """One submission of a change-set."""

    submission_id: str
    found: Found
    flaky: bool
    reused: bool
    old_grading: str
    new_grading: str | None
    old_verdict: Verdict | None
    old_score: float | None
    old_max_score: float | None
    new_verdict: Verdict | None
    new_score: float | None
    new_max_score: float | None
    change: float | None = Field(description="Of the share of the points, in percentage points.")
    applied_at: datetime.datetime | None
    fault: str | None
    tests: list[MovedView]


class ChangesView(_View):
    """A page of a change-set."""

    items: list[ChangeView]
    next: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one.")


class AppliedView(_View):
    """What an application did."""

    applied: int = Field(description="New gradings that count now.")
    kept_back: int = Field(description="Would be lower, and the policy is `never_lower`; name them to apply them.")
    overtaken: int = Field(description="Another grading counts by now than when the regrade began: left alone.")
    regrade: RegradeView


def regrade_view(regrade: Regrade, progress: Progress, acts: Sequence[Act]) -> RegradeView:
    """A regrade as the API shows it."""
    told = [
        ActView(kind=act.kind, key_id=act.key_id, reason=act.reason, changes=act.changes, at=act.at) for act in acts
    ]
    columns = ("id", "state", "policy", "again", "selection", "reason", "key_id", "created_at", "ready_at")
    about = {name: getattr(regrade, name) for name in columns}
    return RegradeView(**about, progress=ProgressView(**vars(progress), done=progress.done), acts=told)


def summary_view(summary: Summary) -> SummaryView:
    """The numbers of a change-set."""
    return SummaryView(
        matrix=[CellView(old=old, new=new, submissions=number) for old, new, number in summary.matrix],
        raised=summary.raised,
        lowered=summary.lowered,
        histogram=[BarView(above=low, up_to=high, submissions=number) for low, high, number in summary.histogram],
        tests=[
            MovedTestView(id=test, title=title, old=old, new=new, submissions=number)
            for test, title, old, new, number in summary.tests
        ],
        old_digests=list(summary.old_digests),
        new_digests=list(summary.new_digests),
    )


def change_view(line: Line) -> ChangeView:
    """One submission of a change-set."""
    change = line.change
    compared = change.found in COMPARED
    columns = (
        "submission_id", "found", "flaky", "reused", "old_verdict", "old_score", "old_max_score", "new_verdict",
        "new_score", "new_max_score", "applied_at",
    )  # fmt: skip
    return ChangeView(
        **{name: getattr(change, name) for name in columns},
        old_grading=change.old_id,
        new_grading=change.new_id,
        change=change_in_points(change) if compared else None,
        fault=line.fault,
        tests=[MovedView(**test) for test in line.tests],
    )


def applied_view(applied: Applied, regrade: RegradeView) -> AppliedView:
    """What an application did."""
    return AppliedView(**vars(applied), regrade=regrade)
