"""What an auditor reads, as JSON. The same tables can be read from the SQLite file directly.

    {"schema": 1, "store_id": …, "currency": …,
     "events":        [{number, at_us, kind, visit_id, data{…}, written{…}, previous_hash, hash}],
     "transactions":  [{number, tx_id, at_us, phase, kind, visit_id, currency, resolves,
                        previous_hash, hash, entries [[account, amount_minor]]}],
     "holds":         [{visit_id, hold_key, payer, currency, amount_minor, state,
                        captured_minor, refunded_minor}],
     "gateway_attempts": [{key, visit_id, kind, hold_key, payer, amount_minor, currency, tries,
                        outcome, changed_us}],
     "funding":       [{key, visit_id, payer, source, purpose, account, currency, amount_minor,
                        state, charged_minor, captured_minor, refunded_minor, paid_by}],
     "wallets":       [{payer, opened_us, sources [], stored_minor, tab_minor, debt_minor}],
     "gift_cards":    [{card_id, how, currency, amount_minor, left_minor, issued_us, expires_us,
                        blocked, redeemed, payer}],
     "gateway":       {captured_minor, refunded_minor, held_minor, holds_open} or null,
     "visits":        [{visit_id, payer, stage, gate_id, opened_us, scanned_us, exited_us,
                        settled_us, receipt_us, exit_kind, tracks [], lost, needs_review,
                        review_reasons [], currency, hold_minor, total_minor, charged_minor,
                        captured_minor, debt_minor, refunded_minor, status}],
     "receipts":      [{number, visit_id, issued_us, currency, total_minor, vat_minor,
                        charged_minor, debt_minor, lines [{line, gtin, name, quantity,
                        unit_price_minor, vat_rate, vat_minor, total_minor, reaches [],
                        discount_minor, promotions []}]}],
     "products":      [{gtin, name, vat_rate, initial, restocked, in_carts, sold, unaccounted,
                        found, removed}],
     "prices":        [{gtin, from_us, price_minor}],
     "stock":         [{slot_id, gtin, on_hand}],
     "inbox":         [{position, device_id, boot_id, sequence, received_us, dead}],
     "fiscal":        [{number, source, kind, at_us, day, body {…}, previous_hash, hash,
                        signature}],
     "dead_letters":  {"count": …},
     "audit_log":     [{number, at_us, who, action, target, origin, outcome, previous_hash,
                        hash}]}

Times are hub microseconds, amounts minor units, debits positive. Hash chains: see hub.chain; an
event's row is {number, at_us, kind, visit_id, data}, with `written` as its data where an event has
that: it was written in an older version of its kind than `data` says it in, or names its version
(hub.events). A transaction's row is {number, tx_id,
at_us, phase, kind, visit_id, currency, resolves, entries}, an entry of the audit log
{number, at_us, who, action, target, origin, outcome}. `hold_captured` and the like: see
hub.wallet.service for what each transaction kind books. `funding` has a row for each source of a
visit that was not paid by one hold on a card alone; a hold that is another's ends in `paid_by`.
Exports of before there were wallets lack the three parts. Entry codes and tokens are not exported.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from contracts.store_file import StoreFile
from hub.accounts.tables import audit_log
from hub.events import newest
from hub.fiscal.tables import fiscal_entries
from hub.store import tables as t
from hub.store.service import Store
from hub.visits.model import Visit
from hub.visits.status import status
from hub.wallet import purse_tables
from hub.wallet.gateway import GatewayTotals
from hub.wallet.service import Account

__all__ = ["export_json", "write_export"]


def export_json(store: Store, layout: StoreFile, totals: GatewayTotals | None) -> dict[str, Any]:
    """The document above."""
    return {
        "schema": 1,
        "store_id": layout.store_id,
        "currency": layout.currency,
        "events": [_event(row) for row in store.rows(t.events, "number")],
        "transactions": _transactions(store),
        "holds": store.rows(t.holds, "visit_id"),
        "gateway_attempts": store.rows(t.gateway_attempts, "key"),
        "funding": store.rows(purse_tables.funding, "key"),
        "wallets": [
            {**row, "sources": json.loads(row["sources"])}
            for row in store.rows(purse_tables.wallets, "payer")
        ],
        "gift_cards": store.rows(purse_tables.gift_cards, "card_id"),
        "gateway": None if totals is None else asdict(totals),
        "visits": [_visit(row) for row in store.rows(t.visits, "opened_us", "visit_id")],
        "receipts": _receipts(store),
        "products": store.rows(t.products, "gtin"),
        "prices": store.rows(t.prices, "gtin", "from_us"),
        "stock": store.rows(t.stock, "slot_id", "gtin"),
        "inbox": [
            {name: value for name, value in row.items() if name != "payload"}
            for row in store.rows(t.inbox, "position")
        ],
        "fiscal": [
            {**row, "body": json.loads(row["body"])} for row in store.rows(fiscal_entries, "number")
        ],
        "dead_letters": {"count": store.count(t.dead_letters)},
        "audit_log": store.rows(audit_log, "number"),
    }


def write_export(path: Path, store: Store, layout: StoreFile, totals: GatewayTotals | None) -> None:
    """Writes the document to a file."""
    path.write_text(json.dumps(export_json(store, layout, totals)), encoding="utf-8")


def _transactions(store: Store) -> list[dict[str, Any]]:
    entries: dict[int, list[list[Any]]] = {}
    for row in store.rows(t.ledger_entries, "number", "line"):
        entries.setdefault(row["number"], []).append([row["account"], row["amount_minor"]])
    return [
        {**row, "entries": entries.get(row["number"], [])}
        for row in store.rows(t.ledger_transactions, "number")
    ]


def _event(row: dict[str, Any]) -> dict[str, Any]:
    """An event in its kind's newest version; what the hash is taken of is beside it."""
    was = json.loads(row["data"])
    data = newest(row["kind"], was)
    return {**row, "data": data} if data == was else {**row, "data": data, "written": was}


def _visit(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in ("record", "token_sha256")}
    shown["status"] = _status(json.loads(row["record"]))
    shown["tracks"] = json.loads(row["tracks"])
    shown["review_reasons"] = json.loads(row["review_reasons"])
    return shown


def _status(record: dict[str, Any]) -> str:
    account = None if record["account"] is None else Account.load(record["account"])
    return status(Visit.load(record["visit"]), account)


def _receipts(store: Store) -> list[dict[str, Any]]:
    lines: dict[str, list[dict[str, Any]]] = {}
    for row in store.rows(t.receipt_lines, "visit_id", "line"):
        visit_id = row.pop("visit_id")
        row["reaches"] = json.loads(row["reaches"])
        row["promotions"] = json.loads(row["promotions"])
        lines.setdefault(visit_id, []).append(row)
    return [
        {**row, "lines": lines.get(row["visit_id"], [])}
        for row in store.rows(t.receipts, "issued_us", "visit_id")
    ]
