"""A hostile submission: what it is called, what it does, and how a grading of it may end."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    source: str
    verdicts: frozenset[str]
    runtime: str = "python"


def case(name: str, source: str, *verdicts: str, runtime: str = "python") -> Case:
    """`verdicts`: the words that fit; "failed" where none is given."""
    return Case(name, textwrap.dedent(source), frozenset(verdicts or {"failed"}), runtime)


def titled(one: Case) -> str:
    """The id of a case in a parametrised test."""
    return one.name
