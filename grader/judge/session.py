"""The judge's end of the wall: one request at a time to the guest, under deadlines; a fresh guest when one is lost."""

from __future__ import annotations

import hashlib
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from grader.judge.errors import Exhausted, GuestLost, LoadFailed, OurFault, Refused
from sandbox.codec import Caps, CodecError, Decoder, Encoder
from sandbox.wire import Channel, Deadline, WireClosed, WireTimeout, WireViolation

_CALLBACK_DEPTH = 20
_BLOCK = 4096  # bytes


class Supervisor(Protocol):
    """What the session asks of the worker: guests, and what became of them."""

    def guest(self) -> Any:
        """A socket to a fresh guest. Raises Exhausted."""

    def lost(self, why: str) -> tuple[str, str]:
        """The guest is of no more use (`why`: "", "wall" or "violation"): its outcome and a sentence of detail."""

    def more_time(self) -> float:
        """For how many seconds since the last question the grading's guests had no processor."""

    def waited_s(self) -> float:
        """For how many seconds so far this process itself had none."""


@dataclass(frozen=True)
class Material:
    """What the guest is given, and how far its objects may answer."""

    files: Mapping[str, bytes]
    assets: Mapping[str, bytes]
    forbid: Sequence[str] = ()
    answers: frozenset[str] = frozenset()
    copy_back: frozenset[str] = frozenset()
    files_mb: int = 64
    seed: int = 0
    wall_s: float = 60
    test_wall_s: float = 30

    @property
    def fits(self) -> bool:
        """Whether files and assets leave room below `files_mb`; each takes whole blocks."""
        contents = (*self.files.values(), *self.assets.values())
        return sum(-(-len(content) // _BLOCK) * _BLOCK for content in contents) < self.files_mb << 20


@dataclass
class Request:
    """One request on its way: what the guest may call back meanwhile."""

    number: int
    op: str = ""
    lent: dict[int, Callable[..., Any]] = field(default_factory=dict)
    unheard: AssertionError | None = None  # an assertion of the suite's own that failed in a callback


class Session:
    """Talks to the guest on behalf of the suite. Not thread-safe; a judge has one thread."""

    material: Material
    _supervisor: Supervisor

    def __init__(self) -> None:
        from grader.judge.gradients import Gradients
        from grader.judge.values import Inward, Outward

        self.caps = Caps()
        self.generation = 0
        self.incidents: list[Refused | GuestLost] = []
        self.fault: OurFault | None = None
        self.measures: list[tuple[str, float, float, bool]] = []  # of the running test: name, value, bound, at_least
        self.gradients = Gradients(self)
        self.outward = Outward(self)
        self.inward = Inward(self)
        self._channel: Channel | None = None
        self._requests: list[Request] = []
        self._installed: dict[int, Callable[..., Any]] = {}
        self._once_lent: set[int] = set()
        self._thrown: dict[int, Exception] = {}
        self._wall_left_s = self._test_left_s = 0.0

    def turn_to(self, material: Material, supervisor: Supervisor) -> None:
        """Serve this grading; before that there is none, and no guest. What the suite was collected with stays."""
        self.material, self._supervisor = material, supervisor
        self._wall_left_s, self._test_left_s = material.wall_s, material.test_wall_s

    @property
    def alive(self) -> bool:
        return self._channel is not None

    def begin(self, test_id: str) -> bool:
        """Give the next test its share of time, a guest, and the guest its random numbers. Says if the guest is new."""
        self.incidents.clear()
        self.measures.clear()
        self._thrown.clear()
        if self._wall_left_s <= 0:
            self._more_time()
        self._test_left_s = min(self.material.test_wall_s, self._wall_left_s)
        if self._wall_left_s <= 0:
            raise Exhausted(
                "time_limit", f"the {self.material.wall_s:g} s of the grading were used up before this test"
            )
        new = self.ensure_guest()
        self.gradients.forget()
        self.request("seed", derived_seed(self.material.seed, test_id, "guest"))
        return new

    def ensure_guest(self) -> bool:
        """Make sure that a guest with the solution loaded is there; says whether it is a new one.

        Raises LoadFailed, GuestLost (the load broke a limit), Exhausted, OurFault.
        """
        if self._channel is not None:
            return False
        self._channel = Channel(self._supervisor.guest(), self.caps.frame_bytes)
        self.generation += 1
        self.inward.reset()
        self.gradients.reset()
        self._installed.clear()
        self.request("seed", derived_seed(self.material.seed, "load", "guest"))
        try:
            self.request("files", dict(self.material.files), dict(self.material.assets))
        except Exception as error:  # nothing of the candidate's has run
            if not isinstance(error, MemoryError) and self.material.fits:
                raise self.fail(f"the files of the submission could not be written: {told(error)}") from None
            raise LoadFailed(told(error), isinstance(error, MemoryError)) from None
        try:
            self.request("load", list(self.material.forbid))
        except Exception as error:
            raise LoadFailed(told(error), isinstance(error, MemoryError)) from None
        return True

    def fail(self, why: str) -> OurFault:
        """The error for what is not the candidate's to answer for; the grading ends even if the suite swallows it."""
        self.fault = OurFault(why)
        return self.fault

    def refuse(self, message: str) -> Refused:
        """The error for a use of a handle that cannot decide a verdict; it counts even if the suite swallows it."""
        refused = Refused(message)
        self.incidents.append(refused)
        return refused

    def request(self, op: str, *operands: Any, **options: Any) -> Any:
        """Ask the guest and wait for the value. Raises what the candidate's code raised, mirrored; or GuestLost."""
        if self._channel is None:
            raise self._again()
        if op != "push":
            self.gradients.push_changes()
        request = Request(secrets.randbits(63), op)
        self._requests.append(request)
        try:
            message = (op, request.number, self.inward.take_drops(), {"grad": _grad_mode(), **options}, *operands)
            return self._converse(request, self._encoded(message))
        finally:
            self._requests.pop()

    def names(self, far: Any) -> list[str]:
        """What `dir` says of a far object."""
        names = self.request("dir", far)
        return [name for name in names if type(name) is str] if type(names) is list else []

    def lend(self, function: Callable[..., Any]) -> int:
        """Let the guest call `function` while the innermost request runs; the number that it calls it by.

        What the request answers with may go on using it (`solution.memoize(f)(3)`, a generator): see `take_along` and
        `leave_with`. A function that the suite sets as an attribute (monkeypatch) is lent for the guest's life.
        """
        number = secrets.randbits(63)
        request = self._requests[-1]
        request.lent[number] = function
        self._once_lent.add(number)
        if request.op == "set":
            self._installed[number] = function
        return number

    def lent(self, number: Any) -> Callable[..., Any] | None:
        """A function that was lent with a request that still runs."""
        if type(number) is not int:
            return None
        found = [request.lent[number] for request in self._requests if number in request.lent]
        return found[-1] if found else self._installed.get(number)

    def take_along(self, kept: Mapping[int, Callable[..., Any]]) -> None:
        """The innermost request is about a far object that was made with these functions."""
        self._requests[-1].lent.update(kept)

    def leave_with(self) -> Mapping[int, Callable[..., Any]]:
        """The functions that an object which comes back from the innermost request may have kept."""
        return self._requests[-1].lent if self._requests else {}

    def throw(self, error: Exception) -> int:
        """The number by which an exception of the suite's is known if it comes back."""
        number = secrets.randbits(63)
        self._thrown[number] = error
        return number

    def thrown(self, number: Any) -> Exception | None:
        """An exception of the suite's that comes back from where it was sent."""
        return self._thrown.get(number) if type(number) is int else None

    def _encoded(self, message: tuple[Any, ...]) -> list[Any]:
        try:
            return Encoder(self.outward, self.caps).encode(message)
        except (CodecError, RecursionError) as error:
            raise TypeError(str(error)) from None

    def _converse(self, request: Request, parts: list[Any]) -> Any:
        if self._channel is not None and self._channel.unread():
            raise self._lose("violation", "it spoke without having been asked")
        while True:
            match self._exchanged(parts):
                case ("ok", request.number, value):
                    if request.unheard is not None:
                        self.incidents.append(Refused(str(request.unheard)))
                        raise request.unheard
                    return value
                case ("raise", request.number, told_error):
                    raise self.inward.error(told_error)
                case ("call", request.number, number, tuple() as args, dict() as kwargs):
                    parts = self._called_back(request, number, args, kwargs)
                case _:
                    raise self._lose("violation", "an answer to something else")

    def _called_back(self, request: Request, number: Any, args: tuple[Any, ...], kwargs: dict[Any, Any]) -> list[Any]:
        """Call what the guest calls; the answer to it, encoded."""
        function = self.lent(number)
        if function is None and (type(number) is not int or number not in self._once_lent):
            raise self._lose("violation", "it called a function that it was not lent")
        try:
            if function is None:
                raise RuntimeError("a function of the test's can be called only while the call runs that it came with")
            if len(self._requests) > _CALLBACK_DEPTH:
                raise RecursionError(f"calls between test and solution are nested more than {_CALLBACK_DEPTH} deep")
            return self._encoded(("return", request.number, function(*args, **kwargs)))
        except Exception as error:
            if isinstance(error, AssertionError):
                request.unheard = error
            return self._encoded(("throw", request.number, error))

    def _exchanged(self, parts: list[Any]) -> Any:
        """Send a frame, and decode what the guest says to it."""
        frame = self._answered(parts)
        try:
            message = Decoder(frame, self.inward, self.caps).decode()
        except (CodecError, RecursionError) as error:
            raise self._lose("violation", str(error)) from None
        if type(message) is not tuple or [type(part) for part in message[:2]] != [str, int]:  # before it is compared
            raise self._lose("violation", "a message that is none")
        return message

    def _answered(self, parts: list[Any]) -> memoryview:
        """Send a frame and wait for the next one, on the guest's time: what passes while this process or the guest has
        no processor is not counted."""
        if self._channel is None:
            raise self._again()
        started, waited_s = time.monotonic(), self._supervisor.waited_s()

        def held_up() -> float:
            nonlocal waited_s
            since_s, waited_s = waited_s, self._supervisor.waited_s()
            self._charge(since_s - waited_s)
            return waited_s - since_s or self._more_time()

        deadline = Deadline(max(0.0, min(self._test_left_s, self._wall_left_s)), held_up)
        try:
            self._channel.send(parts, deadline)
            return self._channel.receive(deadline)
        except WireTimeout:
            raise self._lose("wall") from None
        except WireViolation as error:
            raise self._lose("violation", str(error)) from None
        except WireClosed:
            raise self._lose("") from None
        finally:
            self._charge(time.monotonic() - started - (self._supervisor.waited_s() - waited_s))

    def _more_time(self) -> float:
        """Give back what the guests had to wait, as far as that was not done yet; how many seconds that is."""
        extra_s = self._supervisor.more_time()
        self._charge(-extra_s)
        return extra_s

    def _charge(self, seconds: float) -> None:
        self._test_left_s -= seconds
        self._wall_left_s -= seconds

    def _lose(self, why: str, note: str = "") -> GuestLost:
        """The guest is gone, or must go: ask the worker what became of it. `note` says what a violation was."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        outcome, detail = self._supervisor.lost(why)
        lost = GuestLost(outcome, f"{detail}: {note}" if note else detail)
        self.incidents.append(lost)
        return lost

    def _again(self) -> GuestLost:
        lost = next((incident for incident in self.incidents if isinstance(incident, GuestLost)), None)
        return GuestLost(lost.outcome, lost.detail) if lost else GuestLost("error", "there is no guest")


def derived_seed(seed: int, *names: str) -> int:
    """A seed of 32 bits that tells nothing of the one it comes from (SHA-256)."""
    text = ":".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def told(error: BaseException) -> str:
    """An exception of the candidate's as a sentence: type, text, and the innermost place in their files."""
    where = getattr(error, "_where", None)
    place = f" ({where[-1][0]}, line {where[-1][1]})" if where else ""
    return f"{type(error).__name__}: {error}{place}"[:2000]


def _grad_mode() -> bool:
    torch = sys.modules.get("torch")
    return bool(torch is None or torch.is_grad_enabled())
