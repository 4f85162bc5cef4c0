"""Hash chains as the export documents them: each row names the one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["FIRST_HASH", "chained", "digest_of"]

FIRST_HASH = "0" * 64
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def digest_of(previous: str, content: Mapping[str, Any]) -> str:
    """The hash of a row that follows another one."""
    return hashlib.sha256(f"{previous}\n{_encode(content)}".encode()).hexdigest()


def chained(part: str, rows: Iterable[Mapping[str, Any]], fields: Sequence[str]) -> Iterator[str]:
    """Rows are numbered without a gap and each names the one before it. `fields` are hashed;
    where a row's data was erased later, `written` is what stood there."""
    previous = FIRST_HASH
    for expected, row in enumerate(rows, 1):
        content = {name: row[name] for name in fields}
        if "written" in row:
            content["data"] = row["written"]
        if row["number"] != expected:
            yield f"{part}: expected number {expected}, found {row['number']}"
        if row["previous_hash"] != previous or row["hash"] != digest_of(previous, content):
            yield f"{part} {row['number']}: the row does not fit its hash; it was edited"
        previous = row["hash"]
