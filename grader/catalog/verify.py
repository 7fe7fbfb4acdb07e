"""An exercise proves itself: every solution in its folder is graded, and each must fare as the folder says.

- the reference, with several seeds, and each of alternatives/ pass in full;
- the starter does not;
- each of wrong/ fails exactly the tests that its `fails` names (functions or ids; "*" for all);
- the public tests, run as if they were the hidden suite, pass with the reference;
- every name in [points] is one of the suite's.

Seeds come from the exercise's digest: new ones for each version, the same whenever this version is verified.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from grader.catalog.expect import ALL, Expectation, does_not_pass, fails, passes, proves
from grader.catalog.model import Exercise
from grader.errors import Fault, SuiteError, UploadError
from grader.grading.model import Job
from grader.grading.runner import Grades
from grader.submissions.archives import from_path
from grader.submissions.files import digest
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.limits import Usage

AT_ONCE = 2  # gradings at a time


@dataclass(frozen=True)
class Check:
    """One line of the report. `why` says which tests differ and why; `fault`: we failed, and it says nothing."""

    exercise: str
    what: str
    expected: str
    got: str
    ok: bool
    why: tuple[str, ...] = ()
    usage: Usage | None = None
    fault: bool = False


OnCheck = Callable[[Check, int, int], None]
"""Called with each check, how many are done, and how many there are."""


@dataclass(frozen=True)
class Trial:
    """A solution to grade, and what is expected of it: in words, and as a function."""

    exercise: Exercise
    what: str
    expected: str
    path: Path
    seed: int
    expectation: Expectation


def verify(exercises: Sequence[Exercise], grades: Grades, seeds: int, on_check: OnCheck) -> list[Check]:
    """Grade everything, two at a time, and tell of it in order.

    Raises SandboxUnavailable where nothing can be graded; any other fault of ours is a check that says so.
    """
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="grader-verify-") as scratch, ThreadPoolExecutor(AT_ONCE) as pool:
        planned = [trial for exercise in exercises for trial in trials(exercise, seeds, Path(scratch))]
        running = [pool.submit(_run, trial, grades) for trial in planned]
        try:
            for future in running:
                checks.append(future.result())
                on_check(checks[-1], len(checks), len(planned))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            grades.close()  # ends what is running: leaving the block would wait for it
            raise
    return checks


def trials(exercise: Exercise, seeds: int, scratch: Path) -> Iterator[Trial]:
    """What is to be graded of an exercise. Its public tests become a suite in `scratch`."""
    drawn = [_seed(exercise, number) for number in range(seeds)]
    for number, seed in enumerate(drawn, 1):
        yield Trial(exercise, f"reference, seed {number}", "passes", exercise.reference, seed, proves(exercise))
    if (exercise.folder / "public").is_dir():
        public = _public(exercise, scratch)
        yield Trial(public, "public tests", "pass with the reference", exercise.reference, drawn[0], passes)
    if (starter := exercise.folder / "starter").is_dir():
        yield Trial(exercise, "starter", "does not pass", starter, drawn[0], does_not_pass)
    for number, path in enumerate(sorted((exercise.folder / "alternatives").glob("*.py"))):
        yield Trial(exercise, f"alternatives/{path.name}", "passes", path, drawn[number % seeds], passes)
    for number, (name, named) in enumerate(sorted(exercise.wrong.items())):
        path = exercise.folder / "wrong" / f"{name}.py"
        expected = "fails all tests" if named == ALL else f"fails {', '.join(named)}"
        yield Trial(exercise, f"wrong/{path.name}", expected, path, drawn[number % seeds], fails(named))


def _run(trial: Trial, grades: Grades) -> Check:
    check = Check(trial.exercise.slug, trial.what, trial.expected, "", ok=False)
    try:
        files = from_path(trial.path)
        result = grades.grade(trial.exercise, Job(files, digest(files), trial.seed), policy="per_process")
    except UploadError as error:
        return replace(check, got="cannot be submitted", why=(str(error),))
    except SuiteError as error:
        return replace(check, got="the suite is broken", why=(str(error),))
    except SandboxUnavailable:
        raise
    except (Fault, SandboxError) as error:
        return replace(check, got="a fault of ours", why=(str(error),), fault=True)
    problems = tuple(trial.expectation(result))
    got = f"{result.verdict}, {result.score:g} of {result.max_score:g} points"
    return replace(check, got=got, ok=not problems, why=problems, usage=result.usage)


def _public(exercise: Exercise, scratch: Path) -> Exercise:
    """The exercise with its public tests as the suite."""
    folder = scratch / exercise.digest.partition(":")[2]
    litter = shutil.ignore_patterns("__pycache__")
    shutil.copytree(exercise.folder / "public", folder / "tests", ignore=litter, dirs_exist_ok=True)
    if exercise.assets.is_dir():
        shutil.copytree(exercise.assets, folder / "assets", ignore=litter, dirs_exist_ok=True)
    return replace(exercise, folder=folder, points={}, wrong={})


def _seed(exercise: Exercise, number: int) -> int:
    drawn = hashlib.sha256(f"{exercise.digest}:{number}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") >> 1
