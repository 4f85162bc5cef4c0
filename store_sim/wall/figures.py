"""People at the wall, drawn by the store's own bodies into a camera's or a projector's picture."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from store_sim.render.bodies import body_model, pose_body
from store_sim.render.kernels import draw, shade_vertices
from store_sim.render.layers import Rect, union
from store_sim.render.looks import Light
from store_sim.scene import PART_STRIDE, BodyPose
from store_sim.wall.frame import Optic

__all__ = ["PERSON_ID", "draw_people", "touched_parts"]

PERSON_ID = 10_000
"""People carry PERSON_ID + 16 * person_index + part in the id mask."""
_BAYS = np.zeros((0, 10))
_LIGHT = Light().packed()
_TINT = np.array([1.0, 1.0, 0.98])


def draw_people(
    bodies: Iterable[BodyPose],
    optic: Optic,
    rgb: NDArray[np.uint8],
    ids: NDArray[np.int32],
    depth: NDArray[np.float32],
) -> Rect | None:
    """Draws bodies whose poses are in the wall's frame; the part of the picture they touch."""
    whole = np.array([0, 0, optic.width, optic.height], np.int64)
    found: Rect | None = None
    for body in bodies:
        model = body_model(body.appearance)
        pos, normal = pose_body(model, body)
        shade = np.empty(len(pos))
        shade_vertices(pos, normal, _LIGHT, _BAYS, shade)
        touched = np.array([1 << 30, 1 << 30, 0, 0], np.int64)
        cover = np.zeros(PART_STRIDE, np.int64)
        first = PERSON_ID + PART_STRIDE * body.person_index
        draw(
            optic.bent(pos), shade, model.uv, model.tris, model.mats, model.parts, first,
            model.bank.texels, model.bank.levels, optic.cam, _TINT, whole, False, rgb, ids, depth,
            cover, touched,
        )  # fmt: skip
        x0, y0, x1, y1 = (int(v) for v in touched)
        if x0 < x1:
            rect = (x0, y0, x1, y1)
            found = rect if found is None else union(found, rect)
    return found


def touched_parts(ids: NDArray[np.int32], rect: Rect, tile: int = 32) -> list[Rect]:
    """The part of `rect` where somebody was drawn (`ids` is not 0), as rows of tiles."""
    height, width = ids.shape
    x0, y0 = rect[0] // tile * tile, rect[1] // tile * tile
    x1, y1 = min(width, -(-rect[2] // tile) * tile), min(height, -(-rect[3] // tile) * tile)
    across = np.add.reduceat(ids[y0:y1, x0:x1] != 0, np.arange(0, x1 - x0, tile), axis=1)
    there = np.add.reduceat(across, np.arange(0, y1 - y0, tile), axis=0) > 0
    parts: list[Rect] = []
    for row, line in enumerate(there):
        top = y0 + row * tile
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            parts.append(
                (x0 + first * tile, top, min(width, x0 + last * tile), min(height, top + tile))
            )
    return parts
