"""Fuzz what the judge reads of a guest, with coverage (atheris): `python -m tests.fuzz --minutes 60 FOLDER`.

FOLDER keeps the corpus and what was found (`crash-…`, `timeout-…`, `oom-…`); `python -m tests.fuzz FILE` plays one
again. Ends at the first finding. atheris is no requirement of the project: install it into an environment of its own,
and name the project's in PYTHONPATH (`PYTHONPATH=.:.venv/lib/python3.11/site-packages`).
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sandbox", "grader.judge"]):
    from tests.fuzz.judge import LONGEST, play

from tests.fuzz.scripts import SCRIPTS, changed

_SPARE_MB = 1024  # of address space, beyond what the libraries have taken


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("place", type=Path, help="a folder to work in, or a file to play")
    parser.add_argument("--minutes", type=float, default=60)
    asked = parser.parse_args()
    if asked.place.is_file():
        play(asked.place.read_bytes())
        return
    corpus = asked.place / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, script in enumerate(SCRIPTS):
        (corpus / f"script-{number}").write_bytes(script)
    _bound_memory()
    options = [f"-max_total_time={asked.minutes * 60:.0f}", f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=4096"]
    where = [f"-artifact_prefix={asked.place}/", str(corpus)]
    atheris.Setup([sys.argv[0], *options, *where], play, custom_mutator=_mutated)
    atheris.Fuzz()


def _mutated(data: bytes, most: int, seed: int) -> bytes:
    """Half of the time a whole value is replaced, else some bytes."""
    draw = random.Random(seed)
    return changed(data, draw)[:most] if draw.random() < 0.5 else atheris.Mutate(data, most)


def _bound_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + (_SPARE_MB << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


main()
