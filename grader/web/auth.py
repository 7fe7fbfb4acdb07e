"""Who asks: an API key in the Authorization header, and what its role may do."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from grader.accounts.models import Role
from grader.accounts.service import Caller, authenticate
from grader.web.context import Context, InContext
from grader.web.problems import Problem

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="A key made by `grader key create`, sent as `Authorization: Bearer grader_…`.",
)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def caller(context: InContext, credentials: _Credentials) -> Caller:
    """Who holds the key of this request. Raises a 401 where there is none, or none that is good."""
    if credentials is None:
        raise _unauthorized("send an API key as `Authorization: Bearer grader_…`; `grader key create` makes one")
    return _holder(context, credentials.credentials)


def reviewer(caller: AnyCaller) -> Caller:
    """As `caller`, for what only reviewers and admins may do. Raises a 403."""
    if not caller.may(Role.REVIEWER):
        raise Problem(403, "this needs a key of the role reviewer or admin; yours is a candidate's")
    return caller


def admin(caller: AnyCaller) -> Caller:
    """As `caller`, for what only admins may do. Raises a 403."""
    if not caller.may(Role.ADMIN):
        raise Problem(403, f"this needs a key of the role admin; yours is a {caller.role}'s")
    return caller


def operator(request: Request, context: InContext, credentials: _Credentials) -> None:
    """For what operators watch: open to this machine itself, else it needs a reviewer's key.

    An address counts only where the connection comes from it: behind a proxy on this machine, which speaks for others,
    a request carries Forwarded or X-Forwarded-For, and then it needs a key as well.
    """
    if credentials is None and _is_local(request):
        return
    reviewer(caller(context, credentials))


AnyCaller = Annotated[Caller, Depends(caller)]
Reviewer = Annotated[Caller, Depends(reviewer)]
Admin = Annotated[Caller, Depends(admin)]


def _holder(context: Context, key: str) -> Caller:
    with context.database.begin() as session:
        found = authenticate(session, key)
    if found is None:
        raise _unauthorized("this API key is unknown or revoked; ask the operator for another")
    return found


def _unauthorized(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})


def _is_local(request: Request) -> bool:
    if request.client is None or {"forwarded", "x-forwarded-for"} & set(request.headers):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
