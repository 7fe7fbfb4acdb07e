"""Where the Python of the local backend may lie."""

import sys
from pathlib import Path

from sandbox.interface import SandboxSpec


def test_a_python_that_is_reached_by_a_link_is_found_in_the_sandbox_too(local_backend, monkeypatch, tmp_path):
    (tmp_path / "current").symlink_to(sys.prefix)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "current" / "bin" / Path(sys.executable).name))
    sandbox = local_backend.start(SandboxSpec("python", memory_mb=256, processes=16, files_mb=16))
    try:
        sandbox.ping()
    finally:
        sandbox.destroy()
