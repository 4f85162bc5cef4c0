"""Who owes what: the truth and the receipts put together, payer by payer.

- What somebody kept is owed by their payer: a group pays through one, so all that its members took
  stands on the payer's account, whoever of them carried it out.
- A receipt belongs to the account of the shopper whose phone opened its visit, if that shopper is a
  payer, whoever else the same wallet pays for; a member's belongs to that payer on whose visit's
  wallet the hub made it out. A member who gets a receipt on a wallet of their own is overcharged by
  it, and the payer is undercharged.
- Staff and whoever came in without a code owe nothing. What they took is `free`: charged to
  anybody it is an overcharge.
- A receipt for which there is no shopper at all is an account of its own that owes nothing.

What counts as a visit (`counted`, the denominator of shares): every payer who got in, alone or
with a group; every receipt; and everybody who showed a code and was turned away, who is exact when
nothing is charged. A member of a group, staff, and a tag-along without any code are no visits
unless there is a receipt for them: a store in which many of them walk about is not better for it.

An account is judged when its payer has left; until then it is left out, receipts and all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.parcels import pickup_visits
from auditor.read import TrueVisit

__all__ = ["NOBODY", "Account", "accounts_of"]

NOBODY = -1
"""The shopper of a receipt that nobody earned."""


@dataclass(frozen=True, slots=True)
class Account:
    """What one payer owes (GTIN to quantity) and the visits whose receipts charge for it.

    `left_s`: when the last of those who pay through it left, None if nobody knows.
    """

    shopper: int
    owed: Mapping[str, int]
    free: Mapping[str, int]
    members: tuple[int, ...]
    visit_id: str | None
    receipts: tuple[str, ...]
    left_s: float | None
    counted: bool


def accounts_of(truth: Sequence[TrueVisit], export: Mapping[str, Any]) -> list[Account]:
    """The accounts of a day, by shopper, then those that nobody earned."""
    visits = {one.shopper: one for one in truth}
    payers: dict[int, list[TrueVisit]] = {}
    for one in truth:
        if one.left_s is not None and one.payer is not None:
            payers.setdefault(one.payer, []).append(one)
    receipts = _by_shopper(truth, payers, export)
    accounts = []
    for shopper, one in sorted(visits.items()):
        if one.left_s is not None:
            account = _account(one, payers.get(shopper, ()), receipts.get(shopper, ()))
            if account is not None:
                accounts.append(account)
    accounts.extend(
        Account(NOBODY, {}, {}, (), visit_id, (visit_id,), None, True)
        for visit_id in receipts.get(NOBODY, ())
    )
    return accounts


def _by_shopper(
    truth: Iterable[TrueVisit], payers: Mapping[int, Sequence[TrueVisit]], export: Mapping[str, Any]
) -> dict[int, list[str]]:
    """Visits with a receipt, in the order of the export, by the shopper who has to answer."""
    wallets = {row["visit_id"]: row["payer"] for row in export["visits"]}
    phones = {one.visit_id: one.shopper for one in truth if one.visit_id is not None}
    wallet_of = {
        wallets[visit_id]: shopper
        for visit_id, shopper in phones.items()
        if shopper in payers and visit_id in wallets
    }
    found: dict[int, list[str]] = {}
    pickups = pickup_visits(export)
    for row in export["receipts"]:
        visit_id = row["visit_id"]
        if visit_id in pickups:
            # What was ordered and fetched is no shopping that a camera could get wrong.
            continue
        shopper = phones.get(visit_id, NOBODY)
        if shopper not in payers:
            shopper = wallet_of.get(wallets.get(visit_id, ""), shopper)
        found.setdefault(shopper, []).append(visit_id)
    return found


def _account(one: TrueVisit, group: Sequence[TrueVisit], receipts: Sequence[str]) -> Account | None:
    """The account of one shopper, None for a member who has no receipt and is part of another."""
    owed: Counter[str] = Counter()
    for member in group:
        owed.update(member.kept)
    refused = one.payer is None and not one.staff and one.code is not None
    came_in = any(member.entered_s is not None for member in group)
    counted = bool(receipts) or came_in or refused
    if not counted and one.payer is not None:
        return None
    return Account(
        shopper=one.shopper,
        owed=+owed,
        free=one.kept if one.payer is None else {},
        members=tuple(sorted(member.shopper for member in group if member is not one)),
        visit_id=one.visit_id,
        receipts=tuple(receipts),
        left_s=max((member.left_s or 0.0 for member in group), default=one.left_s),
        counted=counted,
    )
