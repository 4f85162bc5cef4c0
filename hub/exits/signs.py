"""What a gate's display says to those who cross it now, in the order they left. Pure."""

from __future__ import annotations

from contracts.signs import SIGNS_MAX, ExitSign, GateSigns, Mark
from hub.catalog.notices import exit_notice
from hub.errors import RejectedError
from hub.receipts.words import amount
from hub.review.doubts import unclear_of
from hub.review.waiting import owed
from hub.state import HubState
from hub.visits.gates import gate_of
from hub.visits.marks import mark_of
from hub.visits.model import Visit

__all__ = ["SHOWN_S", "gate_signs"]

SHOWN_S = 8.0
"""A final sign stays so long after the settlement."""
WAITING_S_MAX = 20.0
"""Whoever still waits for a receipt walks on and has it on the phone."""


def gate_signs(state: HubState, gate_id: str, now_s: float) -> GateSigns:
    """The signs of one gate; RejectedError if it is no exit of the store."""
    gate = gate_of(state.store, gate_id)
    if gate is None or gate.kind != "exit":
        raise RejectedError(f"expected an exit gate of the store, got {gate_id}")
    leaving = [
        visit
        for visit in state.visits.values()
        if visit.exit_gate_id == gate_id
        and visit.stage in ("left", "final")
        and now_s < _until_s(visit)
    ]
    leaving.sort(key=lambda visit: (visit.exited_s or 0.0, visit.visit_id))
    signs = [sign for visit in leaving if (sign := _sign(state, visit, now_s)) is not None]
    return GateSigns(
        gate_id=gate_id,
        signs=tuple(signs[:SIGNS_MAX]),
        waiting=max(0, len(signs) - SIGNS_MAX),
    )


def _until_s(visit: Visit) -> float:
    exited_s = visit.exited_s or 0.0
    if visit.settled_s is not None:
        return min(visit.settled_s + SHOWN_S, exited_s + WAITING_S_MAX + SHOWN_S)
    return exited_s + WAITING_S_MAX


def _sign(state: HubState, visit: Visit, now_s: float) -> ExitSign | None:
    found = mark_of(visit, now_s)
    if found is None:
        return None
    mark, until_s = Mark.model_validate(found), _until_s(visit)
    asked = exit_notice(state, visit)
    if asked is not None:
        return ExitSign(mark=mark, state="ask", words=asked, more="to our staff", until_s=until_s)
    if visit.stage == "final":
        lines = visit.lines
    else:
        lines = state.carts.lines(visit.visit_id, owed(state, visit.visit_id), state.catalog)
    unclear = len(unclear_of(state, visit.visit_id)) if visit.open else 0
    count = sum(line.quantity for line in lines)
    total = amount(sum(line.gross_minor for line in lines), state.store.currency)
    words = f"{_items(count)}, {total}" if count else "nothing to pay"
    if unclear:
        return ExitSign(
            mark=mark,
            state="checking",
            words=f"checking {'one item' if unclear == 1 else f'{unclear} items'}",
            more=words if count else "if we are not sure, it is free",
            until_s=until_s,
        )
    if visit.stage == "final":
        return ExitSign(mark=mark, state="final", words=words, more="thank you", until_s=until_s)
    return ExitSign(mark=mark, state="total", words=words, until_s=until_s)


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"
