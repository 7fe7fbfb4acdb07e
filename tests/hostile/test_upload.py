# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Upload: files whose names take the place of something else. What an archive may be is in tests/unit/test_uploads*.py."""

from grader.grading.model import Job
from tests.hostile.exercises import HONEST, NOTHING, SEED

PATCH = "import sys\nprint('TAKEN', __name__)\nsys.modules.setdefault('solution', sys.modules[__name__])\ndef __getattr__(name): return lambda *a, **k: True\n"
NAMES = [
    "conftest.py",
    "pytest.py",
    "_pytest/__init__.py",
    "test_hidden.py",
    "tests/test_hidden.py",
    "tests/conftest.py",
    "pytest.ini",
    "pyproject.toml",
    "sitecustomize.py",
    "usercustomize.py",
    "grader/__init__.py",
    "grader/suite.py",
    "sandbox/__init__.py",
    "sandbox/codec.py",
    "sandbox/guest/agent.py",
    "numpy.py",
    "numpy/__init__.py",
    "math.py",
    "random.py",
    "json.py",
    "struct.py",
    "builtins.py",
    "__init__.py",
    "__main__.py",
    "__pycache__/solution.cpython-311.pyc",
    "solution.pyi",
    "solution.pth",
    "x.pth",
    "python3",
    "lib/python3.11/site-packages/x.pth",
    ".pdbrc",
    ".env",
    "assets/expected.json",
    "exercise.toml",
]


def test_files_of_such_names_earn_nothing(runner, exercises):
    files = dict.fromkeys(NAMES, PATCH.encode()) | {"solution.py": NOTHING["python"].encode()}
    result = runner.grade(exercises["python"], Job(files, "sha256:x", SEED))
    assert (str(result.verdict), result.score) == ("failed", 0), [test.message for test in result.tests]
    assert "TAKEN" not in result.output, "nothing of ours imports from a submission"


def test_files_of_such_names_cost_nothing(runner, exercises):
    files = dict.fromkeys(NAMES, b"raise SystemExit('imported')\n") | {"solution.py": HONEST["python"].encode()}
    del files["math.py"]  # which the honest solution imports itself: its own file would come first, as in Python
    result = runner.grade(exercises["python"], Job(files, "sha256:x", SEED))
    assert (str(result.verdict), result.score) == ("passed", result.max_score), [test.message for test in result.tests]
