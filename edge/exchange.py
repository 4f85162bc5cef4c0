"""What goes into a node's step and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts.messages import ClockPing, ClockPong, Message, NodeHealth, SendTiles, WallCues
from hardware.ports import Frame, GateScan, ScaleBatch
from vision.observations import CeilingObservation, Detections, ShelfObservation
from vision.wall import WallObservation

__all__ = ["EvidenceRequest", "NodeInputs", "NodeOutputs", "Observation", "Tile"]

Observation = ShelfObservation | CeilingObservation | WallObservation


@dataclass(frozen=True, slots=True)
class NodeInputs:
    """All that arrived since the last step.

    A picture comes either as a frame, which the core perceives itself, or as the observation that
    `NodeCore.perceive` made of it elsewhere (a camera's own thread, a cache of an earlier run).
    `scans` are of gates and of walls' scanners. `unplugged` are projectors that show nothing,
    `shown_s` says by projector when its last picture was with it (none: at once).
    `dropped` (frames lost so far, by camera id), `outbox_waiting`, `outbox_full` and `cpu_share`
    are what the driver knows of itself.
    """

    frames: tuple[Frame, ...] = ()
    observations: tuple[Observation, ...] = ()
    scales: tuple[ScaleBatch, ...] = ()
    scans: tuple[GateScan, ...] = ()
    pings: tuple[ClockPing, ...] = ()
    tiles: tuple[SendTiles, ...] = ()
    cues: tuple[WallCues, ...] = ()
    unplugged: frozenset[str] = frozenset()
    shown_s: Mapping[str, float] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    outbox_waiting: int = 0
    outbox_full: bool = False
    cpu_share: float = 0.0


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """Keep the pictures of `camera_id` from `t0_s` to `t1_s` for this reach.

    The event that closes the reach is in the same outputs: the driver may add the evidence to it
    before it is numbered and stored.
    """

    reach_id: str
    camera_id: str
    t0_s: float
    t1_s: float


@dataclass(frozen=True, slots=True)
class Tile:
    """Send the picture of `camera_id` taken at `t_s` to whoever watches.

    `detections` is what vision sees in it; `head_boxes_px` (N, 4) float32 must be blurred first.
    """

    camera_id: str
    t_s: float
    detections: Detections
    head_boxes_px: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NodeOutputs:
    """What one step has to say.

    `events` are sequenced: the driver numbers them in this order (edge.sequencer), stores them in
    the outbox, then publishes them. The rest is not sequenced and may be lost. `pictures` (H, W, 3)
    uint8 RGB are for projectors, `lamps` (N, 3) uint8 RGB for light strips, by their ids; those not
    named go on as they are.
    """

    events: tuple[Message, ...] = ()
    health: NodeHealth | None = None
    pongs: tuple[ClockPong, ...] = ()
    evidence: tuple[EvidenceRequest, ...] = ()
    tiles: tuple[Tile, ...] = ()
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    lamps: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
