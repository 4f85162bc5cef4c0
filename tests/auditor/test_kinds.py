"""Where events can be asked for by their kind, all of them must come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from auditor.chain import FIRST_HASH, digest_of
from auditor.ledger import CHECKS
from auditor.sums import events_of

FIELDS = ("number", "at_us", "kind", "visit_id", "data")


class Kept(list[dict[str, Any]]):
    """Events by their kind; `lost` of them no question by kind finds."""

    lost = 0

    def only(self, kinds: Sequence[str]) -> Kept:
        found = Kept(row for row in self if row["kind"].startswith(tuple(kinds)))
        return Kept(found[self.lost :])


def log(*kinds: str) -> Kept:
    rows = Kept()
    previous = FIRST_HASH
    for number, kind in enumerate(kinds, 1):
        row: dict[str, Any] = {
            "number": number, "at_us": number, "kind": kind, "visit_id": "v", "data": {},
        }  # fmt: skip
        digest = digest_of(previous, {name: row[name] for name in FIELDS})
        rows.append({**row, "previous_hash": previous, "hash": digest})
        previous = digest
    return rows


@pytest.mark.parametrize("rows", [log("a.b", "a.c", "a.bc"), list(log("a.b", "a.c", "a.bc"))])
def test_events_by_kind_or_by_its_beginning(rows: list[dict[str, Any]]) -> None:
    def numbers(*kinds: str) -> list[int]:
        return [event["number"] for event in events_of({"events": rows}, *kinds)]

    assert numbers("a.b") == [1]
    assert numbers("a.") == [1, 2, 3]
    assert numbers("a.bc", "a.c") == [2, 3]
    assert numbers("b.") == []


def test_events_that_no_question_by_kind_finds_are_missed() -> None:
    events = log("a.b", "a.b", "a.c")
    export = {"events": events, "transactions": []}
    assert list(CHECKS["hash chains hold"](export)) == []
    events.lost = 1
    found = list(CHECKS["hash chains hold"](export))
    assert found == [
        "events: 2 are of kind a.b, 1 are found by it",
        "events: 1 are of kind a.c, 0 are found by it",
    ]
