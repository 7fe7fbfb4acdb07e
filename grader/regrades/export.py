"""A change-set as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grader.db import Database
from grader.exports import spreadsheet
from grader.regrades import changeset, service
from grader.regrades.models import Which
from grader.regrades.views import ChangeView, change_view

_PAGE = 500
_COLUMNS = tuple(name for name in ChangeView.model_fields if name != "tests")


def csv_of(database: Database, regrade_id: str, which: Which) -> Iterator[str]:
    """A line for each submission, read page by page: no transaction stays open while a slow client reads."""
    return spreadsheet.lines([*_COLUMNS, "tests"], _rows(database, regrade_id, which))


def _rows(database: Database, regrade_id: str, which: Which) -> Iterator[list[object]]:
    after: str | None = None
    while True:
        with database.begin() as session:
            found = changeset.lines(session, service.find(session, regrade_id), which, after, _PAGE)
            views = [change_view(line).model_dump(mode="json") for line in found]
        yield from ([*(view[name] for name in _COLUMNS), _tests(view["tests"])] for view in views)
        if len(views) < _PAGE:
            return
        after = views[-1]["submission_id"]


def _tests(tests: list[Mapping[str, Any]]) -> str:
    return "\n".join(f"{test['id']}: {_outcome(test['old'])} -> {_outcome(test['new'])}" for test in tests)


def _outcome(side: Mapping[str, Any] | None) -> str:
    return "not there" if side is None else str(side["outcome"])
