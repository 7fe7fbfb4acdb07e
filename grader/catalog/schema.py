"""What exercise.toml may say, and sentences about what it says wrongly."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from grader.catalog.model import Feedback
from grader.errors import ExerciseError
from sandbox.guest.runtimes import RUNTIMES

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
Slug = Annotated[str, Field(pattern=SLUG, max_length=100)]
FILE = "exercise.toml"

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Points = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Dunder = Annotated[str, Field(pattern=r"^(\*|__[a-z]+__)$")]
Dotted = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
Name = Annotated[str, Field(pattern=r"^(\*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LimitsTable(_Table):
    cpu_s: Seconds | None = None
    wall_s: Seconds | None = None
    memory_mb: Annotated[int, Field(ge=16, le=1_048_576)] | None = None
    processes: Annotated[int, Field(ge=1, le=4096)] | None = None
    files_mb: Annotated[int, Field(ge=1, le=65_536)] | None = None
    output_kb: Annotated[int, Field(ge=1, le=65_536)] | None = None
    test_cpu_s: Seconds | None = None
    test_wall_s: Seconds | None = None


class FeedbackTable(_Table):
    hidden: Feedback = "titles"


class RulesTable(_Table):
    forbid: list[Dotted] = []


class BoundaryTable(_Table):
    answers: list[Dunder] = []
    copy_back: list[Name] = []


class WrongTable(_Table):
    fails: Annotated[list[Text], Field(min_length=1)]
    may_fail: list[Text] = []

    @field_validator("fails")
    @classmethod
    def _star_alone(cls, value: list[str]) -> list[str]:
        if "*" in value and len(value) > 1:
            raise ValueError('"*" means all tests: it stands alone')
        return value

    @field_validator("may_fail")
    @classmethod
    def _no_star(cls, value: list[str], info: ValidationInfo) -> list[str]:
        if "*" in value:
            raise ValueError("name the tests: what may fail anything proves nothing")
        if twice := set(value).intersection(info.data.get("fails", ())):
            raise ValueError(f"{listed(sorted(twice))} stands in fails already")
        return value


class ExerciseTable(_Table):
    slug: Slug
    title: Text
    runtime: str
    title_in: dict[Language, Text] = {}
    limits: LimitsTable = LimitsTable()
    feedback: FeedbackTable = FeedbackTable()
    points: dict[Text, Points] = {}
    rules: RulesTable = RulesTable()
    boundary: BoundaryTable = BoundaryTable()
    source: dict[str, Any] = {}
    wrong: dict[str, WrongTable] = {}

    @field_validator("runtime")
    @classmethod
    def _known_runtime(cls, value: str) -> str:
        if value not in RUNTIMES:
            raise ValueError(f"there is no runtime {value!r}, only {listed(RUNTIMES)}{_perhaps(value, RUNTIMES)}")
        return value


_SECTIONS: Mapping[str, type[_Table]] = {
    "limits": LimitsTable,
    "feedback": FeedbackTable,
    "rules": RulesTable,
    "boundary": BoundaryTable,
    "wrong": WrongTable,
}
_FORMS = {
    "slug": "lower-case letters, digits and single hyphens",
    "title_in": "a language such as zh or pt-BR as its key",
    "forbid": "a dotted name such as torch.nn.LSTM",
    "answers": '"*" or a name such as __eq__',
    "copy_back": '"*" or the name of a function',
}


def parse(told: Mapping[str, Any]) -> ExerciseTable:
    """The checked content of an exercise.toml. Raises ExerciseError, with a line for each mistake."""
    try:
        return ExerciseTable.model_validate(told)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise ExerciseError("\n".join(_sentence(detail) for detail in found)) from None


def listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    """ "a, b and c"."""
    *most, last = sorted(names)
    return f"{', '.join(most)} and {last}" if most else last


def nearest(name: str, known: Sequence[str] | Mapping[str, Any]) -> str | None:
    """The known name that somebody who wrote `name` most likely meant."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)


def _sentence(detail: ErrorDetails) -> str:
    where = ".".join(str(part) for part in detail["loc"] if part != "[key]")
    if detail["type"] == "extra_forbidden":
        return f"{FILE}: unknown key {where}{_instead(detail['loc'])}"
    if detail["type"] == "missing":
        return f"{FILE}: {where} is missing"
    message = detail["msg"].removeprefix("Value error, ").replace("Input should", "it must")
    if detail["type"] == "string_pattern_mismatch":
        field = next((part for part in detail["loc"] if part in _FORMS), "")
        message = f"it must be {_FORMS[str(field)]}" if field else message
    return f"{FILE}: {where} = {_shown(detail['input'])}: {message}"


def _instead(loc: tuple[int | str, ...]) -> str:
    """What may have been meant by an unknown key: a near name beside it, or the same name in another section."""
    name = str(loc[-1])
    table = ExerciseTable if len(loc) == 1 else _SECTIONS[str(loc[0])]
    if (near := nearest(name, table.model_fields)) is not None:
        return f"; did you mean {near}?"
    for section, other in _SECTIONS.items():
        if other is not table and section != "wrong" and name in other.model_fields:
            return f"; it belongs into [{section}]"
    return f"; known are {listed(table.model_fields)}"


def _perhaps(name: str, known: Mapping[str, Any]) -> str:
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
