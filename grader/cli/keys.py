"""`grader key`: API keys, made and revoked in the database of the settings, whether or not a server runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from grader.accounts import service
from grader.accounts.models import ApiKey, Role
from grader.cli.common import JsonOption, read_settings
from grader.cli.show import err, out, print_json, words
from grader.db import open_database
from grader.errors import BadInput
from grader.migrations import upgrade

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Create, list and revoke API keys, in the database of GRADER_DATABASE_URL or GRADER_DATA_DIR.",
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for the list.")],
    role: Annotated[
        Role, typer.Option(help="candidate: own submissions; reviewer: reads everything; admin: everything.")
    ],
    assessment: Annotated[
        str | None,
        typer.Option(help="What it is handed out for, such as backend-2026: what is sent with it belongs there."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key. It is shown now and never again: only its hash is kept."""
    with _session() as session:
        row, key = service.create(session, name, role, assessment)
    if as_json:
        print_json(_told(row) | {"key": key})
        return
    err().print(words(f"A key of the role {role} for {row.name}, shown only now:", "dim"))
    out().print(key, soft_wrap=True)


@app.command("list")
def listed(as_json: JsonOption = False) -> None:
    """List all keys, the revoked ones included."""
    with _session() as session:
        rows = service.keys(session)
    if as_json:
        print_json({"keys": [_told(row) for row in rows]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head, least in (("Id, key", 32), ("Name, assessment", 4), ("Role", 9), ("Since", 10)):
        table.add_column(head, min_width=least, overflow="fold")
    for row in rows:
        first = row.id, row.name, row.role, f"{row.created_at.astimezone():%F}"
        ended = ("revoked", f"{row.revoked_at.astimezone():%F}") if row.revoked_at else ("", "")
        cells = zip(first, (f"{row.hint}…", row.assessment or "", *ended), strict=True)
        table.add_row(*(words("\n".join(cell).rstrip(), "dim" if row.revoked_at else "") for cell in cells))
    out().print(table)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID|HINT", help="Id of the key, or its start as `key list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Revoke a key: from now on it opens nothing. What was submitted with it stays."""
    with _session() as session:
        row = service.revoke(session, key.removesuffix("…"))
    if as_json:
        print_json(_told(row))
        return
    out().print(words(f"revoked: {row.hint}… of {row.name} ({row.role})"))


@contextlib.contextmanager
def _session() -> Iterator[Session]:
    """A transaction in the database of the settings, its schema up to date. Raises BadInput."""
    with contextlib.closing(open_database(read_settings())) as database:
        try:
            upgrade(database)
            with database.begin() as session:
                yield session
        except SQLAlchemyError as error:
            where = database.engine.url.render_as_string(hide_password=True)
            raise BadInput(f"the database {where} cannot be used: {error}\nSee GRADER_DATABASE_URL.") from None


def _told(row: ApiKey) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "role": str(row.role),
        "assessment": row.assessment,
        "hint": row.hint,
        "created_at": row.created_at.isoformat(),
        "revoked_at": None if row.revoked_at is None else row.revoked_at.isoformat(),
    }
