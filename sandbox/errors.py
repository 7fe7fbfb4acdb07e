"""The exceptions of the sandbox. All are *ours*: what the candidate's code did is an `Ending`, a value.

SandboxError
├── SandboxUnavailable    this machine cannot run the backend; `remedy` says what to do
├── SandboxLost           a sandbox died, or stopped answering, outside the candidate's doing
└── PoolClosed            the pool was asked for a sandbox after it was closed
"""

from __future__ import annotations


class SandboxError(Exception):
    """Something on our side of the sandbox failed; the grading is retried and never scored."""


class SandboxUnavailable(SandboxError):
    """The backend cannot confine code on this machine, so it refuses to run any."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy


class SandboxLost(SandboxError):
    """A sandbox ended or fell silent without the candidate's code having caused it."""


class PoolClosed(SandboxError):
    """The pool is shutting down."""
