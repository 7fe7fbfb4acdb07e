"""POST /v1/submissions: what is taken, and that nothing is stored of what is not."""

import http.client
import io
import threading
import zipfile

import pytest
from sqlalchemy import func, select

from grader.accounts.models import Role
from grader.models import Grading, GradingEvent, Submission, SubmissionFile
from tests.functional.api.material import SOLUTION, code, sent, submitted


def stored(service):
    """How many rows a submission could have left."""
    with service.database.begin() as session:
        models = (Submission, SubmissionFile, Grading, GradingEvent)
        return [session.scalar(select(func.count()).select_from(model)) for model in models]


def post(client, data, name="solution.zip", **fields):
    fields = {"exercise": "adding"} | fields
    return client.post("/v1/submissions", data=fields, files={"file": (name, data)})


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def test_a_solution_is_taken_and_can_be_found_at_its_location(candidate):
    answer = sent(candidate)
    assert answer.status_code == 202
    found = candidate.get(answer.headers["location"]).json()
    assert found == answer.json()
    assert (found["exercise"], found["status"], found["verdict"], found["tests"]) == ("adding", "queued", None, [])


@pytest.mark.parametrize("name", ["solution.py", "my_answer.PY"])
def test_a_form_with_a_python_file_is_taken_as_solution_py(candidate, name):
    answer = post(candidate, SOLUTION["solution.py"].encode(), name)
    assert answer.status_code == 202
    assert candidate.get(answer.headers["location"] + "/files").json() == {"files": SOLUTION, "binary": {}}


def test_a_form_with_an_archive_is_unpacked_and_binary_files_come_back_as_base64(candidate):
    answer = post(candidate, zipped(SOLUTION | {"data.bin": b"\xff\x00"}))
    assert answer.status_code == 202
    found = candidate.get(answer.headers["location"] + "/files").json()
    assert found == {"files": SOLUTION, "binary": {"data.bin": "/wA="}}


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"exercise": "adding-up"}, (422, "unknown_exercise")),
        ({"exercise": "../adding"}, (422, "unknown_exercise")),
        ({"exercise": "\0"}, (422, "unknown_exercise")),
        ({"files": {}}, (422, "empty_submission")),
        ({"files": {"main.py": "x = 1"}}, (422, "no_solution")),
        ({"files": {"solution.py": "x = 1", "../up.py": "x = 1"}}, (422, "bad_path")),
        ({"files": {"solution.py": "x = 1", "a\0b": "x = 1"}}, (422, "bad_path")),
        ({"files": {"solution.py": "\0"}}, (422, "not_utf8")),
        ({"files": {"solution.py": "x" * (65 << 10)}}, (413, "too_large")),
        ({"files": {f"{name}.py": "" for name in "abcde"} | SOLUTION}, (422, "too_many_files")),
        ({"files": {"solution.py": 1}}, (422, "invalid")),
        ({"kind": "sideways"}, (422, "invalid")),
        ({"kind": "batch"}, (403, "forbidden")),
        ({"assessment": "backend-2026"}, (403, "forbidden")),
        ({"assessment": "=1+1"}, (422, "invalid")),
        ({"assessment": ""}, (422, "invalid")),
        ({"wish": "full points"}, (422, "invalid")),
    ],
)
def test_bad_json_is_refused_and_leaves_nothing(service, candidate, about, expected):
    before = stored(service)
    assert code(sent(candidate, **about)) == expected
    assert stored(service) == before


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (b"{", "application/json", (422, "invalid")),
        (b"[" * 100_000, "application/json", (422, "invalid")),
        (b'{"exercise": "adding", "files": {"solution.py": "\\ud800"}}', "application/json", (422, "invalid")),
        (b"\xff", "application/json", (422, "invalid")),
        (b"", "application/json", (422, "invalid")),
        (b"exercise=adding", "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
        (b"--x", "multipart/form-data; boundary=y", (400, "bad_request")),
        (b"--x", "multipart/form-data", (400, "bad_request")),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(service, candidate, body, media_type, expected):
    before = stored(service)
    answer = candidate.post("/v1/submissions", content=body, headers={"Content-Type": media_type})
    assert code(answer) == expected
    assert stored(service) == before


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("solution.zip", b"no archive", (422, "bad_archive")),
        ("solution.rar", b"Rar!", (422, "unknown_kind")),
        ("solution.py", b"\xff", (422, "not_utf8")),
        ("solution.zip", zipped(SOLUTION | {"../../up.py": "x"}), (422, "bad_path")),
        ("solution.zip", zipped(SOLUTION | {"Solution.py": "x"}), (422, "path_collision")),
        ("solution.zip", zipped({"solution.py": "x" * (65 << 10)}), (413, "too_large")),
        ("", b"x = 1", (422, "invalid")),
    ],
)
def test_a_bad_upload_is_refused_and_leaves_nothing(service, candidate, name, data, expected):
    before = stored(service)
    assert code(post(candidate, data, name)) == expected
    assert stored(service) == before


@pytest.mark.parametrize(
    "fields", [{"exercise": "nothing"}, {"wish": "x"}, {"kind": "batch"}, {"assessment": "x"}, {"exercise": ["a", "b"]}]
)
def test_a_form_with_wrong_fields_is_refused_and_leaves_nothing(service, candidate, fields):
    before = stored(service)
    assert post(candidate, b"x = 1", "solution.py", **fields).status_code in (403, 422)
    assert stored(service) == before


def test_a_form_with_two_files_is_refused(candidate):
    two = [("file", ("solution.py", b"x = 1")), ("file", ("solution.py", b"x = 2"))]
    assert code(candidate.post("/v1/submissions", data={"exercise": "adding"}, files=two)) == (400, "bad_request")


@pytest.mark.parametrize(
    ("header", "begun"),
    [
        (("Content-Length", "9" * 9), b""),
        (("Content-Length", "9" * 5000), b""),
        (("Transfer-Encoding", "chunked"), b"10000\r\n" + b" " * 65536 + b"\r\n"),
    ],
    ids=["announced", "absurd", "chunked"],
)
def test_a_body_that_is_too_large_is_refused_before_it_ends(service, candidate, header, begun):
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/v1/submissions")
    for name, value in [header, ("Content-Type", "application/json"), *candidate.headers.items()]:
        connection.putheader(name, value)
    connection.endheaders()
    for _ in range(20):
        connection.send(begun)
    assert connection.getresponse().status in (400, 413)
    connection.close()


def test_only_so_many_submissions_of_a_candidate_may_wait(service, candidate, reviewer):
    identities = [submitted(candidate) for _ in range(3)]
    refused = sent(candidate)
    assert code(refused) == (429, "over_quota")
    assert int(refused.headers["retry-after"]) > 0
    service.grade(identities[0])
    submitted(candidate)
    assert all(sent(reviewer).status_code == 202 for _ in range(4))


def test_a_reviewer_may_submit_a_batch(reviewer):
    assert sent(reviewer, kind="batch").json()["kind"] == "batch"


def test_what_a_key_sends_belongs_to_the_assessment_that_it_was_handed_out_for(service, candidate):
    with service.client(Role.CANDIDATE, assessment="backend-2026") as invited:
        assert sent(invited).json()["assessment"] == post(invited, SOLUTION["solution.py"], "a.py").json()["assessment"]
        assert sent(invited).json()["assessment"] == "backend-2026"
    assert sent(candidate).json()["assessment"] is None


def test_a_reviewer_names_the_assessment_with_each_submission(service):
    with service.client(Role.REVIEWER, assessment="backend-2026") as reviewer:
        assert sent(reviewer, assessment="frontend").json()["assessment"] == "frontend"
        form = post(reviewer, SOLUTION["solution.py"], "a.py", assessment="frontend")
        assert form.json()["assessment"] == "frontend"
        assert sent(reviewer).json()["assessment"] == "backend-2026"
        assert sent(reviewer, assessment=None).json()["assessment"] == "backend-2026"


def test_the_same_request_under_one_idempotency_key_is_one_submission(service, candidate):
    first, second = (sent(candidate, headers={"Idempotency-Key": "once"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.headers["location"] == second.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "change",
    [{"exercise": "shows-full"}, {"files": {"solution.py": "x = 1"}}, {"assessment": "backend-2026"}],
    ids=["exercise", "files", "assessment"],
)
def test_another_request_under_a_used_idempotency_key_is_refused(reviewer, change):
    submitted(reviewer, headers={"Idempotency-Key": "k"})
    assert code(sent(reviewer, headers={"Idempotency-Key": "k"}, **change)) == (422, "idempotency_key_reused")


def test_an_idempotency_key_is_one_caller_s_own(candidate, reviewer):
    mine, theirs = (submitted(client, headers={"Idempotency-Key": "k"}) for client in (candidate, reviewer))
    assert mine != theirs


@pytest.mark.parametrize("key", ["", "two words", "ä".encode(), "x" * 201])
def test_an_idempotency_key_that_is_none_is_refused(candidate, key):
    assert code(sent(candidate, headers={"Idempotency-Key": key})) == (422, "invalid")


def test_equal_requests_at_once_store_one_submission(service, candidate):
    answers, start = [], threading.Barrier(8)

    def send():
        start.wait()
        answers.append(sent(candidate, headers={"Idempotency-Key": "race"}))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(candidate.get("/v1/submissions").json()["items"]) == 1


def test_requests_at_once_do_not_get_past_the_quota(candidate):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(sent(candidate).status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [202] * 3 + [429] * 5
