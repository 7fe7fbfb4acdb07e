"""Which sandbox this machine grades in: the one that the settings name, or the better of those that work."""

from __future__ import annotations

from grader.settings import SandboxName, Settings
from sandbox.backends.local import LocalBackend
from sandbox.errors import SandboxUnavailable
from sandbox.interface import Backend, Finding

NAMES: tuple[SandboxName, ...] = ("docker", "local")


def make_backend(settings: Settings, runtime: str | None = None) -> Backend:
    """The backend that `settings.sandbox` names. `auto`: docker where it is ready for `runtime` (None: for all), else
    local; SandboxUnavailable, with both reasons, where neither is. A backend that was named is not asked: `start` will
    say what it lacks, when it lacks it.
    """
    if settings.sandbox != "auto":
        return named_backend(settings.sandbox, settings)
    reasons, remedies = [], []
    for name in NAMES:
        backend = named_backend(name, settings)
        obstacle = lacking(backend, runtime)
        if obstacle is None:
            return backend
        backend.close()
        reasons.append(f"{name}: {obstacle.detail}")
        remedies.append(f"{name}: {obstacle.remedy}")
    raise SandboxUnavailable(f"no sandbox works here: {'; '.join(reasons)}.", f"Either helps: {'; '.join(remedies)}.")


def named_backend(name: str, settings: Settings) -> Backend:
    """The backend of that name, with nothing started."""
    if name == "local":
        return LocalBackend()
    from sandbox.backends.docker import DockerBackend

    return DockerBackend(settings.docker_image, settings.docker_runtime, settings.docker_socket_dir)


def lacking(backend: Backend, runtime: str | None = None) -> Finding | None:
    """The first thing that keeps a backend from sandboxes of this runtime (None: of any); None if it is ready."""
    for finding in backend.check():
        of_another = runtime is not None and finding.check.startswith("image ") and finding.check != f"image {runtime}"
        if finding.level == "missing" and not of_another:
            return finding
    return None
