"""The auditor's checks of the desk: each accepts what is right and finds what is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from auditor.desk import desk_payments, staff_pay_nothing

PAYER = "debt:counter:v-1"


def posted(number: int, kind: str, *entries: tuple[str, int]) -> dict[str, Any]:
    return {
        "number": number, "phase": "posted", "kind": kind, "visit_id": "v-1",
        "entries": [list(entry) for entry in entries],
    }  # fmt: skip


def books() -> dict[str, Any]:
    """A visit that owed 249 and paid 200 of it."""
    data = {"payment_id": "p", "method": "cash", "amount_minor": 200, "by": "carla"}
    return {
        "visits": [{"visit_id": "v-1", "payer": "counter:v-1"}],
        "receipts": [{"visit_id": "v-1"}],
        "events": [{"kind": "debt.paid_at_desk", "visit_id": "v-1", "data": data}],
        "transactions": [
            posted(1, "charge", (PAYER, 249), ("revenue:0.07", -249)),
            posted(2, "desk_paid", ("till:cash", 200), (PAYER, -200)),
        ],
    }


def test_what_is_right_is_accepted() -> None:
    assert list(desk_payments(books())) == []
    assert list(staff_pay_nothing(books())) == []
    empty: dict[str, Any] = {"visits": [], "receipts": [], "events": [], "transactions": []}
    assert list(desk_payments(empty)) == []


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([["till:cash", 300], [PAYER, -300]], "51 more than it owed"),
        ([["till:cash", 200], ["revenue:0.07", -200]], "credit of a debt"),
        ([["till:cash", 150], [PAYER, -150]], "told 1 times more"),
        ([["till:card", 200], [PAYER, -200]], "by card told -1 times"),
    ],
)
def test_wrong_payments_are_found(entries: list[list[Any]], words: str) -> None:
    wrong = copy.deepcopy(books())
    wrong["transactions"][1]["entries"] = entries
    assert any(words in finding for finding in desk_payments(wrong))


def test_a_payment_in_the_log_alone_is_found() -> None:
    wrong = books()
    del wrong["transactions"][1]
    assert list(desk_payments(wrong)) == ["visit v-1: 200 by cash told 1 times more than booked"]


@pytest.mark.parametrize("payer", ["staff:sam", "helper:v-1"])
def test_staff_who_pay_are_found(payer: str) -> None:
    wrong = books()
    wrong["visits"][0]["payer"] = payer
    assert list(staff_pay_nothing(wrong)) == [
        "transaction 1: charge on a visit of staff",
        "transaction 2: desk_paid on a visit of staff",
        "receipt of visit v-1: staff pay nothing",
    ]
