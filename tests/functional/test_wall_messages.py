"""Messages are capped, cleaned and cheap, whatever came back."""

from sandbox.limits import Limits

SUITE = """
import pytest, solution
def test_text(): assert solution.text() == "expected"
def test_texts_of_many_lines(): assert solution.lines() == solution.other_lines()
def test_list(): assert solution.items() == [1, 2, 3]
def test_lists(): assert solution.items() == solution.other_items()
def test_dict(): assert solution.table() == {}
def test_number(): assert solution.number() == 5
def test_nested(): assert solution.nested() == []
def test_repr(): assert solution.Slow() == 5
def test_shown(): pytest.fail(f"got {solution.Slow()}")
def test_in_a_list(): assert [solution.Slow()] == [5]
def test_approx(): assert solution.items() == pytest.approx([1.0] * 1_000_000)
def test_set(): assert set(solution.items()) == {1}
def test_control(): pytest.fail(solution.control())
def test_raised(): solution.raises()
def test_names(): solution.long_name()
def test_fine(): assert solution.items() == solution.items()
"""
SOLUTION = """
import time
class Slow:
    def __repr__(self): time.sleep(60)
    __str__ = __repr__
def text(): return "x" * 10_000_000
def lines(): return "\\n".join(map(str, range(200_000)))
def other_lines(): return "\\n".join(map(str, range(1, 200_001)))
def items(): return list(range(1_000_000))
def other_items(): return list(range(1, 1_000_001))
def table(): return {i: str(i) for i in range(100_000)}
def number(): return 1 << 100_000
def nested():
    made = []
    for _ in range(50): made = [made, made]
    return [[0] * 1000 for _ in range(500)]
def control(): return "a\\x1b[31mred\\u202etxt\\x00\\u200b"
def raises(): raise ValueError("y" * 10_000_000)
def long_name(): raise type("E" * 100_000, (Exception,), {})("x")
"""


def test_huge_values_and_slow_reprs_cost_little(grade):
    graded = grade(SUITE, SOLUTION, limits=Limits(cpu_s=20, wall_s=30, test_wall_s=5))
    outcomes = {name: shown.partition(":")[0] for name, shown in graded.shown.items()}
    assert outcomes.pop("test_fine") == "passed"
    assert set(outcomes.values()) == {"failed"}
    assert max(len(test.message) for test in graded.result.tests) <= 2000
    assert graded.shown["test_shown"] == "failed: got <Slow object>"


def test_messages_hold_nothing_that_deceives_a_reader(grade):
    message = grade(SUITE, SOLUTION).shown["test_control"]
    assert "red" in message
    assert not set(message) & set("\x1b\u202e\x00\u200b")
