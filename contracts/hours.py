"""Times of day at which something holds, such as hours of sale or a happy hour, in a store's zone.

    Hours(begin="22:00", end="06:00", days=("fri", "sat")).holds(1_767_000_000.0, "Europe/Paris")

A window may pass midnight; it then belongs to the day on which it begins.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from contracts.base import Contract

__all__ = ["Hours", "TimeZone", "Weekday", "zone_of"]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ClockTime = Annotated[
    str,
    Field(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$",
        description="hours and minutes, such as 06:30; 24:00 is the end of the day",
    ),
]


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """A time zone by its name; ValueError if there is none of that name here."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"expected a time zone such as Europe/Paris that this machine knows, got {name!r}"
        ) from error


def _known(name: str) -> str:
    zone_of(name)
    return name


TimeZone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_known)]


class Hours(Contract):
    """From a time of day until another, on some days of the week or on all of them."""

    begin: ClockTime
    end: ClockTime
    days: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()

    @model_validator(mode="after")
    def _not_empty(self) -> Hours:
        if self.begin in (self.end, "24:00"):
            raise ValueError(
                f"expected begin before 24:00 and other than end, got {self.begin}, {self.end}"
            )
        return self

    def holds(self, t_s: float, zone: str) -> bool:
        """Whether a moment (seconds since 1970, UTC) lies in the window."""
        local = datetime.fromtimestamp(t_s, UTC).astimezone(zone_of(zone))
        minute = local.hour * 60 + local.minute
        begin, end = _minute(self.begin), _minute(self.end)
        today = WEEK[local.weekday()]
        if begin < end:
            return self._on(today) and begin <= minute < end
        yesterday = WEEK[local.weekday() - 1]
        return (self._on(today) and minute >= begin) or (self._on(yesterday) and minute < end)

    def _on(self, day: Weekday) -> bool:
        return not self.days or day in self.days


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
