"""The API of exercises: what candidates may know of them. Nothing of the hidden suite but the limits it runs under."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, Field

from grader.catalog import shown
from grader.catalog.catalog import UnknownExercise
from grader.catalog.model import Exercise, Feedback
from grader.web.auth import AnyCaller
from grader.web.context import InContext
from grader.web.documented import problems
from grader.web.languages import wanted
from grader.web.problems import Problem

router = APIRouter(prefix="/v1/exercises", tags=["exercises"])

AcceptLanguage = Annotated[
    str, Header(description="The languages that you would like best.", examples=["zh, en;q=0.5"])
]
Slug = Annotated[str, Path(description="Slug of an exercise.", examples=["attention-classifier"])]


class ExerciseSummary(BaseModel):
    """An exercise in the list."""

    slug: str = Field(examples=["attention-classifier"])
    title: str = Field(examples=["Attention in a text classifier"])
    runtime: str = Field(description="What is installed where solutions run.", examples=["torch"])
    languages: list[str] = Field(description="Languages of the statement.", examples=[["en", "zh"]])
    digest: str = Field(description="The exercise's version.")


class ExerciseList(BaseModel):
    """All exercises that can be graded."""

    items: list[ExerciseSummary]


class ExerciseDetail(ExerciseSummary):
    """What a candidate needs."""

    language: str = Field(description="Language of `title` and `statement`.", examples=["en"])
    statement: str = Field(description="The statement, in Markdown.")
    starter: dict[str, str] = Field(description="What to start from: text by path.")
    public_tests: dict[str, str] = Field(description="Tests to run at home: text by path.")
    limits: dict[str, float | None] = Field(description="What one grading may use, by name and unit.")
    forbidden: list[str] = Field(description="What a solution must not use.", examples=[["torch.nn.LSTM"]])
    feedback: Feedback = Field(description="What is shown of the hidden tests after a grading.")


@router.get("", summary="List exercises", response_description="The exercises.", responses=problems(401))
def listed(
    response: Response, context: InContext, caller: AnyCaller, accept_language: AcceptLanguage = ""
) -> ExerciseList:
    """Those that can be graded now, by slug."""
    response.headers["Vary"] = "Accept-Language"
    languages = wanted(accept_language)
    found = (context.catalog.get(slug) for slug in context.catalog.slugs())
    return ExerciseList(items=[_summary(exercise, languages) for exercise in found])


@router.get(
    "/{slug}",
    summary="Show an exercise",
    response_description="The exercise.",
    responses={304: {"description": "`If-None-Match` names what is still so."}, **problems(401, 404)},
    response_model=ExerciseDetail,
)
def detail(
    context: InContext,
    caller: AnyCaller,
    slug: Slug,
    accept_language: AcceptLanguage = "",
    if_none_match: Annotated[str, Header(description="An `ETag` that you have.")] = "",
) -> Response:
    """Statement, starter, public tests and limits. The statement comes in the best language that is there."""
    try:
        exercise = context.catalog.get(slug)
    except UnknownExercise as error:
        raise Problem(404, str(error), error.code) from None
    found = _detail(exercise, wanted(accept_language))
    body = found.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Vary": "Accept-Language",
        "Content-Language": found.language,
        "Cache-Control": "private, no-cache",
    }
    if tag in {known.strip().removeprefix("W/") for known in if_none_match.split(",")} or if_none_match.strip() == "*":
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _summary(exercise: Exercise, languages: list[str]) -> ExerciseSummary:
    return ExerciseSummary(
        slug=exercise.slug,
        title=shown.title(exercise, languages),
        runtime=exercise.runtime,
        languages=shown.languages(exercise),
        digest=exercise.digest,
    )


def _detail(exercise: Exercise, languages: list[str]) -> ExerciseDetail:
    language, statement = shown.statement(exercise, languages)
    return ExerciseDetail(
        **_summary(exercise, languages).model_dump(),
        language=language,
        statement=statement,
        starter=shown.starter(exercise),
        public_tests=shown.public_tests(exercise),
        limits=asdict(exercise.limits),
        forbidden=list(exercise.forbid),
        feedback=exercise.feedback,
    )
