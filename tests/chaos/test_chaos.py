"""The short form, for CI: every act of chaos once, over some dozens of submissions. `make chaos` is the long one.

What failed is repeated with the seed that is printed: CHAOS_SEED=… makes the same plan.
"""

import os
import random
import time

import pytest

from tests.chaos import claims
from tests.chaos.acts import acts
from tests.chaos.run import prepared
from tests.chaos.servers import Lacking
from tests.chaos.world import world

pytestmark = [pytest.mark.engine, pytest.mark.redis, pytest.mark.postgres]
SANDBOXES, SUBMISSIONS = ("docker", "local"), 60  # a worker of each


def test_whatever_happens_every_submission_gets_its_score_once(missing):
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().getrandbits(32)))
    begun, told = time.monotonic(), acts(SANDBOXES)

    def say(line):
        print(f"{time.monotonic() - begun:6.1f} {line}")  # noqa: T201  pytest shows it where the test fails

    say(f"repeat with CHAOS_SEED={seed}")
    try:
        with world(*SANDBOXES) as service:
            run = prepared(service, told, seed, SUBMISSIONS, 1, say)
            run.run()
            found = claims.broken(run)
            service.stop()
            found += claims.left_behind(run)
    except Lacking as lacking:
        missing(str(lacking))
    assert set(run.done) == {act.name for act in told}
    assert not found, "\n".join(found)
