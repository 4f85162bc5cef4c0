"""Money: integer minor units with an ISO 4217 code; Decimal only where a rate is applied.

>>> vat_included_minor(Money(amount_minor=1190, currency="EUR"), Decimal("0.19")).amount_minor
190
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "AMOUNT_MINOR_MAX",
    "Currency",
    "Money",
    "VatRate",
    "minor_places",
    "vat_included_minor",
]

AMOUNT_MINOR_MAX = 10**12
"""No amount of the store reaches this; a larger one is a bug or an attack."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
VatRate = Annotated[Decimal, Field(ge=0, le=1, decimal_places=4)]
_NO_PLACES = frozenset((
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
))  # fmt: skip
_THREE_PLACES = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])


def minor_places(currency: str) -> int:
    """How many digits a currency's minor unit stands behind the point (ISO 4217).

    >>> minor_places("EUR"), minor_places("JPY"), minor_places("KWD")
    (2, 0, 3)
    """
    return 0 if currency in _NO_PLACES else 3 if currency in _THREE_PLACES else 2


class Money(BaseModel):
    """An exact amount. Adding two currencies is an error, never a conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    amount_minor: int = Field(ge=-AMOUNT_MINOR_MAX, le=AMOUNT_MINOR_MAX)
    currency: Currency

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(amount_minor=self.amount_minor + other.amount_minor, currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(amount_minor=self.amount_minor - other.amount_minor, currency=self.currency)

    def times(self, quantity: int) -> Money:
        """The amount of so many pieces."""
        return Money(amount_minor=self.amount_minor * quantity, currency=self.currency)

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValueError(
                f"expected two amounts in one currency, got {self.currency} and {other.currency}"
            )


def vat_included_minor(gross: Money, rate: Decimal) -> Money:
    """The tax inside a gross amount, rounded half up per line (EN 16931, BR-CO-17)."""
    tax = Decimal(gross.amount_minor) * rate / (Decimal(1) + rate)
    rounded = int(tax.to_integral_value(rounding=ROUND_HALF_UP))
    return Money(amount_minor=rounded, currency=gross.currency)
