"""What a worker's caretaker does when the machine is in a bad way, on both databases."""

import errno

from grader.breaker import Breaker
from grader.caretaker import Caretaker
from grader.catalog.catalog import Catalog
from grader.metrics import service as presence
from grader.queue import Queue
from grader.settings import Settings
from tests.functional.service import until, write_exercise


class FullDisk:
    """A backend that cannot even be looked at."""

    name = "docker"

    def check(self):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_worker_says_that_it_is_there_although_its_sandbox_cannot_be_looked_at(database, tmp_path):
    settings = Settings(reconcile_every_s=0.1)
    write_exercise(tmp_path, "adding")
    catalog = Catalog(tmp_path)
    breaker = Breaker(None, FullDisk(), catalog)
    caretaker = Caretaker(settings, database, Queue(settings), FullDisk(), catalog, breaker)
    caretaker.start()

    def told():
        with database.begin() as session:
            return [found.problem for found in presence.live(session, 60)]

    try:
        assert "No space left" in until(told, "a worker")[0]
    finally:
        caretaker.stop()
