"""What the page shows of the hub: beliefs, the receipt's moments, the broker. Pure functions.

A moment is a decision of the hub about a reach of the avatar: what it believes was done, how sure
it is, and when. Each line of a receipt is replayed by its moments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hub.pages.shown import Belief, Json, Snapshot, belief
from hub.pages.words import Palette, act

__all__ = ["BrokerWatch", "HubClock", "belief_json", "moments"]

CLOCKS_KEPT = 40
UNSEEN_S = 5.0
WAITING_USUAL = 20
"""Messages that a node which serves normally may have on their way at any moment."""
HEARD_S = 3.0


def belief_json(shot: Snapshot, visit_id: str | None, palette: Palette) -> dict[str, Any] | None:
    """What the hub believes of a visit, in the words of the start page; None if it knows none."""
    believed: Belief | None = belief(shot, visit_id, palette)
    return None if believed is None else asdict(believed)


def moments(shot: Snapshot, visit_id: str | None) -> list[dict[str, Any]]:
    """The latest decision on each reach that concerns a visit, in the order of time.

    `t_s` is hub seconds; `free` says that the visit is not charged for it because it is unclear.
    """
    latest: dict[tuple[str, int], Json] = {}
    for event in shot.events:
        data = event["data"]
        if event["kind"].startswith("decision.") and event["kind"] != "decision.late":
            latest[data["reach_id"], data["line"]] = data
    mine = [data for data in latest.values() if visit_id and _concerns(data, visit_id)]
    return [
        {
            "reach_id": data["reach_id"],
            "line": data["line"],
            "t_s": data["t_us"] / 1e6,
            "gtin": data["gtin"],
            "quantity": data["quantity"],
            "said": act(data, shot.names),
            "chance": float(data["probability"]),
            "free": not data["certain"],
            "why": str(data["why"]),
        }
        for data in sorted(mine, key=lambda data: (data["t_us"], data["reach_id"], data["line"]))
    ]


def _concerns(data: Json, visit_id: str) -> bool:
    if data["certain"]:
        return bool(data["to_visit"] == visit_id and data["quantity"])
    return any(other[0] == visit_id and other[2] for other in data["alternatives"]) or (
        data["to_visit"] == visit_id and bool(data["quantity"])
    )


class HubClock:
    """Hub seconds to the machine's monotonic seconds, learned from the hub's own answers.

    An answer says a time that has already passed when it is read, so of all differences seen the
    largest is the nearest to the truth.
    """

    def __init__(self) -> None:
        self._ahead_s: deque[float] = deque(maxlen=CLOCKS_KEPT)

    def heard(self, hub_s: float, monotonic_s: float) -> None:
        """The hub said this time, and it was read at that one."""
        self._ahead_s.append(hub_s - monotonic_s)

    def monotonic_s(self, hub_s: float) -> float | None:
        """The monotonic second of a hub second; None before the hub has said anything."""
        return hub_s - max(self._ahead_s) if self._ahead_s else None


@dataclass(slots=True)
class BrokerWatch:
    """What became of a broker that was killed: down, back, and whether anything was lost.

    `see` is called with what is known now; seconds of any clock that only rises.
    """

    pause_s: float
    asked_s: float | None = None
    down_s: float | None = None
    back_s: float | None = None
    phase: str = "up"

    def may_kill(self, now_s: float) -> bool:
        """Not while it is down, and not so often that the demo takes it for broken."""
        rested = self.asked_s is None or now_s - self.asked_s >= self.pause_s
        return rested and self.phase in ("up", "whole")

    def asked(self, now_s: float) -> None:
        """The demo was asked to kill it."""
        self.asked_s, self.down_s, self.back_s, self.phase = now_s, None, None, "asked"

    def see(self, now_s: float, state: Mapping[str, Any] | None) -> None:
        """One look at what the hub says; None while nothing is heard of it."""
        if state is None:
            return
        there = bool(state["broker"])
        if self.phase in ("up", "whole") and not there:
            # It fell by itself, or somebody else killed it.
            self.asked_s, self.down_s, self.back_s, self.phase = now_s, now_s, None, "down"
        elif self.phase == "asked" and not there:
            self.down_s, self.phase = now_s, "down"
        elif self.phase == "asked" and now_s - (self.asked_s or 0.0) > UNSEEN_S:
            # It was gone and back between two looks.
            self.down_s, self.phase = self.asked_s, "down"
        if self.phase == "down" and there:
            self.back_s, self.phase = now_s, "back"
        if self.phase == "back" and whole(state["devices"]):
            self.phase = "whole"

    def said(self, now_s: float) -> dict[str, Any]:
        """For the page."""
        away_s = None
        if self.down_s is not None:
            away_s = round((now_s if self.back_s is None else self.back_s) - self.down_s, 1)
        return {"phase": self.phase, "away_s": away_s, "may_kill": self.may_kill(now_s)}


def whole(devices: Sequence[Json]) -> bool:
    """Whether every node is heard, keeps nothing back, and no message is missing at the hub."""
    return all(
        device["alive"]
        and device["behind_gap"] == 0
        and device["health"] is not None
        and device["health"]["outbox_waiting"] <= WAITING_USUAL
        and device["heard_s_ago"] is not None
        and device["heard_s_ago"] < HEARD_S
        for device in devices
    )
