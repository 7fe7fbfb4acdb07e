"""Posture: what a guest is, listed from inside it, against the table in SECURITY.md, word for word."""

from __future__ import annotations

import ast
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hostile.exercises import LIMITS, NOTHING

SECURITY = Path(__file__).parents[2] / "SECURITY.md"
LOOK = (
    NOTHING["python"]
    + """
import os, sys
with open("/proc/self/status") as file: status = dict(line.rstrip().split(":", 1) for line in file)
told = {name: status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp")}
told["uids"] = os.getresuid() + os.getresgid() + tuple(os.getgroups())
spaces = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
told["namespaces"] = {name: os.readlink("/proc/self/ns/" + name) for name in spaces}
told["processes"] = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    known = {1: "its janitor", os.getpid(): "itself", os.getppid(): "the zygote"}
    told["processes"].append(known.get(int(pid), "another"))
told["descriptors"] = []
for number in range(1024):
    try: os.fstat(number)
    except OSError: continue
    told["descriptors"].append(number)
told["interfaces"] = [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]
told["network"] = []
for family in (2, 10, 16, 17):
    import socket
    try: socket.socket(family, socket.SOCK_DGRAM)
    except OSError: continue
    told["network"].append(family)
found = set()
for path, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(path, name) not in ("/proc", "/sys")]
    for there in [path, *(os.path.join(path, name) for name in names)]:
        if os.access(there, os.W_OK) and not os.path.islink(there): found.add(there)
PLACES = "/tmp /dev/shm / /usr /etc /run /var/tmp /proc/sys/kernel/hostname /sys/kernel /home /opt".split()
for path in [os.getcwd(), *PLACES]:
    probe = os.path.join(path, "probe") if os.path.isdir(path) else path
    try:
        os.close(os.open(probe, os.O_WRONLY | (os.O_CREAT if probe != path else 0)))
    except OSError: found.discard(path)
    else: found.add(path)
    if probe != path and os.path.exists(probe):
        with open(probe, "wb") as file: file.write(b"#!/bin/true\\n")
        os.chmod(probe, 0o700)
        try: os.posix_spawn(probe, [probe], {})
        except OSError: pass
        else: told.setdefault("executable", []).append(path)
        os.unlink(probe)
told["mounts"] = []
for line in open("/proc/self/mountinfo"):
    before, _, after = line.partition(" - ")
    point, flags = before.split()[4:6]
    state = os.stat(point)
    hidden = not os.access(point, os.W_OK) or state.st_rdev == os.makedev(1, 3)
    if not (hidden and point.startswith(("/proc/", "/sys/"))):
        told["mounts"].append((point, after.split()[0], flags.split(",")))
told["here"], told["writable"] = os.getcwd(), sorted(found)
print("TOLD", told)
"""
)


def table() -> dict[str, tuple[str, str]]:
    """What SECURITY.md promises: for each row what docker and what local say."""
    _, _, part = SECURITY.read_text("utf-8").partition("## Posture")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", part.partition("\n## ")[0], re.MULTILINE)
    return {name: (docker, local) for name, docker, local in rows if not name.startswith("-")}


def mounts(told: dict[str, object], backend: str) -> str:
    """What is mounted, by how: `ro` or `rw`, and what else is forbidden there. Parts of /proc and /sys that an engine
    hides, or makes read-only once more, are left out: each engine has its own list."""
    by_flags: dict[str, set[str]] = {}
    for point, kind, flags in told["mounts"]:
        name, asked = point, ("ro", "rw", "nosuid", "nodev", "noexec")
        if backend == "docker" and point.startswith(("/etc/", "/run/")):
            name, asked = "the engine's files", ("ro", "rw")  # the rest is as where the engine keeps them
        elif backend == "local" and point.startswith("/dev/") and kind != "tmpfs":
            name, asked = "devices", ("ro", "rw", "nosuid", "noexec")
        elif backend == "local" and kind == "tmpfs" and told["here"].startswith(point + "/"):
            name = "its own folder"
        elif backend == "local" and kind not in ("tmpfs", "proc"):
            name, asked = "the host's files", ("ro", "rw", "nosuid", "nodev")
        by_flags.setdefault(" ".join(flag for flag in asked if flag in flags), set()).add(name)
    return "; ".join(f"{flags}: {', '.join(sorted(names))}" for flags, names in sorted(by_flags.items()))


def listed(told: dict[str, object], backend: str) -> dict[str, str]:
    """The same rows, from what a guest told of itself."""
    capabilities = {told[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    own = [name for name, link in told["namespaces"].items() if link != os.readlink(f"/proc/self/ns/{name}")]
    ours = {os.getuid(), os.getgid(), *os.getgroups()}
    uids = set(told["uids"])
    here = told["here"]
    places = {place if not (place + "/").startswith(here + "/") else "its own folder" for place in told["writable"]}
    devices = {place for place in places if place.startswith("/dev/") and place != "/dev/shm"}
    return {
        "user": "a uid and gid of its own, no groups" if not uids & ours and len(uids) == 1 else "the service's",
        "capabilities": "none" if capabilities == {"0" * 16} else " ".join(sorted(capabilities)),
        "no new privileges": {"1": "set", "0": "not set"}[told["NoNewPrivs"]],
        "seccomp": {"2": "a filter"}.get(told["Seccomp"], "none"),
        "namespaces of its own": ", ".join(own),
        "processes it sees": ", ".join(
            sorted(told["processes"], key=["itself", "the zygote", "its janitor", "another"].index)
        ),
        "descriptors": "input, output, errors, its channel" if told["descriptors"] == [0, 1, 2, 100] else str(told),
        "network": "none" if not told["network"] and told["interfaces"] in (["lo"], []) else str(told["network"]),
        "mounts": mounts(told, backend),
        "files it can write": ", ".join(sorted(places - devices)),
        "devices it can write": ", ".join(sorted(name.removeprefix("/dev/") for name in devices)) or "none",
        "files of its own it can run": ", ".join(told.get("executable", [])) or "none",
    }


PATIENT = replace(LIMITS, cpu_s=30, wall_s=120, test_cpu_s=30, test_wall_s=60)  # to look everywhere takes a while


def test_a_guest_is_what_is_promised_word_for_word(grade, runner, request):
    backend = "docker" if "docker" in request.node.callspec.id else "local"
    findings = {finding.check: finding.level for finding in request.getfixturevalue(f"{backend}_backend").check()}
    if findings.get("namespaces", "ok") != "ok":
        pytest.skip("no namespaces are granted here, for which the table does not speak")
    output = grade(LOOK, limits=PATIENT).output
    told = ast.literal_eval(output.partition("TOLD ")[2].strip())
    promised = {name: row[backend == "local"] for name, row in table().items()}
    assert listed(told, backend) == promised
