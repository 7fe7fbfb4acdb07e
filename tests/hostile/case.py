"""A hostile submission: what it is called, what it does, and how a grading of it may end."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pytest

PER_PROCESS = [
    pytest.param(("docker", "per_process"), marks=pytest.mark.engine, id="docker-per_process"),
    pytest.param(("local", "per_process"), id="local-per_process"),
]
PER_CONTAINER = [
    pytest.param(("docker", "per_container"), marks=pytest.mark.engine, id="docker-per_container"),
    pytest.param(("local", "per_container"), id="local-per_container"),
]
per_container = pytest.mark.parametrize("runner", PER_CONTAINER, indirect=True, scope="session")
values_only = pytest.mark.parametrize("runner", PER_PROCESS, indirect=True, scope="session")
"""For submissions that do nothing but answer: how long their sandbox lives changes nothing."""


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
