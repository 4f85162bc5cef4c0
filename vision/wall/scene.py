"""What changes at a wall: a small picture held against a reference, whatever the light does.

Comparison is vision.change's: structure in small windows, blind to gain and offset; and colour,
with what differs over a wide stretch taken away. Light of our own adds to known channels in known
places: there those channels are left out, so that a ring is no change and a taken parcel still is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.change import Look, channel_gains, look_at, similarity
from vision.wall.records import LitRegion
from vision.wall.settings import SceneSettings

__all__ = ["LIT_CHANNEL", "Mask", "Scene", "Seen", "least", "most"]

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

CELL = 6
"""Small pixels of a cell whose mean difference wakes the camera."""
WIDE = 91
LIT_CHANNEL = {"take_a": 1, "take_b": 2, "not_this": 0, "wrong": 0}
EMPTY_KNOWN_MIN = 0.8
EMPTY_TELLING_MIN = 0.4
"""Shares of a place of which it must be known how it looks empty, and that must look otherwise
then."""
LIT_RGB_MIN = 0.06
LAMP_MIN = 0.97
"""A lamp is too bright for a camera: in its middle its own channel is at its end."""
LIT_GROW_PX = 3
BODY_SHARE = 0.15
"""What is longer than this share of the picture's width may be somebody."""
RIVAL_MAX = 0.6
"""A lit channel has gained at least so much more than the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A small picture, looked at closely. `image` (h, w, 3) float32 0..1 in the reference's light
    with our own light left out; `changed` against the reference, `moving` against the last frame,
    (h, w); `settled` (h, w) uint8 counts frames in which a pixel was changed and did not move.
    `flooded`: so much has changed that nothing can be judged."""

    image: F32
    changed: Mask
    moving: Mask
    settled: NDArray[np.uint8]
    flooded: bool


def most(image: F32) -> F32:
    """(h, w): the greatest channel of (h, w, 3), which numpy's own reduction takes long for."""
    greatest: F32 = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
    return greatest


def least(image: F32) -> F32:
    """(h, w): the least channel of (h, w, 3)."""
    smallest: F32 = np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])
    return smallest


def _others(gain: F32, channel: int) -> F32:
    """(...,): what the other two channels of (..., 3) have gained at most, nothing if they lost."""
    more: F32 = np.maximum(gain[..., (channel + 1) % 3], gain[..., (channel + 2) % 3])
    return np.maximum(more, 0)


@dataclass(frozen=True, slots=True)
class _Shone:
    """Where our own light falls: the rows and columns of a small picture around it, in these the
    pixels, and its channel, None for white."""

    part: tuple[slice, slice]
    mask: Mask
    channel: int | None


class Scene:
    """The reference of one camera. `scale` (x, y): full pixels of a small one."""

    def __init__(self, width: int, height: int, settings: SceneSettings) -> None:
        self._set = settings
        step = max(1, round(width / settings.small_px))
        self.size = (width // step, height // step)
        self.scale = (width / self.size[0], height / self.size[1])
        self.small: NDArray[np.uint8] | None = None
        self._calm: NDArray[np.uint8] | None = None
        self._calm_s = -np.inf
        self._awake_until_s = -np.inf
        self._reference: Look | None = None
        self._last: F32 | None = None
        self._lit: tuple[_Shone, ...] = ()
        self._lamps: tuple[_Shone, ...] = ()
        shape = (self.size[1], self.size[0])
        self._settled = np.zeros(shape, np.uint8)
        self.empty = np.zeros((*shape, 3), np.float32)
        """How places look where nothing stands, where `empty_known`."""
        self.empty_known = np.zeros(shape, np.bool_)

    def to_small(self, pixels: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.float64]:
        """Small pixels (N, 2) of full ones."""
        small: NDArray[np.float64] = (np.asarray(pixels, np.float64) + 0.5) / self.scale - 0.5
        return small

    def to_full(self, pixels: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.float64]:
        """Full pixels (N, 2) of small ones."""
        full: NDArray[np.float64] = (np.asarray(pixels, np.float64) + 0.5) * self.scale - 0.5
        return full

    def polygon_mask(self, polygon_px: NDArray[np.float64] | NDArray[np.float32]) -> Mask:
        """(h, w): the small pixels inside a polygon of full pixels."""
        mask = np.zeros((self.size[1], self.size[0]), np.uint8)
        points = np.round(self.to_small(polygon_px) * 16).astype(np.int32)
        cv2.fillPoly(mask, [points], 1, shift=4)
        return mask.astype(np.bool_)

    def shine(self, regions: Sequence[LitRegion]) -> None:
        """Where our own light falls from the next frame on."""
        lit: list[_Shone] = []
        lamps: list[_Shone] = []
        kernel = np.ones((2 * LIT_GROW_PX + 1,) * 2, np.uint8)
        for region in regions:
            mask = self.polygon_mask(region.polygon_px).astype(np.uint8)
            grown = cv2.dilate(mask, kernel)
            x, y, w, h = cv2.boundingRect(grown)
            part = slice(y, y + h), slice(x, x + w)
            of_one = lamps if region.lamps else lit
            channel = LIT_CHANNEL.get(region.look)
            of_one.append(_Shone(part, grown[part].astype(np.bool_), channel))
        self._lit, self._lamps = tuple(lit), tuple(lamps)

    @property
    def image(self) -> F32 | None:
        """The reference, (h, w, 3) float32 0..1."""
        return None if self._reference is None else self._reference.image

    def shrink(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The small picture of a frame; kept as `small`."""
        small = cv2.resize(rgb, self.size, interpolation=cv2.INTER_AREA)
        self.small = np.asarray(small, np.uint8)
        return self.small

    def step(self, t_s: float, rgb: NDArray[np.uint8]) -> Seen | None:
        """What the frame shows; None while nothing has changed for a while."""
        small = self.shrink(rgb)
        stirred = self._calm is None or self._stirs(small, self._calm)
        if self._calm is None or t_s - self._calm_s >= 1.0:
            self._calm, self._calm_s = small, t_s
        if stirred:
            self._awake_until_s = max(self._awake_until_s, t_s + self._set.awake_s)
        if t_s > self._awake_until_s and not self._lit and not self._lamps:
            self._last = None
            return None
        return self._look(small)

    def wake(self, t_s: float) -> None:
        """Something is not known yet: look on."""
        self._awake_until_s = max(self._awake_until_s, t_s + self._set.awake_s)

    def _stirs(self, small: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
        apart = cv2.absdiff(small, other)
        cells = (self.size[0] // CELL, self.size[1] // CELL)
        means = cv2.resize(apart, cells, interpolation=cv2.INTER_AREA)
        return bool(means.max() > self._set.wake_levels)

    def _look(self, small: NDArray[np.uint8]) -> Seen:
        image = small.astype(np.float32) * np.float32(1 / 255)
        shape = image.shape[:2]
        if self._reference is None:
            self._reference = look_at(image, self._set.window_px)
            self._last = image
            none = np.zeros(shape, np.bool_)
            return Seen(image, none, none.copy(), self._settled, False)
        reference = self._reference.image
        gains = channel_gains(image, reference)
        image = image * gains
        if self._lit or self._lamps:
            image = self._unlit(image, reference)
        changed = self._changed(image, gains)
        moving = np.zeros(shape, np.bool_)
        if self._last is not None:
            apart = cv2.blur(image - self._last, (3, 3))
            moving = most(np.abs(apart)) > self._set.motion_min
            moving = cv2.dilate(moving.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
        self._last = image
        stays = changed & ~moving
        self._settled = np.where(stays, np.minimum(self._settled, 250) + 1, 0).astype(np.uint8)
        flooded = float(changed.mean()) > self._set.flooded_share
        if not flooded:
            self._adapt(image, changed, moving)
        return Seen(image, changed, moving, self._settled, flooded)

    def _unlit(self, image: F32, reference: F32) -> F32:
        """The picture with our own light left out: in each lit place the channel it is in, and
        elsewhere what has gained in one channel only, as light that misses its place does; lamps
        themselves as they were before they shone."""
        image = image.copy()
        gain = image - reference
        for lamp in self._lamps:
            own, more, before = image[lamp.part], gain[lamp.part], reference[lamp.part]
            channel = lamp.channel
            if channel is None:
                shines = least(more) > LIT_RGB_MIN / 2
            else:
                # Whoever stands before a lamp hides it: only what is its colour is the lamp.
                coloured = more[..., channel] - _others(more, channel) > LIT_RGB_MIN / 2
                shines = coloured | ((own[..., channel] > LAMP_MIN) & (more[..., channel] > 0))
            shines &= lamp.mask
            own[shines], more[shines] = before[shines], 0.0
        for lit in self._lit:
            own, more, before = image[lit.part], gain[lit.part], reference[lit.part]
            if lit.channel is None:
                bright = lit.mask & (least(more) > LIT_RGB_MIN / 2)
                own[bright] = before[bright]
            else:
                brighter = lit.mask & (more[..., lit.channel] > 0)
                own[brighter, lit.channel] = before[brighter, lit.channel]
        for channel in range(3) if self._lit else ():
            at = np.nonzero(gain[..., channel] > LIT_RGB_MIN)
            more = gain[at]
            alone = _others(more, channel) < RIVAL_MAX * more[:, channel]
            y, x = at[0][alone], at[1][alone]
            image[y, x, channel] = reference[y, x, channel]
        return image

    def _changed(self, image: F32, gains: F32) -> Mask:
        assert self._reference is not None
        reference = self._reference
        if float(gains.min()) < 1.0 and (reference.image > gains).any():
            # What is brighter than a picture can be in this light is white, not changed.
            clipped = np.minimum(reference.image, gains)
            reference = look_at(clipped, self._set.window_px)
        look = look_at(image, self._set.window_px)
        alike = similarity(look, reference, 3 * self._set.noise**2)
        tint = look.mean - reference.mean
        calm = (alike > self._set.alike_min) & (most(np.abs(tint)) < 3 * self._set.tint_min)
        weight = calm.astype(np.float32)[..., None]
        wide = cv2.blur(tint * weight, (WIDE, WIDE))
        share = cv2.blur(weight, (WIDE, WIDE))
        wide = wide / np.maximum(share, 0.05)[..., None]
        tinted = most(np.abs(tint - wide)) > self._set.tint_min
        changed = ((alike < self._set.alike_min) | tinted).astype(np.uint8)
        opened = cv2.morphologyEx(changed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        return opened.astype(np.bool_)

    def _adapt(self, image: F32, changed: Mask, moving: Mask) -> None:
        """Slow light goes into the reference where nothing differs. Not where somebody stands: what
        of their clothes looks as what is behind them would be learnt, and missed when they go."""
        assert self._reference is not None
        busy = (changed | moving).astype(np.uint8)
        quiet = cv2.dilate(busy, np.ones((9, 9), np.uint8)) == 0
        _, _, stats, _ = cv2.connectedComponentsWithStats(busy, connectivity=8)
        for x, y, w, h in stats[1:, :4].tolist():
            if max(w, h) > BODY_SHARE * self.size[0]:
                quiet[y : y + h, x : x + w] = False
        for one in (*self._lit, *self._lamps):
            quiet[one.part] &= ~one.mask
        rate = (self._set.follow * quiet.astype(np.float32))[..., None]
        before = self._reference.image
        self._reference = look_at(before + (image - before) * rate, self._set.window_px)

    def accept(self, mask: Mask, image: F32, *, empty: bool) -> None:
        """The look of `image` inside the mask (and a window's width around it, where nothing
        moves) becomes the reference. `empty`: nothing stands there now."""
        assert self._reference is not None
        grown = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.bool_)
        before = self._reference.image
        now = before.copy()
        now[grown] = image[grown]
        if empty:
            self.empty[mask] = image[mask]
            self.empty_known |= mask
        else:
            fresh = mask & ~self.empty_known
            self.empty[fresh] = before[fresh]
            self.empty_known |= fresh
        self._reference = look_at(now, self._set.window_px)
        self._settled[grown] = 0

    def looks_empty(self, mask: Mask, image: F32) -> float:
        """Share of the mask that looks as it does when nothing stands there, of what looks
        otherwise while something does; 0 if nobody knows, or if too little of it does."""
        assert self._reference is not None
        whole = int(mask.sum())
        known = mask & self.empty_known
        if not whole or known.sum() < EMPTY_KNOWN_MIN * whole:
            return 0.0
        empty = self.empty[known]
        telling = most(np.abs(empty - self._reference.image[known])[None])[0] >= self._set.tint_min
        if telling.sum() < EMPTY_TELLING_MIN * whole:
            return 0.0
        apart = most(np.abs(image[known] - empty)[None])[0]
        return float((apart[telling] < self._set.tint_min).mean())
