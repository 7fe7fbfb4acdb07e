"""What the docker backend says and does when the engine stops, comes back, or cannot be used."""

import contextlib
import gc
import io
import os
import socket
import tempfile
import threading
import time
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound, NotFound

from sandbox.backends.docker import DockerBackend
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.folders import hold
from sandbox.interface import SandboxSpec
from sandbox.pool import SandboxPool

pytestmark = pytest.mark.engine
SPEC = SandboxSpec("python", memory_mb=256, processes=16, files_mb=16)
IMAGE = os.environ.get("GRADER_DOCKER_IMAGE", "grader-sandbox")


class Relay:
    """Stands before the engine's socket and can be stopped, which the engine itself cannot: others use it."""

    def __init__(self, path, engine):
        self._path, self._engine, self._open = path, engine, []
        self.start()

    def start(self):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        for sock in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self._open.clear()
        os.unlink(self._path)

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near, far = listener.accept()[0], socket.socket(socket.AF_UNIX)
                far.connect(self._engine)
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def sockets():
    """A folder whose name is short: that of a Unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="grader-") as folder:
        yield Path(folder)


@pytest.fixture
def relay(docker_backend, sockets, monkeypatch):
    engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    relay = Relay(str(sockets / "engine"), engine)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{sockets}/engine")
    yield relay
    with contextlib.suppress(OSError):
        relay.stop()


@pytest.fixture
def relayed(relay, sockets):
    backend = DockerBackend(IMAGE, None, sockets / "control")
    yield backend
    backend.close()


def test_a_stopped_engine_is_unavailable_and_one_that_came_back_is_used(relay, relayed):
    relayed.start(SPEC).destroy()
    relay.stop()
    for act in (lambda: relayed.start(SPEC), lambda: relayed.identity("python")):
        with pytest.raises(SandboxUnavailable, match="no Docker engine answers"):
            act()
    (finding,) = relayed.check()
    assert (finding.check, finding.level) == ("engine", "missing")
    relay.start()
    assert relayed.identity("python").startswith("sha256:")
    relayed.start(SPEC).destroy()


def test_an_engine_that_starts_later_is_found(relay, relayed):
    relay.stop()
    with pytest.raises(SandboxUnavailable, match="start it"):
        relayed.start(SPEC)
    relay.start()
    relayed.start(SPEC).destroy()


def test_a_sandbox_works_on_and_can_be_destroyed_while_the_engine_is_away(relay, relayed, docker_backend, until):
    sandbox = relayed.start(SPEC)
    relay.stop()
    sandbox.ping()
    sandbox.destroy()
    with pytest.raises(SandboxError):
        sandbox.ping()
    until(lambda: not docker_backend._client().containers.list(all=True, filters={"name": sandbox.id}, sparse=True))


@pytest.fixture
def own_tag(docker_backend):
    """Puts the image of the runtime python under a name of this test's: the same one, or one made from it anew."""
    client, made = docker_backend._client(), []

    def put(anew):
        image = client.images.get(f"{IMAGE}:python")
        if anew:
            dockerfile = io.BytesIO(f"FROM {IMAGE}:python\nLABEL grader.test=anew\n".encode())
            image, _ = client.images.build(fileobj=dockerfile, rm=True)
            made.append(image.id)
        image.tag("grader-test-anew", "python")
        return image.id

    yield put
    for name in ("grader-test-anew:python", *made):
        with contextlib.suppress(ImageNotFound):  # it had no other name
            client.images.remove(name, force=True)


def test_a_sandbox_says_which_image_it_is_of_and_the_pool_hands_out_no_old_one(own_tag, sockets):
    old = own_tag(anew=False)
    backend = DockerBackend("grader-test-anew", None, sockets)
    with contextlib.closing(backend), contextlib.closing(SandboxPool(backend, size=1, cap=2, max_uses=9)) as pool:
        lease = pool.acquire(SPEC, "per_process")
        assert lease.sandbox.image == backend.identity("python") == old
        new = own_tag(anew=True)
        assert lease.sandbox.image == old != new, "what runs on is what it was"
        lease.release(clean=True)
        until_s = time.monotonic() + 60
        while (lease := pool.acquire(SPEC, "per_process")).sandbox.image != new:
            lease.release(clean=True)
            assert time.monotonic() < until_s, "the new image is not used"
            time.sleep(0.1)
        assert backend.identity("python") == new
        lease.release(clean=True)


def test_an_image_that_is_not_there_is_named_with_the_remedy(docker_backend, tmp_path):
    backend = DockerBackend("grader-no-such-image", None, tmp_path)
    for act in (lambda: backend.start(SPEC), lambda: backend.identity("python")):
        with pytest.raises(SandboxUnavailable, match=r"no image grader-no-such-image:python\. run: make image"):
            act()


def test_a_folder_for_sockets_that_cannot_be_made_is_told_with_the_remedy(docker_backend):
    backend = DockerBackend(IMAGE, None, Path("/proc/grader"))
    (finding,) = [finding for finding in backend.check() if finding.check == "control sockets"]
    assert (finding.level, "GRADER_DOCKER_SOCKET_DIR" in finding.remedy) == ("missing", True)
    with pytest.raises(SandboxUnavailable, match="GRADER_DOCKER_SOCKET_DIR"):
        backend.start(SPEC)


def test_an_unknown_oci_runtime_is_told(docker_backend, tmp_path):
    backend = DockerBackend(IMAGE, "no-such-runtime", tmp_path)
    (finding,) = [finding for finding in backend.check() if finding.check == "OCI runtime"]
    assert finding.level == "missing"
    with pytest.raises(SandboxError):
        backend.start(SPEC)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_worker_was_starting_is_removed_by_the_next_start(docker_backend, sockets):
    abandoned, held = sockets / "grader-0123456789ab", sockets / "grader-abcdefabcdef"
    with (
        contextlib.closing(docker.from_env()) as client,
        contextlib.closing(DockerBackend(IMAGE, None, sockets)) as own,
    ):
        client.api.create_container(f"{IMAGE}:python", name=abandoned.name)
        for folder in (abandoned, held):
            folder.mkdir()
            os.utime(folder, (0, 0))
        lock = hold(str(held))
        own.start(SPEC).destroy()
        os.close(lock)
        assert (abandoned.exists(), held.exists()) == (False, True)
        with pytest.raises(NotFound):
            client.api.inspect_container(abandoned.name)


def test_sandboxes_that_are_gone_leave_no_descriptor(docker_backend, sockets):
    def descriptors():
        gc.collect()  # what earlier tests left to the collector would count before, and not after
        return len(os.listdir("/proc/self/fd"))

    with contextlib.closing(DockerBackend(IMAGE, None, sockets)) as own:
        own.start(SPEC).destroy()
        before = descriptors()
        for _ in range(3):
            own.start(SPEC).destroy()
        assert descriptors() <= before
