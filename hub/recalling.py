"""What of the past a command is about: it is read back into memory before the command is done."""

from __future__ import annotations

from collections.abc import Iterator

from hub import commands as c
from hub.parcels.returns import sales_of
from hub.parcels.stored import order_record
from hub.state import HubState
from hub.store.service import Store
from hub.wallet.debts import may_pay

__all__ = ["recalls"]

ABOUT_ORDERS = (c.PlaceOrder, c.AddParcel, c.CancelOrder, c.ReleaseOrder, c.ReturnGoods)
"""An order that is placed again is the one of before, however long ago that was."""


def recalls(state: HubState, store: Store, command: c.Command) -> Iterator[c.Command]:
    """Commands to be done before this one, each before the next is asked for: the orders and
    visits that it is about, as they are stored."""
    if isinstance(command, ABOUT_ORDERS) and command.order_id not in state.parcels.orders:
        record = order_record(store, command.order_id)
        if record is not None:
            yield c.RecallOrder(record=record)
    if isinstance(command, c.AddTip) and command.token_sha256 not in state.by_token:
        record = store.visit_record(token_sha256=command.token_sha256)
        if record is not None:
            yield c.Recall(record=record)
    for visit_id in _visits(state, store, command):
        record = None if visit_id in state.visits else store.visit_record(visit_id=visit_id)
        if record is None:
            continue
        if not isinstance(command, c.PayDebt) or may_pay(record["visit"], command):
            yield c.Recall(record=record)


def _visits(state: HubState, store: Store, command: c.Command) -> list[str]:
    if isinstance(command, c.GatewayTold) and command.dispute_id is not None:
        # What the bank takes back of a tab is a loss of all the visits that the tab has paid.
        return sorted({command.visit_id, *store.visits_paid_by(command.hold_key)})
    if isinstance(command, c.GatewayTold) and command.refund_key is not None:
        # A tab's payment is named by none of them: the refund's key says whose it is.
        return sorted({command.visit_id, command.refund_key.partition(":refund:")[0]})
    if isinstance(command, c.RECALLED):
        return [] if command.visit_id is None else [command.visit_id]
    if isinstance(command, c.ReturnGoods):
        return sales_of(state, command)
    return [command.visit_id] if isinstance(command, c.PayDebt) else []
