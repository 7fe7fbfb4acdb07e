"""The dashboard and the alerts that come with the service speak of metrics that there are."""

import json
import re
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import grader.metrics
from tests.functional.embedded import Embedded
from tests.functional.service import write_exercise

EXAMPLES = Path(grader.metrics.__file__).parent / "examples"
_MATCHER = re.compile(r'(grader_\w+)(?:\{(\w+)(=~?)"([^"]*)")?')


def expressions():
    """(where it stands, the expression), of both files."""
    dashboard = json.loads((EXAMPLES / "dashboard.json").read_text())
    alerts = yaml.safe_load((EXAMPLES / "alerts.yml").read_text())
    found = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
    return found + [(rule["alert"], rule["expr"]) for group in alerts["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def samples(local_backend, tmp_path_factory):
    """{name: values by label} of all that a service exposes after a grading and a regrade."""
    folder = tmp_path_factory.mktemp("embedded")
    write_exercise(folder / "exercises", "adding")
    (folder / "solution.py").write_text("def add(a, b):\n    return a + b\n")
    service = Embedded(folder, folder / "exercises")
    service.start()
    assert service.cli("submit", "adding", folder / "solution.py").returncode == 0
    assert service.cli("regrade", "create", "--reason", "x", "--all", "--again").returncode == 0
    text = httpx.get(f"{service.url}/metrics").text
    service.stop()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for label, value in sample.labels.items() or [("", "")]:
                found.setdefault(sample.name, {}).setdefault(label, set()).add(value)
    return found


@pytest.mark.parametrize(("where", "expression"), expressions(), ids=lambda text: text[:40])
def test_an_expression_names_metrics_and_labels_that_there_are(samples, where, expression):
    for name, label, _, _ in _MATCHER.findall(expression):
        if name == "grader_worker_faults_total":  # a counter with labels is there after the first fault
            continue
        assert name in samples, (where, sorted(samples))
        assert not label or label in samples[name], (where, samples[name])


def test_each_alert_says_what_it_means_and_how_urgent_it_is():
    for rule in yaml.safe_load((EXAMPLES / "alerts.yml").read_text())["groups"][0]["rules"]:
        assert rule["annotations"]["summary"].endswith(("?", "."))
        assert rule["labels"]["severity"] in ("page", "ticket")
