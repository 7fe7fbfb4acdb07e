"""One frozen `Settings`, read once by a composition root and passed in. Each field is a GRADER_… variable."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Policy = Literal["per_container", "per_process"]
SandboxName = Literal["auto", "docker", "local"]


class Settings(BaseSettings):
    """Everything that an operator can set. The defaults are the embedded service: nothing to install first."""

    model_config = SettingsConfigDict(env_prefix="GRADER_", env_ignore_empty=True, frozen=True, extra="forbid")

    data_dir: Path = Field(Path("var"), description="Where the embedded service keeps its database and its first key.")
    exercises_dir: Path = Field(Path("exercises"), description="The folder whose sub-folders are the exercises.")
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL, e.g. postgresql+psycopg://…; unset: SQLite in data_dir."
    )
    redis_url: SecretStr | None = Field(
        None, description="redis://… for Celery; unset: an in-memory broker, and the worker runs inside the server."
    )
    host: str = Field("127.0.0.1", description="Address that the API listens on; not open to the network by default.")
    port: int = Field(8300, description="Port of the API.")

    metrics_port: int | None = Field(
        None, description="Port on `host` where a worker serves Prometheus metrics; unset: it serves none."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe lines to log.")

    sandbox: SandboxName = Field("auto", description="docker where an engine answers, else local.")
    docker_image: str = Field(
        "grader-sandbox", description="Name of the sandbox image; `:<runtime>` is appended. Built by `make image`."
    )
    docker_runtime: str | None = Field(None, description="OCI runtime of the sandboxes: runc, crun, runsc …")
    docker_socket_dir: Path = Field(
        Path("/run/grader"),
        description="Host folder for the sandboxes' control sockets; the same path on host and worker.",
    )
    policy: Policy = Field("per_container", description="One sandbox per submission, or one fork in a shared sandbox.")
    policy_batch: Policy | None = Field(None, description="Overrides `policy` for batch gradings.")
    policy_interactive: Policy | None = Field(None, description="Overrides `policy` for interactive gradings.")
    pool_size: int = Field(
        2, description="Warm sandboxes kept ready per kind of sandbox; half of them while something is graded."
    )
    pool_cap: int = Field(8, description="Most sandboxes alive at once, busy ones included.")
    sandbox_max_uses: int = Field(
        1000, description="Submissions that a per_process sandbox serves before it is replaced."
    )

    concurrency: int = Field(2, description="Gradings that one worker runs at a time.")
    interactive_reserve: int = Field(1, description="Of these, how many only ever take interactive work.")
    lease_s: float = Field(60, description="Seconds after which a silent worker's grading is taken over.")
    max_attempts: int = Field(3, description="Tries of a grading that ends in a fault, all with the same seed.")
    retry_backoff_s: float = Field(2, description="Wait before the second try; doubles with each further one.")
    reconcile_every_s: float = Field(5, description="How often stored but ungraded submissions are looked for.")
    judge_cpu_s: float = Field(300, description="Processor seconds that a judge may use itself; beyond: a fault.")
    judge_memory_mb: int = Field(4096, description="Memory that a judge may use on top of its preloaded runtime.")

    max_upload_kb: int = Field(1024, description="Largest submission, unpacked.")
    max_files: int = Field(50, description="Most files in a submission.")
    max_queued_per_key: int = Field(20, description="Submissions that one candidate's key may have waiting at once.")
