"""Looking at what decisions do to the shelves: strays, slots that run out, nodes beyond belief.

None of it changes what the journal of a store led to before there was a policy: strays are kept
beside the books, and slots and nodes are only watched once `SetGoodsPolicy` says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from hub.attribution.model import Decision
from hub.catalog.commands import SetGoodsPolicy
from hub.command import Reply
from hub.errors import RejectedError
from hub.inventory.commands import ReleaseNode
from hub.inventory.model import Place
from hub.state import HubState

__all__ = ["believe", "note_strays", "note_teller", "release_node", "set_policy", "watch_slots"]

MINUTE_S, HOUR_S = 60.0, 3_600.0
TELLERS_MAX = 20_000


def set_policy(state: HubState, command: SetGoodsPolicy) -> Reply:
    """How the store deals with goods from now on."""
    policy = state.shelves.policy
    wanted = {
        name: value
        for name in ("watch_stock", "low_percent", "pieces_per_minute_max", "beyond_stock_max")
        if (value := getattr(command, name)) is not None
    }
    changed = replace(policy, told=True, **wanted)
    age = command.unproven_age or state.catalog.offers.unproven_age
    if changed == policy and age == state.catalog.offers.unproven_age:
        return Reply(repeated=True)
    state.shelves.policy = changed
    state.catalog.offers.unproven_age = age
    if not changed.watch_stock:
        state.shelves.low.clear()
        state.shelves.out.clear()
    state.event(
        "policy.set",
        None,
        unproven_age=age,
        watch_stock=changed.watch_stock,
        low_percent=changed.low_percent,
        pieces_per_minute_max=changed.pieces_per_minute_max,
        beyond_stock_max=changed.beyond_stock_max,
    )
    state.effects.stock.update(state.stock.shelf)
    return Reply()


def release_node(state: HubState, command: ReleaseNode) -> Reply:
    """What the node says counts again; what is in review stays there."""
    if command.device_id not in state.devices.all:
        raise RejectedError(f"expected a node of the store, got {command.device_id}")
    if state.shelves.quarantined.pop(command.device_id, None) is None:
        return Reply(repeated=True)
    state.shelves.moved.pop(command.device_id, None)
    state.event("node.released", None, device_id=command.device_id)
    return Reply()


def note_teller(state: HubState, reach_id: str, device_id: str) -> None:
    """Remembers which node told of a reach, for as long as its decision may be revised."""
    tellers = state.shelves.tellers
    tellers[reach_id] = device_id
    while len(tellers) > TELLERS_MAX:
        del tellers[next(iter(tellers))]


def believe(state: HubState, decision: Decision) -> Decision:
    """The decision as it may move carts: uncertain where its node is beyond belief."""
    shelves, policy = state.shelves, state.shelves.policy
    device_id = shelves.tellers.get(decision.reach_id)
    if device_id is None or not decision.certain or decision.best.gtin is None:
        return decision
    bounded = policy.pieces_per_minute_max or policy.beyond_stock_max
    if bounded and device_id not in shelves.quarantined and decision.best.quantity:
        _weigh(state, device_id, decision)
    if device_id not in shelves.quarantined:
        return decision
    return replace(decision, certain=False, why=f"{device_id} is quarantined; {decision.why}")


def _weigh(state: HubState, device_id: str, decision: Decision) -> None:
    """Adds a decision to what its node moved lately, and quarantines the node if it is too much."""
    policy = state.shelves.policy
    rows = state.shelves.moved.setdefault(device_id, deque())
    while rows and rows[0][0] < state.now_s - HOUR_S:
        rows.popleft()
    best = decision.best
    beyond = 0
    if best.quantity > 0 and best.gtin in state.stock.counts and decision.revision == 0:
        beyond = max(0, best.quantity - state.stock.on_shelves(str(best.gtin)))
    rows.append((state.now_s, abs(best.quantity), beyond))
    minute = sum(pieces for t_s, pieces, _ in rows if t_s > state.now_s - MINUTE_S)
    hour = sum(more for _, _, more in rows)
    why = ""
    if policy.pieces_per_minute_max and minute > policy.pieces_per_minute_max:
        why = f"it moved {minute} pieces in a minute"
    elif policy.beyond_stock_max and hour > policy.beyond_stock_max:
        why = f"it took {hour} pieces in an hour that no shelf held"
    if why:
        rows.clear()
        state.shelves.quarantined[device_id] = (state.now_s, why)
        state.count("nodes_quarantined")
        state.event("node.quarantined", None, device_id=device_id, reason=why)


def note_strays(state: HubState, decision: Decision, places: Iterable[Place]) -> None:
    """Keeps since when and by which reach a piece lies in a slot that is not its own."""
    strays = state.shelves.strays
    for place in (*[one for one in strays if not state.stock.shelf.get(one)], *places):
        slot_id, gtin = place
        facing = state.shelves.planogram.get(slot_id)
        astray = facing is not None and facing.gtin != gtin and state.stock.shelf.get(place, 0) > 0
        if not astray:
            strays.pop(place, None)
        elif place not in strays:
            strays[place] = (decision.t_s, decision.reach_id)


def watch_slots(state: HubState) -> None:
    """Tells once of every slot that ran low or out, and once when it is filled again."""
    shelves = state.shelves
    if not shelves.policy.watch_stock:
        return
    for slot_id in sorted({slot for slot, _gtin in state.effects.stock}):
        facing = shelves.planogram.get(slot_id)
        if facing is None:
            continue
        count = state.stock.shelf.get((slot_id, facing.gtin), 0)
        low_at = shelves.low_at(slot_id)
        facts = {"slot_id": slot_id, "gtin": facing.gtin, "on_hand": count}
        if count == 0 and slot_id not in shelves.out:
            shelves.out.add(slot_id)
            shelves.low.add(slot_id)
            state.event("stock.ran_out", None, **facts)
        elif 0 < count <= low_at and slot_id not in shelves.low:
            shelves.low.add(slot_id)
            state.event("stock.low", None, **facts, low_at=low_at)
        elif count > low_at and slot_id in shelves.low:
            shelves.low.discard(slot_id)
            state.event("stock.filled", None, **facts)
        if count:
            shelves.out.discard(slot_id)
