"""What commands about goods do, and what it means to those who have such goods in their cart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hub.attribution.model import Decision
from hub.catalog.commands import (
    AddPromotion,
    CloseProduct,
    ConfirmAge,
    EndPromotion,
    LiftRecall,
    RecallProduct,
    ReopenProduct,
    SetAgeLimit,
    SetSaleHours,
)
from hub.catalog.model import CatalogProduct
from hub.catalog.offers import CHANGES_KEPT, RECALLS_MAX, AgeProof, Recall
from hub.catalog.promotions import Promotion
from hub.command import Reply, repeated
from hub.effects import us
from hub.errors import ConflictError, RejectedError
from hub.levels import AGAIN_LEVEL
from hub.state import HubState
from hub.visits.model import Visit

__all__ = [
    "WHY_WORDS",
    "add_promotion",
    "close_product",
    "confirm_age",
    "end_promotion",
    "lift_recall",
    "notice_cart",
    "recall_product",
    "reopen_product",
    "set_age_limit",
    "set_sale_hours",
    "withhold",
]

WHY_WORDS = {
    "closed": "is not for sale",
    "hours": "is not for sale at this hour",
    "recalled": "was called back",
    "age": "needs an ID that nobody saw",
}


def add_promotion(state: HubState, command: AddPromotion) -> Reply:
    """A promotion holds from now on, or from a later time; what was picked before has none."""
    for gtin in (*command.gtins, *(gtin for gtin, _ in command.items)):
        _product(state, gtin)
    from_s = state.now_s if command.from_s is None else max(command.from_s, state.now_s)
    if command.until_s is not None and command.until_s <= from_s:
        raise RejectedError(
            f"expected until_s after {from_s}, got {command.until_s}; it would be over already"
        )
    known = state.catalog.offers.promotions.get(command.promotion_id)
    if known is not None and known.until_s != command.until_s and state.level >= AGAIN_LEVEL:
        raise ConflictError(
            f"expected a new id, promotion {command.promotion_id} is there until "
            f"{'it is ended' if known.until_s is None else known.until_s}, and not until "
            f"{command.until_s}"
        )
    promotion = Promotion(
        promotion_id=command.promotion_id,
        kind=command.offer,
        from_s=from_s,
        zone=state.catalog.offers.zone,
        **{
            name: getattr(command, name)
            for name in (
                "name", "gtins", "percent_bp", "amount_minor", "take", "pay", "items",
                "price_minor", "until_s", "hours", "visit_max", "combinable",
            )
        },
    )  # fmt: skip
    if not state.catalog.offers.add(promotion, now_s=state.now_s):
        return Reply(repeated=True)
    state.event(
        "promotion.added",
        None,
        **command.model_dump(mode="json", exclude={"kind", "from_s", "until_s"}),
        from_us=us(from_s),
        until_us=None if command.until_s is None else us(command.until_s),
    )
    return Reply()


def end_promotion(state: HubState, command: EndPromotion) -> Reply:
    """No pick from now on has it."""
    if not state.catalog.offers.end(command.promotion_id, now_s=state.now_s):
        return Reply(repeated=True)
    state.event("promotion.ended", None, promotion_id=command.promotion_id)
    return Reply()


def set_age_limit(state: HubState, command: SetAgeLimit) -> Reply:
    """From which age on a product is sold."""
    _product(state, command.gtin)
    offers = state.catalog.offers
    if offers.age_min(command.gtin) == command.age_min:
        return Reply(repeated=True)
    offers.ages[command.gtin] = command.age_min
    state.event("product.age_limited", None, gtin=command.gtin, age_min=command.age_min)
    for visit in _holders(state, command.gtin):
        _warn(state, visit, command.gtin)
    return Reply()


def set_sale_hours(state: HubState, command: SetSaleHours) -> Reply:
    """When a product is sold from now on; a pick counts by the hours that held at the time."""
    _product(state, command.gtin)
    offers = state.catalog.offers
    if offers.hours_of(command.gtin, state.now_s) == command.hours:
        return Reply(repeated=True)
    offers.set_hours(command.gtin, command.hours, now_s=state.now_s)
    hours = [[window.begin, window.end, list(window.days)] for window in command.hours]
    state.event("product.hours_set", None, gtin=command.gtin, hours=hours)
    return Reply()


def close_product(state: HubState, command: CloseProduct) -> Reply:
    """Picks from now on are not charged; what is in carts already was for sale."""
    _product(state, command.gtin)
    offers = state.catalog.offers
    if offers.closed_reason(command.gtin, state.now_s) is not None:
        return Reply(repeated=True)
    rows = offers.closed.setdefault(command.gtin, [])
    rows.append([state.now_s, None, command.reason])
    del rows[:-CHANGES_KEPT]
    state.event("product.closed", None, gtin=command.gtin, reason=command.reason)
    return Reply()


def reopen_product(state: HubState, command: ReopenProduct) -> Reply:
    """The product is for sale again."""
    _product(state, command.gtin)
    rows = state.catalog.offers.closed.get(command.gtin, [])
    if not rows or rows[-1][1] is not None:
        return Reply(repeated=True)
    rows[-1][1] = state.now_s
    state.event("product.reopened", None, gtin=command.gtin)
    return Reply()


def recall_product(state: HubState, command: RecallProduct) -> Reply:
    """The product is sold no more; whoever has it in the cart is told at once."""
    _product(state, command.gtin)
    recalls = state.catalog.offers.recalls
    recall = Recall(
        command.recall_id, command.gtin, command.batch, command.reason, command.days, state.now_s
    )
    known = recalls.get(command.recall_id)
    if known is not None:
        return repeated(
            f"recall {command.recall_id}",
            (known.gtin, known.batch, known.reason, known.days),
            (command.gtin, command.batch, command.reason, command.days),
        )
    if len(recalls) >= RECALLS_MAX:
        raise RejectedError(f"expected at most {RECALLS_MAX} recalls in one database")
    recalls[command.recall_id] = recall
    slots = sorted(
        slot
        for (slot, gtin), count in state.stock.shelf.items()
        if gtin == command.gtin and count > 0
    )
    state.event(
        "product.recalled",
        None,
        recall_id=command.recall_id,
        gtin=command.gtin,
        batch=command.batch,
        reason=command.reason,
        days=command.days,
        slots=slots,
    )
    for visit in _holders(state, command.gtin):
        _warn(state, visit, command.gtin)
    return Reply()


def lift_recall(state: HubState, command: LiftRecall) -> Reply:
    """The product is sold again."""
    offers = state.catalog.offers
    recall = offers.recalls.get(command.recall_id)
    if recall is None:
        raise RejectedError(f"expected a recall of this store, got {command.recall_id}")
    if recall.lifted_s is not None:
        return Reply(repeated=True)
    offers.recalls[command.recall_id] = replace(recall, lifted_s=state.now_s)
    state.event("recall.lifted", None, recall_id=command.recall_id, gtin=recall.gtin)
    return Reply()


def confirm_age(state: HubState, command: ConfirmAge) -> Reply:
    """An ID was looked at. Of the ID nothing is kept, only whether it was enough."""
    visit = state.visit(command.visit_id)
    if visit.stage not in ("entering", "binding", "shopping", "left"):
        raise RejectedError(
            f"expected a visit that is not settled yet, this one is {visit.stage}; what it was "
            "charged can be given back"
        )
    known = state.catalog.offers.proofs.get(command.visit_id)
    if known is not None and known.approved == command.approve:
        return Reply(visit_id=visit.visit_id, repeated=True)
    state.catalog.offers.prove(
        command.visit_id, AgeProof(command.approve, command.role, state.now_s)
    )
    state.event("age.confirmed", visit.visit_id, approved=command.approve, role=command.role)
    return Reply(visit_id=visit.visit_id)


def notice_cart(state: HubState, decision: Decision, visit: Visit | None) -> None:
    """A decision put goods into a cart: staff and shopper are told if they are special."""
    best = decision.best
    if visit is None or not visit.open or not decision.certain or best.gtin is None:
        return
    if best.quantity > 0 and visit.kind != "staff":
        _warn(state, visit, best.gtin, decision.t_s)


def withhold(state: HubState, visit: Visit, quantities: Mapping[str, int]) -> None:
    """The visit settles: what may not be sold is not charged, and must be handed back."""
    rows = state.carts.withheld(visit.visit_id, quantities, state.catalog, final=True)
    if rows:
        visit.withheld = rows
        for row in rows:
            name = state.catalog.products[row["gtin"]].name
            visit.mark_review(
                f"hand back {row['quantity']} × {name}: it {WHY_WORDS[str(row['why'])]}"
            )
        state.event(
            "visit.withheld",
            visit.visit_id,
            lines=[[r["gtin"], r["quantity"], r["why"], list(r["reaches"])] for r in rows],
        )
    offers = state.catalog.offers
    if offers.unproven_age == "sell" and any(
        count > 0 and offers.age_unproven(visit.visit_id, gtin)
        for gtin, count in quantities.items()
    ):
        visit.mark_review("sold without an ID having been seen")


def _warn(state: HubState, visit: Visit, gtin: str, t_s: float | None = None) -> None:
    """One event a pick; none for a product like any other."""
    offers = state.catalog.offers
    why = offers.forbids(gtin, state.now_s if t_s is None else t_s)
    if why is not None:
        state.event("cart.not_for_sale", visit.visit_id, gtin=gtin, why=why)
    elif offers.age_unproven(visit.visit_id, gtin):
        state.event("cart.needs_id", visit.visit_id, gtin=gtin, age_min=offers.age_min(gtin))


def _holders(state: HubState, gtin: str) -> list[Visit]:
    return [
        visit
        for visit in state.open_visits()
        if visit.stage in ("shopping", "left")
        and state.attributor.cart(visit.visit_id).get(gtin, 0) > 0
    ]


def _product(state: HubState, gtin: str) -> CatalogProduct:
    product = state.catalog.products.get(gtin)
    if product is None:
        raise RejectedError(f"expected a GTIN of this store, got {gtin}; add it to products")
    return product
