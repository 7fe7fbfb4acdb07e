"""Languages that a client would like best: Accept-Language (RFC 9110, 12.5.4)."""

from __future__ import annotations

_MOST = 20


def wanted(header: str) -> list[str]:
    """The languages of the header, the dearest first. What cannot be read, or has the quality 0, is left out."""
    weighed = []
    for place, item in enumerate(header.split(",")[:_MOST]):
        language, _, parameter = item.partition(";")
        quality = _quality(parameter)
        if quality > 0 and language.strip() not in ("", "*"):
            weighed.append((-quality, place, language.strip()))
    return [language for _, _, language in sorted(weighed)]


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0
