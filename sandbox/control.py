"""Our side of a zygote: the `Sandbox` and `Guest` that both backends share. They differ in how a zygote is started,
how it is destroyed, and in what they know of a death by SIGKILL; that is the `Anchor`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from dataclasses import asdict
from typing import IO, Any, Protocol

from sandbox.errors import SandboxLost
from sandbox.interface import Cause, Ending, SandboxSpec
from sandbox.limits import Limits, Usage

_PACKET = 1 << 20
_ANSWER_S = 30.0
_FIRST_UID, _UIDS = 20_000, 40_000


class HasFileno(Protocol):
    def fileno(self) -> int: ...


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

    def __init__(self, sandbox: ZygoteSandbox, channel: socket.socket, printed: IO[bytes]) -> None:
        self._sandbox, self._channel, self._printed = sandbox, channel, printed
        self._since, self._kills = time.time(), _kills()
        self._ending: Ending | None = None

    @property
    def channel(self) -> socket.socket:
        return self._channel

    def allow_cpu(self, seconds: float, total_s: float) -> None:
        self._sandbox.ask("cpu", seconds=seconds, total_s=total_s)

    def waited_s(self) -> float:
        return float(self._sandbox.ask("waited")["seconds"])

    def end(self) -> Ending:
        if self._ending is None:
            self._channel.close()
            with self._printed:
                self._ending = self._sandbox.ended(self._since, self._kills, self._printed)
        return self._ending


class ZygoteSandbox:
    """A sandbox whose zygote answers on `control` (AF_UNIX, SOCK_SEQPACKET, JSON; see `sandbox.guest.zygote`)."""

    def __init__(self, name: str, spec: SandboxSpec, image: str, control: socket.socket, anchor: Anchor) -> None:
        self._name, self._spec, self._image, self._control, self._anchor = name, spec, image, control, anchor
        self._lock = threading.Lock()
        self._uses = 0
        self._output_bytes = 0
        control.settimeout(_ANSWER_S)

    @property
    def id(self) -> str:
        return self._name

    @property
    def spec(self) -> SandboxSpec:
        return self._spec

    @property
    def image(self) -> str:
        return self._image

    @property
    def uses(self) -> int:
        return self._uses

    def ping(self) -> None:
        self.ask("ping")

    def spawn(self, limits: Limits) -> ZygoteGuest:
        told = asdict(limits) | {"count_files": self._anchor.counts_files}
        printed = os.fdopen(os.memfd_create("output", os.MFD_CLOEXEC), "rb")
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self.ask("spawn", theirs, printed, limits=told, uid=self._anchor.uid(self._uses))
        except SandboxLost:
            ours.close()
            printed.close()
            raise
        self._uses += 1
        self._output_bytes = limits.output_kb << 10
        return ZygoteGuest(self, ours, printed)

    def reset(self) -> None:
        found = self.ask("reset").get("clean", "no answer")
        if found is not None:
            raise SandboxLost(f"sandbox {self._name} could not be cleaned: {found}")

    def destroy(self) -> None:
        with contextlib.suppress(OSError):
            self._control.close()
        self._anchor.destroy()

    def ask(self, what: str, *files: HasFileno, **operands: Any) -> dict[str, Any]:
        """One request, one answer. Raises SandboxLost."""
        with self._lock:
            try:
                message = json.dumps({"do": what, **operands}).encode()
                socket.send_fds(self._control, [message], [file.fileno() for file in files])
                answer = json.loads(self._control.recv(_PACKET) or b"null")
            except (OSError, ValueError) as error:
                self._control.close()  # or a late answer would be taken for the next one; and the zygote ends
                raise SandboxLost(f"sandbox {self._name} does not answer: {error}") from None
        if not isinstance(answer, dict):
            raise SandboxLost(f"sandbox {self._name} has ended")
        return answer

    def ended(self, since: float, kills: int, printed: IO[bytes]) -> Ending:
        """End the guest that was spawned at `since`, after so many kills by the kernel.

        Raises SandboxLost, unless the guest's greed is to blame: also when the kernel may have killed it because the
        machine was out of memory.
        """
        try:
            told = self.ask("end")
        except SandboxLost:
            if self._anchor.ran_out_of_memory(since):
                return Ending(Cause.MEMORY_LIMIT, self._memory_sentence(), Usage(wall_s=time.time() - since))
            raise
        try:
            cause, detail = Cause(told["cause"]), str(told["detail"])[:500]
            if told["signal"] == signal.SIGKILL:
                if self._anchor.ran_out_of_memory(since):
                    cause, detail = Cause.MEMORY_LIMIT, self._memory_sentence()
                elif _kills() != kills:
                    raise SandboxLost("a guest was killed while this machine ran out of memory")
            output = os.pread(printed.fileno(), self._output_bytes, 0)
            fault = str(told["fault"])[:500]
            return Ending(cause, detail, _usage(told["usage"]), output, float(told["waited_s"]), fault)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SandboxLost(f"sandbox {self._name} gave no account of its guest: {error}") from None

    def _memory_sentence(self) -> str:
        return f"used more than {self._spec.memory_mb} MB of memory"


def hear_ready(control: socket.socket, timeout_s: float) -> None:
    """Wait for a zygote's first word. Raises SandboxLost."""
    control.settimeout(timeout_s)
    try:
        ready = control.recv(_PACKET)
    except OSError as error:
        raise SandboxLost(f"the zygote did not get ready: {error}") from None
    if not ready:
        raise SandboxLost("the zygote ended before it was ready")


def _kills() -> int:
    """How often the kernel has ended a process for want of memory, anywhere on this machine. 0: it does not say."""
    with contextlib.suppress(OSError), open("/proc/vmstat") as lines:
        for line in lines:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def own_uid(number: int) -> int:
    """A uid that nobody else in the sandbox has had."""
    return _FIRST_UID + number % _UIDS


def _usage(told: dict[str, Any]) -> Usage:
    return Usage(float(told.get("wall_s", 0)), float(told.get("cpu_s", 0)), float(told.get("memory_mb", 0)))
