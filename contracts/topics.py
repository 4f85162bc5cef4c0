"""The one table of MQTT topics. AsyncAPI, ACLs and the recorder are made from it.

>>> topic("events", store_id="demo", device_id="bay-a")
'sortie/v1/demo/bay-a/events'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from contracts import messages as m

__all__ = ["TOPICS", "Topic", "device_of", "topic"]

PREFIX = "sortie/v1"


@dataclass(frozen=True, slots=True)
class Topic:
    """One channel between nodes and hub."""

    name: str
    messages: tuple[type[m.Message], ...]
    enveloped: bool
    qos: Literal[0, 1]
    retained: bool
    rate_hz_max: float
    publisher: Literal["node", "hub", "broker"]
    recorded: bool

    @property
    def pattern(self) -> str:
        """The topic with its two variables."""
        return f"{PREFIX}/{{store_id}}/{{device_id}}/{self.name}"


_EVENTS = (
    m.NodeBorn,
    m.ReachOpened,
    m.ReachClosed,
    m.FloorTracksMoved,
    m.GateScanned,
    m.SensorOutage,
    m.ThingsSeen,
    m.WallAttended,
    m.WallScanned,
    m.ProjectionJudged,
    m.MarksJudged,
    m.Watermark,
)

TOPICS: dict[str, Topic] = {
    row.name: row
    for row in (
        Topic("events", _EVENTS, True, 1, False, 50.0, "node", True),
        # Several of the same in one letter, a line each (contracts.codec.joined): what waited.
        Topic("batch", (), True, 1, False, 50.0, "node", True),
        Topic("health", (m.NodeHealth,), False, 0, False, 1.0, "node", False),
        Topic("died", (m.NodeDied,), False, 1, False, 0.1, "broker", False),
        Topic("pong", (m.ClockPong,), False, 0, False, 2.0, "node", False),
        Topic("ack", (m.HubAck,), False, 1, False, 50.0, "hub", False),
        Topic("config", (m.NodeConfig,), False, 1, True, 0.01, "hub", False),
        Topic("ping", (m.ClockPing,), False, 0, False, 2.0, "hub", False),
        Topic("tiles", (m.SendTiles,), False, 0, False, 2.0, "hub", False),
        Topic("cues", (m.WallCues,), False, 1, False, 20.0, "hub", False),
        Topic("evidence", (m.SendEvidence,), False, 1, False, 2.0, "hub", False),
    )
}


def topic(name: str, *, store_id: str, device_id: str) -> str:
    """The topic of a channel for one device; `device_id="+"` subscribes to all devices."""
    row = TOPICS[name]
    return f"{PREFIX}/{store_id}/{device_id}/{row.name}"


def device_of(topic_name: str) -> str:
    """The device in a topic; ValueError if the topic is not one of ours."""
    parts = topic_name.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != PREFIX:
        raise ValueError(f"expected {PREFIX}/STORE/DEVICE/CHANNEL, got {topic_name!r}")
    return parts[3]
