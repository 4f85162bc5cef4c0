"""One camera of a wall: its layers, what is drawn into them, and its pictures.

What stands is drawn once with many samples a pixel and kept; a frame draws only what moves over
it, lights anew only the tiles whose surfaces, shadows or projected light changed, and adds the
sensor's noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera
from contracts.wall import Wall
from store_sim.render.layers import Rect, merged
from store_sim.scene import BodyPose
from store_sim.wall.beam import NEAR_M, Beam, linear_table
from store_sim.wall.faces import FACE_COLUMNS, bounded, rects_of
from store_sim.wall.figures import draw_people, touched_parts
from store_sim.wall.frame import optic
from store_sim.wall.kernels import (
    FAR_M,
    beam_map,
    compose,
    expose,
    fill_tile,
    filter_tile,
    lay_people,
    see_tile,
)

__all__ = ["Eye", "EyeDials", "Textures"]

Floats = NDArray[np.float64]

TILE = 32
BIAS_M = 0.012
"""Less than this behind the nearest thing is not in its shadow."""
_GREYS = 16


@dataclass(frozen=True, slots=True)
class EyeDials:
    """A camera's optics: `blur_px` the lens's blur (standard deviation), `noise` grey levels at
    middle grey, `ambient` the room's light on white (1: as bright as a picture can be)."""

    blur_px: float = 0.45
    noise: float = 1.4
    ambient: tuple[float, float, float] = (0.5, 0.49, 0.47)


@dataclass(frozen=True, slots=True)
class Textures:
    """A bank's textures, packed."""

    texels: NDArray[np.uint8]
    rows: NDArray[np.int64]
    labels: Floats


def _curve() -> NDArray[np.uint16]:
    """(4096,) response to light of 0 to 2 in sixteenths of a grey level, with a soft shoulder."""
    light = np.arange(4096) / 2048.0
    knee = 0.8
    bright = knee + (1 - knee) * (1 - np.exp(-(light - knee) / (1 - knee)))
    level = np.where(light < knee, light, bright) ** (1 / 2.2) * 255.0
    curve: NDArray[np.uint16] = np.rint(np.minimum(level, 255.0) * _GREYS).astype(np.uint16)
    return curve


def _taps(ss: int, blur_px: float) -> NDArray[np.float32]:
    """Weights over samples: the pixel's area and a Gaussian blur."""
    reach = ss + 2 * max(1, math.ceil(2.2 * blur_px * ss))
    x = np.arange(reach) - (reach - 1) / 2
    fine = np.linspace(-0.5, 0.5, 33)[:-1] * ss + ss / 64
    taps = np.exp(-((x[:, None] - fine) ** 2) / (2 * (blur_px * ss) ** 2)).sum(axis=1)
    shares: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return shares


class _Layers:
    """Surfaces as a camera sees them: see kernels.filter_tile."""

    def __init__(self, width: int, height: int) -> None:
        self.refl = np.zeros((height, width, 3), np.uint16)
        self.shade = np.zeros((height, width), np.float32)
        self.depth = np.full((height, width), FAR_M, np.float32)
        self.ids = np.zeros((height, width), np.int32)
        self.face = np.full((height, width), -1, np.int16)

    def copy_from(self, other: _Layers, rect: Rect) -> None:
        """Takes over a part."""
        x0, y0, x1, y1 = rect
        for mine, theirs in (
            (self.refl, other.refl), (self.shade, other.shade), (self.depth, other.depth),
            (self.ids, other.ids), (self.face, other.face),
        ):  # fmt: skip
            mine[y0:y1, x0:x1] = theirs[y0:y1, x0:x1]


class Eye:
    """Draws a wall as one camera sees it."""

    def __init__(
        self, wall: Wall, camera: Camera, beams: tuple[Beam, ...], textures: Textures,
        dials: EyeDials, seed: int,
    ) -> None:  # fmt: skip
        self.camera, self.dials = camera, dials
        self.optic = optic(wall, camera.intrinsics, camera.pose)
        self._beams, self._textures = beams, textures
        width, height = self.optic.width, self.optic.height
        self._size = (width, height)
        self._still, self._now = _Layers(width, height), _Layers(width, height)
        self._beam_still = np.zeros((len(beams), height, width, 4), np.float32)
        self._beam_at = np.zeros((len(beams), height, width, 4), np.float32)
        self._clean = np.zeros((height, width, 3), np.uint16)
        self._linear, self._curve = linear_table(), _curve()
        self._still_faces = np.zeros((0, FACE_COLUMNS))
        self._now_faces = self._still_faces
        self._dirty: list[Rect] = []
        rng = np.random.default_rng([seed, 4_001])
        self._noise_table = np.clip(rng.normal(0, 256, 2_000_003), -1023, 1023).astype(np.int16)
        # Half of the noise at middle grey is there in black: read-out; the rest is of the light.
        self._ground = np.int32(round(0.5 * dials.noise * _GREYS))
        self._slope = np.int32(round(0.5 * dials.noise * 4096 / 128))
        self._rng = np.random.default_rng([seed, 4_002])
        self._ss = 4 if width <= 2000 else 3
        self._tiles = _tile_grid(width, height)
        self._tile_beam = np.zeros((len(beams), len(self._tiles), 4), np.float32)
        self._people = np.zeros((height, width, 3), np.uint8)
        self._keys = np.zeros((height, width), np.int32)

    @property
    def depth(self) -> NDArray[np.float32]:
        """(H, W) metres ahead of the camera, of what is seen now."""
        return self._now.depth

    @property
    def ids(self) -> NDArray[np.int32]:
        """(H, W) what is seen now: 0 the wall, faces.PARCEL_ID + index, people above."""
        return self._now.ids

    def stand(self, faces: Floats, rects: Iterable[Rect] | None = None) -> list[Rect]:
        """What stands at the wall from now on; draws `rects`, None: all. What changed."""
        self._still_faces = bounded(faces, self.optic)
        whole: Rect = (0, 0, *self._size)
        areas = [whole] if rects is None else merged(list(rects))
        for rect in areas:
            self._draw(self._still_faces, rect, self._still, self._ss)
            self._map(self._still, self._still_faces, rect, self._beam_still)
            self._restore(rect)
        self._bound_tiles(areas)
        return areas

    def _restore(self, rect: Rect) -> None:
        x0, y0, x1, y1 = rect
        self._now.copy_from(self._still, rect)
        self._beam_at[:, y0:y1, x0:x1] = self._beam_still[:, y0:y1, x0:x1]

    def beam_moved(self) -> None:
        """A projector hangs elsewhere: its light is looked up anew, everywhere."""
        whole: Rect = (0, 0, *self._size)
        self._map(self._still, self._still_faces, whole, self._beam_still)
        self._restore(whole)
        self._bound_tiles([whole])

    def clear_moving(self) -> list[Rect]:
        """Takes away what `move` and `people` drew; the parts where it was."""
        gone = self._dirty
        for rect in gone:
            self._restore(rect)
        self._dirty, self._now_faces = [], self._still_faces
        return gone

    def move(self, moving: list[Floats]) -> list[Rect]:
        """Draws moving things, the faces of each, among what stands; the parts drawn."""
        rects = rects_of(moving, self.optic)
        if not rects:
            return []
        both = np.concatenate([self._still_faces, *(bounded(one, self.optic) for one in moving)])
        areas = merged(rects)
        for rect in areas:
            self._draw(both, rect, self._now, 2)
            self._map(self._now, both, rect, self._beam_at)
        self._now_faces = both
        self._dirty += areas
        return areas

    def people(self, bodies: list[BodyPose]) -> list[Rect]:
        """Draws people over what is there; the parts drawn."""
        now = self._now
        rect = draw_people(bodies, self.optic, self._people, self._keys, now.depth)
        if rect is None:
            return []
        parts = touched_parts(self._keys, rect)
        for part in parts:
            x0, y0, x1, y1 = part
            lay_people(
                np.array(part, np.int64), self._people, self._keys, self._linear, now.refl,
                now.shade, now.face, now.ids,
            )  # fmt: skip
            self._keys[y0:y1, x0:x1] = 0
            self._map(now, self._now_faces, part, self._beam_at)
        self._dirty += parts
        return parts

    def light(self, rects: list[Rect], lit: list[list[Rect]]) -> None:
        """Lights the tiles in `rects`, and those on which parts of a projector's picture (`lit`,
        a list for each projector, in its pixels) fall."""
        grid, wanted = self._tiles, self._tiles_in(rects)
        for p, parts in enumerate(lit):
            for part in parts:
                box = self._tile_beam[p]
                wanted |= (
                    (box[:, 0] < part[2] + 1) & (box[:, 2] > part[0] - 2)
                    & (box[:, 1] < part[3] + 1) & (box[:, 3] > part[1] - 2)
                )  # fmt: skip
        tiles = np.ascontiguousarray(grid[wanted])
        if len(tiles) == 0:
            return
        ambient = np.array(self.dials.ambient, np.float64)
        if self._beams:
            pictures = tuple(beam.light for beam in self._beams)
            flats = tuple(beam.flat for beam in self._beams)
            shadows = tuple(beam.shadow for beam in self._beams)
        else:
            pictures = (np.zeros((2, 2, 3), np.float32),)
            flats, shadows = (np.zeros((2, 2), np.uint8),), (np.zeros((2, 2), np.float32),)
        compose(
            tiles, self._now.refl, self._now.shade, ambient, self._beam_at, pictures, flats,
            shadows, BIAS_M, self._curve, self._clean,
        )  # fmt: skip

    def picture(self) -> NDArray[np.uint8]:
        """A picture of what is there now, (H, W, 3) uint8, with noise of its own."""
        width, height = self._size
        starts = self._rng.integers(0, len(self._noise_table) - 3 * width, height)
        out = np.empty((height, width, 3), np.uint8)
        expose(
            self._clean.reshape(height, -1), self._noise_table, starts, self._ground, self._slope,
            out.reshape(height, -1),
        )  # fmt: skip
        return out

    def _draw(self, faces: Floats, rect: Rect, layers: _Layers, ss: int) -> None:
        taps = _taps(ss, self.dials.blur_px)
        halo = math.ceil((len(taps) - ss) / 2 / ss)
        edge = 2 * TILE
        side = (edge + 2 * halo) * ss
        depth = np.empty((side, side), np.float32)
        seen = np.empty((side, side), np.int16)
        sub = np.empty((side, side, 4), np.float32)
        between = np.empty((side, edge, 4), np.float32)
        bounds, cam, rays = faces[:, 12:16], self.optic.cam, self.optic.rays
        tex = self._textures
        for y in range(rect[1], rect[3], edge):
            for x in range(rect[0], rect[2], edge):
                inner = np.array([x, y, min(rect[2], x + edge), min(rect[3], y + edge)], np.int64)
                tile = inner + np.array([-halo, -halo, halo, halo])
                listed = np.flatnonzero(
                    (bounds[:, 0] < tile[2]) & (bounds[:, 2] > tile[0])
                    & (bounds[:, 1] < tile[3]) & (bounds[:, 3] > tile[1])
                )  # fmt: skip
                see_tile(tile, ss, cam, rays, faces, listed, tex.texels, tex.rows, depth, seen)
                fill_tile(tile, ss, cam, rays, faces, tex.texels, tex.rows, tex.labels,
                          self._linear, depth, seen, sub)  # fmt: skip
                filter_tile(tile, inner, ss, taps, faces, sub, between, depth, seen, layers.refl,
                            layers.shade, layers.depth, layers.ids, layers.face)  # fmt: skip

    def _map(self, layers: _Layers, faces: Floats, rect: Rect, out: NDArray[np.float32]) -> None:
        area = np.array(rect, np.int64)
        for p, beam in enumerate(self._beams):
            beam_map(area, self.optic.cam, self.optic.rays, layers.depth, layers.face, faces,
                     beam.optic.cam, beam.optic.distortion, out[p], NEAR_M)  # fmt: skip

    def _tiles_in(self, rects: list[Rect]) -> NDArray[np.bool_]:
        """(T,) which tiles lie in any of `rects`."""
        grid = self._tiles
        found = np.zeros(len(grid), np.bool_)
        for x0, y0, x1, y1 in rects:
            found |= (grid[:, 0] < x1) & (grid[:, 2] > x0) & (grid[:, 1] < y1) & (grid[:, 3] > y0)
        return found

    def _bound_tiles(self, rects: list[Rect]) -> None:
        """Which part of each projector's picture can fall on each tile in `rects`. People may be in
        between, and are then nearer to both, which is why a margin is kept."""
        wanted = np.flatnonzero(self._tiles_in(rects)).tolist()
        for p in range(len(self._beams)):
            at = self._beam_still[p]
            for k in wanted:
                x0, y0, x1, y1 = self._tiles[k].tolist()
                part = at[y0:y1, x0:x1]
                lit = part[..., 3] > 0
                if lit.any():
                    xs, ys = part[..., 0][lit], part[..., 1][lit]
                    self._tile_beam[p, k] = (xs.min(), ys.min(), xs.max(), ys.max())
                else:
                    self._tile_beam[p, k] = (1e9, 1e9, -1e9, -1e9)


def _tile_grid(width: int, height: int) -> NDArray[np.int64]:
    """(T, 4) x0, y0, x1, y1 of all tiles."""
    return np.array(
        [
            (x, y, min(width, x + TILE), min(height, y + TILE))
            for y in range(0, height, TILE)
            for x in range(0, width, TILE)
        ],
        np.int64,
    )
