# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Contaminate: leave something that the next submission could find, or learn what the one before was given."""

import pytest

from tests.hostile.case import case, titled
from tests.hostile.exercises import NOTHING

STUB = NOTHING["python"]
# The mark is never in one piece in a submission.
WORD = "import os\nM = 'over' + 'bleib' + 'sel'\n"
DAEMON = """
def daemon(work):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: work()
        os._exit(0)
"""
# Looks where a mark could be: files, names of processes, sockets, modules, environment, locks, limits, descriptors.
LOOK = (
    STUB
    + WORD
    + """
import fcntl, importlib, resource, socket, sys
for folder in (".", "..", "/tmp", "/dev/shm", "/var/tmp", "/run", "/run/lock", os.path.expanduser("~"), *sys.path):
    for path, folders, names in os.walk(folder):
        for name in folders + names:
            if M in name: print("FOUND a file", path, name)
        if path.count("/") > 6: folders.clear()
for pid in filter(str.isdigit, os.listdir("/proc")):
    try: told = open(f"/proc/{pid}/cmdline").read() + open(f"/proc/{pid}/comm").read()
    except OSError: continue
    if M[:15] in told: print("FOUND a process", told)
try: socket.socket(socket.AF_UNIX).connect("\\0" + M); print("FOUND a socket")
except OSError: pass
for module in list(sys.modules.values()):
    if M in getattr(module, "__dict__", {}): print("FOUND a patch of", module)
if M in os.environ or M in os.getcwd() or any(M in path for path in sys.path): print("FOUND in the environment")
for name in ("sitecustomize", "usercustomize", M):
    try: found = importlib.import_module(name)
    except ImportError: continue
    if M in repr(vars(found).get("WHO")): print("FOUND a module", name)
if os.umask(0o22) == 0o777: print("FOUND a mask")
if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 20: print("FOUND a limit")
if os.getpriority(os.PRIO_PROCESS, 0) > 0: print("FOUND a priority")
if os.sched_getaffinity(0) != os.sched_getaffinity(os.getppid()): print("FOUND an affinity")
try: fcntl.flock(open(os.__file__), fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError: print("FOUND a lock")
for number in range(3, 256):
    try: path = os.readlink(f"/proc/self/fd/{number}")
    except OSError: continue
    if M in path or "deleted" in path: print("FOUND a descriptor", path)
"""
)
CASES = [
    case(
        "names_of_files",
        STUB
        + WORD
        + "for folder in ('.', '..', '/tmp', '/dev/shm', '/var/tmp', '/run', '/run/lock', os.path.expanduser('~')):\n    for name in (M, '.' + M):\n        try: open(os.path.join(folder, name), 'w').write('x')\n        except OSError: pass\n    try: os.makedirs(os.path.join(folder, M + 'd', 'e')); os.symlink('/', os.path.join(folder, M + 'l'))\n    except OSError: pass",
    ),
    case(
        "files_that_are_open_and_unlinked",
        STUB
        + WORD
        + DAEMON
        + "import time\nopened = []\nfor folder in ('.', '/tmp', '/dev/shm'):\n    path = os.path.join(folder, M)\n    opened.append(open(path, 'wb')); opened[-1].write(bytes(1 << 20)); os.unlink(path)\ndaemon(lambda: time.sleep(600))",
    ),
    case(
        "a_server_behind_an_abstract_socket",
        STUB
        + WORD
        + DAEMON
        + "import socket, time\ndef serve():\n    s = socket.socket(socket.AF_UNIX); s.bind('\\0' + M); s.listen()\n    while True: s.accept()[0].send(b'the inputs')\ntry: socket.socket(socket.AF_UNIX); daemon(serve)\nexcept OSError: pass",
    ),
    case(
        "a_process_of_that_name",
        STUB
        + WORD
        + DAEMON
        + "import ctypes, time\ndef named(): ctypes.CDLL(None).prctl(15, M.encode(), 0, 0, 0); time.sleep(600)\ndaemon(named)",
    ),
    case(
        "a_lock_on_a_file_of_the_library",
        STUB
        + WORD
        + DAEMON
        + "import fcntl, time\ndef held():\n    f = open(os.__file__); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(600)\ndaemon(held)",
    ),
    case(
        "patches_of_loaded_modules",
        STUB
        + WORD
        + "import builtins, codecs, collections, json, math, random, struct, sys, threading, types\nfor module in list(sys.modules.values()):\n    try: setattr(module, M, 1)\n    except (AttributeError, TypeError): pass\nbuiltins.__dict__[M] = 1\nsys.path.insert(0, '/tmp/' + M); os.environ[M] = M",
    ),
    case(
        "modules_that_python_loads_by_itself",
        STUB
        + WORD
        + "import site, sys\nfor folder in {'.', '/tmp', '/dev/shm', site.getusersitepackages(), *sys.path}:\n    for name in ('sitecustomize.py', 'usercustomize.py', M + '.py', M + '.pth', '__pycache__/' + M + '.pyc'):\n        try: os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True); open(os.path.join(folder, name), 'w').write('WHO = ' + repr(M))\n        except OSError: pass",
    ),
    case(
        "bytecode_of_the_library",
        STUB
        + WORD
        + "import importlib.util, json, random, heapq\nfor module in (json, random, heapq, os):\n    for path in {module.__file__, importlib.util.cache_from_source(module.__file__)}:\n        for mode in ('r+b', 'ab', 'wb'):\n            try: open(path, mode).write(M.encode()); print('FOUND', path)\n            except OSError: pass",
    ),
    case(
        "a_daemon_that_writes_later",
        STUB
        + WORD
        + DAEMON
        + "import time\ndef later():\n    while True:\n        for folder in ('/tmp', '/dev/shm', '/var/tmp'):\n            try: open(f'{folder}/{M}{time.time()}', 'w')\n            except OSError: pass\n        time.sleep(0.02)\ndaemon(later)",
        "failed",
        "crashed",
    ),
    case(
        "masks_limits_and_priorities",
        STUB
        + WORD
        + "import resource\nos.umask(0o777)\nos.nice(19)\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nfor what in range(16):\n    try: resource.setrlimit(what, (resource.getrlimit(what)[0] // 16,) * 2) if what not in (0, 9) else None\n    except (OSError, ValueError, OverflowError): pass",
        "failed",
        "crashed",
        "error",
        "memory_limit",
    ),
    case(
        "all_inodes",
        STUB
        + WORD
        + DAEMON
        + "def fill():\n    n = 0\n    while True:\n        for folder in ('/tmp', '/dev/shm', '.'):\n            try: os.mkdir(f'{folder}/{M}{n}')\n            except OSError: pass\n        n += 1\ndaemon(fill)",
        "failed",
        "crashed",
        "time_limit",
    ),
    case(
        "system_v_and_posix_ipc",
        STUB
        + WORD
        + "import ctypes\nlibc = ctypes.CDLL(None)\nfor name in ('shmget', 'msgget', 'semget'):\n    if getattr(libc, name)(4711, 4096 if name == 'shmget' else 0o1666 if name == 'msgget' else 1, 0o1666) != -1: print('FOUND', name)\nif ctypes.CDLL('librt.so.1').mq_open(('/' + M).encode(), os.O_CREAT | os.O_RDWR, 0o666, None) != -1: print('FOUND mq')",
    ),
    case(
        "a_core_dump",
        STUB
        + WORD
        + "import ctypes, resource\ntry: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)\nexcept (OSError, ValueError): pass\ndef add(*_): ctypes.string_at(0)",
        "failed",
        "crashed",
    ),
]


@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_the_next_finds_nothing_of_the_one_before(attempt, grade, submission):
    assert "FOUND" not in attempt(submission).output
    looked = grade(LOOK)
    assert (str(looked.verdict), looked.score) == ("failed", 0), [test.message for test in looked.tests]
    assert "FOUND" not in looked.output, looked.output


@pytest.mark.parametrize("number", [0, 5, 9])  # a file, a patch, a priority
def test_the_look_around_finds_what_is_there(grade, number):
    assert "FOUND" in grade(CASES[number].source + LOOK).output
