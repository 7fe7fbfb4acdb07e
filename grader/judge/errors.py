"""What can interrupt a test, beyond its own assertions.

    BaseException
    ├── GuestLost          the guest is gone (a limit, a crash, a violation): the rest of the test cannot run
    └── OurFault           something that was ours to give is not there: the grading says nothing
    AssertionError
    └── Refused            the suite asked a candidate's object for something that decides a verdict

The first two are no Exceptions, so that `except Exception` in a suite does not swallow them; and all three are noted by
the session, so that a test which swallows them anyway does not pass.
"""

from __future__ import annotations


class GuestLost(BaseException):
    """The guest ended inside a test. `outcome` is a word of `grader.grading.model.Outcome`."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(detail)
        self.outcome, self.detail = outcome, detail


class OurFault(BaseException):
    """The grading ends as a fault, and the message says why, for operators."""


class Refused(AssertionError):
    """A handle was used where only a value can decide."""


class Exhausted(Exception):
    """The grading's limits are used up: there is no further guest. `cause` is a word of `sandbox.interface.Cause`."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause, self.detail = cause, detail


class LoadFailed(Exception):
    """solution.py could not be imported; the message says why, for the candidate."""

    def __init__(self, message: str, for_memory: bool) -> None:
        super().__init__(message)
        self.for_memory = for_memory
