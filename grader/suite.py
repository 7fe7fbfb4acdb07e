"""What a hidden suite may import beside pytest and `solution`.

    from grader.suite import in_guest, lend

Run without a judge (plain pytest, on the author's machine), both are transparent: the function simply runs, the
object is simply passed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

from grader.judge import current

F = TypeVar("F", bound=Callable[..., Any])


def in_guest(function: F) -> F:
    """Mark a function of the suite to run beside the candidate's code, in the candidate's process.

    Use it for what needs many steps there: a training loop, a count. Its source is sent (without comments and
    docstring) and can be read by the candidate's code, so it must hold nothing secret; what it returns is as hostile
    as everything else from there. It may use its arguments, modules and plain values of the suite, names of
    `solution`, and other functions marked so.
    """
    from grader.judge.sending import Sent

    return Sent(function)  # type: ignore[return-value]


def lend(obj: Any, *methods: str) -> Any:
    """Lend the candidate's code exactly these methods of `obj`, for as long as the call runs that it is passed to.

    Values cross, nothing else of the object does. Raises AttributeError for a method that it does not have.
    """
    if current.session() is None:
        return SimpleNamespace(**{name: getattr(obj, name) for name in methods})
    from grader.judge.values import Lending

    return Lending(obj, methods)
