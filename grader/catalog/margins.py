"""How far each threshold stands from the worst correct and from the best wrong solution, over many seeds.

A suite says `threshold(name, value, at_least=…)`; the judge notes the value. The reference and the alternatives are the
correct solutions. A wrong solution counts where it is to fail the test and misses the threshold with most seeds; after
the first seeds only those go on that came near. The table is written to margins.md beside the exercise, and
`grader exercise verify` checks that every threshold stands in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from grader.catalog.cost import Cost
from grader.catalog.expect import is_to_fail, proves
from grader.catalog.model import Exercise
from grader.catalog.trial import Check, OnCheck, Trial, alternative, alternatives, drawn, run, wrong
from grader.grading.model import Measure, Result
from grader.grading.runner import Grades

FILE = "margins.md"
FIRST = 5  # seeds that every wrong solution is graded with
NEAREST = 3  # so many go on for each threshold: the best wrong one is hardly among the others
_WRONG = "wrong/"
_Key = tuple[str, str]  # test, name of what is measured
_ROW = re.compile(r"^\| `(?P<test>[^`]+)` \| (?P<name>[^|]+) \| (?P<bound>[^|]+) \|", re.MULTILINE)


@dataclass(frozen=True)
class Extreme:
    """A value, and the solution that reached it."""

    value: float
    solution: str


@dataclass(frozen=True)
class Margin:
    """A threshold between the worst correct and the best wrong value. `wrong` is None where no solution misses it."""

    threshold: Measure
    correct: Extreme
    wrong: Extreme | None

    @property
    def room(self) -> float:
        """The smaller of the two distances to the threshold, as a part of the whole: 0.5 in the middle, 0 at the edge.

        0 or less: a value is on the wrong side.
        """
        if self.wrong is None:
            return 0.0
        sign = 1 if self.threshold.at_least else -1
        above = sign * (self.correct.value - self.threshold.bound)
        below = sign * (self.threshold.bound - self.wrong.value)
        return min(above, below) / (above + below) if above + below > 0 else min(above, below)


@dataclass(frozen=True)
class Margins:
    """What was found of one exercise."""

    exercise: Exercise
    seeds: int
    margins: tuple[Margin, ...]
    cost: Cost
    setup: str

    def problems(self) -> Iterator[str]:
        """A sentence for each threshold that does not stand between right and wrong."""
        for margin in self.margins:
            told = f"{margin.threshold.test}: {margin.threshold.name}"
            if margin.wrong is None:
                yield f"{told}: no wrong solution misses it: add the mistake that it is there for, or drop it"
            elif margin.room <= 0:
                yield (
                    f"{told}: {_bound(margin.threshold)} does not stand between {_shown(margin.correct)} and "
                    f"{_shown(margin.wrong)}"
                )

    def markdown(self) -> str:
        """The content of margins.md."""
        lines = [
            "# Margins",
            "",
            f"Written by `grader exercise margins`: {self.seeds} seeds for the reference and each alternative;",
            f"{min(FIRST, self.seeds)} for each wrong solution that is to fail a test with a threshold, and all for",
            f"the {NEAREST} that came nearest to it. Room: how far the threshold stands from the nearer of the two",
            "values, as a part of the distance between them (50% is the middle).",
            "",
        ]
        if self.margins:
            lines += ["| test | measured | threshold | worst correct | best wrong | room |", "| --- " * 6 + "|"]
            lines += [_row(margin) for margin in self.margins]
        else:
            lines += ["This suite has no threshold: whatever it compares, it compares exactly."]
        lines += ["", f"Cost of grading the reference, the worst of these seeds: {self.cost}.", f"{self.setup}.", ""]
        return "\n".join(lines)


def measure(exercise: Exercise, grades: Grades, seeds: int, on_check: OnCheck) -> tuple[list[Check], Margins | None]:
    """Grade the correct solutions and the wrong ones that matter with each of the seeds.

    The checks that were made; the margins, unless a check failed in a way that leaves nothing to measure. Raises
    SandboxUnavailable.
    """
    numbers = [drawn(f"margins of {exercise.slug}", number) for number in range(seeds)]
    correct = [trial for seed in numbers for trial in _correct(exercise, seed)]
    checks: list[Check] = []
    for check in run(correct, grades):
        checks.append(check)
        on_check(check, len(checks), len(correct))
    names = _relevant(exercise, checks)
    for some in (numbers[:FIRST], numbers[FIRST:]):
        mistakes = [wrong(exercise, name, seed) for name in names for seed in some]
        total = len(checks) + len(mistakes)
        for check in run(mistakes, grades):
            checks.append(check)
            on_check(check, len(checks), total)
        names = sorted(_nearest(exercise, checks))
    results = [check.result for check in checks if check.what == "reference" and check.result is not None]
    if not results:
        return checks, None
    versions = results[0].provenance["versions"]
    setup = ", ".join(f"{name} {versions[name]}" for name in ("python", "torch", "numpy") if name in versions)
    found = tuple(between(exercise, checks))
    return checks, Margins(exercise, seeds, found, Cost.of(results), f"Measured with {setup}")


def between(exercise: Exercise, checks: Sequence[Check]) -> Iterator[Margin]:
    """The margins that these gradings show, in the order of the suite."""
    correct: dict[_Key, list[tuple[Measure, str]]] = defaultdict(list)
    for check in checks:
        for measured in check.result.measures if check.result is not None else ():
            if not check.what.startswith(_WRONG):
                correct[measured.test, measured.name].append((measured, check.what))
    mistaken = _mistaken(exercise, checks)
    for key, values in correct.items():
        worst, solution = min(values, key=lambda pair: _merit(pair[0]))
        best = next(iter(mistaken.get(key, ())), None)
        yield Margin(worst, Extreme(worst.value, solution), best)


def _mistaken(exercise: Exercise, checks: Sequence[Check]) -> dict[_Key, list[Extreme]]:
    """For each threshold the best values of the wrong solutions that are to miss it and mostly do, best first."""
    found: dict[_Key, dict[str, list[Measure]]] = defaultdict(lambda: defaultdict(list))
    for check in checks:
        for measured in check.result.measures if check.result is not None else ():
            if check.what.startswith(_WRONG) and is_to_fail(exercise.wrong[_name(check.what)], measured.test):
                found[measured.test, measured.name][check.what].append(measured)
    best: dict[_Key, list[Extreme]] = {}
    for key, solutions in found.items():
        missing = {
            what: max(measures, key=_merit)
            for what, measures in solutions.items()
            if 2 * sum(not measured.holds for measured in measures) > len(measures)
        }
        ranked = sorted(missing, key=lambda what: _merit(missing[what]), reverse=True)
        best[key] = [Extreme(missing[what].value, what) for what in ranked]
    return best


def _nearest(exercise: Exercise, checks: Sequence[Check]) -> set[str]:
    """The names of the wrong solutions that came nearest to a threshold."""
    nearest = (extreme for ranked in _mistaken(exercise, checks).values() for extreme in ranked[:NEAREST])
    return {_name(extreme.solution) for extreme in nearest}


def _name(what: str) -> str:
    """The name in exercise.toml of wrong/<name>.py."""
    return what.removeprefix(_WRONG).removesuffix(".py")


def missing(exercise: Exercise, results: Iterable[Result]) -> list[str]:
    """What margins.md does not say, or says of another threshold. Nothing where the suite has no threshold."""
    wanted = {(m.test, m.name, _bound(m)) for result in results for m in result.measures}
    if not wanted:
        return []
    remedy = f"run: grader exercise margins {exercise.folder}"
    try:
        text = (exercise.folder / FILE).read_text("utf-8")
    except FileNotFoundError:
        return [f"the suite has thresholds, but there is no {FILE}; {remedy}"]
    told = {(row["test"], row["name"].strip(), row["bound"].strip()) for row in _ROW.finditer(text)}
    return [f"{test}: {name}, {bound}, is not in {FILE}; {remedy}" for test, name, bound in sorted(wanted - told)]


def _correct(exercise: Exercise, seed: int) -> Iterator[Trial]:
    yield Trial(exercise, "reference", "passes", exercise.reference, seed, proves(exercise))
    yield from (alternative(exercise, path, seed) for path in alternatives(exercise))


def _relevant(exercise: Exercise, checks: Sequence[Check]) -> list[str]:
    """The wrong solutions that are to fail a test which has a threshold."""
    results = [check.result for check in checks if check.result is not None]
    tests = {measured.test for result in results for measured in result.measures}
    return [name for name, named in sorted(exercise.wrong.items()) if any(is_to_fail(named, test) for test in tests)]


def _merit(measured: Measure) -> float:
    """The better the higher; not a number is the worst."""
    if measured.value != measured.value:
        return float("-inf")
    return measured.value if measured.at_least else -measured.value


def _row(margin: Margin) -> str:
    wrong = "none" if margin.wrong is None else _shown(margin.wrong)
    measured = margin.threshold
    return (
        f"| `{measured.test}` | {measured.name} | {_bound(measured)} | {_shown(margin.correct)} | {wrong} "
        f"| {100 * margin.room:.0f}% |"
    )


def _bound(measured: Measure) -> str:
    return f"{'at least' if measured.at_least else 'at most'} {measured.bound:.4g}"


def _shown(extreme: Extreme) -> str:
    return f"{extreme.value:.4g} ({extreme.solution.rpartition('/')[2].removesuffix('.py')})"
