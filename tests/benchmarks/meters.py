"""What the whole machine spends while something runs: the same measure for a process, a container and a service.

The machine must be otherwise idle; what it spends at rest is measured first and told with the results.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICK = os.sysconf("SC_CLK_TCK")


def busy_s() -> float:
    """Processor seconds that all processes of this machine have used since it started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) / _TICK


def rest() -> None:
    """Return when this machine had next to nothing to do for three seconds. Raises RuntimeError after two minutes."""
    quiet = 0
    for _ in range(120):
        before = busy_s()
        time.sleep(1)
        quiet = quiet + 1 if busy_s() - before < 0.15 else 0
        if quiet == 3:
            return
    raise RuntimeError("this machine does not come to rest: end what else runs here")


def used_mb() -> float:
    """Memory of this machine that nobody else could have."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    kb = {name: int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable")}
    return (kb["MemTotal"] - kb["MemAvailable"]) / 1024


class PeakMemory:
    """The highest `used_mb` above what it was at the start, looked at every 20 ms."""

    def __enter__(self) -> Self:
        self._base, self.mb = used_mb(), 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.mb = max(self.mb, used_mb() - self._base)


@dataclass(frozen=True)
class Row:
    """One line of the table: seconds of each run, processor seconds per grading, peak memory in MB."""

    way: str
    seconds: list[float]
    cpu_s: float
    peak_mb: float

    @property
    def median_s(self) -> float:
        return sorted(self.seconds)[len(self.seconds) // 2]

    @property
    def p95_s(self) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * 0.95))]


def machine() -> str:
    """One line that says what this was measured on."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    total_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} × {cpu}, {total_gib:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"
    )
