"""`grader grade`: one solution, on this machine, without a server."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from grader.catalog.model import Exercise
from grader.cli.common import JsonOption, SandboxOption, catalog, opened_runner, read_settings
from grader.cli.show import err, out, print_json, safe, score_table, words
from grader.errors import Fault
from grader.grading.model import Job, Result, Status, Verdict
from grader.grading.runner import OnEvent
from grader.submissions.archives import from_path
from grader.submissions.files import Caps, digest
from sandbox.errors import SandboxError


def grade(
    exercise: Annotated[str, typer.Argument(help="Slug of an exercise, or a folder that holds one.")],
    solution: Annotated[
        Path, typer.Argument(help="A .py file, a folder with solution.py, or a .zip, .tar.gz, .tgz or .tar of one.")
    ],
    sandbox: SandboxOption = None,
    as_json: JsonOption = False,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**63 - 1, help="Seed of the inputs: the same gives the same score. Default: random."),
    ] = None,
) -> None:
    """Grade a solution on this machine, without a server.

    The score goes to stdout; progress, and what the solution printed, to stderr.
    Exit codes: 0 passed in full, 1 graded but not in full, 2 bad input, 3 a fault of ours (no score).
    """
    settings = read_settings(sandbox=sandbox)
    found = catalog(settings).find(exercise)
    files = from_path(solution, Caps.of(settings))
    job = Job(files, digest(files), secrets.randbits(63) if seed is None else seed)
    try:
        with progress() as on_event, opened_runner(settings, {found.runtime}) as runner:
            result = runner.grade(found, job, on_event)
    except (Fault, SandboxError):
        if as_json:
            print_json(fault(found, job))
        raise
    _show(result, as_json)
    raise typer.Exit(0 if result.verdict is Verdict.PASSED else 1)


def fault(exercise: Exercise, job: Job) -> dict[str, Any]:
    """The object of `--json` where we failed: the same keys, and no number that could be taken for a score."""
    return {
        "exercise": exercise.slug,
        "status": str(Status.FAULT),
        "verdict": None,
        "score": None,
        "max_score": None,
        "tests": [],
        "usage": None,
        "provenance": {
            "exercise_digest": exercise.digest,
            "submission_digest": job.submission_digest,
            "image": None,
            "seed": job.seed,
            "limits": asdict(exercise.limits),
            "versions": {},
        },
    }


@contextlib.contextmanager
def progress() -> Iterator[OnEvent]:
    """A bar on stderr for as long as the block runs: how many tests have ended, and how the last one did."""
    columns = SpinnerColumn(), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def on_event(event: Mapping[str, Any]) -> None:
            if event["kind"] == "started":
                bar.update(task, total=event["total"], completed=0, description="waiting for a sandbox")
            elif event["kind"] == "sandboxed":
                bar.update(task, description="loading the solution")
            else:
                test = event["test"]
                told = safe(f"{test['outcome']}: {test['title']}").replace("\n", " ")
                bar.update(task, completed=event["done"], description=told[:100])

        yield on_event


def _show(result: Result, as_json: bool) -> None:
    if result.output:
        err().print(Panel(words(result.output.rstrip("\n"), "dim"), title="printed by the solution", style="dim"))
    if as_json:
        print_json(result.to_json())
        return
    out().print(score_table(result.to_json()))
    made = result.provenance
    out().print(words(f"seed {made['seed']}, {made['image']}, exercise {made['exercise_digest'][:19]}", "dim"))
