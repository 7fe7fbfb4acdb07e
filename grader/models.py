"""All models of all domains: whoever needs the whole schema imports it from here."""

from __future__ import annotations

from grader.accounts.models import ApiKey
from grader.db import Base
from grader.grading.models import Grading, GradingEvent
from grader.metrics.models import Worker
from grader.proving.models import Proof
from grader.regrades.models import Act, Change, Regrade
from grader.submissions.models import Submission, SubmissionFile

__all__ = [
    "Act",
    "ApiKey",
    "Base",
    "Change",
    "Grading",
    "GradingEvent",
    "Proof",
    "Regrade",
    "Submission",
    "SubmissionFile",
    "Worker",
]
