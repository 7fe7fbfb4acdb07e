"""An ordinary pytest suite need not notice that the solution lives elsewhere."""

FILES = {
    "conftest.py": """
import pytest, solution
from worlds import World
LOG = []
@pytest.fixture(scope="session")
def shared(): return solution.Box("shared")
@pytest.fixture
def box(request):
    made = solution.Box("own")
    yield made
    LOG.append(request.node.name)
@pytest.fixture(params=["a", "b"])
def letter(request): return request.param
@pytest.fixture(autouse=True)
def always():
    yield
def pytest_configure(config): config.addinivalue_line("markers", "slow: takes long")
""",
    "worlds.py": """
import helpers.deep
class World:
    size = helpers.deep.SIZE
""",
    "helpers/__init__.py": "",
    "helpers/deep.py": "SIZE = 3\n",
    "data.json": '{"answer": 42}',
    "test_features.py": """
import json, os, sys, unittest
from pathlib import Path
import pytest, solution
from solution import Box, LIMIT
from conftest import LOG
from worlds import World
import utils

HERE = Path(__file__).parent
DATA = json.loads((HERE / "data.json").read_text())

def test_helper_modules():
    assert World.size == 3 and utils.KIND == "the suite's" and solution.kind() == "the candidate's"
def test_data_beside_the_suite(): assert DATA["answer"] == 42
def test_fixture(box): assert box.name == "own"
def test_teardown_has_run(): assert LOG[-1] == "test_fixture"
def test_session_fixture(shared):
    shared.name = "changed"
    assert isinstance(shared, Box)
def test_session_fixture_again(shared): assert shared.name == "changed"
def test_params(letter): assert solution.upper(letter) == letter.upper()
@pytest.mark.parametrize(("n", "square"), [(2, 4), pytest.param(3, 9, id="three")])
def test_table(n, square): assert solution.square(n) == square
@pytest.mark.parametrize("function", [solution.square, solution.upper], ids=["square", "upper"])
def test_functions_of_the_solution_as_parameters(function):
    assert callable(function) and function.__name__ in ("square", "upper")
@pytest.mark.parametrize("limit", [solution.LIMIT])
def test_values_of_the_solution_as_parameters(limit): assert limit == 10 and limit + 1 == 11 and limit < 11
@pytest.mark.slow
def test_marked(): pass
def test_tmp_path(tmp_path):
    (tmp_path / "x").write_text(solution.upper("a"))
    assert (tmp_path / "x").read_text() == "A"
def test_capsys(capsys):
    print("here")
    assert capsys.readouterr().out == "here\\n"
def test_monkeypatch(monkeypatch):
    monkeypatch.setattr(solution, "LIMIT", 3)
    monkeypatch.setattr(solution.Box, "describe", lambda self: f"patched {self.name}")
    assert solution.limit() == 3 and Box("x").describe() == "patched x"
def test_monkeypatch_undone(): assert solution.limit() == 10 and Box("x").describe() == "a box x"
def test_missing(): solution.missing()
@pytest.mark.skip(reason="later")
def test_skipped(): pass
@pytest.mark.xfail(reason="known", strict=True)
def test_expected_failure(): assert solution.square(2) == 5
@pytest.mark.skipif(sys.version_info < (3, 0), reason="old")
def test_not_skipped(): assert LIMIT == 10
def test_warnings():
    with pytest.warns(UserWarning): __import__("warnings").warn("x")
def test_subtests_by_loop():
    for n in range(200): assert solution.square(n) == n * n
def test_import_inside():
    import solution as inner
    from solution import square
    assert inner.square(3) == square(3) == 9

class TestClass:
    limit = LIMIT
    box_class = Box
    @pytest.fixture
    def made(self): return Box("made")
    @classmethod
    def setup_class(cls): cls.shared = Box("class")
    def setup_method(self): self.fresh = Box("fresh")
    def test_method(self, made):
        assert made.name == "made" and self.fresh.name == "fresh" and self.shared.name == "class"
    def test_class_attributes(self):
        assert self.box_class("y").name == "y" and isinstance(self.box_class("y"), self.box_class)

class TestUnit(unittest.TestCase):
    def setUp(self): self.box = Box("unit")
    def test_unittest(self):
        self.assertEqual(self.box.name, "unit")
        with self.assertRaises(ValueError): solution.fail()
        self.assertIsInstance(self.box, Box)
        self.assertTrue(callable(solution.square))
    def test_refused(self): self.assertEqual(self.box, 5)

def setup_module(module): module.READY = Box("module")
def test_setup_module(): assert READY.name == "module"
def test_no_trace_of_the_judge(): assert "GRADER" not in "".join(os.environ)
""",
    "utils.py": 'KIND = "the suite\'s"\n',
    "sub/test_deeper.py": """
from worlds import World
def test_deeper(box): assert World.size == 3 and box.name == "own"
""",
}
SOLUTION = {
    "solution.py": """
import json
import utils
from pack import inner
from pack.deep import DEPTH
LIMIT = 10
class Box:
    def __init__(self, name): self.name = name
    def describe(self): return f"a box {self.name}"
def kind(): return utils.KIND
def upper(x): return x.upper()
def square(n): return n * n
def limit(): return LIMIT
def fail(): raise ValueError
""",
    "utils.py": 'KIND = "the candidate\'s"\n',
    "pack/__init__.py": "",
    "pack/inner.py": "from .deep import DEPTH\n",
    "pack/deep.py": "DEPTH = 2\n",
}


def test_fixtures_parameters_classes_and_helpers(grade):
    flaws = grade(FILES, SOLUTION).flaws
    assert flaws.pop("test_missing") == "failed: AttributeError: solution.py does not define missing"
    assert flaws.pop("test_skipped") == "skipped: skipped by the suite"
    assert flaws.pop("test_expected_failure") == "skipped: skipped by the suite"
    assert flaws.pop("TestUnit::test_refused") == "failed: returned <Box object>, expected int"
    assert flaws == {}


ASSETS = """
import json, pathlib, solution
ASSETS = pathlib.Path(__file__).parent.parent / "assets"
def test_assets(): assert solution.words() == json.loads((ASSETS / "deep" / "words.json").read_text())
def test_relative_paths(): assert solution.beside() == "beside" and solution.from_assets() == 2
def test_writing(): assert solution.write("x") == "x"
"""
READER = {
    "solution.py": """
import json, pathlib
HERE = pathlib.Path(__file__).parent
def words(): return json.loads((HERE / "assets" / "deep" / "words.json").read_text())
def beside(): return open("note.txt").read()
def from_assets(): return len(json.load(open("assets/deep/words.json")))
def write(text):
    pathlib.Path("out.txt").write_text(text)
    return open("out.txt").read()
""",
    "note.txt": "beside",
}


def test_files_and_assets_of_the_submission(grade):
    assert grade(ASSETS, READER, assets={"deep/words.json": '["a", "b"]'}).flaws == {}


def test_nothing_outside_the_suite_has_a_say(grade, tmp_path):
    (tmp_path / "conftest.py").write_text("raise RuntimeError('no part of any exercise')")
    suite = """
        import sys
        def test_plugins_of_this_installation_are_not_loaded(pytestconfig):
            assert not pytestconfig.pluginmanager.list_plugin_distinfo()
    """
    assert grade(suite, "").flaws == {}


def test_what_a_suite_writes_goes_with_the_worker(grade):
    suite = """
        import tempfile
        from pathlib import Path
        def test_where(tmp_path, tmp_path_factory):
            for path in (tmp_path, tmp_path_factory.getbasetemp(), Path(tempfile.mkdtemp())):
                assert Path.home() in path.parents and Path.home().name.startswith("grader-judge-")
    """
    assert grade(suite, "").flaws == {}
