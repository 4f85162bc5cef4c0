"""The place of one thing in the small picture: is the thing seen there, hidden, or gone?

The answer comes from the border of its outline. Where the picture just outside the border is as
ever, nobody stands in front of it there; if just inside of it all has changed, the thing has gone.
A hand on a parcel changes its middle, a person in front changes what is outside as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.wall.colours import ALIKE, FAR_PX, BareWall, bare_share
from vision.wall.scene import Mask, Scene, Seen
from vision.wall.settings import FollowSettings

__all__ = ["HELD_MIN", "Place", "PlaceView"]

SAMPLES = 48
NEAR_PX = 4
ASIDE_PX = 150
"""Small pixels to either side: a wall's colours are looked for so far where none are near."""
CERTAIN_BARE, CERTAIN_STILL, CERTAIN_LABEL = 0.95, 0.8, 0.9
REST_MIN = 0.4
"""Of a place, and of its label, so much must not be covered by another for the rest to decide."""
APART_MAX, HELD_MIN = 0.1, 0.5
"""Of a place less, or more, is one with somebody's picture: nobody is at it, or they hold it."""
HELD_BARE_MIN = 0.6
"""Where somebody is at a place that shows the wall, so much of it must."""
ANOTHER_CLEAR, ANOTHER_BORDER = 0.6, 0.3
INSIDE_PX, OUTSIDE_PX = 2.5, 4.5
"""Small pixels from the border; the comparison's window reaches less far than the latter."""


@dataclass(frozen=True, slots=True)
class PlaceView:
    """How a place looks, in shares: `changed` of its area, `label` of its label's area, `stirred`
    (moving) of its area, `clear` of the border's outside that is as ever, `border` of the inside
    along that which changed and stands still, `empty` of its area that looks as the empty wall did,
    `bare` of its label's area that has the colours of the wall around it, `still` of its
    label's area that does not move; `apart`: how far the colours of what is clear are from what
    they were, the median, 0..1; `wide`: as `bare`, of a wall's colours farther to both sides."""

    changed: float
    label: float
    stirred: float
    clear: float
    border: float
    empty: float
    bare: float
    still: float
    apart: float = 0.0
    wide: float = 0.0

    def seen(self, settings: FollowSettings) -> bool:
        """Whether the thing is there and can be seen. Where its label was, the wall itself is not:
        of an outline that is far too large, that is all which changed."""
        return self.changed < settings.seen_share and not self.certain

    @property
    def certain(self) -> bool:
        """Whether the bare wall was seen in the frame before as well: nothing there moves."""
        return self.bare >= CERTAIN_BARE and self._still

    @property
    def _still(self) -> bool:
        """Whether nothing of the label is seen, and nothing moves there."""
        return self.still >= CERTAIN_STILL and self.label >= CERTAIN_LABEL

    @property
    def another(self) -> bool:
        """Whether something else holds still where the label was, and what is around is as ever."""
        label = self.label >= 0.95 and self.still >= 0.95
        return label and self.clear >= ANOTHER_CLEAR and self.border >= ANOTHER_BORDER

    def gone(self, settings: FollowSettings, body: float, *, nobody: bool = False) -> bool:
        """Whether the place is seen and the thing is not on it. `body`: the share of its area that
        is one with somebody before the wall; `nobody`: none is in the picture at all."""
        if self.label < settings.gone_share:
            return False
        if nobody and self.wide >= CERTAIN_BARE and self._still:
            # Around an outline that is far too small, all that stood there has gone as well.
            return True
        if self.certain and body <= APART_MAX and self.stirred <= APART_MAX:
            # Of an outline that holds the label only, what is around has gone as well.
            return True
        held = body > HELD_MIN
        # Grey clothes look as a grey wall does, but who wears them hides what is around as well,
        # and that is as it was to a hundredth where nobody hides it.
        around = self.clear >= settings.clear_share and not (held and self.apart > ALIKE)
        rim = self.clear >= settings.bare_clear and self.border >= settings.bare_border
        beside = rim and not held
        if self.bare >= settings.bare_share and self.still > 0.5 and (around or beside):
            return True
        if self.seen(settings) or self.stirred > 0.3:
            return False
        # Somebody's head may be just as large as what is behind it, and what they carry past, too,
        # but neither has a wall's colours.
        if held:
            open_ = self.bare >= HELD_BARE_MIN
        else:
            open_ = self.clear >= settings.open_share or self.bare >= settings.bare_some
        if around and open_ and self.border >= settings.gone_share:
            return True
        return self.empty >= settings.gone_share


class Place:
    """A polygon of full pixels, `label_px` (4, 2) inside of it if there is a label."""

    def __init__(
        self,
        scene: Scene,
        outline_px: NDArray[np.float64],
        label_px: NDArray[np.float64] | NDArray[np.float32] | None,
    ) -> None:
        mask = scene.polygon_mask(outline_px)
        high, wide = mask.shape
        self.mask = mask
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        self.usable = len(rows) > 0
        self.box = (
            (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
            if self.usable
            else (0, 0, 1, 1)
        )
        x0, y0, x1, y1 = self.box
        self._cut = (slice(y0, y1), slice(x0, x1))
        self._area = mask[self._cut]
        self._label = self._area
        if label_px is not None:
            spot = scene.polygon_mask(label_px)[self._cut] & self._area
            self._label = spot if spot.sum() >= 4 else self._area
        self._whole = int(self._area.sum()), int(self._label.sum())
        small = scene.to_small(outline_px)
        self._inside, self._outside = _bands(small, high, wide)
        self.rows = slice(y0, y1)
        wider = (slice(max(0, y0 - FAR_PX), y1 + FAR_PX), slice(max(0, x0 - FAR_PX), x1 + FAR_PX))
        self._wider = wider
        cut = mask[wider].astype(np.uint8)
        far = cv2.dilate(cut, np.ones((2 * FAR_PX + 1,) * 2, np.uint8))
        near = cv2.dilate(cut, np.ones((2 * NEAR_PX + 1,) * 2, np.uint8))
        self._around = (far > 0) & (near == 0)
        self._aside = (wider[0], slice(max(0, x0 - ASIDE_PX), x1 + ASIDE_PX))
        self._beside = ~mask[self._aside]

    def view(self, scene: Scene, seen: Seen, wall: BareWall, *, nobody: bool = True) -> PlaceView:
        """How the place looks now. Without `nobody`, while somebody is in the picture, `wide` is
        not looked for."""
        if not self.usable:
            return PlaceView(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        changed, moving = seen.changed[self._cut], seen.moving[self._cut]
        area = self._area
        share = float(changed[area].mean())
        if share == 0.0:
            return PlaceView(0.0, 0.0, float(moving[area].mean()), 1.0, 0.0, 0.0, 0.0, 1.0)
        (iy, ix), (oy, ox) = self._inside, self._outside
        clear = ~seen.changed[oy, ox] & ~seen.moving[oy, ox]
        border = 0.0
        if clear.any():
            gone = seen.changed[iy, ix] & ~seen.moving[iy, ix]
            border = float(gone[clear].mean())
        unlike = self.label_in(seen.changed)
        still = 1.0 - self.label_in(seen.moving)
        bare = self.bare(seen, wall) if unlike > 0.5 else 0.0
        wide = 0.0
        if nobody and bare < CERTAIN_BARE and unlike >= CERTAIN_LABEL and still >= CERTAIN_STILL:
            wide = self._bare_within(self._aside, self._beside, seen, wall)
        return PlaceView(
            share,
            unlike,
            float(moving[area].mean()),
            float(clear.mean()) if len(clear) else 0.0,
            border,
            scene.looks_empty(self.mask, seen.image),
            bare,
            still,
            _apart(scene, seen, oy[clear], ox[clear]),
            wide,
        )

    def bare(self, seen: Seen, wall: BareWall) -> float:
        """Share of the label's area, or of all of it without a label, that has a colour that the
        bare wall near it has: what is in front of the wall, a hand or a sleeve, is seldom of its
        colour, and what stood there and went shows it."""
        return self._bare_within(self._wider, self._around, seen, wall)

    def _bare_within(
        self, area: tuple[slice, slice], chosen: Mask, seen: Seen, wall: BareWall
    ) -> float:
        """The share, by the wall's colours in what is `chosen` of a part of the picture."""
        here, free = seen.image[self._cut], chosen & wall.free[area]
        return bare_share(
            here, self._label, wall.image[area], free, self.rows.start - area[0].start
        )

    def label_in(self, mask: Mask) -> float:
        """Share of the label's area, or of all of it without a label, that is in `mask` (h, w)."""
        return float(mask[self._cut][self._label].mean()) if self.usable else 0.0

    def cover(self, mask: Mask) -> None:
        """Something else stands in `mask` (h, w) from now on, and the scene looks so: what is left
        of the place decides, unless too little is, in place of its label where that is covered."""
        here = ~mask[self._cut]
        area, label = self._area & here, self._label & here
        if area.sum() < REST_MIN * self._whole[0]:
            return
        if label.sum() < REST_MIN * self._whole[1]:
            label = area
        (iy, ix), (oy, ox) = self._inside, self._outside
        keep = ~mask[iy, ix]
        self._area, self._label = area, label
        self._inside, self._outside = (iy[keep], ix[keep]), (oy[keep], ox[keep])

    def grown(self, by_px: int) -> Mask:
        """The place and so many small pixels around it."""
        kernel = np.ones((2 * by_px + 1,) * 2, np.uint8)
        return cv2.dilate(self.mask.astype(np.uint8), kernel).astype(np.bool_)


_Rows = NDArray[np.intp]
_Index = tuple[_Rows, _Rows]


def _apart(scene: Scene, seen: Seen, rows: _Rows, columns: _Rows) -> float:
    """The median of how far the colours of some small pixels are from what they were, 0..1."""
    before = scene.image
    if not len(rows) or before is None:
        return 0.0
    off = np.abs(seen.image[rows, columns] - before[rows, columns]).max(axis=1)
    return float(np.median(off))


def _bands(small: NDArray[np.float64], high: int, wide: int) -> tuple[_Index, _Index]:
    """Rows and columns just inside and just outside of a polygon's border, pair by pair; pairs
    that are not in the picture are left out."""
    ends = np.roll(small, -1, axis=0)
    lengths = np.linalg.norm(ends - small, axis=1)
    total = max(float(lengths.sum()), 1e-6)
    centre = small.mean(axis=0)
    inner: list[NDArray[np.float64]] = []
    outer: list[NDArray[np.float64]] = []
    for a, b, length in zip(small, ends, lengths, strict=True):
        count = max(2, round(SAMPLES * length / total))
        if length < 1e-6:
            continue
        normal = np.array([b[1] - a[1], a[0] - b[0]]) / length
        if np.dot((a + b) / 2 - centre, normal) < 0:
            normal = -normal
        shares = (np.arange(count) + 0.5) / count
        line = a + (b - a) * shares[:, None]
        depth = min(INSIDE_PX, 0.5 * abs(float(np.dot((a + b) / 2 - centre, normal))))
        inner.append(line - normal * depth)
        outer.append(line + normal * OUTSIDE_PX)
    if not inner:
        none = np.zeros(0, np.intp)
        return (none, none), (none, none)
    near, far = np.round(np.concatenate(inner)), np.round(np.concatenate(outer))
    limit = np.array([wide - 1, high - 1])
    fits = ((near >= 0) & (near <= limit) & (far >= 0) & (far <= limit)).all(axis=1)
    pairs = np.concatenate([near[fits], far[fits]], axis=1)
    columns = [np.asarray(pairs[:, k], np.intp) for k in range(4)]
    return (columns[1], columns[0]), (columns[3], columns[2])
