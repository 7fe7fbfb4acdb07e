"""`make bench`: two tables from one run, for a torch suite and for one in pure Python.

Every way grades the same correct submission to the same ten tests, one after the other, on an otherwise idle machine.
Times are told as ratios to bare pytest too, since only these mean something on another machine.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import ways
from tests.benchmarks.meters import PeakMemory, Row, busy_s, machine

Way = Callable[[str], contextlib.AbstractContextManager[ways.Grade]]
SLUGS = ("small-torch", "small-python")
WAYS: dict[str, Way] = {
    "bare python -m pytest, no sandbox": ways.bare_pytest,
    "docker run per submission": ways.container_per_submission,
    "service, docker, per_container": lambda slug: ways.service(slug, "docker", "per_container"),
    "service, docker, per_process": lambda slug: ways.service(slug, "docker", "per_process"),
    "service, local, per_container": lambda slug: ways.service(slug, "local", "per_container"),
    "service, local, per_process": lambda slug: ways.service(slug, "local", "per_process"),
}
RESULTS = Path(__file__).with_name("results.md")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="gradings per way (default 20)")
    parser.add_argument("--pause", type=float, default=2.5, help="seconds between gradings, so that a pool keeps up")
    parser.add_argument("--keep", action="store_true", help=f"write the tables to {RESULTS.name}")
    options = parser.parse_args()
    console = Console(stderr=True)
    found: dict[str, list[Row]] = {}
    for slug in SLUGS:
        found[slug] = []
        for name, way in WAYS.items():
            console.print(f"{slug}: {name} …")
            found[slug].append(measure(name, slug, way, options.runs, options.pause))
            console.print(f"  median {found[slug][-1].median_s * 1000:.0f} ms")
    for slug, rows in found.items():
        Console().print(table(slug, rows))
    if options.keep:
        RESULTS.write_text(markdown(found, options.runs))


def measure(name: str, slug: str, way: Way, runs: int, pause: float) -> Row:
    """Time `runs` gradings, `pause` seconds apart. Processor time includes what happens in the pauses: a pool that
    starts a new sandbox after each grading pays for it there; what the machine spends at rest is taken off."""
    rest_s = _at_rest(3.0)
    with PeakMemory() as memory, way(slug) as grade:
        grade()
        time.sleep(pause)
        seconds, busy, began = [], busy_s(), time.monotonic()
        for _ in range(runs):
            started = time.monotonic()
            grade()
            seconds.append(time.monotonic() - started)
            time.sleep(pause)
        spent = busy_s() - busy - rest_s * (time.monotonic() - began)
    return Row(name, seconds, spent / runs, memory.mb)


def _at_rest(duration_s: float) -> float:
    """Processor seconds per second that this machine spends on other things."""
    before = busy_s()
    time.sleep(duration_s)
    return (busy_s() - before) / duration_s


def cells(rows: list[Row]) -> list[tuple[str, ...]]:
    bare = rows[0].median_s
    return [
        (
            row.way,
            f"{row.median_s * 1000:.0f}",
            f"{row.p95_s * 1000:.0f}",
            f"{bare / row.median_s:.1f} ×",
            f"{row.cpu_s:.2f}",
            f"{row.peak_mb:.0f}",
        )
        for row in rows
    ]


HEADINGS = ("way", "median ms", "p95 ms", "against bare pytest", "CPU s per grading", "peak MB")


def table(slug: str, rows: list[Row]) -> Table:
    built = Table(*HEADINGS, title=f"{slug}; {machine()}")
    for row in cells(rows):
        built.add_row(*row)
    return built


def markdown(found: dict[str, list[Row]], runs: int) -> str:
    today = datetime.datetime.now(datetime.UTC).date()
    lines = [f"{machine()}; {today}; {runs} gradings per way (`make bench`)."]
    for slug, rows in found.items():
        lines += ["", f"`{slug}`, ten tests:", ""]
        lines += ["| " + " | ".join(HEADINGS) + " |", "| --- " + "| ---: " * (len(HEADINGS) - 1) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in cells(rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
