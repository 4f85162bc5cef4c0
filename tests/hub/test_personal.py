"""What leaves the hub by key and webhook is what a table lists."""

from __future__ import annotations

from hub.events import KINDS
from hub.personal import INNER, PUBLIC, public_data

WITHHELD = {
    "visit.opened": "payer",
    "visit.let_in": "by reason",
    "visit.track_assigned": "by",
    "visit.ended_by_staff": "by reason",
    "visit.corrected": "reason",
    "staff.came_in": "holder",
    "badge.added": "holder by",
    "badge.revoked": "holder by",
    "decision.reviewed": "by",
    "review.noted": "by",
    "dispute.upheld": "by reason",
    "dispute.rejected": "by reason",
    "aftercare.set": "by",
    "hold.split": "parts",
    "hold.extended": "source",
    "balance.captured": "source",
    "gateway.hold_gone": "hold_key",
    "gateway.disputed": "hold_key",
    "gateway.dispute_withdrawn": "hold_key",
    "gateway.dispute_reinstated": "hold_key",
    "chargeback.decided": "by reason",
    "refund.tried_again": "refund_key by",
    "refund.settled": "refund_key by reason",
    "gateway.dispute_won": "hold_key",
    "gateway.dispute_lost": "hold_key",
    "gateway.refund_failed": "hold_key",
    "gateway.refused": "key",
    "debt.paid": "source",
    "debt.paid_at_desk": "by",
    "debt.waived": "reason",
    "tab.asked": "payer key",
    "tab.captured": "payer key",
    "tab.refused": "payer key",
    "topup.asked": "payer key",
    "topup.captured": "payer key",
    "topup.refused": "payer key",
    "wallet.opened": "payer",
    "wallet.ordered": "payer order",
    "gift.issued": "card_id",
    "gift.claimed": "card_id payer",
    "gift.redeemed": "card_id payer",
    "gift.used": "card_id",
    "gift.blocked": "card_id",
    "gift.unblocked": "card_id",
    "order.placed": "payer",
    "order.released": "by",
    "order.cancelled": "by reason",
    "parcel.handed_over": "by",
    "parcel.returned": "by",
    "parcel.missing": "by",
    "pickup.unpaid": "reason",
    "wall.alarm_cleared": "by",
    "wall.calibration_asked": "by",
    "route.moved": "name by",
}
"""Looked at, and kept inside: persons, their cards and balances, keys with names in them, words."""


def test_each_field_is_listed_to_leave_or_to_stay() -> None:
    """A new field of an event stays inside until somebody has looked at it and put it here or in
    hub.personal."""
    for kind, known in KINDS.items():
        stays = set(WITHHELD.get(kind, "").split())
        leaves = PUBLIC.get(kind, frozenset())
        assert stays | leaves == set(known.fields), kind
        assert not stays & leaves, kind
    assert PUBLIC.keys() <= KINDS.keys()
    assert WITHHELD.keys() <= KINDS.keys()


def test_what_nobody_listed_stays_inside() -> None:
    data = {"gtin": "4006381333931", "price_minor": 5, "seen_by": "anna"}
    assert public_data("price.changed", data) == {"gtin": "4006381333931", "price_minor": 5}
    assert public_data("shopper.smiled", {"name": "anna"}) == {}
    inner = {"gtin": None, "hours": [{"begin": "08:00", "opened_by": "anna"}]}
    assert public_data("product.hours_set", inner) == {"gtin": None, "hours": [{"begin": "08:00"}]}


def test_persons_are_in_no_table() -> None:
    persons = {"payer", "by", "holder", "key", "hold_key", "card_id", "source", "order", "owner",
               "email", "token", "code", "words", "wallet"}  # fmt: skip
    assert not persons & {name for fields in PUBLIC.values() for name in fields}
    assert not persons & INNER
