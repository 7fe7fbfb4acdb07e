"""The OpenAPI document is true: requests made from it, good and bad, get only the answers that it describes."""

import contextlib

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from grader.accounts.models import Role
from grader.app import assemble
from grader.settings import Settings
from tests.functional.api.material import submitted

_FEW = hypothesis.settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
_SCHEMA = schemathesis.openapi.from_dict(assemble(Settings(), contextlib.nullcontext).openapi())
_OPERATIONS = {found.ok().label: found.ok() for found in _SCHEMA.get_all_operations()}
_EXCLUDED = {
    "GET /readyz": [not_a_server_error],  # there is no worker, so 503 is right
    "GET /metrics": [ignored_auth],  # open to this machine
}
_TAKES_NOTHING = ("GET /healthz", "GET /readyz", "GET /metrics")


@pytest.fixture(scope="session")
def headers(service):
    """Those of a reviewer, whose service has something to show."""
    with service.client(Role.REVIEWER) as client:
        service.grade(submitted(client))
    return {"Authorization": f"Bearer {service.key(Role.REVIEWER)}"}


def answers_as_documented(service, headers, label, mode):
    @hypothesis.given(case=_OPERATIONS[label].as_strategy(generation_mode=mode))
    @_FEW
    def check(case):
        excluded = [positive_data_acceptance, *_EXCLUDED.get(label, ())]  # a form can be right, and its content wrong
        known = headers if "Authorization" in (case.headers or {}) else {}  # a request may be wrong for want of it
        case.call_and_validate(base_url=service.url, headers=known, excluded_checks=excluded)

    check()


@pytest.mark.parametrize("label", _OPERATIONS)
def test_requests_in_the_documented_form_are_answered_as_documented(service, headers, label):
    answers_as_documented(service, headers, label, GenerationMode.POSITIVE)


@pytest.mark.parametrize("label", [label for label in _OPERATIONS if label not in _TAKES_NOTHING])
def test_requests_in_any_other_form_are_refused_as_documented(service, headers, label):
    answers_as_documented(service, headers, label, GenerationMode.NEGATIVE)
