"""What must hold when all is quiet again. A claim is a function that yields how it is broken: nothing, if it holds."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterator

from sqlalchemy import select

from grader.grading.model import Status
from grader.models import Grading, GradingEvent, Submission
from tests.chaos.plan import SOLUTIONS
from tests.chaos.run import Run

_REGRADE_S = 900.0
_CLEARED_S = 30.0
Claim = Callable[[Run], Iterator[str]]


def broken(run: Run) -> list[str]:
    """Every way in which a claim about the gradings is broken, while the service still runs."""
    found: list[str] = []
    claims: tuple[Claim, ...] = (
        everything_was_accepted_once,
        each_has_one_grading_that_counts,
        none_is_stuck_or_a_fault,
        each_has_the_score_that_it_must_get,
        each_ended_once,
        the_api_never_failed_in_a_way_of_its_own,
        a_quiet_service_scores_the_same,
    )
    for claim in claims:
        found += [f"{claim.__name__.replace('_', ' ')}: {how}" for how in claim(run)]
    return found


def everything_was_accepted_once(run: Run) -> Iterator[str]:
    with run.world.database.begin() as session:
        stored = set(session.scalars(select(Submission.id)))
    if len(run.accepted) != len(run.planned):
        yield f"{len(run.accepted)} of {len(run.planned)} were accepted"
    for lost in set(run.accepted.values()) - stored:
        yield f"{lost} was accepted, and is not there"
    for extra in stored - set(run.accepted.values()):
        yield f"{extra} was stored beside those that were accepted: an idempotency key did not hold"


def each_has_one_grading_that_counts(run: Run) -> Iterator[str]:
    counting = collections.Counter(grading.submission_id for grading in _gradings(run) if grading.counts)
    for submission_id in run.accepted.values():
        if counting[submission_id] != 1:
            yield f"{submission_id} has {counting[submission_id]}"


def none_is_stuck_or_a_fault(run: Run) -> Iterator[str]:
    for grading in _gradings(run):
        if grading.status is not Status.DONE:
            yield f"{grading.submission_id} is {grading.status} after {grading.attempts} tries: {grading.fault}"


def each_has_the_score_that_it_must_get(run: Run) -> Iterator[str]:
    by_submission = {grading.submission_id: grading for grading in _gradings(run) if grading.counts}
    for planned in run.planned:
        grading = by_submission.get(run.accepted.get(planned.number, ""))
        if grading is None or grading.status is not Status.DONE:
            continue  # another claim tells
        expected = SOLUTIONS[planned.solution].expected(grading.seed)
        found = (grading.verdict, grading.score, grading.max_score)
        if found != expected:
            tests = [(test["outcome"], test["message"]) for test in (grading.result or {}).get("tests", [])]
            yield f"{grading.submission_id} ({planned.solution}) got {found}, not {expected}: {tests}"


def each_ended_once(run: Run) -> Iterator[str]:
    """A final event, and nothing after it."""
    told: dict[str, list[str]] = collections.defaultdict(list)
    with run.world.database.begin() as session:
        for grading_id, kind in session.execute(
            select(GradingEvent.grading_id, GradingEvent.kind).order_by(GradingEvent.id)
        ):
            told[grading_id].append(kind)
    for grading in _gradings(run):
        kinds = told[grading.id]
        if kinds.count("done") != 1 or kinds[-1] != "done":
            yield f"{grading.submission_id} was told as {kinds}"


def the_api_never_failed_in_a_way_of_its_own(run: Run) -> Iterator[str]:
    """503, and a connection that breaks, are what a client is told to expect; a 500 would be a bug."""
    for answer, number in run.answers.items():
        if answer.isdigit() and answer not in ("202", "503"):
            yield f"{number} times {answer}"


def a_quiet_service_scores_the_same(run: Run) -> Iterator[str]:
    """All are graded again, with their seeds: no score, verdict or outcome of a test may change."""
    with run.world.client() as client:
        body = {"selection": {}, "reason": "what they get on a quiet service", "again": True}
        answer = client.post("/v1/regrades", json=body)
        answer.raise_for_status()
        where = answer.headers["Location"]
        until = time.monotonic() + _REGRADE_S
        while (regrade := client.get(where).json())["state"] == "running" and time.monotonic() < until:
            time.sleep(0.2)
        progress = regrade["progress"]
        if regrade["state"] != "ready" or progress["same"] != len(run.planned):
            yield f"{regrade['state']}: {progress}"
        for change in client.get(f"{where}/changes").json()["items"]:
            yield str(change)


def left_behind(run: Run) -> list[str]:
    """What is there although the service was stopped; a killed worker's children may take a moment to notice."""
    until = time.monotonic() + _CLEARED_S
    while (found := run.world.left_behind()) and time.monotonic() < until:
        time.sleep(0.2)
    return [f"nothing is left behind: {what}" for what in found]


def attempts(run: Run) -> dict[int, int]:
    """How many gradings that count took how many tries."""
    return dict(sorted(collections.Counter(grading.attempts for grading in _gradings(run) if grading.counts).items()))


def _gradings(run: Run) -> list[Grading]:
    with run.world.database.begin() as session:
        return list(session.scalars(select(Grading).order_by(Grading.id)))
