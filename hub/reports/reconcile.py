"""What the hub believes of every hold beside what the gateway says, and how to mend a difference.

    believed = beliefs(attempts, gone)
    report = reconcile(believed, gateway.holds(), gateway.totals(), clearing_minor=…)

What the hub believes follows from the questions it asked and the answers it got. A question that
has no answer yet is on its way and is compared another time. The gateway is right about money it
holds or moved; so every fix brings either the gateway or the books to what the other one has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hub.reports.vat import amount_text
from hub.wallet.gateway import GatewayHold, GatewayTotals

__all__ = [
    "Belief",
    "Difference",
    "Reconciliation",
    "beliefs",
    "reconcile",
    "reconciliation_document",
    "settled_meanwhile",
]

GIVEN_UP = "timeout"


@dataclass(frozen=True, slots=True)
class Belief:
    """A hold as the books have it. `state`: asked, held, captured, voided, expired or refused;
    `disputed_minor` is what the payer's bank has of it;
    `waiting` are keys of questions without an answer, `given_up` those that never got one."""

    hold_key: str
    visit_id: str
    payer: str
    currency: str
    amount_minor: int
    state: str = "asked"
    captured_minor: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0
    waiting: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the hub and the gateway see differently, and what to do about it."""

    visit_id: str
    hold_key: str
    what: str
    believed: str
    gateway: str
    fix: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`compared` counts holds; `listed` is False where the gateway cannot list them."""

    currency: str
    clearing_minor: int
    captured_minor: int
    refunded_minor: int
    held_minor: int
    holds_open: int
    listed: bool
    compared: int
    differences: tuple[Difference, ...]
    on_its_way: tuple[Belief, ...]
    disputed_minor: int = 0
    dispute_fees_minor: int = 0


def beliefs(
    attempts: Iterable[Mapping[str, Any]],
    gone: Iterable[str],
    disputed: Mapping[str, int] | None = None,
) -> dict[str, Belief]:
    """What the rows of gateway_attempts come to, by hold key. `gone`: holds that the gateway said
    it let go of by itself; `disputed`: what banks have of holds. Kinds of questions that are
    unknown here leave the hold as it is."""
    made: dict[str, Belief] = {}
    rows = sorted(attempts, key=lambda row: (row["kind"] != "hold", row["key"]))
    for row in rows:
        key = row["hold_key"]
        if row["kind"] == "hold":
            made[key] = Belief(
                key, row["visit_id"], row["payer"], row["currency"], row["amount_minor"]
            )
        if key in made:
            made[key] = _after(made[key], row)
    for key in gone:
        if key in made and made[key].state == "held":
            made[key] = replace(made[key], state="expired")
    for key, amount in (disputed or {}).items():
        if key in made:
            made[key] = replace(made[key], disputed_minor=amount)
    return made


def _after(belief: Belief, row: Mapping[str, Any]) -> Belief:
    kind, outcome, amount = row["kind"], row["outcome"], row["amount_minor"]
    if outcome is None:
        return replace(belief, waiting=(*belief.waiting, row["key"]))
    if outcome == GIVEN_UP:
        belief = replace(belief, given_up=(*belief.given_up, row["key"]))
    approved = outcome == "approved"
    if kind == "hold":
        return replace(belief, state="held" if approved else "refused")
    if kind == "capture":
        if approved:
            return replace(belief, state="captured", captured_minor=amount)
        return replace(belief, state="expired")
    if kind == "void" and belief.state in ("held", "refused"):
        return replace(belief, state="voided" if approved else "expired")
    if kind == "refund" and approved:
        return replace(belief, refunded_minor=belief.refunded_minor + amount)
    return belief


def settled_meanwhile(before: Mapping[str, Belief], after: Mapping[str, Belief]) -> set[str]:
    """Holds that were the same before and after the gateway was asked: only these compare."""
    return {key for key, belief in after.items() if before.get(key) == belief}


def reconcile(
    believed: Mapping[str, Belief],
    holds: Iterable[GatewayHold] | None,
    totals: GatewayTotals,
    *,
    clearing_minor: int,
    currency: str,
    steady: set[str] | None = None,
    fees_minor: int | None = None,
) -> Reconciliation:
    """Compares. `holds` is None if the gateway cannot list them; `steady` as settled_meanwhile;
    `fees_minor` is what the books have of the gateway's fees for disputes."""
    told = {} if holds is None else {hold.hold_key: hold for hold in holds}
    steady = set(believed) if steady is None else steady
    waiting = [b for k, b in sorted(believed.items()) if b.waiting or k not in steady]
    skipped = {belief.hold_key for belief in waiting}
    found: list[Difference] = []
    compared = 0
    if holds is not None:
        for key in sorted({*believed, *told} - skipped):
            compared += 1
            found.extend(_differences(believed.get(key), told.get(key), currency))
    if fees_minor is not None and fees_minor != totals.dispute_fees_minor:
        found.append(_fees(fees_minor, totals.dispute_fees_minor, currency))
    net = totals.net_minor
    if net != clearing_minor and not waiting and not any(_money(d) for d in found):
        found.append(_clearing(clearing_minor, net, currency))
    return Reconciliation(
        currency=currency,
        clearing_minor=clearing_minor,
        captured_minor=totals.captured_minor,
        refunded_minor=totals.refunded_minor,
        held_minor=totals.held_minor,
        holds_open=totals.holds_open,
        listed=holds is not None,
        compared=compared,
        differences=tuple(found),
        on_its_way=tuple(waiting),
        disputed_minor=totals.disputed_minor,
        dispute_fees_minor=totals.dispute_fees_minor,
    )


def reconciliation_document(report: Reconciliation) -> dict[str, Any]:
    """The report as JSON, with "agrees"; field names as in Reconciliation."""
    return {"schema": 1, "agrees": not report.differences, **asdict(report)}


def _differences(
    belief: Belief | None, hold: GatewayHold | None, currency: str
) -> Sequence[Difference]:
    if hold is None and belief is not None:
        return _unknown_there(belief, currency)
    if hold is None:
        return ()
    if belief is None:
        return _unknown_here(hold, currency)
    found = []
    if hold.currency != currency:
        found.append(
            _difference(
                belief,
                "currency",
                currency,
                hold.currency,
                "take the hold back at the gateway; it was made in another currency",
            )
        )
    if hold.captured_minor != belief.captured_minor:
        found.append(_captured(belief, hold, currency))
    elif hold.refunded_minor != belief.refunded_minor:
        found.append(_refunded(belief, hold, currency))
    elif hold.disputed_minor != belief.disputed_minor:
        found.append(_disputed(belief, hold, currency))
    elif hold.state == "held" and belief.state != "held":
        found.append(
            _difference(
                belief,
                "hold still open",
                belief.state,
                f"held {amount_text(hold.amount_minor, currency)}",
                f"let the hold {hold.hold_key} go at the gateway; nothing will be charged on it",
            )
        )
    elif belief.state == "held" and hold.state != "held":
        found.append(
            _difference(
                belief,
                "hold gone",
                f"held {amount_text(belief.amount_minor, currency)}",
                hold.state,
                "nothing to do: the visit's charge becomes a debt when it cannot be captured",
            )
        )
    elif belief.state == "held" and hold.amount_minor != belief.amount_minor:
        found.append(
            _difference(
                belief,
                "amount held",
                amount_text(belief.amount_minor, currency),
                amount_text(hold.amount_minor, currency),
                "let the hold go at the gateway and ask the shopper to enter again",
            )
        )
    return found


def _unknown_there(belief: Belief, currency: str) -> Sequence[Difference]:
    if belief.state not in ("held", "captured") and not belief.captured_minor:
        return ()
    money = amount_text(belief.captured_minor or belief.amount_minor, currency)
    return (
        _difference(
            belief,
            "unknown at the gateway",
            f"{belief.state} {money}",
            "no such hold",
            "check that the hub and this command use the same gateway account; if they do, write "
            "to the gateway with the hold's key",
        ),
    )


def _unknown_here(hold: GatewayHold, currency: str) -> Sequence[Difference]:
    left = hold.captured_minor - hold.refunded_minor
    if hold.state != "held" and left == 0:
        return ()
    fix = (
        f"refund {amount_text(left, currency)} at the gateway, or restore the books that know it"
        if left
        else "let the hold go at the gateway"
    )
    visit_id = hold.hold_key.split(":", 1)[0]
    seen = f"{hold.state} {amount_text(left or hold.amount_minor, currency)}"
    return (Difference(visit_id, hold.hold_key, "unknown in the books", "no such hold", seen, fix),)


def _captured(belief: Belief, hold: GatewayHold, currency: str) -> Difference:
    more = hold.captured_minor - belief.captured_minor
    if more > 0 and not belief.captured_minor:
        fix = (
            f"the capture came through without an answer: refund {amount_text(more, currency)} at "
            "the gateway, since the books carry it as a debt"
        )
    elif more > 0:
        fix = f"refund {amount_text(more, currency)} at the gateway; the books never charged it"
    else:
        fix = (
            f"{amount_text(-more, currency)} never came: ask the gateway why, and do not hand the "
            "receipt out as paid"
        )
    return _difference(
        belief,
        "captured",
        amount_text(belief.captured_minor, currency),
        amount_text(hold.captured_minor, currency),
        fix,
    )


def _refunded(belief: Belief, hold: GatewayHold, currency: str) -> Difference:
    more = hold.refunded_minor - belief.refunded_minor
    if more > 0 and any(":refund:" in key for key in belief.given_up):
        fix = (
            "the refund that was never answered came through: settle it as paid by the gateway; "
            "if it was paid by hand, ask the shopper for it"
        )
    else:
        fix = _refund_fix(more, currency)
    return _difference(
        belief,
        "refunded",
        amount_text(belief.refunded_minor, currency),
        amount_text(hold.refunded_minor, currency),
        fix,
    )


def _refund_fix(more: int, currency: str) -> str:
    return (
        f"somebody refunded {amount_text(more, currency)} at the gateway itself: refund the lines "
        "here too, so that receipt and VAT follow"
        if more > 0
        else f"{amount_text(-more, currency)} did not go back: pay it to the shopper another way"
    )


def _disputed(belief: Belief, hold: GatewayHold, currency: str) -> Difference:
    return _difference(
        belief,
        "disputed",
        amount_text(belief.disputed_minor, currency),
        amount_text(hold.disputed_minor, currency),
        "the hub was not told all of the dispute: have the gateway send its events again",
    )


def _fees(booked: int, taken: int, currency: str) -> Difference:
    return Difference(
        "",
        "",
        "fees",
        amount_text(booked, currency),
        amount_text(taken, currency),
        "the hub was not told all of a dispute: have the gateway send its events again",
    )


def _clearing(clearing_minor: int, net: int, currency: str) -> Difference:
    return Difference(
        "",
        "",
        "totals",
        f"clearing {amount_text(clearing_minor, currency)}",
        f"captures less refunds and disputes {amount_text(net, currency)}",
        "run `sortie hub verify`: holds agree one by one, so the ledger was changed",
    )


def _money(difference: Difference) -> bool:
    named = ("captured", "refunded", "disputed", "fees")
    return difference.what in named or difference.what.startswith("unknown")


def _difference(belief: Belief, what: str, believed: str, gateway: str, fix: str) -> Difference:
    return Difference(belief.visit_id, belief.hold_key, what, believed, gateway, fix)
