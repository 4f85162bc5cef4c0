"""The event log for who follows it: from memory, and from the database where that begins later."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from hub.driver import Driver
from hub.events import newest
from hub.live import FEED_MAX
from hub.store import tables as t

__all__ = ["events_after"]


def events_after(driver: Driver, number: int) -> list[dict[str, Any]]:
    """The next events after a number, FEED_MAX at most; below 0: the latest that are in memory,
    which are none after a start."""
    held = driver.feed(number)
    if number < 0:
        return held[-FEED_MAX:]
    begins = held[0]["number"] if held else driver.read(lambda hub: hub.core.state.log.number) + 1
    if begins <= number + 1:
        return held
    event = t.events.c
    asked = select(event.number, event.at_us, event.kind, event.visit_id, event.data)
    rows = driver.stored(
        lambda store: store.select(
            asked.where(event.number > number).order_by(event.number).limit(FEED_MAX)
        )
    )
    return [{**row, "data": newest(row["kind"], json.loads(row["data"]))} for row in rows]
