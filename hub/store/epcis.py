"""Reads the event log and gives what left the store as EPCIS events, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, select

from contracts.store_file import StoreFile
from hub.inventory.epcis import EPCIS_KINDS, epcis_event
from hub.store import tables as t
from hub.store.service import Store

__all__ = ["EPCIS_PAGE_MAX", "epcis_page", "epcis_pages"]

EPCIS_PAGE_MAX = 1_000
_SCANNED = 500
"""Rows of the log that are read at once, and the visits of theirs that are asked for together."""
_US = 1_000_000


def epcis_page(
    store: Store,
    layout: StoreFile,
    *,
    after: int = 0,
    most: int = 100,
    from_s: float | None = None,
    to_s: float | None = None,
) -> tuple[list[dict[str, Any]], int | None]:
    """At most so many events after a position of the log, and where the next page begins: None
    at the end. `from_s` and `to_s` (hub seconds, the latter not included) bound when it was
    recorded; the log only grows, so a position stays good for the next export."""
    found: list[dict[str, Any]] = []
    while True:
        rows = store.select(_query(after, from_s, to_s))
        exits = _exits(store, rows)
        for row in rows:
            after = row["number"]
            exited = exits.get(row["visit_id"], {}) if row["kind"] == "visit.settled" else {}
            event = epcis_event(
                {**row, "data": json.loads(row["data"])},
                layout,
                exited_us=exited.get("t_us"),
                gate_id=exited.get("gate_id"),
            )
            if event is not None:
                found.append(event)
            if len(found) == most:
                return found, after
        if len(rows) < _SCANNED:
            return found, None


def epcis_pages(
    store: Store, layout: StoreFile, *, from_s: float | None = None, to_s: float | None = None
) -> Iterator[dict[str, Any]]:
    """All events, one by one."""
    after: int | None = 0
    while after is not None:
        page, after = epcis_page(
            store, layout, after=after, most=EPCIS_PAGE_MAX, from_s=from_s, to_s=to_s
        )
        yield from page


def _query(after: int, from_s: float | None, to_s: float | None) -> Select[Any]:
    query = select(t.events).where(t.events.c.number > after, t.events.c.kind.in_(EPCIS_KINDS))
    if from_s is not None:
        query = query.where(t.events.c.at_us >= round(from_s * _US))
    if to_s is not None:
        query = query.where(t.events.c.at_us < round(to_s * _US))
    return query.order_by(t.events.c.number).limit(_SCANNED)


def _exits(store: Store, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """When and where the visits of settlements left."""
    names = sorted({row["visit_id"] for row in rows if row["kind"] == "visit.settled"})
    query = select(t.events.c.visit_id, t.events.c.data).where(
        t.events.c.kind == "visit.exited", t.events.c.visit_id.in_(names)
    )
    return {row["visit_id"]: json.loads(row["data"]) for row in store.select(query)}
