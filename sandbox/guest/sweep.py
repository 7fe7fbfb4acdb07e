"""Removing what guests leave in folders, whatever they did to it. Run with the uid of the guest that made it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat


def sweep(folders: list[str]) -> None:
    """Remove what is in the folders as far as this process may; `left` says what is still there."""
    for path in left(folders):
        with contextlib.suppress(OSError, RecursionError):
            if stat.S_ISDIR(os.lstat(path).st_mode):
                _open_up(path)
                shutil.rmtree(path, ignore_errors=True)
            else:  # never opened: a FIFO would keep us waiting
                os.unlink(path)


def left(folders: list[str]) -> list[str]:
    """What is in the folders."""
    return [os.path.join(folder, name) for folder in folders for name in _listed(folder)]


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _open_up(path: str) -> None:
    """Give the owner back what a guest took from its own folders, so that they can be removed."""
    with contextlib.suppress(OSError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.chmod(path, 0o700)
            for name in os.listdir(path):
                _open_up(os.path.join(path, name))
