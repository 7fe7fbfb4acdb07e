"""Who may call: keys, roles, and what is open without a key."""

import functools
import logging

import pytest

from grader.accounts import service as accounts
from grader.accounts.models import Role
from tests.functional.api.material import code, submitted

NOBODYS = "0" * 32
NEEDS_KEY = [
    ("GET", "/v1/exercises"),
    ("GET", "/v1/exercises/adding"),
    ("POST", "/v1/submissions"),
    ("GET", "/v1/submissions"),
    ("GET", f"/v1/submissions/{NOBODYS}"),
    ("GET", f"/v1/submissions/{NOBODYS}/files"),
    ("GET", f"/v1/submissions/{NOBODYS}/gradings"),
    ("GET", f"/v1/submissions/{NOBODYS}/events"),
    ("DELETE", f"/v1/submissions/{NOBODYS}"),
    ("POST", "/v1/regrades"),
    ("GET", "/v1/regrades"),
    ("POST", "/v1/regrades/count"),
    *(("GET", f"/v1/regrades/{NOBODYS}{part}") for part in ("", "/summary", "/changes", "/changes.csv", "/events")),
    *(("POST", f"/v1/regrades/{NOBODYS}/{act}") for act in ("pause", "resume", "cancel", "apply", "discard")),
    ("GET", "/v1/exports/results.csv"),
    ("GET", "/v1/exports/results.jsonl"),
]


@pytest.mark.parametrize(("method", "path"), NEEDS_KEY)
@pytest.mark.parametrize("header", [None, "Bearer grader_" + "A" * 43, "Bearer x", "Basic eDp4", "Bearer \xff"])
def test_without_a_good_key_nothing_is_answered(nobody, method, path, header):
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    answer = nobody.request(method, path, headers=headers)
    assert code(answer) == (401, "no_key")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_every_endpoint_under_v1_needs_a_key(nobody):
    paths = nobody.get("/openapi.json").json()["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods if "/v1" in path}
    named = {"adding": "{slug}", f"regrades/{NOBODYS}": "regrades/{regrade_id}", NOBODYS: "{submission_id}"}
    tried = set()
    for method, path in NEEDS_KEY:
        tried.add((method, functools.reduce(lambda told, pair: told.replace(*pair), named.items(), path)))
    assert tried == documented


def test_a_revoked_key_is_of_no_use_at_once(service):
    key = service.key(Role.ADMIN)
    with service.client(None, Authorization=f"Bearer {key}") as client:
        assert client.get("/v1/exercises").status_code == 200
        with service.database.begin() as session:
            accounts.revoke(session, accounts.authenticate(session, key).key_id)
        assert code(client.get("/v1/exercises")) == (401, "no_key")


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.ADMIN])
def test_an_admin_may_what_a_reviewer_may(service, candidate, role):
    identity = submitted(candidate)
    with service.client(role) as client:
        for path in ("", "/files", "/gradings"):
            assert client.get(f"/v1/submissions/{identity}{path}").status_code == 200


def test_no_key_gets_into_the_log_or_the_database(service, caplog):
    caplog.set_level(logging.DEBUG)
    key = service.key(Role.CANDIDATE)
    with service.client(None, Authorization=f"Bearer {key}") as client:
        client.get("/v1/exercises")
        client.post("/v1/submissions", content=b"{", headers={"Content-Type": "application/json"})
    assert "/v1/exercises" in caplog.text
    assert key not in caplog.text
    with service.database.begin() as session:
        assert not [row for row in accounts.keys(session) if key in repr(vars(row))]


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css"])
def test_health_and_documentation_are_open(nobody, path):
    assert nobody.get(path).status_code == 200


def test_metrics_are_open_to_this_machine_and_to_reviewers(nobody, reviewer, candidate):
    assert nobody.get("/metrics").status_code == 200
    assert reviewer.get("/metrics").status_code == 200
    assert code(candidate.get("/metrics")) == (403, "forbidden")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_metrics_are_not_open_to_whom_a_proxy_on_this_machine_speaks_for(nobody, header):
    assert code(nobody.get("/metrics", headers={header: "for=203.0.113.9"})) == (401, "no_key")
