"""Archives for tests, well-formed and hostile."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


def zip_entry(name: str, content: bytes = b"x", mode: int = 0o100644) -> zipfile.ZipInfo:
    """An entry with this Unix mode, which says what kind of file it is."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.file_size = len(content)
    return info


def zip_of(*entries: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    """A zip of these very entries, doubled ones included."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in entries:
            archive.writestr(info, content)
    return out.getvalue()


def tarred(files: Mapping[str, bytes], packed: bool = True) -> bytes:
    """A tar, or a tar.gz, of these files."""
    return tar_of(*((tar_entry(path), content) for path, content in files.items()), packed=packed)


def tar_entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tar_of(*entries: tuple[tarfile.TarInfo, bytes], packed: bool = True) -> bytes:
    """A tar, or a tar.gz, of these very entries, doubled ones included."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", encoding="utf-8", errors="surrogateescape") as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0) if packed else out.getvalue()
