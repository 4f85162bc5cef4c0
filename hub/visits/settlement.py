"""Settling a visit once: waiting for what could still be its own, charging, correcting downwards.

A visit waits until every node whose bays it came near has said (by its watermark) all that
happened before the exit, no reach near it is open or undecided, or its grace has ended. Where the
store is set to it (SetSettling) a node must only have told what happened until the shopper was
seen away from its bays: what moves there later is somebody else's.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.geometry import Bay
from hub.attribution.model import Decision
from hub.catalog.goods import withhold
from hub.commands import RefundVisit, Reply
from hub.effects import us
from hub.errors import ConflictError, RejectedError
from hub.levels import DATED_LEVEL, LANES_LEVEL, TOLD_END_LEVEL
from hub.review.doubts import unclear_of
from hub.review.waiting import owed, waits_for_staff
from hub.state import HubState, NearReach, decision_data
from hub.visits import undated
from hub.visits.codes import code_digest
from hub.visits.commands import SetSettling
from hub.visits.gates import bay_distance_m
from hub.visits.model import Body, Visit
from hub.wallet import funding, refunds
from hub.wallet.service import ChargeLine

__all__ = [
    "charge_lines",
    "could_be",
    "forget_finals",
    "refund",
    "set_settling",
    "settle_ready",
    "waits_for",
]

TRAIL_SLACK_S = 2.0
UNSEEN_S_MAX = 1.0
"""Who was out of sight for longer may have been at any bay meanwhile."""


def set_settling(state: HubState, command: SetSettling) -> Reply:
    """What an exit waits for, from the next one on."""
    if command.by_place == state.by_place:
        return Reply(repeated=True)
    state.by_place = command.by_place
    state.event("settling.set", None, by_place=command.by_place)
    return Reply()


def settle_ready(state: HubState) -> None:
    """Settles every visit that has left and waits for nothing more, staff included."""
    for visit in state.open_visits():
        if visit.stage != "left":
            continue
        if visit.review_until_s is None:
            open_points = waits_for(state, visit)
            grace_over = visit.grace_until_s is not None and state.now_s >= visit.grace_until_s
            if open_points and not grace_over:
                continue
            for point in open_points:
                visit.mark_review(f"settled without {point}")
            for point in undated.open_points(state, visit):
                visit.mark_review(point)
            if _ended_by_staff(state, visit) and _may_be_inside(state, visit):
                visit.mark_review("out of sight before staff ended it, and somebody was inside")
        if visit.kind == "staff":
            _end_staff(state, visit)
        elif not waits_for_staff(state, visit):
            _settle(state, visit)


def waits_for(state: HubState, visit: Visit) -> list[str]:
    """What could still change this visit's cart; empty if nothing can."""
    if visit.exit_kind == "unseen" or visit.exited_s is None:
        return []
    if visit.awaited is None:
        if _ended_by_staff(state, visit) and state.floor.time_s < visit.exited_s:
            # Nobody knows yet where the shopper was until then.
            return ["news of the floor"]
        visit.awaited = _awaited(state, visit, visit.exited_s)
    points = [
        f"news from {device_id}"
        for device_id, until_s in visit.awaited.items()
        if not _told(state, device_id, until_s)
    ]
    points.extend(
        f"reach {reach.reach_id}"
        for reach in state.reaches.values()
        if reach.t_open_s <= visit.exited_s
        and could_be(state, visit, reach)
        and not _given_up(state, reach)
    )
    return points


def could_be(state: HubState, visit: Visit, reach: NearReach) -> bool:
    """Whether the shopper was near the reach's bay while it was open; true if nobody knows."""
    bay = next((bay for bay in state.store.bays if bay.bay_id == reach.bay_id), None)
    if bay is None:
        return False
    end_s = reach.t_close_s if reach.t_close_s is not None else state.now_s
    seen = visit.places_within(reach.t_open_s - TRAIL_SLACK_S, end_s + TRAIL_SLACK_S)
    if not seen:
        return visit.lost or not any(body.trail for body in visit.bodies())
    return any(bay_distance_m(bay, point) <= state.rules.near_m for point in seen)


def _ended_by_staff(state: HubState, visit: Visit) -> bool:
    return state.level >= TOLD_END_LEVEL and visit.exit_kind == "by_staff"


def _may_be_inside(state: HubState, visit: Visit) -> bool:
    """Whether a body of a visit that staff ended may have gone on as one that nobody knows: it was
    out of sight before, and somebody began to be seen meanwhile."""
    exited_s = visit.exited_s or 0.0
    seen = [
        exited_s if track is None or track.last is None else track.last[0]
        for body in visit.bodies()
        for track in [state.floor.tracks.get(body.track_id or "")]
    ]
    return any(
        track.visit_id is None
        and not track.told
        and any(last_s < track.born_s <= exited_s for last_s in seen)
        for track in state.floor.tracks.values()
    )


def _given_up(state: HubState, reach: NearReach) -> bool:
    """A closed reach that the attributor had long enough moved nothing."""
    return (
        reach.t_close_s is not None
        and state.now_s - max(reach.heard_s, reach.t_close_s) > state.rules.decide_wait_s
    )


def _awaited(state: HubState, visit: Visit, exited_s: float) -> dict[str, float]:
    """The nodes whose bays the shopper came near, and up to when each must have told everything.

    It is found once: nobody walks on after the exit, and a long visit has been at many places.
    """
    late_s = exited_s + state.rules.settle_delay_s
    nodes = {
        node.node_id: [bay for bay in state.store.bays if bay.bay_id in node.bays]
        for node in state.store.nodes
    }
    walks = [_walk(state, body, exited_s) for body in visit.bodies() if body.trail]
    if not walks:
        return {name: late_s for name, bays in nodes.items() if bays}
    found = {}
    for name, bays in nodes.items():
        # From the end: who leaves has mostly been at a shelf a minute before, and not for an hour.
        if not any(_near(state, bays, place) for walk in walks for place in reversed(walk)):
            continue
        away = [_away_s(state, bays, walk) for walk in walks]
        known = [t_s for t_s in away if t_s is not None]
        seen_away = state.by_place and not visit.lost and len(known) == len(away)
        found[name] = max(known) if seen_away else late_s
    return found


def _walk(state: HubState, body: Body, exited_s: float) -> list[tuple[float, float, float]]:
    """Where a body was, and last where it was when it left."""
    if not state.by_place:
        return list(body.trail)
    gone_s = exited_s if body.gone_s is None else body.gone_s
    track = state.floor.tracks.get(body.track_id or "")
    # The trail goes farther back, the track is finer.
    points = [] if track is None else list(track.points)
    begin_s = points[0][0] if points else gone_s
    walk = [place for place in body.trail if place[0] < begin_s]
    walk += [place for place in points if place[0] <= gone_s]
    walk = walk or list(body.trail)
    return [*walk, (gone_s, *walk[-1][1:])]


def _near(state: HubState, bays: list[Bay], place: tuple[float, float, float]) -> bool:
    point = place[1:]
    near_m = state.rules.near_m
    for bay in bays:
        # Much farther along one axis than the bay is wide: most bays are, and need no more asking.
        far_m = near_m + bay.width_m + 0.001
        if (
            abs(point[0] - bay.origin_m[0]) <= far_m
            and abs(point[1] - bay.origin_m[1]) <= far_m
            and bay_distance_m(bay, point) <= near_m
        ):
            return True
    return False


def _away_s(
    state: HubState, bays: list[Bay], walk: list[tuple[float, float, float]]
) -> float | None:
    """From when on a body was surely away: seen elsewhere, and in sight until it left. None if it
    was near to the end."""
    away_s = None
    after_s = walk[-1][0]
    for place in reversed(walk):
        t_s = place[0]
        if after_s - t_s > UNSEEN_S_MAX or _near(state, bays, place):
            return away_s
        away_s = after_s = t_s
    return away_s


def _told(state: HubState, device_id: str, until_s: float) -> bool:
    """Whether a node has said everything up to a time, in every boot it spoke in."""
    device = state.devices.all[device_id]
    boot = device.boot
    if boot is None or boot.watermark_s is None or boot.watermark_s < until_s:
        return False
    if state.level >= DATED_LEVEL and boot.clock.best is None and state.rules.clock_wait_s > 0:
        # It was dated by when it came here, which may be long after it was said.
        return False
    return not any(other.waiting or other.held for other in device.boots.values())


def _settle(state: HubState, visit: Visit) -> None:
    visit_id = visit.visit_id
    unclear = unclear_of(state, visit_id)
    if unclear:
        visit.mark_review(f"{len(unclear)} unclear reaches")
        visit.unclear = [dict(decision_data(decision)) for decision in unclear]
    quantities = owed(state, visit_id)
    withhold(state, visit, quantities)
    lines = state.carts.lines(visit_id, quantities, state.catalog, final=True)
    charge_lines(state, visit, lines, unclear)
    state.attributor.forget(visit_id=visit_id)
    state.stock.settle(visit_id, lines)
    state.effects.stock.update(state.stock.shelf)
    state.carts.settle(visit_id)
    _let_go(state, visit)


def charge_lines(
    state: HubState, visit: Visit, lines: list[ChargeLine], unclear: Sequence[Decision] = ()
) -> None:
    """A visit is final: it is charged for these lines, and its receipt is made."""
    visit_id = visit.visit_id
    transaction = state.wallets.charge(visit_id, lines, at_us=us(state.now_s))
    if transaction is not None:
        state.effects.transactions.append(transaction)
    account = state.wallets.account(visit_id)
    visit.lines = lines
    visit.stage = "final"
    visit.settled_s = state.now_s
    state.event(
        "visit.settled",
        visit_id,
        total_minor=account.total_minor,
        charged_minor=account.charged_minor,
        debt_minor=account.debt_minor,
        currency=state.store.currency,
        needs_review=visit.needs_review,
        reasons=list(visit.review_reasons),
        lines=[_line_data(line) for line in lines],
        unclear=[[decision.reach_id, decision.line] for decision in unclear],
    )
    state.effects.receipts.append(visit_id)
    funding.resolve(state, visit)


def _end_staff(state: HubState, visit: Visit) -> None:
    """Staff have left: what they moved has been accounted for move by move, nothing is charged."""
    visit.stage = "final"
    visit.settled_s = state.now_s
    visit.needs_review = False
    visit.review_reasons.clear()
    state.event("staff.left", visit.visit_id, how=visit.exit_kind)
    state.attributor.forget(visit_id=visit.visit_id)
    state.carts.settle(visit.visit_id)
    _let_go(state, visit)


def _let_go(state: HubState, visit: Visit) -> None:
    """A visit is over: its bodies are anybody again, and where they were is forgotten."""
    for name in visit.tracks:
        track = state.floor.tracks.get(name)
        if track is not None:
            track.visit_id = None
            track.told = True
    for body in visit.bodies():
        body.trail.clear()
    visit.awaited = None
    forget_finals(state)


def _line_data(line: ChargeLine) -> list[object]:
    """A line as the event says it; what promotions took off only where they did."""
    said: list[object] = [
        line.gtin,
        line.quantity,
        line.unit_price_minor,
        line.vat_rate,
        list(line.reaches),
    ]
    if line.discount_minor:
        said += [line.discount_minor, list(line.promotions)]
    return said


def forget_finals(state: HubState) -> None:
    """Keeps the latest closed visits in memory; all of them are in the database."""
    busy = {ask.visit_id for ask in state.asks.values()}
    busy.update(state.aftercare.open.values())
    busy.update(state.parked.values())
    closed = [
        visit.visit_id
        for visit in state.visits.values()
        if not visit.open
        and visit.visit_id not in busy
        and not state.wallets.purses.on_tab(visit.payer, visit.visit_id)
    ]
    for visit_id in closed[: max(0, len(closed) - state.rules.visits_final_kept)]:
        visit = state.visits.pop(visit_id)
        state.by_token.pop(visit.token_sha256, None)
        state.by_code.pop(code_digest(visit.code), None)
        account = state.wallets.accounts.pop(visit_id, None)
        if visit_id in state.effects.visits:
            state.effects.left_visits[visit_id] = visit, account
        state.wallets.purses.visit_cards.pop(visit_id, None)


def refund(state: HubState, command: RefundVisit) -> Reply:
    """Takes receipt lines back: new entries, and money back through the gateway if it was paid."""
    visit = state.visit(command.visit_id)
    wanted = ",".join(f"{line.line}x{line.quantity}" for line in command.lines)
    known = visit.refund_ids.get(command.refund_id)
    if known is not None:
        if known != wanted:
            raise ConflictError(f"refund {command.refund_id} was made before with other lines")
        return Reply(visit_id=visit.visit_id, repeated=True)
    if visit.stage != "final":
        raise RejectedError(f"expected a settled visit, this one is {visit.stage}")
    refunds.check(state, visit)
    back, before = _refund_lines(visit, command)
    lanes = state.level >= LANES_LEVEL
    transaction, shares = state.wallets.refund(
        visit.visit_id, back, before, at_us=us(state.now_s), lanes=lanes
    )
    state.effects.transactions.append(transaction)
    for line in back:
        visit.refunded[line.line] = visit.refunded.get(line.line, 0) + line.quantity
    visit.refund_ids[command.refund_id] = wanted
    amount_minor = sum(line.gross_minor for line in back)
    state.event(
        "visit.corrected",
        visit.visit_id,
        refund_id=command.refund_id,
        amount_minor=amount_minor,
        paid_back_minor=sum(amount for _leg, amount in shares),
        lines=[[line.line, line.gtin, line.quantity] for line in back],
        reason=command.reason,
    )
    refunds.pay_back(state, visit, shares)
    return Reply(visit_id=visit.visit_id, amount_minor=amount_minor)


def _refund_lines(visit: Visit, command: RefundVisit) -> tuple[list[ChargeLine], list[ChargeLine]]:
    """The pieces that go back, and what was left of their lines before."""
    by_number = {line.line: line for line in visit.lines}
    numbers = [line.line for line in command.lines]
    if len(set(numbers)) != len(numbers):
        raise RejectedError(f"expected each line once, got {numbers}")
    back, before = [], []
    for wish in command.lines:
        line = by_number.get(wish.line)
        left = 0 if line is None else line.quantity - visit.refunded.get(wish.line, 0)
        if line is None or wish.quantity > left:
            raise RejectedError(
                f"expected at most {left} pieces of line {wish.line}, got {wish.quantity}"
            )
        before.append(line.left(left))
        back.append(line.given_back(left, wish.quantity))
    return back, before
