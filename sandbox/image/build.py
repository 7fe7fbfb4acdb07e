"""Builds the sandbox images: `python -m sandbox.image.build [RUNTIME …]`, or `make image`.

Wheels are resolved on the host, so the build needs no network. The base is `python:3.11-slim` where a registry can be
reached (or GRADER_BASE_IMAGE), else one made with debootstrap. An image whose ingredients have not changed is kept.
"""

from __future__ import annotations

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
RUNTIMES = ("python", "torch")
LABEL = "org.grader.ingredients"
CODE_LABEL = "org.grader.code"
_PYTHON = "3.11"
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
_OFFICIAL_BASE = f"python:{_PYTHON}-slim-bookworm"
_OWN_BASE = "grader-base:bookworm"
_CODE = ("__init__.py", "wire.py", "codec.py", "guest")


class BuildError(Exception):
    """The image cannot be built; the message says what to do."""


def build(client: Any, name: str, runtime: str, base: str) -> str:
    """Build `name:runtime` unless it is there with these very ingredients; the image's id."""
    with tempfile.TemporaryDirectory(prefix="grader-image-") as folder:
        context = Path(folder)
        shutil.copy(_HERE / "Dockerfile", context)
        shutil.copy(_HERE / f"requirements-{runtime}.txt", context / "requirements.txt")
        _copy_code(context / "sandbox")
        ingredients = _hash(context, client.images.get(base).id)
        tag = f"{name}:{runtime}"
        if (known := _present(client, tag, ingredients)) is not None:
            print(f"{tag} is up to date", flush=True)  # noqa: T201
            return known
        print(f"{tag}: resolving wheels", flush=True)  # noqa: T201
        download(context / "requirements.txt", context / "wheels")
        print(f"{tag}: building on {base}", flush=True)  # noqa: T201
        return _build(client, context, tag, base, ingredients)


def code() -> str:
    """The hash of the guest's side of our code; a worker refuses an image that was made from another version of it."""
    with tempfile.TemporaryDirectory(prefix="grader-image-") as folder:
        _copy_code(Path(folder) / "sandbox")
        return _hash(Path(folder), "")


def base_image(client: Any) -> str:
    """The name of a base image that is there now. Raises BuildError."""
    from docker.errors import APIError, ImageNotFound

    wanted = os.environ.get("GRADER_BASE_IMAGE")
    for name in [wanted] if wanted else [_OFFICIAL_BASE, _OWN_BASE]:
        try:
            return str(client.images.get(name).tags[0])
        except ImageNotFound:
            pass
        if name == _OWN_BASE:
            break
        print(f"pulling {name}", flush=True)  # noqa: T201
        try:
            client.images.pull(name)
        except APIError as error:
            print(f"  not to be had: {str(error)[:120]}", flush=True)  # noqa: T201
        else:
            return name
    if wanted:
        raise BuildError(f"the base image {wanted} (GRADER_BASE_IMAGE) can neither be found nor pulled")
    return debootstrapped(client)


def debootstrapped(client: Any) -> str:
    """A base made from Debian's packages, for machines that reach no image registry. Needs root and debootstrap."""
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise BuildError(
            f"{_OFFICIAL_BASE} cannot be pulled; to make a base without a registry, install debootstrap and run this "
            "as root, or load an image with Python 3.11 yourself and name it in GRADER_BASE_IMAGE"
        )
    print("making a base with debootstrap (about a minute)", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="grader-base-") as folder:
        packages = "--include=python3,python3-venv,ca-certificates"
        _run(["debootstrap", "--variant=minbase", packages, "bookworm", f"{folder}/root"])
        with subprocess.Popen(["tar", "-C", f"{folder}/root", "-c", "."], stdout=subprocess.PIPE) as tar:
            repository, tag = _OWN_BASE.split(":")
            _run(["docker", "import", "-", f"{repository}:{tag}"], stdin=tar.stdout)
    return _OWN_BASE


def download(requirements: Path, folder: Path) -> None:
    """Wheels for Python 3.11 on Linux, whatever Python runs this. Raises BuildError."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), "--only-binary=:all:"]
    command += ["--python-version", _PYTHON, "--implementation", "cp", "--requirement", str(requirements)]
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


def _present(client: Any, tag: str, ingredients: str) -> str | None:
    from docker.errors import ImageNotFound

    try:
        image = client.images.get(tag)
    except ImageNotFound:
        return None
    return str(image.id) if image.labels.get(LABEL) == ingredients and CODE_LABEL in image.labels else None


def _build(client: Any, context: Path, tag: str, base: str, ingredients: str) -> str:
    from docker.errors import BuildError as DockerBuildError

    try:
        image, _ = client.images.build(
            path=str(context),
            tag=tag,
            buildargs={"BASE": base},
            labels={LABEL: ingredients, CODE_LABEL: code()},
            network_mode="none",
            rm=True,
            forcerm=True,
        )
    except DockerBuildError as error:
        log = "".join(line.get("stream", "") for line in error.build_log)[-2000:]
        raise BuildError(f"{tag} could not be built: {error}\n{log}") from None
    return str(image.id)


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
