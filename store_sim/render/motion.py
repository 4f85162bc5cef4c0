"""Motion blur: what moves is smeared along its way, part by part.

A true mean over the exposure would draw the scene several times a frame, and mixing in the last
picture gives a double image instead of a streak at 15 pictures a second. Here each part of a body
and each item in a hand is smeared along the line its joint has moved on since the last picture:
a quick hand becomes a streak while the head stays sharp. Pictures are taken in the order of time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from store_sim.render.develop import part_boxes, smear
from store_sim.render.layers import Layers, Rect
from store_sim.scene import ITEM_ID_BASE, JOINTS, PART_STRIDE, PARTS, Scene

__all__ = ["MotionBlur"]

Floats = NDArray[np.float64]

_GAP_S_MAX = 0.5
"""After a longer time without a picture nobody knows how things moved."""
_MOVE_PX = (1.2, 60.0)
_STEPS_MAX = 8
_JOINTS_OF = {
    "torso": ("chest", "pelvis"),
    "head": ("head", "head"),
    "l_arm": ("l_elbow", "l_wrist"),
    "l_hand": ("l_wrist", "l_fingertip"),
    "r_arm": ("r_elbow", "r_wrist"),
    "r_hand": ("r_wrist", "r_fingertip"),
    "legs": ("pelvis", "pelvis"),
    "bag": ("pelvis", "pelvis"),
}
_ROWS = np.array([[JOINTS.index(joint) for joint in _JOINTS_OF[part]] for part in PARTS])


class MotionBlur:
    """Smears a camera's pictures; `share` is the exposure as a share of the frame time."""

    def __init__(
        self,
        share: float,
        fps: float,
        size: tuple[int, int],
        project: Callable[[Floats], tuple[Floats, Floats]],
    ) -> None:
        self._exposure_s = share / fps
        self._size = size
        self._project = project
        self._still = np.empty((size[1], size[0], 3), np.uint8)
        self._spans = np.empty((size[1], 2), np.int64)
        self._boxes = np.empty((len(PARTS), 4), np.int64)
        self._last: dict[int, Floats] = {}
        self._last_s = -math.inf

    def apply(self, scene: Scene, layers: Layers, drawn: dict[int, Rect]) -> list[Rect]:
        """Smears what moved since the last scene; `drawn` says where each person (by index) and
        item (by id) is. Returns the parts of the picture that changed."""
        now = {body.person_index: body.joints_m[_ROWS].mean(axis=1) for body in scene.bodies}
        now |= {ITEM_ID_BASE + i.item_index: i.base_m[None] for i in scene.loose_items}
        gap_s = scene.t_s - self._last_s
        before, self._last, self._last_s = self._last, now, scene.t_s
        if not 0.0 < gap_s <= _GAP_S_MAX:
            return []
        changed: list[Rect] = []
        for thing in sorted(drawn):
            if thing not in before or len(before[thing]) != len(now[thing]):
                continue
            moves = self._moves(before[thing], now[thing], self._exposure_s / gap_s)
            first = thing if thing >= ITEM_ID_BASE else thing * PART_STRIDE + 1
            boxes = self._boxes[: len(moves)]
            part_boxes(layers.ids, np.array(drawn[thing], np.int64), first, boxes)
            for part, move in enumerate(moves):
                rect = self._smear(layers, first + part, move, boxes[part].tolist())
                if rect is not None:
                    changed.append(rect)
        return changed

    def _moves(self, before: Floats, now: Floats, share: float) -> Floats:
        """Way (N, 2) in pixels of each part during the exposure; NaN behind the camera."""
        ends, _ = self._project(np.vstack([now - 0.5 * share * (now - before), now
                                           + 0.5 * share * (now - before)]))  # fmt: skip
        moves: Floats = ends[len(now) :] - ends[: len(now)]
        # Rounded, so that the last bit of a projection never decides on a pixel.
        return np.rint(moves * 16.0) / 16.0

    def _smear(self, layers: Layers, key: int, move: Floats, box: list[int]) -> Rect | None:
        far = float(np.abs(move).max())
        if not _MOVE_PX[0] <= far or box[0] >= box[2]:
            return None
        move = move * min(1.0, _MOVE_PX[1] / far)
        # As far as half the way: the middle of the exposure is the moment of the picture.
        grow = np.ceil(0.5 * np.abs(move)).astype(int) + 1
        w, h = self._size
        rect = (
            max(0, box[0] - int(grow[0])),
            max(0, box[1] - int(grow[1])),
            min(w, box[2] + int(grow[0])),
            min(h, box[3] + int(grow[1])),
        )
        steps = min(_STEPS_MAX, 2 + math.ceil(min(far, _MOVE_PX[1]) / 2))
        smear(
            layers.rgb, layers.ids, layers.depth, key, move, steps, np.array(rect, np.int64),
            self._still, self._spans,
        )  # fmt: skip
        return rect
