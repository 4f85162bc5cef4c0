r"""What labels of parcels say: GS1 element strings and Digital Links, down to one key a parcel.

A label's text names a parcel by its SSCC, in any of the trade's ways (GS1 General Specifications
7.8, GS1 Digital Link 1.3), or else by itself: a carrier's own number.

>>> sscc_of("00340123450000000017")
'340123450000000017'
>>> sscc_of("https://id.gs1.org/00/340123450000000017")
'340123450000000017'
>>> label_key("JD014600006281230701")
'text:JD014600006281230701'
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit

from contracts.ids import is_gtin, is_sscc

__all__ = [
    "GS",
    "LABEL_CHARS_MAX",
    "digital_link",
    "element_string",
    "gs1_fields",
    "label_key",
    "sscc_of",
]

GS = "\x1d"
"""The separator FNC1 as readers report it."""
LABEL_CHARS_MAX = 256
_DIGITS = {"00": 18, "01": 14, "02": 14, "11": 6, "13": 6, "15": 6, "17": 6, "20": 2}
"""Application identifiers of fixed length and how many digits follow."""
_TO_SEPARATOR = {"10": 20, "21": 20, "37": 8, "400": 30, "401": 30, "402": 17, "420": 20, "421": 12}
"""Application identifiers that end at a separator, and how long they may be."""


def gs1_fields(text: str) -> dict[str, str] | None:
    """The element strings of a label, by application identifier; None if it has none, or has any
    that is not known or does not keep its length or check digit: half a label is no label."""
    if text.startswith(("http://", "https://")):
        return _of_link(text)
    if text.startswith("("):
        return _of_brackets(text)
    return _of_elements(text.removeprefix("]C1").removeprefix("]d2").removeprefix("]Q3"))


def _of_elements(text: str) -> dict[str, str] | None:
    found: dict[str, str] = {}
    rest = text.removeprefix(GS)
    while rest:
        for digits in (2, 3):
            name = rest[:digits]
            if name in _DIGITS:
                value, rest = rest[2 : 2 + _DIGITS[name]], rest[2 + _DIGITS[name] :]
                rest = rest.removeprefix(GS)
                break
            if name in _TO_SEPARATOR:
                value, _, rest = rest[digits:].partition(GS)
                break
        else:
            return None
        if name in found or not _holds(name, value):
            return None
        found[name] = value
    return found or None


def _of_brackets(text: str) -> dict[str, str] | None:
    """The form people read: (00)340123450000000017."""
    found: dict[str, str] = {}
    for part in text.split("(")[1:]:
        name, closed, value = part.partition(")")
        if not closed or name in found or not _holds(name, value):
            return None
        found[name] = value
    return found or None


def _of_link(text: str) -> dict[str, str] | None:
    """A GS1 Digital Link: /AI/value pairs at the path's end, or AI=value in the query."""
    if len(text) > LABEL_CHARS_MAX:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    path = [unquote(part) for part in parts.path.split("/") if part]
    found: dict[str, str] = {}
    while len(path) >= 2 and (path[-2] in _DIGITS or path[-2] in _TO_SEPARATOR):
        value, name = path.pop(), path.pop()
        if name in found or not _holds(name, value):
            return None
        found[name] = value
    for name, value in parse_qsl(parts.query):
        if name in _DIGITS or name in _TO_SEPARATOR:
            if name in found or not _holds(name, value):
                return None
            found[name] = value
    return found or None


def _holds(name: str, value: str) -> bool:
    if name in _DIGITS:
        if not (value.isascii() and value.isdigit() and len(value) == _DIGITS[name]):
            return False
        if name == "00":
            return is_sscc(value)
        return is_gtin(value) if name in ("01", "02") else True
    if name in _TO_SEPARATOR:
        return value.isascii() and value.isprintable() and 1 <= len(value) <= _TO_SEPARATOR[name]
    return False


def sscc_of(text: str) -> str | None:
    """The SSCC that a label names, None if it names none (or a wrong one)."""
    text = text.strip()
    if is_sscc(text):
        return text
    fields = gs1_fields(text)
    return None if fields is None else fields.get("00")


@lru_cache(maxsize=4096)
def label_key(text: str) -> str:
    """What a label names, the same for every way to write it: `sscc:` and 18 digits, or `text:`
    and the label itself. ValueError if there is nothing, or more than LABEL_CHARS_MAX."""
    text = text.strip()
    if not 0 < len(text) <= LABEL_CHARS_MAX:
        raise ValueError(
            f"expected a label of 1 to {LABEL_CHARS_MAX} characters, got {len(text)} of them"
        )
    sscc = sscc_of(text)
    return f"text:{text}" if sscc is None else f"sscc:{sscc}"


def element_string(sscc: str) -> str:
    """What a GS1-128 or GS1 DataMatrix label of a parcel holds, FNC1 left out."""
    return f"00{sscc}"


def digital_link(sscc: str, *, host: str = "https://id.gs1.org") -> str:
    """What a QR label of a parcel holds."""
    return f"{host.rstrip('/')}/00/{sscc}"
