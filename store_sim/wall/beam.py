"""A projector as it really hangs: its light, its picture, and what stands in its way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.wall import Projector, Wall
from contracts.wall_messages import MarkLook
from store_sim.render.layers import Rect, merged
from store_sim.scene import BodyPose
from store_sim.wall.faces import FACE_COLUMNS, bounded, rects_of
from store_sim.wall.figures import draw_people, touched_parts
from store_sim.wall.frame import Optic, turned
from store_sim.wall.kernels import FAR_M, depth_faces, find_flat
from store_sim.wall.marks import marks_in

__all__ = ["Beam", "linear_table"]

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

BLACK_LEVEL = 0.0012
"""What a projector's black lets through, as a share of its white."""
NEAR_M = 1.0


def linear_table() -> NDArray[np.float32]:
    """(256,) light of a grey level, 0 to 1."""
    return ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)


_LINEAR = linear_table()


class Beam:
    """One projector.

    `light` (H, W, 3) float32 is what leaves it, linear, blurred by its lens; all zero when it is
    off. `flat` (H, W) uint8 is 1 where it is the same at a pixel and at the next ones. `still` and
    `shadow` (H, W) float32 are the depths of the nearest thing before it: of what stands, and of
    everything.
    """

    def __init__(
        self, wall: Wall, projector: Projector, *, shift_m: Floats, turn_deg: Floats, zoom: float,
        strength: float,
    ) -> None:  # fmt: skip
        """`strength`: a white picture lights what faces it a metre away as strongly as this many
        times the room's light."""
        self._wall, self._projector, self._zoom = wall, projector, zoom
        self._shift, self._turn = shift_m, turn_deg
        self.strength = strength
        self.size = (projector.intrinsics.width, projector.intrinsics.height)
        self.shown: Picture | None = None
        width, height = self.size
        self.light = np.zeros((height, width, 3), np.float32)
        self.flat = np.ones((height, width), np.uint8)
        self.still = np.full((height, width), FAR_M, np.float32)
        self.shadow = self.still.copy()
        self.optic = self._hang()
        self._faces = np.zeros((0, FACE_COLUMNS))
        self._marks: list[tuple[MarkLook, Floats]] | None = None
        self._dirty: list[Rect] = []
        self._scratch = np.zeros((height, width, 3), np.uint8)
        self._keys = np.zeros((height, width), np.int32)

    def _hang(self) -> Optic:
        lens, pose = self._projector.intrinsics, self._projector.pose
        return turned(self._wall, lens, pose, self._shift, self._turn, self._zoom)

    @property
    def projector_id(self) -> str:
        """The projector's id in the store file."""
        return self._projector.projector_id

    def bump(self, shift_m: Floats, turn_deg: Floats) -> None:
        """Somebody ran into it: from now on it hangs elsewhere. Look at everything anew."""
        self._shift, self._turn = self._shift + shift_m, self._turn + turn_deg
        self.optic = self._hang()

    def marks(self) -> list[tuple[MarkLook, Floats]]:
        """The marks in what it throws, see marks.marks_in; found once a picture."""
        if self._marks is None:
            self._marks = [] if self.shown is None else marks_in(self.shown)
        return self._marks

    def show(self, rgb: Picture | None) -> Rect | None:
        """Throws a picture (H, W, 3), None: nothing; the part of it that is new, if any.

        ValueError for a picture of another size or kind.
        """
        width, height = self.size
        if rgb is not None and (rgb.shape != (height, width, 3) or rgb.dtype != np.uint8):
            raise ValueError(
                f"projector {self.projector_id}: expected a uint8 picture of shape "
                f"{(height, width, 3)}, got {rgb.dtype} {rgb.shape}"
            )
        if rgb is None:
            if self.shown is None:
                return None
            self.shown, self._marks = None, None
            self.light[:] = 0.0
            self.flat[:] = 1
            return (0, 0, width, height)
        if self.shown is None:
            rect: Rect = (0, 0, width, height)
        else:
            differs = (self.shown != rgb).reshape(height, -1)
            rows, columns = differs.any(axis=1).nonzero()[0], differs.any(axis=0).nonzero()[0] // 3
            if len(rows) == 0:
                return None
            rect = (
                max(0, int(columns[0]) - 2), max(0, int(rows[0]) - 2),
                min(width, int(columns[-1]) + 3), min(height, int(rows[-1]) + 3),
            )  # fmt: skip
        self.shown, self._marks = rgb.copy(), None
        self._throw(rect)
        return rect

    def _throw(self, rect: Rect) -> None:
        assert self.shown is not None
        x0, y0, x1, y1 = rect
        width, height = self.size
        # A margin, so that the lens's blur at the part's edge is that of the whole picture.
        a0, b0, a1, b1 = max(0, x0 - 1), max(0, y0 - 1), min(width, x1 + 1), min(height, y1 + 1)
        part = _LINEAR[self.shown[b0:b1, a0:a1]]
        padded = np.pad(part, ((1, 1), (1, 1), (0, 0)), mode="edge")
        rows = 0.2 * padded[:-2] + 0.6 * padded[1:-1] + 0.2 * padded[2:]
        soft = 0.2 * rows[:, :-2] + 0.6 * rows[:, 1:-1] + 0.2 * rows[:, 2:]
        lit = self.strength * (BLACK_LEVEL + (1 - BLACK_LEVEL) * soft)
        self.light[y0:y1, x0:x1] = lit[y0 - b0 : y1 - b0, x0 - a0 : x1 - a0]
        c0, d0 = max(0, x0 - 1), max(0, y0 - 1)
        find_flat(np.array([c0, d0, x1, y1], np.int64), self.light, self.flat)

    def stand(
        self, faces: Floats, texels: Picture, rows: NDArray[np.int64], rect: Rect | None = None
    ) -> Rect:
        """What stands before it from now on; looks at the part `rect`, None: all. That part."""
        self._faces = bounded(faces, self.optic)
        where = (0, 0, *self.size) if rect is None else rect
        self._look(self._faces, texels, rows, where, self.still)
        self._restore(where)
        return where

    def move(
        self, moving: list[Floats], bodies: list[BodyPose], texels: Picture, rows: NDArray[np.int64]
    ) -> list[Rect]:
        """What moves before it now, in place of what did; where shadows changed, in its pixels."""
        changed = self._dirty
        for rect in changed:
            self._restore(rect)
        rects = rects_of(moving, self.optic)
        self._dirty = merged(rects)
        if rects:
            both = np.concatenate([self._faces, *(bounded(one, self.optic) for one in moving)])
            for rect in self._dirty:
                self._look(both, texels, rows, rect, self.shadow)
        body = draw_people(bodies, self.optic, self._scratch, self._keys, self.shadow)
        if body is not None:
            parts = touched_parts(self._keys, body)
            self._keys[body[1] : body[3], body[0] : body[2]] = 0
            self._dirty = self._dirty + parts
        return changed + self._dirty

    def _look(
        self, faces: Floats, texels: Picture, rows: NDArray[np.int64], rect: Rect,
        depth: NDArray[np.float32],
    ) -> None:  # fmt: skip
        depth_faces(
            np.array(rect, np.int64), self.optic.cam, self.optic.rays, faces,
            texels, rows, depth,
        )  # fmt: skip

    def _restore(self, rect: Rect) -> None:
        x0, y0, x1, y1 = rect
        self.shadow[y0:y1, x0:x1] = self.still[y0:y1, x0:x1]
