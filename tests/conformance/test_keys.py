"""API keys, on both databases."""

import os
import stat

import pytest
from sqlalchemy import select

from grader.accounts import service
from grader.accounts.models import ApiKey, Role
from grader.accounts.service import Caller
from grader.errors import BadInput


def made(database, role=Role.CANDIDATE, name="Ada", assessment=None):
    with database.begin() as session:
        return service.create(session, name, role, assessment)


def holder(database, key):
    with database.begin() as session:
        return service.authenticate(session, key)


def test_a_key_is_its_holder_s_and_only_its_hash_is_stored(database):
    row, key = made(database, Role.REVIEWER)
    assert holder(database, key) == Caller(row.id, Role.REVIEWER)
    with database.begin() as session:
        stored = session.scalars(select(ApiKey)).one()
        assert key not in repr(vars(stored))
        assert key.startswith(stored.hint)
        assert len(stored.hint) < 15


def test_a_key_knows_the_assessment_that_it_was_handed_out_for(database):
    _, key = made(database, assessment="backend-2026")
    assert holder(database, key).assessment == "backend-2026"
    assert holder(database, made(database)[1]).assessment is None


@pytest.mark.parametrize("assessment", ["", "Backend", "two words", "a--b", "=1+1", "ä", "a" * 101, "a\n"])
def test_an_assessment_s_name_that_is_none_is_refused(database, assessment):
    with pytest.raises(BadInput, match="such as backend-2026"):
        made(database, assessment=assessment)


def test_no_two_keys_are_alike(database):
    assert len({made(database)[1] for _ in range(20)}) == 20


@pytest.mark.parametrize("wrong", ["", "grader_", "x" * 50, "grader_" + "A" * 43, "grader_" + "ä" * 43, "\0"])
def test_what_is_no_key_is_nobody_s(database, wrong):
    made(database)
    assert holder(database, wrong) is None


@pytest.mark.parametrize("by", ["id", "hint"])
def test_a_revoked_key_is_nobody_s_for_good(database, by):
    row, key = made(database)
    _, other = made(database)
    with database.begin() as session:
        service.revoke(session, getattr(row, by))
    assert holder(database, key) is None
    assert holder(database, other) is not None
    with database.begin() as session, pytest.raises(BadInput, match="no key that is good"):
        service.revoke(session, getattr(row, by))


def test_a_hint_that_two_keys_share_revokes_neither(database):
    keys = [made(database) for _ in range(2)]
    with database.begin() as session:
        for row, _ in keys:
            session.get_one(ApiKey, row.id).hint = "grader_same"
    with database.begin() as session, pytest.raises(BadInput, match="use the id"):
        service.revoke(session, "grader_same")
    assert all(holder(database, key) for _, key in keys)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "a\0b"])
def test_a_name_that_cannot_be_shown_is_refused(database, name):
    with pytest.raises(BadInput):
        made(database, name=name)


@pytest.mark.parametrize(
    ("role", "may"),
    [(Role.ADMIN, "admin reviewer candidate"), (Role.REVIEWER, "reviewer candidate"), (Role.CANDIDATE, "candidate")],
)
def test_a_role_includes_those_below_it(role, may):
    assert [str(other) for other in Role if Caller("", role).may(other)] == may.split()


def test_the_first_key_is_made_once_and_left_for_its_owner_alone(database, tmp_path):
    file = tmp_path / "data" / "key"
    key = service.ensure_first_key(database, file)
    assert key is not None
    assert file.read_text() == f"{key}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert holder(database, key).role is Role.ADMIN
    assert service.ensure_first_key(database, file) is None


def test_a_link_in_place_of_the_key_s_file_is_not_followed(database, tmp_path):
    (tmp_path / "elsewhere").touch()
    os.symlink(tmp_path / "elsewhere", tmp_path / "key")
    key = service.ensure_first_key(database, tmp_path / "key")
    assert (tmp_path / "elsewhere").read_text() == ""
    assert (tmp_path / "key").read_text().strip() == key


def test_a_first_key_that_cannot_be_left_is_not_made(database, tmp_path):
    (tmp_path / "key").mkdir()
    with pytest.raises(OSError):  # noqa: PT011  which one depends on the system
        service.ensure_first_key(database, tmp_path / "key")
    with database.begin() as session:
        assert list(service.keys(session)) == []
