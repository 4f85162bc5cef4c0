"""What is due at pick-up: held before anything shines, charged for what was handed over.

The sale is a visit of its own (stage "pickup") that no gate and no body belongs to, so that holds,
receipts, VAT, debts and refunds are those of every other sale. Its lines name the parcel in the
place of a reach, and the event parcel.handed_over of that parcel is what they trace to.
"""

from __future__ import annotations

import hashlib

from hub.effects import us
from hub.levels import WALL_SALES_LEVEL
from hub.parcels.model import Order, Parcel, Session
from hub.state import HubState
from hub.visits.model import Visit
from hub.visits.settlement import charge_lines, forget_finals
from hub.wallet import funding
from hub.wallet.service import ChargeLine

__all__ = ["PICKUP", "begin", "hold_answered", "settle", "settle_late", "waited_for"]

PICKUP = "pickup"
"""A pick-up sale's stage while it is open, and how it ended."""


def begin(state: HubState, session: Session) -> None:
    """Asks for what is due for the parcels that are shown, an order at a time."""
    for order_id in session.orders:
        order = state.parcels.orders[order_id]
        due_minor = sum(
            parcel.due_minor
            for parcel in state.parcels.of_order(order)
            if parcel.key in session.keys
        )
        if due_minor:
            _ask(state, session, order, due_minor)


def _ask(state: HubState, session: Session, order: Order, due_minor: int) -> None:
    name = hashlib.sha256(f"{order.order_id}/{session.session_id}".encode()).hexdigest()
    visit = Visit(
        visit_id=f"v-{name[:20]}",
        payer=order.payer,
        token_sha256=_token(order, session),
        code="",
        code_expires_s=state.now_s,
        opened_s=state.now_s,
        stage="pickup",
    )
    state.admit_visit(visit)
    state.by_token[visit.token_sha256] = visit.visit_id
    session.sales[order.order_id] = visit.visit_id
    state.event("visit.opened", visit.visit_id, payer=visit.payer)
    state.event(
        "pickup.payment_asked",
        visit.visit_id,
        order_id=order.order_id,
        session_id=session.session_id,
        amount_minor=due_minor,
    )
    answer, reason = funding.reserve(state, visit, due_minor)
    if answer == "refused":
        _refused(state, visit, session, order.order_id, reason)
    elif answer == "asked":
        session.paying.append(order.order_id)
    else:
        funding.told_held(state, visit)


def _token(order: Order, session: Session) -> str:
    """Nobody can have the token: none has blanks. Its SHA-256 is what the receipt's address is
    made of, so that it follows from a secret of the order and not from its name."""
    secret = order.token_sha256 or order.code_sha256 or ""
    return hashlib.sha256(f"sale to {secret} in {session.session_id}".encode()).hexdigest()


def hold_answered(state: HubState, visit: Visit, *, approved: bool, reason: str) -> Session | None:
    """The gateway's word on what is due; returns the session that waited for it, if it is known."""
    session, order_id = _session_of(state, visit)
    if session is not None and order_id in session.paying:
        session.paying.remove(order_id)
    if not approved:
        state.wallets.refuse_hold(visit.visit_id)
        funding.release(state, visit)
        _refused(state, visit, session, order_id, reason)
    else:
        state.effects.transactions.append(
            state.wallets.place_hold(visit.visit_id, at_us=us(state.now_s))
        )
        funding.told_held(state, visit)
        if session is None or not session.live or not _shown(state, session, order_id):
            _let_go(state, visit)
    if session is not None:
        state.parcels.touched.add(session.wall_id)
    return session


def settle(state: HubState, session: Session) -> None:
    """Charges what was handed over in a session, and lets go of what was held for more."""
    for order_id, visit_id in session.sales.items():
        visit = state.visits.get(visit_id)
        if visit is None or visit.stage != "pickup" or order_id in session.paying:
            # Refused, or not answered yet: then nothing of it was shown, and the answer ends it.
            continue
        _settle(state, state.parcels.orders[order_id], visit)


def settle_late(state: HubState, parcel: Parcel) -> None:
    """It is known what became of a parcel that nobody saw go: its sale waited for that. One whose
    session is still on ends with it."""
    visit = state.visits.get(str(parcel.proof.get("sale")))
    if visit is None or visit.stage != PICKUP:
        return
    session, _ = _session_of(state, visit)
    if state.level >= WALL_SALES_LEVEL and session is not None and session.live:
        return
    _settle(state, state.parcels.orders[parcel.order_id], visit)


def waited_for(state: HubState, parcel: Parcel) -> bool:
    """Whether a sale waits for what becomes of a parcel that was taken."""
    sale = parcel.proof.get("sale") if parcel.state == "taken" else None
    visit = None if sale is None else state.visits.get(sale)
    return visit is not None and visit.stage == PICKUP


def _settle(state: HubState, order: Order, visit: Visit) -> None:
    mine = [
        parcel
        for parcel in state.parcels.of_order(order)
        if parcel.due_minor and parcel.proof.get("sale") == visit.visit_id
    ]
    if any(parcel.state == "taken" for parcel in mine):
        return
    got = [parcel for parcel in mine if parcel.state == "handed_over" and parcel.visit_id is None]
    if got:
        _charge(state, visit, got)
    else:
        _let_go(state, visit)


def _charge(state: HubState, visit: Visit, parcels: list[Parcel]) -> None:
    lines: list[ChargeLine] = []
    for parcel in parcels:
        for item in parcel.items:
            lines.append(
                ChargeLine(
                    line=len(lines) + 1,
                    gtin=item.gtin,
                    quantity=item.quantity,
                    unit_price_minor=item.unit_price_minor,
                    vat_rate=item.vat_rate,
                    reaches=(f"parcel:{parcel.key}",),
                )
            )
        parcel.visit_id = visit.visit_id
        state.effects.orders.add(parcel.order_id)
    visit.exited_s = state.now_s
    visit.exit_kind = PICKUP
    charge_lines(state, visit, lines)
    forget_finals(state)


def _refused(
    state: HubState, visit: Visit, session: Session | None, order_id: str, reason: str
) -> None:
    visit.stage = "refused"
    visit.refusal = reason
    visit.exit_kind = PICKUP
    state.effects.visits.add(visit.visit_id)
    if session is not None and order_id not in session.unpaid:
        session.unpaid.append(order_id)
        session.reason = "unpaid"
        due = state.parcels.orders[order_id].parcels
        session.keys = [key for key in session.keys if key not in due]
    state.count("pickups_unpaid")
    state.event("pickup.unpaid", visit.visit_id, order_id=order_id, reason=reason)


def _let_go(state: HubState, visit: Visit) -> None:
    """Nothing was handed over: nothing is charged."""
    visit.stage = "expired"
    visit.exit_kind = PICKUP
    state.event("visit.expired", visit.visit_id)
    funding.let_go(state, visit)
    forget_finals(state)


def _session_of(state: HubState, visit: Visit) -> tuple[Session | None, str]:
    for wall in state.parcels.walls.values():
        for session in wall.sessions:
            for order_id, visit_id in session.sales.items():
                if visit_id == visit.visit_id:
                    return session, order_id
    return None, ""


def _shown(state: HubState, session: Session, order_id: str) -> bool:
    """Whether the session has still anything of the order to show."""
    order = state.parcels.orders.get(order_id)
    return order is not None and any(key in session.keys for key in order.parcels)
