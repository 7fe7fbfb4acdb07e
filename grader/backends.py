"""Which sandbox this machine grades in: the one that the settings name, or the better of those that work."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from grader.settings import SandboxName, Settings
from sandbox.backends.local import LocalBackend
from sandbox.errors import SandboxUnavailable
from sandbox.interface import FULL_CPU_SHARES, Backend, Finding

NAMES: tuple[SandboxName, ...] = ("docker", "local")


def make_backend(settings: Settings, runtimes: Collection[str], cpu_shares: int = FULL_CPU_SHARES) -> Backend:
    """The backend that `settings.sandbox` names. `auto`: docker where it is ready for these runtimes (none: for all),
    else local; SandboxUnavailable, with both reasons, where neither is. A backend that was named is not asked: `start`
    will say what it lacks, when it lacks it. `cpu_shares`: how much a sandbox weighs where processors are short; a
    local one is as nice as this process.
    """
    if settings.sandbox != "auto":
        return named_backend(settings.sandbox, settings, cpu_shares)
    reasons, remedies = [], []
    for name in NAMES:
        backend = named_backend(name, settings, cpu_shares)
        obstacle = lacking(backend.check(), runtimes)
        if obstacle is None:
            return backend
        backend.close()
        reasons.append(f"{name}: {obstacle.detail}")
        remedies.append(f"{name}: {obstacle.remedy}")
    raise SandboxUnavailable(f"no sandbox works here: {'; '.join(reasons)}.", f"Either helps: {'; '.join(remedies)}.")


def named_backend(name: str, settings: Settings, cpu_shares: int = FULL_CPU_SHARES) -> Backend:
    """The backend of that name, with nothing started."""
    if name == "local":
        return LocalBackend()
    from sandbox.backends.docker import DockerBackend

    return DockerBackend(settings.docker_image, settings.docker_runtime, settings.docker_socket_dir, cpu_shares)


def lacking(findings: Iterable[Finding], runtimes: Collection[str]) -> Finding | None:
    """The first thing that keeps a backend from sandboxes of these runtimes (none: of all); None if it is ready."""
    for finding in findings:
        of_another = runtimes and finding.runtime and finding.runtime not in runtimes
        if finding.level == "missing" and not of_another:
            return finding
    return None
