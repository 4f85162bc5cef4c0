"""Every message between node and hub. Nodes publish what they saw, as likelihoods.

Times are the device's monotonic seconds unless a field says otherwise. Positions of a reach are
in its bay's frame (u, z), positions of people in the world frame (x, y); see contracts.geometry.
Log-likelihoods are natural logarithms, up to a constant shared by the alternatives beside them.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.base import Contract
from contracts.geometry import Bay, Camera, Footprint, Gate, Plate
from contracts.ids import (
    BayId,
    BoardId,
    BootId,
    CameraId,
    DeviceId,
    GateId,
    Gtin,
    PlateId,
    ReachId,
    StoreId,
    TrackId,
    WallId,
)
from contracts.message import Message
from contracts.units import COUNT_MAX, Count, Grams, LogLikelihood, Metres, Probability, Seconds
from contracts.wall import Wall
from contracts.wall_messages import (
    MarksJudged,
    ProjectionJudged,
    ThingsSeen,
    WallAttended,
    WallCues,
    WallScanned,
)

__all__ = [
    "MESSAGES",
    "ActionLikelihood",
    "CameraHealth",
    "ClockPing",
    "ClockPong",
    "Evidence",
    "FacingChange",
    "FloorTracksMoved",
    "GateScanned",
    "GramStep",
    "HandSeen",
    "HubAck",
    "MarksJudged",
    "Message",
    "ModelRef",
    "NodeBorn",
    "NodeConfig",
    "NodeDied",
    "NodeHealth",
    "OpenReach",
    "ProductLikelihood",
    "ProductScores",
    "ProjectionJudged",
    "ReachClosed",
    "ReachOpened",
    "SendTiles",
    "SensorOutage",
    "ThingsSeen",
    "TrackPoint",
    "TrackSegment",
    "WallAttended",
    "WallCues",
    "WallScanned",
    "Watermark",
    "WristPoint",
]


# ---------------------------------------------------------------- evidence of one reach


class ActionLikelihood(Contract):
    """How well the pixels fit each explanation of what happened to the shelf."""

    pick: LogLikelihood
    put_back: LogLikelihood
    nothing: LogLikelihood


class ProductLikelihood(Contract):
    """How well a crop fits one product."""

    gtin: Gtin
    log_likelihood: LogLikelihood


class ProductScores(Contract):
    """Top products of the embedding and what is left for everything else."""

    top: Annotated[tuple[ProductLikelihood, ...], Field(max_length=16)] = ()
    other: LogLikelihood = 0.0


class FacingChange(Contract):
    """A stretch of shelf that looks different after a hand was there.

    The change happened between `t_before_s`, when the stretch was last seen unchanged, and
    `t_after_s`, when it was first seen changed. `pieces` holds log-likelihoods of 1, 2, 3 … items.
    """

    board_id: BoardId
    u0_m: Metres
    u1_m: Metres
    t_before_s: Seconds
    t_after_s: Seconds
    action: ActionLikelihood
    pieces: Annotated[tuple[LogLikelihood, ...], Field(max_length=8)] = ()
    products: ProductScores = ProductScores()


class GramStep(Contract):
    """A lasting change of one plate: `delta_g` with its standard deviation."""

    plate_id: PlateId
    t_start_s: Seconds
    t_end_s: Seconds
    delta_g: Grams
    sd_g: Annotated[Grams, Field(gt=0)]


class HandSeen(Contract):
    """A hand that crossed the front plane, and the body it seemed to belong to.

    `u_m`, `z_m`: where the hand was deepest, on the front plane. `body_x_m`, `body_y_m`: floor
    point under the head at the other end of the arm, where one was seen. `arm_deg`: direction on
    the floor from body to hand. `held_in`, `held_out`: probability that something was in the hand
    as it went in and as it came out.
    """

    hand_id: Annotated[str, Field(max_length=64)]
    t_in_s: Seconds
    t_out_s: Seconds
    u_m: Metres
    z_m: Metres
    sd_u_m: Annotated[Metres, Field(gt=0)]
    sd_z_m: Annotated[Metres, Field(gt=0)]
    body_x_m: Metres | None = None
    body_y_m: Metres | None = None
    body_sd_m: Annotated[Metres, Field(gt=0)] = 0.5
    arm_deg: Annotated[float, Field(ge=-360, le=360)] | None = None
    held_in: Probability = 0.5
    held_out: Probability = 0.5
    products: ProductScores = ProductScores()


class Evidence(Contract):
    """A clip or picture that stays on the node until review or dispute asks for it."""

    evidence_id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    media_type: Literal["image/jpeg", "video/mp4"]
    bytes: Count
    expires_s: Seconds


class ReachOpened(Message):
    """A hand crossed the front plane, or plates began to move."""

    TYPE: ClassVar[str] = "sortie.reach.opened.v1"

    reach_id: ReachId
    bay_id: BayId
    t_s: Seconds
    u_m: Metres
    z_m: Metres | None = None
    body_x_m: Metres | None = None
    body_y_m: Metres | None = None


class ReachClosed(Message):
    """All that one node saw of one reach. Likelihoods only: priors belong to the hub."""

    TYPE: ClassVar[str] = "sortie.reach.closed.v1"

    reach_id: ReachId
    bay_id: BayId
    t_open_s: Seconds
    t_close_s: Seconds
    u_m: Metres
    z_m: Metres | None = None
    sd_u_m: Annotated[Metres, Field(gt=0)] = 0.2
    hands: Annotated[tuple[HandSeen, ...], Field(max_length=16)] = ()
    changes: Annotated[tuple[FacingChange, ...], Field(max_length=16)] = ()
    grams: Annotated[tuple[GramStep, ...], Field(max_length=64)] = ()
    camera_ok: Annotated[bool, Field(description="a shelf camera saw the bay all through")]
    plates_ok: Annotated[bool, Field(description="plates weighed the bay all through")]
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=8)] = ()


# ---------------------------------------------------------------- the floor


class TrackPoint(Contract):
    """Where a person was on the floor."""

    t_s: Seconds
    x_m: Metres
    y_m: Metres
    sd_m: Annotated[Metres, Field(gt=0)]


class WristPoint(Contract):
    """Where a ceiling camera saw a person's wrist or hand."""

    t_s: Seconds
    x_m: Metres
    y_m: Metres
    sd_m: Annotated[Metres, Field(gt=0)]


class TrackSegment(Contract):
    """News of one floor track. `linked_from` names the lost track this one continues."""

    track_id: TrackId
    state: Literal["born", "alive", "lost", "ended"]
    points: Annotated[tuple[TrackPoint, ...], Field(max_length=64)] = ()
    wrists: Annotated[tuple[WristPoint, ...], Field(max_length=64)] = ()
    linked_from: TrackId | None = None


class FloorTracksMoved(Message):
    """A batch of news from the node that owns the floor."""

    TYPE: ClassVar[str] = "sortie.floor.tracks_moved.v1"

    t_s: Seconds
    segments: Annotated[tuple[TrackSegment, ...], Field(max_length=64)]


class GateScanned(Message):
    """A code was read at a gate. What the code means is the hub's business."""

    TYPE: ClassVar[str] = "sortie.gate.scanned.v1"

    gate_id: GateId
    code: Annotated[str, Field(min_length=1, max_length=512)]
    t_s: Seconds


# ---------------------------------------------------------------- the node itself


class ModelRef(Contract):
    """Which weights a node runs."""

    name: Annotated[str, Field(max_length=64)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class NodeBorn(Message):
    """The first message of a boot."""

    TYPE: ClassVar[str] = "sortie.node.born.v1"

    software: Annotated[str, Field(max_length=64)]
    config_revision: Count
    cameras: Annotated[tuple[CameraId, ...], Field(max_length=64)] = ()
    plates: Annotated[tuple[PlateId, ...], Field(max_length=2048)] = ()
    gates: Annotated[tuple[GateId, ...], Field(max_length=64)] = ()
    walls: Annotated[tuple[WallId, ...], Field(max_length=16)] = ()
    floor: bool = False
    models: Annotated[tuple[ModelRef, ...], Field(max_length=16)] = ()


class NodeDied(Message):
    """The broker says a node's connection broke (its last will). Not sequenced."""

    TYPE: ClassVar[str] = "sortie.node.died.v1"

    boot_id: BootId


class CameraHealth(Contract):
    """One camera's state as its node sees it."""

    camera_id: CameraId
    ok: bool
    last_frame_age_s: Seconds | None
    fps: Annotated[float, Field(ge=0, le=1000)]
    dropped: Count = 0


class NodeHealth(Message):
    """A node's pulse, not sequenced, the latest counts."""

    TYPE: ClassVar[str] = "sortie.node.health.v1"

    boot_id: BootId
    t_s: Seconds
    cameras: Annotated[tuple[CameraHealth, ...], Field(max_length=64)] = ()
    plates_age_s: Seconds | None = None
    outbox_waiting: Count = 0
    outbox_full: bool = False
    cpu_share: Annotated[float, Field(ge=0, le=1024)] = 0.0


class SensorOutage(Message):
    """A sensor of a bay, a wall or the floor went blind or came back: its zone cannot be judged."""

    TYPE: ClassVar[str] = "sortie.sensor.outage.v1"

    sensor_id: Annotated[str, Field(max_length=64)]
    kind: Literal["camera", "plate", "outbox"]
    bay_id: BayId | None
    wall_id: WallId | None = None
    blind: bool
    t_s: Seconds
    reason: Annotated[str, Field(max_length=200)] = ""


class OpenReach(Contract):
    """A reach that has not closed yet."""

    reach_id: ReachId
    bay_id: BayId
    t_open_s: Seconds
    u_m: Metres


class Watermark(Message):
    """All that happened before `t_s` has been said, but for the open reaches named."""

    TYPE: ClassVar[str] = "sortie.node.watermark.v1"

    t_s: Seconds
    last_seq: Annotated[
        int, Field(ge=-1, le=COUNT_MAX, description="last sequence before this message")
    ]
    open_reaches: Annotated[tuple[OpenReach, ...], Field(max_length=256)] = ()


# ---------------------------------------------------------------- hub to node


class HubAck(Message):
    """Everything up to `upto_seq` of this boot is committed; the outbox may forget it."""

    TYPE: ClassVar[str] = "sortie.hub.ack.v1"

    boot_id: BootId
    upto_seq: Annotated[int, Field(ge=-1, le=COUNT_MAX)]


class ClockPing(Message):
    """The hub asks for a node's clock; `hub_us` comes back unchanged."""

    TYPE: ClassVar[str] = "sortie.clock.ping.v1"

    hub_us: Count


class ClockPong(Message):
    """The node's answer. Offset by Cristian's algorithm: half the round trip, with its error."""

    TYPE: ClassVar[str] = "sortie.clock.pong.v1"

    hub_us: Count
    boot_id: BootId
    device_us: Count


class NodeConfig(Message):
    """What a node serves: retained, versioned, without secrets and without planogram."""

    TYPE: ClassVar[str] = "sortie.node.config.v1"

    revision: Count
    store_id: StoreId
    node_id: DeviceId
    cameras: tuple[Camera, ...] = ()
    bays: tuple[Bay, ...] = ()
    plates: tuple[Plate, ...] = ()
    gates: tuple[Gate, ...] = ()
    walls: tuple[Wall, ...] = ()
    floor: bool = False
    floor_width_m: Metres = 0.0
    floor_depth_m: Metres = 0.0
    solids: tuple[Footprint, ...] = ()
    models: tuple[ModelRef, ...] = ()
    gallery_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @property
    def eyes(self) -> tuple[Camera, ...]:
        """All cameras: those of bays and floor, and those of the walls."""
        return self.cameras + tuple(camera for wall in self.walls for camera in wall.cameras)


class SendTiles(Message):
    """The hub asks for blurred, low-rate pictures of one camera until a time."""

    TYPE: ClassVar[str] = "sortie.node.send_tiles.v1"

    camera_id: CameraId
    for_s: Annotated[float, Field(gt=0, le=60)]
    fps_max: Annotated[float, Field(gt=0, le=10)] = 4.0


class SendEvidence(Message):
    """The hub asks for evidence that a review or dispute needs, by the ids its events named."""

    TYPE: ClassVar[str] = "sortie.node.send_evidence.v1"

    evidence_ids: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")], ...],
        Field(min_length=1, max_length=32),
    ]


MESSAGES: dict[str, type[Message]] = {
    message.TYPE: message
    for message in (
        ReachOpened,
        ReachClosed,
        FloorTracksMoved,
        GateScanned,
        NodeBorn,
        NodeDied,
        NodeHealth,
        SensorOutage,
        ThingsSeen,
        WallAttended,
        WallScanned,
        ProjectionJudged,
        MarksJudged,
        Watermark,
        WallCues,
        HubAck,
        ClockPing,
        ClockPong,
        NodeConfig,
        SendTiles,
        SendEvidence,
    )
}
