# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Reach out: the network, the engine, the host's kernel; escapes in the shape of known holes, as probes."""

import pytest

from tests.hostile.case import case, titled
from tests.hostile.exercises import NOTHING

STUB = NOTHING["python"]
CALLS = """
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
def call(name, x86, arm, *args):
    if libc.syscall(arm if ARM else x86, *args) != -1: print("FOUND", name)
def written(path, text):
    file = os.open(path, os.O_WRONLY)  # not buffered: what the kernel says is heard
    try: return os.write(file, text)
    finally: os.close(file)
def tried(name, action, *args):
    try: got = action(*args)
    except (OSError, AttributeError, ValueError): return None
    print("FOUND", name, got)
"""


def probe(name: str, body: str, *verdicts: str):
    """A stub that prints FOUND where it got through."""
    return case(name, STUB + CALLS + body, *verdicts)


CASES = [
    probe(
        "every_family_of_sockets",
        "import socket\nfor family in (2, 10, 16, 17, 38, 40, 44):\n    for kind in (1, 2, 3):\n        tried('socket', socket.socket, family, kind)",
    ),
    probe(
        "names_and_addresses",
        """
import socket
for host in ("example.org", "redis", "postgres", "host.docker.internal", "169.254.169.254", "::1"):
    if not host[0].isdigit() and ":" not in host: tried("address", socket.getaddrinfo, host, None)
    for port in (80, 443, 5432, 6379, 2375, 8300): tried("connection", socket.create_connection, (host, port), 0.2)
""",
        "failed",
        "time_limit",
    ),
    probe(
        "urls",
        "import urllib.request\nfor url in ('http://169.254.169.254/latest/meta-data/', 'http://127.0.0.1:8300/healthz', 'file:///etc/shadow', 'file:///proc/1/environ'):\n    tried(url, lambda: urllib.request.urlopen(url, timeout=0.2).read(10))",
    ),
    probe(
        "abstract_sockets",
        """
import socket
for line in open("/proc/net/unix").read().splitlines()[1:]:
    path = line.split()[7:]
    for name in path: tried("unix " + name, socket.socket(socket.AF_UNIX).connect, name.replace("@", "\\0", 1))
for name in ("/run/systemd/private", "/run/dbus/system_bus_socket", "/run/containerd/containerd.sock", "/run/podman/podman.sock"):
    tried(name, socket.socket(socket.AF_UNIX).connect, name)
""",
    ),
    probe(
        "tools_that_reach_out",
        """
import subprocess
for command in ("curl -sm1 127.0.0.1:8300", "wget -T1 127.0.0.1", "ping -c1 -W1 127.0.0.1", "su -c id", "sudo -n id", "nsenter -t 1 -a id", "docker ps", "mount -t tmpfs x /tmp", "unshare -r id", "chroot /tmp", "ip link add d0 type dummy"):
    try: subprocess.run(command.split(), capture_output=True, timeout=0.5, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError): continue
    print("FOUND", command)
""",
        "failed",
        "time_limit",
    ),
    probe(  # CVE-2022-0492: the cgroup's release_agent
        "release_agent",
        """
for folder, _, names in os.walk("/sys/fs/cgroup"):
    for name in names:
        if name in ("release_agent", "cgroup.procs", "memory.limit_in_bytes", "memory.max", "devices.allow"):
            tried(name, written, os.path.join(folder, name), b"1")
if libc.mount(b"cgroup", b"/tmp", b"cgroup", 0, b"rdma") != -1: print("FOUND mount")
""",
    ),
    probe(  # CVE-2019-5736: the runtime's binary through /proc/self/exe
        "runtime_binary",
        """
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("exe", "fd/0", "fd/3", "root", "cwd"):
        for flags in (os.O_WRONLY, os.O_RDWR):
            path = f"/proc/{pid}/{name}"
            if pid != str(os.getpid()) or name == "exe": tried(path, os.open, path, flags)
""",
    ),
    probe(  # CVE-2024-21626: a descriptor of the host's left open, as a working directory
        "leaked_directories",
        """
for number in range(512):
    try: is_folder = os.path.isdir(f"/proc/self/fd/{number}")
    except OSError: continue
    if is_folder and number > 2:
        try: os.fchdir(number)
        except OSError: continue
        print("FOUND", number, os.getcwd())
for path in ("/proc/self/fd/7/../../../../etc/shadow", "/proc/self/cwd/../../../../../../etc/shadow"): tried(path, lambda: open(path).read(1))
""",
    ),
    probe(  # the "shocker": files by handle, past every mount
        "files_by_handle",
        "handle = (ctypes.c_uint32 * 4)(8, 1, 2, 0)\ncall('open_by_handle_at', 304, 265, -100, handle, 0)\ncall('name_to_handle_at', 303, 264, -100, b'/', handle, handle, 0)",
    ),
    probe(
        "new_namespaces",
        """
def entered(path):
    if libc.setns(os.open(path, 0), 0) != 0: raise OSError(ctypes.get_errno(), path)
for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80): call(f"unshare {flag:x}", 272, 97, flag)
for name in os.listdir("/proc/self/ns"):
    for pid in {1, os.getppid()} - {os.getpid()}: tried(name, entered, f"/proc/{pid}/ns/{name}")
""",
        "failed",
        "error",
    ),
    probe(
        "devices",
        """
import stat
for name in ("mem", "kmem", "port", "kmsg", "sda", "vda", "nvme0n1", "loop0", "loop-control", "fuse", "kvm", "net/tun", "vhost-net", "nvidia0", "dri/card0", "input/event0", "snapshot"):
    tried(name, lambda: open("/dev/" + name, "rb").read(1))
for kind, number in ((stat.S_IFBLK, os.makedev(8, 0)), (stat.S_IFCHR, os.makedev(1, 1))): tried("mknod", os.mknod, "device", kind | 0o666, number)
""",
    ),
    probe(
        "kernel_settings",
        """
for name in ("sysrq-trigger", "sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/vm/overcommit_memory", "sys/kernel/ns_last_pid", "self/uid_map", "self/oom_score_adj", "1/oom_score_adj", "sys/fs/binfmt_misc/register", "acpi/wakeup"):
    if name != "self/oom_score_adj": tried(name, written, "/proc/" + name, b"0")
    elif int(open("/proc/self/oom_score_adj").read()) >= 0: tried("less likely to be killed", written, "/proc/self/oom_score_adj", b"-500")
for name in ("/sys/kernel/uevent_helper", "/sys/module", "/sys/firmware/efi", "/sys/kernel/debug", "/sys/power/state"): tried(name, written, name, b"x")
""",
    ),
    probe(
        "kernel_calls",
        """
page = ctypes.create_string_buffer(4096)
for name, x86, arm in (
    ("bpf", 321, 280), ("perf_event_open", 298, 241), ("io_uring_setup", 425, 425), ("userfaultfd", 323, 282), ("add_key", 248, 217),
    ("keyctl", 250, 219), ("request_key", 249, 218), ("init_module", 175, 105), ("finit_module", 313, 273), ("kexec_load", 246, 104), ("kexec_file_load", 320, 294),
    ("reboot", 169, 142), ("swapon", 167, 224), ("iopl", 172, 9999), ("ioperm", 173, 9999), ("acct", 163, 89), ("settimeofday", 164, 170), ("clock_settime", 227, 112),
    ("sethostname", 170, 161), ("process_vm_readv", 310, 270), ("process_vm_writev", 311, 271), ("ptrace", 101, 117), ("kcmp", 312, 272), ("pidfd_getfd", 438, 438), ("process_madvise", 440, 440),
    ("move_pages", 279, 239), ("mount_setattr", 442, 442), ("open_tree", 428, 428), ("fsopen", 430, 430), ("move_mount", 429, 429), ("pivot_root", 155, 41), ("chroot", 161, 51),
    ("quotactl", 179, 60), ("lookup_dcookie", 212, 18), ("syslog", 103, 116), ("vhangup", 153, 58), ("fanotify_init", 300, 262), ("modify_ldt", 154, 9999), ("vmsplice", 278, 75), ("name_to_handle_at", 303, 264),
): call(name, x86, arm, 1, page, page, page, 0, 0)
""",
    ),
    probe(
        "more_rights",
        """
for uid in (0, 1, 1000): tried(f"uid {uid}", os.setuid, uid) if os.getuid() != uid else None
tried("groups", os.setgroups, [0, 999])
for path in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/bin/ping", "/usr/bin/newgrp"):
    if os.path.exists(path) and os.stat(path).st_mode & 0o6000 and open("/proc/self/status").read().count("NoNewPrivs:\\t0"): print("FOUND", path)
open("set", "w").close()
tried("a file that is the superuser's", os.chown, "set", 0, 0) if os.getuid() else None
tried("capabilities", os.setxattr, "set", "security.capability", b"\\x00\\x00\\x00\\x02" + b"\\xff" * 16)
if libc.prctl(38, 0, 0, 0, 0) == 0: print("FOUND new privileges again")
if libc.prctl(47, 2, 21, 0, 0) == 0: print("FOUND ambient capability")
""",
    ),
    probe(
        "programs_of_its_own",
        """
import sys
for folder in (".", "/tmp", "/dev/shm"):
    path = os.path.join(folder, "tool")
    try:
        with open(path, "wb") as file: file.write(open("/bin/true" if os.path.exists("/bin/true") else sys.executable, "rb").read(1 << 20))
        os.chmod(path, 0o4755)
    except OSError: continue
    if os.stat(path).st_mode & 0o4000 and os.stat(path).st_uid == 0 and os.getuid(): print("FOUND", path)
""",
    ),
    probe(
        "others_slowed_down",
        """
import resource
for pid in {1, os.getppid()}:
    tried("limits", resource.prlimit, pid, resource.RLIMIT_CPU, (1, 1))
    tried("processors", os.sched_setaffinity, pid, {0})
    tried("priority", os.setpriority, os.PRIO_PROCESS, pid, 19)
    tried("class", os.sched_setscheduler, pid, os.SCHED_IDLE, os.sched_param(0))
tried("group", os.setpriority, os.PRIO_PGRP, 0, 19)
tried("user", os.setpriority, os.PRIO_USER, 0, 19)
""",
    ),
]


@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_nothing_outside_is_reached(attempt, submission):
    output = attempt(submission).output
    assert "FOUND" not in output, output
