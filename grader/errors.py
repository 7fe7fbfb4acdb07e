"""The exceptions of the grader. What the candidate's code did is never one of them: that is an `Outcome`.

    GraderError
    ├── BadInput            somebody gave us what we cannot take; the message says what to do
    │   ├── ExerciseError   a folder is not an exercise in the format
    │   └── UploadError     a submission cannot be stored
    └── Fault               ours: the grading is retried with the same seed, then shown as `fault`
        ├── JudgeError      the judge died, hung or reported nonsense
        ├── QueueDown       the broker cannot be reached; what was stored is sent later
        └── SuiteError      the hidden suite cannot be collected or does not match its exercise.toml

`sandbox.errors.SandboxError` stands beside `Fault`: the sandbox package knows nothing of the grader.
"""

from __future__ import annotations


class GraderError(Exception):
    """Base of all errors that the grader raises on purpose."""


class BadInput(GraderError):
    """Input that cannot be taken. `code` is a stable machine-readable word for problem+json."""

    def __init__(self, message: str, code: str = "bad_input") -> None:
        super().__init__(message)
        self.code = code


class ExerciseError(BadInput):
    """A folder that is not an exercise in the format; the message names the file and the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "bad_exercise")


class UploadError(BadInput):
    """A submission that cannot be stored."""


class Fault(GraderError):
    """A failure of ours. It never becomes a score."""


class JudgeError(Fault):
    """The judge process died, hung, or its report does not fit the suite."""


class SuiteError(Fault):
    """The hidden suite cannot be collected."""


class QueueDown(Fault):
    """The broker cannot be reached. What is stored is safe, and sent when the broker is back."""
