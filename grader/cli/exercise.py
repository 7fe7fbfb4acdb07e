"""`grader exercise`: for authors."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Annotated, NoReturn

import typer
from rich.table import Table

from grader.catalog.catalog import Catalog
from grader.catalog.margins import FILE, Margins, measure
from grader.catalog.model import Exercise
from grader.catalog.schema import SLUG
from grader.catalog.shown import languages
from grader.catalog.trial import AT_ONCE, Check
from grader.catalog.verify import verify
from grader.cli.common import JsonOption, Patient, SandboxChoice, SandboxOption, catalog, opened_runner, read_settings
from grader.cli.scaffold import scaffold
from grader.cli.show import complain, err, out, print_json, words
from grader.errors import BadInput, ExerciseError
from sandbox.guest.runtimes import RUNTIMES

app = typer.Typer(help="Make, list, verify and digest exercises.", no_args_is_help=True)

Where = Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders of exercises, or slugs.")]


@app.command()
def new(
    slug: Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and hyphens.")],
    runtime: Annotated[str, typer.Option(help="What solutions may import: python, torch or transformers.")] = "python",
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
    wrong_seeds: Annotated[
        int,
        typer.Option(
            min=1, max=100, help="How many seeds each known-wrong solution is graded with: is it always caught?"
        ),
    ] = 1,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help='Only what matches, such as reference, starter or "no_*"; may be repeated.'),
    ] = None,
    sandbox: SandboxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let exercises prove themselves.

    The reference and the alternatives must pass, the starter must not, and each known-wrong solution must fail exactly
    the tests that exercise.toml names for it; the limits must leave room, and margins.md must name every threshold.
    Exit codes: 0 all as it should be, 1 one falls short, 2 bad input, 3 a fault of ours.
    """
    exercises, runner = _opened(where, sandbox)
    with runner as grades:
        checks = verify(exercises, grades, seeds=seeds, wrong_seeds=wrong_seeds, only=only or (), on_check=_tell)
    if as_json:
        print_json(report(exercises, checks))
    else:
        out().print(_table(checks))
        _say_why(checks)
    _leave(checks)


@app.command()
def margins(
    where: Where,
    seeds: Annotated[int, typer.Option(min=2, max=100, help="How many seeds each solution is graded with.")] = 20,
    sandbox: SandboxOption = None,
) -> None:
    """Measure how far each threshold stands from right and wrong.

    Grades the reference, the alternatives and the wrong solutions that are to fail a test with a threshold, each with
    many seeds, shows the table, and writes it to margins.md if all is as it should be. Exit codes: 0 it is, 1 a
    threshold does not stand between the worst correct and the best wrong solution, or a solution fared otherwise than
    the exercise says, 2 bad input, 3 a fault of ours.
    """
    exercises, runner = _opened(where, sandbox)
    checks: list[Check] = []
    with runner as grades:
        for exercise in exercises:
            done, found = measure(exercise, grades, seeds, _tell)
            checks += done
            if found is not None:
                checks.append(_written(found, all(check.ok for check in done)))
    _say_why(checks)
    _leave(checks)


def report(exercises: list[Exercise], checks: list[Check]) -> dict[str, object]:
    """The object of `verify --json`."""
    return {
        "ok": all(check.ok for check in checks),
        "exercises": {exercise.slug: exercise.digest for exercise in exercises},
        "checks": [_line(check) for check in checks],
    }


def _line(check: Check) -> dict[str, object]:
    usage = None if check.result is None else asdict(check.result.usage)
    fields = ("exercise", "what", "expected", "got", "ok", "why")
    return {name: getattr(check, name) for name in fields} | {"usage": usage, "fault": check.fault}


def _opened(where: list[str], sandbox: SandboxChoice | None) -> tuple[list[Exercise], AbstractContextManager[Patient]]:
    settings = read_settings(sandbox=sandbox)
    exercises = _found(catalog(settings), where)
    return exercises, opened_runner(settings, {exercise.runtime for exercise in exercises}, AT_ONCE)


def _leave(checks: list[Check]) -> NoReturn:
    if any(check.fault for check in checks):
        raise typer.Exit(3)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


def _written(found: Margins, as_it_says: bool) -> Check:
    """Show the table and judge it; write margins.md if all is as it should be."""
    text, problems = found.markdown(), tuple(found.problems())
    path = found.exercise.folder / FILE
    out().print(words(text), soft_wrap=True)
    if as_it_says and not problems:
        path.write_text(text, "utf-8")
    got = f"wrote {path}" if as_it_says and not problems else f"{path} was left as it is"
    return Check(found.exercise.slug, "margins", "thresholds between right and wrong", got, not problems, problems)


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
    """Progress: one line on stderr for each check, as it is done, and why it falls short if it does."""
    mark, style = ("ok", "green") if check.ok else ("FAULT" if check.fault else "NOT OK", "red")
    line = words(f"[{done}/{total}] {check.exercise}: {check.what}: ")
    err().print(line.append(mark, style).append(f" ({check.got})", "dim"), soft_wrap=True)
    for why in check.why:
        err().print(words(f"    {why}", "dim"), soft_wrap=True)


def _table(checks: list[Check]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Exercise", overflow="fold")
    table.add_column("What", overflow="fold")
    table.add_column("Expected", overflow="fold", ratio=2)
    table.add_column("Got", overflow="fold", ratio=2)
    table.add_column("Used", no_wrap=True)
    table.add_column("Ok", no_wrap=True)
    for check in checks:
        usage = check.result.usage if check.result is not None else None
        used = f"{usage.cpu_s:.1f} s {usage.memory_mb:.0f} MB" if usage else ""
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
