"""Reports from a hub's database: what the command line and the staff pages both show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from contracts.store_file import StoreFile
from hub.fiscal.journal import entries_of, key_entries
from hub.fiscal.model import intact
from hub.reports.books import booked
from hub.reports.period import period_of, zone_of
from hub.reports.reconcile import (
    Belief,
    Reconciliation,
    beliefs,
    reconcile,
    settled_meanwhile,
)
from hub.reports.vat import VatReport, vat_report
from hub.store import tables as t
from hub.store.service import Store
from hub.wallet.gateway import HoldLister, PaymentGateway
from hub.wallet.purse_tables import chargebacks

__all__ = ["Books", "books_of", "compare", "fiscal_status", "vat_of"]


def vat_of(store: Store, layout: StoreFile, day: str) -> VatReport:
    """The VAT of a day, month or year of the store. RejectedError if it is none."""
    zone = zone_of(layout)
    period = period_of(day, zone)
    rows = booked(store, begins_us=period.begins_us, ends_us=period.ends_us)
    return vat_report(
        rows, period, store_id=layout.store_id, currency=layout.currency, zone=str(zone)
    )


@dataclass(frozen=True, slots=True)
class Books:
    """What the books say at one moment."""

    believed: dict[str, Belief]
    clearing_minor: int
    fees_minor: int = 0


def books_of(store: Store) -> Books:
    """What the books say of every hold, and of the money at the gateway."""
    fees = store.select(select(func.sum(chargebacks.c.fee_minor).label("total")))
    return Books(_believed(store), _clearing(store), int(fees[0]["total"] or 0))


def compare(read: Callable[[], Books], gateway: PaymentGateway, currency: str) -> Reconciliation:
    """Reads the books, then the gateway, then the books again: what moved meanwhile is on its
    way. GatewayTimeoutError or GatewaySetupError if the gateway cannot be read."""
    before = read()
    holds = list(gateway.holds()) if isinstance(gateway, HoldLister) else None
    totals = gateway.totals()
    after = read()
    return reconcile(
        after.believed,
        holds,
        totals,
        clearing_minor=after.clearing_minor,
        currency=currency,
        steady=settled_meanwhile(before.believed, after.believed),
        fees_minor=after.fees_minor,
    )


def _believed(store: Store) -> dict[str, Belief]:
    """What the books say of every hold."""
    attempts = store.select(select(t.gateway_attempts))
    gone = [
        str(json.loads(row["data"])["hold_key"])
        for row in store.select(
            select(t.events.c.data).where(t.events.c.kind == "gateway.hold_gone")
        )
    ]
    disputed: Counter[str] = Counter()
    for row in store.select(select(chargebacks)):
        disputed[row["hold_key"]] += max(0, row["withdrawn_minor"] - row["returned_minor"])
    return beliefs(attempts, gone, disputed)


def _clearing(store: Store) -> int:
    """What the gateway owes the store by the ledger, in minor units."""
    tx, entry = t.ledger_transactions.c, t.ledger_entries.c
    question = (
        select(func.sum(entry.amount_minor).label("total"))
        .join(t.ledger_transactions, tx.number == entry.number)
        .where(entry.account == "clearing", tx.phase == "posted")
    )
    return int(store.select(question)[0]["total"] or 0)


def fiscal_status(store: Store) -> dict[str, Any]:
    """Where the fiscal journal stands; "entries" is 0 where none is kept. FiscalError if its last
    entry was edited."""
    last = next(entries_of(store, last=True), None)
    if last is None:
        return {"entries": 0}
    intact(last)
    first = next(entries_of(store, until=1), last)
    names = ("profile", "currency", "zone")
    keys = [str(entry.body.get("public_key", "")) for entry in key_entries(store)]
    return {
        "entries": last.number,
        "head": last.hash,
        "at_us": last.at_us,
        "day": last.day,
        "perpetual_sales_minor": last.body["totals"]["perpetual"]["sales_minor"],
        "totals": last.body["totals"],
        "public_key": keys[-1] if keys else "",
        "public_keys": keys,
        **{name: first.body.get(name) for name in names},
    }
