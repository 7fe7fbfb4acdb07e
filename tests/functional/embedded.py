"""`grader serve` on the embedded default, as a process of its own with a real sandbox, and the CLI against it."""

import os
import signal
import subprocess
import sys
import time

import httpx

GRADER = [sys.executable, "-c", "from grader.cli.main import main; main()"]


class Embedded:
    """A server process, its data, and what one does beside it in a shell."""

    def __init__(self, folder, exercises):
        self.data, self._exercises = folder / "var", exercises
        self.log = self.url = ""

    def start(self):
        self._file = self.data.parent / "log"
        with self._file.open("wb") as log:
            command = [*GRADER, "serve", "--port", "0", "--sandbox", "local"]
            self._process = subprocess.Popen(command, env=self.env(), stdout=log, stderr=log)
        self.url = self._until(self._answers, "it is not ready")

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait() in (0, -signal.SIGTERM)
        self.log = self._file.read_text()

    def env(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRADER_")}
        return kept | {"GRADER_DATA_DIR": str(self.data), "GRADER_EXERCISES_DIR": str(self._exercises)} | more

    def client(self):
        key = (self.data / "key").read_text().strip()
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def cli(self, *args, **env):
        command = [*GRADER, *map(str, args)]
        env = self.env(GRADER_SERVER=self.url) | env
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)

    def _answers(self):
        assert self._process.poll() is None, self._file.read_text()
        urls = [word for word in self._file.read_text().split() if word.startswith("http://127.0.0.1:")]
        try:
            return urls[0] if urls and httpx.get(f"{urls[0]}/readyz").status_code == 200 else None
        except httpx.TransportError:
            return None

    def _until(self, condition, otherwise):
        end = time.monotonic() + 60
        while not (found := condition()):
            assert time.monotonic() < end, otherwise
            time.sleep(0.05)
        return found
