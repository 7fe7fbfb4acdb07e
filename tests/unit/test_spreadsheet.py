"""CSV that no spreadsheet runs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.exports.spreadsheet import BOM, cell, lines


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x"])
def test_text_that_would_be_a_formula_gets_an_apostrophe(text):
    assert str(cell(text)).startswith("'")


@pytest.mark.parametrize(("value", "shown"), [(-1.5, -1.5), (0, 0), (None, ""), (True, "True"), ("a=b", "a=b")])
def test_other_values_stay_as_they_are(value, shown):
    assert cell(value) == shown


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2)))
def test_what_is_written_can_be_read_and_holds_no_formula(rows):
    text = "".join(lines(["a", "b"], rows))
    read = list(csv.reader(io.StringIO(text.removeprefix(BOM), newline="")))
    assert len(read) == len(rows) + 1
    for written, row in zip(rows, read[1:], strict=True):
        assert len(row) == len(written)
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row)
