"""From effects and state to the rows of one commit."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from hub.catalog.notices import product_name
from hub.chain import canonical
from hub.effects import Attempt, Effects, us
from hub.errors import LedgerError
from hub.parcels.stored_row import order_row
from hub.parcels.tables import orders
from hub.retention.service import forgotten_token
from hub.state import HubState
from hub.store import tables as t
from hub.visits.model import Visit
from hub.wallet import purse_tables
from hub.wallet.rows import (
    card_row,
    chargeback_row,
    funding_rows,
    hold_row,
    payout_rows,
    purse_row,
)
from hub.wallet.service import Account, ChargeLine, vat_minor

__all__ = [
    "Row",
    "Rows",
    "add_effects",
    "counts_row",
    "printable",
    "projections",
    "seed_rows",
]

Row = dict[str, Any]


@dataclass(slots=True)
class Rows:
    """Rows to insert, and rows to write over by primary key, per table."""

    inserts: dict[str, list[Row]] = field(default_factory=dict)
    upserts: dict[str, dict[tuple[object, ...], Row]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.inserts or self.upserts)

    def insert(self, table: Table, row: Row) -> None:
        """A new row."""
        self.inserts.setdefault(table.name, []).append(row)

    def upsert(self, table: Table, row: Row) -> None:
        """A row that replaces the one with the same primary key."""
        key = tuple(row[column.name] for column in table.primary_key.columns)
        self.upserts.setdefault(table.name, {})[key] = row


def add_effects(rows: Rows, effects: Effects, state: HubState) -> None:
    """Adds what a step left behind; projections take their values from the state as it is."""
    for event in effects.events:
        rows.insert(
            t.events,
            {
                "number": event.number,
                "at_us": event.at_us,
                "kind": event.kind,
                "visit_id": event.visit_id,
                "data": canonical(event.data),
                "previous_hash": event.previous_hash,
                "hash": event.hash,
            },
        )
    _ledger(rows, effects)
    for visit_id in sorted(effects.visits):
        if visit_id in effects.left_visits:
            _visit(rows, state, *effects.left_visits[visit_id])
        elif visit_id in state.visits:
            _visit(rows, state, *_known(state, visit_id))
    for visit_id in effects.receipts:
        _receipt(rows, state, *(effects.left_visits.get(visit_id) or _known(state, visit_id)))
    for key, attempt in sorted(effects.attempts.items()):
        _attempt(rows, state, key, attempt)
    _purses(rows, state, effects.purses, effects.cards)
    _chargebacks(rows, state, effects.chargebacks)
    for order, parcels in effects.left_orders.values():
        rows.upsert(orders, order_row(order, parcels))
    _orders(rows, state, effects.orders - effects.left_orders.keys())
    _stock(rows, state, effects.stock)
    if effects.planogram:
        _planogram(rows, state, effects.planogram)
    for gtin, from_us, price_minor in effects.prices:
        rows.insert(t.prices, {"gtin": gtin, "from_us": from_us, "price_minor": price_minor})
    for device_id, boot_id in sorted(effects.clocks):
        _clock(rows, state, device_id, boot_id)


def seed_rows(rows: Rows, state: HubState) -> None:
    """The store file's catalogue and planogram, for an empty database."""
    for product in state.catalog.products.values():
        rows.insert(
            t.prices,
            {"gtin": product.gtin, "from_us": 0, "price_minor": product.prices[0][1]},
        )
    _products(rows, state, state.catalog.products)
    _planogram(rows, state, {slot.slot_id for slot in state.store.slots})
    _stock(rows, state, state.stock.shelf)


def projections(state: HubState) -> Rows:
    """All rows that follow from a state alone: visits in memory with their holds, and stock."""
    rows = Rows()
    for visit_id in state.visits:
        _visit(rows, state, *_known(state, visit_id))
    purses = state.wallets.purses
    _purses(rows, state, purses.all, purses.cards)
    _chargebacks(rows, state, state.chargebacks)
    _orders(rows, state, state.parcels.orders)
    _stock(rows, state, state.stock.shelf, sold=True)
    return rows


def _chargebacks(rows: Rows, state: HubState, disputes: Iterable[str]) -> None:
    for dispute_id in sorted(disputes):
        row = chargeback_row(state.chargebacks[dispute_id], state.store.currency)
        rows.upsert(purse_tables.chargebacks, {**row, "reason": printable(row["reason"])})


def _orders(rows: Rows, state: HubState, order_ids: Iterable[str]) -> None:
    for order_id in sorted(order_ids):
        order = state.parcels.orders.get(order_id)
        if order is not None:
            rows.upsert(orders, order_row(order, state.parcels.of_order(order)))


def _purses(rows: Rows, state: HubState, payers: Iterable[str], cards: Iterable[str]) -> None:
    purses = state.wallets.purses
    for payer in sorted(payers):
        purse = purses.all.get(payer)
        if purse is not None:
            rows.upsert(purse_tables.wallets, purse_row(state, purse))
    for card_id in sorted(cards):
        rows.upsert(purse_tables.gift_cards, card_row(state, purses.cards[card_id]))


def _ledger(rows: Rows, effects: Effects) -> None:
    for item in effects.transactions:
        rows.insert(
            t.ledger_transactions,
            {
                "number": item.number,
                "tx_id": item.tx_id,
                "at_us": item.at_us,
                "phase": item.phase,
                "kind": item.kind,
                "visit_id": item.visit_id,
                "currency": item.currency,
                "resolves": item.resolves,
                "previous_hash": item.previous_hash,
                "hash": item.hash,
            },
        )
        for line, entry in enumerate(item.entries):
            rows.upsert(
                t.ledger_accounts,
                {
                    "account": entry.account,
                    "kind": entry.account.split(":", 1)[0],
                    "currency": item.currency,
                },
            )
            rows.insert(
                t.ledger_entries,
                {
                    "number": item.number,
                    "line": line,
                    "account": entry.account,
                    "amount_minor": entry.amount_minor,
                },
            )


def _known(state: HubState, visit_id: str) -> tuple[Visit, Account | None]:
    """A visit in memory, and its money."""
    return state.visits[visit_id], state.wallets.accounts.get(visit_id)


def _visit(rows: Rows, state: HubState, visit: Visit, account: Account | None) -> None:
    money = account or Account(visit.visit_id, visit.payer, "")
    record: Row = {"visit": visit.dump(), "account": None}
    if account is not None:
        record["account"] = account.dump()
        rows.upsert(t.holds, hold_row(account, state.store.currency))
        for row in funding_rows(account, state.store.currency):
            rows.upsert(purse_tables.funding, row)
        for row in payout_rows(account, state.store.currency):
            rows.upsert(purse_tables.payouts, row)
    rows.upsert(
        t.visits,
        {
            "visit_id": visit.visit_id,
            "token_sha256": visit.token_sha256,
            "payer": visit.payer,
            "stage": visit.stage,
            "gate_id": visit.gate_id,
            "opened_us": us(visit.opened_s),
            "scanned_us": _us(visit.scanned_s),
            "exited_us": _us(visit.exited_s),
            "settled_us": _us(visit.settled_s),
            "receipt_us": _us(visit.receipt_s),
            "exit_kind": visit.exit_kind,
            "tracks": json.dumps(visit.tracks),
            "lost": visit.lost,
            "needs_review": visit.needs_review,
            "review_reasons": json.dumps(visit.review_reasons),
            "currency": state.store.currency,
            "hold_minor": money.hold_minor,
            "total_minor": money.total_minor,
            "charged_minor": money.charged_minor,
            "captured_minor": money.captured_minor,
            "debt_minor": money.debt_minor,
            "refunded_minor": money.refunded_minor,
            "record": json.dumps(record),
            "forgotten": visit.token_sha256 == forgotten_token(visit.visit_id),
        },
    )


def _receipt(rows: Rows, state: HubState, visit: Visit, account: Account | None) -> None:
    if account is None:
        raise LedgerError(f"expected a receipt of a visit with a hold, {visit.visit_id} has none")
    currency = state.store.currency
    taxes = [vat_minor(line.gross_minor, line.vat_rate, currency) for line in visit.lines]
    rows.insert(
        t.receipts,
        {
            "visit_id": visit.visit_id,
            "issued_us": us(visit.settled_s or 0.0),
            "currency": currency,
            "total_minor": sum(line.gross_minor for line in visit.lines),
            "vat_minor": sum(taxes),
            "charged_minor": account.charged_minor,
            "debt_minor": account.debt_minor,
        },
    )
    for line, tax in zip(visit.lines, taxes, strict=True):
        rows.insert(t.receipt_lines, _receipt_line(state, visit, line, tax))


def _receipt_line(state: HubState, visit: Visit, line: ChargeLine, tax: int) -> Row:
    return {
        "visit_id": visit.visit_id,
        "line": line.line,
        "gtin": line.gtin,
        "name": printable(product_name(state, line)),
        "quantity": line.quantity,
        "unit_price_minor": line.unit_price_minor,
        "vat_rate": line.vat_rate,
        "vat_minor": tax,
        "total_minor": line.gross_minor,
        "reaches": json.dumps(list(line.reaches)),
        "discount_minor": line.discount_minor,
        "promotions": json.dumps(list(line.promotions)),
    }


def _attempt(rows: Rows, state: HubState, key: str, attempt: Attempt) -> None:
    request = attempt.request
    rows.upsert(
        t.gateway_attempts,
        {
            "key": key,
            "visit_id": attempt.visit_id,
            "kind": request.kind,
            "hold_key": request.hold_key,
            "payer": request.payer,
            "amount_minor": request.amount_minor,
            "currency": request.currency,
            "tries": attempt.tries,
            "outcome": attempt.outcome,
            "changed_us": us(state.now_s),
        },
    )


def _stock(
    rows: Rows, state: HubState, places: Iterable[tuple[str, str]], *, sold: bool = False
) -> None:
    """Places and the products that lie there; `sold`: only products that the store still sells, as
    of another one nobody knows any more what it was called when its row was written."""
    gtins = set()
    for slot_id, gtin in places:
        rows.upsert(
            t.stock,
            {
                "slot_id": slot_id,
                "gtin": gtin,
                "on_hand": state.stock.shelf.get((slot_id, gtin), 0),
            },
        )
        gtins.add(gtin)
    _products(rows, state, gtins, sold=sold)


def _products(rows: Rows, state: HubState, gtins: Iterable[str], *, sold: bool = False) -> None:
    for gtin in sorted(gtins):
        product = state.catalog.products.get(gtin)
        if product is not None:
            named = {"name": printable(product.name), "vat_rate": product.vat_rate}
        elif not sold:
            named = {"name": gtin, "vat_rate": "0.0000"}
        else:
            continue
        rows.upsert(t.products, {"gtin": gtin, **named, **counts_row(state, gtin)})


def counts_row(state: HubState, gtin: str) -> Row:
    """Where the pieces of a product are, its shelves aside."""
    counts = state.stock.counts[gtin]
    return {
        "initial": counts.initial,
        "restocked": counts.restocked,
        "in_carts": sum(counts.carts.values()),
        "sold": counts.sold,
        "unaccounted": counts.unaccounted,
        "found": counts.found,
        "removed": counts.removed,
    }


def _planogram(rows: Rows, state: HubState, slot_ids: set[str]) -> None:
    for slot in state.store.slots:
        if slot.slot_id in slot_ids:
            facing = state.shelves.planogram[slot.slot_id]
            rows.upsert(
                t.planogram,
                {
                    "slot_id": slot.slot_id,
                    "bay_id": slot.bay_id,
                    "board_id": slot.board_id,
                    "gtin": facing.gtin,
                    "facings": facing.facings,
                    "deep": facing.deep,
                },
            )


def _clock(rows: Rows, state: HubState, device_id: str, boot_id: str) -> None:
    estimate = state.devices.all[device_id].boots[boot_id].clock.estimate()
    rows.upsert(
        t.clocks,
        {
            "device_id": device_id,
            "boot_id": boot_id,
            "offset_us": us(estimate.offset_s),
            "sd_us": us(estimate.sd_s),
            "at_us": us(state.now_s),
        },
    )


def _us(seconds: float | None) -> int | None:
    return None if seconds is None else us(seconds)


def printable(words: str) -> str:
    """Words that every database takes as text: no NUL and no half of a character."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
