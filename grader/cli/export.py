"""`grader export`: the results of a server as a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from grader.cli.common import AssessmentOption, KeyOption, MomentOption, ServerOption, moment, opened_client
from grader.cli.show import err, words
from grader.errors import BadInput
from grader.grading.model import Verdict


class Form(StrEnum):
    """What the file is for."""

    CSV = "csv"
    JSONL = "jsonl"


def export(
    file: Annotated[
        Path, typer.Argument(help="Where to write it: FILE.csv for a spreadsheet, FILE.jsonl for a program.")
    ],
    *,
    exercise: Annotated[str | None, typer.Option(help="Slug of an exercise.")] = None,
    assessment: AssessmentOption = None,
    verdict: Annotated[Verdict | None, typer.Option(help="How the grading that counts turned out.")] = None,
    since: MomentOption = None,
    until: MomentOption = None,
    server: ServerOption = None,
    key: KeyOption = None,
) -> None:
    """Write what counts for each submission into a file, the newest first. Needs a reviewer's or admin's key."""
    try:
        form = Form(file.suffix.removeprefix("."))
    except ValueError:
        raise BadInput(f"{file}: the name must end in .csv or .jsonl") from None
    asked = {
        "exercise": exercise,
        "assessment": assessment,
        "verdict": verdict,
        "since": moment("--since", since),
        "until": moment("--until", until),
    }
    with opened_client(server, key) as client:
        size = client.download(
            f"/v1/exports/results.{form}", file, {k: str(v) for k, v in asked.items() if v is not None}
        )
    err().print(words(f"written: {file} ({size} bytes)", "dim"))
