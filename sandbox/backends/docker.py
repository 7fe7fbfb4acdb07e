"""The `docker` backend: a container per sandbox. All that confines it is set in `_confinement`; read that first.

The worker listens on a Unix socket in a folder of its own under `socket_dir`, which the container sees read-only; the
zygote connects to it once, and then the socket is removed. Where the worker itself runs in a container, `socket_dir`
must be the same path there and on the engine's host, since the engine resolves it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig

from sandbox.backends.identities import Identities
from sandbox.control import ZygoteSandbox, hear_ready, own_uid
from sandbox.errors import SandboxLost, SandboxUnavailable
from sandbox.folders import abandoned, hold
from sandbox.image import build
from sandbox.interface import FULL_CPU_SHARES, Finding, SandboxSpec

LABEL = "grader.sandbox"
_SECCOMP = Path(build.__file__).with_name("seccomp.json")
_INSIDE = "/run/grader"
_FOLDER = f"grader-{'[0-9a-f]' * 12}"  # of a container that is being started, under `socket_dir`
_READY_S = 60.0
_LEFTOVER_S = 120.0
_INODES = 10_000
_BASE_MB = {
    "python": 128,
    "torch": 768,
    "transformers": 1024,
}  # the preloaded runtime, which is not charged to the candidate
_HELPERS = 2  # the zygote and its janitor, whose child cleans up when no guest is there


class DockerBackend:
    """A container of `image:<runtime>` per sandbox. `runtime` is the OCI runtime; None: the engine's default.
    `cpu_shares`: how much a sandbox weighs where others want the processors, too.
    """

    name = "docker"

    def __init__(self, image: str, runtime: str | None, socket_dir: Path, cpu_shares: int = FULL_CPU_SHARES) -> None:
        self._image, self._runtime, self._socket_dir, self._cpu_shares = image, runtime, socket_dir, cpu_shares
        self._engine: Any = None
        self._identities = Identities(self._identity)

    def check(self) -> list[Finding]:
        """What the engine offers; "missing" means that `start` refuses."""
        try:
            with _engine_answers():
                info = self._client().info()
            images = [self._image_of(runtime) for runtime in build.RUNTIMES]
        except SandboxUnavailable as error:
            return [Finding("engine", "missing", error.reason, error.remedy)]
        except SandboxLost as error:
            return [Finding("engine", "missing", str(error), "see the engine's log")]
        engine = Finding("engine", "ok", f"Docker {info.get('ServerVersion')}")
        return [engine, self._oci_runtime(info), *_kernel(info), *images, self._sockets()]

    def identity(self, runtime: str) -> str:
        """The image's id, a digest of its content."""
        return self._identities.of(runtime)

    def start(self, spec: SandboxSpec) -> ZygoteSandbox:
        client = self._client()
        image = self._identities.anew(spec.runtime)
        finding = self._image_of(spec.runtime)
        if finding.level == "missing":
            raise SandboxUnavailable(f"{finding.detail}.", finding.remedy)
        self._remove_abandoned(client)
        name = f"grader-{uuid.uuid4().hex[:12]}"
        folder = self._socket_folder(name)
        lock = hold(str(folder))
        anchor = _DockerAnchor(client, name, folder)
        try:
            with _listening(folder / "control") as listener:
                with _engine_answers():
                    client.containers.run(
                        image,
                        [spec.runtime, f"{_INSIDE}/control", "/tmp", "/dev/shm"],
                        name=name,
                        volumes={str(folder): {"bind": _INSIDE, "mode": "ro"}},
                        cpu_shares=self._cpu_shares,
                        **_confinement(spec, self._runtime),
                    )
                control = _accept(listener, anchor)
            shutil.rmtree(folder, ignore_errors=True)
            hear_ready(control, _READY_S)
        except BaseException as error:
            anchor.destroy()
            if isinstance(error, ImageNotFound):
                raise SandboxLost(f"the container could not be started: {error}") from None
            raise
        finally:
            if lock is not None:
                os.close(lock)
        return ZygoteSandbox(name, spec, image, control, anchor)

    def close(self) -> None:
        """Close the connection to the engine."""
        if self._engine is not None:
            self._engine.close()

    def _client(self) -> Any:
        """A client of an engine that answers. Raises SandboxUnavailable."""
        if self._engine is None:
            with _engine_answers():
                client = docker.from_env(timeout=60)
                client.api.headers["Connection"] = "close"  # else it keeps one for each address, so for each container
                client.ping()
            self._engine = client
            _remove_leftovers(client)
        return self._engine

    def _tag(self, runtime: str) -> str:
        return f"{self._image}:{runtime}"

    def _identity(self, runtime: str) -> str:
        try:
            with _engine_answers():
                return str(self._client().images.get(self._tag(runtime)).id)
        except ImageNotFound:
            raise SandboxUnavailable(f"there is no image {self._tag(runtime)}.", "run: make image") from None

    def _image_of(self, runtime: str) -> Finding:
        tag, check = self._tag(runtime), f"image {runtime}"
        try:
            with _engine_answers():
                labels = self._client().images.get(tag).labels
        except ImageNotFound:
            return Finding(check, "missing", f"there is no image {tag}", "run: make image", runtime)
        if labels.get(build.CODE_LABEL) != build.code():
            detail = f"{tag} was made from another version of this code"
            return Finding(check, "missing", detail, "run: make image", runtime)
        return Finding(check, "ok", tag, runtime=runtime)

    def _oci_runtime(self, info: dict[str, Any]) -> Finding:
        name = self._runtime or info.get("DefaultRuntime", "?")
        if name in info.get("Runtimes", {}):
            return Finding("OCI runtime", "ok", name)
        return Finding(
            "OCI runtime", "missing", f"the engine has no runtime {name}", "install it, or unset GRADER_DOCKER_RUNTIME"
        )

    def _sockets(self) -> Finding:
        try:
            self._socket_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.access(self._socket_dir, os.W_OK | os.X_OK):
                return Finding("control sockets", "ok", str(self._socket_dir))
        except OSError:
            pass
        remedy = "make it and give it to the worker's user, or set GRADER_DOCKER_SOCKET_DIR"
        return Finding("control sockets", "missing", f"{self._socket_dir} cannot be written", remedy)

    def _remove_abandoned(self, client: Any) -> None:
        """What a worker left that was killed while it started a container of that name."""
        for folder in abandoned(self._socket_dir, _FOLDER):
            with contextlib.suppress(DockerException, OSError):
                client.api.remove_container(folder.name, force=True)
            shutil.rmtree(folder, ignore_errors=True)

    def _socket_folder(self, name: str) -> Path:
        """A folder that the container may look into, under one that nobody else on the host may."""
        finding = self._sockets()
        if finding.level == "missing":
            raise SandboxUnavailable(f"{finding.detail}.", finding.remedy)
        folder = self._socket_dir / name
        folder.mkdir(mode=0o755)
        return folder


@contextlib.contextmanager
def _engine_answers() -> Iterator[None]:
    """What the client raises in our words: SandboxUnavailable without an engine, SandboxLost where it fails."""
    try:
        yield
    except ImageNotFound:
        raise
    except APIError as error:
        raise SandboxLost(f"the engine refuses: {error}") from None
    except (DockerException, OSError) as error:
        remedy = "start it (systemctl start docker), or let this user reach its socket, or use the local sandbox"
        raise SandboxUnavailable(f"no Docker engine answers: {error}.", remedy) from None


class _DockerAnchor:
    counts_files = False

    def __init__(self, client: Any, name: str, folder: Path) -> None:
        self._client, self._name, self._folder = client, name, folder

    def uid(self, number: int) -> int | None:
        return own_uid(number)

    def ran_out_of_memory(self, since: float) -> bool:
        filters = {"container": self._name, "event": "oom"}
        with contextlib.suppress(DockerException, OSError):
            until = f"{time.time():.6f}"  # a moment that has passed, so the engine answers at once
            return any(self._client.events(since=f"{since:.6f}", until=until, filters=filters, decode=True))
        return False

    def running(self) -> bool:
        try:
            return bool(self._client.api.inspect_container(self._name)["State"]["Running"])
        except (DockerException, OSError):
            return False

    def destroy(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(DockerException, OSError):
            try:
                self._client.api.remove_container(self._name, force=True)
            except NotFound:
                return
            except APIError:  # it is being removed already
                self._client.api.wait(self._name, timeout=30, condition="removed")


def _confinement(spec: SandboxSpec, runtime: str | None) -> dict[str, Any]:
    """Everything that keeps a container's code in: the security argument of this backend, line by line."""
    tmpfs = f"size={spec.files_mb}m,nr_inodes={_INODES},mode=1777,noexec,nosuid,nodev"
    base_mb = _BASE_MB.get(spec.runtime, _BASE_MB["torch"])
    memory = (
        f"{base_mb + spec.memory_mb + 2 * spec.files_mb}m"  # the backstop; files in tmpfs have a limit of their own
    )
    confinement: dict[str, Any] = {
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": tmpfs, "/dev/shm": tmpfs, "/dev/mqueue": "ro,size=4k"},  # queues would outlive a guest
        "ipc_mode": "private",
        "cap_drop": ["ALL"],
        "cap_add": ["SETUID", "SETGID", "KILL"],  # to give a guest a uid of its own, and to end it; guests have none
        "security_opt": ["no-new-privileges:true", f"seccomp={_SECCOMP.read_text()}"],
        "mem_limit": memory,
        "memswap_limit": memory,  # the same: no swap
        "pids_limit": spec.processes + _HELPERS,
        "nano_cpus": 1_000_000_000,
        "init": False,  # the zygote's janitor is the first process: when it ends, the kernel ends all others
        "user": "0:0",
        "hostname": "sandbox",
        "log_config": LogConfig(type="none"),
        "labels": {LABEL: spec.runtime},
        "auto_remove": True,
        "detach": True,
    }
    return confinement | ({"runtime": runtime} if runtime else {})


def _kernel(info: dict[str, Any]) -> list[Finding]:
    """What the engine's kernel must be able to limit."""
    needed = {"MemoryLimit": "memory", "PidsLimit": "the number of processes", "CpuCfsQuota": "processor time"}
    remedy = "enable the cgroup controllers memory, pids and cpu"
    findings = [
        Finding(f"limit of {what}", "unsafe", f"the engine cannot limit {what}", remedy)
        for key, what in needed.items()
        if not info.get(key)
    ]
    if not any(option.startswith("name=seccomp") for option in info.get("SecurityOptions") or []):
        findings.append(
            Finding("seccomp", "unsafe", "the engine has no seccomp", "use a kernel and an engine with seccomp")
        )
    return findings


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        path.chmod(0o666)  # the zygote is another user to us; the folder above keeps everybody else out
        listener.listen(1)
        yield listener


def _accept(listener: socket.socket, anchor: _DockerAnchor) -> socket.socket:
    """The zygote's connection. Raises SandboxLost when the container ends instead."""
    until = time.monotonic() + _READY_S
    listener.settimeout(1.0)
    while True:
        try:
            return listener.accept()[0]
        except TimeoutError:
            if not anchor.running():
                raise SandboxLost("the container ended before its zygote spoke") from None
            if time.monotonic() > until:
                raise SandboxLost("the zygote did not speak in time") from None


def _remove_leftovers(client: Any) -> None:
    """Containers that were made but never started, because their worker was killed in between."""
    with contextlib.suppress(DockerException, OSError):
        for container in client.containers.list(
            all=True, filters={"label": LABEL, "status": "created"}, ignore_removed=True
        ):
            made = container.attrs["Created"][:19]
            if time.time() - time.mktime(time.strptime(made, "%Y-%m-%dT%H:%M:%S")) + time.timezone > _LEFTOVER_S:
                container.remove(force=True)
