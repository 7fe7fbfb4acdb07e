"""A process's place among those that want a processor."""

from __future__ import annotations

import contextlib
import os


def give_way(niceness: int) -> None:
    """Make this process, and all threads and processes that it starts from now on, nice; and its session, if it is its
    own. One that it shares with whoever started it stays as it is: there it is nice beside the others."""
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        keep_niceness()


def begin_session() -> None:
    """Leave the session of whoever started this process, and keep its niceness."""
    os.setsid()
    keep_niceness()


def keep_niceness() -> None:
    """Make the session that this process began as nice as it is itself: a kernel that shares processors out by session
    ("autogroup") gives each a whole share, however nice all is that runs in it. Guests of the local sandbox may not ask
    for that, so those of a nice one begin no session."""
    if niceness := os.nice(0):
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as file:
            file.write(str(niceness))
