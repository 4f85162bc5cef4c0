"""What a wall's node tells: things, blind cameras, how well the projectors hit, what shines."""

from __future__ import annotations

from contracts.labels import label_key
from contracts.messages import MarksJudged, ProjectionJudged, SensorOutage, ThingsSeen, WallAttended
from contracts.wall_messages import Thing
from hub.devices.model import Boot
from hub.effects import us
from hub.levels import OWN_NEWS_LEVEL
from hub.parcels.alarms import clear, raise_alarm
from hub.parcels.attending import attended, seen_again, unattended
from hub.parcels.judging import lifted, set_down
from hub.parcels.model import Seen, Wall
from hub.parcels.routes import sees_again
from hub.state import HubState

__all__ = [
    "born",
    "marks_judged",
    "projection_judged",
    "serves",
    "things_seen",
    "wall_attended",
    "wall_outage",
]

THINGS_MAX = 1_000
"""Things followed at one wall; beyond that the oldest that do not stand are forgotten."""


def serves(state: HubState, device_id: str, wall_id: str) -> bool:
    """Whether this node is the one of that wall; others are not believed about it."""
    ok = any(node.node_id == device_id and wall_id in node.walls for node in state.store.nodes)
    if not ok:
        state.count("wall_news_of_others")
    return ok


def things_seen(
    state: HubState, device_id: str, boot: Boot, message: ThingsSeen, offset_s: float
) -> None:
    """Takes news of things in and judges what was taken and put down."""
    if boot.superseded or not serves(state, device_id, message.wall_id):
        return
    wall = state.parcels.wall(message.wall_id)
    state.parcels.touched.add(wall.wall_id)
    if message.whole:
        told = {thing.thing_id for thing in message.things}
        for thing_id in [one for one in wall.things if one not in told]:
            _unseen(state, wall, thing_id)
        wall.whole = True
    # What was put down first: who swaps two parcels has put one back before the next is judged.
    news = sorted(message.things, key=lambda thing: thing.since_s)
    for thing in news:
        _thing(state, wall, thing, offset_s, message.t_s + offset_s)
    while len(wall.things) > THINGS_MAX:
        state.count("things_forgotten")
        del wall.things[next(iter(wall.things))]


def _thing(state: HubState, wall: Wall, thing: Thing, offset_s: float, told_s: float) -> None:
    before = wall.things.get(thing.thing_id)
    now = _seen(thing, before, offset_s)
    if now.state == "gone":
        wall.things.pop(thing.thing_id, None)
    else:
        wall.things[thing.thing_id] = now
    stood = before is not None and before.state == "stands"
    if stood and now.state != "stands" and before is not None:
        lifted(state, wall, before, now.since_s, told_s)
    elif now.state == "stands" and (
        before is None
        or not stood
        or before.key != now.key
        or bool(before.twins) != bool(now.twins)
    ):
        set_down(state, wall, now)


def _seen(thing: Thing, before: Seen | None, offset_s: float) -> Seen:
    key = text = None
    if thing.label is not None and not thing.contested:
        text = thing.label.text
        try:
            key = label_key(text)
        except ValueError:
            text = None
    outline = tuple((u, z) for u, z in thing.outline_m)
    was = None if before is None else before.name
    stands = thing.state == "stands"
    came_s = None if before is None else before.came_s
    if stands and came_s is None:
        came_s = thing.since_s + offset_s
    return Seen(
        thing_id=thing.thing_id,
        state=thing.state,
        outline_m=outline,
        since_s=thing.since_s + offset_s,
        seen_s=thing.seen_s + offset_s,
        hidden=thing.hidden,
        text=text,
        key=key,
        was=key or was,
        reads=0 if thing.label is None else thing.label.reads,
        contested=thing.contested,
        twins=thing.twins,
        v_m=thing.v_m,
        stood_m=outline if stands else None if before is None else before.stood_m,
        came_s=came_s,
        mark_m=thing.mark_m,
    )


def _unseen(state: HubState, wall: Wall, thing_id: str) -> None:
    """A node that began anew does not know the thing: it is nobody's taking."""
    thing = wall.things.pop(thing_id)
    parcel = state.parcels.all.get(thing.name or "")
    if parcel is not None and parcel.thing_id == thing_id:
        parcel.thing_id = None


def wall_attended(state: HubState, device_id: str, boot: Boot, message: WallAttended) -> None:
    """Somebody is before a wall, or nobody any more."""
    if boot.superseded or not serves(state, device_id, message.wall_id):
        return
    wall = state.parcels.wall(message.wall_id)
    if message.somebody:
        attended(wall, state.now_s, state.level)
    else:
        unattended(wall, state.now_s)
    state.parcels.touched.add(wall.wall_id)


def wall_outage(state: HubState, device_id: str, message: SensorOutage, offset_s: float) -> None:
    """A camera of a wall went blind or sees again; a node that cannot keep what it sees is blind
    for all its walls."""
    if message.wall_id is not None:
        if serves(state, device_id, message.wall_id):
            _outage(state, message.wall_id, message, offset_s)
    elif message.kind == "outbox":
        for node in state.store.nodes:
            for wall_id in node.walls if node.node_id == device_id else ():
                _outage(state, wall_id, message, offset_s)


def _outage(state: HubState, wall_id: str, message: SensorOutage, offset_s: float) -> None:
    wall = state.parcels.wall(wall_id)
    if message.blind:
        wall.blind[message.sensor_id] = message.reason
    else:
        wall.blind.pop(message.sensor_id, None)
        seen_again(wall, state.now_s)
        sees_again(state, wall)
    state.parcels.touched.add(wall.wall_id)
    state.event(
        "wall.blind" if message.blind else "wall.sees",
        None,
        wall_id=wall.wall_id,
        sensor_id=message.sensor_id,
        t_us=us(message.t_s + offset_s),
        reason=message.reason,
    )


def projection_judged(
    state: HubState, device_id: str, boot: Boot, message: ProjectionJudged, offset_s: float
) -> None:
    """How well a projector hits; staff are told when it does not."""
    if boot.superseded or not serves(state, device_id, message.wall_id):
        return
    wall = state.parcels.wall(message.wall_id)
    before = wall.projection.get(message.projector_id, {})
    wall.projection[message.projector_id] = {
        "state": message.state,
        "residual_mm": message.residual_mm,
        "points": message.points,
        "reason": message.reason,
        "at_s": message.t_s + offset_s,
    }
    state.effects.walls.add(wall.wall_id)
    if before.get("state") == message.state:
        return
    state.event(
        "wall.projection",
        None,
        wall_id=wall.wall_id,
        projector_id=message.projector_id,
        state=message.state,
        residual_um=None if message.residual_mm is None else round(message.residual_mm * 1000),
        reason=message.reason,
    )
    if message.state in ("off", "unplugged"):
        raise_alarm(state, wall, "projector", thing_id=message.projector_id)
    elif message.state == "true":
        clear(state, wall, "projector", thing_id=message.projector_id)


def marks_judged(state: HubState, device_id: str, boot: Boot, message: MarksJudged) -> None:
    """What became of the marks that were asked for."""
    if boot.superseded or not serves(state, device_id, message.wall_id):
        return
    wall = state.parcels.wall(message.wall_id)
    asked = {mark.mark_id for mark in wall.marks}
    for seen in message.marks:
        if seen.mark_id in asked:
            wall.shown[seen.mark_id] = [seen.state, seen.reason]
    state.effects.walls.add(wall.wall_id)


def born(state: HubState, device_id: str, wall_ids: tuple[str, ...]) -> None:
    """A node began to run: until it has told all things, nobody knows what stands there."""
    known = {wall.wall_id for wall in state.store.walls}
    for wall_id in wall_ids:
        strange = state.level >= OWN_NEWS_LEVEL and not serves(state, device_id, wall_id)
        if wall_id not in known or strange:
            continue
        wall = state.parcels.wall(wall_id)
        wall.whole, wall.somebody, wall.nobody_s = False, False, None
        wall.blind.clear()
        wall.shown.clear()
        for thing_id in list(wall.things):
            _unseen(state, wall, thing_id)
        state.parcels.touched.add(wall_id)
