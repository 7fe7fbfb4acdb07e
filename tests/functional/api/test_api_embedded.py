"""`grader serve` on the embedded default, as a process of its own with a real sandbox, and the CLI against it."""

import json
import stat

import httpx
import pytest

from tests.functional.api.material import SOLUTION, code, write_exercise
from tests.functional.embedded import Embedded

FLAWED = "def add(a, b):\n    print('got', a, b)\n    return a + b if a != 3 else 0\n"


@pytest.fixture(scope="module")
def embedded(local_backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedded")
    for feedback in ("titles", "full", "none"):
        write_exercise(folder / "exercises", f"shows-{feedback}", feedback)
    found = Embedded(folder, folder / "exercises")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def correct(tmp_path):
    (tmp_path / "solution.py").write_text(SOLUTION["solution.py"])
    return tmp_path / "solution.py"


@pytest.fixture
def flawed(tmp_path):
    (tmp_path / "flawed.py").write_text(FLAWED)
    return tmp_path / "flawed.py"


def test_the_first_key_is_an_admin_s_and_only_its_owner_can_read_it(embedded):
    file = embedded.data / "key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with embedded.client() as client:
        assert client.get("/v1/submissions").status_code == 200
    stored = b"".join(path.read_bytes() for path in embedded.data.glob("grader.sqlite*"))
    assert file.read_bytes().strip() not in stored


def test_a_correct_solution_passes_and_a_later_start_keeps_the_score(embedded, correct):
    done = embedded.cli("submit", "shows-titles", correct, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["exercise", "status", "verdict", "score", "max_score", "tests", "usage", "provenance"]
    assert (found["status"], found["verdict"], found["score"], found["max_score"]) == ("done", "passed", 3, 3)
    key = (embedded.data / "key").read_text().strip()
    embedded.stop()
    assert key not in embedded.log.partition(key)[2]
    embedded.start()
    with embedded.client() as client:
        items = client.get("/v1/submissions", params={"exercise": "shows-titles", "verdict": "passed"}).json()["items"]
        assert items[0]["score"] == 3
    assert (embedded.data / "key").read_text().strip() == key


def test_a_flawed_solution_is_graded_test_by_test(embedded, flawed):
    done = embedded.cli("submit", "shows-full", flawed)
    assert done.returncode == 1, done.stderr
    assert "2 of 3 points" in done.stdout
    assert "hidden-message" in done.stdout
    for told in ("queued", "passed: adds two numbers [small]", "failed: adds two numbers [large]", "got 3 4"):
        assert told in done.stderr


def test_a_candidate_follows_the_same_grading_without_names_and_messages(embedded, flawed):
    key = embedded.cli("key", "create", "Ada", "--role", "candidate").stdout.strip()
    done = embedded.cli("submit", "shows-titles", flawed, "--json", GRADER_KEY=key)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert [test["id"] for test in told["tests"]] == ["1", "2", "3"]
    assert told["provenance"]["seed"] is None
    assert not [word for word in ("hidden", "got 3 4", "test_secret") if word in done.stdout + done.stderr]


def test_a_solution_that_does_not_load_says_why(embedded, tmp_path):
    (tmp_path / "solution.py").write_text("def add(a, b)\n    return a + b\n")
    done = embedded.cli("submit", "shows-titles", tmp_path / "solution.py")
    assert done.returncode == 1
    assert "SyntaxError" in done.stdout


def test_where_no_score_is_shown_the_exit_code_claims_none(embedded, correct):
    key = embedded.cli("key", "create", "Ada", "--role", "candidate").stdout.strip()
    done = embedded.cli("submit", "shows-none", correct, "--json", GRADER_KEY=key)
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] is None


def test_without_waiting_the_id_comes_at_once(embedded, correct):
    done = embedded.cli("submit", "shows-titles", correct, "--no-wait", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["status"] == "queued"
    with embedded.client() as client:
        assert client.get(f"/v1/submissions/{told['id']}/events").text.count("event: done") == 1


def test_bad_input_is_exit_code_2_with_what_to_do(embedded, correct, tmp_path):
    unknown = embedded.cli("submit", "shows-title", correct)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "did you mean shows-titles" in unknown.stderr
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "main.py").write_text("x = 1\n")
    assert embedded.cli("submit", "shows-titles", tmp_path / "other").returncode == 2
    refused = embedded.cli("submit", "shows-titles", correct, GRADER_KEY="grader_wrong")
    assert refused.returncode == 2
    assert "API key is unknown or revoked" in refused.stderr


def test_a_server_that_is_not_there_is_exit_code_3_with_what_to_do(embedded, correct):
    done = embedded.cli("submit", "shows-titles", correct, "--server", "http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (3, "")
    assert "grader serve" in done.stderr


def test_a_revoked_key_opens_nothing_while_the_server_runs(embedded):
    made = json.loads(embedded.cli("key", "create", "Bo", "--role", "reviewer", "--json").stdout)
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert httpx.get(f"{embedded.url}/v1/exercises", headers=headers).status_code == 200
    assert embedded.cli("key", "revoke", made["id"]).returncode == 0
    assert code(httpx.get(f"{embedded.url}/v1/exercises", headers=headers)) == (401, "no_key")
