"""Real processes of the service, and exercises for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_S = 60.0
"""How long to wait for what must happen: for a machine that is busy with other things, not for one that measures."""

ADDING = """
    from solution import add

    def test_adds(seed):
        assert add(seed, 1) == seed + 1

    def test_adds_nothing():
        assert add(2, 0) == 2
"""


def write_exercise(folder: Path, slug: str, suite: str = ADDING, toml: str = "") -> Path:
    """An exercise in the format, as small as can be; its folder."""
    made = folder / slug
    files = {
        "exercise.toml": f'slug = "{slug}"\ntitle = "{slug}"\nruntime = "python"\n{toml}',
        "tests/test_it.py": textwrap.dedent(suite),
        "reference/solution.py": "def add(a, b):\n    return a + b\n",
    }
    for name, content in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(content)
    return made


def until(condition: Callable[[], T], what: str = "it", patience_s: float = PATIENCE_S) -> T:
    """What the condition returns, as soon as that is true."""
    end = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {patience_s:g} s"
        time.sleep(0.02)
    return found


class Process:
    """A `grader` command that runs until it is told to end. `settings` become GRADER_... variables.

    `within`: a program, and its arguments, that prepares the ground and then becomes the command.
    """

    def __init__(self, log: Path, *command: str, within: Sequence[str] = (), **settings: Any) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GRADER_")}
        env = clean | {f"GRADER_{name.upper()}": str(value) for name, value in settings.items()}
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [*within, sys.executable, "-c", "from grader.cli.main import main; main()", *command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """All that it has printed and logged so far."""
        return self._log.read_text()

    def wait_for(self, words: str) -> None:
        """Until it has said that. Fails when it ends before."""

        def seen() -> bool:
            ended = self._process.poll() is not None
            assert words in self.said or not ended, f"it ended with {self._process.returncode}: {self.said}"
            return words in self.said

        until(seen, f"{words!r}")

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self) -> int:
        """Wait until it has ended; its exit code."""
        return self._process.wait(PATIENCE_S)

    def stop(self) -> int:
        """End it in good order; its exit code."""
        if self.alive:
            self.tell(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """End it as a crash does."""
        self.tell(signal.SIGKILL)
        self.ended()
