"""An exercise proves itself: every solution in its folder is graded, and each must fare as the folder says.

- the reference, with several seeds, and each of alternatives/ pass in full;
- the starter does not;
- each of wrong/ fails exactly the tests that its `fails` names (functions or ids; "*" for all), but for those that
  `may_fail` names, tests with a threshold that it misses with some seeds; with one seed, or with several, which shows
  mistakes that are caught by chance;
- the public tests, run as if they were the hidden suite, pass with the reference;
- every name in [points] is one of the suite's;
- the limits leave room: the reference uses at most half of them;
- every threshold of the suite stands in margins.md (see `grader.catalog.margins`).

Seeds come from the exercise's digest: new ones for each version, the same whenever this version is verified.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from grader.catalog import margins
from grader.catalog.cost import Cost
from grader.catalog.expect import called, does_not_pass, passes, proves
from grader.catalog.model import Exercise
from grader.catalog.trial import Check, OnCheck, Trial, alternative, alternatives, drawn, run, wrong
from grader.errors import BadInput
from grader.grading.model import Result
from grader.grading.runner import Grades

REFERENCE = "reference"
_OVERALL = 2  # checks of an exercise as a whole


def verify(
    exercises: Sequence[Exercise],
    grades: Grades,
    *,
    seeds: int,
    wrong_seeds: int = 1,
    only: Sequence[str] = (),
    on_check: OnCheck,
) -> list[Check]:
    """Grade everything and tell of it in order; or only what matches a pattern such as "wrong/no_*" or "reference*".

    The reference is graded with `seeds` seeds, each known-wrong solution with `wrong_seeds`.

    Raises SandboxUnavailable where nothing can be graded, BadInput where no pattern matches anything.
    """
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="grader-verify-") as scratch:
        planned = [trial for exercise in exercises for trial in trials(exercise, seeds, wrong_seeds, Path(scratch))]
        if only:
            planned = _chosen(planned, only)
        total = len(planned) + (0 if only else _OVERALL * len(exercises))
        for check in run(planned, grades):
            checks.append(check)
            on_check(check, len(checks), total)
    for exercise in [] if only else exercises:
        mine = [check for check in checks if check.exercise == exercise.slug and check.what.startswith(REFERENCE)]
        results = [check.result for check in mine if check.result is not None]
        for check in (_cost(exercise, results), _margins(exercise, results)):
            checks.append(check)
            on_check(check, len(checks), total)
    return checks


def trials(exercise: Exercise, seeds: int, wrong_seeds: int, scratch: Path) -> Iterator[Trial]:
    """What is to be graded of an exercise. Its public tests become a suite in `scratch`."""
    numbers = [drawn(exercise.digest, number) for number in range(seeds)]
    for number, seed in enumerate(numbers, 1):
        yield Trial(exercise, f"{REFERENCE}, seed {number}", "passes", exercise.reference, seed, proves(exercise))
    if (exercise.folder / "public").is_dir():
        public = _public(exercise, scratch)
        yield Trial(public, "public tests", "pass with the reference", exercise.reference, numbers[0], passes)
    if (starter := exercise.folder / "starter").is_dir():
        yield Trial(exercise, "starter", "does not pass", starter, numbers[0], does_not_pass)
    for number, path in enumerate(alternatives(exercise)):
        yield alternative(exercise, path, numbers[number % seeds])
    for number, name in enumerate(sorted(exercise.wrong)):
        first = number % seeds  # whatever `wrong_seeds` is
        for nth in range(wrong_seeds):
            trial = wrong(exercise, name, drawn(exercise.digest, first + nth))
            yield replace(trial, what=f"{trial.what}, seed {nth + 1}") if wrong_seeds > 1 else trial


def _chosen(planned: Sequence[Trial], only: Sequence[str]) -> list[Trial]:
    chosen = [trial for trial in planned if any(_matches(trial.what, pattern) for pattern in only)]
    if not chosen:
        there = ", ".join(dict.fromkeys(trial.what for trial in planned))
        raise BadInput(f"--only {' '.join(only)} matches nothing; there are: {there}")
    return chosen


def _matches(what: str, pattern: str) -> bool:
    """By the whole, or by the file's name with or without .py."""
    solution = what.partition(",")[0]  # without the seed
    name = solution.rpartition("/")[2]
    return any(fnmatchcase(text, pattern) for text in (what, solution, name, name.removesuffix(".py")))


def _cost(exercise: Exercise, results: Sequence[Result]) -> Check:
    limits = exercise.limits
    expected = f"leaves room: at most half of {limits.cpu_s:g} s and of {limits.memory_mb} MB"
    if not results:
        return Check(exercise.slug, "cost", expected, "nothing was graded", ok=False)
    cost = Cost.of(results)
    problems = []
    if cost.guest_cpu_s > limits.cpu_s / 2:
        problems.append(f"the reference used {cost.guest_cpu_s:.1f} s: raise limits.cpu_s, or make the suite cheaper")
    if cost.memory_mb > limits.memory_mb / 2:
        problems.append(f"the reference used {cost.memory_mb:.0f} MB: raise limits.memory_mb")
    return Check(exercise.slug, "cost", expected, str(cost), ok=not problems, why=tuple(problems))


def _margins(exercise: Exercise, results: Sequence[Result]) -> Check:
    expected = f"every threshold stands in {margins.FILE}"
    problems = margins.missing(exercise, results) + list(_unmeasured(exercise, results))
    number = len({(measure.test, measure.name) for result in results for measure in result.measures})
    return Check(exercise.slug, "margins", expected, f"{number} thresholds", ok=not problems, why=tuple(problems))


def _unmeasured(exercise: Exercise, results: Sequence[Result]) -> Iterator[str]:
    """What `may_fail` names although nothing is measured there that could depend on the seed."""
    if not results:
        return
    measured = set().union(*(called(measure.test) for result in results for measure in result.measures))
    for name, named in exercise.wrong.items():
        for test in named.may_fail:
            if test not in measured:
                yield f"[wrong.{name}] may_fail names {test}, without a threshold: put it into fails, or mend the suite"


def _public(exercise: Exercise, scratch: Path) -> Exercise:
    """The exercise with its public tests as the suite."""
    folder = scratch / exercise.digest.partition(":")[2]
    litter = shutil.ignore_patterns("__pycache__")
    shutil.copytree(exercise.folder / "public", folder / "tests", ignore=litter, dirs_exist_ok=True)
    if exercise.assets.is_dir():
        shutil.copytree(exercise.assets, folder / "assets", ignore=litter, dirs_exist_ok=True)
    return replace(exercise, folder=folder, points={}, wrong={})
