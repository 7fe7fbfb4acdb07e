"""The command `grader`. Exit codes: 0 passed in full, 1 graded but not in full, 2 bad input, 3 a fault of ours."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from grader.cli.lazy import LazyGroup
from grader.cli.show import complain
from grader.errors import BadInput, Fault
from sandbox.errors import SandboxError

PASSED, NOT_IN_FULL, BAD_INPUT, FAULT = 0, 1, 2, 3
_TEXT = """Grades coding exercises: solutions run in a sandbox, the hidden tests stay outside.

Exit codes: 0 graded and passed in full, 1 graded but not in full, 2 bad input, 3 a fault of ours (no score).
Settings come from GRADER_... variables of the environment.
"""

app = typer.Typer(cls=LazyGroup, help=_TEXT, no_args_is_help=True)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"grader {metadata.version('grader')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """Options that stand before a command."""


def main() -> None:
    """The entry point of the command."""
    sys.exit(run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Run a command line; its exit code. Only what the command says goes to stdout, all else to stderr."""
    try:
        typer.main.get_command(app).main(list(args), prog_name="grader")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 0
    except BadInput as error:
        complain(str(error))
        return BAD_INPUT
    except (Fault, SandboxError) as error:
        complain(f"{error}\nThis is a fault of ours, not of the solution: there is no score.")
        return FAULT
    except Exception:
        traceback.print_exc()
        complain("This is a bug in the grader, not in the solution: there is no score. Please report what is above.")
        return FAULT
    return PASSED
