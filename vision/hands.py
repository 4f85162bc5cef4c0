"""Hands of one shelf camera: which box is which hand, when it is in the shelf, whose it is.

A hand counts as in the shelf while its box lies over the shelf's front as the camera sees it. From
the header a hand before a high board is seen over a lower one, so its height is published with a
wide spread; where along the shelf it was is known well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from contracts.base import Contract
from contracts.messages import HandSeen, ProductScores
from vision.observations import OpenHand
from vision.sheet import Sheet

__all__ = ["HandSettings", "HandTracker", "SeenHand"]

Boxes = NDArray[np.float32]


class HandSettings(Contract):
    """Shares of lengths are of the picture's width; times in seconds."""

    jump: Annotated[float, Field(gt=0, le=1, description="a hand moves so far a frame")] = 0.09
    lost_s: Annotated[float, Field(gt=0, le=10, description="forgotten outside after")] = 0.5
    hidden_s: Annotated[float, Field(gt=0, le=10, description="may hide in the shelf for")] = 1.0
    enter_m: Annotated[float, Field(ge=-1, le=1, description="in above this over the edge")] = 0.0
    leave_m: Annotated[float, Field(ge=-1, le=1, description="out below this")] = -0.10
    tail_s: Annotated[float, Field(ge=0, le=2, description="looked at after it left")] = 0.3
    sides_m: Annotated[float, Field(ge=0, le=1, description="may reach past the bay")] = 0.15
    head_z_m: Annotated[float, Field(ge=0.5, le=2.2, description="a head's centre")] = 1.60
    head_apart_m: Annotated[float, Field(gt=0, le=3, description="from hand to own head")] = 1.1
    clear_m: Annotated[
        float, Field(ge=0, le=3, description="one head so much nearer, where arms cross")
    ] = 0.3
    tracks_max: Annotated[int, Field(ge=1, le=64)] = 12


@dataclass(frozen=True, slots=True)
class SeenHand:
    """One detected hand, or the end of an arm whose hand is hidden, in one frame."""

    box_px: Boxes
    score: float
    body_m: tuple[float, float] | None
    held: bool
    held_box_px: Boxes | None


@dataclass(slots=True)
class _Track:
    name: str
    t_s: float
    x: float
    y: float
    vx: float = 0.0
    vy: float = 0.0
    t_in_s: float | None = None
    t_out_s: float | None = None
    u_m: list[float] = field(default_factory=list)
    z_m: list[float] = field(default_factory=list)
    bodies: list[tuple[float, float]] = field(default_factory=list)
    held_before: list[bool] = field(default_factory=list)
    held_after: list[bool] = field(default_factory=list)
    scores: ProductScores = field(default_factory=ProductScores)


class HandTracker:
    """Gives hands names and follows them into the shelf and out."""

    def __init__(self, sheet: Sheet, settings: HandSettings | None = None) -> None:
        self._sheet = sheet
        self._set = settings or HandSettings()
        self._tracks: list[_Track] = []
        self._count = 0

    def step(self, t_s: float, hands: list[SeenHand]) -> tuple[HandSeen, ...]:
        """Follows the hands of one frame; returns those that have left the shelf for good."""
        free = list(range(len(hands)))
        reach = self._set.jump * self._sheet.lens.width
        pairs = []
        for track in self._tracks:
            age = min(1.0, t_s - track.t_s)
            for index in free:
                x, y = _tip(hands[index])
                apart = math.hypot(x - track.x - track.vx * age, y - track.y - track.vy * age)
                pairs.append((apart / (1.0 + 4.0 * age), track, index))
        taken: set[int] = set()
        used: set[str] = set()
        for apart, track, index in sorted(pairs, key=lambda row: (row[0], row[1].name, row[2])):
            if apart <= reach and index not in taken and track.name not in used:
                taken.add(index)
                used.add(track.name)
                self._move(track, t_s, hands[index])
        for index in free:
            if index not in taken and len(self._tracks) < self._set.tracks_max:
                self._begin(t_s, hands[index])
        return tuple(self._finish(t_s))

    def open_hands(self) -> tuple[OpenHand, ...]:
        """Hands in the shelf right now."""
        found = []
        for track in self._tracks:
            if track.t_in_s is None or track.t_out_s is not None:
                continue
            body = _middle(track.bodies)
            found.append(
                OpenHand(
                    hand_id=track.name,
                    t_in_s=track.t_in_s,
                    u_m=float(np.median(track.u_m)),
                    z_m=max(track.z_m),
                    body_x_m=None if body is None else body[0],
                    body_y_m=None if body is None else body[1],
                )
            )
        return tuple(found)

    def recently_out(self, t_s: float) -> list[tuple[str, Boxes | None]]:
        """Names of hands that have just left and are still looked at."""
        return [
            (track.name, None)
            for track in self._tracks
            if track.t_out_s is not None and t_s - track.t_out_s <= self._set.tail_s
        ]

    def give_scores(self, name: str, scores: ProductScores) -> None:
        """What the thing in a hand looks like, for when it leaves."""
        for track in self._tracks:
            if track.name == name:
                track.scores = scores

    def name_at(self, box_px: Boxes) -> str | None:
        """The hand in the shelf, or just out of it, that is at a box."""
        x, y = 0.5 * (box_px[0] + box_px[2]), 0.5 * (box_px[1] + box_px[3])
        near = [
            (math.hypot(track.x - x, track.y - y), track.name)
            for track in self._tracks
            if track.t_in_s is not None
        ]
        if not near:
            return None
        apart, name = min(near)
        return name if apart < self._set.jump * self._sheet.lens.width else None

    # ------------------------------------------------------------ one track

    def _begin(self, t_s: float, hand: SeenHand) -> None:
        self._count += 1
        x, y = _tip(hand)
        track = _Track(f"h{self._count}", t_s, x, y)
        self._tracks.append(track)
        self._note(track, t_s, hand)

    def _move(self, track: _Track, t_s: float, hand: SeenHand) -> None:
        x, y = _tip(hand)
        dt_s = max(1e-3, t_s - track.t_s)
        track.vx = 0.5 * track.vx + 0.5 * (x - track.x) / dt_s
        track.vy = 0.5 * track.vy + 0.5 * (y - track.y) / dt_s
        track.t_s, track.x, track.y = t_s, x, y
        self._note(track, t_s, hand)

    def _note(self, track: _Track, t_s: float, hand: SeenHand) -> None:
        u_m, z_m = self._place(hand.box_px)
        if hand.body_m is not None:
            track.bodies.append(hand.body_m)
            del track.bodies[:-60]
        inside = self._inside(u_m, z_m, was_in=track.t_in_s is not None)
        if inside:
            if track.t_in_s is None:
                track.t_in_s = t_s
            track.t_out_s = None
            track.held_after.clear()
            track.u_m.append(u_m)
            track.z_m.append(z_m)
            del track.u_m[:-60], track.z_m[:-60]
        elif track.t_in_s is None:
            track.held_before.append(hand.held)
            del track.held_before[:-6]
        else:
            if track.t_out_s is None:
                track.t_out_s = t_s
            track.held_after.append(hand.held)

    def _place(self, box: Boxes) -> tuple[float, float]:
        """Where the box's shelf-side end lies on the front plane."""
        x0, y0, x1, y1 = (float(value) for value in box)
        x, y = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
        points = np.array([[x, y], [x, y0], [x, y1], [x0, y], [x1, y]])
        front = self._sheet.frame.on_front(self._sheet.lens, points)
        heights = np.where(np.isfinite(front[:, 2]), front[:, 2], -10.0)
        best = int(np.argmax(np.minimum(heights, self._sheet.z_high_m)))
        u_m = float(front[0, 0]) if math.isfinite(front[0, 0]) else -10.0
        return u_m, float(heights[best])

    def _inside(self, u_m: float, z_m: float, *, was_in: bool) -> bool:
        edge = self._set.leave_m if was_in else self._set.enter_m
        side = self._set.sides_m
        return -side <= u_m <= self._sheet.bay.width_m + side and z_m >= self._sheet.z_low_m + edge

    def _finish(self, t_s: float) -> list[HandSeen]:
        done, kept = [], []
        for track in self._tracks:
            silent_s = t_s - track.t_s
            if track.t_in_s is None:
                if silent_s <= self._set.lost_s:
                    kept.append(track)
                continue
            if track.t_out_s is None and silent_s > self._set.hidden_s:
                track.t_out_s = track.t_s
            if track.t_out_s is None or t_s - track.t_out_s < self._set.tail_s:
                kept.append(track)
                continue
            done.append(self._seen(track))
            if silent_s <= self._set.lost_s:
                kept.append(self._again(track))
        self._tracks = kept
        return done

    def _again(self, track: _Track) -> _Track:
        """The same hand, outside again, under a new name for its next reach."""
        self._count += 1
        fresh = _Track(f"h{self._count}", track.t_s, track.x, track.y, track.vx, track.vy)
        fresh.held_before = track.held_after[-3:]
        fresh.bodies = track.bodies[-5:]
        return fresh

    def _seen(self, track: _Track) -> HandSeen:
        body = _middle(track.bodies)
        u_m = float(np.median(track.u_m))
        z_m = min(max(track.z_m), self._sheet.z_high_m)
        arm_deg = None
        if body is not None:
            hand = self._sheet.frame.to_world(np.array([[u_m, 0.0, z_m]]))[0]
            arm_deg = math.degrees(math.atan2(hand[1] - body[1], hand[0] - body[0]))
        spread = 0.06 + 0.5 * float(np.std(track.u_m))
        return HandSeen(
            hand_id=track.name,
            t_in_s=track.t_in_s or 0.0,
            t_out_s=track.t_out_s or track.t_s,
            u_m=u_m,
            z_m=z_m,
            sd_u_m=spread,
            sd_z_m=0.35,
            body_x_m=None if body is None else body[0],
            body_y_m=None if body is None else body[1],
            body_sd_m=0.15 if len(track.bodies) >= 3 else 0.3,
            arm_deg=arm_deg,
            held_in=_probability(track.held_before),
            held_out=_probability(track.held_after),
            products=track.scores,
        )


def _tip(hand: SeenHand) -> tuple[float, float]:
    x0, y0, x1, y1 = (float(value) for value in hand.box_px)
    return 0.5 * (x0 + x1), 0.5 * (y0 + y1)


def _middle(points: list[tuple[float, float]]) -> tuple[float, float] | None:
    """The median point, None of none."""
    if not points:
        return None
    return float(np.median([p[0] for p in points])), float(np.median([p[1] for p in points]))


def _probability(votes: list[bool]) -> float:
    """Share of yes with half a vote of doubt on either side (Jeffreys' prior)."""
    return (sum(votes) + 0.5) / (len(votes) + 1.0)
