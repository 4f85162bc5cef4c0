"""The story of one change: who came, when it changed, who left, what is seen now.

`Judge.judge` looks back over the film's recent moments at one still, compact stretch that
differs from the reference, and says whether that is an item taken or put back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.change import Look, look_at, similarity
from vision.verdict import carried_match, weigh

__all__ = [
    "MOMENT_SCALE",
    "Judge",
    "Moment",
    "Suspect",
    "Verdict",
    "core_of",
    "grown",
    "overlapping",
]

F32 = NDArray[np.float32]
Mask = NDArray[np.uint8]

MOMENT_SCALE = 80.0
"""Grey value of the scene's mean in a remembered picture: three times the mean still fits."""
AREA_SHARE_MIN, AREA_SHARE_MAX = 4e-4, 0.2
"""Smaller is a speck, larger a body or a scene; shares of the picture."""
THICKNESS_MIN_PX = 3.0
"""Half of the least width, on the half-size mask, that is not an edge of shadow or a nudge."""
TAIL_PX = 5
PART_SHARE_MIN = 0.15
SOLIDITY_MIN = 0.45
ASPECT_MAX = 8.0
PUSH_SHARE = 0.3
"""A thing found again within this share of its own size was pushed, not taken."""
PUSH_PX_MAX = 6
PUSHED_ALIKE_MIN = 0.75
VISITOR_SHARE = 0.25
"""A visitor who reaches in from the border covers at least this share of the stretch's area
beside it."""
NEAR_PX = 12
"""How near a visitor must come to have reached the stretch, on the half-size mask."""
LOOKS_LIKE_MIN = 0.7
"""From this likeness on the stretch shows a look; a visitor may hide a part of it."""
TOUCH_S_MAX, RELEASE_S_MAX = 0.6, 1.5
RECENT_S = 15.0
BESIDE_S_MIN = 0.12
"""A visitor is beside the new look for longer than the moment in which it comes about."""
REST_S = 0.3
REST_LIKE_MIN = 0.88
"""Once left, goods keep their look; who stands there sways."""
GONE_S = 0.75
"""A visitor not seen for this long has left; who comes later is another one."""
BODY_SHARE = 1.2
"""A visitor who is all in the picture is at least this many times the stretch."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One remembered frame at half of the work size: `picture` (h, w, 3) uint8 in units of
    MOMENT_SCALE, `active` the packed bits of the 0/1 mask (h, w) of what differed or moved."""

    t_s: float
    picture: NDArray[np.uint8]
    active: NDArray[np.uint8]

    def mask(self) -> Mask:
        """The mask unpacked."""
        height, width = self.picture.shape[:2]
        return np.unpackbits(self.active, count=height * width).reshape(height, width)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A stretch that differs and is still: `mask` at half size, the looks of the whole picture
    before and after, since when the reference there is valid, and the present."""

    mask: Mask
    before: Look
    after: Look
    t_from_s: float
    t_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a suspect. `log_odds` in nats, positive for a pick. `came`: somebody was
    seen to come to it. `pushed`: the same thing a little aside. `box` in half-size pixels."""

    event: bool
    came: bool
    pushed: bool = False
    t_s: float = 0.0
    action: Literal["pick", "put_back"] = "pick"
    log_odds: float = 0.0
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    why: str = ""


class Judge:
    """Stateless but for its noise floor (variance of structure that is noise)."""

    def __init__(self, *, floor: float) -> None:
        self._floor = floor

    def judge(
        self, suspect: Suspect, history: Iterable[Moment], *, thorough: bool = True
    ) -> Verdict:
        """See the module. Without `thorough`, a stretch of a shape that no item has is not looked
        back at: `came` is then taken for granted."""
        unfit = shape_fault(suspect.mask)
        if unfit and not thorough:
            return Verdict(False, True, why=unfit)
        moments = _thinned(
            [moment for moment in history if moment.t_s >= suspect.t_from_s - 1e-6], suspect.t_s
        )
        if len(moments) < 4:
            return Verdict(False, True, why="too early")
        likes = self._likeness(suspect, moments)
        crossing = _split(likes)
        came_s, left_s = _visits(suspect.mask, moments, likes, crossing)
        came = came_s is not None
        if unfit:
            return Verdict(False, came, why=unfit)
        if came_s is None or left_s is None:
            return Verdict(False, came, why="nobody left" if came else "nobody came")
        if self._pushed(suspect):
            return Verdict(False, came, pushed=True, why="pushed aside")
        return self._event(suspect, moments, crossing, (came_s, left_s))

    def _likeness(self, suspect: Suspect, moments: Sequence[Moment]) -> NDArray[np.float64]:
        """How much the stretch looked at each moment like before and like now, (N, 2), 1 is the
        same. Windows count by the structure that before or now has in them."""
        x0, y0, x1, y1 = _bounds(suspect.mask, 4)
        before, after = (
            look_at(_half(look.image)[y0:y1, x0:x1], 5) for look in (suspect.before, suspect.after)
        )
        weight = (before.energy + after.energy) * suspect.mask[y0:y1, x0:x1]
        weight /= max(float(weight.sum()), 1e-9)
        likes = np.empty((len(moments), 2))
        for index, moment in enumerate(moments):
            part = moment.picture[y0:y1, x0:x1].astype(np.float32) * np.float32(1.0 / MOMENT_SCALE)
            now = look_at(part, 5)
            likes[index, 0] = float((similarity(now, before, self._floor) * weight).sum())
            likes[index, 1] = float((similarity(now, after, self._floor) * weight).sum())
        return likes

    def _pushed(self, suspect: Suspect) -> bool:
        """Whether the look before is found again close by in the look after: the share of the
        structure of both that a small shift explains."""
        x0, y0, x1, y1 = _bounds(suspect.mask, 0)
        reach = min(PUSH_PX_MAX, max(2, round(PUSH_SHARE * min(x1 - x0, y1 - y0))))
        before, after = (_half(look.image) for look in (suspect.before, suspect.after))
        now = look_at(after[y0:y1, x0:x1], 5)
        inside = suspect.mask[y0:y1, x0:x1] > 0
        height, width = suspect.mask.shape
        best = 0.0
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                if y0 + dy < 0 or x0 + dx < 0 or y1 + dy > height or x1 + dx > width:
                    continue
                then = look_at(before[y0 + dy : y1 + dy, x0 + dx : x1 + dx], 5)
                both = (then.energy + now.energy)[inside].sum() + self._floor
                apart = similarity(then, now, self._floor) * (
                    then.energy + now.energy + self._floor
                )
                best = max(best, float((apart - self._floor)[inside].sum() / both))
        return best > PUSHED_ALIKE_MIN

    def _event(
        self,
        suspect: Suspect,
        moments: Sequence[Moment],
        crossing: int,
        visit_s: tuple[float, float],
    ) -> Verdict:
        x0, y0, x1, y1 = _bounds(suspect.mask, 0)
        size = (suspect.after.image.shape[1], suspect.after.image.shape[0])
        full = np.asarray(cv2.resize(suspect.mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        inside = full > 0
        energies = [float(look.energy[inside].mean()) for look in (suspect.before, suspect.after)]
        evidence = weigh(
            suspect.before.image, suspect.after.image, full, energies=(energies[0], energies[1]),
            carried=self._carried(suspect, moments, crossing), floor=math.sqrt(self._floor),
        )  # fmt: skip
        picked = evidence.log_odds > 0
        t_x = moments[crossing].t_s
        return Verdict(
            True,
            True,
            t_s=_reach_time(t_x, visit_s, picked=picked),
            action="pick" if picked else "put_back",
            log_odds=evidence.log_odds,
            box=(float(x0), float(y0), float(x1), float(y1)),
            why=f"{evidence}",
        )

    def _carried(self, suspect: Suspect, moments: Sequence[Moment], crossing: int) -> float:
        x0, y0, x1, y1 = _bounds(suspect.mask, 0)
        t_x = moments[crossing].t_s
        home = (x0, y0)
        floor = math.sqrt(self._floor / 3.0)
        matches = []
        spans = ((t_x, t_x + 1.5), (t_x - 1.5, t_x))
        for look, (begin, end) in zip((suspect.before, suspect.after), spans, strict=True):
            grey = np.asarray(cv2.cvtColor(_half(look.image), cv2.COLOR_RGB2GRAY), np.float32)
            frames = [
                (cv2.cvtColor(moment.picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / MOMENT_SCALE,
                 moment.mask())
                for moment in moments if begin <= moment.t_s <= end
            ]  # fmt: skip
            patch: F32 = np.ascontiguousarray(grey[y0:y1, x0:x1])
            matches.append(carried_match(patch, frames, home, floor))
        return matches[0] - matches[1]


def _reach_time(t_x: float, visit_s: tuple[float, float], *, picked: bool) -> float:
    """The middle of the time that somebody was at the item: before it left its place, or after it
    had come to it. The same under reversal of time but for the bounds: who rests a hand on an
    item for long takes it in the end."""
    if picked:
        return t_x - min(TOUCH_S_MAX, max(0.0, t_x - visit_s[0]) / 2.0)
    return t_x + min(RELEASE_S_MAX, max(0.0, visit_s[1] - t_x) / 2.0)


def _thinned(moments: list[Moment], t_s: float) -> list[Moment]:
    """All of the last seconds, every third moment of what lies further back."""
    return [
        moment
        for index, moment in enumerate(moments)
        if moment.t_s >= t_s - RECENT_S or index % 3 == 0
    ]


def _split(likes: NDArray[np.float64]) -> int:
    """Index of the moment from which on the stretch looks as it does now: the split that best
    tells moments like before from moments like now."""
    head = np.concatenate([[0.0], np.cumsum(likes[:, 0] - likes[:, 1])])
    return min(int(np.argmax(2 * head - head[-1])), len(likes) - 1)


def _visits(
    mask: Mask, moments: Sequence[Moment], likes: NDArray[np.float64], crossing: int
) -> tuple[float | None, float | None]:
    """Since when somebody was beside the stretch while it still looked as before, and when the
    first who was beside it with its new look left (None: nobody was, or what they left there goes
    on changing by itself). A body that stops is never beside its own final look, one that walks
    off never beside its own former look."""
    area = int(mask.sum())
    near = grown(mask, NEAR_PX)
    beside = grown(mask, 3) == 0
    came_s: float | None = None
    left_s: float | None = None
    beside_count = 0
    alone: list[float] = []
    stirred_s = -math.inf
    for index, moment in enumerate(moments):
        active = moment.mask()
        if np.any(active & near):
            stirred_s = moment.t_s
        elif index <= crossing and moment.t_s - stirred_s > 2 * GONE_S:
            came_s = None
        _, labels = cv2.connectedComponents(active, connectivity=8)
        touching = np.unique(labels[near > 0])
        group = np.isin(labels, touching[touching > 0]) & beside
        size = int(group.sum())
        reaches_in = size >= VISITOR_SHARE * area and touches_border(group)
        if not (reaches_in or size >= BODY_SHARE * area):
            if left_s is not None and moment.t_s > left_s + REST_S:
                alone.append(float(likes[index, 1]))
            continue
        if index <= crossing and likes[index, 0] >= LOOKS_LIKE_MIN:
            came_s = moment.t_s if came_s is None else came_s
        if index >= crossing and likes[index, 1] >= LOOKS_LIKE_MIN:
            gone = left_s is not None and moment.t_s - left_s > GONE_S
            left_s = left_s if gone else moment.t_s
            beside_count += 1
    step_s = float(np.median(np.diff([moment.t_s for moment in moments])))
    if beside_count * step_s < BESIDE_S_MIN:
        return came_s, None
    if alone and float(np.percentile(alone, 10)) < REST_LIKE_MIN:
        return came_s, None
    return came_s, left_s


def shape_fault(mask: Mask) -> str:
    height, width = mask.shape
    area = int(mask.sum())
    if not AREA_SHARE_MIN <= area / (height * width) <= AREA_SHARE_MAX:
        return f"area {area}"
    if touches_border(mask > 0):
        return "touches the border"
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(contours)))
    if area < SOLIDITY_MIN * hull:
        return "not compact"
    _, (side_a, side_b), _ = cv2.minAreaRect(np.concatenate(contours))
    if max(side_a, side_b) > ASPECT_MAX * max(1.0, min(side_a, side_b)):
        return "a thin line"
    if float(cv2.distanceTransform(mask, cv2.DIST_L2, 3).max()) < THICKNESS_MIN_PX:
        return "thin"
    return ""


def touches_border(mask: NDArray[np.bool_]) -> bool:
    """Whether the mask reaches the picture's border."""
    return bool(mask[:2].any() or mask[-2:].any() or mask[:, :2].any() or mask[:, -2:].any())


def core_of(mask: Mask) -> Mask:
    """The mask without its tails: streaks thinner than TAIL_PX and what only they connect."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (TAIL_PX, TAIL_PX))
    framed = cv2.copyMakeBorder(mask, TAIL_PX, TAIL_PX, TAIL_PX, TAIL_PX, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(framed, cv2.MORPH_OPEN, disc)[TAIL_PX:-TAIL_PX, TAIL_PX:-TAIL_PX]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    if count < 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = np.flatnonzero(areas >= PART_SHARE_MIN * areas[1:].max())
    return np.isin(labels, kept[kept > 0]).astype(np.uint8)


def grown(mask: Mask, pixels: int) -> Mask:
    """The mask with `pixels` more on every side."""
    size = 2 * pixels + 1
    return np.asarray(cv2.dilate(mask, np.ones((size, size), np.uint8)), np.uint8)


def overlapping(a: Mask, b: Mask) -> bool:
    """Whether two masks share a pixel."""
    return bool(np.any(a & b))


def _bounds(mask: Mask, margin: int) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero(mask)
    height, width = mask.shape
    return (
        max(0, int(xs.min()) - margin), max(0, int(ys.min()) - margin),
        min(width, int(xs.max()) + 1 + margin), min(height, int(ys.max()) + 1 + margin),
    )  # fmt: skip


def _half(image: F32) -> F32:
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
