"""The law of the pool, on sandboxes that only keep count."""

import errno
import threading
import time

import pytest

from sandbox.errors import PoolClosed, SandboxLost, SandboxUnavailable
from sandbox.interface import SandboxSpec
from sandbox.pool import SandboxPool

SPEC, OTHER = SandboxSpec("python"), SandboxSpec("torch")


class Counted:
    """A sandbox that notes what is done to it."""

    def __init__(self, spec, image):
        self.spec, self.image, self.uses, self.done, self.broken = spec, image, 0, [], set()

    def _do(self, what):
        self.done.append(what)
        if what in self.broken:
            raise SandboxLost(what)

    def ping(self):
        self._do("ping")

    def reset(self):
        self._do("reset")

    def destroy(self):
        self.done.append("destroy")

    @property
    def alive(self):
        return "destroy" not in self.done


class Backend:
    def __init__(self):
        self.started, self.failure, self.may_start = [], None, threading.Event()
        self.image = "image"
        self.may_start.set()

    def identity(self, runtime):
        return self.image

    def start(self, spec):
        assert self.may_start.wait(20)
        if self.failure is not None:
            raise self.failure
        self.started.append(Counted(spec, self.image))
        return self.started[-1]

    @property
    def alive(self):
        return [sandbox for sandbox in self.started if sandbox.alive]


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def make(backend):
    pools = []

    def make_one(size=1, cap=4, max_uses=3):
        pools.append(SandboxPool(backend, size=size, cap=cap, max_uses=max_uses))
        return pools[-1]

    yield make_one
    backend.may_start.set()
    for pool in pools:
        pool.close()


def given_back(pool, lease, clean=True, busy=0):
    """Release it, and wait for its end: so many are busy then."""
    lease.release(clean=clean)
    until = time.monotonic() + 20
    while pool.census()["busy"] != busy:
        assert time.monotonic() < until, f"{pool.census()['busy']} are busy, not {busy}"
        time.sleep(0.001)


def test_a_sandbox_is_pinged_before_it_is_handed_out(make):
    assert make().acquire(SPEC, "per_container").sandbox.done == ["ping"]


def test_one_that_does_not_answer_is_destroyed_and_replaced(make, backend):
    pool = make()
    first = pool.acquire(SPEC, "per_process")
    first.sandbox.broken.add("ping")
    first.release(clean=True)
    for _ in range(2):  # whichever of the idle ones comes first
        last = pool.acquire(SPEC, "per_process")
        assert "ping" not in last.sandbox.broken
    given_back(pool, last, busy=1)
    assert not first.sandbox.alive


def test_one_of_an_image_that_was_made_anew_is_destroyed_and_replaced(make, backend):
    pool = make()
    pool.acquire(SPEC, "per_process").release(clean=True)
    backend.image = "a newer one"
    for _ in range(3):
        lease = pool.acquire(SPEC, "per_process")
        assert lease.sandbox.image == "a newer one"
        given_back(pool, lease)
    assert {sandbox.image for sandbox in backend.alive} == {"a newer one"}


def test_a_container_of_its_own_is_destroyed_whatever_it_says(make):
    pool = make()
    lease = pool.acquire(SPEC, "per_container")
    given_back(pool, lease, clean=True)
    assert lease.sandbox.done == ["ping", "destroy"]


def test_a_shared_one_is_reset_and_serves_again(make):
    pool = make(size=1, cap=1)
    lease = pool.acquire(SPEC, "per_process")
    lease.release(clean=True)
    assert pool.acquire(SPEC, "per_process").sandbox is lease.sandbox
    assert lease.sandbox.done == ["ping", "reset", "ping"]


def test_an_unclean_one_is_destroyed_without_a_reset(make):
    pool = make()
    lease = pool.acquire(SPEC, "per_process")
    given_back(pool, lease, clean=False)
    assert lease.sandbox.done == ["ping", "destroy"]


def test_one_that_cannot_be_reset_is_destroyed(make):
    pool = make()
    lease = pool.acquire(SPEC, "per_process")
    lease.sandbox.broken.add("reset")
    given_back(pool, lease, clean=True)
    assert lease.sandbox.done == ["ping", "reset", "destroy"]


def test_one_that_has_served_often_enough_is_destroyed(make):
    pool = make(max_uses=3)
    lease = pool.acquire(SPEC, "per_process")
    lease.sandbox.uses = 3
    given_back(pool, lease)
    assert not lease.sandbox.alive


def test_at_the_cap_whoever_comes_next_waits_for_one_to_come_back(make, backend):
    pool = make(size=1, cap=2)
    held = [pool.acquire(SPEC, "per_process") for _ in range(2)]
    got = []
    waiting = threading.Thread(target=lambda: got.append(pool.acquire(SPEC, "per_process")))
    waiting.start()
    held[0].release(clean=True)
    waiting.join(20)
    assert got[0].sandbox is held[0].sandbox
    assert len(backend.started) == 2


def test_many_at_once_never_share_one_and_never_exceed_the_cap(make, backend):
    pool, busy, most, lock = make(size=2, cap=3, max_uses=5), set(), [], threading.Lock()

    def serve(number):
        for turn in range(10):
            lease = pool.acquire(OTHER if number == 0 else SPEC, "per_process")
            with lock:
                assert lease.sandbox not in busy
                busy.add(lease.sandbox)
                most.append(len(backend.alive))
            lease.sandbox.uses += 1
            with lock:
                busy.discard(lease.sandbox)
            lease.release(clean=turn % 3 > 0)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert max(most) <= 3


def test_an_idle_one_of_another_kind_gives_way_at_the_cap(make, backend):
    pool = make(size=1, cap=1)
    pool.acquire(OTHER, "per_process").release(clean=True)
    assert pool.acquire(SPEC, "per_process").sandbox.spec == SPEC
    assert [sandbox.spec for sandbox in backend.alive] == [SPEC]


def starting_or_idle(pool):
    census = pool.census()
    return census["idle"] + census["starting"]


def test_others_are_started_when_nobody_is_graded(make, backend):
    pool = make(size=3, cap=9)
    given_back(pool, pool.acquire(SPEC, "per_container"))
    other = pool.acquire(OTHER, "per_container")
    lease = pool.acquire(SPEC, "per_container")
    before = starting_or_idle(pool)
    given_back(pool, lease, busy=1)
    assert starting_or_idle(pool) == before == 2 + 2, "half of each kind, as somebody is still graded"
    given_back(pool, other)
    assert starting_or_idle(pool) == 3 + 3


def test_half_are_kept_ready_while_somebody_is_graded(make, backend):
    pool = make(size=3, cap=9)
    leases = [pool.acquire(SPEC, "per_container") for _ in range(4)]
    assert starting_or_idle(pool) == 2
    for number, lease in enumerate(leases, 1):
        given_back(pool, lease, busy=4 - number)
    assert starting_or_idle(pool) == 3


def test_who_gives_one_back_does_not_wait_for_its_end_but_who_closes_the_pool_does(make, backend):
    pool, may_end, closed = make(), threading.Event(), []
    lease = pool.acquire(SPEC, "per_container")
    destroy = lease.sandbox.destroy
    lease.sandbox.destroy = lambda: may_end.wait(20) and destroy()
    lease.release(clean=True)
    assert lease.sandbox.alive
    closing = threading.Thread(target=lambda: closed.append(pool.close()))
    closing.start()
    closing.join(0.1)
    assert not closed
    may_end.set()
    closing.join(20)
    assert closed
    assert not backend.alive


def test_one_that_comes_back_to_a_closed_pool_is_destroyed_at_once(make):
    pool = make()
    lease = pool.acquire(SPEC, "per_container")
    pool.close()
    lease.release(clean=True)
    assert not lease.sandbox.alive


@pytest.mark.parametrize("failure", [SandboxUnavailable("no engine.", "start it"), SandboxLost("died")])
def test_a_failure_to_start_is_raised_to_whoever_waits(make, backend, failure):
    backend.failure = failure
    with pytest.raises(type(failure), match=str(failure)):
        make().acquire(SPEC, "per_container")


def test_a_machine_that_lacks_something_has_no_sandbox_to_give(make, backend):
    backend.failure = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(SandboxUnavailable, match="No space left"):
        make().acquire(SPEC, "per_container")


def test_after_a_failure_the_next_may_succeed(make, backend):
    pool = make()
    backend.failure = SandboxLost("died")
    with pytest.raises(SandboxLost):
        pool.acquire(SPEC, "per_container")
    backend.failure = None
    assert pool.acquire(SPEC, "per_container").sandbox.alive


def test_a_failure_before_anybody_waited_is_not_held_against_who_comes_later(make, backend):
    pool = make()
    backend.failure = SandboxLost("died")
    pool.prewarm(SPEC)
    for thread in list(pool._threads):
        thread.join()
    backend.failure = None
    assert pool.acquire(SPEC, "per_container").sandbox.alive


def test_a_closed_pool_destroys_the_idle_and_gives_none(make, backend):
    pool = make(size=2)
    lease = pool.acquire(SPEC, "per_process")
    pool.close()
    assert backend.alive == [lease.sandbox]
    lease.release(clean=True)
    assert not backend.alive
    with pytest.raises(PoolClosed):
        pool.acquire(SPEC, "per_process")


def test_one_that_is_just_starting_is_destroyed_by_close(make, backend):
    pool = make()
    backend.may_start.clear()
    pool.prewarm(SPEC)
    closing = threading.Thread(target=pool.close)
    closing.start()
    backend.may_start.set()
    closing.join(20)
    assert not backend.alive


def test_whoever_waits_learns_of_a_close(make):
    pool, failures = make(size=1, cap=1), []
    pool.acquire(SPEC, "per_process")

    def wait():
        with pytest.raises(PoolClosed) as raised:
            pool.acquire(SPEC, "per_process")
        failures.append(raised.value)

    waiting = threading.Thread(target=wait)
    waiting.start()
    pool.close()
    waiting.join(20)
    assert failures
