"""The one interface of a sandbox. Backends implement it; the grader knows nothing else of them.

backend.start(spec)  ->  sandbox          a confined zygote with the runtime preloaded
sandbox.spawn(limits) ->  guest           a fresh fork that serves one submission
guest.channel                             our end of a stream socket to the guest (see `sandbox.wire`)
guest.end()          ->  ending           nothing of the guest is alive after this
sandbox.reset()                           nothing of the guest can be found after this, or SandboxLost
sandbox.destroy()                         nothing of the sandbox is left after this
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sandbox.limits import Limits, Usage


class Cause(StrEnum):
    """Why a guest ended."""

    ENDED = "ended"  # we ended it, and it had kept within its limits
    TIME_LIMIT = "time_limit"  # processor time; wall time is the judge's to measure
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    FILES_LIMIT = "files_limit"
    CRASHED = "crashed"  # it exited or was killed by a signal, by its own doing


FULL_CPU_SHARES = 1024  # what a container weighs that nobody said anything about


@dataclass(frozen=True)
class Ending:
    """How a guest ended, as the sandbox measured it.

    ``detail`` is one plain English sentence for the candidate ("the process exited with status 3").
    ``output`` is what the guest printed (stdout and stderr together), at most ``output_kb``.
    ``waited_s`` is how long it had no processor, in all (see `Guest.waited_s`).
    ``fault``: what failed that was ours to give, or "". Then the rest says nothing of the candidate's code.
    """

    cause: Cause
    detail: str
    usage: Usage
    output: bytes = b""
    waited_s: float = 0.0
    fault: str = ""


@dataclass(frozen=True)
class SandboxSpec:
    """What a sandbox is started with; two gradings with equal specs can be served by the same pool of warm ones."""

    runtime: str = "python"
    memory_mb: int = 1024
    processes: int = 32
    files_mb: int = 64

    @classmethod
    def of(cls, runtime: str, limits: Limits) -> SandboxSpec:
        """The spec of the sandbox that can enforce `limits` for an exercise of this runtime."""
        return cls(runtime, limits.memory_mb, limits.processes, limits.files_mb)


@dataclass(frozen=True)
class Finding:
    """One line of `grader doctor`: a check, how it went, and what to do about it; `runtime`: the only one it is for."""

    check: str
    level: str  # "ok" | "slow" | "unsafe" | "missing"
    detail: str
    remedy: str = ""
    runtime: str = ""


class Guest(Protocol):
    """A fork of the zygote that runs one candidate's code. Everything that comes out of `channel` is hostile."""

    @property
    def channel(self) -> socket.socket: ...

    def allow_cpu(self, seconds: float, total_s: float) -> None:
        """From now on the guest may use `seconds` more of processor time, and no more than `total_s` in its life; more
        than that ends it (TIME_LIMIT)."""

    def waited_s(self) -> float:
        """Seconds that the guest was ready to run but had no processor, because of other work on this machine."""

    def end(self) -> Ending:
        """Kill whatever of the guest is alive, and say how it ended. Safe to call again: the same answer."""


class Sandbox(Protocol):
    """A confined zygote. Serves one submission at a time. Methods raise SandboxLost when it no longer answers."""

    @property
    def id(self) -> str: ...
    @property
    def spec(self) -> SandboxSpec: ...
    @property
    def image(self) -> str:
        """What names the code in it: what `Backend.identity` said when it was started."""

    @property
    def uses(self) -> int:
        """How many guests it has served."""

    def ping(self) -> None:
        """Return when the zygote answers."""

    def spawn(self, limits: Limits) -> Guest: ...
    def reset(self) -> None:
        """Make sure that nothing of an earlier guest is left, or raise SandboxLost."""

    def destroy(self) -> None:
        """End the sandbox and all in it. Never raises; safe to call again."""


class Backend(Protocol):
    """Starts sandboxes of one kind."""

    @property
    def name(self) -> str: ...
    def check(self) -> list[Finding]:
        """What this machine offers the backend; a "missing" finding means that `start` will refuse."""

    def identity(self, runtime: str) -> str:
        """What names the code that guests will run on: the image's digest, or the versions of the local runtime.

        It changes when somebody makes the image anew; sandboxes that were started before have the old one. Raises
        SandboxUnavailable where there is none.
        """

    def start(self, spec: SandboxSpec) -> Sandbox:
        """Start a sandbox and wait until its zygote answers. Raises SandboxUnavailable or SandboxLost."""

    def close(self) -> None:
        """Let go of what the backend itself holds (a client, a folder); sandboxes are destroyed by their owners."""
