"""Folders of sandboxes and judges, each held by the worker that made it: what nobody holds was left by one that was
killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_MAKING_S = 10.0


def hold(folder: str) -> int | None:
    """Hold a folder for as long as this process lives; None if another holds it or it is gone."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
    except OSError:
        return None
    return lock


def abandoned(parent: Path, pattern: str) -> Iterator[Path]:
    """The folders that nobody holds, each held until the next one is asked for."""
    for path in parent.glob(pattern):
        with contextlib.suppress(OSError):
            young = abs(time.time() - path.lstat().st_mtime) < _MAKING_S  # made just now, and not held yet
            if not young and (lock := hold(str(path))) is not None:
                try:
                    yield path
                finally:
                    os.close(lock)
