"""Hostile and damaged archives: whatever comes in, the answer is files within the caps, or an UploadError."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import UploadError
from grader.submissions.archives import unpack
from grader.submissions.files import Caps
from tests.unit.archives import tar_entry, tar_of, tarred, zip_entry, zip_of, zipped

GOOD = {"solution.py": b"import helpers\n", "helpers.py": b"x = 1\n" * 50}
CAPS = Caps(total_bytes=10_000, files=5)
SOLUTION = zip_entry("solution.py"), b"x"
TAR_SOLUTION = tar_entry("solution.py"), b"x"


def refusal(name: str, data: bytes) -> UploadError:
    with pytest.raises(UploadError) as caught:
        unpack(name, data, CAPS)
    assert str(caught.value).isprintable()
    return caught.value


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_ordinary_zip_is_unpacked(compression: int) -> None:
    assert unpack("a.zip", zipped({f"top/{path}": text for path, text in GOOD.items()}, compression), CAPS) == GOOD


def test_an_ordinary_tar_is_unpacked() -> None:
    folder = tar_entry("./", tarfile.DIRTYPE), b""
    files = [(tar_entry(f"./{path}"), content) for path, content in GOOD.items()]
    assert unpack("a.tar", tar_of(folder, *files, packed=False), CAPS) == GOOD
    assert unpack("a.tar.gz", tar_of(folder, *files), CAPS) == GOOD


@pytest.mark.parametrize("name", ["../x.py", "/etc/x.py", "a/../../x.py", "C:\\x.py", "x\N{RIGHT-TO-LEFT OVERRIDE}y"])
def test_a_path_out_of_the_archive_is_refused(name: str) -> None:
    assert refusal("a.zip", zip_of(SOLUTION, (zip_entry(name), b""))).code == "bad_path"
    assert refusal("a.tar.gz", tar_of(TAR_SOLUTION, (tar_entry(name), b""))).code == "bad_path"


def test_a_zero_byte_does_not_hide_the_rest_of_a_name() -> None:
    data = zip_of(SOLUTION, (zip_entry("helpers.py_evil"), b"")).replace(b"helpers.py_evil", b"helpers.py\0evil")
    assert refusal("a.zip", data).code == "bad_path"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_devices_and_pipes_in_a_tar_are_refused(kind: bytes) -> None:
    assert refusal("a.tgz", tar_of(TAR_SOLUTION, (tar_entry("x", kind, "/etc/passwd"), b""))).code == "special_file"


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o060666, 0o010666, 0o140777])
def test_links_devices_and_pipes_in_a_zip_are_refused(mode: int) -> None:
    assert refusal("a.zip", zip_of(SOLUTION, (zip_entry("x", mode=mode), b"/etc/passwd"))).code == "special_file"


def test_a_sparse_member_is_refused() -> None:
    member = tar_entry("hole.py")
    member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 40)}
    assert refusal("a.tar.gz", tar_of(TAR_SOLUTION, (member, b"x"))).code == "special_file"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_refused() -> None:
    assert refusal("a.zip", zip_of(SOLUTION, SOLUTION)).code == "duplicate_path"
    assert refusal("a.tar.gz", tar_of(TAR_SOLUTION, (tar_entry("./solution.py"), b"y"))).code == "duplicate_path"


@pytest.mark.parametrize("size", [10_001, 50_000_000])
def test_a_bomb_is_refused_before_it_is_unpacked(size: int) -> None:
    bomb = {"solution.py": b"x", "zeros": bytes(size)}
    assert refusal("a.zip", zipped(bomb)).code == "too_large"
    assert refusal("a.tar.gz", tarred(bomb)).code == "too_large"


def test_many_entries_are_refused() -> None:
    for count, path in [(6, "{}.py"), (101, "__pycache__/{}")]:
        many = {path.format(number): b"" for number in range(count)}
        assert refusal("a.zip", zipped(many)).code == "too_many_files"
        assert refusal("a.tar.gz", tarred(many)).code == "too_many_files"


def test_a_bomb_among_what_tools_leave_behind_is_not_unpacked() -> None:
    assert unpack("a.zip", zipped(GOOD | {"__MACOSX/zeros": bytes(5_000_000)}), CAPS) == GOOD


def test_a_zip_that_lies_about_sizes_gains_nothing() -> None:
    content = b"x = 1\n" * 1000
    data = bytearray(zipped({"solution.py": content}))
    size = data.rindex(b"PK\x01\x02") + 24
    struct.pack_into("<L", data, size, 1)
    assert refusal("a.zip", bytes(data)).code == "bad_archive"
    struct.pack_into("<L", data, size, 1 << 31)
    assert unpack("a.zip", bytes(data), CAPS) == {"solution.py": content}


def test_a_tar_that_lies_about_sizes_is_refused() -> None:
    info = tar_entry("solution.py")
    info.size = 9_999
    data = info.tobuf() + b"x".ljust(512, b"\0") + bytes(1024)
    assert refusal("a.tar", data).code == "bad_archive"


def test_an_encrypted_zip_is_refused() -> None:
    data = bytearray(zipped(GOOD))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    assert refusal("a.zip", bytes(data)).code == "encrypted_archive"


def test_a_rare_compression_is_refused() -> None:
    assert "ordinary zip" in str(refusal("a.zip", zipped(GOOD, zipfile.ZIP_BZIP2)))


def test_names_are_utf8_or_refused() -> None:
    data = zipped(GOOD | {"caf__.py": b""})
    assert "caf\u00e9.py" in unpack("a.zip", data.replace(b"caf__", "caf\u00e9".encode()), CAPS)
    assert refusal("a.zip", data.replace(b"caf__", b"caf\xe9\xff")).code == "bad_path"
    assert refusal("a.tar.gz", tar_of(TAR_SOLUTION, (tar_entry("caf\udce9.py"), b""))).code == "bad_path"


def test_a_damaged_archive_is_refused() -> None:
    tar = tarred(GOOD, packed=False)
    for end in (0, 100, 600, 1024, 1536, 2048):
        assert refusal("a.tar", tar[:end]).code == "bad_archive"
    damaged = bytearray(tar)
    damaged[1024 + 148] ^= 1  # the checksum of the second header
    assert refusal("a.tar", bytes(damaged)).code == "bad_archive"
    for name, data in (("a.zip", zipped(GOOD)), ("a.tar.gz", tarred(GOOD))):
        assert refusal(name, data[:-30]).code == "bad_archive"


def test_an_archive_of_another_kind_than_its_name_is_refused() -> None:
    assert refusal("a.zip", tarred(GOOD)).code == "bad_archive"
    assert refusal("a.tar.gz", zipped(GOOD)).code == "bad_archive"
    assert refusal("a.rar", b"Rar!").code == "unknown_kind"


def test_an_archive_in_an_archive_stays_packed() -> None:
    inner = zipped({"solution.py": b"other"})
    assert unpack("a.zip", zipped({"solution.py": b"x", "inner.zip": inner}), CAPS)["inner.zip"] == inner


def test_an_empty_archive_is_refused() -> None:
    assert refusal("a.zip", zipped({})).code == "empty_submission"
    assert refusal("a.tar", tar_of(packed=False)).code == "empty_submission"


SEEDS = [("a.zip", zipped(GOOD)), ("a.tar", tarred(GOOD, packed=False)), ("a.tar.gz", tarred(GOOD))]
long_names = io.BytesIO()
with tarfile.open(fileobj=long_names, mode="w", format=tarfile.PAX_FORMAT) as pax:
    pax.addfile(tar_entry("caf\u00e9" * 40 + ".py"))
SEEDS.append(("a.tar", long_names.getvalue()))


def tolerated(name: str, data: bytes) -> None:
    """Either files within the caps, or an UploadError."""
    try:
        files = unpack(name, data, CAPS)
    except UploadError:
        return
    assert "solution.py" in files
    assert len(files) <= CAPS.files
    assert sum(map(len, files.values())) <= CAPS.total_bytes


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 64),
)
def test_no_damage_does_more_than_be_refused(seed: tuple[str, bytes], changes: list[tuple[int, int]], cut: int) -> None:
    name, data = seed[0], bytearray(seed[1])
    for place, value in changes:
        data[place % len(data)] = value
    tolerated(name, bytes(data[: len(data) - cut]))
    if name == "a.tar":
        tolerated("a.tar.gz", gzip.compress(bytes(data)))


@settings(deadline=None)
@given(st.sampled_from(["a.zip", "a.tar", "a.tar.gz", "a.py", "", "\0"]), st.binary(max_size=2000))
def test_no_bytes_do_more_than_be_refused(name: str, data: bytes) -> None:
    tolerated(name, data)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=10), max_size=6))
def test_no_names_do_more_than_be_refused(files: dict[str, bytes]) -> None:
    entries = [(tar_entry(name), content) for name, content in files.items() if name.isprintable()]
    tolerated("a.tar", tar_of(*entries, packed=False))
