"""Errors as problem+json (RFC 9457): one shape for all, with a stable `code` and a `detail` that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from grader.errors import BadInput, ExerciseError
from grader.web.headers import SECURITY_HEADERS

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)

# The status of what the domains refuse, by its code; any other BadInput is a 422.
_STATUSES = {
    "too_large": 413,
    "over_quota": 429,
    "not_found": 404,
    "forbidden": 403,
    "not_queued": 409,
    "conflict": 409,
}
TITLES = {
    400: ("bad_request", "Bad request"),
    401: ("no_key", "No valid API key"),
    403: ("forbidden", "Not allowed"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    408: ("too_slow", "Request too slow"),
    409: ("conflict", "Conflict"),
    413: ("too_large", "Too large"),
    415: ("unsupported_media_type", "Unsupported media type"),
    422: ("bad_input", "Input that cannot be taken"),
    429: ("over_quota", "Over quota"),
    500: ("internal_error", "Internal error"),
    503: ("unavailable", "Not available at the moment"),
}
_RETRY_AFTER_S = "5"


class FieldError(BaseModel):
    """What is wrong with one field. The value itself is not repeated."""

    where: str = Field(description="Place in the request.", examples=["query.limit"])
    message: str = Field(description="What it must be.")


class ProblemBody(BaseModel):
    """What every error looks like. Programs decide by `code`, people read `detail`."""

    type: str = Field(description="A stable URI of the kind of problem.", examples=["urn:grader:problem:not_found"])
    title: str = Field(description="The kind of problem in words.", examples=["Not found"])
    status: int = Field(description="The HTTP status, once more.", examples=[404])
    detail: str = Field(description="What is wrong with this request, and what to do.")
    code: str = Field(description="A stable word for programs.", examples=["not_found"])
    errors: list[FieldError] | None = Field(None, description="Where single fields are wrong: which, and how.")


class Problem(Exception):
    """An error for the client."""

    def __init__(
        self,
        status: int,
        detail: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: list[FieldError] | None = None,
    ) -> None:
        super().__init__(detail)
        usual_code, title = TITLES.get(status, ("error", "Error"))
        code = code or usual_code
        self.headers = dict(headers or {})
        self.body = ProblemBody(
            type=f"urn:grader:problem:{code}", title=title, status=status, detail=detail, code=code, errors=errors
        )

    def response(self) -> JSONResponse:
        if self.body.status in (429, 503):
            self.headers.setdefault("Retry-After", _RETRY_AFTER_S)
        return JSONResponse(
            self.body.model_dump(exclude_none=True),
            self.body.status,
            {**SECURITY_HEADERS, **self.headers},
            media_type=MEDIA_TYPE,
        )


def install(app: FastAPI) -> None:
    """Have every error of the app answered as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(BadInput, _bad_input)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(kind, _database_away)
    app.add_exception_handler(Exception, _bug)


def invalid(errors: list[Any], prefix: str = "") -> Problem:
    """The problem for what pydantic found wrong. Values are not repeated: they may be long, or secret."""
    fields = [
        FieldError(where=".".join([*([prefix] if prefix else []), *map(str, error["loc"])]), message=error["msg"])
        for error in errors[:20]
    ]
    told = "; ".join(f"{field.where}: {field.message}" for field in fields[:3])
    return Problem(422, f"{told}. Correct this and send it again.", "invalid", errors=fields)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return error.response()


async def _bad_input(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BadInput)
    if isinstance(error, ExerciseError):  # it names files on the server: for its operator, who also sees it in the log
        _log.error("exercise cannot be used", problem=str(error))
        return Problem(503, "this exercise cannot be used at the moment; tell its author", error.code).response()
    return Problem(_STATUSES.get(error.code, 422), str(error), error.code).response()


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return invalid(list(error.errors())).response()


async def _http(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: no such route, a method that a route does not have, a malformed form."""
    assert isinstance(error, HTTPException)
    details = {
        404: "there is nothing at this address; the addresses are in /docs",
        405: "see Allow for what it answers",
    }
    return Problem(
        error.status_code, details.get(error.status_code, str(error.detail)), headers=error.headers
    ).response()


async def _database_away(request: Request, error: Exception) -> JSONResponse:
    _log.error("database does not answer", problem=str(error))
    return Problem(503, "the database does not answer; try again in a moment", "database_unavailable").response()


async def _bug(request: Request, error: Exception) -> JSONResponse:
    """A bug of ours. The server logs the traceback; the client learns nothing of our insides."""
    return Problem(500, "this is a bug of the service, and was logged; try again, or tell its operator").response()
