"""Submissions and acts of chaos side by side, as a seed says: which act comes after which submission, for how long, and
upon whom. Repeated with the same seed, the same is done; what it meets there is up to the scheduler of the machine."""

from __future__ import annotations

import collections
import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from grader.grading.model import Status
from grader.models import Grading
from tests.chaos.acts import Act
from tests.chaos.plan import SOLUTIONS, Planned, plan
from tests.chaos.world import World

_SENDERS, _HANDS = 4, 2
_MOST_WAITING = 40
_AHEAD = 6
_QUIET_S = 300.0
_PAUSE_S = 0.1
_ALIVE = (Status.QUEUED, Status.RUNNING)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Due:
    """An act to come: after so many submissions, held for so long, with dice of its own."""

    after: int
    act: Act
    hold_s: float
    dice: int


def schedule(dice: random.Random, acts: Sequence[Act], submissions: int, rounds: int) -> list[Due]:
    """Every act once in each round, in an order of its own, spread over the first nine tenths of the submissions."""
    order = [act for _ in range(rounds) for act in dice.sample(list(acts), len(acts))]
    last = submissions * 9 // 10
    return [
        Due(1 + last * place // len(order), act, dice.uniform(*act.hold_s), dice.getrandbits(32))
        for place, act in enumerate(order)
    ]


@dataclass
class Run:
    """`accepted` are the ids by number of the planned submission; `answers` counts what the API said, by status."""

    world: World
    planned: Sequence[Planned]
    due: Sequence[Due]
    say: Say
    accepted: dict[int, str] = field(default_factory=dict)
    answers: collections.Counter[str] = field(default_factory=collections.Counter)
    done: collections.Counter[str] = field(default_factory=collections.Counter)
    quiet_s: float = 0.0

    def __post_init__(self) -> None:
        self._befalls = {due.act.on: threading.Lock() for due in self.due}
        self._begun = 0
        self._next_act, self._next_sent = iter(self.due), iter(self.planned)
        self._changed = threading.Condition()
        self._failed = threading.Event()

    def run(self) -> None:
        """Until all are accepted, all is done and undone, and nothing waits or runs any more."""
        with ThreadPoolExecutor(_SENDERS + _HANDS) as pool:
            tasks = [pool.submit(self._unless_failed, self._send_all) for _ in range(_SENDERS)]
            tasks += [pool.submit(self._unless_failed, self._act_all) for _ in range(_HANDS)]
        for task in tasks:
            task.result()
        self._settle()

    def waiting(self) -> int | None:
        """How many gradings have not ended; None where the database cannot be asked."""
        with contextlib.suppress(DBAPIError), self.world.database.begin() as session:
            return session.scalar(select(func.count()).select_from(Grading).where(Grading.status.in_(_ALIVE)))
        return None

    def _unless_failed(self, does: Callable[[], None]) -> None:
        try:
            does()
        except BaseException:
            self._failed.set()
            raise

    def _send_all(self) -> None:
        while not self._failed.is_set():
            with self._changed:
                if (planned := next(self._next_sent, None)) is None:
                    return
            while self._too_early(planned) and not self._failed.is_set():
                time.sleep(_PAUSE_S)
            self._send(planned)

    def _too_early(self, planned: Planned) -> bool:
        """Acts that are due come first, or chaos would befall an idle service; and it is not flooded."""
        next_act = self.due[self._begun].after if self._begun < len(self.due) else len(self.planned)
        waiting = self.waiting()
        return planned.number > next_act + _AHEAD or (waiting is not None and waiting > _MOST_WAITING)

    def _send(self, planned: Planned) -> None:
        """As a client does: again with the same key, until it is accepted."""
        solution = SOLUTIONS[planned.solution]
        body = {"exercise": solution.exercise, "files": {"solution.py": solution.code}, "kind": planned.kind}
        while not self._failed.is_set():
            try:
                with self.world.client() as client:
                    headers = {"Idempotency-Key": planned.idempotency_key}
                    answer = client.post("/v1/submissions", json=body, headers=headers)
                self._count(str(answer.status_code))
            except httpx.TransportError as error:
                self._count(type(error).__name__)
            else:
                if answer.status_code == 202:
                    with self._changed:
                        self.accepted[planned.number] = answer.json()["id"]
                    return
            time.sleep(_PAUSE_S)

    def _count(self, answer: str) -> None:
        with self._changed:
            self.answers[answer] += 1

    def _act_all(self) -> None:
        while not self._failed.is_set():
            with self._changed:
                if (due := next(self._next_act, None)) is None:
                    return
            while len(self.accepted) < due.after and not self._failed.is_set():
                time.sleep(_PAUSE_S)
            with self._befalls[due.act.on]:
                self._act(due)

    def _act(self, due: Due) -> None:
        with self._changed:
            self._begun += 1
        begun = time.monotonic()
        with due.act.does(self.world, random.Random(due.dice)) as told:
            self.say(f"{len(self.accepted):4} accepted: {due.act.name} ({told}) for {due.hold_s:.1f} s")
            time.sleep(due.hold_s)
        if time.monotonic() - begun > due.hold_s + 5:
            self.say(f"     {due.act.name}: took {time.monotonic() - begun:.1f} s")
        with self._changed:
            self.done[due.act.name] += 1

    def _settle(self) -> None:
        """Wait until nothing waits or runs; what is stuck is left to the claims."""
        begun = time.monotonic()
        while self.waiting() != 0 and time.monotonic() - begun < _QUIET_S:
            time.sleep(_PAUSE_S)
        self.quiet_s = time.monotonic() - begun
        self.say(f"quiet after {self.quiet_s:.1f} s")


def prepared(world: World, acts: Sequence[Act], seed: int, submissions: int, rounds: int, say: Say) -> Run:
    """What that seed says."""
    dice = random.Random(seed)
    return Run(world, plan(dice, submissions), schedule(dice, acts, submissions, rounds), say)
