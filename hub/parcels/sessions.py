"""Somebody at a wall: what a scan opens, or why it opens nothing, and how it ends.

Two customers may be served at one wall, each with a look of their own; a third waits. Staff with a
badge and the stops of a route are sessions of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.command import Reply
from hub.errors import RejectedError
from hub.levels import STILL_THERE_LEVEL, YIELDS_LEVEL
from hub.parcels import paying
from hub.parcels.alarms import raise_alarm, wall_of
from hub.parcels.attending import followed, gone_for_good, stayed
from hub.parcels.codes import PickupJudged, holder_of
from hub.parcels.commands import OpenAtWall, ScanAtWall
from hub.parcels.judging import HANDOVER_S, hand_over_due
from hub.parcels.model import Order, Refusal, Session, SessionLook, Wall
from hub.parcels.opening import new_session, over, told_open
from hub.parcels.service import closed_word, move
from hub.parcels.stowing import place_scanned, staff_came
from hub.state import HubState
from hub.visits.commands import CodeJudged

__all__ = [
    "IDLE_S",
    "LINGER_S",
    "YIELD_S",
    "end",
    "in_hand",
    "open_at_wall",
    "open_for",
    "scan_at_wall",
    "scanned",
    "settle_state",
    "turn_away",
    "watch_sessions",
]

IDLE_S = 45.0
"""A customer at whose wall nothing moved for so long has gone."""
YIELD_S = 20.0
"""And after so long they give way to who waits for a light."""
STAFF_IDLE_S = 180.0
SERVED_S_MAX = 900.0
"""And nobody is served for longer, whatever moves."""
HOLDERS_MAX = 10_000
LINGER_S = 10.0
"""How a session ended, or why a scan opened nothing, is shown for so long."""
LATE_S = 20.0
"""A scan that is told later than this opens nothing: whoever scanned is not there any more."""
GUESS_WINDOW_S = 60.0
LOOKS: tuple[SessionLook, ...] = ("take_a", "take_b")
"""One for each customer at a wall."""
REFUSED_KEPT = 4
"""Refusals shown at one wall at once."""


def scan_at_wall(state: HubState, command: ScanAtWall) -> Reply:
    """A code was read at a kiosk."""
    wall = wall_of(state, command.wall_id)
    judged = None
    if command.verdict is not None:
        judged = PickupJudged(command.verdict, command.holder, command.entry, command.until_s)
    _scanned(state, wall, command.code_sha256, judged, state.now_s, 0.0)
    return Reply()


def scanned(
    state: HubState, wall_id: str, digest: str, judged: CodeJudged | None, t_s: float, sd_s: float
) -> None:
    """A code was read at a scanner that a node serves."""
    signed = None
    if judged is not None:
        holder = (judged.visit_id or "").removeprefix("v-")
        signed = PickupJudged(judged.verdict, holder, judged.entry, judged.until_s)
    _scanned(state, state.parcels.wall(wall_id), digest, signed, t_s, sd_s)


def open_at_wall(state: HubState, command: OpenAtWall) -> Reply:
    """A phone opens a wall for its orders."""
    wall = wall_of(state, command.wall_id)
    orders = _orders_of(state, holder_of(command.token_sha256), command.token_sha256)
    if not orders:
        raise RejectedError("expected a phone with orders here, this one has none")
    open_for(state, wall, orders)
    return Reply()


def _scanned(
    state: HubState,
    wall: Wall,
    digest: str,
    signed: PickupJudged | None,
    t_s: float,
    sd_s: float,
) -> None:
    room = state.parcels
    room.touched.add(wall.wall_id)
    if t_s < state.now_s - LATE_S:
        refuse(state, wall, "late")
        return
    badge = state.badges.get(digest)
    if badge is not None:
        staff_came(state, wall, badge)
        return
    if signed is not None:
        _signed_scan(state, wall, digest, signed, t_s - 3 * sd_s)
        return
    label = room.by_label.get(digest)
    if label is not None and place_scanned(state, wall, label):
        return
    since_s = state.now_s - GUESS_WINDOW_S
    wall.guesses = [at_s for at_s in wall.guesses if at_s > since_s]
    if len(wall.guesses) >= state.rules.guesses_max:
        refuse(state, wall, "wait")
        return
    order = room.orders.get(room.by_code.get(digest, ""))
    if order is None:
        _guessed(state, wall)
        refuse(state, wall, "unknown")
        return
    open_for(state, wall, [order])


def _signed_scan(
    state: HubState, wall: Wall, digest: str, signed: PickupJudged, earliest_s: float
) -> None:
    room = state.parcels
    reason: Refusal = ""
    if signed.verdict == "forged":
        _guessed(state, wall)
        reason = "forged"
    elif signed.verdict == "other_store":
        reason = "other_store"
    elif digest in room.used or signed.entry != room.holders.get(signed.holder, 0) % 256:
        reason = "used"
    elif earliest_s > signed.until_s:
        reason = "expired"
    if reason:
        refuse(state, wall, reason)
        return
    orders = _orders_of(state, signed.holder, None)
    if not orders:
        refuse(state, wall, "unknown")
        return
    if open_for(state, wall, orders).live:
        room.used[digest] = signed.until_s
        # Of a holder that is forgotten the codes of before have long run out.
        room.holders[signed.holder] = room.holders.pop(signed.holder, 0) + 1
        while len(room.holders) > HOLDERS_MAX:
            del room.holders[next(iter(room.holders))]


def _orders_of(state: HubState, holder: str, token_sha256: str | None) -> list[Order]:
    """All orders of a phone, open ones first."""
    found = [
        order
        for order in state.parcels.orders.values()
        if order.token_sha256 is not None
        and holder_of(order.token_sha256) == holder
        and token_sha256 in (None, order.token_sha256)
    ]
    return sorted(found, key=lambda order: (order.state != "open", -order.placed_s))


def _guessed(state: HubState, wall: Wall) -> None:
    wall.guesses.append(state.now_s)
    if len(wall.guesses) == state.rules.guesses_max:
        raise_alarm(state, wall, "guessed_at", thing_id="scanner")


# -- opening ------------------------------------------------------------------------------


def open_for(state: HubState, wall: Wall, orders: Sequence[Order]) -> Session:
    """Shows what of these orders stands here; a refused session says why nothing is."""
    state.parcels.touched.add(wall.wall_id)
    open_ones = [order for order in orders if order.state == "open"]
    if not open_ones:
        return refuse(state, wall, closed_word(orders[0]))
    mine = {order.order_id for order in open_ones}
    known = next(
        (one for one in wall.live() if one.who == "customer" and mine & set(one.orders)), None
    )
    if known is not None and known.blind and not wall.blind:
        # What went while nobody looked stays for staff to say; what stands is shown anew.
        end(state, wall, known)
        return open_for(state, wall, orders)
    if known is not None:
        # Who scans again stands at the scanner, which cameras need not see.
        known.moved_s, known.met = state.now_s, False
        return known
    parcels = [parcel for order in open_ones for parcel in state.parcels.of_order(order)]
    ready = [parcel for parcel in parcels if parcel.state == "ready"]
    here = [parcel for parcel in ready if parcel.wall_id == wall.wall_id]
    if not here:
        return refuse(state, wall, "elsewhere" if ready else "not_ready")
    if wall.blind:
        return refuse(state, wall, "blind")
    for one in wall.live():
        if followed(wall, one, state.level) or _has_all(state, one):
            # Whoever comes now is not the one who went, or who only still stands there.
            end(state, wall, one)
    free = _free_look(state, wall)
    if free is None:
        return refuse(state, wall, "busy")
    session = new_session(state, wall, "customer", free)
    session.orders = [order.order_id for order in open_ones]
    session.keys = [parcel.key for parcel in here]
    session.elsewhere = len(ready) - len(here)
    told_open(state, session)
    paying.begin(state, session)
    if not session.keys:
        turn_away(state, wall, session)
        return session
    cue_paid(state, session)
    return session


def _has_all(state: HubState, session: Session) -> bool:
    """Whether a customer has had all that they came for, long enough, and only stands there."""
    if state.level < STILL_THERE_LEVEL or session.who != "customer" or session.state != "done":
        return False
    return state.now_s >= max(session.taken.values(), default=0.0) + HANDOVER_S


def _free_look(state: HubState, wall: Wall) -> SessionLook | None:
    """A light that is nobody's. Where all are somebody's, whoever has touched nothing for longest
    gives theirs up if that is long enough: who is still there scans again, and who has gone would
    leave it to the next."""
    taken = {one.look for one in wall.live()}
    free = next((look for look in LOOKS if look not in taken), None)
    if free is not None or state.level < YIELDS_LEVEL:
        return free
    idle = [one for one in wall.live() if _idles(state, one)]
    if not idle:
        return None
    longest = min(idle, key=lambda one: one.moved_s)
    end(state, wall, longest)
    return longest.look


def _idles(state: HubState, session: Session) -> bool:
    """Whether a customer has left alone what shines for them, and owes no answer."""
    silent = state.now_s >= session.moved_s + YIELD_S
    owes = session.paying or session.wrong or in_hand(state, session)
    return silent and session.who == "customer" and not owes


def turn_away(state: HubState, wall: Wall, session: Session) -> None:
    """Nothing of it could be paid."""
    session.state, session.reason = "refused", "unpaid"
    over(state, wall, session)


def cue_paid(state: HubState, session: Session) -> None:
    """Shows the parcels whose payment is sure; also those that became ready meanwhile."""
    if session.who == "customer":
        for order_id in session.orders:
            for parcel in state.parcels.of_order(state.parcels.orders[order_id]):
                late = parcel.state == "ready" and parcel.wall_id == session.wall_id
                if late and not parcel.due_minor and parcel.key not in session.keys:
                    session.keys.append(parcel.key)
    for key in session.keys:
        parcel = state.parcels.all[key]
        waits = parcel.due_minor and parcel.order_id in session.paying
        if parcel.state == "ready" and not waits:
            move(state, parcel, "cued", session_id=session.session_id, back=False)


def refuse(state: HubState, wall: Wall, reason: Refusal) -> Session:
    """A scan opened nothing; what was scanned stays out of the log."""
    session = new_session(state, wall, "nobody")
    session.state, session.reason, session.over_s = "refused", reason, state.now_s
    refused = [one for one in wall.sessions if one.state == "refused"]
    for one in refused[:-REFUSED_KEPT]:
        wall.sessions.remove(one)
    state.count("pickups_refused")
    state.event("pickup.refused", None, wall_id=wall.wall_id, reason=reason)
    return session


def open_route(state: HubState, wall: Wall, route_id: str, keys: list[str]) -> Session:
    """A stop of a route: all its parcels, and the rest stays dark."""
    session = new_session(state, wall, "route")
    session.holder, session.keys = route_id, keys
    session.orders = list(dict.fromkeys(state.parcels.all[key].order_id for key in keys))
    told_open(state, session)
    cue_paid(state, session)
    return session


# -- while it is on -----------------------------------------------------------------------


def settle_state(state: HubState, wall: Wall, session: Session) -> None:
    """What a session's pages say, from what is so now."""
    if not session.live or session.who == "staff":
        return
    _of_cancelled(state, wall, session)
    cue_paid(state, session)
    states = [state.parcels.all[key].state for key in session.keys if key in state.parcels.all]
    if wall.blind and not session.blind:
        session.blind, session.reason = True, "blind"
    if session.wrong:
        session.state = "wrong"
    elif session.paying or not wall.whole:
        session.state = "reading"
    elif not any(one in ("cued", "ready") for one in states) and session.keys:
        session.state = "done"
    elif any(one in ("taken", "handed_over") for one in states):
        session.state = "taken"
    else:
        session.state = "showing"
    if not session.keys and not session.taken:
        end(state, wall, session)


def _of_cancelled(state: HubState, wall: Wall, session: Session) -> None:
    """An order was cancelled while a parcel of it was in somebody's hands: it must come back."""
    for key in list(session.taken):
        parcel = state.parcels.all[key]
        if parcel.state == "taken" and state.parcels.orders[parcel.order_id].state != "open":
            del session.taken[key]
            session.wrong.append(key)
            raise_alarm(state, wall, "wrong_taken", key=key, session_id=session.session_id)


def watch_sessions(state: HubState) -> None:
    """Time passed: what was taken is handed over, who has gone is let go, what is over is
    forgotten."""
    room = state.parcels
    for digest in [one for one, until_s in room.used.items() if until_s < state.now_s - 60.0]:
        del room.used[digest]
    for wall in room.walls.values():
        stayed(wall, state.now_s, state.level)
        for session in list(wall.sessions):
            if not session.live:
                if session.over_s is not None and state.now_s >= session.over_s + LINGER_S:
                    wall.sessions.remove(session)
                    state.effects.walls.add(wall.wall_id)
                continue
            _watch(state, wall, session)


def _watch(state: HubState, wall: Wall, session: Session) -> None:
    if not wall.blind:
        hand_over_due(state, wall, session, ending=False)
    idle_s = STAFF_IDLE_S if session.who == "staff" else IDLE_S
    idle = session.who != "route" and state.now_s >= session.moved_s + idle_s
    idle = idle or (session.who == "customer" and state.now_s >= session.began_s + SERVED_S_MAX)
    idle = idle or gone_for_good(wall, session, state.now_s, state.level)
    done = session.who == "customer" and session.state == "done"
    if idle or (done and not in_hand(state, session)):
        end(state, wall, session)


def in_hand(state: HubState, session: Session) -> bool:
    """Whether something of it is taken and not handed over yet."""
    room = state.parcels
    return any(key in room.all and room.all[key].state == "taken" for key in session.taken)


def end(state: HubState, wall: Wall, session: Session) -> None:
    """The session is over: what is in hand is handed over, what stands waits on, money is taken."""
    hand_over_due(state, wall, session, ending=True)
    for key in session.keys:
        parcel = state.parcels.all.get(key)
        if parcel is not None and parcel.state in ("cued", "ready"):
            session.left.append(key)
            if parcel.state == "cued":
                move(state, parcel, "ready", wall_id=parcel.wall_id)
    paying.settle(state, session)
    whole = session.keys and not session.left and not session.wrong
    session.state = "done" if whole else "ended"
    over(state, wall, session)
