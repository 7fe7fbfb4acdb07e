"""`make bench-regrade`: how long a person waits while a batch is graded again, and what the batch gets done meanwhile.

Submissions are stored as if they had been graded before; a regrade of all of them begins, and while it runs single
submissions are sent one after the other. Their median and p95 are told beside those on the same service at rest, half
of which are sent before and half after, since a machine's speed drifts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
from rich.console import Console
from sqlalchemy import select

from grader.accounts.models import ApiKey
from grader.db import Database, new_id, now
from grader.grading import service as gradings
from grader.grading.model import Outcome, Result, Status, TestResult, Verdict
from grader.grading.models import Kind
from grader.models import Submission, SubmissionFile
from grader.submissions.files import digest
from sandbox.limits import Usage
from tests.benchmarks import meters, ways

SLUG = "small-torch"
RESULTS = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.regrading", description=__doc__)
    parser.add_argument("--batch", type=int, default=10_000, help="stored submissions (default 10000)")
    parser.add_argument("--singles", type=int, default=40, help="single submissions of each kind (default 40)")
    parser.add_argument("--sandbox", choices=("local", "docker"), default="local")
    parser.add_argument("--keep", action="store_true", help="write the figures to regrading-SANDBOX.md")
    options = parser.parse_args()
    console = Console(stderr=True)
    with ways.served(options.sandbox, "per_process", only=tuple(Kind)) as (client, environment):
        source = ways.reference(SLUG)
        console.print(f"storing {options.batch} submissions …")
        store(environment["GRADER_DATABASE_URL"], options.batch, source)
        ways.submit(client, SLUG, source)

        singles = partial(timed, lambda: ways.submit(client, SLUG, source))

        def at_rest(number: int) -> list[float]:
            meters.rest()
            console.print("single submissions on the idle service …")
            return singles(number)

        idle = at_rest(options.singles // 2)
        alone = rate(client, begin(client), lambda: time.sleep(20))
        console.print("single submissions during the regrade …")
        busy: list[float] = []
        beside = rate(client, begin(client), lambda: busy.extend(singles(options.singles)))
        idle += at_rest(options.singles - len(idle))
    told = report(options, idle, busy, alone, beside)
    Console().print(told)
    if options.keep:
        (RESULTS / f"regrading-{options.sandbox}.md").write_text(told)


def store(database_url: str, number: int, source: str) -> None:
    """Graded submissions, without grading them: their results name a suite that is not the one of now."""
    database = Database(database_url)
    files = {"solution.py": source.encode()}
    test = TestResult("test_small.py::test_old", "old", Outcome.PASSED, 1, 1)
    for first in range(0, number, 500):
        with database.begin() as session:
            key = session.scalars(select(ApiKey.id)).first()
            for _ in range(min(500, number - first)):
                submission = Submission(
                    id=new_id(), exercise=SLUG, digest=digest(files), key_id=key, created_at=now(session)
                )
                submission.files = [SubmissionFile(path=path, content=content) for path, content in files.items()]
                session.add(submission)
                session.flush()
                grading = gradings.create(session, submission, Kind.BATCH, counts=True)
                held = gradings.claim(session, grading.id, 60)
                if held is None:
                    raise RuntimeError("a worker took what was to be stored as graded")
                made_from = {"exercise_digest": "sha256:before", "seed": grading.seed}
                old = Result(SLUG, Status.DONE, Verdict.PASSED, 1, 1, (test,), Usage(), made_from)
                gradings.finish(session, held, old, "full")
    database.close()


def begin(client: httpx.Client) -> str:
    """Begin a regrade of all; where it is."""
    body = {"selection": {"exercise_digest": "sha256:before"}, "reason": "a benchmark", "again": True}
    answer = client.post("/v1/regrades", json=body)
    answer.raise_for_status()
    return str(answer.headers["Location"])


def rate(client: httpx.Client, regrade: str, during: Callable[[], None]) -> float:
    """Submissions that a regrade gets done a second while something goes on; it is cancelled then."""
    until = time.monotonic() + 60
    while not client.get(regrade).json()["progress"]["done"]:
        if time.monotonic() > until:
            raise RuntimeError("nothing of the regrade is graded")
        time.sleep(0.1)
    before, since = client.get(regrade).json()["progress"]["done"], time.monotonic()
    during()
    done = client.get(regrade).json()["progress"]["done"] - before
    seconds = time.monotonic() - since
    client.post(f"{regrade}/cancel", json={"reason": "measured"}).raise_for_status()
    return done / seconds


def timed(grade: Callable[[], None], number: int) -> list[float]:
    """Seconds of each of so many gradings, one after the other."""
    seconds = []
    for _ in range(number):
        started = time.monotonic()
        grade()
        seconds.append(time.monotonic() - started)
    return seconds


def report(options: argparse.Namespace, idle: list[float], busy: list[float], alone: float, beside: float) -> str:
    """The figures as Markdown."""
    p95s = [statistics.quantiles(seconds, n=20)[-1] for seconds in (idle, busy)]
    rows = [
        (name, f"{statistics.median(seconds) * 1000:.0f}", f"{p95 * 1000:.0f}", f"{p95 / p95s[0]:.2f} ×")
        for name, seconds, p95 in zip(("idle", "during the regrade"), (idle, busy), p95s, strict=True)
    ]
    lines = [
        f"{meters.machine()}; {options.sandbox} sandbox, per_process, a worker for each kind of gradings; a regrade of "
        f"{options.batch} submissions of a ten-test torch suite; {options.singles} single submissions each "
        "(`make bench-regrade`).",
        "",
        "| a single submission, service | median ms | p95 ms | p95 against idle |",
        "| --- | ---: | ---: | ---: |",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"The regrade gets {alone:.1f} submissions a second done alone, {beside:.1f} beside the single ones.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
