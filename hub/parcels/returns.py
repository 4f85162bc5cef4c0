"""Goods that come back: parcels that a customer brings, and what was paid for them."""

from __future__ import annotations

from hub.command import Reply
from hub.commands import RefundLine, RefundVisit
from hub.effects import us
from hub.errors import ConflictError, RejectedError
from hub.parcels.alarms import clear
from hub.parcels.commands import ReturnGoods
from hub.parcels.model import Parcel
from hub.parcels.service import move, order_of, parcel_of
from hub.state import HubState
from hub.visits import settlement
from hub.wallet import refunds

__all__ = ["return_goods", "sales_of"]


def sales_of(state: HubState, command: ReturnGoods) -> list[str]:
    """The sales that a return is about: they may have been closed long ago."""
    parcels = [state.parcels.all.get(key) for key in command.keys]
    return sorted({one.visit_id for one in parcels if one is not None and one.visit_id})


def return_goods(state: HubState, command: ReturnGoods) -> Reply:
    """Takes parcels back and refunds what was charged for them, unless staff say that nothing is
    refunded. Refunds are entries of their own; nothing that was booked is changed."""
    order = order_of(state, command.order_id)
    said = ",".join([*command.keys, str(command.refund)])
    known = order.returns.get(command.return_id)
    if known is not None:
        if known != said:
            raise ConflictError(f"return {command.return_id} was made before with other parcels")
        return Reply(repeated=True)
    if len(set(command.keys)) != len(command.keys):
        raise RejectedError("expected each parcel once")
    parcels = [parcel_of(state, key) for key in command.keys]
    for parcel in parcels:
        if parcel.order_id != order.order_id:
            raise RejectedError(f"expected parcels of {order.order_id}, got {parcel.key}")
        if parcel.state != "handed_over":
            raise RejectedError(
                f"expected parcels that were handed over, {parcel.key} is {parcel.state}"
            )
    back = _refund(state, command, parcels) if command.refund else {}
    order.returns[command.return_id] = said
    for parcel in parcels:
        move(
            state,
            parcel,
            "returned",
            return_id=command.return_id,
            refund_minor=parcel.due_minor if parcel.visit_id in back else 0,
            by=command.by,
        )
        for wall in state.parcels.walls.values():
            clear(state, wall, "stands_again", key=parcel.key)
    return Reply(amount_minor=sum(back.values()))


def _refund(state: HubState, command: ReturnGoods, parcels: list[Parcel]) -> dict[str, int]:
    """Gives back what these parcels cost, sale by sale; what each sale gave back."""
    wanted: dict[str, list[RefundLine]] = {}
    for parcel in parcels:
        visit = None if parcel.visit_id is None else state.visit(parcel.visit_id)
        if visit is None:
            continue
        for line in visit.lines:
            left = line.quantity - visit.refunded.get(line.line, 0)
            paid_minor = line.left(left).gross_minor
            if f"parcel:{parcel.key}" in line.reaches and paid_minor > 0:
                wanted.setdefault(visit.visit_id, []).append(
                    RefundLine(line=line.line, quantity=left)
                )
    for visit_id in wanted:
        refunds.check(state, state.visit(visit_id))
    back = {}
    for visit_id, lines in sorted(wanted.items()):
        refund = RefundVisit(
            refund_id=f"{command.return_id}:{us(state.now_s)}"[:127],
            visit_id=visit_id,
            lines=tuple(lines),
            reason=command.reason or "goods returned",
        )
        back[visit_id] = settlement.refund(state, refund).amount_minor
    return back
