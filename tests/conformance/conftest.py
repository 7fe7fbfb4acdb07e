"""Sandboxes for the conformance suite, and a candidate whose code runs in them."""

from __future__ import annotations

import itertools
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.codec import Decoder, Encoder
from sandbox.interface import Backend, Ending, Guest, Sandbox, SandboxSpec
from sandbox.limits import Limits
from sandbox.wire import Channel, Deadline, WireClosed

SPEC = SandboxSpec("python", memory_mb=256, processes=16, files_mb=16)
LIMITS = Limits(cpu_s=5, memory_mb=256, processes=16, files_mb=16, output_kb=16)


class Symbol(str):
    """The name of something in the candidate's module, as an operand."""


class Candidate:
    """Code in a guest, spoken to over the wire as the judge does."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self._channel = Channel(guest.channel, 1 << 26)
        self._numbers = itertools.count(1)

    def load(self, source: str) -> None:
        assert self._ask("files", {"solution.py": textwrap.dedent(source).encode()}, {})[0] == "ok"
        assert self._ask("load", [])[0] == "ok"

    def call(self, name: str, *args: Any, within_s: float = 30) -> Any:
        """What its function returns. Raises AssertionError for an exception of its own, WireClosed when it is gone."""
        word, _, value = self._ask("call", Symbol(name), list(args), {}, within_s=within_s)
        assert word == "ok", value
        return value

    def dies_in(self, name: str, *args: Any) -> Ending:
        """Call a function that does not come back."""
        with pytest.raises(WireClosed):
            self.call(name, *args)
        return self.guest.end()

    def _ask(self, op: str, *operands: Any, within_s: float = 30) -> Any:
        message = (op, next(self._numbers), [], {"grad": True}, *operands)
        deadline = Deadline(within_s)
        self._channel.send(Encoder(lambda value: ("symbol", str(value))).encode(message), deadline)
        return Decoder(self._channel.receive(deadline), lambda kind, told: (kind, told)).decode()


@pytest.fixture
def start(backend: Backend) -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes that are destroyed after the test."""
    started: list[Sandbox] = []

    def start_one(spec: SandboxSpec = SPEC) -> Sandbox:
        started.append(backend.start(spec))
        return started[-1]

    yield start_one
    for sandbox in started:
        sandbox.destroy()


@pytest.fixture
def sandbox(start: Callable[..., Sandbox]) -> Sandbox:
    return start()


@pytest.fixture
def run(sandbox: Sandbox) -> Callable[..., Candidate]:
    """Spawn a guest in the test's sandbox, and load code into it."""

    def run_one(source: str, limits: Limits = LIMITS) -> Candidate:
        candidate = Candidate(sandbox.spawn(limits))
        candidate.load(source)
        return candidate

    return run_one


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], None]:
    """Wait for a condition, within a generous bound."""

    def wait(condition: Callable[[], Any]) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, "it did not come true"
            time.sleep(0.02)

    return wait


@pytest.fixture
def folder(request: pytest.FixtureRequest, backend: Backend) -> str:
    """A folder that guests may write to, as the parameter names it."""
    if request.param == "/tmp" and any(finding.check == "place" for finding in backend.check()):
        pytest.skip("this checkout lies below /tmp, so a local sandbox has no /tmp of its own")
    return str(request.param)
