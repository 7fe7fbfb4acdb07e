"""What a hidden suite may import beside pytest and `solution`.

    from grader.suite import in_guest, lend, threshold

Run without a judge (plain pytest, on the author's machine), all are transparent: the function simply runs, the
object is simply passed, the values are simply compared.
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


def threshold(name: str, value: float, *, at_least: float | None = None, at_most: float | None = None) -> bool:
    """Whether what was learnt reaches a threshold. Not a number never does.

        assert threshold("accuracy on unseen images", accuracy, at_least=0.9), "a plain network reaches 95%"

    The value is noted for the author: `grader exercise margins` shows over many seeds how far the threshold stands
    from the worst correct and from the best wrong solution. `name` is unique within the exercise. Raises TypeError
    unless exactly one of `at_least` and `at_most` is given.
    """
    if (at_least is None) == (at_most is None):
        raise TypeError("threshold() takes exactly one of at_least and at_most")
    bound, lower = (at_least, True) if at_least is not None else (at_most, False)
    number = float(value)
    if (session := current.session()) is not None:
        session.measures.append((name, number, float(bound or 0), lower))
    return number >= (bound or 0) if lower else number <= (bound or 0)
