"""A judge's session that a script answers in the guest's place: what the fuzzer plays its bytes to.

The script is a stream of frames. Whenever the judge has spoken, the next of them lies in the socket, as if a guest had
answered; so reader, decoder, matching and handles are the real ones. Only two things are not: the numbers of requests
are all `NUMBER`, or nothing but the first check would ever be reached, and what the judge says goes nowhere.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from _pytest._io.saferepr import saferepr

from grader.judge import session as judge_session
from grader.judge.errors import GuestLost, Refused
from grader.judge.far import Far
from grader.judge.plugin import clean
from grader.judge.session import Material, Session, told
from sandbox.codec import Caps
from sandbox.wire import Channel, WireClosed

NUMBER = 7
LONGEST = 1 << 16  # bytes of a script; what is to be bounded is what comes of them
MOST_S = 5.0  # of the processor: the machine may be busy
MOST_KB = 256 << 10
_FRAME = 16 << 20
_USES = 40


class Script:
    """The guest's side, and the supervisor that a session asks for another: there is none."""

    def __init__(self, stream: bytes) -> None:
        self._stream = memoryview(stream)
        self.near, self._far = socket.socketpair()

    def speak(self) -> None:
        """Put the next frame into the socket, or as much of it as there is; hang up when there is none."""
        size = struct.unpack("<Q", self._stream[:8])[0] + 8 if len(self._stream) >= 8 else 8
        frame, self._stream = self._stream[:size], self._stream[size:]
        self._far.send(frame)
        if not self._stream:
            self._far.close()

    @property
    def silent(self) -> bool:
        return self._far.fileno() < 0

    def close(self) -> None:
        self._far.close()
        self.near.close()

    def guest(self) -> Any:
        raise AssertionError("a session that lost its guest goes on only with the next test")

    def lost(self, why: str) -> tuple[str, str]:
        return "crashed", why

    def more_time(self) -> float:
        return 0.0

    def waited_s(self) -> float:
        return 0.0


class _Answered(Channel):
    """The judge's end: what is sent is answered with the script's next frame."""

    def __init__(self, script: Script, cap: int) -> None:
        super().__init__(script.near, cap)
        self._script = script

    def send(self, parts: Any, deadline: Any = None) -> None:
        if self._script.silent:
            raise WireClosed("the script is over")
        self._script.speak()


class _Numbers:
    @staticmethod
    def randbits(_: int) -> int:
        return NUMBER


def play(stream: bytes) -> None:
    """One conversation. Raises what a judge must never raise, and AssertionError for work or memory beyond all need."""
    began, kb = time.process_time(), _peak_kb()
    with scripted(stream[:LONGEST]) as session:
        for _ in range(3):
            _ask(session)
    took, grown = time.process_time() - began, _peak_kb() - kb
    assert took < MOST_S, f"took {took:.1f} s"
    assert grown < MOST_KB, f"took {grown >> 10} MB"


@contextlib.contextmanager
def scripted(stream: bytes) -> Iterator[Session]:
    """A session whose guest says this."""
    script = Script(stream)
    real, judge_session.secrets = judge_session.secrets, _Numbers  # type: ignore[assignment]
    try:
        session = Session()
        session.turn_to(Material({}, {}, answers=frozenset("*"), wall_s=60, test_wall_s=30), script)
        session.caps = Caps(frame_bytes=_FRAME)
        session._channel = _Answered(script, session.caps.frame_bytes)
        yield session
    finally:
        judge_session.secrets = real
        script.close()


def ask(session: Session) -> Any:
    """A request as a suite makes it."""
    return session.request("call", lambda *args, **kwargs: [args, kwargs], [], {})


def _ask(session: Session) -> None:
    """A request, and what a suite does with the answer."""
    try:
        value = ask(session)
    except (GuestLost, Refused):
        return
    except Exception as error:
        if not hasattr(error, "_where"):  # else the guest raised it, and it was mirrored
            raise
        clean(told(error))
        return
    _use(value, itertools.count())


def _use(value: Any, uses: Iterator[int]) -> None:
    """What suite and pytest may do to a value. It may refuse in any ordinary way; only hangs and crashes count."""
    if next(uses) > _USES:
        return
    kept = []
    for act in _ACTS:
        try:
            kept.append(act(value))
        except MemoryError:
            raise
        except (Exception, GuestLost):  # as the test that used it would fail
            continue
    inner = value.items() if type(value) is dict else value if type(value) in (list, tuple) else ()
    for part in [*itertools.islice(inner, 8), *(made for made in kept if isinstance(made, Far))]:
        _use(part, uses)


def _backward(value: Any) -> None:
    if getattr(value, "grad_fn", None) is not None:
        value.sum().backward()


_ACTS: list[Callable[[Any], Any]] = [
    lambda value: saferepr(value, maxsize=120),
    lambda value: value == 3,
    lambda value: 3 in value,
    hash,
    len,
    lambda value: list(itertools.islice(value, 3)),
    lambda value: value.attribute,
    lambda value: value("text", 1.5),
    lambda value: isinstance(value, type(value)),
    inspect.signature,
    dir,
    copy.copy,
    _backward,
]


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
