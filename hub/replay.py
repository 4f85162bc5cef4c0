"""From the database back to a core: the latest snapshot, then every input after it, in order.

Effects of replayed inputs are thrown away: they are stored. What the event log and the ledger end
with must be what they end with in the database, or the hub refuses to go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from contracts.envelope import Envelope
from contracts.messages import NodeConfig
from contracts.store_file import StoreFile
from hub.commands import COMMAND, Tick
from hub.core import HubCore
from hub.devices.config import node_config
from hub.errors import ReplayDivergedError, StoreError
from hub.levels import LEVEL
from hub.rules import Rules
from hub.state import AttributorFactory
from hub.store import tables as t
from hub.store.journal import JournalEntry, Snapshot
from hub.store.rows import Rows, counts_row, seed_rows
from hub.store.service import Store

__all__ = ["adopt_layout", "begun", "configs", "rebuild", "snapshot_row", "stored_layout"]


def rebuild(store: Store, layout: StoreFile, factory: AttributorFactory, rules: Rules) -> HubCore:
    """The core as the database knows it; `layout` is used only if the database is empty."""
    snapshot = store.snapshot()
    if snapshot is None:
        core = HubCore(layout, factory, rules)
        core.state.hold_level(LEVEL)
        rows = Rows()
        seed_rows(rows, core.state)
        rows.insert(t.snapshots, snapshot_row(core, 0, 0))
        store.write(rows)
        return core
    core = begun(snapshot, factory, rules)
    store.verify(
        after_event=core.state.log.number, after_transaction=core.state.wallets.ledger.number
    )
    for entry in store.journal(snapshot.position):
        _apply(core, entry)
    core.unread.clear()
    _same_heads(core, store)
    return core


def begun(snapshot: Snapshot, factory: AttributorFactory, rules: Rules) -> HubCore:
    """The core of a snapshot, as it was then."""
    dumped = json.loads(snapshot.state)
    core = HubCore(StoreFile.model_validate(dumped["layout"]), factory, rules)
    core.restore(dumped["core"])
    return core


def stored_layout(store: Store) -> StoreFile:
    """The store file that a database was written under; StoreError if no hub began it."""
    snapshot = store.snapshot()
    if snapshot is None:
        raise StoreError("expected a hub's database with a snapshot, it has none: no hub began it")
    return StoreFile.model_validate(json.loads(snapshot.state)["layout"])


def adopt_layout(
    core: HubCore, store: Store, layout: StoreFile, factory: AttributorFactory, rules: Rules
) -> HubCore:
    """Takes a changed store file up, if nobody is in the store: stock, prices and money stay.

    New slots and products come in as the file says; a price that changed in the file holds from
    now on. StoreError if a visit is open.
    """
    before = core.state.store
    if before == layout:
        return core
    if before.store_id != layout.store_id or before.currency != layout.currency:
        raise StoreError(
            f"expected store {before.store_id} in {before.currency}, the store file says "
            f"{layout.store_id} in {layout.currency}; use another database"
        )
    if not core.quiet:
        raise StoreError(
            "expected no open visit when the store file changes; start with the old file and let "
            "the visits end first"
        )
    grown = HubCore(layout, factory, rules)
    dumped = core.dump()
    fresh = grown.dump()
    known = {(slot, gtin) for slot, gtin, _ in dumped["stock"]["shelf"]}
    slots = {slot.slot_id for slot in layout.slots}
    dumped["stock"]["shelf"] = [row for row in dumped["stock"]["shelf"] if row[0] in slots] + [
        row for row in fresh["stock"]["shelf"] if (row[0], row[1]) not in known
    ]
    dumped["stock"]["counts"] = _counts(dumped, fresh)
    dumped["catalog"] = _prices(dumped, before, layout, store)
    dumped["vat"] = _rates(dumped, before, grown)
    dumped["shelves"] = _planogram(dumped, before, layout)
    grown.restore(dumped)
    position = store.last_position() + 1
    rows = Rows()
    _reseed(rows, store, grown)
    rows.insert(t.snapshots, snapshot_row(grown, position, round(grown.state.now_s * 1e6)))
    store.write(rows)
    return grown


def snapshot_row(core: HubCore, position: int, at_us: int) -> dict[str, Any]:
    """A snapshot of a quiet core."""
    state = {"layout": core.state.store.model_dump(mode="json"), "core": core.dump()}
    return {
        "position": position,
        "at_us": at_us,
        "digest": core.digest(),
        "state": json.dumps(state),
    }


def configs(layout: StoreFile, store: Store, rows: Rows) -> Iterator[NodeConfig]:
    """Each node's configuration; a changed one gets the next revision, which `rows` stores."""
    latest: dict[str, NodeConfig] = {}
    for row in store.rows(t.node_configs, "node_id", "revision"):
        latest[row["node_id"]] = NodeConfig.model_validate_json(row["payload"])
    for node in layout.nodes:
        known = latest.get(node.node_id)
        config = node_config(layout, node, revision=known.revision if known else 1)
        if config != known:
            if known is not None:
                config = config.model_copy(update={"revision": known.revision + 1})
            rows.insert(
                t.node_configs,
                {
                    "node_id": node.node_id,
                    "revision": config.revision,
                    "payload": config.model_dump_json(),
                },
            )
        yield config


def _apply(core: HubCore, entry: JournalEntry) -> None:
    now_s = entry.at_us / 1e6
    if entry.source == "inbox":
        item = Envelope.model_validate_json(entry.payload)
        if entry.dead:
            core.skip(item, now_s)
        else:
            core.handle(item, now_s)
        return
    command = COMMAND.validate_json(entry.payload)
    if isinstance(command, Tick):
        core.tick(now_s)
    else:
        core.command(command, now_s)


def _same_heads(core: HubCore, store: Store) -> None:
    (events, event_hash), (transactions, transaction_hash) = store.heads()
    log, ledger = core.state.log, core.state.wallets.ledger
    if (log.number, log.head) != (events, event_hash):
        raise ReplayDivergedError(
            f"expected the journal to lead to event {events} ({event_hash[:12]}), it leads to "
            f"{log.number} ({log.head[:12]}); start the version that wrote it, let the visits "
            "end, and stop it"
        )
    if (ledger.number, ledger.head) != (transactions, transaction_hash):
        raise ReplayDivergedError(
            f"expected the journal to lead to transaction {transactions}, it leads to "
            f"{ledger.number}; start the version that wrote it"
        )


def _counts(dumped: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    """Counts of known products stay; what stands in new slots came in now."""
    counts: dict[str, Any] = {**fresh["stock"]["counts"], **dumped["stock"]["counts"]}
    shelved: dict[str, int] = {}
    for _slot, gtin, pieces in dumped["stock"]["shelf"]:
        shelved[gtin] = shelved.get(gtin, 0) + pieces
    for gtin, row in counts.items():
        initial, restocked, carts, sold, unaccounted, *others = row
        held = shelved.get(gtin, 0) + sum(n for _, n in carts) + sold + unaccounted + sum(others)
        missing = held - initial - restocked
        counts[gtin] = [
            initial,
            restocked + max(0, missing),
            carts,
            sold,
            unaccounted + max(0, -missing),
            *others,
        ]
    return counts


def _planogram(dumped: dict[str, Any], before: StoreFile, layout: StoreFile) -> dict[str, Any]:
    """Slots that staff gave another product keep it, unless the file says something new."""
    shelves: dict[str, Any] = dict(dumped.get("shelves", {}))
    old = {slot.slot_id: slot for slot in before.slots}
    gtins = {product.gtin for product in layout.products}
    kept = {slot.slot_id for slot in layout.slots if old.get(slot.slot_id) == slot}
    shelves["planogram"] = {
        slot_id: facing
        for slot_id, facing in shelves.get("planogram", {}).items()
        if slot_id in kept and facing[0] in gtins
    }
    return shelves


def _prices(
    dumped: dict[str, Any], before: StoreFile, layout: StoreFile, store: Store
) -> dict[str, Any]:
    """What a product cost stays; one that comes back had its prices of before until now."""
    old = {product.gtin: product.price_minor for product in before.products}
    past: dict[str, list[list[Any]]] = {}
    for row in store.rows(t.prices, "gtin", "from_us"):
        if row["gtin"] not in old:
            past.setdefault(row["gtin"], []).append([row["from_us"] / 1e6, row["price_minor"]])
    prices: dict[str, Any] = {}
    for product in layout.products:
        known = dumped["catalog"].get(product.gtin) or past.get(product.gtin)
        if known is None:
            known = [[0.0, product.price_minor]]
        elif old.get(product.gtin, known[-1][1]) != product.price_minor:
            from_s = max(dumped["now_s"], known[-1][0] + 1e-6)
            known = [*known, [from_s, product.price_minor]]
        prices[product.gtin] = known
    return prices


def _rates(dumped: dict[str, Any], before: StoreFile, grown: HubCore) -> dict[str, Any]:
    """VAT rates that staff changed stay, unless the file says another one than it said."""
    old = {product.gtin: f"{before.vat_rate(product):.4f}" for product in before.products}
    products = grown.state.catalog.products
    return {
        gtin: row
        for gtin, row in dumped.get("vat", {}).items()
        if gtin in products and old.get(gtin) == products[gtin].vat_rate
    }


def _reseed(rows: Rows, store: Store, core: HubCore) -> None:
    """Rows of a changed store file: planogram and stock anew, what is no longer there too, and
    prices that are not stored yet."""
    fresh = Rows()
    seed_rows(fresh, core.state)
    rows.upserts.update(fresh.upserts)
    stock = core.state.stock
    for row in store.rows(t.stock, "slot_id", "gtin"):
        if (row["slot_id"], row["gtin"]) not in stock.shelf:
            rows.upsert(t.stock, {**row, "on_hand": 0})
    for row in store.rows(t.products, "gtin"):
        if row["gtin"] not in core.state.catalog.products and row["gtin"] in stock.counts:
            rows.upsert(t.products, {**row, **counts_row(core.state, row["gtin"])})
    stored = {(row["gtin"], row["from_us"]) for row in store.rows(t.prices, "gtin", "from_us")}
    for product in core.state.catalog.products.values():
        for from_s, price_minor in product.prices:
            from_us = round(from_s * 1e6)
            if (product.gtin, from_us) not in stored:
                rows.insert(
                    t.prices,
                    {"gtin": product.gtin, "from_us": from_us, "price_minor": price_minor},
                )
