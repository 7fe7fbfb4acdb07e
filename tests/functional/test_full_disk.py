"""No full disk of ours costs a candidate points. Guests have a tmpfs of their own, and what fills that is theirs; but
where the kernel grants none, they share the host's /var/tmp.
"""

import contextlib
import os
import subprocess
import tempfile
import textwrap
from dataclasses import replace

import pytest

from grader.errors import JudgeError
from grader.grading.runner import Runner
from grader.settings import Settings
from sandbox.backends import local
from sandbox.errors import SandboxError, SandboxLost
from sandbox.limits import Limits
from tests.functional.conftest import Grade

LIMITS = Limits(cpu_s=20, wall_s=40, files_mb=8)
SUITE = "import solution\ndef test_kept(): assert solution.kept(3) == 3\n"
KEEPS = textwrap.dedent("""
    def kept(x):
        try:
            with open("kept", "w") as file: file.write(str(x))
        except OSError:
            return None
        return int(open("kept").read())
""")


@pytest.fixture
def disk(missing, tmp_path):
    """A small file system."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=400", "grader-test", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"no file system can be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def bare(disk, local_backend, monkeypatch):
    """A runner whose guests have no file system of their own, but the small one."""
    monkeypatch.setattr(local, "_FOLDERS", str(disk))
    backend = local.LocalBackend()
    backend._namespaces = False
    with Runner(Settings(policy="per_process", pool_size=1), backend) as runner:
        yield runner


def fill(folder, spare_inodes):
    """Leave room for so many empty files (None: for all that there is), and for no content."""
    with open(folder / "blocks", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    if spare_inodes is not None:
        for number in range(os.statvfs(folder).f_favail - spare_inodes):
            (folder / f"full-{number}").touch()


def clear(folder):
    for path in [folder / "blocks", *folder.glob("full-*")]:
        path.unlink()


@pytest.mark.parametrize(
    "spare_inodes", [0, 1, None], ids=["no guest is born", "no file is written", "it cannot write"]
)
def test_a_full_disk_below_the_sandboxes_is_a_fault(grade: Grade, disk, bare, spare_inodes):
    def graded():
        return grade(SUITE, KEEPS, runner=bare, limits=LIMITS).flaws

    assert graded() == {}
    fill(disk, spare_inodes)
    with pytest.raises((SandboxLost, JudgeError), match=r"not born|could not be written|disk of the sandboxes is full"):
        graded()
    clear(disk)
    assert graded() == {}


def test_a_disk_that_fills_up_while_a_candidate_writes_is_a_fault(grade: Grade, disk, bare):
    """The candidate's code meets the error and goes on; when the grading ends there is room again."""
    suite = f"""
        import solution, time
        from tests.functional.test_full_disk import clear, fill
        from pathlib import Path
        def test_kept():
            fill(Path({str(disk)!r}), None)
            try:
                assert solution.kept(3) == 3
            finally:
                time.sleep(0.2)
                clear(Path({str(disk)!r}))
    """
    with pytest.raises(SandboxLost, match="the disk of the sandboxes is full"):
        grade(suite, KEEPS, runner=bare)


def test_a_full_disk_below_the_judge_is_a_fault(grade: Grade):
    suite = """
        import errno, os, solution
        def test_kept():
            assert solution.kept(3) == 3
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    """
    with pytest.raises(JudgeError, match=r"the judge itself could not go on: .*No space left"):
        grade(suite, KEEPS)


def test_files_that_cannot_fit_are_the_candidates(grade: Grade):
    files = {"solution.py": "def kept(x): return x", **{f"data/{n}.txt": "x" * 300_000 for n in range(6)}}
    (flaw,) = grade(SUITE, files, limits=replace(LIMITS, files_mb=1)).flaws.values()
    assert flaw.startswith("error: solution.py could not be loaded: OSError")


def test_an_errno_of_the_candidates_own_is_no_fault(grade: Grade):
    solution = "import errno, os\ndef kept(x): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))"
    (flaw,) = grade(SUITE, solution).flaws.values()
    assert flaw.startswith("failed: OSError")


def test_a_disk_that_is_full_for_a_moment_breaks_no_judge(grade: Grade, disk, local_backend, monkeypatch):
    """What suites import is kept compiled below the judges' folder, where all of that parent read it."""
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    suite = "import solution\nfrom pydoc_data import topics\ndef test_kept(): assert solution.kept(3) == 3\n"
    with Runner(Settings(policy="per_process", pool_size=1), local.LocalBackend()) as runner:
        assert grade(SUITE, KEEPS, runner=runner).flaws == {}
        fill(disk, None)
        with open(disk / "blocks", "r+b") as file:
            file.truncate(file.seek(0, os.SEEK_END) - 3 * 4096)
        with contextlib.suppress(JudgeError, SandboxError):
            grade(suite, KEEPS, runner=runner)
        clear(disk)
        assert grade(suite, KEEPS, runner=runner).flaws == {}
