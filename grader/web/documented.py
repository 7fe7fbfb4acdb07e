"""What the OpenAPI document says beyond what FastAPI finds out by itself: errors, and bodies that are read by hand."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import SkipJsonSchema, models_json_schema

from grader.web.problems import MEDIA_TYPE, TITLES, ProblemBody
from grader.web.uploads import SubmissionForm, SubmissionRequest

Absent = SkipJsonSchema[None]
"""May be left out; "null" in its place is a value like any other."""

_REFERENCE = "#/components/schemas/{model}"
_MEANINGS = {
    400: "The request cannot be read.",
    401: "No API key, or none that is good.",
    403: "The key's role does not allow this.",
    404: "There is none, or none that this key may see.",
    408: "The request came in too slowly.",
    409: "It cannot be done in the present state.",
    413: "Larger than the service takes.",
    415: "Neither JSON nor a form.",
    422: "Something in the request is wrong; `detail` says what to do.",
    429: "Too many submissions of this key wait already; `Retry-After` says when to try again.",
    503: "Not available at the moment; `Retry-After` says when to try again.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint that answers these errors, besides those that every endpoint may answer."""
    return {status: _problem(status) for status in (*statuses, 413, 422, 503)}


def reference(model: type[BaseModel]) -> dict[str, str]:
    """A schema that points to a model's."""
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def complete(app: FastAPI) -> None:
    """Put the schemas into the document that FastAPI cannot know of. Call it when all routes are there."""
    modes = [(model, "validation") for model in (ProblemBody, SubmissionRequest, SubmissionForm)]
    _, schemas = models_json_schema(modes, ref_template=_REFERENCE)  # type: ignore[arg-type]
    app.openapi()["components"]["schemas"].update(schemas["$defs"])


def _problem(status: int) -> dict[str, Any]:
    code, title = TITLES[status]
    example = {
        "type": f"urn:grader:problem:{code}",
        "title": title,
        "status": status,
        "detail": _MEANINGS[status],
        "code": code,
    }
    return {
        "description": _MEANINGS[status],
        "content": {MEDIA_TYPE: {"schema": reference(ProblemBody), "example": example}},
    }
