"""The fiscal journal of a store: fed from the ledger, signed, closed, checked.

    journal = FiscalJournal(store, layout, load_key(path), France())
    journal.catch_up(now_us)          # as often as you like; what is there is not made again

It follows the ledger's hash chain as it reads it, and refuses to go on behind a row that was
edited: a technical entry names it first. Whoever else feeds the same journal at the same time
loses the race for a number and reads again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sqlalchemy import select

from contracts.store_file import StoreFile
from hub.chain import canonical
from hub.errors import ChainBrokenError, FiscalError, StoreWriteError
from hub.fiscal.chain_of_keys import KeyChain, fingerprint, handover, names_key
from hub.fiscal.keys import valid_signature
from hub.fiscal.model import (
    Draft,
    Entry,
    FiscalProfile,
    Kind,
    Signer,
    State,
    begun,
    days_between,
    intact,
    next_entry,
    resumed,
    signed,
)
from hub.fiscal.tables import fiscal_entries as table
from hub.reports.books import Booked, Taxed, booked
from hub.reports.period import day_of, zone_of
from hub.store import tables as t
from hub.store.rows import Rows
from hub.store.service import Store

__all__ = [
    "FINDINGS_MAX",
    "FiscalJournal",
    "check_journal",
    "entries_of",
    "key_entries",
    "keys_of",
    "read_entry",
    "state_of",
]

BATCH = 200
"""Entries a commit."""
CLOSE_AFTER_US = 15 * 60 * 1_000_000
"""A day is closed so long after its end, when nothing of it can still be under way."""
DAYS_MAX = 3_660
"""More days than this between two entries are a wrong clock, not a store that rested."""
FINDINGS_MAX = 100


class FiscalJournal:
    """Feeds one store's journal. Not thread-safe; FiscalError if the key is not the journal's."""

    def __init__(
        self, store: Store, layout: StoreFile, signer: Signer, profile: FiscalProfile
    ) -> None:
        self._store = store
        self._layout = layout
        self._signer = signer
        self._profile = profile
        self._zone = zone_of(layout)
        self._rows: list[Entry] = []
        self._state = begun()
        self._seen = 0
        self._keys = KeyChain(valid_signature)
        self._read()

    def catch_up(self, now_us: int) -> int:
        """Makes the entries that are missing, closings of days that are over included; returns
        how many. ChainBrokenError if a row of the ledger was edited."""
        self._read()
        before = self._state.number
        try:
            self._feed(now_us)
            self._flush()
        except StoreWriteError:
            # Somebody else was quicker, or the database is away: what is stored decides.
            self._read()
            if self._state.number == before:
                raise
        return self._state.number - before

    def may_change(self) -> None:
        """FiscalError if there is no entry yet that a key could hand over."""
        self._read()
        if self._state.number == 0:
            raise FiscalError(
                "expected a journal with entries; one that has none begins with any key: run "
                "`sortie hub fiscal run --key FILE` with the new one"
            )

    def change_key(self, new: Signer, now_us: int, *, reason: str) -> bool:
        """The key in force hands over to another one, which signs from the next entry on; False if
        it has done so already. FiscalError if the journal had that key before."""
        self.may_change()
        if new.public_key == self._keys.key:
            return False
        if new.public_key in self._keys.keys:
            raise FiscalError(
                f"expected a key that the journal never had, got {fingerprint(new.public_key)[:16]}"
                "; make another with `sortie hub fiscal init FILE`"
            )
        body = handover(self._signer.public_key, new, reason)
        self._add(_key_source(len(self._keys.keys) + 1), "technical", now_us, body)
        self._flush()
        self._signer = new
        self._read()
        return True

    def note(self, source: str, what: str, now_us: int, **more: object) -> bool:
        """A technical entry; False if there is one of that source already."""
        self._read()
        if self._state.day is None or self._known(source):
            return False
        self._add(source, "technical", now_us, {"what": what, **more})
        self._flush()
        return True

    # -- feeding --------------------------------------------------------------------------

    def _feed(self, now_us: int) -> None:
        if self._state.number == 0:
            self._open(now_us)
        self._unbroken(now_us)
        for item in booked(self._store, after=self._seen):
            taxed = item.taxed()
            if taxed is not None:
                self._close_before(day_of(item.at_us, self._zone), item.at_us)
                self._sale(item, taxed)
            self._seen = item.number
            if len(self._rows) >= BATCH:
                self._flush()
        self._close_before(day_of(now_us - CLOSE_AFTER_US, self._zone), now_us)

    def _open(self, now_us: int) -> None:
        first = next(booked(self._store), None)
        at_us = now_us if first is None else first.at_us
        layout = self._layout
        self._add(
            "technical:opened",
            "technical",
            at_us,
            {
                "what": "opened",
                "profile": self._profile.name,
                "store_id": layout.store_id,
                "name": layout.name,
                "currency": layout.currency,
                "zone": str(self._zone),
                "public_key": self._signer.public_key,
                "software": _software(),
            },
        )

    def _unbroken(self, now_us: int) -> None:
        """Follows what is new in the ledger; an edited row is named in the journal first."""
        (events, _hash), (transactions, _head) = self._store.heads()
        try:
            self._store.verify(after_event=events, after_transaction=min(self._seen, transactions))
        except ChainBrokenError as error:
            digest = hashlib.sha256(str(error).encode()).hexdigest()[:16]
            source = f"technical:broken:{digest}"
            if not self._known(source):
                self._add(source, "technical", now_us, {"what": "broken", "row": str(error)})
                self._flush()
            raise

    def _sale(self, item: Booked, taxed: Taxed) -> None:
        body: dict[str, Any] = {
            "ledger": item.number,
            "ledger_hash": item.hash,
            "tx_id": item.tx_id,
            "booked_us": item.at_us,
            "booked_as": item.kind,
            "visit_id": item.visit_id,
            "currency": item.currency,
            "gross_minor": sum(net + vat for net, vat in taxed.rates.values()),
            "rates": taxed.rates,
        }
        if taxed.sale:
            body["lines"] = self._lines(item.visit_id)
        self._add(
            f"ledger:{item.number}", "ticket" if taxed.sale else "correction", item.at_us, body
        )

    def _lines(self, visit_id: str) -> list[list[object]]:
        """The receipt's lines: GTIN, name, quantity, unit price, rate, total."""
        line = t.receipt_lines
        return [
            [row["gtin"], row["name"], row["quantity"], row["unit_price_minor"],
             row["vat_rate"], row["total_minor"]]
            for row in self._store.select(
                select(line).where(line.c.visit_id == visit_id).order_by(line.c.line)
            )
        ]  # fmt: skip

    def _close_before(self, day: date, now_us: int) -> None:
        """Closes every day before this one that is still open."""
        open_day = self._state.day
        if open_day is None or (day - date.fromisoformat(open_day)).days > DAYS_MAX:
            raise FiscalError(f"expected a day near {open_day}, the clock says {day}; mend it")
        for over in list(days_between(open_day, day)):
            closings = self._profile.closings(over)
            for closing in closings:
                self._add(
                    f"closing:{closing.level}:{closing.period}",
                    "closing",
                    now_us,
                    {
                        "level": closing.level,
                        "period": closing.period,
                        "closed": self._state.totals[closing.level],
                        "ledger": self._seen,
                        **({"ends_day": True} if closing == closings[-1] else {}),
                    },
                )

    def _add(self, source: str, kind: Kind, at_us: int, body: Mapping[str, Any]) -> None:
        day = self._state.day or day_of(at_us, self._zone).isoformat()
        draft = Draft(source, kind, at_us, day, json.loads(canonical(body)))
        entry, self._state = next_entry(self._state, draft, self._signer.sign)
        self._rows.append(entry)

    # -- storing --------------------------------------------------------------------------

    def _flush(self) -> None:
        rows = Rows()
        for entry in self._rows:
            row = {
                **entry.row(),
                "body": canonical(entry.body),
                "previous_hash": entry.previous_hash,
                "hash": entry.hash,
                "signature": entry.signature,
            }
            rows.insert(table, row)
        self._rows = []
        if rows:
            self._store.write(rows)

    def _read(self) -> None:
        """Where the stored journal stands."""
        self._rows = []
        last = next(entries_of(self._store, last=True), None)
        self._keys = KeyChain(valid_signature)
        if last is None:
            self._state, self._seen = begun(), 0
            return
        self._keys = keys_of(self._store)
        if self._signer.public_key != self._keys.key:
            raise FiscalError(
                f"expected the key {fingerprint(self._keys.key)[:16]} (fingerprint) that signs "
                f"this journal, got {fingerprint(self._signer.public_key)[:16]}; give the file "
                "that `sortie hub fiscal init` or `change-key` made for this store"
            )
        intact(last)
        signed_by = self._keys.keys[-2] if _hands_over(last) else self._keys.key
        if not valid_signature(signed_by, last.hash, last.signature):
            raise FiscalError(
                f"expected the key that signed entry {last.number} of the journal to be its key, "
                "it is another; run `sortie hub fiscal check`"
            )
        if last.number != self._state.number or last.hash != self._state.head:
            self._state = resumed(last)
            self._seen = _ledger_seen(self._store)

    def _known(self, source: str) -> bool:
        found = self._store.select(select(table.c.number).where(table.c.source == source))
        return bool(found) or any(entry.source == source for entry in self._rows)


def check_journal(store: Store) -> Iterator[str]:
    """What is wrong with a stored journal, and where the ledger is not what it signed."""
    state, keys = begun(), KeyChain(valid_signature)
    tickets: dict[int, str] = {}
    for entry in entries_of(store):
        keys.begin(entry)
        state, faults = signed(entry, state, keys.key, valid_signature)
        yield from faults
        yield from keys.follow(entry)
        if entry.kind in ("ticket", "correction") and type(entry.body.get("ledger")) is int:
            tickets[entry.body["ledger"]] = str(entry.body.get("ledger_hash"))
    if state.number == 0:
        return
    seen = max(tickets, default=0)
    for item in booked(store):
        expected = tickets.pop(item.number, None)
        if expected is None and item.number <= seen and item.taxed() is not None:
            yield f"ledger transaction {item.number}: it has no entry in the fiscal journal"
        elif expected is not None and expected != item.hash:
            yield (
                f"ledger transaction {item.number}: expected hash {expected}, which the fiscal "
                f"journal signed, the row has {item.hash}; it was changed after it was written"
            )
    for number in tickets:
        yield f"ledger transaction {number}: the fiscal journal signed it, and it is gone"


def entries_of(
    store: Store, *, first: int = 1, until: int | None = None, last: bool = False
) -> Iterator[Entry]:
    """Stored entries in their order; with `last` only the newest one."""
    if last:
        rows = store.select(select(table).order_by(table.c.number.desc()).limit(1))
        yield from map(read_entry, rows)
        return
    question = select(table).order_by(table.c.number).limit(BATCH)
    if until is not None:
        question = question.where(table.c.number <= until)
    while True:
        page = store.select(question.where(table.c.number >= first))
        yield from map(read_entry, page)
        if len(page) < BATCH:
            return
        first = page[-1]["number"] + 1


def key_entries(store: Store) -> list[Entry]:
    """The entries that name keys: the first one, and each hand-over."""
    found = list(entries_of(store, until=1))
    while rows := store.select(select(table).where(table.c.source == _key_source(len(found) + 1))):
        found.append(read_entry(rows[0]))
    return [entry for entry in found if names_key(entry)]


def keys_of(store: Store) -> KeyChain:
    """The keys of a stored journal. FiscalError where a hand-over is not what it should be."""
    keys = KeyChain(valid_signature)
    for entry in key_entries(store):
        keys.begin(entry)
        faults = keys.follow(entry)
        if faults:
            raise FiscalError(f"{faults[0]}; run `sortie hub fiscal check`")
    return keys


def read_entry(row: Mapping[str, Any]) -> Entry:
    """An entry from a stored row; its body is JSON text there. What was edited into something else
    is an entry without a body, which fits no hash."""
    body = row["body"]
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            body = None
    return Entry(**{**row, "body": body if isinstance(body, dict) else {}})


def state_of(entry: Entry | None) -> State:
    """Where a journal stands after an entry; None: before the first."""
    return begun() if entry is None else resumed(entry)


def _key_source(number: int) -> str:
    """What an entry is called in which the journal gets its key of this number."""
    return f"technical:key:{number}"


def _hands_over(entry: Entry) -> bool:
    return names_key(entry) and entry.number > 1


def _ledger_seen(store: Store) -> int:
    """The ledger's transaction that the newest entry with one names."""
    found = store.select(
        select(table)
        .where(table.c.kind.in_(("ticket", "correction", "closing")))
        .order_by(table.c.number.desc())
        .limit(1)
    )
    return int(intact(read_entry(found[0])).body["ledger"]) if found else 0


def _software() -> str:
    try:
        return f"sortie-store {version('sortie-store')}"
    except PackageNotFoundError:
        return "sortie-store"
