"""A day, month or year of a store, in the store's own time zone.

>>> from datetime import UTC
>>> period_of("2026-03", UTC).days[-1].isoformat()
'2026-03-31'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from contracts import hours
from contracts.store_file import StoreFile
from hub.errors import RejectedError

__all__ = ["Period", "day_of", "period_of", "zone_of"]


@dataclass(frozen=True, slots=True)
class Period:
    """From its first moment up to, but not with, the first moment after it."""

    name: str
    begins_us: int
    ends_us: int
    days: tuple[date, ...]


def zone_of(layout: StoreFile) -> tzinfo:
    """The store's time zone; a store file with one that nobody knows is not read."""
    return hours.zone_of(layout.time_zone)


def day_of(at_us: int, zone: tzinfo) -> date:
    """The store day of a moment."""
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(zone).date()
    )


def period_of(text: str, zone: tzinfo) -> Period:
    """A day (2026-03-31), a month (2026-03) or a year (2026); RejectedError for anything else."""
    found = re.fullmatch(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", text)
    try:
        if found is None or found[1] == "9999":
            raise ValueError("not a date")
        year, month, day = int(found[1]), int(found[2] or 1), int(found[3] or 1)
        first = date(year, month, day)
    except ValueError as error:
        raise RejectedError(
            f"expected a day such as 2026-03-31, a month or a year, got {text!r:.40}"
        ) from error
    if found[3]:
        after = first + timedelta(days=1)
    elif found[2]:
        after = date(year + month // 12, month % 12 + 1, 1)
    else:
        after = date(year + 1, 1, 1)
    days = tuple(first + timedelta(days=n) for n in range((after - first).days))
    return Period(text, _begin_us(first, zone), _begin_us(after, zone), days)


def _begin_us(day: date, zone: tzinfo) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
