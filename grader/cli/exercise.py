"""`grader exercise`: for authors."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from grader.catalog.catalog import Catalog
from grader.catalog.model import Exercise
from grader.catalog.schema import SLUG
from grader.catalog.shown import languages
from grader.catalog.verify import AT_ONCE, Check, verify
from grader.cli.common import JsonOption, SandboxOption, catalog, opened_runner, read_settings
from grader.cli.scaffold import scaffold
from grader.cli.show import complain, err, out, print_json, words
from grader.errors import BadInput, ExerciseError
from sandbox.guest.runtimes import RUNTIMES

app = typer.Typer(help="Make, list, verify and digest exercises.", no_args_is_help=True)

Where = Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders of exercises, or slugs.")]


@app.command()
def new(
    slug: Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and hyphens.")],
    runtime: Annotated[str, typer.Option(help="What solutions may import: python or torch.")] = "python",
) -> None:
    """Make an exercise to start from: a small one that is complete and verifies."""
    if not re.fullmatch(SLUG, slug):
        raise BadInput(f"{slug!r} cannot be a slug: use lower-case letters, digits and single hyphens")
    if runtime not in RUNTIMES:
        raise BadInput(f"there is no runtime {runtime!r}, only {' and '.join(sorted(RUNTIMES))}")
    folder = read_settings().exercises_dir / slug
    if folder.exists():
        raise BadInput(f"{folder} is there already; choose another slug, or remove it first")
    for path, text in scaffold(slug, slug.replace("-", " ").capitalize(), runtime).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    out().print(words(f"made {folder}; change it, and then: grader exercise verify {folder}"))


@app.command("list")
def list_() -> None:
    """List the exercises, and what is wrong with those that cannot be used."""
    exercises = catalog(read_settings())
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Slug", "Title", "Runtime", "Languages", "Wrong"):
        table.add_column(heading)
    for slug in exercises.slugs():
        found = exercises.get(slug)
        row = slug, found.title, found.runtime, " ".join(languages(found)), len(found.wrong)
        table.add_row(*map(words, row))
    out().print(table if table.row_count else words(f"there is no exercise in {exercises.folder}"))
    for message in exercises.problems().values():
        complain(message)


@app.command()
def digest(where: Annotated[str, typer.Argument(metavar="DIR", help="Folder of an exercise, or a slug.")]) -> None:
    """Print the digest of an exercise: the version that its gradings name."""
    typer.echo(catalog(read_settings()).find(where).digest)


@app.command("verify")
def verify_(
    where: Where,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="How many seeds the reference is graded with.")] = 3,
    sandbox: SandboxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let exercises prove themselves.

    The reference and the alternatives must pass, the starter must not, and each known-wrong solution must fail exactly
    the tests that exercise.toml names for it. Exit codes: 0 all as it should be, 1 one falls short, 2 bad input, 3 a
    fault of ours.
    """
    settings = read_settings(sandbox=sandbox)
    exercises = _found(catalog(settings), where)
    runtimes = {exercise.runtime for exercise in exercises}
    with opened_runner(settings, runtimes.pop() if len(runtimes) == 1 else None, AT_ONCE) as runner:
        checks = verify(exercises, runner, seeds, _tell)
    if as_json:
        print_json(report(exercises, checks))
    else:
        out().print(_table(checks))
        _say_why(checks)
    if any(check.fault for check in checks):
        raise typer.Exit(3)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


def report(exercises: list[Exercise], checks: list[Check]) -> dict[str, object]:
    """The object of `verify --json`."""
    return {
        "ok": all(check.ok for check in checks),
        "exercises": {exercise.slug: exercise.digest for exercise in exercises},
        "checks": [asdict(check) for check in checks],
    }


def _found(known: Catalog, where: list[str]) -> list[Exercise]:
    """All exercises that are named, or what is wrong with every one that is not one."""
    exercises, problems = [], []
    for name in where:
        try:
            exercises.append(known.find(name))
        except BadInput as error:
            problems.append(str(error))
    if problems:
        raise ExerciseError("\n".join(problems))
    return exercises


def _tell(check: Check, done: int, total: int) -> None:
    """Progress: one line on stderr for each check, as it is done."""
    mark, style = ("ok", "green") if check.ok else ("FAULT" if check.fault else "NOT OK", "red")
    line = words(f"[{done}/{total}] {check.exercise}: {check.what}: ")
    err().print(line.append(mark, style).append(f" ({check.got})", "dim"), soft_wrap=True)


def _table(checks: list[Check]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Exercise", overflow="fold")
    table.add_column("What", overflow="fold")
    table.add_column("Expected", overflow="fold", ratio=2)
    table.add_column("Got", overflow="fold", ratio=2)
    table.add_column("Used", no_wrap=True)
    table.add_column("Ok", no_wrap=True)
    for check in checks:
        used = f"{check.usage.cpu_s:.1f} s {check.usage.memory_mb:.0f} MB" if check.usage else ""
        ok = words("yes", "green") if check.ok else words("NO", "bold red")
        table.add_row(
            words(check.exercise), words(check.what), words(check.expected), words(check.got), words(used), ok
        )
    return table


def _say_why(checks: list[Check]) -> None:
    """Below the table, in full width: what differs, test by test."""
    for check in checks:
        if check.why:
            out().print(words(f"\n{check.exercise}: {check.what}", "bold"), soft_wrap=True)
        for line in check.why:
            out().print(words(f"  {line}"), soft_wrap=True)
