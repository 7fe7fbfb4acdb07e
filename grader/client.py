"""A client of the service's API: sends a solution, and follows its grading through broken connections."""

from __future__ import annotations

import io
import json
import secrets
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from grader.errors import BadInput, Fault

FINAL = ("done", "fault", "cancelled")
GOING = ("running", "paused")
_TRIES = 4
_TRIES_TO_FOLLOW = 65  # about two minutes: a server that ends and is started anew is not given up
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0
_SILENCE_S = 45.0  # the server says something every 15 s


class Refused(BadInput):
    """The server does not take what was sent; the message is its own."""


class ServerAway(Fault):
    """The server does not answer, or not as it should."""


class _Unsteady(Exception):
    """Something that may pass: a broken connection, a server that is starting or overloaded."""


@dataclass(frozen=True)
class Event:
    """A server-sent event. ``id`` is where to go on after it."""

    id: str
    kind: str
    data: Mapping[str, Any]


class Client:
    """Talks to one server with one key. Raises Refused for what the server does not take, ServerAway where it fails."""

    def __init__(self, server: str, key: str) -> None:
        try:
            self._http = httpx.Client(
                base_url=server, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise BadInput(f"{server!r} is not the URL of a server: {error}") from None
        self._server = server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def submit(self, exercise: str, files: Mapping[str, bytes], assessment: str | None = None) -> dict[str, Any]:
        """Send a solution; the stored submission. Tried again, it is stored once (Idempotency-Key).

        Only a reviewer's key may name an assessment; what comes without one belongs to that of the key.
        """
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        told = {"exercise": exercise} | ({} if assessment is None else {"assessment": assessment})
        form: dict[str, Any] = {"data": told, "files": {"file": ("solution.zip", _packed(files))}}
        return self._json("POST", "/v1/submissions", headers=headers, **form)

    def show(self, submission_id: str) -> dict[str, Any]:
        """The submission as it is now."""
        return self._json("GET", f"/v1/submissions/{submission_id}")

    def call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        """Any request that is answered with JSON; only a GET is tried again when the connection breaks."""
        return self._json(method, path, tries=_TRIES if method == "GET" else 1, **content)

    def download(self, path: str, file: Path, asked: Mapping[str, str]) -> int:
        """Write what is there into a file; its size in bytes. A file that is there is replaced when all has come."""
        part = file.with_name(f"{file.name}.part")
        try:
            with self._http.stream("GET", path, params=dict(asked)) as answer, part.open("wb") as opened:
                if not answer.is_success:
                    answer.read()
                    self._check(answer)
                for piece in answer.iter_bytes():
                    opened.write(piece)
            return part.replace(file).stat().st_size
        except (httpx.TransportError, _Unsteady) as error:
            raise ServerAway(f"{self._server} broke off ({error}); try again") from None
        except OSError as error:
            raise BadInput(f"{file} cannot be written: {error}") from None
        finally:
            part.unlink(missing_ok=True)

    def follow_regrade(self, regrade_id: str) -> Iterator[dict[str, Any]]:
        """A regrade each time something changed, until all of it is graded or somebody ended it."""
        failed = 0
        while True:
            try:
                for event in self._events(f"/v1/regrades/{regrade_id}/events", ""):
                    failed = 0
                    yield dict(event.data)
                    if event.data["state"] not in GOING:
                        return
                raise _Unsteady(f"{self._server} ends the events of a regrade before it has ended")
            except (httpx.TransportError, _Unsteady) as error:
                failed += 1
                self._wait(failed, _TRIES_TO_FOLLOW, error)

    def follow(self, submission_id: str, on_break: Callable[[], None] = lambda: None) -> Iterator[Event]:
        """The events of its grading, from the first to the final one, each once.

        A connection that breaks is taken up where it broke; `on_break` is called before each wait for that.
        """
        last, failed = "", 0
        while True:
            try:
                for event in self._events(f"/v1/submissions/{submission_id}/events", last):
                    last, failed = event.id, 0
                    yield event
                    if event.kind in FINAL:
                        return
                raise _Unsteady(f"{self._server} ends the events of a grading before it has ended")
            except (httpx.TransportError, _Unsteady) as error:
                failed += 1
                on_break()
                self._wait(failed, _TRIES_TO_FOLLOW, error)

    def _events(self, path: str, last: str) -> Iterator[Event]:
        headers = {"Last-Event-ID": last} if last else {}
        timeout = httpx.Timeout(30, read=_SILENCE_S)
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                answer.read()
                self._check(answer)
            yield from parse(answer.iter_lines())

    def _json(self, method: str, path: str, tries: int = _TRIES, **content: Any) -> dict[str, Any]:
        failed = 0
        while True:
            try:
                answer = self._http.request(method, path, **content)
                self._check(answer)
                found: dict[str, Any] = answer.json()
                return found
            except (httpx.TransportError, _Unsteady) as error:
                failed += 1
                self._wait(failed, tries, error)
            except ValueError:
                raise ServerAway(f"{self._server} does not answer as a grader does; is the URL right?") from None

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        detail = _detail(answer)
        if answer.status_code in (502, 503, 504):
            raise _Unsteady(f"{self._server} cannot do this at the moment: {detail}")
        if answer.is_client_error:
            raise Refused(detail, "refused")
        raise ServerAway(f"{self._server} answers {answer.status_code}: {detail}")

    def _wait(self, failed: int, most: int, error: Exception) -> None:
        """Before it is tried again. Raises ServerAway after the last try."""
        if failed >= most and isinstance(error, _Unsteady):
            raise ServerAway(str(error))
        if failed >= most:
            raise ServerAway(f"{self._server} does not answer ({error}); is it running? `grader serve` starts one here")
        time.sleep(min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (failed - 1)))


def parse(lines: Iterable[str]) -> Iterator[Event]:
    """Server-sent events (WHATWG HTML, 9.2.6) with JSON as data; comments and incomplete events are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line and name:
            value = value.removeprefix(" ")
            fields[name] = f"{fields['data']}\n{value}" if name == "data" and "data" in fields else value
        elif not line:
            if "data" in fields:
                yield Event(fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}


def _packed(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return packed.getvalue()


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"
