"""Health, readiness, metrics, headers, and errors that no endpoint makes itself."""

import http.client

import pytest
from sqlalchemy import delete

from grader.grading.models import Kind
from grader.metrics import service as workers
from grader.metrics.models import Worker
from grader.proving import service as proving
from grader.proving.models import Proof
from tests.functional.api.material import code, submitted


@pytest.fixture(autouse=True)
def _no_workers(service):
    with service.database.begin() as session:
        session.execute(delete(Worker))


def beat(service, problem=None, name="w", only=None):
    with service.database.begin() as session:
        workers.beat(session, name, "local", problem, only)


def test_it_is_ready_when_a_live_worker_has_a_usable_sandbox(service, nobody):
    beat(service)
    beat(service, "no Landlock", "v")
    answer = nobody.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ok": True,
        "database": {"ok": True, "detail": "answers"},
        "queue": {"ok": True, "detail": "answers"},
        "sandbox": {"ok": True, "detail": "1 of 2 live workers have one"},
        "exercises": {"ok": True, "detail": "5 in service"},
    }


def test_it_is_not_ready_without_a_worker_or_a_sandbox(service, nobody):
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.json()["sandbox"]["ok"]) == (503, False)
    assert "grader worker" in answer.json()["sandbox"]["detail"]
    beat(service, "no Landlock at /secret")
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)
    assert "secret" not in answer.text


def test_it_is_not_ready_when_nobody_takes_gradings_of_one_kind(service, nobody):
    beat(service, only=Kind.BATCH)
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.json()["sandbox"]["ok"]) == (503, False)
    assert "no live worker takes interactive gradings" in answer.json()["sandbox"]["detail"]
    beat(service, name="v", only=Kind.INTERACTIVE)
    assert nobody.get("/readyz").status_code == 200


@pytest.fixture
def adding_is_broken(service):
    """Its reference failed; as a worker would have found."""
    exercise = service.catalog.get("adding")
    with service.database.begin() as session:
        assert proving.claim(session, exercise, "image", 60)
        proving.settle(session, exercise, "image", "a secret of the suite")
    yield
    with service.database.begin() as session:
        session.execute(delete(Proof))


@pytest.mark.usefixtures("adding_is_broken")
def test_an_exercise_out_of_service_is_an_alarm_and_keeps_nobody_from_the_others(service, nobody):
    beat(service)
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    assert answer.json()["exercises"]["ok"] is False
    assert "1 of 5 out of service" in answer.json()["exercises"]["detail"]
    assert "adding" not in answer.text
    assert "secret" not in answer.text
    lines = nobody.get("/metrics").text.splitlines()
    assert 'grader_exercise_in_service{exercise="adding"} 0.0' in lines
    assert 'grader_exercise_in_service{exercise="shows-full"} 1.0' in lines


def test_a_worker_that_fell_silent_is_not_live(service, nobody):
    beat(service)
    with service.database.begin() as session:
        session.get_one(Worker, "w").seen_at = workers.now(session).replace(year=2020)
    assert nobody.get("/readyz").status_code == 503


def test_metrics_count_what_is_stored(service, nobody, candidate):
    beat(service)
    service.grade(submitted(candidate))
    submitted(candidate)
    lines = nobody.get("/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(values['grader_gradings{kind="interactive",status="done",verdict="partial"}']) >= 1
    assert float(values['grader_longest_wait_seconds{kind="interactive"}']) > 0
    assert float(values['grader_workers{sandbox="local",usable="yes"}']) == 1
    counted = 'grader_http_request_seconds_count{method="POST",route="/v1/submissions",status="202"}'
    assert float(values[counted]) >= 2


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/submissions/", "/v1/users", "/docs/assets/nothing.js"])
def test_an_unknown_address_is_a_problem(candidate, path):
    assert code(candidate.get(path)) == (404, "not_found")


def test_a_method_that_is_not_there_is_a_problem_that_names_those_that_are(candidate):
    answer = candidate.patch(f"/v1/submissions/{'0' * 32}")
    assert code(answer) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) <= {"GET", "DELETE"}


@pytest.mark.parametrize("path", ["/healthz", "/v1/exercises", "/nothing", "/docs", "/metrics"])
def test_every_answer_has_security_headers_and_says_nothing_of_the_server(candidate, path):
    headers = candidate.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "no-store" in headers["cache-control"]
    assert not {"server", "access-control-allow-origin", "x-powered-by"} & set(headers)


def test_other_sites_scripts_get_no_leave(candidate):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = candidate.options("/v1/submissions", headers=asked)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


def test_a_bug_of_ours_tells_nothing_of_our_insides(service, candidate, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret insides")

    monkeypatch.setattr(type(service.catalog), "slugs", broken)
    answer = candidate.get("/v1/exercises")
    assert code(answer) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_documentation_page_loads_nothing_from_elsewhere(nobody):
    page = nobody.get("/docs")
    assert "//" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in ("/docs/start.js", "/docs/assets/swagger-ui-bundle.js", "/openapi.json"):
        assert nobody.get(path).status_code == 200


def test_a_request_line_that_is_no_http_does_not_hurt(service, nobody):
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"))
    connection.connect()
    connection.sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    connection.close()
    assert nobody.get("/healthz").status_code == 200
