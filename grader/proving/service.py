"""Proofs in the database: one worker at a time grades a reference, and all go by what it found."""

from __future__ import annotations

import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from grader.catalog.catalog import Catalog
from grader.catalog.model import Exercise
from grader.db import now, storable
from grader.proving.models import Proof, Standing

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 60.0, 3600.0


def known(session: Session, exercise: Exercise, image: str) -> Proof | None:
    """What is known of this version on this image."""
    return session.get(Proof, (exercise.digest, image))


def claim(session: Session, exercise: Exercise, image: str, lease_s: float) -> bool:
    """Whether the reference is to be graded, and the caller is the one to do it, for `lease_s` seconds."""
    moment = now(session)
    if known(session, exercise, image) is None:
        _add(session, exercise, image, moment)
    claimed = session.execute(
        update(Proof)
        .where(*_of(exercise, image), Proof.standing != Standing.PASSED, Proof.until <= moment)
        .values(until=moment + datetime.timedelta(seconds=lease_s))
        .execution_options(synchronize_session=False)
    )
    return bool(claimed.rowcount)  # type: ignore[attr-defined]


def under_way(session: Session) -> bool:
    """Whether a worker grades the reference of a new version now."""
    query = select(Proof.exercise).where(Proof.standing == Standing.UNKNOWN, Proof.until > now(session)).limit(1)
    return session.scalar(query) is not None


def hold(session: Session, exercise: Exercise, image: str, lease_s: float) -> None:
    """The reference is still being graded; with 0 s: it no longer is, and nothing was found."""
    session.execute(
        update(Proof)
        .where(*_of(exercise, image))
        .values(until=now(session) + datetime.timedelta(seconds=lease_s))
        .execution_options(synchronize_session=False)
    )


def settle(session: Session, exercise: Exercise, image: str, why: str | None) -> None:
    """The reference has been graded. `why`: how it failed; None if it passed."""
    proof, moment = session.get_one(Proof, (exercise.digest, image)), now(session)
    proof.standing = Standing.PASSED if why is None else Standing.FAILED
    proof.why, proof.at = storable(why), moment
    proof.tries += 1
    pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (proof.tries - 1))
    proof.until = moment + datetime.timedelta(seconds=pause_s)


def standings(session: Session, catalog: Catalog) -> dict[str, str | None]:
    """All exercises by name: None, or why it grades nobody now, which is that it cannot be read, or that its reference
    failed on the image that was tried last."""
    looked = catalog.look()
    digests = [found.digest for found in looked.values() if isinstance(found, Exercise)]
    settled = Proof.exercise_digest.in_(digests), Proof.standing != Standing.UNKNOWN
    proofs = session.scalars(select(Proof).where(*settled).order_by(Proof.at))
    last = {proof.exercise_digest: proof.why for proof in proofs}
    return {name: last.get(e.digest) if isinstance(e, Exercise) else str(e) for name, e in looked.items()}


def _of(exercise: Exercise, image: str) -> tuple[ColumnElement[bool], ...]:
    return Proof.exercise_digest == exercise.digest, Proof.image == image


def _add(session: Session, exercise: Exercise, image: str, moment: datetime.datetime) -> None:
    proof = Proof(
        exercise_digest=exercise.digest,
        image=image,
        exercise=exercise.slug,
        standing=Standing.UNKNOWN,
        tries=0,
        until=moment,
        at=moment,
    )
    try:
        with session.begin_nested():
            session.add(proof)
    except IntegrityError:  # another worker was quicker
        pass
