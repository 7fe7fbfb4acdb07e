"""Submissions in the database: stored at once with their first grading, found, listed, taken back."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from grader.accounts.models import ApiKey, Role
from grader.accounts.service import Caller
from grader.db import new_id, now
from grader.errors import BadInput, UploadError
from grader.grading import service as gradings
from grader.grading.model import Status, Verdict
from grader.grading.models import Grading, Kind
from grader.submissions.files import digest
from grader.submissions.models import Submission, SubmissionFile

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Sent:
    """What somebody wants to be graded; ``files`` are checked ones. ``assessment``: another one than the key's."""

    exercise: str
    files: Mapping[str, bytes]
    kind: Kind
    assessment: str | None = None

    @property
    def digest(self) -> str:
        """A hash over all of it."""
        named = [] if self.assessment is None else [self.assessment]
        told = json.dumps([self.exercise, self.kind, digest(self.files), *named])
        return f"sha256:{hashlib.sha256(told.encode()).hexdigest()}"


@dataclass(frozen=True)
class Submitted:
    """A stored submission. ``replayed``: it had been stored before, under the same idempotency key."""

    submission: Submission
    grading: Grading
    replayed: bool = False


@dataclass(frozen=True)
class Filters:
    """Which submissions to list; None leaves a field open."""

    exercise: str | None = None
    assessment: str | None = None
    status: Status | None = None
    verdict: Verdict | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    key_id: str | None = None


def submit(session: Session, caller: Caller, sent: Sent, idempotency_key: str | None, most_queued: int) -> Submitted:
    """Store a submission with its grading, or find the one that the same request stored before.

    Raises BadInput: over quota, or another request under the same idempotency key. Requests of one API key wait for
    each other here, so that two equal ones at once store one submission, and quotas hold.
    """
    session.execute(select(ApiKey.id).where(ApiKey.id == caller.key_id).with_for_update(key_share=True))
    earlier = _earlier(session, caller, idempotency_key)
    if earlier is not None:
        if earlier.request_digest != sent.digest:
            raise BadInput(
                "this Idempotency-Key was used for another request; use a new one for each", "idempotency_key_reused"
            )
        return Submitted(earlier, gradings.counting(session, earlier.id), replayed=True)
    if not caller.may(Role.REVIEWER):
        _check_quota(session, caller, most_queued)
    submission = Submission(
        id=new_id(),
        exercise=sent.exercise,
        digest=digest(sent.files),
        key_id=caller.key_id,
        assessment=sent.assessment or caller.assessment,
        idempotency_key=idempotency_key,
        request_digest=sent.digest,
        created_at=now(session),
        files=[SubmissionFile(path=path, content=content) for path, content in sent.files.items()],
    )
    session.add(submission)
    session.flush()
    return Submitted(submission, gradings.create(session, submission, sent.kind, counts=True))


def find(session: Session, caller: Caller, submission_id: str) -> Submission:
    """A submission that this caller may see. Raises BadInput, alike for one that is not there and for another's."""
    found = session.get(Submission, submission_id) if _ID.fullmatch(submission_id) else None
    if found is None or not (caller.may(Role.REVIEWER) or found.key_id == caller.key_id):
        raise BadInput("there is no such submission", "not_found")
    return found


def listed(
    session: Session, caller: Caller, filters: Filters, before: str | None, limit: int
) -> Sequence[tuple[Submission, Grading]]:
    """Submissions with the gradings that count, the newest first, older than the id `before`; at most `limit`."""
    rows = session.execute(
        select(Submission, Grading)
        .join(Grading, and_(Grading.submission_id == Submission.id, Grading.counts))
        .where(*_conditions(caller, filters), *([Submission.id < before] if before else []))
        .order_by(Submission.id.desc())
        .limit(limit)
    )
    return [(submission, grading) for submission, grading in rows]


def all_gradings(session: Session, submission: Submission) -> Sequence[Grading]:
    """Every grading of a submission, the newest first."""
    return session.scalars(
        select(Grading).where(Grading.submission_id == submission.id).order_by(Grading.id.desc())
    ).all()


def cancel(session: Session, submission: Submission) -> Grading:
    """Take back a submission that waits to be graded; again if it was taken back already. Raises BadInput."""
    grading = gradings.counting(session, submission.id)
    cancelled = gradings.cancel(session, grading.id)
    session.refresh(grading)
    if not cancelled and grading.status is not Status.CANCELLED:
        raise BadInput(f"it is {grading.status} already; only a queued submission can be taken back", "not_queued")
    return grading


def contents(submission: Submission) -> tuple[dict[str, str], dict[str, str]]:
    """(text by path, Base64 by path for what is not UTF-8)."""
    texts, others = {}, {}
    for file in submission.files:
        try:
            texts[file.path] = file.content.decode()
        except UnicodeDecodeError:
            others[file.path] = base64.b64encode(file.content).decode("ascii")
    return texts, others


def _conditions(caller: Caller, filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if not caller.may(Role.REVIEWER):
        found.append(Submission.key_id == caller.key_id)
        if filters.verdict is not None:  # what a candidate is not shown cannot be searched for either
            found.append(or_(Grading.feedback.is_(None), Grading.feedback != "none"))
    if filters.exercise is not None:
        found.append(Submission.exercise == filters.exercise)
    if filters.assessment is not None:
        found.append(Submission.assessment == filters.assessment)
    if filters.key_id is not None:
        found.append(Submission.key_id == filters.key_id)
    if filters.status is not None:
        found.append(Grading.status == filters.status)
    if filters.verdict is not None:
        found.append(Grading.verdict == filters.verdict)
    if filters.since is not None:
        found.append(Submission.created_at >= filters.since)
    if filters.until is not None:
        found.append(Submission.created_at < filters.until)
    return found


def _earlier(session: Session, caller: Caller, idempotency_key: str | None) -> Submission | None:
    if idempotency_key is None:
        return None
    return session.scalar(
        select(Submission).where(Submission.key_id == caller.key_id, Submission.idempotency_key == idempotency_key)
    )


def _check_quota(session: Session, caller: Caller, most: int) -> None:
    waiting = session.scalar(
        select(func.count())
        .select_from(Grading)
        .join(Submission, Grading.submission_id == Submission.id)
        .where(Submission.key_id == caller.key_id, Grading.status == Status.QUEUED, Grading.counts)
    )  # not those of a regrade: nobody is to wait because somebody else has old work graded again
    if (waiting or 0) >= most:
        raise UploadError(f"{waiting} of your submissions wait to be graded already; try again later", "over_quota")
