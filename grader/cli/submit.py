"""`grader submit`: a solution to a server, its progress live, its score as a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from grader.cli.common import JsonOption, KeyOption, ServerOption, opened_client, read_settings
from grader.cli.show import complain, err, out, print_json, safe, score_table, words
from grader.client import Client, Event
from grader.submissions.archives import from_path
from grader.submissions.files import Caps

_RESULT = ("exercise", "status", "verdict", "score", "max_score", "tests", "usage", "provenance")
_CODES = {"passed": 0, "fault": 3, "cancelled": 2}


def submit(
    exercise: Annotated[str, typer.Argument(help="Slug of the exercise.")],
    path: Annotated[
        Path, typer.Argument(help="A .py file, a folder with solution.py, or a .zip, .tar.gz, .tgz or .tar of one.")
    ],
    *,
    assessment: Annotated[
        str | None, typer.Option(help="Name of the assessment that it belongs to, for reviewers; default: the key's.")
    ] = None,
    server: ServerOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the grading to its end.")] = True,
) -> None:
    """Send a solution to a server and follow its grading.

    Exit codes: 0 passed in full, 1 graded but not in full (or the exercise shows no score), 2 bad input or taken back,
    3 a fault of ours (no score). With --no-wait: 0 as soon as the server has it.
    """
    settings = read_settings()
    files = from_path(path, Caps.of(settings))
    with opened_client(server, key) as client:
        stored = client.submit(exercise, files, assessment)
        err().print(words(f"submission {stored['id']}", "dim"))
        if not wait:
            _show(stored, as_json, extra=("id",))
            return
        try:
            final = follow(client, stored["id"])
        except KeyboardInterrupt:
            complain(f"no longer followed; it is graded all the same: /v1/submissions/{stored['id']}")
            raise typer.Exit(130) from None
    _show(final, as_json)
    raise typer.Exit(_CODES.get(str(final["verdict"] or final["status"]), 1))


def follow(client: Client, submission_id: str) -> dict[str, Any]:
    """Show the progress on stderr until the grading has ended; the submission as the last event shows it.

    On a terminal a bar moves; elsewhere each event is a line.
    """
    columns = SpinnerColumn(), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task("sent", total=None)

        def on_break() -> None:
            bar.update(task, description="the server does not answer; trying again")

        for event in client.follow(submission_id, on_break):
            told = _told(event)
            match event.kind:
                case "started":
                    bar.reset(task, total=event.data.get("total"), description=told)
                case "test":
                    bar.update(task, completed=event.data["done"], description=told)
                case _:
                    bar.update(task, description=told)
            if not bar.console.is_terminal:
                bar.console.print(words(told, "dim"), soft_wrap=True)
    return dict(event.data)


def _told(event: Event) -> str:
    """An event in a line."""
    if event.kind == "test":
        test = event.data["test"]
        return safe(f"{test['outcome']}: {test['title']}").replace("\n", " ")[:100]
    return {"started": "grading", "retry": "a fault of the server's; it tries again"}.get(event.kind, event.kind)


def _show(found: Mapping[str, Any], as_json: bool, extra: tuple[str, ...] = ()) -> None:
    if found["output"]:
        printed = words(str(found["output"]).rstrip("\n"), "dim")
        err().print(Panel(printed, title="printed by the solution", style="dim"))
    if as_json:
        print_json({name: found[name] for name in (*extra, *_RESULT)})
        return
    out().print(score_table(found))
    if found["detail"]:
        out().print(words(found["detail"]))
