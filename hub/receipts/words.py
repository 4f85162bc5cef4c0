"""Money, rates and times as a receipt says them."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.hours import zone_of
from contracts.money import minor_places

__all__ = ["amount", "at", "lines_of", "rate"]


def amount(minor: int, currency: str) -> str:
    """Minor units without the currency's name.

    >>> amount(1456, "EUR"), amount(-5, "EUR"), amount(300, "JPY")
    ('14.56', '-0.05', '300')
    """
    places = minor_places(currency)
    whole, rest = divmod(abs(minor), 10**places)
    text = f"{whole:,}" + (f".{rest:0{places}d}" if places else "")
    return f"-{text}" if minor < 0 else text


def rate(text: str) -> str:
    """A VAT rate in per cent.

    >>> rate("0.1900"), rate("0.0550")
    ('19 %', '5.5 %')
    """
    return f"{100 * float(text):.2f}".rstrip("0").rstrip(".") + " %"


def at(at_us: int, zone: str) -> str:
    """A moment in the store's time zone, to the minute."""
    moment = datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(zone_of(zone))
    return moment.strftime("%Y-%m-%d %H:%M %Z")


def lines_of(text: str) -> list[str]:
    """The lines of a setting that may have several."""
    return [line.strip() for line in text.replace("\\n", "\n").splitlines() if line.strip()]
