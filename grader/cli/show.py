"""What people see in a terminal: made safe, since titles, messages and output come from suites and candidates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from grader.text import visible

_STYLES = {"passed": "green", "partial": "yellow", "skipped": "yellow", "ok": "green", "slow": "yellow"}


def safe(text: object) -> str:
    """Text that no terminal takes for anything else."""
    return visible(str(text).replace("\r\n", "\n").replace("\r", "\n").expandtabs())


def words(text: object, style: str = "") -> Text:
    """Safe text as it stands: brackets in it are no markup."""
    return Text(safe(text), style=style)


def style(word: str) -> str:
    """The colour of an outcome, a verdict or a level."""
    return _STYLES.get(word, "red")


def out() -> Console:
    """Where results go."""
    return Console(highlight=False)


def err() -> Console:
    """Where everything else goes."""
    return Console(stderr=True, highlight=False)


def complain(message: str) -> None:
    """An error on stderr; its lines are left as they are."""
    err().print(Text.assemble(("grader: ", "bold red"), safe(message)), soft_wrap=True)


def print_json(told: Mapping[str, Any]) -> None:
    """One object on stdout, in ASCII: no terminal or locale can spoil it."""
    print(json.dumps(told, indent=2, allow_nan=False))  # noqa: T201


def score_table(result: Mapping[str, Any]) -> RenderableType:
    """A result (the object of `--json`, or what a server shows of it) as a table, test by test, with its sum."""
    parts: list[RenderableType] = []
    if result.get("tests"):
        parts.append(_tests(result["tests"]))
    return Group(*parts, _summary(result))


def _tests(tests: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Test", overflow="fold", ratio=2)
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Points", justify="right", no_wrap=True)
    table.add_column("Message", overflow="fold", ratio=3)
    for test in tests:
        outcome = str(test["outcome"])
        table.add_row(
            words(test["title"]),
            words(outcome, style(outcome)),
            words(f"{test['points']:g}/{test['max_points']:g}"),
            words(test.get("message") or ""),
        )
    return table


def _summary(result: Mapping[str, Any]) -> Text:
    verdict = result.get("verdict") or result.get("status") or "no verdict"
    line = Text.assemble("\n", (safe(result["exercise"]), "bold"), ": ", (safe(verdict), f"bold {style(str(verdict))}"))
    if result.get("score") is not None and result.get("max_score") is not None:
        line.append(f", {result['score']:g} of {result['max_score']:g} points")
    if usage := result.get("usage"):
        line.append(
            f"  ({usage['wall_s']:.1f} s, {usage['cpu_s']:.1f} s of processor time, {usage['memory_mb']:.0f} MB)", "dim"
        )
    return line
