"""A submission's files: what may be stored, and the digest that names them. Pure: no database, no web.

A submission is a mapping of relative POSIX paths to contents that has `solution.py`. Whatever comes in (JSON, an
archive, a folder) passes through `check`, so that everything behind it can rely on what `check` promises.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grader.catalog.digest import left_behind, of_files
from grader.errors import UploadError
from grader.settings import Settings

SOLUTION = "solution.py"
_MOST_BYTES_OF_PATH = 200
_MOST_DEPTH = 8
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control, bidi, surrogate, private, unassigned, line breaks


@dataclass(frozen=True)
class Caps:
    """How large a submission may be: `total_bytes` of content in at most `files` files."""

    total_bytes: int = 1 << 20
    files: int = 50

    @classmethod
    def of(cls, settings: Settings) -> Caps:
        return cls(settings.max_upload_kb << 10, settings.max_files)

    @property
    def packed_bytes(self) -> int:
        """Largest archive that is looked at, packed or unpacked: what tools leave behind in it comes on top."""
        return 16 * self.total_bytes

    @property
    def entries(self) -> int:
        """Most entries of an archive that are looked at, folders and what tools leave behind included."""
        return 20 * self.files


def check(files: Mapping[str, bytes], caps: Caps) -> dict[str, bytes]:
    """The files as they are stored, sorted by path. Raises UploadError.

    Paths are relative, without `..`, in NFC, and no two of them are one on a file system that ignores case. What tools
    leave behind is dropped; a single folder around everything is taken off; .py files are UTF-8.
    """
    kept = _named(files.items())
    if not kept:
        raise UploadError(f"there is no file in it; send at least {SOLUTION}", "empty_submission")
    kept = _without_top(kept)
    _check_size(kept, caps)
    _check_collisions(kept)
    _check_solution(kept)
    for path, content in kept.items():
        _check_source(path, content)
    return dict(sorted(kept.items()))


def digest(files: Mapping[str, bytes]) -> str:
    """ "sha256:<hex>" over paths and contents."""
    return of_files(files.items())


def clean_path(path: str) -> str | None:
    """The path as it is stored; None for what tools leave behind. Raises UploadError for one that is not allowed."""
    if path.startswith("/") or "\\" in path or re.match("[A-Za-z]:", path):
        raise UploadError(f"{quoted(path)} is not a relative path with forward slashes; rename it", "bad_path")
    parts = [part for part in unicodedata.normalize("NFC", path).split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise UploadError(f"{quoted(path)} leads out of the submission; leave it out", "bad_path")
    if any(left_behind(part) for part in parts):
        return None
    _check_name(path, parts)
    return "/".join(parts)


def quoted(path: str) -> str:
    """A path for a message: short, and without characters that could deceive."""
    return repr(path if len(path) <= 80 else f"{path[:77]}...")


def too_large(caps: Caps) -> UploadError:
    return UploadError(
        f"it is larger than {caps.total_bytes >> 10} KB; send source code only, no data and no models", "too_large"
    )


def too_many(caps: Caps) -> UploadError:
    return UploadError(f"it has more than {caps.files} files; send only what solution.py needs", "too_many_files")


def twice(path: str) -> UploadError:
    return UploadError(f"{quoted(path)} is there twice; send each file once", "duplicate_path")


def _named(files: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    kept: dict[str, bytes] = {}
    for path, content in files:
        name = clean_path(path)
        if name is None:
            continue
        if name in kept:
            raise twice(name)
        kept[name] = content
    return kept


def _check_name(path: str, parts: list[str]) -> None:
    if any(unicodedata.category(character) in _UNSEEN for character in path):
        raise UploadError(f"{quoted(path)} has characters that cannot be seen, or is not UTF-8; rename it", "bad_path")
    if len("/".join(parts).encode()) > _MOST_BYTES_OF_PATH or len(parts) > _MOST_DEPTH:
        raise UploadError(
            f"{quoted(path)} is too long or too deep: at most {_MOST_BYTES_OF_PATH} bytes and {_MOST_DEPTH} levels",
            "bad_path",
        )


def _without_top(files: dict[str, bytes]) -> dict[str, bytes]:
    """Take off the folder that many tools put around everything."""
    tops = {path.partition("/")[0] for path in files}
    if len(tops) == 1 and f"{(top := tops.pop())}/{SOLUTION}" in files:
        return {path.removeprefix(f"{top}/"): content for path, content in files.items()}
    return files


def _check_size(files: Mapping[str, bytes], caps: Caps) -> None:
    if len(files) > caps.files:
        raise too_many(caps)
    if sum(map(len, files.values())) > caps.total_bytes:
        raise too_large(caps)


def _check_collisions(files: Mapping[str, bytes]) -> None:
    """No two paths, nor a file and a folder, that are one where case or the form of a character does not count."""
    seen: dict[str, tuple[str, bool]] = {}
    for path in files:
        parts = path.split("/")
        for length in range(1, len(parts) + 1):
            shown, is_file = "/".join(parts[:length]), length == len(parts)
            key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())
            other, other_is_file = seen.setdefault(key, (shown, is_file))
            if other != shown or other_is_file != is_file:
                raise UploadError(
                    f"{quoted(other)} and {quoted(shown)} are the same name on some systems; rename one",
                    "path_collision",
                )


def _check_solution(files: Mapping[str, bytes]) -> None:
    if SOLUTION not in files:
        near = next((path for path in files if path.lower().endswith(SOLUTION)), None)
        near = near or next((path for path in files if path.endswith(".py")), None)
        hint = f"; should {quoted(near)} be it?" if near else ""
        raise UploadError(f"there is no {SOLUTION} at the top{hint}", "no_solution")
    if not files[SOLUTION].strip():
        raise UploadError(f"{SOLUTION} is empty; was it saved?", "empty_submission")
    if any(path.startswith("solution/") for path in files):
        raise UploadError(
            f"the folder solution/ would hide {SOLUTION} from Python; rename the folder", "path_collision"
        )


def _check_source(path: str, content: bytes) -> None:
    if not path.endswith(".py"):
        return
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise UploadError(f"{quoted(path)} is not UTF-8 (byte {error.start}); save it as UTF-8", "not_utf8") from None
    if b"\0" in content:
        raise UploadError(f"{quoted(path)} has zero bytes, so it is no text; save it as UTF-8", "not_utf8")
