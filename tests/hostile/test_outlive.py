# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Outlive: leave a process, a file or a patch behind for the next submission."""

import pytest

from tests.hostile.case import case, titled
from tests.hostile.exercises import NOTHING

STUB = NOTHING["python"]
DAEMON = (
    STUB
    + """
import os, time
def daemon(work):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            work()
        os._exit(0)
"""
)
CASES = [
    case("a_daemon_that_waits", DAEMON + "daemon(lambda: time.sleep(600))"),
    case(
        "a_daemon_that_signals_all",
        DAEMON
        + "def work():\n    while True:\n        for pid in range(2, 100):\n            if pid != os.getpid():\n                try: os.kill(pid, 9)\n                except OSError: pass\n        time.sleep(0.01)\ndaemon(work)",
        "failed",
        "crashed",
        "time_limit",
    ),
    case("kill_all", STUB + "import os\ndef add(*_): os.kill(-1, 9)", "failed", "crashed"),
    case(
        "kill_the_parent",
        STUB
        + "import os\nfor n in (9, 15, 19, 2):\n    for pid in (1, os.getppid()):\n        try: os.kill(pid, n)\n        except OSError: pass",
    ),
    case(
        "a_daemon_that_fills_files",
        DAEMON
        + "def work():\n    n = 0\n    while True:\n        n += 1\n        try: open(f'/tmp/left{n}', 'w').write('x')\n        except OSError: time.sleep(0.01)\ndaemon(work)",
        "failed",
        "crashed",
        "time_limit",
    ),
    case(
        "files_in_shared_folders",
        STUB
        + """
import os
for folder in ("/tmp", "/dev/shm", "/var/tmp", "..", "/"):
    for name in ("solution.py", "sitecustomize.py", "numpy.py", "guest-1", "guest-2", "guest-3"):
        try: open(os.path.join(folder, name), "w").write("raise SystemExit(1)")
        except OSError: pass
""",
    ),
    case(
        "files_that_resist",
        STUB
        + """
import os
os.makedirs("a/b"); open("a/b/c", "w").close(); os.chmod("a/b", 0); os.chmod("a", 0)
os.mkfifo("fifo")
for folder in ("/tmp", "/dev/shm"):
    try: os.mkfifo(folder + "/fifo"); os.symlink("/proc/self", folder + "/link")
    except OSError: pass
os.chmod(".", 0)
""",
    ),
    case(
        "a_patched_library",
        STUB
        + "import math, json, random\nmath.isqrt = lambda x: -1\njson.dumps = None\nopen(json.__file__, 'a').write('x = 1')",
        "error",
    ),
    case(
        "a_cache_of_a_library",
        STUB
        + "import json, os\nfolder = os.path.dirname(json.__cached__)\nos.makedirs(folder, exist_ok=True)\nopen(json.__cached__, 'wb').write(b'x')",
        "error",
    ),
    case(
        "stopped_with_children",
        DAEMON
        + "import signal\nfor _ in range(3): daemon(lambda: os.kill(os.getpid(), signal.SIGSTOP))\ndef add(*_): os.kill(os.getpid(), signal.SIGSTOP)",
        "failed",
        "time_limit",
    ),
]


@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_nothing_is_left_for_the_next(attempt, submission):
    attempt(submission)
