"""Archives and folders into files. Nothing is written to disk, and no header is believed: every read has a cap.

`zipfile` and `tarfile` were not made for hostile input and raise whatever comes to them; all of it is one answer here:
the archive is damaged.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from grader.catalog.digest import left_behind
from grader.errors import UploadError
from grader.submissions.files import SOLUTION, Caps, check, clean_path, quoted, too_large, too_many, twice

_KINDS = ".py, .zip, .tar.gz, .tgz or .tar"
_BLOCK = 512
_UTF8_NAME, _ENCRYPTED = 0x800, 0x1 | 0x40 | 0x2000
_Entry = tuple[str, Callable[[], IO[bytes]]]


def unpack(name: str, data: bytes, caps: Caps) -> dict[str, bytes]:
    """The files in an upload called `name`, checked. Raises UploadError, and nothing else whatever `data` is."""
    if len(data) > caps.packed_bytes:
        raise too_large(caps)
    lower = name.lower()
    if lower.endswith(".py"):
        return check({SOLUTION: data}, caps)
    read = next((read for suffix, read in _READERS.items() if lower.endswith(suffix)), None)
    if read is None:
        raise UploadError(f"{quoted(name)} is not a {_KINDS}; send one of these", "unknown_kind")
    try:
        return check(_gather(read(data, caps), caps), caps)
    except UploadError:
        raise
    except Exception as error:  # what the parsers raise for hostile input is not theirs to promise
        reason = str(error)[:100] or type(error).__name__
        raise UploadError(f"{quoted(name)} cannot be unpacked ({reason}); pack it anew", "bad_archive") from None


def from_path(path: Path, caps: Caps = Caps()) -> dict[str, bytes]:  # noqa: B008  (frozen)
    """The files of a .py, a folder or an archive on this machine, checked. Raises UploadError."""
    try:
        if path.is_dir():
            return check(_gather(_in_folder(path, caps), caps), caps)
        if not path.is_file():
            raise UploadError(f"there is no file or folder {path}", "not_found")
        with path.open("rb") as file:
            return unpack(path.name, file.read(caps.packed_bytes + 1), caps)
    except OSError as error:
        raise UploadError(f"{path} cannot be read: {error.strerror or error}", "unreadable") from None


def _gather(entries: Iterator[_Entry], caps: Caps) -> dict[str, bytes]:
    """Read the entries that count, as far as the caps go."""
    files: dict[str, bytes] = {}
    left = caps.total_bytes
    for name, opened in entries:
        path = clean_path(name)
        if path is None:
            continue
        if path in files:
            raise twice(path)
        if len(files) == caps.files:
            raise too_many(caps)
        with opened() as stream:
            files[path] = _read(stream, left, caps)
        left -= len(files[path])
    return files


def _read(stream: IO[bytes], left: int, caps: Caps) -> bytes:
    """All of a stream, to its very end, where its checksum is looked at."""
    content = io.BytesIO()
    while chunk := stream.read(min(left + 1, 1 << 16)):
        left -= content.write(chunk)
        if left < 0:
            raise too_large(caps)
    return content.getvalue()


def _zipped(data: bytes, caps: Caps) -> Iterator[_Entry]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if len(infos) > caps.entries:
            raise too_many(caps)
        for info in infos:
            name = _zip_name(info)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() and kind in (0, stat.S_IFDIR):
                continue
            if kind not in (0, stat.S_IFREG):
                raise _special(name)
            if info.flag_bits & _ENCRYPTED:
                raise UploadError("the archive is encrypted; pack it without a password", "encrypted_archive")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UploadError("the archive uses a rare compression; pack it as an ordinary zip", "bad_archive")
            yield name, lambda info=info: archive.open(info)  # type: ignore[misc]


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The whole name, zero bytes included. Names that do not say so are read as UTF-8 too: many tools forget it."""
    name = info.orig_filename
    if info.flag_bits & _UTF8_NAME or name.isascii():
        return name
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        raise UploadError(f"{quoted(name)} is a name that is not UTF-8; rename it", "bad_path") from None


def _gzipped(data: bytes, caps: Caps) -> Iterator[_Entry]:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        unpacked = stream.read(caps.packed_bytes + 1)
    if len(unpacked) > caps.packed_bytes:
        raise too_large(caps)
    return _tarred(unpacked, caps)


def _tarred(data: bytes, caps: Caps) -> Iterator[_Entry]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        for number, member in enumerate(archive):
            if number == caps.entries:
                raise too_many(caps)
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise _special(member.name)
            yield member.name, lambda member=member: _opened(archive, member)  # type: ignore[misc]
        end = data[archive.offset : archive.offset + _BLOCK]
        if len(end) < _BLOCK or any(end):  # tarfile takes a damaged header for the end
            raise UploadError("the archive is cut short or damaged; pack it anew", "bad_archive")


def _opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise _special(member.name)
    return stream


def _in_folder(folder: Path, caps: Caps) -> Iterator[_Entry]:
    waiting, seen = [folder], 0
    while waiting:
        for entry in sorted(waiting.pop().iterdir()):
            seen += 1
            if left_behind(entry.name):
                continue
            if seen > caps.entries:
                raise too_many(caps)
            mode = entry.lstat().st_mode
            if stat.S_ISDIR(mode):
                waiting.append(entry)
            elif stat.S_ISREG(mode):
                yield os.fsdecode(entry.relative_to(folder)), lambda entry=entry: entry.open("rb")  # type: ignore[misc]
            else:
                raise _special(str(entry))


def _special(name: str) -> UploadError:
    return UploadError(f"{quoted(name)} is a link, a device or the like; send plain files in its place", "special_file")


_READERS: dict[str, Callable[[bytes, Caps], Iterator[_Entry]]] = {
    ".zip": _zipped,
    ".tar.gz": _gzipped,
    ".tgz": _gzipped,
    ".tar": _tarred,
}
