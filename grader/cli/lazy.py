"""Sub-commands that are imported when they are called: `grader --help` and `grader grade` load no web and no queue."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "grade": ("grader.cli.grade:grade", "Grade a solution on this machine, without a server."),
    "submit": ("grader.cli.submit:submit", "Send a solution to a server and follow its grading."),
    "regrade": ("grader.cli.regrade:app", "Grade stored submissions again; see what changes, apply it or not."),
    "export": ("grader.cli.export:export", "Write the results of a server into a file."),
    "exercise": ("grader.cli.exercise:app", "Make, list, verify and digest exercises."),
    "serve": ("grader.cli.serve:serve", "Run the API; on the embedded default, the worker too."),
    "worker": ("grader.cli.serve:worker", "Run a worker that grades what the queue holds."),
    "key": ("grader.cli.keys:app", "Create, list and revoke API keys."),
    "backup": ("grader.cli.backup:backup", "Write a backup of the embedded service, also while it runs."),
    "restore": ("grader.cli.backup:restore", "Put a backup back into its place."),
    "doctor": ("grader.cli.doctor:doctor", "Inspect this machine: what is unsafe, slow or missing, and the remedy."),
}
"""Name -> where it is ("module:attribute", a function or a Typer app) and its line in `grader --help`."""


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and help, and the rest when one is called."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = {name: TyperCommand(name, help=text) for name, (_, text) in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(str(name)), rest


def load(name: str) -> Any:
    """The real command of that name."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    target = getattr(import_module(module), attribute)
    if isinstance(target, typer.Typer):
        return typer.main.get_command(target)
    app = typer.Typer(add_completion=False)
    app.command(name)(target)
    return typer.main.get_command(app)
