"""Reading an exercise folder: what the format allows, and what is said about everything else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from grader.catalog.model import Boundary, Wrong
from grader.catalog.read import read
from grader.errors import ExerciseError
from sandbox.limits import Limits

HEAD = 'slug = "sums"\ntitle = "Sums"\nruntime = "python"\n'
LEAST = {
    "exercise.toml": HEAD,
    "tests/test_sums.py": "import solution\n\n\ndef test_adds():\n    assert solution.add(1, 2) == 3\n",
    "reference/solution.py": "def add(a, b):\n    return a + b\n",
}
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write an exercise folder: the least that one needs, changed by `files` (None leaves a file out)."""

    def write(files: Mapping[str, str | bytes | None] | None = None) -> Path:
        for path, content in {**LEAST, **(files or {})}.items():
            if content is not None:
                target = tmp_path / "sums" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "sums"

    return write


def refusal(folder: Path) -> str:
    with pytest.raises(ExerciseError) as caught:
        read(folder)
    assert caught.value.code == "bad_exercise"
    return str(caught.value)


def test_three_keys_are_enough(make: Make) -> None:
    exercise = read(make(), Limits(cpu_s=7))
    assert (exercise.slug, exercise.title, exercise.runtime) == ("sums", "Sums", "python")
    assert exercise.limits == Limits(cpu_s=7)
    assert (exercise.feedback, exercise.points, exercise.wrong) == ("titles", {}, {})
    assert exercise.digest.startswith("sha256:")


def test_every_key_of_the_format_arrives(make: Make) -> None:
    toml = """
        [title_in]
        zh = "求和"
        [limits]
        cpu_s = 3
        memory_mb = 64
        test_wall_s = 1.5
        [feedback]
        hidden = "full"
        [points]
        "test_sums.py::test_adds" = 2.5
        [rules]
        forbid = ["torch.nn.LSTM", "math"]
        [boundary]
        answers = ["__eq__", "__add__"]
        copy_back = ["*"]
        [source]
        anything = { at = ["all"] }
        [wrong.subtracts]
        fails = ["test_adds"]
        may_fail = ["test_more"]
    """
    exercise = read(make({"exercise.toml": HEAD + toml, "wrong/subtracts.py": "add = int.__sub__"}))
    assert exercise.title_in == {"zh": "求和"}
    assert exercise.limits == Limits(cpu_s=3, memory_mb=64, test_wall_s=1.5)
    assert (exercise.feedback, exercise.points) == ("full", {"test_sums.py::test_adds": 2.5})
    assert exercise.forbid == ("torch.nn.LSTM", "math")
    assert exercise.boundary == Boundary(("__eq__", "__add__"), ("*",))
    assert exercise.source == {"anything": {"at": ["all"]}}
    assert exercise.wrong == {"subtracts": Wrong(("test_adds",), may_fail=("test_more",))}


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("tittle = 'x'", "unknown key tittle; did you mean title?"),
        ("[limits]\ncpus_s = 1", "unknown key limits.cpus_s; did you mean cpu_s?"),
        ("wall_s = 3", "unknown key wall_s; it belongs into [limits]"),
        ("[limits]\nfrobnicate = 3", "known are cpu_s, files_mb,"),
        ("[wrong.x]\nfail = ['test_adds']", "unknown key wrong.x.fail; did you mean fails?"),
        ("[wrong.x]\nfails = []", "wrong.x.fails = []"),
        ("[wrong.x]\nfails = ['*', 'test_adds']", "stands alone"),
        ("[wrong.x]\nmay_fail = ['test_adds']", "wrong.x.fails is missing"),
        ("[wrong.x]\nfails = ['test_adds']\nmay_fail = ['*']", "what may fail anything proves nothing"),
        ("[wrong.x]\nfails = ['test_adds']\nmay_fail = ['test_adds']", "test_adds stands in fails already"),
        ("[limits]\ncpu_s = 0", "limits.cpu_s = 0: it must be greater than 0"),
        ("[limits]\ncpu_s = inf", "limits.cpu_s = inf"),
        ("[limits]\ncpu_s = true", "limits.cpu_s = True"),
        ("[limits]\nmemory_mb = 64.5", "it must be a valid integer"),
        ("[limits]\ncpu_s = 2\ntest_cpu_s = 3", "limits.test_cpu_s = 3 is more than limits.cpu_s = 2"),
        ("[feedback]\nhidden = 'title'", "'full', 'titles', 'score' or 'none'"),
        ("[points]\ntest_adds = -1", "points.test_adds = -1"),
        ("[rules]\nforbid = ['os system']", "a dotted name such as torch.nn.LSTM"),
        ("[boundary]\nanswers = ['eq']", '"*" or a name such as __eq__'),
        ("[title_in]\nChinese = 'x'", "a language such as zh"),
        ("[limits\n", "exercise.toml is not TOML"),
    ],
)
def test_a_mistake_in_the_toml_is_told_with_its_place(make: Make, toml: str, told: str) -> None:
    message = refusal(make({"exercise.toml": HEAD + toml}))
    assert told in message
    assert "exercise.toml" in message


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('slug = "sums"\n', "", "slug is missing"),
        ('"sums"', '"Sums!"', "lower-case letters, digits and single hyphens"),
        (
            '"python"',
            '"pyton"',
            "there is no runtime 'pyton', only python, torch and transformers; did you mean python?",
        ),
        ('"Sums"', '""', "title = ''"),
    ],
)
def test_the_three_keys_are_checked(make: Make, old: str, new: str, told: str) -> None:
    assert told in refusal(make({"exercise.toml": HEAD.replace(old, new)}))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"exercise.toml": None}, "there is no exercise.toml"),
        ({"exercise.toml": b'title = "\xff"'}, "exercise.toml is not UTF-8"),
        ({"tests/test_sums.py": None, "tests/helpers.py": ""}, "tests/ has no test_*.py"),
        ({"reference/solution.py": None}, "there is no reference/solution.py"),
        ({"starter/other.py": ""}, "starter/ has no solution.py"),
        ({"wrong/lazy.py": ""}, "add:\n[wrong.lazy]\nfails = [...]"),
        ({"wrong/lazy/solution.py": ""}, "one file called wrong/<name>.py"),
        ({"exercise.toml": HEAD + "[wrong.lazy]\nfails=['*']"}, "[wrong.lazy] has no wrong/lazy.py"),
        ({"README.md": b"\xff"}, "README.md is shown to candidates and must be UTF-8"),
        ({"asset/data.csv": ""}, "asset/ is no folder of the format; did you mean assets/?"),
    ],
)
def test_a_mistake_in_the_folder_is_told(make: Make, files: dict[str, str | bytes | None], told: str) -> None:
    message = refusal(make(files))
    assert told in message
    assert "sums" in message


def test_all_mistakes_of_a_toml_are_told_together(make: Make) -> None:
    message = refusal(make({"exercise.toml": HEAD + "[limits]\ncpu_s = 0\nwal_s = 1"}))
    assert "cpu_s = 0" in message
    assert "did you mean wall_s?" in message


def test_links_are_refused(make: Make) -> None:
    folder = make()
    os.symlink("/etc/passwd", folder / "tests" / "data")
    assert "tests/data is a link" in refusal(folder)


def test_what_is_no_folder_is_no_exercise(tmp_path: Path) -> None:
    assert "is not a folder" in refusal(tmp_path / "nowhere")
