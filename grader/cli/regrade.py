"""`grader regrade`: stored submissions graded again on a server, and what changes decided by a person."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from grader.cli.common import AssessmentOption, JsonOption, KeyOption, MomentOption, ServerOption, moment, opened_client
from grader.cli.show import complain, err, out, print_json, style, words
from grader.client import Client
from grader.errors import BadInput
from grader.grading.model import Verdict
from grader.regrades.models import Only, Policy, Which

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Grade stored submissions again, see what changes, and apply it or not. Needs a reviewer's or admin's key.",
)
_PATH = "/v1/regrades"
_SHOWN = 20  # submissions of a change-set in a terminal


RegradeId = Annotated[str, typer.Argument(metavar="ID", help="Id of the regrade, as `regrade list` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads it later. It is kept.")]


@app.command()
def create(
    reason: Reason,
    *,
    exercise: Annotated[str | None, typer.Option(help="Slug of an exercise.")] = None,
    assessment: AssessmentOption = None,
    digest: Annotated[
        str | None, typer.Option(help="Version of the exercise that made the grading which counts (sha256:…).")
    ] = None,
    since: MomentOption = None,
    until: MomentOption = None,
    verdict: Annotated[list[Verdict] | None, typer.Option(help="One of these; may be given more than once.")] = None,
    faults: Annotated[bool, typer.Option("--faults", help="Those that ended in a fault.")] = False,
    submission: Annotated[
        list[str] | None, typer.Option(help="Ids of submissions; may be given more than once.")
    ] = None,
    ids: Annotated[Path | None, typer.Option(help="A file with ids of submissions, one on each line.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All submissions: nothing else chooses.")] = False,
    policy: Annotated[
        Policy, typer.Option(help="never_lower: what would lower a score is kept back when the whole is applied.")
    ] = Policy.AS_GRADED,
    again: Annotated[
        bool, typer.Option("--again", help="Grade also what was graded with the same five: it shows what is flaky.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be graded.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it until all are graded.")] = True,
    server: ServerOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin to grade stored submissions again. All options that choose must hold.

    The scores that count stay as they are until an admin applies what was found: `grader regrade apply`.
    """
    selection: dict[str, Any] = {
        "exercise": exercise,
        "assessment": assessment,
        "exercise_digest": digest,
        "since": moment("--since", since),
        "until": moment("--until", until),
        "verdicts": [str(word) for word in verdict or ()],
        "faults": faults,
        "ids": [*(submission or ()), *_read_ids(ids)],
    }
    selection = {name: value for name, value in selection.items() if value}
    if bool(selection) == everything:
        raise BadInput(
            "choose what to grade again (--exercise, --digest, --verdict …), or say --all"
            if not everything
            else "--all chooses everything; leave it out, or all other options that choose"
        )
    with opened_client(server, key) as client:
        if dry_run:
            counted = client.call("POST", f"{_PATH}/count", json=selection)
            _say(counted, as_json, words(f"{_number(counted['submissions'])} would be graded again"))
            return
        body = {"selection": selection, "reason": reason, "policy": str(policy), "again": again}
        regrade = client.call("POST", _PATH, json=body)
        err().print(words(f"regrade {regrade['id']}: {_number(regrade['progress']['total'])}", "dim"))
        if wait:
            regrade = _follow(client, regrade["id"])
        _say(regrade, as_json, _told(client, regrade) if wait else words(regrade["id"]))


@app.command("list")
def listed(server: ServerOption = None, key: KeyOption = None, as_json: JsonOption = False) -> None:
    """List regrades, the newest first."""
    with opened_client(server, key) as client:
        found = list(_pages(client, _PATH, "limit=200"))
    table = _table("Id", "State", "Done", "Begun", "Reason")
    for regrade in found:
        progress = regrade["progress"]
        done = f"{progress['done']}/{progress['total']}"
        table.add_row(
            *map(words, (regrade["id"], regrade["state"], done, _when(regrade["created_at"]), regrade["reason"]))
        )
    _say({"regrades": found}, as_json, table)


@app.command()
def show(
    regrade_id: RegradeId,
    *,
    which: Annotated[Which, typer.Option(help="Which submissions to list.")] = Which.CHANGED,
    csv: Annotated[Path | None, typer.Option(help="Write the change-set to this file as CSV, all submissions.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Until all are graded.")] = False,
    server: ServerOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far a regrade is, and what changes: verdicts, scores, tests, and the submissions one by one."""
    with opened_client(server, key) as client:
        regrade = _follow(client, regrade_id) if follow else client.call("GET", f"{_PATH}/{regrade_id}")
        if csv is not None:
            chosen = Which.ALL if which is Which.CHANGED else which
            client.download(f"{_PATH}/{regrade_id}/changes.csv", csv, {"which": str(chosen)})
            err().print(words(f"written: {csv}", "dim"))
        if as_json:
            changes = list(_pages(client, f"{_PATH}/{regrade_id}/changes", f"which={which}&limit=200"))
            print_json({"regrade": regrade, "summary": _summary(client, regrade), "changes": changes})
            return
        out().print(_told(client, regrade, which))


@app.command()
def pause(
    regrade_id: RegradeId,
    reason: Reason,
    server: ServerOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin no further submission; what is being graded ends."""
    _act("pause", regrade_id, reason, server, key, as_json)


@app.command()
def resume(
    regrade_id: RegradeId,
    reason: Reason,
    server: ServerOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on after a pause; one that is ready tries again what ended in a fault."""
    _act("resume", regrade_id, reason, server, key, as_json)


@app.command()
def cancel(
    regrade_id: RegradeId,
    reason: Reason,
    server: ServerOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a regrade before it is ready. Nothing of it ever counts."""
    _act("cancel", regrade_id, reason, server, key, as_json)


@app.command()
def discard(
    regrade_id: RegradeId,
    reason: Reason,
    server: ServerOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide that the new gradings shall not count. Needs an admin's key."""
    _act("discard", regrade_id, reason, server, key, as_json)


@app.command()
def apply(
    regrade_id: RegradeId,
    reason: Reason,
    *,
    only: Annotated[Only, typer.Option(help="Only these changes; the rest waits.")] = Only.ALL,
    submission: Annotated[list[str] | None, typer.Option(help="Only these submissions; may be repeated.")] = None,
    server: ServerOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the new gradings count, all at once. Needs an admin's key. The old ones stay readable."""
    body = {"reason": reason, "only": str(only), "ids": submission or []}
    with opened_client(server, key) as client:
        found = client.call("POST", f"{_PATH}/{regrade_id}/apply", json=body)
    text = f"{found['applied']} new gradings count now; the regrade is {found['regrade']['state']}"
    if found["kept_back"]:
        text += f"\n{found['kept_back']} would be lower and are kept back (never_lower): name them with --submission"
    if found["overtaken"]:
        text += f"\n{found['overtaken']} were left alone: another grading counts by now than when the regrade began"
    _say(found, as_json, words(text))


def _act(what: str, regrade_id: str, reason: str, server: str | None, key: str | None, as_json: bool) -> None:
    with opened_client(server, key) as client:
        regrade = client.call("POST", f"{_PATH}/{regrade_id}/{what}", json={"reason": reason})
    _say(regrade, as_json, words(f"it is {regrade['state']}: {_progress(regrade)}"))


def _follow(client: Client, regrade_id: str) -> dict[str, Any]:
    """A bar on stderr until all are graded. Ctrl-C leaves the regrade as it is."""
    columns = SpinnerColumn(), BarColumn(30), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    last = ""
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task("", total=None)
        try:
            for regrade in client.follow_regrade(regrade_id):
                progress = regrade["progress"]
                told = _progress(regrade)
                bar.update(task, total=progress["total"], completed=progress["done"], description=told)
                if not bar.console.is_terminal and told != last:
                    bar.console.print(words(told, "dim"), soft_wrap=True)
                last = told
        except KeyboardInterrupt:
            complain(f"no longer followed; it goes on all the same: grader regrade show {regrade_id} --follow")
            raise typer.Exit(130) from None
    return regrade


def _progress(regrade: Mapping[str, Any]) -> str:
    progress = regrade["progress"]
    told = f"{progress['done']} of {progress['total']} graded, {progress['changed']} changed"
    for name in ("faults", "flaky", "reused", "applied"):
        told += f", {progress[name]} {name}" if progress[name] else ""
    if regrade["state"] == "running":
        told += f"; {progress['rate_per_s']:.1f} a second"
        if progress["left_s"] is not None:
            told += f", {datetime.timedelta(seconds=round(progress['left_s']))} left"
    return told


def _number(submissions: int) -> str:
    return f"{submissions} submission{'' if submissions == 1 else 's'}"


def _summary(client: Client, regrade: Mapping[str, Any]) -> dict[str, Any]:
    return client.call("GET", f"{_PATH}/{regrade['id']}/summary")


def _told(client: Client, regrade: Mapping[str, Any], which: Which = Which.CHANGED) -> RenderableType:
    """A regrade with its change-set."""
    summary = _summary(client, regrade)
    parts: list[RenderableType] = [
        words(f"Regrade {regrade['id']}: {regrade['state']}", "bold"),
        words(f"{_progress(regrade)}\n{regrade['reason']}"),
    ]
    if summary["matrix"]:
        parts += ["", _matrix(summary["matrix"])]
    if summary["raised"] or summary["lowered"]:
        parts += [
            "",
            words(f"{summary['raised']} scores raised, {summary['lowered']} lowered"),
            _bars(summary["histogram"]),
        ]
    if len(summary["new_digests"]) > 1:
        parts += [words("The exercise changed while this ran: not all were graded with the same version.", "yellow")]
    if summary["tests"]:
        parts += ["", _tests(summary["tests"])]
    found = client.call("GET", f"{_PATH}/{regrade['id']}/changes?which={which}&limit={_SHOWN}")
    if found["items"]:
        parts += ["", _changes(found["items"])]
    if found["next"]:
        parts += [words("There are more: --json or --csv has them all.", "dim")]
    parts += ["", _acts(regrade["acts"])]
    return Group(*parts)


def _matrix(cells: Sequence[Mapping[str, Any]]) -> Table:
    """Old verdicts down, new ones across."""
    news = list(dict.fromkeys(cell["new"] for cell in sorted(cells, key=lambda cell: str(cell["new"]))))
    table = _table("Before \\ now", *news)
    numbers = {(cell["old"], cell["new"]): cell["submissions"] for cell in cells}
    for old in dict.fromkeys(cell["old"] for cell in cells):
        shown = [(new, numbers.get((old, new), 0)) for new in news]
        table.add_row(words(old), *(words(number or "", "" if old == new else "bold") for new, number in shown))
    return table


def _bars(bars: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Change of the score (percentage points)", "Submissions")
    for bar in bars:
        if bar["submissions"]:
            low, high = bar["above"], bar["up_to"]
            ends = (
                f"below {high:+g}" if low is None else f"above {low:+g}" if high is None else f"{low:+g} to {high:+g}"
            )
            table.add_row(words(ends), words(bar["submissions"]))
    return table


def _tests(tests: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Test", "Before", "Now", "Submissions")
    for test in tests[:_SHOWN]:
        sides = [test[side] or "not there" for side in ("old", "new")]
        table.add_row(words(test["title"]), *(words(side, style(side)) for side in sides), words(test["submissions"]))
    return table


def _changes(changes: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Submission", "Before", "Now", "Tests that moved")
    for change in changes:
        notes = [f"{test['title']}: {_side(test['old'])} → {_side(test['new'])}" for test in change["tests"][:5]]
        notes = [*(["FLAKY: nothing had changed"] if change["flaky"] else []), *notes]
        notes += [change["fault"]] if change["fault"] else []
        old, new = (_score(change, side) for side in ("old", "new"))
        table.add_row(words(change["submission_id"]), words(old), words(new), words("\n".join(notes)))
    return table


def _side(side: Mapping[str, Any] | None) -> str:
    if side is None:
        return "not there"
    message = str(side["message"]).partition("\n")[0][:120]
    return f"{side['outcome']} ({message})" if message else str(side["outcome"])


def _score(change: Mapping[str, Any], side: str) -> str:
    if change[f"{side}_score"] is None:
        return "fault"
    return f"{change[f'{side}_score']:g}/{change[f'{side}_max_score']:g} {change[f'{side}_verdict']}"


def _acts(acts: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("When", "What", "Why", "Key")
    for act in acts:
        what = act["kind"] if act["changes"] is None else f"{act['kind']} ({act['changes']})"
        table.add_row(*map(words, (_when(act["at"]), what, act["reason"], act["key_id"])))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold", min_width=32 if head in ("Id", "Submission") else None)
    return table


def _pages(client: Client, path: str, query: str) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = client.call("GET", f"{path}?{query}{cursor}")
        yield from page["items"]
        if page["next"] is None:
            return
        cursor = f"&cursor={page['next']}"


def _say(found: Mapping[str, Any], as_json: bool, text: RenderableType) -> None:
    if as_json:
        print_json(found)
    else:
        out().print(text)


def _read_ids(file: Path | None) -> list[str]:
    if file is None:
        return []
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return file.read_text("utf-8").split()
    raise BadInput(f"--ids: {file} cannot be read")


def _when(told: str) -> str:
    return f"{datetime.datetime.fromisoformat(told).astimezone():%Y-%m-%d %H:%M}"
