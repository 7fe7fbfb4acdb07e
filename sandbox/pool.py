"""Warm sandboxes, ready before they are asked for. The law of the pool:

- A sandbox that is handed out was pinged first; one that does not answer is destroyed and replaced, and so is one of
  another image than there is now.
- `per_container`: what comes back is destroyed, whatever it says of itself.
- `per_process`: what comes back clean is reset; if that fails, or it has served `max_uses`, it is destroyed.
- What comes back unclean (a limit, a crash, a protocol violation) is destroyed.
- For each kind (`SandboxSpec`) that is in use, `size` are kept ready, and half of them while anything is graded:
  starting one takes processors from somebody who waits for a score, and can be done after that.
- All kinds together never exceed `cap`. At the cap an idle one of another kind gives way; if all are busy, `acquire`
  waits.
"""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from typing import Literal

from sandbox.errors import PoolClosed, SandboxError, SandboxUnavailable
from sandbox.interface import Backend, Sandbox, SandboxSpec

Policy = Literal["per_container", "per_process"]


class Lease:
    """A sandbox that is ours until it is released."""

    def __init__(self, pool: SandboxPool, sandbox: Sandbox, policy: Policy) -> None:
        self.sandbox = sandbox
        self._pool, self._policy = pool, policy

    def release(self, clean: bool) -> None:
        """Give it back. `clean`: its guest kept within its limits and was ended by us."""
        self._pool.take_back(self.sandbox, keep=clean and self._policy == "per_process")


class SandboxPool:
    """Thread-safe. `size` warm sandboxes per kind, `cap` alive in all, `max_uses` guests per sandbox."""

    def __init__(self, backend: Backend, size: int, cap: int, max_uses: int) -> None:
        self._backend, self._size, self._cap, self._max_uses = backend, size, cap, max_uses
        self._changed = threading.Condition()
        self._idle: defaultdict[SandboxSpec, list[Sandbox]] = defaultdict(list)
        self._starting: defaultdict[SandboxSpec, int] = defaultdict(int)
        self._waiting: defaultdict[SandboxSpec, int] = defaultdict(int)
        self._failed: dict[SandboxSpec, SandboxError] = {}
        self._busy: set[Sandbox] = set()
        self._threads: set[threading.Thread] = set()
        self._closed = False

    def prewarm(self, spec: SandboxSpec) -> None:
        """Have sandboxes of this kind ready, without waiting for them."""
        with self._changed:
            self._fill(spec)

    def acquire(self, spec: SandboxSpec, policy: Policy) -> Lease:
        """A sandbox that answers. Waits while all are busy. Raises SandboxError if none can be started."""
        image = self._backend.identity(spec.runtime)
        while True:
            sandbox = self._next(spec)
            try:
                sandbox.ping()
                if sandbox.image != image:  # made anew meanwhile, perhaps
                    image = self._backend.identity(spec.runtime)
            except SandboxError:
                self.take_back(sandbox, keep=False)
                continue
            if sandbox.image == image:
                return Lease(self, sandbox, policy)
            self.take_back(sandbox, keep=False)

    def take_back(self, sandbox: Sandbox, keep: bool) -> None:
        """What `Lease.release` does. Nobody waits for the end of one that is destroyed, but `close`."""
        if keep and sandbox.uses < self._max_uses:
            try:
                sandbox.reset()
            except SandboxError:
                keep = False
        else:
            keep = False
        if keep:
            self._settle(sandbox, keep=True)
            return
        ending = threading.Thread(target=self._end, args=(sandbox,), name="sandbox-end", daemon=True)
        with self._changed:
            if not self._closed:
                with contextlib.suppress(RuntimeError):  # no thread is to be had
                    ending.start()
                    self._threads.add(ending)
                    return
        self._end(sandbox)

    def _end(self, sandbox: Sandbox) -> None:
        try:
            sandbox.destroy()
        finally:
            self._settle(sandbox, keep=False)

    def _settle(self, sandbox: Sandbox, keep: bool) -> None:
        """It is busy no more; keep it for the next, or start another."""
        with self._changed:
            self._threads.discard(threading.current_thread())
            self._busy.discard(sandbox)
            if keep and not self._closed:
                self._idle[sandbox.spec].append(sandbox)
            elif keep:
                sandbox.destroy()
            for spec in [sandbox.spec] if self._busy else list(self._idle):
                self._fill(spec)
            self._changed.notify_all()

    def census(self) -> dict[str, int]:
        """How many sandboxes are idle, busy, starting, and how many gradings wait for one."""
        with self._changed:
            return {
                "idle": sum(map(len, self._idle.values())),
                "busy": len(self._busy),
                "starting": sum(self._starting.values()),
                "wanted": sum(self._waiting.values()),
            }

    def close(self) -> None:
        """Destroy the idle ones and those that are just starting; busy ones go when they are released."""
        with self._changed:
            self._closed = True
            idle = [sandbox for sandboxes in self._idle.values() for sandbox in sandboxes]
            self._idle.clear()
            threads = list(self._threads)
            self._changed.notify_all()
        for sandbox in idle:
            sandbox.destroy()
        for thread in threads:
            thread.join()

    def _next(self, spec: SandboxSpec) -> Sandbox:
        with self._changed:
            if not self._waiting[spec]:
                self._failed.pop(spec, None)  # of a start that nobody waited for
            self._waiting[spec] += 1
            try:
                while not self._idle[spec]:
                    if self._closed:
                        raise PoolClosed("the pool is closed")
                    self._fill(spec)
                    self._changed.wait(1.0)
                    if not self._idle[spec] and (failure := self._failed.pop(spec, None)) is not None:
                        raise failure
                sandbox = self._idle[spec].pop()  # the one that was used last: its memory is the warmest
            finally:
                self._waiting[spec] -= 1
            self._busy.add(sandbox)
            self._fill(spec)
            return sandbox

    def _fill(self, spec: SandboxSpec) -> None:
        """Start what is missing of this kind. The lock is held."""
        ready = (self._size + 1) // 2 if self._busy else self._size
        wanted = max(ready, self._waiting[spec])
        while not self._closed and len(self._idle[spec]) + self._starting[spec] < wanted:
            if self._alive() >= self._cap and not self._make_room(spec):
                return
            self._starting[spec] += 1
            thread = threading.Thread(target=self._start, args=(spec,), name="sandbox-start", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _make_room(self, spec: SandboxSpec) -> bool:
        """At the cap: an idle sandbox of another kind gives way, but only to somebody who waits."""
        if not self._waiting[spec] or self._starting[spec]:
            return False
        for other, sandboxes in self._idle.items():
            if other != spec and sandboxes:
                sandboxes.pop(0).destroy()
                return True
        return False

    def _start(self, spec: SandboxSpec) -> None:
        try:
            sandbox = self._backend.start(spec)
        except SandboxError as error:
            failure: SandboxError | None = error
        except OSError as error:  # no disk, memory, process or descriptor is free: no sandbox can be had at the moment
            failure = SandboxUnavailable(f"no sandbox can be started: {error}.", "free what this machine lacks")
        except Exception as error:
            failure = SandboxError(f"{type(error).__name__}: {error}")
        else:
            failure = None
        with self._changed:
            self._starting[spec] -= 1
            self._threads.discard(threading.current_thread())
            if failure is not None:
                self._failed[spec] = failure
            elif not self._closed:
                self._idle[spec].append(sandbox)
                self._failed.pop(spec, None)
                self._changed.notify_all()
                return
            self._changed.notify_all()
        if failure is None:
            with contextlib.suppress(SandboxError):
                sandbox.destroy()

    def _alive(self) -> int:
        return len(self._busy) + sum(map(len, self._idle.values())) + sum(self._starting.values())
