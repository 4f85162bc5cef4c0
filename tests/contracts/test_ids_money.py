"""Identifiers, money and units: what passes and how a refusal reads."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.ids import Gtin, Sscc, gtin_check_digit, is_gtin
from contracts.money import Money, vat_included_minor

GTIN = TypeAdapter(Gtin)


@pytest.mark.parametrize("text", ["4006381333931", "73513537", "036000291452", "10614141000415"])
def test_real_gtins_pass(text: str) -> None:
    assert GTIN.validate_python(text) == text


def test_wrong_check_digit_names_the_right_one() -> None:
    with pytest.raises(ValidationError, match="check digit would be 1"):
        GTIN.validate_python("4006381333932")


@given(st.text(alphabet="0123456789", min_size=12, max_size=12), st.integers(1, 9))
def test_every_single_digit_error_is_found(digits: str, error: int) -> None:
    right = gtin_check_digit(digits)
    assert is_gtin(f"{digits}{right}")
    assert not is_gtin(f"{digits}{(right + error) % 10}")


def test_sscc_has_eighteen_digits() -> None:
    adapter = TypeAdapter(Sscc)
    body = "00614141123456789"
    assert adapter.validate_python(f"{body}{gtin_check_digit(body)}")
    with pytest.raises(ValidationError, match="18 digits"):
        adapter.validate_python("123")


def test_money_refuses_floats_and_mixed_currencies() -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount_minor": 1.5, "currency": "EUR"})
    with pytest.raises(ValueError, match="one currency"):
        Money(amount_minor=1, currency="EUR") + Money(amount_minor=1, currency="CHF")


@given(st.integers(-(10**9), 10**9), st.decimals(0, 1, places=4))
def test_vat_is_within_half_a_minor_unit(amount_minor: int, rate: Decimal) -> None:
    tax = vat_included_minor(Money(amount_minor=amount_minor, currency="EUR"), rate).amount_minor
    exact = Decimal(amount_minor) * rate / (1 + rate)
    assert abs(Decimal(tax) - exact) <= Decimal("0.5")
