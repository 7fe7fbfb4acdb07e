"""Text from suites and candidates, for people to read."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    """The text with control, bidi and other invisible characters replaced: none may deceive a reader or a terminal."""
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for c in text)
