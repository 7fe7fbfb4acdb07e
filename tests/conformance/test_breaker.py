"""A worker whose sandbox is broken takes itself out of service and comes back. Backend and runner are scripted."""

import threading

import pytest

from grader.breaker import FAILURES, Breaker
from grader.catalog.catalog import Catalog
from grader.errors import JudgeError
from sandbox.errors import PoolClosed, SandboxLost, SandboxUnavailable
from sandbox.interface import Finding
from tests.functional.service import write_exercise


class Machine:
    """A backend and a runner: `broken` runtimes cannot be started; `lacks` are those that a look finds missing."""

    name = "scripted"

    def __init__(self):
        self.broken, self.lacks, self.error = set(), set(), SandboxLost("it fell silent")
        self.graded, self.destroyed = 0, 0

    def check(self):
        return [Finding("image", "missing", f"no image for {runtime}", "make image", runtime) for runtime in self.lacks]

    def start(self, spec):
        if spec.runtime in self.broken:
            raise SandboxUnavailable("no engine answers.", "Start it.")
        return self

    def destroy(self):
        self.destroyed += 1

    def grade(self, exercise, job, on_event, policy):
        self.graded += 1
        if exercise.runtime in self.broken:
            raise self.error
        return "a result"


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def catalog(tmp_path):
    write_exercise(tmp_path, "adding")
    torch = write_exercise(tmp_path, "learning")
    toml = torch / "exercise.toml"
    toml.write_text(toml.read_text().replace('"python"', '"torch"'))
    return Catalog(tmp_path)


@pytest.fixture
def breaker(machine, catalog):
    return Breaker(machine, machine, catalog)


@pytest.fixture
def fail(breaker, catalog):
    def grade(slug="adding", times=FAILURES):
        for _ in range(times):
            with pytest.raises(Exception):  # noqa: B017, PT011  whatever the machine raises
                breaker.grade(catalog.get(slug), None)

    return grade


def test_gradings_that_fail_in_a_row_take_the_sandbox_out_of_service(machine, breaker, catalog, fail):
    machine.broken = {"python"}
    fail(times=FAILURES - 1)
    assert breaker.problem is None
    fail(times=1)
    assert "python: 3 gradings in a row failed, the last one: it fell silent" in breaker.problem
    with pytest.raises(SandboxUnavailable, match="out of service"):
        breaker.grade(catalog.get("adding"), None)
    assert machine.graded == FAILURES, "it is not even tried"
    assert breaker.grade(catalog.get("learning"), None) == "a result"


def test_it_is_back_when_a_sandbox_can_be_started(machine, breaker, catalog, fail):
    machine.broken = {"python"}
    fail()
    breaker.look()
    assert breaker.problem is not None
    machine.broken = set()
    breaker.look()
    assert (breaker.problem, machine.destroyed) == (None, 1)
    assert breaker.grade(catalog.get("adding"), None) == "a result"


def test_a_grading_that_succeeds_ends_the_row(machine, breaker, catalog, fail):
    for _ in range(3):
        machine.broken = {"python"}
        fail(times=FAILURES - 1)
        machine.broken = set()
        breaker.grade(catalog.get("adding"), None)
    assert breaker.problem is None


@pytest.mark.parametrize("error", [PoolClosed("closing"), JudgeError("the judge died"), KeyError("a bug")])
def test_other_faults_say_nothing_of_the_sandbox(machine, breaker, fail, error):
    machine.broken, machine.error = {"python"}, error
    fail()
    assert breaker.problem is None


def test_what_a_look_misses_is_out_of_service_until_it_is_there(machine, breaker, catalog):
    machine.lacks = {"torch"}
    breaker.look()
    assert breaker.problem == "torch: no image for torch: make image"
    with pytest.raises(SandboxUnavailable, match="no image for torch"):
        breaker.grade(catalog.get("learning"), None)
    assert breaker.grade(catalog.get("adding"), None) == "a result"
    machine.lacks = set()
    breaker.look()
    assert breaker.grade(catalog.get("learning"), None) == "a result"


def test_a_worker_waits_only_where_it_can_serve_nothing(machine, breaker):
    stopping = threading.Event()
    machine.lacks = {"torch"}
    breaker.look()
    breaker.wait(stopping)  # returns
    machine.lacks = {"torch", "python"}
    breaker.look()
    waiting = threading.Thread(target=breaker.wait, args=(stopping,))
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    machine.lacks = set()
    breaker.look()
    waiting.join(20)
    assert not waiting.is_alive()


def test_a_worker_that_stops_does_not_wait(machine, breaker):
    machine.lacks = {"torch", "python"}
    breaker.look()
    stopping = threading.Event()
    stopping.set()
    breaker.wait(stopping)
