"""The composition root of the API: settings in, an ASGI app out. Nothing is opened before the app starts."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import metadata

from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.concurrency import run_in_threadpool

from grader.accounts.service import ensure_first_key
from grader.catalog import routes as exercises
from grader.catalog.catalog import Catalog
from grader.db import open_database
from grader.exports import routes as exports
from grader.metrics import routes as operation
from grader.migrations import upgrade
from grader.queue import Queue
from grader.regrades import routes as regrades
from grader.settings import Settings
from grader.submissions import routes as submissions
from grader.submissions.files import Caps
from grader.web import docs, documented, problems
from grader.web.context import Context
from grader.web.headers import SecurityHeaders
from grader.web.limits import BodyLimit
from grader.web.measured import Measured
from grader.web.uploads import FORM_OVERHEAD

_ABOUT = """Grades solutions to coding exercises against a hidden test suite, in a sandbox.

Send an API key with every request: `Authorization: Bearer grader_…`. Errors are problem+json (RFC 9457): decide by
`code`, read `detail`. A candidate's key sees its own submissions, as far as each exercise's feedback policy allows.

The usual way: `POST /v1/submissions`, then follow `/v1/submissions/{id}/events`, whose last event is the score.
"""
_TAGS = [
    {"name": "exercises", "description": "What there is to solve."},
    {"name": "submissions", "description": "Solutions, their gradings and scores."},
    {"name": "regrades", "description": "Stored submissions graded again; what changes is decided by a person."},
    {"name": "exports", "description": "Results as files."},
    {"name": "operation", "description": "For operators and their tools."},
]


def create_app(settings: Settings) -> FastAPI:
    """The service. On the embedded default (no Redis) it grades, too, and makes a first key."""
    return assemble(settings, functools.partial(_opened, settings))


def assemble(
    settings: Settings, opened: Callable[[CollectorRegistry], contextlib.AbstractContextManager[Context]]
) -> FastAPI:
    """The app around a context that is opened when the app starts, and closed when it ends."""
    registry = CollectorRegistry()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            app.state.context = await run_in_threadpool(stack.enter_context, opened(registry))
            yield
            await run_in_threadpool(stack.close)

    app = FastAPI(
        title="Grader",
        version=metadata.version("grader"),
        description=_ABOUT,
        openapi_tags=_TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        generate_unique_id_function=_operation,
    )
    problems.install(app)
    docs.install(app)
    for routes in (exercises, submissions, regrades, exports, operation):
        app.include_router(routes.router)
    documented.complete(app)
    app.add_middleware(BodyLimit, max_bytes=Caps.of(settings).packed_bytes + FORM_OVERHEAD)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Measured, registry=registry)
    return app


@contextlib.contextmanager
def _opened(settings: Settings, registry: CollectorRegistry) -> Iterator[Context]:
    with contextlib.ExitStack() as stack:
        database = open_database(settings)
        stack.callback(database.close)
        upgrade(database)
        queue = Queue(settings)
        stack.callback(queue.close)
        if settings.redis_url is None:
            from grader.worker import start_embedded

            _show(ensure_first_key(database, settings.data_dir / "key"), settings)
            stack.callback(start_embedded(settings, database, queue, registry).stop)
        yield Context(settings, database, Catalog(settings.exercises_dir), queue, registry)


def _show(key: str | None, settings: Settings) -> None:
    """Show the first key, this once. `grader submit` on this machine finds it in the file."""
    if key is not None:
        told = f"First API key (role admin, shown only now; also in {settings.data_dir / 'key'}):\n{key}"
        print(told, file=sys.stderr, flush=True)  # noqa: T201  not the log: logs are kept and read by others


def _operation(route: APIRoute) -> str:
    """Operation ids that generated clients can live with: `submissions_submit`."""
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name
