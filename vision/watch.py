"""Picks and put-backs from pixels alone: no store file, no calibration, no trained model.

What a pick leaves behind is physical and needs no model: something came into the picture and
reached a place, then went away again, and the place looks different for good. `Watcher` keeps a
reference of the scene, finds what differs from it (vision.change: blind to gain and offset, so
exposure and shadows do not count), and reports a compact stretch that differs once

- it has been still for a while and nothing that differs touches it any more,
- somebody was there before it changed and somebody was there after it had changed: a body that
  merely stops in view never leaves itself, a body that walks off was never reached by anyone,
- it is not the same thing pushed aside.

vision.verdict then tells a pick from a put-back. All lengths are shares of the picture's width,
all brightness shares of the scene's mean.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.change import (
    Look,
    channel_gains,
    filled,
    look_at,
    shift_between,
    shifted,
    similarity,
)
from vision.episode import (
    MOMENT_SCALE,
    Judge,
    Moment,
    Suspect,
    core_of,
    grown,
    overlapping,
    touches_border,
)
from vision.errors import FrameError
from vision.pieces import Piece, Told, belong, gather

__all__ = ["WatchEvent", "WatchSettings", "Watcher"]

F32 = NDArray[np.float32]
Mask = NDArray[np.uint8]

DARK = 0.08
"""A scene darker than this share of mid-grey is not brightened any further."""
SEED_SHARE_MIN = 0.1
"""At least this share of a group differs in structure, the rest may differ in tint only."""
STIRRED_MAX = 2
BESIDE_PX = 10
"""A change waits while somebody's arm or body is this near, on the half-size mask."""
MARGIN_PX = 2
"""By how much windows make a stretch look wider than it is, on the half-size mask."""
CLOSING = np.ones((9, 9), np.uint8)
"""Parts of one thing lie no further apart than this on the half-size mask."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """Thresholds with a meaning outside any one clip.

    `work_width_px`: width of the picture that is worked on. `rate_max_hz`: frames beyond this
    rate are counted, not looked at. `alike_min`: similarity under which a window has changed.
    `noise`: contrast taken for noise, as a share of the scene's mean. `tint_min`: a difference of
    brightness that is not noise, likewise, after the mean of a `wide_share` of the picture's width
    around it is taken away. `still_s`: how long a change must
    stand still to be judged. `settle_s`: how long it must then stay before it is told.
    `absorb_s`: after how long something that nobody brought becomes part of the scene, and
    `linger_s` the same for something that came and stays (a person who stands there).
    """

    work_width_px: int = 320
    window_px: int = 9
    rate_max_hz: float = 15.5
    alike_min: float = 0.5
    noise: float = 0.06
    tint_min: float = 0.14
    wide_share: float = 0.25
    motion_lag_s: float = 0.2
    still_s: float = 0.6
    settle_s: float = 2.0
    absorb_s: float = 3.0
    linger_s: float = 40.0
    follow_s: float = 2.0
    scene_change_share: float = 0.5
    shake_share_max: float = 0.03
    history_s: float = 60.0
    history_rate_hz: float = 15.5
    history_frames_max: int = 900


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A pick or put-back. `box` x0, y0, x1, y1 in source pixels; `t_s`: when the item moved."""

    t_s: float
    action: Literal["pick", "put_back"]
    box: tuple[int, int, int, int]
    quantity: int
    confidence: float


@dataclass(slots=True)
class _Pending:
    """A change that was judged an event and is watched a little longer before it is told."""

    mask: Mask
    image: F32
    t_still_s: float
    piece: Piece
    stirred: int = 0


class Watcher:
    """Frames in, events out. Feed `step` with rising times; call `finish` at the end.

    Costs a few milliseconds of CPU a frame; memory is bounded by the settings' history.
    """

    def __init__(self, settings: WatchSettings | None = None) -> None:
        self.settings = settings or WatchSettings()
        self.frames = 0
        self._floor = 3.0 * self.settings.noise**2
        self._judge = Judge(floor=self._floor)
        self._t_s: float | None = None
        self._looked_s = -math.inf
        self._scale = 1.0
        self._shape: tuple[int, int] | None = None
        self._begin()

    def _begin(self) -> None:
        """Forgets the scene; the next frames make a new one."""
        self._start: list[F32] = []
        self._start_s = math.inf
        self._reference: Look | None = None
        self._reference_s = -math.inf
        self._recent: deque[tuple[float, Look]] = deque(maxlen=32)
        self._history: deque[Moment] = deque(maxlen=self.settings.history_frames_max)
        self._moved_s = np.zeros((1, 1), np.float32)
        self._known_s = np.zeros((1, 1), np.float32)
        self._judged_s = np.zeros((1, 1), np.float32)
        self._alive = np.zeros((1, 1), np.uint8)
        self._solid = np.zeros((1, 1), np.uint8)
        self._pending: list[_Pending] = []
        self._told: deque[Piece] = deque(maxlen=32)
        self._differs_since_s: float | None = None
        self._shift = (0.0, 0.0)

    def step(self, t_s: float, rgb: NDArray[np.uint8]) -> tuple[WatchEvent, ...]:
        """Looks at one frame (H, W, 3) uint8 taken at `t_s` seconds; events settled by it."""
        self._check(t_s, rgb)
        self.frames += 1
        self._t_s = t_s
        if t_s - self._looked_s < 1.0 / self.settings.rate_max_hz:
            return ()
        self._looked_s = t_s
        image = self._work_image(rgb)
        if self._reference is None:
            self._learn(t_s, image)
            return ()
        look = look_at(self._aligned(image), self.settings.window_px)
        differs = self._differing(look, self._reference)
        moves = self._motion(t_s, look)
        active = np.maximum(differs, moves)
        self._remember(t_s, look, np.maximum(self._solid, moves))
        if self._scene_changed(t_s, differs, moves):
            events = self._tell(t_s, self._take_pending())
            self._begin()
            return events
        events = self._judge_groups(t_s, look, active, moves)
        self._follow(t_s, look, active)
        return events

    def finish(self) -> tuple[WatchEvent, ...]:
        """The film is over: what is still pending is told now."""
        return self._tell(self._t_s or 0.0, self._take_pending())

    def _take_pending(self) -> list[_Pending]:
        pending, self._pending = self._pending, []
        return pending

    # ------------------------------------------------------------ pictures

    def _check(self, t_s: float, rgb: NDArray[np.uint8]) -> None:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise FrameError(f"expected an RGB frame (H, W, 3) uint8, got {rgb.shape} {rgb.dtype}")
        if self._t_s is not None and t_s < self._t_s:
            raise FrameError(f"expected frames in order of time, got {t_s} s after {self._t_s} s")
        shape = (rgb.shape[0], rgb.shape[1])
        if self._shape is None:
            self._shape = shape
            self._scale = self.settings.work_width_px / max(shape)
            self._size = tuple(max(32, 2 * round(side * self._scale / 2)) for side in shape[::-1])
            self._wide_px = int(self.settings.wide_share * self._size[0]) | 1
            half = (self._size[0] // 2, self._size[1] // 2)
            self._hanning = np.asarray(cv2.createHanningWindow(half, cv2.CV_32F), np.float32)
        elif shape != self._shape:
            raise FrameError(f"expected all frames of one size, {self._shape}, got {shape}")

    def _work_image(self, rgb: NDArray[np.uint8]) -> F32:
        small = cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(small, (0, 0), 1.0)
        return np.asarray(soft, np.float32) * np.float32(1.0 / 128.0)

    def _learn(self, t_s: float, image: F32) -> None:
        """The first reference is the median of the first half second."""
        self._start_s = min(self._start_s, t_s)
        self._start.append(image)
        if (t_s - self._start_s < 0.5 or len(self._start) < 3) and len(self._start) < 12:
            return
        scene = np.median(np.stack(self._start), axis=0).astype(np.float32)
        scene *= np.float32(1.0 / max(DARK, float(scene.mean())))
        self._set_reference(t_s, scene)
        self._start = []
        half = (image.shape[0] // 2, image.shape[1] // 2)
        self._moved_s = np.full(half, t_s, np.float32)
        self._known_s = np.full(half, self._start_s, np.float32)
        self._judged_s = np.full(half, -np.inf, np.float32)
        self._alive = np.zeros(half, np.uint8)

    def _set_reference(self, t_s: float, image: F32) -> None:
        self._reference = look_at(image, self.settings.window_px)
        self._reference_s = t_s
        self._reference_small = _half_grey(image)

    def _aligned(self, image: F32) -> F32:
        """The frame in the light and in the place of the reference."""
        assert self._reference is not None
        gains = channel_gains(image, self._reference.image)
        image = image * gains
        dx, dy, response = shift_between(_half_grey(image), self._reference_small, self._hanning)
        dx, dy = 2 * dx, 2 * dy
        limit = self.settings.shake_share_max * self.settings.work_width_px
        if response > 0.3 and max(abs(dx), abs(dy)) < limit:
            self._shift = (dx, dy)
        if max(abs(self._shift[0]), abs(self._shift[1])) < 0.25:
            return image
        return shifted(image, *self._shift)

    # ------------------------------------------------------------ what differs, what moves

    def _differing(self, look: Look, reference: Look) -> Mask:
        """Where the structure differs, and what of another brightness or colour hangs together
        with it: the plain middle of a thing whose outline was found. Light alone, which makes no
        structure, is not enough."""
        structure = self._unlike(look, reference)
        apart = look.image - reference.image
        apart -= cv2.boxFilter(apart, cv2.CV_32F, (self._wide_px, self._wide_px))
        least = self.settings.tint_min
        tint = cv2.inRange(apart, (-least,) * 3, (least,) * 3) == 0
        self._solid = self._grouped(structure)
        mask = self._grouped(np.maximum(structure, tint.astype(np.uint8)))
        count, labels = cv2.connectedComponents(mask, connectivity=8)
        small = cv2.resize(structure * 255, mask.shape[::-1], interpolation=cv2.INTER_AREA) > 127
        seeds = np.bincount(labels[small], minlength=count)
        sizes = np.bincount(labels.ravel(), minlength=count)
        kept = seeds >= np.maximum(4, SEED_SHARE_MIN * sizes)
        kept[0] = False
        out: Mask = kept[labels].astype(np.uint8)
        return out

    def _unlike(self, look: Look, other: Look) -> Mask:
        alike = similarity(look, other, self._floor)
        return (alike < self.settings.alike_min).astype(np.uint8)

    def _grouped(self, mask: Mask) -> Mask:
        """The mask at half size: specks dropped, outlines closed and filled."""
        opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        size = (mask.shape[1] // 2, mask.shape[0] // 2)
        half = cv2.resize(opened, size, interpolation=cv2.INTER_AREA)
        closed = cv2.morphologyEx(half, cv2.MORPH_CLOSE, CLOSING)
        return filled(np.asarray(closed, np.uint8))

    def _motion(self, t_s: float, look: Look) -> Mask:
        self._recent.append((t_s, look))
        while len(self._recent) > 2 and self._recent[1][0] <= t_s - self.settings.motion_lag_s:
            self._recent.popleft()
        mask = self._grouped(self._unlike(look, self._recent[0][1]))
        self._moved_s[mask > 0] = t_s
        return mask

    def _remember(self, t_s: float, look: Look, active: Mask) -> None:
        if self._history and t_s - self._history[-1].t_s < 1.0 / self.settings.history_rate_hz:
            return
        small = cv2.resize(
            look.image, (active.shape[1], active.shape[0]), interpolation=cv2.INTER_AREA
        )
        picture = np.clip(small * MOMENT_SCALE, 0, 255).astype(np.uint8)
        self._history.append(Moment(t_s, picture, np.packbits(active)))
        while self._history[0].t_s < t_s - self.settings.history_s:
            self._history.popleft()

    def _scene_changed(self, t_s: float, differs: Mask, moves: Mask) -> bool:
        """Most of the picture differs and stands still: another scene, or the camera was moved."""
        if differs.mean() < self.settings.scene_change_share or moves.mean() > 0.02:
            self._differs_since_s = None
            return False
        if self._differs_since_s is None:
            self._differs_since_s = t_s
        return t_s - self._differs_since_s >= 2 * self.settings.still_s

    # ------------------------------------------------------------ events

    def _judge_groups(
        self, t_s: float, look: Look, active: Mask, moves: Mask
    ) -> tuple[WatchEvent, ...]:
        count, labels, stats, _ = cv2.connectedComponentsWithStats(active, connectivity=8)
        told = self._hold_or_tell(t_s, active, moves)
        self._alive &= active
        for label in range(1, count):
            if stats[label, cv2.CC_STAT_AREA] < 6:
                continue
            mask = core_of((labels == label).astype(np.uint8))
            if touches_border(mask > 0) and np.any(self._solid & mask):
                mask = core_of(self._solid & mask)
            if any(overlapping(mask, pending.mask) for pending in self._pending):
                continue
            still_since = float(np.percentile(self._moved_s[mask > 0], 98))
            if t_s - still_since < self.settings.still_s or not self._due(t_s, mask):
                continue
            if float(self._alive[mask > 0].mean()) < 0.5 and not _beside(
                mask, np.asarray(labels, np.int32), label
            ):
                self._judge_still(t_s, look, mask, still_since)
        return told

    def _due(self, t_s: float, mask: Mask) -> bool:
        """Looking back costs time: the same stretch is judged again only now and then."""
        inside = mask > 0
        if t_s - float(np.median(self._judged_s[inside])) < self.settings.still_s:
            return False
        self._judged_s[inside] = t_s
        return True

    def _judge_still(self, t_s: float, look: Look, mask: Mask, still_since: float) -> None:
        assert self._reference is not None
        suspect = Suspect(
            mask=mask, before=self._reference, after=look,
            t_from_s=float(np.median(self._known_s[mask > 0])), t_s=t_s,
        )  # fmt: skip
        thorough = t_s - still_since > self.settings.absorb_s
        verdict = self._judge.judge(suspect, self._history, thorough=thorough)
        if thorough and not verdict.event:
            self._judged_s[mask > 0] = t_s + self.settings.absorb_s
        if verdict.event:
            piece = Piece(verdict.box, verdict.t_s, verdict.log_odds, float(mask.sum()))
            self._pending.append(_Pending(mask, look.image, t_s, piece))
            return
        patience_s = self.settings.linger_s if verdict.came else self.settings.absorb_s
        if verdict.pushed or t_s - still_since > patience_s:
            self._accept(t_s, mask, look.image)

    def _hold_or_tell(self, t_s: float, active: Mask, moves: Mask) -> tuple[WatchEvent, ...]:
        """Tells what stayed long enough or is reached by somebody again; drops what moves by
        itself or went back to how it was. Somebody shows by structure, not by shadow."""
        if not self._pending:
            return ()
        _, labels = cv2.connectedComponents(np.maximum(self._solid, moves), connectivity=8)
        ripe: list[_Pending] = []
        kept: list[_Pending] = []
        for pending in self._pending:
            inside = pending.mask > 0
            touching = np.unique(labels[grown(pending.mask, 2) > 0])
            group = np.isin(labels, touching[touching > 0])
            area = int(inside.sum())
            outside = group & (grown(pending.mask, 4) == 0)
            visited = touches_border(outside) or int(outside.sum()) > area
            still = float(np.percentile(self._moved_s[inside], 95)) <= pending.t_still_s
            if visited or (still and t_s - pending.t_still_s >= self.settings.settle_s):
                ripe.append(pending)
            elif int(active[inside].sum()) >= 0.5 * area:
                self._keep_watching(t_s, pending, still, kept)
        self._pending = kept
        return self._tell(t_s, ripe)

    def _keep_watching(
        self, t_s: float, pending: _Pending, still: bool, kept: list[_Pending]
    ) -> None:
        """What stirs again and again with nobody near is alive: not a thing on a shelf."""
        if not still and t_s - pending.t_still_s > self.settings.still_s:
            pending.stirred += 1
        if pending.stirred >= STIRRED_MAX:
            self._alive[pending.mask > 0] = 1
            return
        if not still:
            pending.t_still_s = t_s
        kept.append(pending)

    def _tell(self, t_s: float, ripe: Sequence[_Pending]) -> tuple[WatchEvent, ...]:
        """Events of the ripe pieces, together with the pending pieces of the same things."""
        events: list[WatchEvent] = []
        waiting = list(ripe)
        while waiting:
            first = waiting.pop(0)
            self._accept(t_s, first.mask, first.image)
            if any(belong(first.piece, piece) for piece in self._told):
                continue
            others = {id(pending.piece): pending for pending in (*waiting, *self._pending)}
            told, parts = gather(first.piece, [pending.piece for pending in others.values()])
            for part in parts:
                pending = others[id(part)]
                self._accept(t_s, pending.mask, pending.image)
                for queue in (waiting, self._pending):
                    if pending in queue:
                        queue.remove(pending)
            self._told.extend((first.piece, *parts))
            if told.action is not None:
                events.append(self._event(told))
        return tuple(sorted(events, key=lambda event: event.t_s))

    def _event(self, told: Told) -> WatchEvent:
        assert self._shape is not None
        assert told.action is not None
        scale = 2.0 / self._scale
        x0, y0, x1, y1 = told.box
        inset = min(MARGIN_PX, (x1 - x0) / 4, (y1 - y0) / 4)
        box = (
            max(0, round((x0 + inset) * scale)), max(0, round((y0 + inset) * scale)),
            min(self._shape[1], round((x1 - inset) * scale)),
            min(self._shape[0], round((y1 - inset) * scale)),
        )  # fmt: skip
        return WatchEvent(round(told.t_s, 3), told.action, box, 1, round(told.confidence, 3))

    def _accept(self, t_s: float, mask: Mask, image: F32) -> None:
        """The look of `image` inside the mask becomes the reference, in the light that the
        reference has around it: a passing shadow must not leave an outline."""
        assert self._reference is not None
        wide = grown(mask, 3)
        size = (image.shape[1], image.shape[0])
        full = cv2.resize(wide, size, interpolation=cv2.INTER_NEAREST)
        soft = cv2.GaussianBlur(full.astype(np.float32), (0, 0), 1.5)[..., None]
        here = self._reference.image
        ring = cv2.dilate(full, np.ones((9, 9), np.uint8)) > full
        gains = np.ones(3, np.float32)
        if ring.any():
            gains = np.median(here[ring] / np.maximum(image[ring], 0.02), axis=0)
            gains = np.clip(gains, 0.5, 2.0).astype(np.float32)
        self._set_reference(t_s, image * gains * soft + here * (1.0 - soft))
        self._known_s[mask > 0] = t_s

    def _follow(self, t_s: float, look: Look, active: Mask) -> None:
        """Slow light goes into the reference where nothing differs."""
        assert self._reference is not None
        passed_s = t_s - self._reference_s
        if passed_s < 0.25:
            return
        rate = 1.0 - math.exp(-passed_s / self.settings.follow_s)
        size = (look.image.shape[1], look.image.shape[0])
        quiet = 1 - cv2.resize(grown(active, 3), size, interpolation=cv2.INTER_NEAREST)
        weight = (rate * quiet.astype(np.float32))[..., None]
        image = self._reference.image
        self._set_reference(t_s, image + (look.image - image) * weight)


def _beside(mask: Mask, labels: NDArray[np.int32], own: int) -> bool:
    """Whether something else that differs reaches from the border to near the mask."""
    for other in np.unique(labels[grown(mask, BESIDE_PX) > 0]):
        if other not in (0, own) and touches_border(labels == other):
            return True
    return False


def _half_grey(image: F32) -> F32:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)
