"""Deliberately broken builds: each takes one promise out of production code while it lasts.

`sortie torture --mutation NAME` must find a violation; a simulation that does not would not find
the mistake either if somebody made it in earnest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import insert

from edge.drain import Drain
from hub import effects
from hub.carts.model import Carts
from hub.catalog.model import CatalogProduct
from hub.chain import GENESIS, link
from hub.deliveries import unpacked
from hub.devices.model import Devices
from hub.inventory.model import Stock
from hub.service import Hub
from hub.store import database, rows
from hub.store import service as store_service
from hub.store.service import Store
from hub.visits import entry, scans, settlement
from hub.visits.floor import Track
from hub.wallet import answers, chargebacks, funding, refunds
from hub.wallet import service as wallet
from hub.wallet.account import Leg
from hub.wallet.model import Ledger
from sortie.errors import UsageError
from sortie.torture.turns import TurnLease

__all__ = ["MUTATIONS", "mutated"]

Patches = list[tuple[Any, str, Any]]


def _no_dedupe() -> Patches:
    """A message that comes again takes effect again."""
    admit, take = Devices.admit, Devices.take

    def admits(self: Devices, device_id: str, boot_id: str, sequence: int) -> Any:
        found = admit(self, device_id, boot_id, sequence)
        return "next" if found == "duplicate" else found

    def takes(self: Devices, device_id: str, boot_id: str, sequence: int, item: Any) -> Any:
        boot = self.boot(self.all[device_id], boot_id)
        if item is not None and sequence <= boot.upto:
            return ((boot, item),)
        return take(self, device_id, boot_id, sequence, item)

    return [(Devices, "admit", admits), (Devices, "take", takes), _overwriting("inbox")]


def _ack_before_commit() -> Patches:
    """What was taken is acknowledged; it is stored when there is time."""

    def ingest(self: Any, deliveries: Any, now_s: float) -> Any:
        self._check(started=True)
        now = self._now(now_s)
        single, _ = unpacked(deliveries)
        taken = (self._take(delivery, now, set()) for delivery in single)
        heard = {key for key in taken if key is not None}
        acks = self._outlived.acks(self.core.state.devices, heard)
        return [self.outgoing("ack", name, ack, qos=1) for name, ack in acks]

    return [(Hub, "ingest", ingest)]


def _float_money() -> Patches:
    """VAT as a float that is cut off to whole cents."""

    def vat_minor(gross_minor: int, rate: str, _currency: str) -> int:
        return int(gross_minor - gross_minor / (1.0 + float(rate)))

    return [(wallet, "vat_minor", vat_minor), (rows, "vat_minor", vat_minor)]


def _capture_under_new_keys() -> Patches:
    """Asking again is a new question: the gateway does it again."""
    ask_again = answers.ask_again

    def again(state: Any) -> None:
        ask_again(state)
        for index, request in enumerate(state.effects.asks):
            ask = state.asks.get(request.key)
            if ask is not None and ask.tries > 1 and request.kind in ("capture", "refund"):
                ask.request = replace(request, key=f"{request.key}:{ask.tries}")
                state.asks[ask.request.key] = state.asks.pop(request.key)
                state.effects.asks[index] = ask.request

    return [(answers, "ask_again", again)]


def _refund_without_limit() -> Patches:
    """Nobody counts what went back already."""
    lines, refund = settlement._refund_lines, wallet.Wallets.refund

    def refund_lines(visit: Any, command: Any) -> Any:
        refunded, visit.refunded = visit.refunded, {}
        try:
            return lines(visit, command)
        finally:
            visit.refunded = refunded

    def unlimited(self: Any, visit_id: str, *args: Any, **more: Any) -> Any:
        account = self.account(visit_id)
        account.refunded_minor, before = 0, account.refunded_minor
        try:
            return refund(self, visit_id, *args, **more)
        finally:
            account.refunded_minor += before

    return [(settlement, "_refund_lines", refund_lines), (wallet.Wallets, "refund", unlimited)]


def _price_at_settlement() -> Patches:
    """The price that holds when the visit settles."""
    return [(CatalogProduct, "price_at", lambda self, _t_s: self.prices[-1][1])]


def _unchained_events() -> Patches:
    """Events are hashed, but each for itself."""
    return [(effects, "link", lambda _previous, row: link(GENESIS, row))]


def _stock_not_given_back() -> Patches:
    """A piece that is put back leaves the cart and is on no shelf."""
    shift = Stock._shift

    def one_way(self: Any, place: Any, quantity: int, *args: Any, **more: Any) -> None:
        before = self.shelf.get(place, 0)
        shift(self, place, quantity, *args, **more)
        if quantity < 0:
            self.shelf[place] = before

    return [(Stock, "_shift", one_way)]


def _settle_before_the_watermark() -> Patches:
    """Who has left is charged for what is known by then."""
    return [(settlement, "waits_for", lambda _state, _visit: [])]


def _forget_at_puback() -> Patches:
    """The outbox forgets what the broker has."""
    pump = Drain.pump

    def forget(self: Any, now_s: float) -> int:
        sent = pump(self, now_s)
        for row in self._outbox.unacked(limit=sent):
            self._outbox.forget(row.boot_id, row.sequence)
        return sent

    return [(Drain, "pump", forget)]


def _charge_the_uncertain() -> Patches:
    """What is not clear is charged as if it were."""

    def moves(decision: Any, visit_id: str) -> bool:
        best = decision.best
        return best.visit_id == visit_id and best.gtin is not None and best.quantity != 0

    def lines(self: Any, visit_id: str, _quantities: Any, catalog: Any, **more: Any) -> Any:
        held: dict[str, int] = {}
        for decision in self.of(visit_id):
            held[decision.best.gtin] = held.get(decision.best.gtin, 0) + decision.best.quantity
        return known(self, visit_id, held, catalog, **more)

    known = Carts.lines
    return [(Carts, "_moves", staticmethod(moves)), (Carts, "lines", lines)]


def _half_commits() -> Patches:
    """Each table is committed for itself."""
    write = Store.write

    def torn(self: Store, batch: Any) -> None:
        for table in store_service._ORDER:
            part = type(batch)(
                {table.name: batch.inserts[table.name]} if table.name in batch.inserts else {},
                {table.name: batch.upserts[table.name]} if table.name in batch.upserts else {},
            )
            if part:
                write(self, part)

    return [(Store, "write", torn)]


def _no_sync() -> Patches:
    """The database is told not to wait for the disk."""

    def lazily(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return [(database, "_configure_sqlite", lazily)]


def _no_lease() -> Patches:
    """Two hubs write to one database: the fence lets both, and nobody is stopped by what the
    other wrote."""
    return [(TurnLease, "fence", lambda _self, _connection: None), _overwriting()]


def _code_good_twice() -> Patches:
    """A signed code lets in whoever shows it, as often as it is shown."""
    refusal = scans._signed_refusal

    def never_used(state: Any, visit: Any, judged: Any, gate_id: str, earliest_s: float) -> str:
        found = refusal(state, visit, judged, gate_id, earliest_s)
        return "" if found == "code used before" and visit.stage == "shopping" else found

    return [(scans, "_signed_refusal", never_used)]


def _refund_above_its_source() -> Patches:
    """A source is paid back whatever is asked for, not what it had paid."""
    return [(Leg, "left_minor", property(lambda self: self.amount_minor))]


def _gift_card_spent_twice() -> Patches:
    """What a visit has reserved of a gift card may be reserved or redeemed once more."""
    spendable = Ledger.spendable

    def unreserved(self: Ledger, account: str) -> int:
        return -self.posted(account) if account.startswith("gift:") else spendable(self, account)

    return [(Ledger, "spendable", unreserved)]


def _bind_who_comes_next() -> Patches:
    """Who taps a card need not be seen at the gate: the next body that comes in is theirs."""

    def unseen(_state: Any, _visit: Any, _body: Any) -> bool:
        return False

    return [
        (entry, "_must_be_seen", unseen),
        (Track, "watched", lambda _self, _t_s: True),
    ]


def _dispute_booked_twice() -> Patches:
    """What a bank holds is booked anew when it has decided."""
    book = chargebacks._book

    def forgets(state: Any, record: Any) -> None:
        book(state, record)
        record.bank_booked_minor = 0

    return [(chargebacks, "_book", forgets)]


def _failed_refund_forgotten() -> Patches:
    """A refund that failed after all is written down, and nobody is owed it."""
    return [(refunds, "came_back", lambda _state, _visit, _command: None)]


def _who_disputes_comes_in() -> Patches:
    """Nobody is asked whether a payer disputes what they paid."""
    return [(funding, "kept_out", lambda _disputes, _payer: False)]


def _overwriting(only: str = "") -> tuple[Any, str, Any]:
    """New rows take the place of old ones with the same key, in one table or in all."""
    known = Store._insert

    def replacing(self: Any, table: Any, batch: Any) -> None:
        if only and table.name != only:
            known(self, table, batch)
            return
        self._writer.execute(insert(table).prefix_with("OR REPLACE"), batch)

    return (Store, "_insert", replacing)


MUTATIONS: dict[str, Callable[[], Patches]] = {
    "no-dedupe": _no_dedupe,
    "ack-before-commit": _ack_before_commit,
    "float-money": _float_money,
    "capture-under-new-keys": _capture_under_new_keys,
    "refund-without-limit": _refund_without_limit,
    "price-at-settlement": _price_at_settlement,
    "unchained-events": _unchained_events,
    "stock-not-given-back": _stock_not_given_back,
    "settle-before-the-watermark": _settle_before_the_watermark,
    "forget-at-puback": _forget_at_puback,
    "charge-the-uncertain": _charge_the_uncertain,
    "half-commits": _half_commits,
    "no-sync": _no_sync,
    "no-lease": _no_lease,
    "code-good-twice": _code_good_twice,
    "refund-above-its-source": _refund_above_its_source,
    "gift-card-spent-twice": _gift_card_spent_twice,
    "bind-who-comes-next": _bind_who_comes_next,
    "dispute-booked-twice": _dispute_booked_twice,
    "failed-refund-forgotten": _failed_refund_forgotten,
    "who-disputes-comes-in": _who_disputes_comes_in,
}
"""Name and what it replaces."""


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """Production code with one promise taken out; as it is if the name is empty."""
    if name and name not in MUTATIONS:
        raise UsageError(f"expected one of {', '.join(MUTATIONS)}, got mutation {name!r}")
    with ExitStack() as stack:
        for owner, attribute, replacement in MUTATIONS[name]() if name else ():
            stack.enter_context(patch.object(owner, attribute, replacement))
        yield
