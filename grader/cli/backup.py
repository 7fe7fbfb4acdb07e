"""`grader backup` and `grader restore`: the embedded service's data in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grader import backups
from grader.cli.common import read_settings
from grader.cli.show import out, words
from grader.errors import BadInput
from grader.metrics.service import SILENT_BEATS
from grader.settings import Settings


def backup(file: Annotated[Path, typer.Argument(help="Where to write it, e.g. grader-2026-11-26.tar.gz.")]) -> None:
    """Write a backup of the embedded service, also while it runs: its database and its owner's key.

    Only you can read it. Exercises are not in it. A service on PostgreSQL is backed up with pg_dump (see README.md).
    """
    made = backups.backup(_embedded().data_dir, file)
    out().print(words(f"{file}: {made.submissions} submissions, {made.gradings} gradings"), soft_wrap=True)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `grader backup` wrote.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the data that is there; it is kept beside, as *.before.")
    ] = False,
) -> None:
    """Put a backup into GRADER_DATA_DIR. The service must not run. It is checked before anything is replaced."""
    settings = _embedded()
    made = backups.restore(file, settings.data_dir, replace, SILENT_BEATS * settings.reconcile_every_s)
    told = f"{made.submissions} submissions, {made.gradings} gradings, as of {made.created_at}"
    out().print(words(f"{settings.data_dir}: {told}; `grader serve` starts with it"), soft_wrap=True)


def _embedded() -> Settings:
    settings = read_settings()
    if settings.database_url is not None:
        raise BadInput("GRADER_DATABASE_URL names a database of its own: use pg_dump and pg_restore (see README.md)")
    return settings
