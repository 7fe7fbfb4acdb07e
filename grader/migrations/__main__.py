"""`python -m grader.migrations NUMBER "what changes"`: writes the version that takes the schema to today's models.

The difference is taken against an empty database that the present versions were run on. Read what it wrote.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from grader.db import Database
from grader.migrations import config, upgrade


def main(number: str, message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.sqlite'}")
        upgrade(database)
        with database.engine.begin() as connection:
            command.revision(config(connection), message, autogenerate=True, rev_id=number)
        database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
