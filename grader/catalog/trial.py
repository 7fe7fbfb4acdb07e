"""A trial: one solution of an exercise's folder, graded with one seed, and whether it fared as the folder says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from grader.catalog.expect import ALL, Expectation, fails, passes
from grader.catalog.model import Exercise
from grader.errors import Fault, SuiteError, UploadError
from grader.grading.model import Job, Result
from grader.grading.runner import Grades
from grader.submissions.archives import from_path
from grader.submissions.files import digest
from sandbox.errors import SandboxError, SandboxUnavailable

AT_ONCE = min(8, len(os.sched_getaffinity(0)))  # gradings at a time
_LOOK_S = 0.5


@dataclass(frozen=True)
class Check:
    """One line of a report. `why` says which tests differ and why; `fault`: we failed, and it says nothing."""

    exercise: str
    what: str
    expected: str
    got: str
    ok: bool
    why: tuple[str, ...] = ()
    result: Result | None = None
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


def alternatives(exercise: Exercise) -> list[Path]:
    """Further correct solutions."""
    return sorted((exercise.folder / "alternatives").glob("*.py"))


def alternative(exercise: Exercise, path: Path, seed: int) -> Trial:
    """A further correct solution passes."""
    return Trial(exercise, f"alternatives/{path.name}", "passes", path, seed, passes)


def wrong(exercise: Exercise, name: str, seed: int) -> Trial:
    """A known-wrong solution fails exactly the tests that are named for it."""
    named = exercise.wrong[name]
    expected = "fails all tests" if named.fails == ALL else f"fails {', '.join(named.fails)}"
    if named.may_fail:
        expected += f"; may fail {', '.join(named.may_fail)}"
    path = exercise.folder / "wrong" / f"{name}.py"
    return Trial(exercise, f"wrong/{name}.py", expected, path, seed, fails(named))


def drawn(key: str, number: int) -> int:
    """A grading's seed that depends on nothing but these two."""
    return int.from_bytes(hashlib.sha256(f"{key}:{number}".encode()).digest()[:8], "big") >> 1


def run(planned: Sequence[Trial], grades: Grades) -> Iterator[Check]:
    """Grade all, AT_ONCE at a time, and tell of each in order.

    Raises SandboxUnavailable where nothing can be graded; any other fault of ours is a check that says so.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(_run, trial, grades) for trial in planned]
        try:
            for future in running:
                while not wait([future], _LOOK_S).done:  # an interrupt just before a wait is noticed after it
                    pass
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            grades.close()  # ends what is running: leaving the block would wait for it
            raise


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
    return replace(check, got=got, ok=not problems, why=problems, result=result)
