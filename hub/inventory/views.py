"""The shelves as staff see them, as JSON values. Times are hub seconds."""

from __future__ import annotations

from typing import Any

from hub.catalog.notices import notices
from hub.catalog.offers import Offers
from hub.inventory.restocking import differences
from hub.inventory.shelves import Session
from hub.state import HubState

__all__ = ["alerts", "goods_view", "stock_view"]


def stock_view(state: HubState) -> dict[str, Any]:
    """Slots with what is in them, products with where their pieces are, finds, sessions.

    {"slots": [{slot_id, bay_id, board_id, gtin, name, on_hand, capacity, low_at, state,
                recalled, closed}],          state: ok, low, out, over
     "misplaced": [{slot_id, gtin, name, quantity, home [], since_s, reach_id}],
     "products": [{gtin, name, price_minor, on_shelves, in_carts, sold, unaccounted, found,
                   removed, age_min, closed, recalled}],
     "finds": [...], "sessions": [...], "quarantined": [{device_id, since_s, reason}],
     "policy": {...}}
    """
    shelves, stock = state.shelves, state.stock
    return {
        "now_s": state.now_s,
        "slots": _slots(state),
        "misplaced": [
            {
                "slot_id": slot_id,
                "gtin": gtin,
                "name": state.catalog.name(gtin),
                "quantity": count,
                "home": [slot for slot, f in shelves.planogram.items() if f.gtin == gtin],
                "since_s": shelves.strays.get((slot_id, gtin), (None, ""))[0],
                "reach_id": shelves.strays.get((slot_id, gtin), (None, ""))[1],
            }
            for (slot_id, gtin), count in sorted(stock.shelf.items())
            if count > 0 and slot_id in shelves.planogram
            and shelves.planogram[slot_id].gtin != gtin
        ],
        "products": _products(state),
        "finds": [
            {
                "find_id": find.find_id,
                "gtin": find.gtin,
                "name": state.catalog.name(find.gtin),
                "quantity": find.quantity,
                "where": find.where,
                "visit_id": find.visit_id,
                "at_s": find.at_s,
                "state": find.state,
                "slot_id": find.slot_id,
            }
            for find in shelves.finds.values()
        ],
        "sessions": [_session(one) for one in shelves.sessions.values()],
        "quarantined": [
            {"device_id": device_id, "since_s": since_s, "reason": why}
            for device_id, (since_s, why) in sorted(shelves.quarantined.items())
        ],
        "policy": {
            "unproven_age": state.catalog.offers.unproven_age,
            "watch_stock": shelves.policy.watch_stock,
            "low_percent": shelves.policy.low_percent,
            "pieces_per_minute_max": shelves.policy.pieces_per_minute_max,
            "beyond_stock_max": shelves.policy.beyond_stock_max,
        },
    }  # fmt: skip


def goods_view(state: HubState) -> dict[str, Any]:
    """Promotions and recalls, as {"promotions": [...], "recalls": [...]}."""
    offers: Offers = state.catalog.offers
    return {
        "promotions": [
            {
                "promotion_id": one.promotion_id,
                "offer": one.kind,
                "name": one.name,
                "products": list(one.products()),
                "from_s": one.from_s,
                "until_s": one.until_s,
                "hours": [window.model_dump(mode="json") for window in one.hours],
                "visit_max": one.visit_max,
                "combinable": one.combinable,
                "active": one.valid_at(state.now_s),
            }
            for one in offers.promotions.values()
        ],
        "recalls": [
            {
                "recall_id": one.recall_id,
                "gtin": one.gtin,
                "name": state.catalog.name(one.gtin),
                "batch": one.batch,
                "reason": one.reason,
                "days": one.days,
                "at_s": one.at_s,
                "lifted_s": one.lifted_s,
            }
            for one in offers.recalls.values()
        ],
    }


def alerts(state: HubState) -> list[dict[str, Any]]:
    """What staff should do now, the most urgent first: {kind, tone, said, visit_id, ...}."""
    rows: list[dict[str, Any]] = []
    for visit in state.visits.values():
        for notice in notices(state, visit):
            if notice["kind"] == "recalled_bought":
                continue
            said = f"{notice['quantity']} × {notice['name']}"
            tone = "amber" if notice["kind"] == "id" else "red"
            rows.append({**notice, "tone": tone, "said": said, "visit_id": visit.visit_id})
    for device_id, (_since_s, why) in sorted(state.shelves.quarantined.items()):
        rows.append(_alert("quarantined", "red", f"{device_id}: {why}", device_id=device_id))
    for recall in state.catalog.offers.recalls.values():
        if recall.lifted_s is None:
            slots = [s for (s, g), n in sorted(state.stock.shelf.items()) if g == recall.gtin and n]
            if slots:
                said = f"{state.catalog.name(recall.gtin)} in {', '.join(slots)}"
                rows.append(_alert("clear_shelf", "red", said, gtin=recall.gtin, slots=slots))
    for session in state.shelves.open_sessions():
        for move in session.moves.values():
            if move.state == "held":
                said = f"{move.quantity} × {state.catalog.name(move.gtin)} for {move.slot_id}"
                rows.append(
                    _alert(
                        "confirm", "amber", said,
                        session_id=session.session_id, move_id=move.move_id,
                    )
                )  # fmt: skip
    order = {"red": 0, "amber": 1}
    return sorted(rows, key=lambda row: order[row["tone"]])


def _slots(state: HubState) -> list[dict[str, Any]]:
    rows = []
    offers = state.catalog.offers
    for slot in state.store.slots:
        facing = state.shelves.planogram[slot.slot_id]
        count = state.stock.shelf.get((slot.slot_id, facing.gtin), 0)
        low_at = state.shelves.low_at(slot.slot_id)
        said = "out" if count == 0 else "low" if count <= low_at else "ok"
        rows.append(
            {
                "slot_id": slot.slot_id,
                "bay_id": slot.bay_id,
                "board_id": slot.board_id,
                "gtin": facing.gtin,
                "name": state.catalog.name(facing.gtin),
                "on_hand": count,
                "capacity": facing.capacity,
                "low_at": low_at,
                "state": "over" if count > facing.capacity else said,
                "recalled": offers.recall_of(facing.gtin) is not None,
                "closed": offers.forbids(facing.gtin, state.now_s) in ("closed", "hours"),
            }
        )
    return rows


def _products(state: HubState) -> list[dict[str, Any]]:
    shelved: dict[str, int] = {}
    for (_slot, gtin), count in state.stock.shelf.items():
        shelved[gtin] = shelved.get(gtin, 0) + count
    offers = state.catalog.offers
    return [
        {
            "gtin": gtin,
            "name": state.catalog.name(gtin),
            "price_minor": state.catalog.products[gtin].price_at(state.now_s),
            "on_shelves": shelved.get(gtin, 0),
            "in_carts": sum(counts.carts.values()),
            "sold": counts.sold,
            "unaccounted": counts.unaccounted,
            "found": counts.found,
            "removed": counts.removed,
            "age_min": offers.age_min(gtin),
            "closed": offers.forbids(gtin, state.now_s) in ("closed", "hours"),
            "recalled": offers.recall_of(gtin) is not None,
        }
        for gtin, counts in sorted(state.stock.counts.items())
        if gtin in state.catalog.products
    ]


def _session(session: Session) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "role": session.role,
        "started_s": session.started_s,
        "finished_s": session.finished_s,
        "moves": [
            {
                "move_id": move.move_id,
                "slot_id": move.slot_id,
                "gtin": move.gtin,
                "quantity": move.quantity,
                "state": move.state,
            }
            for move in session.moves.values()
        ],
        "differences": differences(session),
    }


def _alert(kind: str, tone: str, said: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "tone": tone, "said": said, "visit_id": None, **more}
