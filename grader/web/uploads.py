"""A submission as it comes in: JSON or a form. Nothing of it is believed, and its size is bounded while it is read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from grader.catalog.schema import Slug
from grader.grading.models import Kind
from grader.submissions.archives import unpack
from grader.submissions.files import Caps, check
from grader.submissions.service import Sent
from grader.web.problems import Problem, invalid

FORM_OVERHEAD = 64 << 10  # bytes of a request that are not the archive
_WITHIN_S = 120.0
_ASSESSMENT = Field(
    None, description="Name of the assessment that it belongs to, for reviewers only; left out, it is that of the key."
)
_HOW = "send JSON (application/json) with exercise and files, or a form (multipart/form-data) with exercise and file"


class SubmissionRequest(BaseModel):
    """A submission as JSON."""

    model_config = ConfigDict(extra="forbid")

    exercise: str = Field(max_length=200, description="Slug of the exercise.", examples=["attention-classifier"])
    files: dict[str, str] = Field(
        description="Text by relative path; solution.py must be there.",
        examples=[{"solution.py": "def add(a, b):\n    return a + b\n"}],
    )
    kind: Kind = Field(Kind.INTERACTIVE, description="`batch` gives way to people who wait; for reviewers only.")
    assessment: Slug | None = _ASSESSMENT


class SubmissionForm(BaseModel):
    """A submission as a form."""

    model_config = ConfigDict(extra="forbid")

    exercise: str = Field(max_length=200, description="Slug of the exercise.")
    file: str = Field(
        description="One .py file, or a .zip or .tar.gz with solution.py at its top.",
        json_schema_extra={"format": "binary"},
    )
    kind: Kind = Field(Kind.INTERACTIVE, description="`batch` gives way to people who wait; for reviewers only.")
    assessment: Slug | SkipJsonSchema[None] = _ASSESSMENT


async def incoming(request: Request, caps: Caps) -> Sent:
    """Read a submission. Raises Problem or UploadError."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    readers = {"application/json": _json, "multipart/form-data": _form}
    if media_type not in readers:
        raise Problem(415, _HOW)
    try:
        async with asyncio.timeout(_WITHIN_S):
            return await readers[media_type](request, caps)
    except TimeoutError:
        raise Problem(408, f"the request did not arrive within {_WITHIN_S:g} s; send it again") from None
    except ClientDisconnect:
        raise Problem(400, "the connection was closed before the request was complete") from None


async def _json(request: Request, caps: Caps) -> Sent:
    body = await request.body()
    return await run_in_threadpool(_from_json, body, caps)


def _from_json(body: bytes, caps: Caps) -> Sent:
    try:
        told = SubmissionRequest.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_context=False, include_input=False), "body") from None
    files = {path: text.encode() for path, text in told.files.items()}
    return Sent(told.exercise, check(files, caps), told.kind, told.assessment)


async def _form(request: Request, caps: Caps) -> Sent:
    form = await request.form(max_files=1, max_fields=10, max_part_size=FORM_OVERHEAD)
    try:
        upload, told = _only_file(form), _fields(form)
        data = await upload.read()
        files = await run_in_threadpool(unpack, upload.filename or "", data, caps)
        return Sent(told.exercise, files, told.kind, told.assessment)
    finally:
        await form.close()


def _only_file(form: FormData) -> UploadFile:
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise Problem(422, "the form has no file called `file`; send a .py, .zip or .tar.gz there", "invalid")
    return upload


def _fields(form: FormData) -> SubmissionForm:
    """The other fields, each given once."""
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name in fields:
            raise Problem(422, f"the form has {json.dumps(name[:40])} more than once; send it once", "invalid")
        fields[name] = "" if isinstance(value, UploadFile) else value
    try:
        return SubmissionForm.model_validate(fields)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_context=False, include_input=False), "form") from None
