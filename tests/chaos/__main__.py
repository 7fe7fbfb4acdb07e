"""`make chaos`: the long form. Exit code 0: every claim holds; 1: one is broken; 2: something is missing here."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from tests.chaos import claims
from tests.chaos.acts import acts
from tests.chaos.run import Run, prepared
from tests.chaos.servers import Lacking
from tests.chaos.world import MOST_ATTEMPTS, World, world

_PER_ROUND = 70
_SHOWN = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--submissions", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=None, help="that of an earlier run, to repeat its plan")
    parser.add_argument(
        "--sandboxes", default="local,local,docker", help="that of each worker (default local,local,docker)"
    )
    parser.add_argument("--log", type=Path, default=None, help="where to keep what the service logged")
    options = parser.parse_args()
    seed = random.SystemRandom().getrandbits(32) if options.seed is None else options.seed
    sandboxes = options.sandboxes.split(",")
    console, begun = Console(stderr=True, highlight=False), time.monotonic()

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - begun:7.1f}[/] {line}", soft_wrap=True)

    say(f"seed {seed}: {options.submissions} submissions, workers with {options.sandboxes}")
    try:
        with world(*sandboxes) as service:
            rounds = max(1, options.submissions // _PER_ROUND)
            run = prepared(service, acts(sandboxes), seed, options.submissions, rounds, say)
            run.run()
            say("claims, and everything once more on the quiet service …")
            broken, tries = claims.broken(run), claims.attempts(run)
            service.stop()
            broken += claims.left_behind(run)
            if options.log is not None:
                keep(service, options.log)
    except Lacking as lacking:
        say(f"chaos cannot be had here: {lacking}")
        return 2
    Console(soft_wrap=True, highlight=False).print(report(run, seed, tries, broken, time.monotonic() - begun))
    return 1 if broken else 0


def keep(service: World, folder: Path) -> None:
    """Copy the logs, before the world's folder goes."""
    folder.mkdir(parents=True, exist_ok=True)
    for log in service.folder.glob("*.log"):
        shutil.copy(log, folder)


def report(run: Run, seed: int, tries: dict[int, int], broken: list[str], seconds: float) -> str:
    """What was done, what the API said, and what is broken."""
    lines = [
        f"seed {seed}: {len(run.accepted)} of {len(run.planned)} submissions accepted in {seconds:.0f} s, "
        f"quiet {run.quiet_s:.0f} s after the last act",
        f"the API said: {', '.join(f'{number} × {answer}' for answer, number in run.answers.most_common())}",
        f"tries (of {MOST_ATTEMPTS}): {', '.join(f'{number} × {tried}' for tried, number in tries.items())}",
        *(f"{number:5} × {name}" for name, number in sorted(run.done.items())),
        "every claim holds" if not broken else f"{len(broken)} broken claims:",
        *broken[:_SHOWN],
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
