"""The digest of a tree of files: the version that a grading names. The same on every machine.

SHA-256 over, for each file in the order of its path's bytes: the path (UTF-8, NFC, POSIX), a zero byte, and the SHA-256
of the content. Times, owners, modes and empty folders do not count; neither does what editors and tools leave behind.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from grader.errors import ExerciseError

LEFT_BEHIND = (
    "__pycache__",
    "*.pyc",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".git",
    ".venv",
    ".idea",
    ".vscode",
    ".DS_Store",
    "__MACOSX",
    "Thumbs.db",
    "*~",
    ".*.sw?",
    ".#*",
    "#*#",
)
"""Names of files and folders that tools leave behind: no part of an exercise or a submission."""

Signature = tuple[tuple[str, int, int, int], ...]


def left_behind(name: str) -> bool:
    """Whether a file or folder of this name is litter of a tool."""
    return any(fnmatchcase(name, pattern) for pattern in LEFT_BEHIND)


def entries(folder: Path) -> list[tuple[str, os.stat_result]]:
    """The files that count, with their paths relative to `folder`, in the order of the digest.

    Raises ExerciseError for a link or anything else that is neither a file nor a folder.
    """
    found = []
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as listing:
            for entry in listing:
                if left_behind(entry.name):
                    continue
                info = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(info.st_mode):
                    waiting.append(Path(entry.path))
                elif stat.S_ISREG(info.st_mode):
                    found.append((Path(entry.path).relative_to(folder).as_posix(), info))
                else:
                    raise ExerciseError(f"{entry.path} is a link or a special file; put a plain file in its place")
    return sorted(found, key=lambda pair: _name(pair[0]))


def signature(folder: Path) -> Signature:
    """What the files that count look like from outside: path, times, size. With another, they are to be read anew."""
    return tuple((path, info.st_mtime_ns, info.st_ctime_ns, info.st_size) for path, info in entries(folder))


def digest(folder: Path) -> str:
    """ "sha256:<hex>" over the content of a folder. Raises ExerciseError, OSError."""
    return of_files((path, (folder / path).read_bytes()) for path, _ in entries(folder))


def of_files(files: Iterable[tuple[str, bytes]]) -> str:
    """ "sha256:<hex>" over relative POSIX paths and their contents, in any order."""
    total = hashlib.sha256()
    for path, content in sorted((_name(path), content) for path, content in files):
        total.update(path + b"\0" + hashlib.sha256(content).digest())
    return f"sha256:{total.hexdigest()}"


def _name(path: str) -> bytes:
    return unicodedata.normalize("NFC", path).encode("utf-8", "surrogateescape")
