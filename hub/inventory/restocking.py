"""What staff do to shelves: rounds of restocking, counts, finds, another product in a slot."""

from __future__ import annotations

from dataclasses import replace

from hub.attribution.model import Decision
from hub.command import Reply, repeated
from hub.errors import ConflictError, RejectedError
from hub.inventory.commands import (
    ChangePlanogram,
    ConfirmMove,
    CountSlot,
    FindPieces,
    FinishRestocking,
    MoveStock,
    ResolveFind,
    StartRestocking,
)
from hub.inventory.model import Counts
from hub.inventory.shelves import Facing, Find, Move, Session
from hub.state import HubState

__all__ = [
    "change_planogram",
    "confirm_move",
    "count_slot",
    "differences",
    "find_pieces",
    "finish_restocking",
    "move_stock",
    "resolve_find",
    "staff_filled",
    "start_restocking",
]

TIMES_CAPACITY_MAX = 2
"""Beyond so many times what a slot holds an amount is a slip of the finger until confirmed."""
SESSIONS_OPEN_MAX = 20
MOVES_MAX = 5_000
FINDS_WAITING_MAX = 1_000


def count_slot(state: HubState, command: CountSlot) -> Reply:
    """The books follow a count; the correction is an event of its own, nothing is rewritten."""
    shelves = state.shelves
    content = [command.slot_id, command.gtin, command.counted]
    known = shelves.counts.get(command.count_id)
    if known is not None:
        return repeated(f"count {command.count_id}", known, content)
    place = state.stock.place(command.slot_id, command.gtin)
    most = TIMES_CAPACITY_MAX * shelves.planogram[command.slot_id].capacity
    if command.counted > most and not command.confirmed:
        raise RejectedError(
            f"expected at most {most} pieces in {command.slot_id}, got {command.counted}; send it "
            "again with confirmed if it is right"
        )
    difference = state.stock.count(command.slot_id, command.gtin, command.counted)
    shelves.counts[command.count_id] = content
    shelves.forget_done()
    shelves.stale = shelves.stale or difference != 0
    state.effects.stock.add(place)
    state.event(
        "stock.counted",
        None,
        **command.model_dump(mode="json", exclude={"kind", "confirmed"}),
        difference=difference,
    )
    return Reply()


def start_restocking(state: HubState, command: StartRestocking) -> Reply:
    """A round of restocking begins: what hands put in meanwhile is staff's."""
    shelves = state.shelves
    known = shelves.sessions.get(command.session_id)
    if known is not None:
        if known.finished_s is not None:
            raise ConflictError(f"session {command.session_id} is finished; take another id")
        return Reply(repeated=True)
    if len(shelves.open_sessions()) >= SESSIONS_OPEN_MAX:
        raise RejectedError(f"expected at most {SESSIONS_OPEN_MAX} open sessions; finish some")
    shelves.sessions[command.session_id] = Session(command.session_id, command.role, state.now_s)
    state.event("restocking.started", None, session_id=command.session_id, role=command.role)
    return Reply()


def move_stock(state: HubState, command: MoveStock) -> Reply:
    """Pieces go in or out. Far more than a slot holds is kept back until it is confirmed."""
    session = _session(state, command.session_id)
    known = session.moves.get(command.move_id)
    if known is not None:
        return repeated(
            f"move {command.move_id}",
            (known.slot_id, known.gtin, known.quantity),
            (command.slot_id, command.gtin, command.quantity),
        )
    if command.quantity == 0:
        raise RejectedError("expected some pieces put in, or taken out if negative, got 0")
    if len(session.moves) >= MOVES_MAX:
        raise RejectedError(f"expected at most {MOVES_MAX} moves a session; finish it")
    state.stock.place(command.slot_id, command.gtin)
    held = command.quantity > 0 and _implausible(state, command)
    move = Move(
        command.move_id, command.slot_id, command.gtin, command.quantity, command.role,
        "held" if held else "done",
    )  # fmt: skip
    if not held:
        _apply(state, move)
    session.moves[command.move_id] = move
    facts = command.model_dump(mode="json", exclude={"kind"})
    if held:
        state.event("restocking.held", None, **facts)
    else:
        state.event("restocking.moved", None, **facts)
    return Reply()


def confirm_move(state: HubState, command: ConfirmMove) -> Reply:
    """The second look at an amount that was kept back."""
    session = _session(state, command.session_id)
    move = session.moves.get(command.move_id)
    if move is None:
        raise RejectedError(f"expected a move of {command.session_id}, got {command.move_id}")
    wanted = "done" if command.approve else "dropped"
    if move.state != "held":
        if move.state != wanted:
            raise ConflictError(f"move {command.move_id} is {move.state} already")
        return Reply(repeated=True)
    facts = {
        "session_id": command.session_id,
        "move_id": command.move_id,
        "slot_id": move.slot_id,
        "gtin": move.gtin,
        "quantity": move.quantity,
        "role": command.role,
    }
    if command.approve:
        _apply(state, move)
        move.state = "done"
        state.event("restocking.confirmed", None, **facts)
    else:
        move.state = "dropped"
        state.event("restocking.dropped", None, **facts)
    return Reply()


def finish_restocking(state: HubState, command: FinishRestocking) -> Reply:
    """The round is over; what was told and what was seen are put side by side."""
    session = state.shelves.sessions.get(command.session_id)
    if session is not None and session.finished_s is not None:
        return Reply(repeated=True)
    session = _session(state, command.session_id)
    for move in session.moves.values():
        if move.state == "held":
            move.state = "dropped"
    session.finished_s = state.now_s
    state.event(
        "restocking.finished",
        None,
        session_id=command.session_id,
        moves=sum(move.state == "done" for move in session.moves.values()),
        dropped=[move.move_id for move in session.moves.values() if move.state == "dropped"],
        differences=differences(session),
    )
    state.shelves.forget_done()
    return Reply()


def differences(session: Session) -> list[list[object]]:
    """Where staff's word and the sensors differ: [slot, GTIN, told, seen] in pieces put in.

    Only where a sensor saw anything at all: a shelf nobody watches contradicts nobody.
    """
    told: dict[tuple[str, str], int] = {}
    for move in session.moves.values():
        if move.state == "done":
            place = (move.slot_id, move.gtin)
            told[place] = told.get(place, 0) + move.quantity
    seen: dict[tuple[str, str], int] = {}
    for slot_id, gtin, count in session.seen.values():
        seen[slot_id, gtin] = seen.get((slot_id, gtin), 0) + count
    slots = {slot for slot, _ in seen}
    return [
        [*place, told.get(place, 0), seen.get(place, 0)]
        for place in sorted({*told, *seen})
        if place[0] in slots and told.get(place, 0) != seen.get(place, 0)
    ]


def staff_filled(state: HubState, decision: Decision, *, staff: bool) -> Decision:
    """The decision as it may move the books: while staff restock, what their hands move (`staff`)
    is kept for the comparison only. What staff say is what counts."""
    sessions = state.shelves.open_sessions()
    key = f"{decision.reach_id}/{decision.line}"
    for session in sessions:
        session.seen.pop(key, None)
    best = decision.best
    if not sessions or not staff or not decision.certain or best.gtin is None:
        return decision
    slot_id = best.slot_id if best.slot_id in state.shelves.planogram else None
    if slot_id is None or best.quantity == 0:
        return decision
    sessions[-1].seen[key] = (slot_id, best.gtin, -best.quantity)
    return replace(decision, certain=False)


def find_pieces(state: HubState, command: FindPieces) -> Reply:
    """Pieces that lay about, or were handed back, are in the lost-and-found."""
    shelves = state.shelves
    known = shelves.finds.get(command.find_id)
    if known is not None:
        return repeated(
            f"find {command.find_id}",
            (known.gtin, known.quantity, known.visit_id),
            (command.gtin, command.quantity, command.visit_id),
        )
    if sum(one.state == "waiting" for one in shelves.finds.values()) >= FINDS_WAITING_MAX:
        raise RejectedError(f"expected at most {FINDS_WAITING_MAX} finds; shelve or keep some")
    owed = _owed(state, command) if command.visit_id is not None else []
    state.stock.find(command.gtin, command.quantity)
    left = command.quantity
    for row in owed:
        part = min(left, row["quantity"] - row["back"])
        row["back"] += part
        left -= part
    shelves.finds[command.find_id] = Find(
        command.find_id, command.gtin, command.quantity, command.where, command.visit_id,
        command.role, state.now_s,
    )  # fmt: skip
    _touch(state, command.gtin)
    said = command.model_dump(mode="json", exclude={"kind", "visit_id"})
    state.event("stock.found", command.visit_id, **said)
    return Reply(visit_id=command.visit_id)


def resolve_find(state: HubState, command: ResolveFind) -> Reply:
    """Found pieces go back to a slot, or out of sale."""
    find = state.shelves.finds.get(command.find_id)
    if find is None:
        raise RejectedError(f"expected a find of this store, got {command.find_id}")
    if find.state != "waiting":
        if find.slot_id != command.slot_id:
            raise ConflictError(f"find {command.find_id} is {find.state} already")
        return Reply(repeated=True)
    place = state.stock.give_out(find.gtin, find.quantity, command.slot_id)
    find.slot_id = command.slot_id
    find.state = "kept" if command.slot_id is None else "shelved"
    state.shelves.stale = state.shelves.stale or place is not None
    _touch(state, find.gtin)
    if place is not None:
        state.effects.stock.add(place)
    state.event(
        "find.resolved",
        None,
        find_id=command.find_id,
        gtin=find.gtin,
        quantity=find.quantity,
        slot_id=command.slot_id,
        role=command.role,
    )
    state.shelves.forget_done()
    return Reply()


def change_planogram(state: HubState, command: ChangePlanogram) -> Reply:
    """A slot is for another product from now on."""
    if command.slot_id not in state.shelves.planogram:
        raise RejectedError(f"expected a slot of the store, got {command.slot_id}")
    if command.gtin not in state.catalog.products:
        raise RejectedError(f"expected a GTIN of this store, got {command.gtin}; add it first")
    facing = Facing(command.gtin, command.facings, command.deep, command.low_at)
    if command.low_at is not None and command.low_at >= facing.capacity:
        raise RejectedError(
            f"expected low_at below the {facing.capacity} pieces the slot holds, got "
            f"{command.low_at}"
        )
    before = state.shelves.planogram[command.slot_id]
    if before == facing:
        return Reply(repeated=True)
    state.stock.counts.setdefault(command.gtin, Counts())
    state.stock.shelf.setdefault((command.slot_id, command.gtin), 0)
    state.shelves.planogram[command.slot_id] = facing
    state.shelves.changed.add(command.slot_id)
    state.shelves.strays.pop((command.slot_id, command.gtin), None)
    old = (command.slot_id, before.gtin)
    if before.gtin != command.gtin and state.stock.shelf.get(old, 0) > 0:
        state.shelves.strays[old] = (state.now_s, "")
    state.shelves.low.discard(command.slot_id)
    state.shelves.out.discard(command.slot_id)
    state.shelves.stale = True
    state.effects.stock.add((command.slot_id, command.gtin))
    state.effects.planogram.add(command.slot_id)
    state.event(
        "planogram.changed",
        None,
        **command.model_dump(mode="json", exclude={"kind"}),
        before=before.row(),
    )
    return Reply()


def _owed(state: HubState, command: FindPieces) -> list[dict[str, int]]:
    """What a visit must still hand back of a product."""
    visit = state.visits.get(str(command.visit_id))
    rows = [] if visit is None else [r for r in visit.withheld if r["gtin"] == command.gtin]
    waiting = sum(row["quantity"] - row["back"] for row in rows)
    if command.quantity > waiting:
        raise RejectedError(
            f"expected at most {waiting} of {command.gtin} that {command.visit_id} must hand back, "
            f"got {command.quantity}"
        )
    return rows


def _touch(state: HubState, gtin: str) -> None:
    """The product's counts are written again, with one of its places."""
    place = next((place for place in state.stock.shelf if place[1] == gtin), None)
    if place is not None:
        state.effects.stock.add(place)


def _implausible(state: HubState, command: MoveStock) -> bool:
    there = sum(n for (slot, _), n in state.stock.shelf.items() if slot == command.slot_id)
    capacity = state.shelves.planogram[command.slot_id].capacity
    return there + command.quantity > TIMES_CAPACITY_MAX * capacity


def _apply(state: HubState, move: Move) -> None:
    if move.quantity > 0:
        place = state.stock.restock(move.slot_id, move.gtin, move.quantity)
    else:
        place = state.stock.remove(move.slot_id, move.gtin, -move.quantity)
    if state.shelves.planogram[move.slot_id].gtin != move.gtin:
        if state.stock.shelf[place] > 0:
            state.shelves.strays.setdefault(place, (state.now_s, ""))
        else:
            state.shelves.strays.pop(place, None)
    state.effects.stock.add(place)
    state.shelves.stale = True


def _session(state: HubState, session_id: str) -> Session:
    session = state.shelves.sessions.get(session_id)
    if session is None or session.finished_s is not None:
        raise RejectedError(f"expected an open restocking session, got {session_id}; start one")
    return session
