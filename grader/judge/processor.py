"""How long the judge itself had no processor: that is no time of the guest's."""

from __future__ import annotations

import contextlib
import os


class Waiting:
    """Of the thread that makes it, from /proc (schedstat). For a process's life: its descriptor is never closed."""

    def __init__(self) -> None:
        self._fd = -1
        with contextlib.suppress(OSError):  # a kernel that keeps no such account
            self._fd = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def seconds(self) -> float:
        """Seconds that it was ready to run and others had the processors, since it began. 0: nobody knows."""
        return int(os.pread(self._fd, 128, 0).split()[1]) / 1e9 if self._fd >= 0 else 0.0
