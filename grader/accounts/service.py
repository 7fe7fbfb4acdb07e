"""API keys: made, listed, revoked, and told apart. A key is shown once, when it is made, and kept only as a hash.

A key has 256 random bits, so its plain SHA-256 tells nothing of it, and looking it up by that hash leaks nothing
through timing that would help to guess one.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from grader.accounts.models import ApiKey, Role
from grader.catalog.schema import SLUG
from grader.db import Database, new_id, now
from grader.errors import BadInput

PREFIX = "grader_"
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_HINT = len(PREFIX) + 5
_MOST_NAME, _MOST_ASSESSMENT = 200, 100
_RANKS = (Role.CANDIDATE, Role.REVIEWER, Role.ADMIN)


@dataclass(frozen=True)
class Caller:
    """Who asks: a key that is good, what it may do, and the assessment that it was handed out for, if for one."""

    key_id: str
    role: Role
    assessment: str | None = None

    def may(self, role: Role) -> bool:
        """Whether this caller's role is `role`, or includes it."""
        return _RANKS.index(self.role) >= _RANKS.index(role)


def create(session: Session, name: str, role: Role, assessment: str | None = None) -> tuple[ApiKey, str]:
    """A new key: its row, and the key itself, which cannot be had again. Raises BadInput for a name that is none."""
    name = name.strip()
    if not name or len(name) > _MOST_NAME or not name.isprintable():
        raise BadInput(f"a key's name has 1 to {_MOST_NAME} printable characters", "bad_name")
    if assessment is not None and (len(assessment) > _MOST_ASSESSMENT or not re.fullmatch(SLUG, assessment)):
        raise BadInput(
            f"an assessment's name is lower-case words and digits with single hyphens between, such as backend-2026, "
            f"of at most {_MOST_ASSESSMENT} characters",
            "bad_name",
        )
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(
        id=new_id(),
        name=name,
        role=role,
        hint=key[:_HINT],
        digest=_digest(key),
        assessment=assessment,
        created_at=now(session),
    )
    session.add(row)
    session.flush()
    return row, key


def keys(session: Session) -> Sequence[ApiKey]:
    """All keys, the revoked ones included, the oldest first."""
    return session.scalars(select(ApiKey).order_by(ApiKey.id)).all()


def revoke(session: Session, id_or_hint: str) -> ApiKey:
    """Make a key useless, at once and for good. Raises BadInput unless it names exactly one key that is good."""
    named = or_(ApiKey.id == id_or_hint, ApiKey.hint == id_or_hint)
    found = session.scalars(select(ApiKey).where(named, ApiKey.revoked_at.is_(None)).limit(2)).all()
    if not found:
        raise BadInput(f"no key that is good has the id or hint {id_or_hint!r}; see `grader key list`", "unknown_key")
    if len(found) > 1:
        raise BadInput(f"{id_or_hint!r} names more than one key; use the id", "ambiguous_key")
    found[0].revoked_at = now(session)
    return found[0]


def authenticate(session: Session, key: str) -> Caller | None:
    """Who holds this key; None for one that never was, or was revoked."""
    if not _FORM.fullmatch(key):
        return None
    row = session.scalar(select(ApiKey).where(ApiKey.digest == _digest(key), ApiKey.revoked_at.is_(None)))
    return None if row is None else Caller(row.id, row.role, row.assessment)


def ensure_first_key(database: Database, file: Path) -> str | None:
    """On a service that has no key yet: make an admin's, and leave it in `file` for this user's own commands.

    Returns the new key, to be shown once, or None where there are keys already.
    """
    with database.begin() as session:
        if session.scalar(select(func.count()).select_from(ApiKey)):
            return None
        _, key = create(session, "first key", Role.ADMIN)
        _write_secret(file, key)
    return key


def _write_secret(file: Path, secret: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{secret}\n")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
