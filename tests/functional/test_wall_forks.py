"""A suite is collected once for many gradings, and no grading notices the others."""

import contextlib
import os
import resource
import sys
import tempfile

import pytest

from grader.grading.runner import Runner
from grader.judge.client import Judges
from grader.settings import Settings

SOLUTION = "def same(x): return x"
NOTICES = {
    "a file that is read on": """
        from pathlib import Path
        LINES = open(Path(__file__).parent / "lines.txt", "rb", buffering=0)
        FIRST = LINES.readline()
        def test_rest(): assert solution.same(LINES.read()) == b"second\\nthird\\n"
        def test_end(): assert LINES.read() == b"" and FIRST == b"first\\n"
    """,
    "an archive, whose parts are looked for": """
        import tempfile, zipfile
        WHERE = tempfile.TemporaryFile()
        with zipfile.ZipFile(WHERE, "w") as made:
            for n in range(20): made.writestr(f"{n}.txt", f"{n} " * 500_000)
        SOME = zipfile.ZipFile(open(f"/proc/self/fd/{WHERE.fileno()}", "rb"))
        WHERE.close()
        def test_all():
            for n in range(20): assert len(set(solution.same(SOME.read(f"{n}.txt")).split())) == 1
    """,
    "a pipe": """
        import os
        READ, WRITE = os.pipe()
        os.write(WRITE, b"word")
        os.set_blocking(READ, False)
        def test_word(): assert solution.same(os.read(READ, 100)) == b"word"
    """,
    "shared memory": """
        import mmap
        SHARED = mmap.mmap(-1, 4)
        def test_count():
            SHARED[0] += 1
            assert solution.same(SHARED[0]) == 1
    """,
    "a thread": """
        from concurrent.futures import ThreadPoolExecutor
        POOL = ThreadPoolExecutor(1)
        POOL.submit(int).result()
        def test_thread(): assert POOL.submit(sum, solution.same([1, 2])).result(20) == 3
    """,
    "a child": """
        import subprocess
        CAT = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        def test_child(): assert CAT.communicate(solution.same("word"), timeout=20)[0] == "word"
    """,
    "a file that is written": """
        import tempfile
        LOG = tempfile.TemporaryFile("w+")
        def test_log():
            LOG.write(solution.same("word"))
            LOG.seek(0)
            assert LOG.read() == "word"
    """,
}


@pytest.mark.parametrize("suite", NOTICES.values(), ids=NOTICES)
def test_what_a_suite_opens_when_it_is_imported_is_each_gradings_own(grade_often, suite):
    files = {"test_wall.py": f"        import solution\n{suite}", "lines.txt": "first\nsecond\nthird\n"}
    assert [graded.flaws for graded in grade_often(files, SOLUTION, times=7)] == [{}] * 7


def test_a_suite_that_can_be_forked_is_collected_once_and_another_one_for_each_grading(grade_often):
    suite = """
        import os, solution
        {holds}
        COLLECTED = os.getpid()
        def test_which(): assert (os.getpid() == COLLECTED) is solution.same({alone})
    """
    assert grade_often(suite.format(holds="", alone=False), SOLUTION, times=4)[-1].flaws == {}
    assert grade_often(suite.format(holds="os.pipe()", alone=True), SOLUTION, times=4)[-1].flaws == {}


def test_judges_that_cannot_be_started_leave_no_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/nowhere")
    with pytest.raises(OSError, match="nowhere"):
        Judges(cpu_s=10, memory_mb=100).warm("python")
    assert not list(tmp_path.iterdir())


def test_a_process_with_a_thousand_descriptors_still_grades(grade, local_backend, missing):
    """The numbers of further ones are beyond what select() can watch."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] < 4096:
        missing("this process may not open 4,096 files")
    with contextlib.ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, limits[1]))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        for _ in range(1100):
            stack.enter_context(open(os.devnull))
        runner = stack.enter_context(Runner(Settings(policy="per_process", pool_size=1), local_backend))
        suite = "import solution\ndef test_same(): assert solution.same(3) == 3"
        assert [grade(suite, SOLUTION, runner=runner).flaws for _ in range(2)] == [{}, {}]
