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
     "payouts":       [{key, visit_id, payer, currency, amount_minor, state, asked_as, reason,
                        rounds, since_us, again_us}],
     "chargebacks":   [{dispute_id, hold_key, visit_id, payer, currency, amount_minor, reason,
                        state, withdrawn_minor, returned_minor, fee_minor, lost_minor, owed_minor,
                        keeps_out, decision, by, opened_us, changed_us}],
     "gateway":       {captured_minor, refunded_minor, held_minor, holds_open, disputed_minor,
                        dispute_fees_minor} or null,
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
     "orders":        [{order_id, state, payer, placed_us, deadline_us, closed_us, due_minor,
                        parcels [{key, state, wall_id, due_minor, visit_id}]}],
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
`payouts` are refunds that the gateway
did not pay at once, `chargebacks` payments that are disputed at banks. Exports of before there were
wallets lack the parts. Entry codes and tokens are not exported.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, TextIO, cast

from sqlalchemy import ColumnElement, Select, Table, or_, select

from contracts.store_file import StoreFile
from hub.accounts.tables import audit_log
from hub.errors import StoreError
from hub.events import KINDS, VERSION_FIELD, newest
from hub.fiscal.tables import fiscal_entries
from hub.parcels.tables import orders
from hub.store import tables as t
from hub.store.database import folder_of
from hub.store.service import Store
from hub.visits.model import Visit
from hub.visits.status import status
from hub.wallet import purse_tables
from hub.wallet.gateway import GatewayTotals
from hub.wallet.service import Account

__all__ = ["Events", "Part", "export_json", "export_parts", "spooled", "write_export"]

Row = dict[str, Any]
VERSION = f'"{VERSION_FIELD}":'
"""How an event's text names its version."""

NOT_SHOWN = ("record", "token_sha256", "forgotten")


class Part:
    """A list of the document that is read from the database each time somebody goes through it,
    so that a year of it need not be in memory. It is what a list of the same rows would be."""

    def __init__(self, store: Store, table: Table, rows: Callable[[], Iterator[Row]]) -> None:
        self._store = store
        self._table = table
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return self._rows()

    def __len__(self) -> int:
        return self._store.count(self._table)


class Events(Part):
    """The events. `only` reads those of some kinds and leaves the others where they are."""

    def __init__(self, store: Store, kinds: Sequence[str] = ()) -> None:
        self._wanted = () if not kinds else (or_(*map(_of_kind, kinds)),)
        question = _ordered(t.events, "number").where(*self._wanted)
        super().__init__(store, t.events, lambda: map(_event, store.stream(question)))

    def __len__(self) -> int:
        return self._store.count(self._table, *self._wanted)

    def only(self, kinds: Sequence[str]) -> Events:
        """Those of these kinds; a name that ends in a dot stands for all that begin so."""
        return Events(self._store, kinds)


class _Row(dict[str, Any]):
    """A row of which some fields are only made of what is stored when somebody asks for them."""

    __slots__ = ("_later", "_stored")

    def __init__(self, stored: Row, later: Mapping[str, Callable[[Row], Any]]) -> None:
        super().__init__(stored)
        for name in later:
            self.pop(name, None)
        self._stored = stored
        self._later = later

    def __missing__(self, name: str) -> Any:
        make = self._later.get(name)
        if make is None:
            raise KeyError(name)
        self[name] = value = make(self._stored)
        return value

    def whole(self) -> Row:
        """All of it, the fields in the order of the table, then those that no table has."""
        names = dict.fromkeys([*self._stored, *self._later])
        return {name: self[name] for name in names if name in self or name in self._later}


def export_parts(store: Store, layout: StoreFile, totals: GatewayTotals | None) -> dict[str, Any]:
    """The document above, its lists as Parts; events and visits are complete once all their fields
    were asked for."""

    def plain(table: Table, *order: str) -> Part:
        return Part(store, table, lambda: store.stream(_ordered(table, *order)))

    def changed(table: Table, change: Callable[[Row], Row], *order: str) -> Part:
        return Part(store, table, lambda: map(change, store.stream(_ordered(table, *order))))

    return {
        "schema": 1,
        "store_id": layout.store_id,
        "currency": layout.currency,
        "events": Events(store),
        "transactions": Part(store, t.ledger_transactions, lambda: _transactions(store)),
        "holds": plain(t.holds, "visit_id"),
        "gateway_attempts": plain(t.gateway_attempts, "key"),
        "funding": plain(purse_tables.funding, "key"),
        "wallets": changed(purse_tables.wallets, lambda row: _parsed(row, "sources"), "payer"),
        "gift_cards": plain(purse_tables.gift_cards, "card_id"),
        "payouts": plain(purse_tables.payouts, "key"),
        "chargebacks": plain(purse_tables.chargebacks, "dispute_id"),
        "gateway": None if totals is None else asdict(totals),
        "visits": changed(t.visits, _visit, "opened_us", "visit_id"),
        "receipts": Part(store, t.receipts, lambda: _receipts(store)),
        "products": plain(t.products, "gtin"),
        "prices": plain(t.prices, "gtin", "from_us"),
        "stock": plain(t.stock, "slot_id", "gtin"),
        "inbox": Part(store, t.inbox, lambda: store.stream(_without(t.inbox, "payload"))),
        "orders": changed(orders, _order, "order_id"),
        "fiscal": changed(fiscal_entries, lambda row: _parsed(row, "body"), "number"),
        "dead_letters": {"count": store.count(t.dead_letters)},
        "audit_log": plain(audit_log, "number"),
    }


def export_json(store: Store, layout: StoreFile, totals: GatewayTotals | None) -> dict[str, Any]:
    """The document above, all of it in memory."""
    return {
        name: [_whole(row) for row in part] if isinstance(part, Part) else part
        for name, part in export_parts(store, layout, totals).items()
    }


def write_export(path: Path, store: Store, layout: StoreFile, totals: GatewayTotals | None) -> None:
    """Writes the document to a file, a row at a time."""
    with path.open("w", encoding="utf-8") as file:
        _write(file, export_parts(store, layout, totals))


def spooled(store: Store, layout: StoreFile, totals: GatewayTotals | None) -> BinaryIO:
    """The document in a file without a name, at its beginning: on disk beside the database, a row
    at a time, and gone once it is closed. StoreError if there is no room for it."""
    try:
        with ExitStack() as undo:
            file = undo.enter_context(TemporaryFile(dir=folder_of(store.url)))
            text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
            _write(text, export_parts(store, layout, totals))
            text.detach()
            file.seek(0)
            undo.pop_all()
            return cast("BinaryIO", file)
    except OSError as error:
        raise StoreError(f"expected room on disk for the export: {error.strerror}") from error


def _write(file: TextIO, document: dict[str, Any]) -> None:
    sign = "{"
    for name, part in document.items():
        file.write(f"{sign}{json.dumps(name)}: ")
        sign = ", "
        if not isinstance(part, Part):
            file.write(json.dumps(part))
            continue
        file.write("[")
        for number, row in enumerate(part):
            file.write((", " if number else "") + json.dumps(_whole(row)))
        file.write("]")
    file.write("}")


def _ordered(table: Table, *order: str) -> Select[Any]:
    return select(table).order_by(*(table.c[name] for name in order))


def _without(table: Table, left_out: str) -> Select[Any]:
    columns = [column for column in table.columns if column.name != left_out]
    return select(*columns).order_by(*table.primary_key.columns)


def _transactions(store: Store) -> Iterator[Row]:
    for row, entries in store.transactions():
        row["entries"] = entries
        yield row


def _of_kind(name: str) -> ColumnElement[bool]:
    kind = t.events.c.kind
    return kind.startswith(name, autoescape=True) if name.endswith(".") else kind == name


def _event(row: Row) -> Row:
    """An event in its kind's newest version; what the hash is taken of is beside it."""
    kind = KINDS.get(row["kind"])
    if kind is not None and not kind.older and VERSION not in row["data"]:
        return _Row(row, _EVENT_LATER)
    was = json.loads(row["data"])
    data = newest(row["kind"], was)
    return {**row, "data": data} if data == was else {**row, "data": data, "written": was}


def _whole(row: Row) -> Row:
    """A row with everything in it."""
    return row.whole() if isinstance(row, _Row) else row


def _parsed(row: Row, name: str) -> Row:
    return {**row, name: json.loads(row[name])}


def _visit(row: Row) -> Row:
    shown = _Row(row, _VISIT_LATER)
    for name in NOT_SHOWN:
        del shown[name]
    return shown


def _order(row: Row) -> Row:
    """An order with its parcels, without the digests that open a wall."""
    record = json.loads(row["record"])
    shown = {name: row[name] for name in row if name not in ("record", "forgotten")}
    parcels = [
        {name: one.get(name) for name in ("key", "state", "wall_id", "due_minor", "visit_id")}
        for one in record["parcels"]
    ]
    return {**shown, "parcels": parcels}


def _status(row: Row) -> str:
    record = json.loads(row["record"])
    account = None if record["account"] is None else Account.load(record["account"])
    return status(Visit.load(record["visit"]), account)


_EVENT_LATER: Mapping[str, Callable[[Row], Any]] = {"data": lambda row: json.loads(row["data"])}
_VISIT_LATER: Mapping[str, Callable[[Row], Any]] = {
    "tracks": lambda row: json.loads(row["tracks"]),
    "review_reasons": lambda row: json.loads(row["review_reasons"]),
    "status": _status,
}


def _receipts(store: Store) -> Iterator[Row]:
    """Both tables in the order of receipts, side by side."""
    receipts, lines = t.receipts, t.receipt_lines
    order = (receipts.c.issued_us, receipts.c.visit_id)
    joined = (
        select(lines)
        .select_from(lines.join(receipts, lines.c.visit_id == receipts.c.visit_id))
        .order_by(*order, lines.c.line)
    )
    waiting = groupby(store.stream(joined), itemgetter("visit_id"))
    visit_id, group = next(waiting, ("", iter(())))
    for row in store.stream(select(receipts).order_by(*order)):
        found = []
        if visit_id == row["visit_id"]:
            found = [_line(line) for line in group]
            visit_id, group = next(waiting, ("", iter(())))
        row["lines"] = found
        yield row


def _line(row: Row) -> Row:
    del row["visit_id"]
    row["reaches"] = json.loads(row["reaches"])
    # Most lines are of no promotion.
    row["promotions"] = [] if row["promotions"] == "[]" else json.loads(row["promotions"])
    return row
