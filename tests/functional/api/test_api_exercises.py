"""GET /v1/exercises: what candidates may know, in their language, and nothing of the hidden suite."""

import shutil

import pytest

from tests.functional.api.material import code, sent, write_exercise


def test_the_list_has_all_that_can_be_graded(candidate):
    items = candidate.get("/v1/exercises").json()["items"]
    assert [item["slug"] for item in items] == ["adding", "shows-full", "shows-none", "shows-score", "shows-titles"]
    assert {item["title"] for item in items} == {"Adding"}
    assert items[0]["languages"] == ["en", "zh"]


def test_an_exercise_is_shown_with_statement_starter_public_tests_and_limits(candidate):
    found = candidate.get("/v1/exercises/adding").json()
    assert found["statement"].startswith("# Adding")
    assert list(found["starter"]) == ["solution.py"]
    assert list(found["public_tests"]) == ["test_adding.py"]
    assert found["limits"]["memory_mb"] == 1024
    assert found["feedback"] == "titles"
    assert found["digest"].startswith("sha256:")


def test_nothing_hidden_is_shown_to_anybody(reviewer):
    assert "hidden" not in reviewer.get("/v1/exercises").text + reviewer.get("/v1/exercises/adding").text
    assert "return a + b" not in reviewer.get("/v1/exercises/adding").text


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("zh", "zh"),
        ("zh-Hans-CN", "zh"),
        ("fr, zh;q=0.5, en;q=0.4", "zh"),
        ("en;q=0.1, zh;q=0.9", "zh"),
        ("zh;q=0", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("", "en"),
        ("../../tests, ;q=x,,zh;q=nan", "en"),
    ],
)
def test_the_statement_comes_in_the_best_language_that_is_there(candidate, asked, language):
    answer = candidate.get("/v1/exercises/adding", headers={"Accept-Language": asked})
    assert answer.headers["content-language"] == language
    assert answer.headers["vary"] == "Accept-Language"
    assert answer.json()["language"] == language
    assert answer.json()["title"] == {"en": "Adding", "zh": "加法"}[language]


def test_an_unchanged_exercise_is_not_sent_again(candidate):
    first = candidate.get("/v1/exercises/adding")
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = candidate.get("/v1/exercises/adding", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    other = {"If-None-Match": first.headers["etag"], "Accept-Language": "zh"}
    assert candidate.get("/v1/exercises/adding", headers=other).status_code == 200


@pytest.mark.parametrize("slug", ["nothing", "..", "%2e%2e", "adding%2ftests", "%00", "ad ding"])
def test_an_unknown_exercise_is_not_found(candidate, slug):
    assert code(candidate.get(f"/v1/exercises/{slug}"))[0] == 404


def test_an_unknown_exercise_comes_with_the_nearest_name(candidate):
    answer = candidate.get("/v1/exercises/adding-up")
    assert code(answer) == (404, "unknown_exercise")
    assert "did you mean adding" in answer.json()["detail"]


def test_a_broken_exercise_hides_no_other_and_names_no_file_of_ours(candidate, exercises):
    folder = write_exercise(exercises, "broken", "titles")
    try:
        (folder / "exercise.toml").write_text("slug = 1")
        assert candidate.get("/v1/exercises/adding").status_code == 200
        for answer in (candidate.get("/v1/exercises/broken"), sent(candidate, "broken")):
            assert code(answer) == (503, "bad_exercise")
            assert str(exercises) not in answer.text
    finally:
        shutil.rmtree(folder)
