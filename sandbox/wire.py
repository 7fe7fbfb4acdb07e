"""The protocol between judge and guest, first in prose.

**Frames.** An AF_UNIX stream socket carries frames: 8 bytes of length, little-endian, then one value of
`sandbox.codec`, always a tuple. A length beyond the cap ends the connection before anything is read.

**Turns.** The judge speaks first; one request is in flight; the guest answers it exactly once.

    judge → guest   (op, id, drops, options, *operands)
        id        a random int of 63 bits, new for each request
        drops     [(handle, count), …]: references that the judge no longer holds
        options   {"grad": bool} and whatever the op names
    guest → judge   ("ok", id, value) · ("raise", id, exception) · ("call", id, target, args, kwargs)

A "call" is no answer: the candidate's code calls a function that came with the request, while the request runs. The
judge answers ("return", id, value) or ("throw", id, exception) or, if its function uses the candidate's code itself,
first sends a request of its own, which is then the innermost. Every message names the innermost request, or it is a
violation.

**Ops.** files, load, seed, find, get, set, del, dir, call, special, next, copy, send (a function of the suite's),
backward, push. `sandbox.guest.agent` says what each takes.

**Violations.** Anything unknown, late, doubled, unsolicited, malformed or too large raises `WireViolation` on the
judge's side, which ends the sandbox as crashed. Nothing resynchronises.
"""

from __future__ import annotations

import functools
import mmap
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")

_HEADER = struct.Struct("<Q")
_CHUNK = 1 << 12  # most frames come whole with their header
_MAPPED = 1 << 20  # frames from this size on are received into fresh pages, which cost nothing until bytes arrive
_GATHER = 64  # parts per sendmsg; IOV_MAX is 1024


class WireError(Exception):
    """The connection is of no more use."""


class WireClosed(WireError):
    """The far end is gone."""


class WireTimeout(WireError):
    """The deadline passed before the frame was through."""


class WireViolation(WireError):
    """The far end does not keep to the protocol."""


class Deadline:
    """An absolute moment by which a frame must be through.

    When it passes, `more()` is asked for further seconds: a guest that had no processor because the machine was busy
    is not to blame. What that answers is added once and again until it answers none.
    """

    def __init__(self, seconds: float, more: Callable[[], float] | None = None) -> None:
        self._at = time.monotonic() + seconds
        self._more = more

    def left(self) -> float:
        """Seconds left, more than 0. Raises WireTimeout."""
        while (left := self._at - time.monotonic()) <= 0:
            further = self._more() if self._more is not None else 0.0
            if further <= 0:
                raise WireTimeout("the deadline passed")
            self._at += further
        return left


class Channel:
    """Frames over a stream socket, with deadlines (None: as long as it takes).

    One deadline bounds all of a frame: a slow drip of bytes and a reader that never reads both run into it.
    """

    def __init__(self, sock: socket.socket, cap: int) -> None:
        self._sock, self._cap = sock, cap
        self._ahead = b""  # what came behind the last frame
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(sock, select.POLLIN)
        self._writable.register(sock, select.POLLOUT)
        sock.setblocking(False)

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()

    def send(self, parts: Sequence[Any], deadline: Deadline | None = None) -> None:
        """Send one frame made of `parts` (bytes-like), in order, without joining them."""
        total = sum(len(part) for part in parts)
        if total > self._cap:
            raise WireViolation(f"a frame of {total} bytes is more than {self._cap}")
        queue = [memoryview(_HEADER.pack(total)), *(memoryview(part) for part in parts)]
        while queue:
            try:
                sent = self._sock.sendmsg(queue[:_GATHER])
            except BlockingIOError:
                _wait(self._writable, deadline)
            except OSError as error:
                raise WireClosed(str(error)) from None
            else:
                queue = _after(queue, sent)

    def receive(self, deadline: Deadline | None = None) -> memoryview:
        """The next frame. Its memory is the caller's, writable, and never used again here."""
        begun, self._ahead = bytearray(self._ahead), b""
        while len(begun) < _HEADER.size:
            begun += self._read(lambda: self._sock.recv(_CHUNK), deadline)
        (size,) = _HEADER.unpack_from(begun)
        if size > self._cap:
            raise WireViolation(f"a frame of {size} bytes is more than {self._cap}")
        del begun[: _HEADER.size]
        if len(begun) >= size:
            self._ahead = bytes(begun[size:])
            del begun[size:]
            return memoryview(begun)
        whole = memoryview(_pages(size) if size >= _MAPPED else bytearray(size))
        whole[: len(begun)] = begun
        view = whole[len(begun) :]
        while view:
            view = view[self._read(functools.partial(self._sock.recv_into, view), deadline) :]
        return whole

    def unread(self) -> bool:
        """Whether something lies there that nobody asked for."""
        return bool(self._ahead or self._readable.poll(0))

    def _read(self, some: Callable[[], _T], deadline: Deadline | None) -> _T:
        """Wait until there is something, and take it."""
        while True:
            _wait(self._readable, deadline)
            try:
                got = some()
            except BlockingIOError:
                continue
            except OSError as error:
                raise WireClosed(str(error)) from None
            if not got:
                raise WireClosed("the far end closed the connection")
            return got


def _wait(poll: select.poll, deadline: Deadline | None) -> None:
    poll.poll(None if deadline is None else deadline.left() * 1000 + 1)


def _pages(size: int) -> mmap.mmap:
    """Raises MemoryError where there is no room: a lack of our own, not an end of the connection."""
    try:
        return mmap.mmap(-1, size)
    except OSError as error:
        raise MemoryError(f"no room for a frame of {size} bytes: {error}") from None


def _after(queue: list[memoryview], sent: int) -> list[memoryview]:
    """What of `queue` is still to be sent after `sent` bytes of it."""
    for index, part in enumerate(queue):
        if sent < len(part):
            return [part[sent:], *queue[index + 1 :]]
        sent -= len(part)
    return []
