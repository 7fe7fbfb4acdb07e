"""CSV that a spreadsheet takes for data.

A cell that begins with = + - @, a tab or a carriage return is run as a formula by spreadsheets, whoever wrote it: a
candidate's file name, or the message of a test. Such text gets an apostrophe in front (OWASP, "CSV Injection"); numbers
stay numbers. Control characters are replaced.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

_FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")  # and the full-width forms of the four
BOM = "\ufeff"  # so that spreadsheets read UTF-8 as UTF-8


def cell(value: object) -> str | int | float:
    """One value, made safe."""
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    text = str(value)
    text = "'" + text if text.startswith(_FORMULA) else text
    return "".join(c if c == "\n" or unicodedata.category(c) != "Cc" else "\N{REPLACEMENT CHARACTER}" for c in text)


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The text of a CSV file (RFC 4180) in pieces."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    buffer.write(BOM)
    writer.writerow(header)
    for row in rows:
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([cell(value) for value in row])
    yield buffer.getvalue()
