"""What a shopper, staff and the display at the exit must be told about goods in one visit."""

from __future__ import annotations

from typing import Any

from hub.state import HubState
from hub.visits.model import Visit
from hub.wallet.service import ChargeLine

__all__ = ["exit_notice", "notices", "offer_name", "product_name"]


def notices(state: HubState, visit: Visit) -> list[dict[str, Any]]:
    """Rows {kind, gtin, name, quantity, ...} of goods that are not simply sold.

    kind: `id` (an ID must be seen; age_min), `closed` (not for sale; why, reason), `recalled`
    (reason, batch), and after the visit `hand_back` (why) and `recalled_bought` (reason, batch).
    """
    if visit.kind == "staff":
        return []
    if visit.stage in ("shopping", "left"):
        return _of_cart(state, visit)
    return _of_receipt(state, visit) if visit.stage == "final" else []


def exit_notice(state: HubState, visit: Visit) -> str | None:
    """What the display at the exit says about goods; None if there is nothing to say."""
    rows = notices(state, visit)
    back = [row for row in rows if row["kind"] in ("closed", "recalled", "hand_back")]
    if back:
        said = ", ".join(f"{row['quantity']} × {row['name']}" for row in back)
        return f"please hand back {said}"
    return "please show ID" if any(row["kind"] == "id" for row in rows) else None


def offer_name(state: HubState, promotion_id: str) -> str:
    """What a promotion is called; its id once it is forgotten."""
    promotion = state.catalog.offers.promotions.get(promotion_id)
    return promotion_id if promotion is None else promotion.name


def product_name(state: HubState, line: ChargeLine) -> str:
    """What a line's product is called; goods of a parcel may be of another shop's catalogue, and
    products leave the store."""
    product = state.catalog.products.get(line.gtin)
    return state.parcels.name_of(line.gtin, line.reaches) if product is None else product.name


def _of_cart(state: HubState, visit: Visit) -> list[dict[str, Any]]:
    offers, visit_id = state.catalog.offers, visit.visit_id
    quantities = state.attributor.cart(visit_id)
    rows = []
    for held in state.carts.withheld(visit_id, quantities, state.catalog):
        recall = offers.recall_of(held["gtin"]) if held["why"] == "recalled" else None
        kind = {"recalled": "recalled", "age": "hand_back"}.get(held["why"], "closed")
        row = _row(state, kind, held["gtin"], held["quantity"]) | {"why": held["why"]}
        if recall is not None:
            row |= {"reason": recall.reason, "batch": recall.batch}
        elif held["why"] == "closed":
            row["reason"] = offers.closed_reason(held["gtin"], state.now_s) or ""
        rows.append(row)
    told = {row["gtin"] for row in rows}
    for gtin, count in quantities.items():
        if count > 0 and gtin not in told and offers.age_unproven(visit_id, gtin):
            rows.append(_row(state, "id", gtin, count) | {"age_min": offers.age_min(gtin)})
    return rows


def _of_receipt(state: HubState, visit: Visit) -> list[dict[str, Any]]:
    rows = [
        _row(state, "hand_back", held["gtin"], left) | {"why": held["why"]}
        for held in visit.withheld
        if (left := held["quantity"] - held["back"]) > 0
    ]
    bought: dict[str, int] = {}
    for line in visit.lines:
        bought[line.gtin] = bought.get(line.gtin, 0) + line.quantity
    for gtin, count in bought.items():
        for recall in state.catalog.offers.recalls_bought(gtin, visit.settled_s or 0.0):
            facts = {"reason": recall.reason, "batch": recall.batch}
            rows.append(_row(state, "recalled_bought", gtin, count) | facts)
    return rows


def _row(state: HubState, kind: str, gtin: str, quantity: int) -> dict[str, Any]:
    name = state.catalog.name(gtin)
    return {"kind": kind, "gtin": gtin, "name": name, "quantity": quantity}
