"""`grader serve` and `grader worker`: the two kinds of processes of the service."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry, start_http_server
from sqlalchemy.exc import SQLAlchemyError

from grader.backends import make_backend
from grader.cli.common import SandboxOption, catalog, read_settings
from grader.cli.show import err
from grader.db import Database, open_database
from grader.errors import BadInput, QueueDown
from grader.grading.models import Kind
from grader.log import set_up
from grader.migrations import upgrade
from grader.queue import Queue
from grader.settings import Settings

_ENVIRONMENT = "Further settings are GRADER_... variables of the environment; README.md lists them."
ExercisesOption = Annotated[
    Path | None, typer.Option("--exercises", help="Folder of the exercises. [GRADER_EXERCISES_DIR; exercises]")
]
ConcurrencyOption = Annotated[
    int | None, typer.Option(min=1, help="Gradings that run at a time. [GRADER_CONCURRENCY; 2]")
]
ReserveOption = Annotated[
    int | None,
    typer.Option(
        "--interactive-reserve",
        min=0,
        help="Of these, how many never take batch gradings. [GRADER_INTERACTIVE_RESERVE; 1]",
    ),
]


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [GRADER_HOST; 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port. 0: a free one. [GRADER_PORT; 8300]")] = None,
    exercises: ExercisesOption = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the embedded service keeps its data. [GRADER_DATA_DIR; var]")
    ] = None,
    sandbox: SandboxOption = None,
    concurrency: ConcurrencyOption = None,
    interactive_reserve: ReserveOption = None,
) -> None:
    """Run the API, until Ctrl-C or SIGTERM.

    Without GRADER_REDIS_URL it grades, too: the queue is in memory, and the database, unless GRADER_DATABASE_URL names
    one, is SQLite in the data folder. With it, gradings go to `grader worker` processes.
    """
    settings = read_settings(
        host=host,
        port=port,
        exercises_dir=exercises,
        data_dir=data_dir,
        sandbox=sandbox,
        concurrency=concurrency,
        interactive_reserve=interactive_reserve,
    )
    set_up(settings.log_level)
    with _listening(settings) as listener:
        _prepare(settings).close()
        if settings.redis_url is None:
            make_backend(
                settings, catalog(settings).runtimes()
            ).close()  # better refused here, with the remedy, than in the middle of a start
        _say_where(settings.host, listener.getsockname()[1])
        _run_server(settings, listener)


def worker(
    *,
    exercises: ExercisesOption = None,
    sandbox: SandboxOption = None,
    concurrency: ConcurrencyOption = None,
    interactive_reserve: ReserveOption = None,
    only: Annotated[
        Kind | None,
        typer.Option(
            help="Take gradings of this kind only. A worker of batch gradings has a low priority: it uses what is left."
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Serve Prometheus metrics there, on GRADER_HOST. [GRADER_METRICS_PORT]"),
    ] = None,
) -> None:
    """Run a worker that grades what the queue holds, until Ctrl-C or SIGTERM; what it is grading then, it finishes.

    Needs GRADER_REDIS_URL, and the same GRADER_DATABASE_URL and exercises as the server. Start as many as you like;
    with one `--only interactive` and one `--only batch`, a regrade holds people up less.
    A second Ctrl-C or SIGTERM ends it at once: what it was grading is graded again by another worker.
    """
    settings = read_settings(
        exercises_dir=exercises,
        sandbox=sandbox,
        concurrency=concurrency,
        interactive_reserve=interactive_reserve,
        metrics_port=metrics_port,
    )
    if settings.redis_url is None:
        raise BadInput("a worker needs a queue: set GRADER_REDIS_URL; without Redis, `grader serve` grades by itself")
    set_up(settings.log_level)
    asked = _asked_to_end()
    with contextlib.closing(_prepare(settings)) as database, contextlib.closing(Queue(settings)) as queue:
        _run_worker(settings, database, queue, asked, only)


def _run_server(settings: Settings, listener: socket.socket) -> None:
    import uvicorn

    from grader.app import create_app

    config = uvicorn.Config(
        create_app(settings), log_config=None, timeout_graceful_shutdown=5, server_header=False, lifespan="on"
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn sends itself the signal again when it has ended in order
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listener])
    if not server.started:
        raise typer.Exit(3)  # the reason is in the log


def _run_worker(
    settings: Settings, database: Database, queue: Queue, asked: threading.Event, only: Kind | None
) -> None:
    from grader.worker import Worker

    registry = CollectorRegistry()
    found = Worker(settings, database, queue, registry, only)
    with _metrics(settings, registry):
        found.start()
        try:
            while not asked.wait(0.5):  # a signal that comes just before a wait does not end it: look again
                pass
        finally:
            found.stop()


def _prepare(settings: Settings) -> Database:
    """The database with the schema in it, and a queue that answers. Raises BadInput, with what to do."""
    database = open_database(settings)
    try:
        upgrade(database)
    except SQLAlchemyError as error:
        where = database.engine.url.render_as_string(hide_password=True)
        raise BadInput(
            f"the database {where} cannot be used: {error}\nIs it running, and GRADER_DATABASE_URL right?"
        ) from None
    try:
        with contextlib.closing(Queue(settings)) as queue:
            queue.ping()
    except QueueDown as error:
        database.close()
        raise BadInput(f"{error}\nIs Redis running, and GRADER_REDIS_URL right?") from None
    return database


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The port, taken before anything else is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:  # asyncio: TCP_NODELAY only then
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(128)
        except OSError as error:
            raise BadInput(
                f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}; "
                f"end what uses it, or choose another with --host and --port"
            ) from None
        yield listener


@contextlib.contextmanager
def _metrics(settings: Settings, registry: CollectorRegistry) -> Iterator[None]:
    if settings.metrics_port is None:
        yield
        return
    try:
        server, thread = start_http_server(settings.metrics_port, settings.host, registry)
    except OSError as error:
        raise BadInput(f"cannot serve metrics on port {settings.metrics_port}: {error.strerror}") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _asked_to_end() -> threading.Event:
    """Set by the first SIGTERM or SIGINT; the second does what it does by default."""
    asked = threading.Event()

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return asked


def _say_where(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    err().print(f"Grader on {url} · API docs: {url}/docs · end with Ctrl-C", soft_wrap=True)
