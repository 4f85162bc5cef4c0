"""Hash chains: every row names the row before it, so an edited row shows.

The hash of a row is SHA-256, in hexadecimal, of

    previous hash + "\\n" + canonical JSON of the row

in UTF-8; the first row's previous hash is 64 zeros. Canonical JSON: keys sorted, no spaces,
non-ASCII characters as they are, integers only (times are microseconds, amounts minor units,
other numbers are strings).

>>> link(GENESIS, {"number": 1})[:8]
'fdf3caea'
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["GENESIS", "canonical", "event_text", "link", "link_text"]

GENESIS = "0" * 64
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(row: Mapping[str, object]) -> str:
    """The one JSON text of a row."""
    return _encode(row)


def event_text(row: Mapping[str, Any]) -> str:
    """`canonical` of an event as it is stored, its data canonical text already.

    Numbers and words are written so that no other row has the same text, whatever their types.
    """
    return (
        f'{{"at_us":{row["at_us"]!r},"data":{row["data"]},"kind":{_encode(row["kind"])},'
        f'"number":{row["number"]!r},"visit_id":{_encode(row["visit_id"])}}}'
    )


def link(previous: str, row: Mapping[str, object]) -> str:
    """The hash of a row that follows `previous`."""
    return link_text(previous, canonical(row))


def link_text(previous: str, text: str) -> str:
    """The hash of a row, by its canonical text, that follows `previous`."""
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
