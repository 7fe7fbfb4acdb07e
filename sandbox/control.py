"""Our side of a zygote: the `Sandbox` and `Guest` that both backends share. They differ in how a zygote is started,
how it is destroyed, and in what they know of a death by SIGKILL; that is the `Anchor`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time
from dataclasses import asdict
from typing import Any, Protocol

from sandbox.errors import SandboxLost
from sandbox.interface import Cause, Ending, SandboxSpec
from sandbox.limits import Limits, Usage

_PACKET = 1 << 20
_ANSWER_S = 30.0
_FIRST_UID, _UIDS = 20_000, 40_000


class Anchor(Protocol):
    """What a backend knows of its sandbox beyond the control socket."""

    counts_files: bool  # no tmpfs bounds the files: the zygote has to count

    def uid(self, number: int) -> int | None:
        """The uid for the sandbox's guest of that number; None: the zygote's own."""

    def ran_out_of_memory(self, since: float) -> bool:
        """Whether the kernel killed something in it for want of memory since then (`time.time()`)."""

    def destroy(self) -> None:
        """End all that was started and remove what was made. Must not raise."""


class ZygoteGuest:
    """A guest behind a zygote."""

    def __init__(self, sandbox: ZygoteSandbox, channel: socket.socket) -> None:
        self._sandbox, self._channel = sandbox, channel
        self._since = time.time()
        self._ending: Ending | None = None

    @property
    def channel(self) -> socket.socket:
        return self._channel

    def allow_cpu(self, seconds: float) -> None:
        self._sandbox.ask("cpu", seconds=seconds)

    def usage(self) -> Usage:
        return _usage(self._sandbox.ask("usage"))

    def waited_s(self) -> float:
        return float(self._sandbox.ask("usage").get("waited_s", 0.0))

    def end(self) -> Ending:
        if self._ending is None:
            self._channel.close()
            self._ending = self._sandbox.ended(self._sandbox.ask("end"), self._since)
        return self._ending


class ZygoteSandbox:
    """A sandbox whose zygote answers on `control` (AF_UNIX, SOCK_SEQPACKET, JSON; see `sandbox.guest.zygote`)."""

    def __init__(self, name: str, spec: SandboxSpec, control: socket.socket, anchor: Anchor) -> None:
        self._name, self._spec, self._control, self._anchor = name, spec, control, anchor
        self._lock = threading.Lock()
        self._uses = 0
        control.settimeout(_ANSWER_S)

    @property
    def id(self) -> str:
        return self._name

    @property
    def spec(self) -> SandboxSpec:
        return self._spec

    @property
    def uses(self) -> int:
        return self._uses

    def ping(self) -> None:
        self.ask("ping")

    def spawn(self, limits: Limits) -> ZygoteGuest:
        ours, theirs = socket.socketpair()
        with theirs:
            told = asdict(limits) | {"count_files": self._anchor.counts_files}
            self.ask("spawn", theirs, limits=told, uid=self._anchor.uid(self._uses))
        self._uses += 1
        return ZygoteGuest(self, ours)

    def reset(self) -> None:
        found = self.ask("reset").get("clean", "no answer")
        if found is not None:
            raise SandboxLost(f"sandbox {self._name} could not be cleaned: {found}")

    def destroy(self) -> None:
        with contextlib.suppress(OSError):
            self._control.close()
        self._anchor.destroy()

    def ask(self, what: str, *sockets: socket.socket, **operands: Any) -> dict[str, Any]:
        """One request, one answer. Raises SandboxLost."""
        with self._lock:
            try:
                message = json.dumps({"do": what, **operands}).encode()
                socket.send_fds(self._control, [message], [sock.fileno() for sock in sockets])
                answer = json.loads(self._control.recv(_PACKET) or b"null")
            except (OSError, ValueError) as error:
                raise SandboxLost(f"sandbox {self._name} does not answer: {error}") from None
        if not isinstance(answer, dict):
            raise SandboxLost(f"sandbox {self._name} has ended")
        return answer

    def ended(self, told: dict[str, Any], since: float) -> Ending:
        """The zygote's account of a guest's end as an `Ending`. Raises SandboxLost for one that makes no sense."""
        try:
            cause, detail = Cause(told["cause"]), str(told["detail"])[:500]
            if told["signal"] == 9 and self._anchor.ran_out_of_memory(since):
                cause, detail = Cause.MEMORY_LIMIT, f"used more than {self._spec.memory_mb} MB of memory"
            return Ending(cause, detail, _usage(told["usage"]), base64.b64decode(told["output"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SandboxLost(f"sandbox {self._name} gave no account of its guest: {error}") from None


def hear_ready(control: socket.socket, timeout_s: float) -> None:
    """Wait for a zygote's first word. Raises SandboxLost."""
    control.settimeout(timeout_s)
    try:
        ready = control.recv(_PACKET)
    except OSError as error:
        raise SandboxLost(f"the zygote did not get ready: {error}") from None
    if not ready:
        raise SandboxLost("the zygote ended before it was ready")


def own_uid(number: int) -> int:
    """A uid that nobody else in the sandbox has had."""
    return _FIRST_UID + number % _UIDS


def _usage(told: dict[str, Any]) -> Usage:
    return Usage(float(told.get("wall_s", 0)), float(told.get("cpu_s", 0)), float(told.get("memory_mb", 0)))
