"""What each message of a node does, once, in its boot's order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from contracts.envelope import Envelope
from contracts.messages import (
    FloorTracksMoved,
    GateScanned,
    MarksJudged,
    Message,
    NodeBorn,
    ProjectionJudged,
    ReachClosed,
    ReachOpened,
    SensorOutage,
    ThingsSeen,
    WallAttended,
    WallScanned,
    Watermark,
)
from hub.commands import GiveUpGap, PongArrived, Reply, TrustDevice
from hub.devices.hubtime import closed_in_hub_time, opened_in_hub_time, segment_in_hub_time
from hub.devices.model import Boot, Device
from hub.effects import us
from hub.errors import RejectedError
from hub.levels import (
    AT_GATE_LEVEL,
    BY_NOW_LEVEL,
    DRIFTS_LEVEL,
    OVERTAKEN_LEVEL,
    OWN_NEWS_LEVEL,
)
from hub.parcels import seen, sessions
from hub.state import HubState, NearReach
from hub.visits.codes import code_digest
from hub.visits.entry import bind_waiting
from hub.visits.leaving import follow, link
from hub.visits.scans import scanned
from hub.visits.settlement import could_be
from hub.visits.undated import note_reach, undated_boot, undated_scan

__all__ = ["SEQUENCED", "apply_message", "give_up_gap", "pong", "trust"]

AHEAD_S = 60.0
"""A node's clock, as far as it is known, is no more ahead of the hub's; a day that is played faster
than it passes may be."""
SEQUENCED: tuple[type[Message], ...] = (
    NodeBorn,
    ReachOpened,
    ReachClosed,
    FloorTracksMoved,
    GateScanned,
    SensorOutage,
    Watermark,
    ThingsSeen,
    WallAttended,
    WallScanned,
    ProjectionJudged,
    MarksJudged,
)
"""The messages a node numbers; all others are not part of its stream."""


def apply_message(
    state: HubState, device: Device, boot: Boot, item: Envelope, message: Message
) -> None:
    """Lets one message take effect."""
    boot.clock.heard(now_s=state.now_s, device_us=item.monotonicus)
    estimate = boot.clock.estimate()
    offset_s = estimate.offset_s
    if isinstance(message, FloorTracksMoved):
        _floor(state, device, boot, message, offset_s)
    elif isinstance(message, Watermark):
        _watermark(state, device, boot, message, offset_s)
    elif isinstance(message, ReachOpened):
        _opened(state, device, boot, message, offset_s)
    elif isinstance(message, ReachClosed):
        _closed(state, device, boot, message, offset_s, estimate.sd_s)
    elif isinstance(message, GateScanned):
        key = (item.deviceid, item.bootid, item.sequence)
        t_s, unknown = message.t_s + offset_s, undated_scan(state, boot, message.gate_id)
        scanned(state, message.gate_id, message.code, t_s, estimate.sd_s, key, undated=unknown)
        bind_waiting(state)
    elif isinstance(message, SensorOutage):
        _outage(state, device, boot, message, offset_s)
    elif isinstance(message, NodeBorn):
        _born(state, device, boot, message)
    else:
        _wall(state, device, boot, item, message, offset_s, estimate.sd_s)


def _wall(
    state: HubState,
    device: Device,
    boot: Boot,
    item: Envelope,
    message: Message,
    offset_s: float,
    sd_s: float,
) -> None:
    """What is told of a pick-up wall."""
    if isinstance(message, ThingsSeen):
        seen.things_seen(state, device.device_id, boot, message, offset_s)
    elif isinstance(message, WallAttended):
        seen.wall_attended(state, device.device_id, boot, message)
    elif isinstance(message, WallScanned):
        judged = state.judged.pop((item.deviceid, item.bootid, item.sequence), None)
        if seen.serves(state, device.device_id, message.wall_id):
            t_s = message.t_s + offset_s
            digest = code_digest(message.code)
            sessions.scanned(state, message.wall_id, digest, judged, t_s, sd_s)
    elif isinstance(message, ProjectionJudged):
        seen.projection_judged(state, device.device_id, boot, message, offset_s)
    elif isinstance(message, MarksJudged):
        seen.marks_judged(state, device.device_id, boot, message)


def pong(state: HubState, command: PongArrived) -> bool:
    """A node's answer to a ping; False if it cannot be true."""
    device = state.devices.all.get(command.device_id)
    if device is None:
        return False
    boot = state.devices.boot(device, command.boot_id)
    drifts = state.level >= DRIFTS_LEVEL
    if not boot.clock.pong(
        now_s=state.now_s, hub_us=command.hub_us, device_us=command.device_us, drifts=drifts
    ):
        state.count("pongs_refused")
        return False
    state.effects.clocks.add((device.device_id, boot.boot_id))
    if boot.superseded:
        # Only a living boot answers, so this one is it, whatever order the births came in.
        state.devices.make_current(device, command.boot_id)
    return True


def _born(state: HubState, device: Device, boot: Boot, message: NodeBorn) -> None:
    device.software = message.software
    device.config_revision = message.config_revision
    ended = state.devices.make_current(device, boot.boot_id)
    state.event("device.born", None, device_id=device.device_id, boot_id=boot.boot_id)
    if message.walls:
        seen.born(state, device.device_id, message.walls)
    if ended is None:
        return
    cut = [
        reach
        for reach in state.reaches.values()
        if reach.device_id == device.device_id
        and reach.boot_id == ended.boot_id
        and reach.t_close_s is None
    ]
    for reach in cut:
        del state.reaches[reach.reach_id]
        for visit in state.open_visits():
            if visit.stage in ("shopping", "left") and could_be(state, visit, reach):
                visit.mark_review(f"{device.device_id} stopped in the middle of a reach")
                state.effects.visits.add(visit.visit_id)
    for key in [key for key in state.blind if key[0] == device.device_id]:
        del state.blind[key]
    if message.floor:
        state.floor.lose_all()


def _opened(
    state: HubState, device: Device, boot: Boot, message: ReachOpened, offset_s: float
) -> None:
    moved = opened_in_hub_time(message, offset_s)
    reach = NearReach(
        moved.reach_id,
        device.device_id,
        boot.boot_id,
        moved.bay_id,
        moved.t_s,
        None,
        state.now_s,
    )
    _remember(state, reach)
    if undated_boot(state, boot) is not None:
        note_reach(state, reach)
    state.attributor.opened(moved)


def _closed(
    state: HubState,
    device: Device,
    boot: Boot,
    message: ReachClosed,
    offset_s: float,
    sd_s: float,
) -> None:
    moved = closed_in_hub_time(message, offset_s)
    reach = NearReach(
        moved.reach_id,
        device.device_id,
        boot.boot_id,
        moved.bay_id,
        moved.t_open_s,
        moved.t_close_s,
        state.now_s,
    )
    _remember(state, reach)
    if undated_boot(state, boot) is not None:
        note_reach(state, reach)
        sd_s = math.inf
    else:
        state.undated.pop(reach.reach_id, None)
    state.attributor.closed(moved, t_sd_s=sd_s)


def _remember(state: HubState, reach: NearReach) -> None:
    state.reaches[reach.reach_id] = reach
    if len(state.reaches) > state.rules.reaches_open_max:
        del state.reaches[next(iter(state.reaches))]
        state.count("reaches_forgotten")


def _floor(
    state: HubState, device: Device, boot: Boot, message: FloorTracksMoved, offset_s: float
) -> None:
    if device.device_id not in state.floor_nodes:
        state.count("floor_news_of_others")
        return
    t_s = _by_now(state, message.t_s + offset_s)
    state.floor.time_s = max(state.floor.time_s, t_s)
    _watches(state, device, boot, t_s)
    unknown = undated_boot(state, boot)
    for segment in message.segments:
        moved = segment_in_hub_time(segment, offset_s)
        if unknown is None:
            state.attributor.track(moved)
        new = moved.track_id not in state.floor.tracks
        track, fresh = state.floor.news(moved, t_s)
        if new:
            track.watched_s = boot.watching_s
        if unknown is not None:
            track.undated = unknown
        if boot.superseded and state.level >= OVERTAKEN_LEVEL:
            # Nobody will ever say that it is lost: the boot that would have said so is over.
            state.floor.lose(track)
        if segment.linked_from is not None:
            link(state, track, segment.linked_from)
        if track.visit_id is not None and fresh:
            follow(state, track, fresh)
    if state.coming:
        bind_waiting(state)


def _by_now(state: HubState, t_s: float) -> float:
    """Up to when a node has told: nobody tells of what is still to come, clocks' errors aside, and
    who says so would be believed until then."""
    return min(t_s, state.now_s + AHEAD_S) if state.level >= BY_NOW_LEVEL else t_s


def _watches(state: HubState, device: Device, boot: Boot, t_s: float) -> None:
    """From a boot's first news of the floor on it misses nobody, until a sensor goes blind."""
    if boot.watching_s is None and state.level >= AT_GATE_LEVEL and not _is_blind(state, device):
        boot.watching_s = t_s


def _is_blind(state: HubState, device: Device) -> bool:
    """Whether a node does not see, or cannot tell, who walks on the floor; a camera of a bay that
    or of a wall that is blind hides nobody there."""
    elsewhere = {camera.camera_id for camera in state.store.cameras if camera.bay_id is not None}
    elsewhere |= {camera.camera_id for wall in state.store.walls for camera in wall.cameras}
    return any(
        name == device.device_id
        and (kind == "outbox" or (kind == "camera" and sensor not in elsewhere))
        for (name, sensor), kind in state.blind.items()
    )


def _watermark(
    state: HubState, device: Device, boot: Boot, message: Watermark, offset_s: float
) -> None:
    t_s = _by_now(state, message.t_s + offset_s)
    boot.watermark_s = t_s if boot.watermark_s is None else max(boot.watermark_s, t_s)
    boot.open_reaches = message.open_reaches
    if device.device_id in state.floor_nodes:
        state.floor.time_s = max(state.floor.time_s, t_s)
        _watches(state, device, boot, t_s)
    for reach in message.open_reaches:
        if reach.reach_id not in state.reaches:
            _remember(
                state,
                NearReach(
                    reach.reach_id,
                    device.device_id,
                    boot.boot_id,
                    reach.bay_id,
                    reach.t_open_s + offset_s,
                    None,
                    state.now_s,
                ),
            )


def _outage(
    state: HubState, device: Device, boot: Boot, message: SensorOutage, offset_s: float
) -> None:
    key = (device.device_id, message.sensor_id)
    # What waited for its boot's clock comes after the next boot was born, which sees for itself.
    over = boot.superseded and state.level >= OWN_NEWS_LEVEL
    if over:
        state.count("outages_of_ended_boots")
    elif message.blind:
        state.blind[key] = message.kind
        if _is_blind(state, device):
            boot.watching_s = None
    else:
        state.blind.pop(key, None)
    state.event(
        "sensor.blind" if message.blind else "sensor.back",
        None,
        device_id=device.device_id,
        sensor_id=message.sensor_id,
        sensor=message.kind,
        bay_id=message.bay_id,
        t_us=us(message.t_s + offset_s),
        reason=message.reason,
    )
    if not over:
        seen.wall_outage(state, device.device_id, message, offset_s)
    if message.blind and message.kind == "outbox":
        for visit in state.open_visits():
            if visit.stage in ("binding", "shopping", "left"):
                visit.blind = True
                visit.mark_review(f"{device.device_id} could not keep what it saw")
                state.effects.visits.add(visit.visit_id)


def give_up_gap(state: HubState, command: GiveUpGap) -> Sequence[tuple[Boot, Envelope]]:
    """Nobody has any more what a boot said up to a number: what waits behind it takes effect, and
    whoever is in the store may have done what is missing."""
    device = state.devices.all.get(command.device_id)
    boot = None if device is None else device.boots.get(command.boot_id)
    if boot is None or not boot.upto < command.upto_seq < min(boot.waiting, default=0):
        raise RejectedError(
            f"expected a boot with a gap up to {command.upto_seq}, {command.boot_id} has none"
        )
    state.event(
        "device.gap",
        None,
        device_id=command.device_id,
        boot_id=command.boot_id,
        from_seq=boot.upto + 1,
        upto_seq=command.upto_seq,
    )
    for visit in state.open_visits():
        if visit.stage in ("binding", "shopping", "left"):
            visit.mark_review(f"some of what {command.device_id} saw is missing")
            state.effects.visits.add(visit.visit_id)
    if boot.upto < 0 and boot.clock.best is not None and device is not None:
        # That it was born is among what is missing, and it lives: it has answered a ping.
        state.devices.make_current(device, boot.boot_id)
    return state.devices.give_up(command.device_id, command.boot_id, command.upto_seq)


def trust(state: HubState, command: TrustDevice) -> Reply:
    """What a node says counts from now on, or does not. What it said before stays."""
    device = state.devices.all.get(command.device_id)
    if device is None:
        known = ", ".join(sorted(state.devices.all))
        raise RejectedError(f"expected a node of the store ({known}), got {command.device_id}")
    if device.revoked != command.trusted:
        return Reply(repeated=True)
    device.revoked = not command.trusted
    state.event(
        "device.reinstated" if command.trusted else "device.revoked",
        None,
        device_id=command.device_id,
    )
    return Reply()
