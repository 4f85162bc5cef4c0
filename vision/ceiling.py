"""A ceiling camera: heads and hands of one frame, put on the floor plan.

    eye = CeilingCamera(camera, detector)
    seen = eye.step(frame)               # frame.t_s, frame.rgb (H, W, 3) uint8 RGB

A head is taken to hang `head_z_m` above the floor point that is looked for; how far off that can
be with real statures grows with the angle to the vertical and is told as `sd_m`. A person whose
head is not seen (cut by the border of the picture, or missed) is placed by its box, less surely.
An empty floor costs no detection: a small copy of the picture is compared with the background.
Positions are in the world frame of contracts.geometry.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from contracts.base import Contract
from contracts.geometry import Camera
from vision.camera_view import CameraView
from vision.errors import CalibrationError, FrameError
from vision.observations import CeilingObservation, Detections

__all__ = ["CEILING_CLASSES", "BoxDetector", "CeilingCamera", "CeilingSettings", "Picture"]

CEILING_CLASSES = ("head", "person", "hand")
"""Classes of the ceiling detector that this module knows; others are ignored."""

_GRID = 8  # every eighth pixel makes the small copy
_HEADS_MAX = 64
_MASS_CELLS_MIN = 8
_FEET_SHARE = 0.8  # of the way from a box's middle to its edge


class Picture(Protocol):
    """What a frame must have: hardware.ports.Frame does."""

    @property
    def t_s(self) -> float:
        """When it was taken, monotonic seconds."""
        ...

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB."""
        ...


class BoxDetector(Protocol):
    """What a detector must do: models.detector.Detector does."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, by index."""
        ...

    def detect(self, rgb: NDArray[np.uint8], score_min: float = 0.25) -> Any:
        """Boxes with `boxes_px` (N, 4), `scores` (N,), `classes` (N,)."""
        ...


class CeilingSettings(Contract):
    """Assumed heights, thresholds of the gate, and when a picture cannot be judged."""

    score_min: Annotated[float, Field(ge=0, le=1, description="weakest detection kept")] = 0.15
    person_score_min: Annotated[
        float, Field(ge=0, le=1, description="weakest person placed without a head")
    ] = 0.15
    head_z_m: Annotated[float, Field(ge=0.5, le=2.2, description="height of a head's centre")] = (
        1.62
    )
    head_z_sd_m: Annotated[float, Field(gt=0, le=0.5, description="spread of statures")] = 0.11
    wrist_z_m: Annotated[float, Field(ge=0.2, le=2.2)] = 1.2
    wrist_z_sd_m: Annotated[float, Field(gt=0, le=1)] = 0.3
    point_sd_m: Annotated[float, Field(gt=0, le=0.5, description="spread right below")] = 0.05
    feet_z_m: Annotated[float, Field(ge=0, le=0.5, description="middle of a foot")] = 0.05
    person_sd_m: Annotated[float, Field(gt=0, le=2, description="placed by a whole box")] = 0.2
    cut_sd_m: Annotated[float, Field(gt=0, le=2, description="placed by a cut box")] = 0.3
    border_px: Annotated[int, Field(ge=0, le=64, description="a box so near is cut")] = 3
    same_head_m: Annotated[float, Field(ge=0, le=1, description="closer heads are one")] = 0.18
    same_body_m: Annotated[float, Field(ge=0, le=2, description="a body so near is known")] = 0.7
    unsure_share: Annotated[
        float, Field(ge=0, le=1, description="of the better head's score: a head so weak beside it")
    ] = 0.6
    lone_head_score_min: Annotated[
        float, Field(ge=0, le=1, description="weakest head believed without a body")
    ] = 0.3
    twice_m: Annotated[
        float, Field(ge=0, le=1, description="a bodiless head so near another is the same")
    ] = 0.4
    agree_m: Annotated[float, Field(ge=0, le=2, description="head and feet are no further")] = 0.5
    motion_levels: Annotated[float, Field(gt=0, le=255, description="change that counts")] = 12.0
    motion_cells: Annotated[int, Field(ge=1, le=10_000)] = 4
    awake_s: Annotated[float, Field(ge=0, le=60, description="awake after somebody")] = 3.0
    still_every: Annotated[
        int, Field(ge=1, le=100, description="frames per detection while nothing moves")
    ] = 4
    black_mean: Annotated[float, Field(ge=0, le=255)] = 10.0
    flat_sd: Annotated[float, Field(ge=0, le=255, description="a covered lens shows less")] = 6.0
    covered_s: Annotated[float, Field(ge=0, le=60)] = 1.5
    frozen_s: Annotated[float, Field(gt=0, le=600, description="bit by bit the same")] = 20.0


class CeilingCamera:
    """One ceiling camera's pipeline. CalibrationError if camera or detector do not fit."""

    def __init__(
        self, camera: Camera, detector: BoxDetector, settings: CeilingSettings | None = None
    ) -> None:
        if camera.role != "ceiling":
            raise CalibrationError(
                f"expected a ceiling camera, got {camera.camera_id} ({camera.role})"
            )
        if "head" not in detector.classes:
            raise CalibrationError(
                f"expected a detector of {CEILING_CLASSES}, got {detector.classes}"
            )
        self._camera = camera
        self._detector = detector
        self._set = settings or CeilingSettings()
        self._ground = CameraView(camera)
        self._class = {
            name: detector.classes.index(name)
            for name in CEILING_CLASSES
            if name in detector.classes
        }
        self._scene: NDArray[np.float32] | None = None
        self._previous: NDArray[np.float32] | None = None
        self._same_since_s: float | None = None
        self._dark_since_s: float | None = None
        self._awake_until_s = -np.inf
        self._still_frames = 0
        self._latest: CeilingObservation | None = None

    def step(self, frame: Picture) -> CeilingObservation:
        """What is seen in the frame. FrameError if its size is not the camera's."""
        rgb, t_s = frame.rgb, frame.t_s
        lens = self._camera.intrinsics
        if rgb.shape != (lens.height, lens.width, 3):
            raise FrameError(
                f"expected frames of {self._camera.camera_id} of shape "
                f"({lens.height}, {lens.width}, 3), got {rgb.shape}; correct the store file"
            )
        small = rgb[_GRID // 2 :: _GRID, _GRID // 2 :: _GRID].astype(np.float32)
        grey = small.mean(axis=2)
        previous, self._previous = self._previous, grey
        blind = self._blind(grey, previous, t_s)
        if blind is not None:
            self._latest = None
            return self._nothing(t_s, blind)
        moves, foreground = self._gate(grey, previous)
        if moves or np.count_nonzero(foreground) > self._set.motion_cells:
            self._awake_until_s = max(self._awake_until_s, t_s + 0.5)
        if t_s > self._awake_until_s:
            self._learn_scene(grey, 0.05)
            self._latest = None
            return self._nothing(t_s, None)
        self._still_frames = 0 if moves else self._still_frames + 1
        if self._latest is not None and self._still_frames % self._set.still_every:
            seen = self._again(self._latest, t_s)
        else:
            seen = self._look(rgb, small, foreground, t_s)
        self._latest = seen
        if len(seen.heads):
            self._awake_until_s = max(self._awake_until_s, t_s + self._set.awake_s)
        self._learn_floor(grey, seen.detections, 0.01 if moves else 0.04)
        return seen

    # ------------------------------------------------------------ gate and blindness

    def _blind(
        self, grey: NDArray[np.float32], previous: NDArray[np.float32] | None, t_s: float
    ) -> str | None:
        if previous is None or not np.array_equal(previous, grey):
            self._same_since_s = t_s
        flat = float(grey.std()) < self._set.flat_sd
        if not flat:
            self._dark_since_s = None
        elif self._dark_since_s is None:
            self._dark_since_s = t_s
        if flat and float(grey.mean()) < self._set.black_mean:
            return "black picture"
        if self._dark_since_s is not None and t_s - self._dark_since_s >= self._set.covered_s:
            return "covered lens: nothing but one shade"
        if self._same_since_s is not None and t_s - self._same_since_s >= self._set.frozen_s:
            return f"frozen picture: no pixel changed for {self._set.frozen_s:g} s"
        return None

    def _gate(
        self, grey: NDArray[np.float32], previous: NDArray[np.float32] | None
    ) -> tuple[bool, NDArray[np.bool_]]:
        """Whether something moves between two frames, and what differs from the empty scene.

        A change of the light shifts all cells alike and is taken out by the median.
        """
        if self._scene is None:
            self._scene = grey.copy()
            return True, np.zeros(grey.shape, bool)
        apart = grey - self._scene
        apart -= np.median(apart[::2, ::2])
        foreground = np.abs(apart) > self._set.motion_levels
        if previous is None:
            return True, foreground
        step = grey - previous
        step -= np.median(step[::2, ::2])
        cells = int(np.count_nonzero(np.abs(step) > self._set.motion_levels))
        return cells >= self._set.motion_cells, foreground

    def _learn_scene(self, grey: NDArray[np.float32], share: float) -> None:
        if self._scene is not None:
            self._scene += share * (grey - self._scene)

    def _learn_floor(self, grey: NDArray[np.float32], found: Detections, share: float) -> None:
        """Learns the empty scene where nobody is seen, also while others walk elsewhere."""
        if self._scene is None:
            return
        empty = np.ones(grey.shape, bool)
        for (x0, y0), (x1, y1) in zip(*_cells(found.boxes_px), strict=True):
            empty[y0:y1, x0:x1] = False
        self._scene[empty] += share * (grey[empty] - self._scene[empty])

    def _nothing(self, t_s: float, blind: str | None) -> CeilingObservation:
        return CeilingObservation(
            camera_id=self._camera.camera_id,
            t_s=t_s,
            heads=np.zeros((0, 4)),
            wrists=np.zeros((0, 4)),
            colours=np.zeros((0, 3), np.float32),
            blind=blind,
        )

    def _again(self, seen: CeilingObservation, t_s: float) -> CeilingObservation:
        """Nothing moved: the same, now."""
        return CeilingObservation(
            camera_id=seen.camera_id,
            t_s=t_s,
            heads=seen.heads,
            wrists=seen.wrists,
            colours=seen.colours,
            detections=seen.detections,
        )

    # ------------------------------------------------------------ detection

    def _look(
        self,
        rgb: NDArray[np.uint8],
        small: NDArray[np.float32],
        foreground: NDArray[np.bool_],
        t_s: float,
    ) -> CeilingObservation:
        raw = self._detector.detect(rgb, self._set.score_min)
        found = Detections(
            boxes_px=np.asarray(raw.boxes_px, np.float32),
            scores=np.asarray(raw.scores, np.float32),
            classes=np.asarray(raw.classes, np.int32),
        )
        rows, boxes, heads = self._people(found, foreground)
        keep = self._apart(rows, heads)
        return CeilingObservation(
            camera_id=self._camera.camera_id,
            t_s=t_s,
            heads=rows[keep],
            wrists=self._wrists(found),
            colours=_colours(small, foreground, boxes[keep]),
            detections=found,
        )

    def _apart(self, rows: NDArray[np.float64], heads: int) -> list[int]:
        """Which rows to keep, heads (the first ones) before mere bodies, better before worse: one
        person is often seen twice, as two boxes or as a head outside its body's box."""
        ranks = np.lexsort((-rows[:, 3], np.arange(len(rows)) >= heads))
        keep: list[int] = []
        for index in (int(rank) for rank in ranks):
            alike = any(self._is_same(rows[index], rows[other], index < heads) for other in keep)
            if not alike and len(keep) < _HEADS_MAX:
                keep.append(index)
        return keep

    def _is_same(
        self, row: NDArray[np.float64], better: NDArray[np.float64], is_head: bool
    ) -> bool:
        """Whether a row is a person already kept: very near, or near and much less sure."""
        gap_m = float(np.hypot(*(row[:2] - better[:2])))
        if gap_m < self._set.same_head_m:
            return True
        unsure = not is_head or float(row[3]) < self._set.unsure_share * float(better[3])
        return unsure and gap_m < self._set.same_body_m

    def _of(self, found: Detections, name: str) -> NDArray[np.intp]:
        index = self._class.get(name)
        if index is None:
            return np.zeros(0, np.intp)
        return np.flatnonzero(found.classes == index)

    def _placed(
        self, pixels: NDArray[np.float64], z_m: float, z_sd_m: float, scores: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        points, tangent = self._ground.at(pixels, z_m)
        sd = np.hypot(self._set.point_sd_m, z_sd_m * tangent)
        return np.column_stack([points, sd, scores])

    def _heads(self, found: Detections) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        chosen = self._of(found, "head")
        boxes = found.boxes_px[chosen]
        rows = self._placed(
            _centres(boxes), self._set.head_z_m, self._set.head_z_sd_m, found.scores[chosen]
        )
        cut = self._cut(boxes)
        rows[cut, 2] = np.hypot(rows[cut, 2], 0.1)
        good = np.isfinite(rows).all(axis=1)
        return rows[good], boxes[good]

    def _people(
        self, found: Detections, foreground: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32], int]:
        """Rows and boxes of heads, then of persons without one, and how many are heads.

        A head must fit the body it belongs to: at the border, shoulders pass for heads. A head
        without a body must be surer than one with it, and not beside a better one: hair and face
        of one person may pass for two heads, but only one body comes with them.
        """
        heads, head_boxes = self._heads(found)
        bodies, body_boxes = self._bodies(found, foreground)
        owners = _owners(head_boxes, body_boxes)
        kept: list[int] = []
        for index, owner in enumerate(owners):
            if owner is None:
                gaps_m = np.hypot(*(heads[kept, :2] - heads[index, :2]).T)
                twice = bool((gaps_m < self._set.twice_m).any())
                if heads[index, 3] >= self._set.lone_head_score_min and not twice:
                    kept.append(index)
            elif np.hypot(*(heads[index, :2] - bodies[owner, :2])) <= self._set.agree_m:
                heads[index, 3] = max(heads[index, 3], bodies[owner, 3])
                kept.append(index)
        taken = {owners[index] for index in kept}
        free = [index for index in range(len(bodies)) if index not in taken]
        rows = np.concatenate([heads[kept], bodies[free]])
        return rows, np.concatenate([head_boxes[kept], body_boxes[free]]), len(kept)

    def _bodies(
        self, found: Detections, foreground: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Persons, placed by what differs from the empty scene in their box, or by its middle.

        Seen from a camera H above the floor, a body of height z stands between the depths H and
        H - z; its middle in the picture is at their harmonic mean. Of a body cut by the border, or
        one whose head would be beyond it, the feet are left: the end next to the camera's foot.
        """
        chosen = self._of(found, "person")
        chosen = chosen[found.scores[chosen] >= self._set.person_score_min]
        boxes = found.boxes_px[chosen]
        high = float(self._ground.position[2])
        depth = 2.0 / (1.0 / high + 1.0 / max(high - self._set.head_z_m, 0.1))
        points, tangent = self._ground.at(_middles(boxes, foreground), high - depth)
        cut = self._cut(boxes) | self._beyond(points)
        feet, _ = self._ground.at(self._feet(boxes), self._set.feet_z_m)
        points = np.where(cut[:, None], feet, points)
        sd = np.hypot(np.where(cut, self._set.cut_sd_m, self._set.person_sd_m), 0.05 * tangent)
        rows = np.column_stack([points, sd, found.scores[chosen]])
        good = np.isfinite(rows).all(axis=1)
        return rows[good], boxes[good]

    def _wrists(self, found: Detections) -> NDArray[np.float64]:
        chosen = self._of(found, "hand")
        rows = self._placed(
            _centres(found.boxes_px[chosen]),
            self._set.wrist_z_m,
            self._set.wrist_z_sd_m,
            found.scores[chosen],
        )
        return rows[np.isfinite(rows).all(axis=1)][:_HEADS_MAX]

    def _beyond(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the heads of people who stand at these floor points are out of the picture."""
        lens, edge = self._camera.intrinsics, self._set.border_px
        high = np.full((len(points), 1), self._set.head_z_m)
        heads = self._ground.pixels(np.nan_to_num(np.hstack([points, high])))
        inside = (heads >= edge) & (heads <= np.array([lens.width - edge, lens.height - edge]))
        return np.asarray(~inside.all(axis=1))

    def _feet(self, boxes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Pixels (N, 2) near the end of each box that is next to the camera's foot."""
        middles = _centres(boxes)
        half = np.maximum(0.5 * (boxes[:, 2:] - boxes[:, :2]).astype(np.float64), 1.0)
        inward = self._ground.foot - middles
        reach = np.max(np.abs(inward) / half, axis=1, keepdims=True)
        return np.asarray(middles + _FEET_SHARE * inward / np.maximum(reach, 1.0), np.float64)

    def _cut(self, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
        lens, edge = self._camera.intrinsics, self._set.border_px
        low = (boxes[:, :2] <= edge).any(axis=1)
        high = (boxes[:, 2] >= lens.width - edge) | (boxes[:, 3] >= lens.height - edge)
        return np.asarray(low | high)


def _centres(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (boxes[:, :2] + boxes[:, 2:]) - 0.5, np.float64)


def _cells(boxes: NDArray[np.float32]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """First and last cells (N, 2) of boxes and one cell around them."""
    low = np.maximum(boxes[:, :2] / _GRID - 1.0, 0.0).astype(int)
    return low, np.ceil(boxes[:, 2:] / _GRID + 1.0).astype(int)


def _middles(boxes: NDArray[np.float32], foreground: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Centres of mass (N, 2) of the foreground in each box; the box's own where there is little."""
    middles = _centres(boxes)
    for row, (x0, y0, x1, y1) in enumerate(np.maximum(boxes, 0.0) / _GRID):
        left, top = int(x0), int(y0)
        inside = foreground[top : int(np.ceil(y1)), left : int(np.ceil(x1))]
        rows, columns = np.nonzero(inside)
        if len(rows) >= _MASS_CELLS_MIN:
            middles[row] = _GRID * (columns.mean() + left + 0.5), _GRID * (rows.mean() + top + 0.5)
    return middles


def _owners(head_boxes: NDArray[np.float32], boxes: NDArray[np.float32]) -> list[int | None]:
    """The person box of each head: the smallest it lies in that no better head has taken."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    owners: list[int | None] = []
    for x, y in _centres(head_boxes):
        inside = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
        fits = [int(index) for index in np.flatnonzero(inside) if int(index) not in owners]
        owners.append(min(fits, key=lambda index: float(areas[index])) if fits else None)
    return owners


def _colours(
    small: NDArray[np.float32], foreground: NDArray[np.bool_], boxes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean colour (N, 3) of what surrounds each head and is not the empty scene: shoulders."""
    height, width = foreground.shape
    colours = np.zeros((len(boxes), 3), np.float32)
    for row, (x0, y0, x1, y1) in enumerate(boxes / _GRID):
        grow_x, grow_y = 0.6 * (x1 - x0), 0.6 * (y1 - y0)
        left, right = max(0, int(x0 - grow_x)), min(width, int(np.ceil(x1 + grow_x)))
        top, bottom = max(0, int(y0 - grow_y)), min(height, int(np.ceil(y1 + grow_y)))
        if left >= right or top >= bottom:
            continue
        around = foreground[top:bottom, left:right].copy()
        inner_x = slice(max(0, round(float(x0)) - left), max(0, round(float(x1)) - left))
        inner_y = slice(max(0, round(float(y0)) - top), max(0, round(float(y1)) - top))
        around[inner_y, inner_x] = False
        patch = small[top:bottom, left:right]
        chosen = patch[around] if np.count_nonzero(around) >= 3 else patch.reshape(-1, 3)
        colours[row] = chosen.mean(axis=0)
    return colours
