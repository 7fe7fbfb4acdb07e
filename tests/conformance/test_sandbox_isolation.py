"""What a guest cannot reach, and what nothing is left of, on every backend."""

import os
import socket
import tempfile

import pytest

from sandbox.interface import Cause

LEAVE = """
import os, subprocess, sys
def leave(folder):
    os.makedirs(os.path.join(folder, "a/b/.c"))
    with open(os.path.join(folder, "a/b/.c/secret"), "w") as file: file.write("x")
    os.chmod(os.path.join(folder, "a/b"), 0)
    os.symlink("/etc/passwd", os.path.join(folder, "link"))
    os.mkfifo(os.path.join(folder, "fifo"))
    os.chmod(os.path.join(folder, "a"), 0o500)
    return sorted(os.listdir(folder))
def listed(folder): return os.listdir(folder)
"""


@pytest.mark.parametrize("folder", [".", "..", "/tmp", "/dev/shm"], indirect=True)
def test_files_of_a_guest_are_gone_for_the_next(run, sandbox, folder):
    first = run(LEAVE)
    assert {"a", "fifo", "link"} <= set(first.call("leave", folder))
    first.guest.end()
    sandbox.reset()
    assert not {"a", "fifo", "link"} & set(run(LEAVE).call("listed", folder))


def test_the_next_guest_finds_only_its_own_folder(run, sandbox):
    run(LEAVE).guest.end()
    sandbox.reset()
    candidate = run("import os\ndef found(): return os.listdir(os.path.dirname(os.getcwd())), os.listdir('/dev/shm')")
    assert candidate.call("found") == (["guest-2"], [])


IPC = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def try_all():
    made = {}
    made["shmget"] = libc.shmget(4711, 4096, 0o1666)
    made["msgget"] = libc.msgget(4711, 0o1666)
    made["semget"] = libc.semget(4711, 1, 0o1666)
    librt = ctypes.CDLL("librt.so.1")
    made["mq_open"] = librt.mq_open(b"/left", os.O_CREAT | os.O_RDWR, 0o666, None)
    made["memfd"] = libc.memfd_create(b"x", 0)
    return [name for name, got in made.items() if got != -1]
"""


def test_no_ipc_object_that_would_outlive_a_guest_can_be_made(run):
    assert run(IPC).call("try_all") == []


NETWORK = """
import socket
def sockets():
    made = []
    for name in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"):
        try: socket.socket(getattr(socket, name), socket.SOCK_DGRAM).close()
        except OSError: continue
        made.append(name)
    return made
def interfaces():
    with open("/proc/net/dev") as file: return [line.split(":")[0].strip() for line in file if ":" in line]
"""


def test_there_is_no_network(run):
    candidate = run(NETWORK)
    assert candidate.call("sockets") == []
    assert candidate.call("interfaces") == ["lo"]


POSTURE = """
import os
def status():
    with open("/proc/self/status") as file: told = dict(line.split(":", 1) for line in file)
    return {name: told[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp")}
def uid(): return os.getuid(), os.geteuid(), os.getgid(), os.getgroups()
def open_files(): return sorted(int(name) for name in os.listdir("/proc/self/fd"))
def environment(): return sorted(os.environ)
"""
NO_CAPABILITIES = "0" * 16


def test_a_guest_has_no_privilege_and_can_gain_none(run):
    assert run(POSTURE).call("status") == {
        "CapInh": NO_CAPABILITIES,
        "CapPrm": NO_CAPABILITIES,
        "CapEff": NO_CAPABILITIES,
        "CapAmb": NO_CAPABILITIES,
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }


def test_each_guest_has_a_uid_of_its_own_where_there_is_an_engine(run, sandbox, backend):
    seen = []
    for _ in range(2):
        candidate = run(POSTURE)
        uid, effective, gid, groups = candidate.call("uid")
        assert uid == effective
        seen.append((uid, gid, groups))
        candidate.guest.end()
        sandbox.reset()
    if backend.name == "docker":
        assert seen == [(20000, 20000, []), (20001, 20001, [])]


def test_a_guest_holds_its_channel_and_its_output_and_nothing_else(run):
    assert [fd for fd in run(POSTURE).call("open_files") if fd != 3] == [0, 1, 2, 100]  # 3: the listing itself


def test_nothing_of_the_hosts_environment_is_seen(run, backend, monkeypatch):
    known = {"GPG_KEY", "HOME", "HOSTNAME", "LANG", "LC_CTYPE", "LOGNAME", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "PATH"}
    known |= {"PYTHONDONTWRITEBYTECODE", "PYTHON_SHA256", "PYTHON_VERSION", "TMPDIR", "USER"}
    assert set(run(POSTURE).call("environment")) <= known


REFUSED = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def calls():
    def tried(name, *args):
        ctypes.set_errno(0)
        return name if getattr(libc, name)(*args) != -1 else None
    out = ctypes.create_string_buffer(8)
    done = [
        tried("ptrace", 16, os.getppid(), 0, 0),
        tried("unshare", 0x10000000),
        tried("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        tried("umount2", b"/proc", 2),
        tried("setns", 0, 0),
        tried("chroot", b"/tmp"),
        tried("personality", 0x0040000),
        tried("setuid", 0) if os.getuid() else None,
        tried("sethostname", b"x", 1),
        tried("syscall", 321, 0, None, 0),
        tried("syscall", 425, 8, None),
        tried("syscall", 298, None, 0, -1, -1, 0),
        tried("syscall", 323, 0),
    ]
    return [name for name in done if name]
def writable():
    found = []
    for folder in ("/", "/etc", "/usr", "/usr/lib", "/var/tmp", "/dev", "/proc/sys/kernel", "/run", "/opt", "/home"):
        try:
            with open(os.path.join(folder, "graffito"), "w"): found.append(folder)
        except OSError: pass
    return found
def zygote():
    found = []
    for pid in (1, os.getppid()):
        for name in ("mem", "environ", "maps", "fd/0", "root/etc", "cwd"):
            try:
                if name == "mem":
                    with open(f"/proc/{pid}/mem", "rb") as file: file.read(0)
                elif name in ("environ", "maps"):
                    with open(f"/proc/{pid}/{name}", "rb") as file: found += [name] if file.read(10) else []
                    continue
                else:
                    os.readlink(f"/proc/{pid}/{name}") if name != "root/etc" else os.listdir(f"/proc/{pid}/{name}")
                found.append(name)
            except OSError: pass
        for number in (0, 9, 15, 19):
            try: os.kill(pid, number)
            except OSError: continue
            found.append(f"kill {pid} {number}")
    return found
def kill_all():
    try: os.kill(-1, 9)
    except OSError: pass
    return os.getpid()
"""


def test_dangerous_system_calls_are_refused(run):
    assert run(REFUSED).call("calls") == []


def test_only_its_own_folders_can_be_written(run):
    assert run(REFUSED).call("writable") == []


def test_the_zygote_cannot_be_read_signalled_or_stopped(run, sandbox):
    candidate = run(REFUSED)
    assert candidate.call("zygote") == []
    candidate.call("kill_all")
    assert candidate.guest.end().cause is Cause.ENDED
    sandbox.ping()


SLOWED = """
import os, resource
def others():
    done = []
    for pid in {1, os.getppid(), os.getpid()}:
        for name, slow in (
            ("limits", lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1))),
            ("processors", lambda: os.sched_setaffinity(pid, {0})),
            ("priority", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)),
            ("priority of all", lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19)),
            ("class", lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))),
        ):
            try: slow()
            except OSError: continue
            done.append((name, pid))
    return done
def own():
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.setpriority(os.PRIO_PROCESS, 0, 5)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return os.getpriority(os.PRIO_PROCESS, 0)
"""


def test_no_other_process_can_be_limited_or_slowed(run, sandbox):
    candidate = run(SLOWED)
    assert candidate.call("others") == []
    assert candidate.call("own") == 5
    sandbox.ping()


HOST = """
import os
def readable(paths):
    found = []
    for path in paths:
        try:
            with open(path, "rb") as file: file.read(1)
        except OSError: continue
        found.append(path)
    return found
def processes():
    names = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file: names.append(file.read())
        except OSError: pass
    return b"".join(names)
"""


def test_files_of_the_host_cannot_be_read(run, tmp_path, backend):
    secret = tmp_path / "secret"
    secret.write_text("x")
    paths = [str(secret), __file__, f"/proc/{os.getpid()}/environ", "/etc/shadow", os.path.expanduser("~/.bashrc")]
    if backend.name == "local":
        paths.append("/etc/passwd")
    assert run(HOST).call("readable", paths) == []


def test_processes_of_the_host_are_not_seen(run):
    assert b"pytest" not in run(HOST).call("processes")


CONNECT = """
import socket
def connect(paths):
    reached = []
    for path in paths:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                near = socket.socket(socket.AF_UNIX, kind)
                near.connect(path)
            except OSError: continue
            reached.append(path)
    for path in paths:
        try: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"x", path)
        except OSError: continue
        reached.append(path)
    return reached
"""


def test_sockets_of_the_host_cannot_be_reached(run):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, socket.socket(socket.AF_UNIX) as stream:
        stream.bind(f"{folder}/stream")
        stream.listen()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(f"{folder}/datagrams")
            paths = [f"{folder}/stream", f"{folder}/datagrams", "/run/docker.sock", "/var/run/docker.sock"]
            assert run(CONNECT).call("connect", paths) == []


def test_the_root_holds_nothing_of_the_hosts_that_is_not_needed(run, tmp_path):
    code = "import os\ndef there(paths): return [path for path in paths if os.path.exists(path)]"
    assert run(code).call("there", [str(tmp_path), "/root/.ssh", "/home/nobody", "/var/lib/docker", __file__]) == []
