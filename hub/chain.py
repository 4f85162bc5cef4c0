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

__all__ = ["GENESIS", "canonical", "link"]

GENESIS = "0" * 64


def canonical(row: Mapping[str, object]) -> str:
    """The one JSON text of a row."""
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def link(previous: str, row: Mapping[str, object]) -> str:
    """The hash of a row that follows `previous`."""
    return hashlib.sha256(f"{previous}\n{canonical(row)}".encode()).hexdigest()
