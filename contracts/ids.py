"""Identifiers: short slugs for things of the store, GTIN and SSCC for things of the trade.

>>> gtin_check_digit("400638133393")
1
>>> is_gtin("4006381333931")
True
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

__all__ = [
    "BayId",
    "BoardId",
    "BootId",
    "CameraId",
    "DeviceId",
    "GateId",
    "Gln",
    "Gtin",
    "HookId",
    "LightId",
    "MarkId",
    "PlateId",
    "ProjectorId",
    "ReachId",
    "ScannerId",
    "SlotId",
    "Sscc",
    "StoreId",
    "ThingId",
    "TrackId",
    "VisitId",
    "WallId",
    "gtin_check_digit",
    "is_gtin",
    "is_sscc",
]

_SLUG = StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
_LONG = StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")


def gtin_check_digit(digits: str) -> int:
    """Check digit of a GS1 key for the digits before it (GS1 General Specifications 7.9)."""
    total = sum(
        int(digit) * (3 if index % 2 == 0 else 1) for index, digit in enumerate(reversed(digits))
    )
    return -total % 10


@lru_cache(maxsize=4096)
def is_gtin(text: str) -> bool:
    """Whether the text is a GTIN-8, -12, -13 or -14 with a right check digit."""
    return (
        text.isascii()
        and text.isdigit()
        and len(text) in (8, 12, 13, 14)
        and gtin_check_digit(text[:-1]) == int(text[-1])
    )


def _gtin(text: str) -> str:
    if not is_gtin(text):
        expected = ""
        if text.isascii() and text.isdigit() and len(text) in (8, 12, 13, 14):
            expected = f"; its check digit would be {gtin_check_digit(text[:-1])}"
        raise ValueError(f"expected a GTIN of 8, 12, 13 or 14 digits, got {text!r}{expected}")
    return text


def is_sscc(text: str) -> bool:
    """Whether the text is an SSCC of 18 digits with a right check digit."""
    return (
        text.isascii()
        and text.isdigit()
        and len(text) == 18
        and gtin_check_digit(text[:-1]) == int(text[-1])
    )


def _sscc(text: str) -> str:
    if not is_sscc(text):
        raise ValueError(f"expected an SSCC of 18 digits with a right check digit, got {text!r}")
    return text


def _gln(text: str) -> str:
    digits = text.isascii() and text.isdigit() and len(text) == 13
    if not (digits and gtin_check_digit(text[:-1]) == int(text[-1])):
        raise ValueError(f"expected a GLN of 13 digits with a right check digit, got {text!r}")
    return text


StoreId = Annotated[str, _SLUG]
DeviceId = Annotated[str, _SLUG]
BootId = Annotated[str, _SLUG]
CameraId = Annotated[str, _SLUG]
BayId = Annotated[str, _SLUG]
BoardId = Annotated[str, _SLUG]
SlotId = Annotated[str, _SLUG]
PlateId = Annotated[str, _SLUG]
GateId = Annotated[str, _SLUG]
WallId = Annotated[str, _SLUG]
HookId = Annotated[str, _SLUG]
ProjectorId = Annotated[str, _SLUG]
LightId = Annotated[str, _SLUG]
ScannerId = Annotated[str, _SLUG]
ReachId = Annotated[str, _LONG]
TrackId = Annotated[str, _LONG]
ThingId = Annotated[str, _LONG]
MarkId = Annotated[str, _LONG]
VisitId = Annotated[str, _LONG]
Gtin = Annotated[str, AfterValidator(_gtin)]
Gln = Annotated[str, AfterValidator(_gln)]
Sscc = Annotated[str, AfterValidator(_sscc)]
