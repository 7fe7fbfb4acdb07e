"""The zygote's account of one guest: what it may use, what it has used, and how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

from sandbox.guest import meter
from sandbox.guest.birth import BORN

_HELPERS = 2  # more tasks than are allowed, before it is called a limit: the docker backend's bound has them too
_LEAST_CPU_S = 0.01  # a test that may run at all may do something
_SLACK_MB = 16  # the interpreter's own small change, which no candidate can be told about


class Watch:
    """One guest: its main process, what it printed, what it used. `born`: where it said that it was ready, or what
    failed before; `limits`: the dict that came with `spawn`."""

    def __init__(
        self, pid: int, pipe: int, printed_to: int, born: int, limits: dict[str, Any], folders: list[str]
    ) -> None:
        self.pid, self.pipe, self.limits = pid, pipe, limits
        self.status: int | None = None  # of the main process, once it has ended
        self.cause: str | None = None  # the limit that it broke
        self._printed_to, self._printed = printed_to, 0
        self._born, self._lacking = born, ""
        self._folders = folders
        self._started = time.monotonic()
        self._earlier_cpu_s = meter.children_cpu_s()
        self._base_mb, self._base_own_mb = meter.resident_mb(), meter.own_mb("self")
        self._base_container_mb = meter.container_mb(folders)
        self._earlier_oom_kills = meter.oom_kills()
        self._share_s = self._until_s = float(limits["cpu_s"])
        self._cpu_s = self._peak_mb = self._waited_s = 0.0

    @property
    def flooded(self) -> bool:
        """Whether it has printed more than it may."""
        return self._printed > int(self.limits["output_kb"]) << 10

    @property
    def waited_s(self) -> float:
        """Seconds without a processor, when it was last measured."""
        return round(self._waited_s, 6)

    def allow_cpu(self, seconds: float, total_s: float) -> None:
        """So much more from what it has used by now, and no more than that in its life."""
        self._until_s = max(self._cpu_s + _LEAST_CPU_S, min(self._cpu_s + seconds, total_s))
        self._share_s = self._until_s - self._cpu_s

    def usage(self) -> dict[str, float]:
        return {
            "wall_s": round(time.monotonic() - self._started, 4),
            "cpu_s": round(self._cpu_s, 4),
            "memory_mb": round(self._peak_mb, 1),
        }

    def measure(self) -> None:
        """Look at all its processes; the first limit that is found broken is its cause of death."""
        living = meter.descendants(os.getpid())
        used = self._used_s(living)
        if used > self._until_s:  # a child that ends between two looks may be counted in both: look again
            used = min(used, self._used_s(meter.descendants(os.getpid())))
        self._cpu_s = max(self._cpu_s, used)
        now_mb = self._now_mb(living)
        self._peak_mb = max(self._peak_mb, now_mb, meter.peak_mb(self.pid) - self._base_own_mb)
        if self.status is None:
            self._waited_s = max(self._waited_s, meter.waited_s(self.pid))
        self._look_at_disk()
        self.cause = self.cause or self._broken(now_mb, sum(process.tasks for process in living))

    def drain(self) -> None:
        """Move what it printed into the host's file, inside the kernel: the next guest inherits our memory."""
        cap = self.limits["output_kb"] << 10
        with contextlib.suppress(BlockingIOError):
            while self.pipe >= 0 and self._printed <= cap:
                moved = os.splice(self.pipe, self._printed_to, cap + 1 - self._printed, flags=os.SPLICE_F_NONBLOCK)
                self._printed += moved
                if not moved:
                    self.hang_up()

    def hang_up(self) -> None:
        """Listen no more."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1

    def reaped(self, status: int, peak_mb: float) -> None:
        """The main process has ended."""
        self.status = status
        self._peak_mb = max(self._peak_mb, peak_mb - self._base_mb)

    def account(self, ended_by_us: bool) -> dict[str, Any]:
        """The last word, when nothing of it is alive. Closes what was open for it."""
        self.drain()
        self.hang_up()
        os.close(self._printed_to)
        self._cpu_s = max(self._cpu_s, meter.children_cpu_s() - self._earlier_cpu_s)
        self.cause = self.cause or self._broken(0.0, 0)
        self._look_at_disk()
        cause, detail, number = self._told(ended_by_us)
        told = {"cause": cause, "detail": detail, "signal": number, "usage": self.usage()}
        return told | {"waited_s": self.waited_s, "fault": self._unborn() or self._lacking}

    def _look_at_disk(self) -> None:
        """Where guests have no file system of their own, it may be full without their doing."""
        if self.limits["count_files"] and self.cause is None and any(map(meter.full, self._folders)):
            self._lacking = "the disk of the sandboxes is full"

    def _unborn(self) -> str:
        """Why the candidate's code was never reached; "" where it was."""
        with os.fdopen(self._born, "rb", buffering=0) as pipe:
            said = pipe.read(500) or b""
        return "" if said == BORN else "a guest was not born: " + (said.decode("utf-8", "replace") or "it said nothing")

    def _used_s(self, living: list[meter.Process]) -> float:
        return meter.children_cpu_s() - self._earlier_cpu_s + sum(process.cpu_s for process in living)

    def _now_mb(self, living: list[meter.Process]) -> float:
        """Memory of all processes above the zygote's; pages that they share are counted once."""
        used = sum(max(0.0, process.memory_mb - self._base_own_mb) for process in living)
        if used <= self.limits["memory_mb"] or len(living) == 1:
            return used
        shares = self._base_own_mb * len(living) / (len(living) + 1)  # of the pages that are still the zygote's too
        proportional = meter.proportional_mb([process.pid for process in living]) - shares
        container = meter.container_mb(self._folders) - self._base_container_mb
        return max(0.0, min(used, proportional, container))

    def _broken(self, now_mb: float, tasks: int) -> str | None:
        limits = self.limits
        if self._cpu_s > self._until_s:
            return "time_limit"
        if now_mb > limits["memory_mb"] + _SLACK_MB or meter.oom_kills() > self._earlier_oom_kills:
            return "memory_limit"
        if self.flooded:
            return "output_limit"
        if limits["count_files"] and sum(map(meter.tree_mb, self._folders)) > limits["files_mb"]:
            return "files_limit"
        if tasks > limits["processes"] + _HELPERS:  # where the kernel bounds them, it never comes to this
            return "crashed"
        return None

    def _told(self, ended_by_us: bool) -> tuple[str, str, int]:
        """The cause, a sentence for the candidate, and the signal that killed it if nothing explains that yet."""
        sentences = {
            "time_limit": f"used more than {self._share_s:.3g} s of processor time",
            "memory_limit": f"used more than {self.limits['memory_mb']} MB of memory",
            "output_limit": f"printed more than {self.limits['output_kb']} kB",
            "files_limit": f"wrote more than {self.limits['files_mb']} MB of files",
            "crashed": f"ran more than {self.limits['processes']} processes and threads at once",
        }
        if self.cause is not None:
            return self.cause, sentences[self.cause], 0
        if ended_by_us or self.status is None:
            return "ended", "", 0
        if not os.WIFSIGNALED(self.status):
            return "crashed", f"the process exited with status {os.WEXITSTATUS(self.status)}", 0
        number = os.WTERMSIG(self.status)
        if number == signal.SIGXCPU or (number == signal.SIGKILL and self._cpu_s >= self.limits["cpu_s"]):
            return "time_limit", sentences["time_limit"], 0
        name = signal.strsignal(number) or "unknown"
        return "crashed", f"the process was killed by signal {number} ({name})", number
