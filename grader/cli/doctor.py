"""`grader doctor`: what this machine offers, and whether the setup that the settings describe can grade."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import typer
from rich.table import Column, Table

from grader.backends import NAMES, lacking, named_backend
from grader.catalog.catalog import Catalog
from grader.cli import inspect
from grader.cli.common import JsonOption, catalog, read_settings
from grader.cli.show import out, print_json, style, words
from grader.settings import Settings
from sandbox.errors import SandboxError
from sandbox.interface import Finding


@dataclass(frozen=True)
class Diagnosis:
    """`findings` by area. `sandbox` is the one that gradings use, None if none can be; `ok`: the setup can grade."""

    findings: dict[str, list[Finding]]
    sandbox: str | None
    ok: bool


def doctor(as_json: JsonOption = False) -> None:
    """Inspect this machine: kernel, engine, image, exercises, database and queue.

    Says what is ok, slow, unsafe or missing, and the remedy. Exit codes: 0 the setup that the GRADER_... variables
    describe can grade, 3 it cannot.
    """
    settings = read_settings()
    diagnosis = diagnose(settings, catalog(settings))
    if as_json:
        lines = [{"area": area, **asdict(line)} for area, lines in diagnosis.findings.items() for line in lines]
        print_json({"ok": diagnosis.ok, "sandbox": diagnosis.sandbox, "findings": lines})
    else:
        _show(diagnosis)
    raise typer.Exit(0 if diagnosis.ok else 3)


def diagnose(settings: Settings, exercises: Catalog) -> Diagnosis:
    """Look at everything. What the sandbox that is not used lacks, and single broken exercises, keep nobody from
    grading; all else that is missing does."""
    runtimes = exercises.runtimes()
    sandboxes = {name: _sandbox(name, settings) for name in NAMES}
    ready = [name for name, findings in sandboxes.items() if lacking(findings, runtimes) is None]
    asked = NAMES if settings.sandbox == "auto" else (settings.sandbox,)
    used = next((name for name in asked if name in ready), None)
    machine, services = list(inspect.machine()), list(inspect.services(settings))
    python, there = list(inspect.python(runtimes)), list(inspect.exercises(exercises))
    there += inspect.proofs(settings, exercises)
    findings = {"machine": machine, "python": python, **{f"{name} sandbox": sandboxes[name] for name in NAMES}}
    findings |= {"exercises": there, "services": services}
    ok = used is not None and not _missing([*machine, *python, *services, *there[:1]])
    return Diagnosis(findings, used, ok)


def _sandbox(name: str, settings: Settings) -> list[Finding]:
    backend = named_backend(name, settings)
    try:
        return backend.check()
    except SandboxError as error:
        return [Finding("sandbox", "missing", str(error), "see above")]
    finally:
        backend.close()


def _missing(findings: Iterable[Finding]) -> bool:
    return any(finding.level == "missing" for finding in findings)


def _show(diagnosis: Diagnosis) -> None:
    console = out()
    for area, findings in diagnosis.findings.items():
        used = " (used for gradings)" if area == f"{diagnosis.sandbox} sandbox" else ""
        console.print(words(f"\n{area}{used}", "bold"))
        table = Table("", "", Column(overflow="fold"), box=None, show_header=False, padding=(0, 1))
        for finding in findings:
            about = words(finding.detail)
            if finding.remedy:
                about.append(f"\nremedy: {words(finding.remedy)}", "dim")
            table.add_row(words(finding.level, style(finding.level)), words(finding.check), about)
        console.print(table)
    console.print(
        words("\nThis setup can grade.", "green") if diagnosis.ok else words("\nThis setup cannot grade.", "red")
    )
