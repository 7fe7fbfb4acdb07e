"""The log: one line per event on stderr, with whatever was bound (submission, grading, task). Text on a terminal, JSON
for whoever collects logs. Lines of libraries take the same form."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

_QUIET = ("celery", "kombu", "alembic", "httpx", "docker", "urllib3")  # we say ourselves what they say at level INFO


def set_up(level: str) -> None:
    """Call it once, in a process that is a server or a worker. `level`: debug, info, warning or error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last()))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))


def _last() -> list[Any]:
    """Tracebacks are plain: structlog's own show local variables, and with them solutions, seeds and keys."""
    without = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if sys.stderr.isatty():
        return [without, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [without, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
