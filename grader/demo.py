"""`make demo`: the service as a newcomer would use it, up to two scores. Run as `python -m grader.demo`.

It starts a real server on the embedded default (SQLite, a worker inside the server, the local sandbox), with its data
in a temporary folder so that it touches nothing of a service that is there already, and submits over real HTTP.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from rich.console import Console

from grader.catalog.read import read
from grader.cli.common import read_settings
from grader.cli.show import complain, score_table, words
from grader.cli.submit import follow
from grader.client import Client
from grader.errors import BadInput, Fault, GraderError
from grader.submissions.archives import from_path

_EXERCISE = "attention-classifier"
_SOLUTIONS = (("reference", "a correct solution"), ("wrong/masks_with_zero.py", "a flawed one: it masks with 0"))
_READY_WITHIN_S = 120.0
_LOG_TAIL = 2000
_NEXT = """
Go on:
  make serve                                   the same service, on http://127.0.0.1:{port}
  http://127.0.0.1:{port}/docs                   its API; the key is in {key}
  .venv/bin/grader submit {exercise} {starter}
  .venv/bin/grader grade {exercise} SOLUTION.py      without a server
  README.md                                    for hiring teams, for practice, for operators
"""


def main() -> int:
    """Run the demo; 0 when both solutions were graded."""
    try:
        _run(Console(highlight=False))
    except GraderError as error:
        complain(str(error))
        return 2 if isinstance(error, BadInput) else 3
    except KeyboardInterrupt:
        return 130
    return 0


def _run(console: Console) -> None:
    settings = read_settings()
    exercise = settings.exercises_dir / _EXERCISE
    if not exercise.is_dir():
        raise BadInput(f"there is no {exercise}; run the demo in the project's folder, or set GRADER_EXERCISES_DIR")
    read(exercise)  # a broken one is told here, with the file and the remedy
    console.print("Starting the service: SQLite, a worker inside the server, the local sandbox.")
    with (
        tempfile.TemporaryDirectory(prefix="grader-demo-") as folder,
        _server(Path(folder), console) as (url, key),
        Client(url, key) as client,
    ):
        for path, what in _SOLUTIONS:
            console.print(words(f"\nPOST {url}/v1/submissions: {exercise / path}, {what}", "bold"))
            stored = client.submit(_EXERCISE, from_path(exercise / path))
            console.print(score_table(follow(client, stored["id"])))
    starter = exercise / "starter" / "solution.py"
    console.print(
        _NEXT.format(port=settings.port, key=settings.data_dir / "key", exercise=_EXERCISE, starter=starter),
        soft_wrap=True,
    )


@contextlib.contextmanager
def _server(folder: Path, console: Console) -> Iterator[tuple[str, str]]:
    """A server process of our own, ended with the block: (URL, key)."""
    grader = [sys.executable, "-c", "from grader.cli.main import main; main()"]
    command = [*grader, "serve", "--port", "0", "--sandbox", "local"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(folder))
        try:
            with console.status("waiting until it is ready"):
                url = _ready(server, folder / "server.log")
            yield url, (folder / "key").read_text("ascii").strip()
        finally:
            server.send_signal(signal.SIGTERM)
            with console.status("ending the service"):
                server.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Ours, with the embedded default whatever else is set."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("GRADER_DATABASE_URL", "GRADER_REDIS_URL")
    }
    return kept | {"GRADER_DATA_DIR": str(folder), "GRADER_HOST": "127.0.0.1", "NO_COLOR": "1"}


def _ready(server: subprocess.Popen[bytes], log: Path) -> str:
    """The URL of the server, when it says that it can grade. Raises Fault, with the end of its log."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        url = _url(log)
        if url is not None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/readyz", trust_env=False).status_code == httpx.codes.OK:
                    return url
        time.sleep(0.1)
    ending = log.read_text("utf-8", "replace")[-_LOG_TAIL:]
    raise Fault(f"the service did not become ready; `grader doctor` says what this machine lacks. Its log:\n{ending}")


def _url(log: Path) -> str | None:
    """Where the server says that it is."""
    found = (word for word in log.read_text("utf-8", "replace").split() if word.startswith("http://127.0.0.1:"))
    return next(found, None)


if __name__ == "__main__":
    sys.exit(main())
