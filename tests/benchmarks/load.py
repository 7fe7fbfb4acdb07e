"""`make bench-load`: throughput, many gradings at once, two thousand in a row, and what a call through the wall costs.

All over HTTP, Redis, a worker, PostgreSQL and the docker sandbox under `per_process`, but for the calls, which a runner
of this process makes. One table, each row beside its goal.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from grader.backends import named_backend
from grader.catalog.read import read
from grader.grading.model import Job
from grader.grading.runner import Runner
from grader.settings import Settings
from grader.submissions.archives import from_path
from grader.submissions.files import digest
from tests.benchmarks import ways
from tests.benchmarks.meters import busy_s, machine

SLUG = "small-torch"
RESULTS = Path(__file__).with_name("load.md")
_WRONG = "def softmax(x, dim):\n    return x.exp() / x.exp().sum(dim, keepdim=True)\n"  # no Scale, overflows
_ENDED = ("done", "fault", "cancelled")


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    what: str
    goal: str
    found: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.load", description=__doc__)
    parser.add_argument("--batch", type=int, default=200, help="gradings for the throughput (default 200)")
    parser.add_argument("--row", type=int, default=2000, help="gradings in a row (default 2000)")
    parser.add_argument("--sandbox", choices=("docker", "local"), default="docker")
    parser.add_argument("--keep", action="store_true", help=f"write the table to {RESULTS.name}")
    options = parser.parse_args()
    console = Console(stderr=True)
    found: list[Figure] = []
    for part in (wall, throughput, at_once, in_a_row):
        console.print(f"{part.__name__.replace('_', ' ')} …")
        for figure in part(options):
            console.print(f"  {figure.what}: {figure.found}")
            found.append(figure)
    told = markdown(found, options.sandbox)
    Console().print(told)
    if options.keep:
        RESULTS.write_text(told)


def wall(options: argparse.Namespace) -> Iterator[Figure]:
    """Calls of a function that returns its argument."""
    goals = {
        "µs a call with a number": "at most 100",
        "µs a lookup and a call": "two calls",
        "MB/s of a large tensor": "at least 500",
    }
    exercise = read(ways.EXERCISES / "wall")
    files = from_path(exercise.reference)
    settings = Settings(pool_size=1)
    with Runner(settings, named_backend(options.sandbox, settings)) as runner:
        result = runner.grade(exercise, Job(files, digest(files), 1))
    for measure in result.measures:
        yield Figure(measure.name, goals[measure.name], f"{measure.value:.0f}")


def throughput(options: argparse.Namespace) -> Iterator[Figure]:
    """Batch gradings a second, two at a time, and a container for each, two at a time."""
    with ways.served(options.sandbox, "per_process", GRADER_INTERACTIVE_RESERVE="0") as (client, _):
        ways.submit(client, SLUG, ways.reference(SLUG))
        began, busy = time.monotonic(), busy_s()
        send = [_send(client, ways.reference(SLUG), "batch") for _ in range(options.batch)]
        _all_ended(client, send)
        ours, cpu_s = options.batch / (time.monotonic() - began), (busy_s() - busy) / options.batch
    with ways.container_per_submission(SLUG) as grade, ThreadPoolExecutor(2) as pool:
        grade()
        began = time.monotonic()
        list(pool.map(lambda _: grade(), range(8)))
        theirs = 8 / (time.monotonic() - began)
    yield Figure("small torch gradings a second, batch", "at least 10", f"{ours:.1f}")
    yield Figure("the same against a container per submission", "at least 25 ×", f"{ours / theirs:.0f} ×")
    yield Figure("processor time of one, all processes, ms", "60 above the suite's own", f"{cpu_s * 1000:.0f}")


def at_once(options: argparse.Namespace) -> Iterator[Figure]:
    """The same right and wrong solutions, 1, 2, 4 and 8 at a time: their scores."""
    sources = [ways.reference(SLUG), _WRONG] * 8
    scores = {}
    for number in (1, 2, 4, 8):
        with ways.served(options.sandbox, "per_process", GRADER_CONCURRENCY=str(number)) as (client, _):
            ended = _all_ended(client, [_send(client, source, "batch") for source in sources])
        scores[number] = [(told["verdict"], told["score"]) for told in ended]
    same = all(found == scores[1] for found in scores.values())
    distinct = sorted(set(scores[1]))
    told = ", ".join(f"{verdict} {score:g}" for verdict, score in distinct)
    yield Figure("1, 2, 4, 8 at once: verdicts and scores", "the same", f"{'the same' if same else scores} ({told})")


def in_a_row(options: argparse.Namespace) -> Iterator[Figure]:
    """What the worker and its children hold after a tenth of the gradings, and after all."""
    with ways.served(options.sandbox, "per_process") as (client, environment):
        worker = int(environment["BENCHMARK_WORKER_PID"])
        _all_ended(client, [_send(client, ways.reference(SLUG), "batch") for _ in range(options.row // 10)])
        before = _held(worker)
        for _ in range(9):
            _all_ended(client, [_send(client, ways.reference(SLUG), "batch") for _ in range(options.row // 10)])
        after = _held(worker)
    for name in before:
        yield Figure(f"{options.row} in a row: {name}", "flat", f"{before[name]} → {after[name]}")


def _send(client: httpx.Client, source: str, kind: str) -> str:
    body = {"exercise": SLUG, "files": {"solution.py": source}, "kind": kind}
    answer = client.post("/v1/submissions", json=body)
    answer.raise_for_status()
    return str(answer.headers["Location"])


def _all_ended(client: httpx.Client, where: Iterable[str]) -> list[dict[str, Any]]:
    """Each submission's grading, when all have ended; asked in order, so seldom twice."""
    found = []
    for location in where:
        while (told := client.get(location).json())["status"] not in _ENDED:
            time.sleep(0.2)
        found.append(told)
    return found


def _held(worker: int) -> dict[str, int]:
    """Memory in MB without what is shared, descriptors and processes of a worker and all below it; containers."""
    pids = [worker]
    for pid in pids:
        with contextlib.suppress(OSError):
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    samples = [_of(pid) for pid in pids]
    filters = ["--filter", "label=grader.sandbox"]
    containers = subprocess.run(["docker", "ps", "-q", *filters], capture_output=True, text=True, check=True).stdout
    return {
        "MB": round(statistics.fsum(sample[0] for sample in samples)),
        "descriptors": sum(sample[1] for sample in samples),
        "processes": len(pids),
        "containers": len(containers.split()),
    }


def _of(pid: int) -> tuple[float, int]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kb = sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
        return kb / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:  # it has ended
        return 0.0, 0


def markdown(found: list[Figure], sandbox: str) -> str:
    lines = [f"{machine()}; {sandbox} sandbox, per_process (`make bench-load`).", ""]
    lines += ["| what | goal | found |", "| --- | --- | ---: |"]
    lines += [f"| {figure.what} | {figure.goal} | {figure.found} |" for figure in found]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
