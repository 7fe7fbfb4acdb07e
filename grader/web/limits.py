"""A cap on the body of every request, while it is read, as plain ASGI."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grader.web.problems import Problem

_MOST_DIGITS = 18  # of an announced length; more is too large whatever it says


class BodyLimit:
    """Refuses a body that is too large as soon as that is known: by its announced length, else while it comes in."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and (len(announced) > _MOST_DIGITS or int(announced) > self._max_bytes):
            await self._refused().response()(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        left = self._max_bytes

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise self._refused()
            return message

        return counted

    def _refused(self) -> Problem:
        return Problem(413, f"the request is larger than {self._max_bytes >> 10} KB; send source code only")
