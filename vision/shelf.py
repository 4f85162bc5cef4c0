"""A shelf camera: frames in, hands, changes of the shelf and what they look like out.

    eye = ShelfCamera(camera, bay, detector=detector, change=classifier, products=recogniser)
    seen = eye.step(frame)            # frame: hardware.ports.Frame

While nothing moves the camera sleeps, at the cost of a subsampled difference. Awake, the detector
looks at every frame, the tracker follows hands into the shelf and out, and the memory of the shelf
judges what is clear (vision.shelf_memory). What changed is shown to the classifier as it was and
as it is: pick, put-back or nothing. No planogram, no cart and no price is known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from contracts.base import Contract
from contracts.geometry import Bay, Camera
from contracts.messages import ActionLikelihood, FacingChange, ProductScores
from vision.errors import FrameError
from vision.geometry import Lens
from vision.hands import HandSettings, HandTracker, SeenHand
from vision.observations import Detections, ShelfObservation
from vision.sheet import STEP_Z_M, Sheet
from vision.shelf_gate import GateSettings, ShelfGate
from vision.shelf_memory import MemorySettings, ShelfMemory, Stretch

__all__ = ["Change", "ShelfCamera", "ShelfSettings"]

Rgb = NDArray[np.uint8]
CROP_PX = 64
FRONT_V_M = 0.035
"""Goods stand a little behind the front plane."""


class Picture(Protocol):
    """What a frame must have: hardware.ports.Frame does."""

    @property
    def t_s(self) -> float: ...
    @property
    def rgb(self) -> Rgb: ...


class BoxDetector(Protocol):
    """models.detector.Detector does."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    def detect(self, rgb: Rgb, score_min: float = 0.25) -> Any: ...


class Change(Protocol):
    """models.change.ChangeClassifier does."""

    def classify_many(self, before: Rgb, after: Rgb) -> NDArray[np.float32]:
        """Log-likelihoods (N, 3) of pick, put_back, nothing for crops (N, 64, 64, 3)."""
        ...


class ShelfSettings(Contract):
    """Scores are the detector's, 0 to 1; times in seconds."""

    hand_score_min: Annotated[float, Field(ge=0, le=1)] = 0.25
    arm_score_min: Annotated[float, Field(ge=0, le=1)] = 0.25
    head_score_min: Annotated[float, Field(ge=0, le=1)] = 0.30
    held_score_min: Annotated[float, Field(ge=0, le=1)] = 0.35
    cover_margin_px: Annotated[float, Field(ge=0, le=100, description="around every box")] = 6.0
    crop_m: Annotated[
        tuple[float, ...], Field(min_length=1, max_length=5, description="classifier crops")
    ] = (0.18, 0.25)
    nothing_max: Annotated[
        float, Field(ge=-20, le=20, description="told unless nothing leads by more")
    ] = 2.0
    evidence_max: Annotated[
        float, Field(gt=0, le=20, description="no look is surer than this (nats)")
    ] = 5.0
    temper: Annotated[
        float, Field(gt=0, le=1, description="crops of one change are not independent")
    ] = 0.7
    wide_m: Annotated[float, Field(gt=0, le=1, description="likely two pieces from here")] = 0.17
    products_told: Annotated[int, Field(ge=1, le=16)] = 6
    gate: GateSettings = GateSettings()
    memory: MemorySettings = MemorySettings()
    hands: HandSettings = HandSettings()


class ShelfCamera:
    """One shelf camera of one bay. `products(crop)` scores a crop (H, W, 3) RGB against the
    gallery; None leaves products open. CalibrationError if the camera cannot see the bay."""

    def __init__(
        self,
        camera: Camera,
        bay: Bay,
        *,
        detector: BoxDetector,
        change: Change,
        products: Callable[[Rgb], ProductScores] | None = None,
        settings: ShelfSettings | None = None,
    ) -> None:
        self._camera = camera
        self._bay = bay
        self._set = settings or ShelfSettings()
        self._detector = detector
        self._change = change
        self._products = products
        self._sheet = Sheet(Lens(camera), bay)
        self._gate = ShelfGate(self._set.gate)
        self._memory = ShelfMemory(self._sheet, self._set.memory)
        self._hands = HandTracker(self._sheet, self._set.hands)
        self._class = {name: index for index, name in enumerate(detector.classes)}
        self._before: Rgb | None = None
        self._look_due_s = -math.inf
        self._confirmed_s = -math.inf
        self._none = np.zeros((self._sheet.rows, self._sheet.columns), np.bool_)

    def step(self, frame: Picture) -> ShelfObservation:
        """What is seen in the frame; FrameError if it is not the camera's size."""
        lens = self._camera.intrinsics
        if frame.rgb.shape != (lens.height, lens.width, 3):
            raise FrameError(
                f"expected a frame ({lens.height}, {lens.width}, 3) of camera "
                f"{self._camera.camera_id}, got {frame.rgb.shape}; check its resolution"
            )
        awake = self._gate.step(frame.t_s, frame.rgb)
        if self._gate.blind is not None:
            return self._observation(frame, active=False, blind=self._gate.blind)
        pending = self._memory.unconfirmed_since_s(self._confirmed_s) is not None
        if not awake and not pending and not self._hands.open_hands():
            return self._asleep(frame)
        return self._awake(frame)

    def snapshot(self) -> dict[str, Any]:
        """The remembered shelf, for a node that is started again; JSON values."""
        memory, before = self._memory.memory, self._before
        if memory is None or before is None:
            return {}
        done, packed = cv2.imencode(".png", np.clip(memory, 0, 255).astype(np.uint8))
        fine, picture = cv2.imencode(".jpg", cv2.cvtColor(before, cv2.COLOR_RGB2BGR))
        if not (done and fine):
            return {}
        return {"memory": packed.tobytes().hex(), "picture": picture.tobytes().hex()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `snapshot` gave: what happened meanwhile will be found as a change."""
        if not state:
            return
        packed = np.frombuffer(bytes.fromhex(state["memory"]), np.uint8)
        picture = np.frombuffer(bytes.fromhex(state["picture"]), np.uint8)
        memory = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
        before = cv2.imdecode(picture, cv2.IMREAD_COLOR)
        if memory is None or before is None:
            raise ValueError("a picture of the snapshot cannot be read")
        self._memory.restore(np.asarray(memory, np.float32))
        self._before = np.ascontiguousarray(before[..., ::-1])

    # ------------------------------------------------------------ asleep and awake

    def _asleep(self, frame: Picture) -> ShelfObservation:
        """Nothing moves: now and then the memory follows the light."""
        if frame.t_s >= self._look_due_s:
            self._look_due_s = frame.t_s + self._set.gate.look_every_s
            found = self._memory.look(frame.t_s, self._sheet.lay(frame.rgb), self._none)
            if found:
                self._gate.wake(frame.t_s)
                return self._awake(frame)
            self._before = frame.rgb.copy()
        else:
            self._memory.still(frame.t_s)
        self._confirmed_s = frame.t_s
        return self._observation(frame, active=False)

    def _awake(self, frame: Picture) -> ShelfObservation:
        raw = self._detector.detect(frame.rgb, min(0.2, self._set.hand_score_min))
        seen = Detections(raw.boxes_px, raw.scores, raw.classes)
        boxes = {
            name: self._boxes(seen, name, getattr(self._set, f"{name}_score_min"))
            for name in ("hand", "arm", "head", "held")
        }
        hands = self._seen_hands(boxes)
        self._look_at_held(frame, hands)
        left = self._hands.step(frame.t_s, hands)
        flat = self._sheet.lay(frame.rgb)
        every = np.concatenate([boxes[name] for name in ("hand", "arm", "head", "held")])
        covered = self._sheet.within(every, self._set.cover_margin_px)
        if self._gate.dull:
            # A lens that is being covered shows no shelf, and soon the gate will say so.
            covered = np.ones_like(covered)
        stretches = self._memory.look(frame.t_s, flat, covered)
        changes = []
        for stretch in stretches:
            change = self._judge(frame, stretch)
            if change is not None:
                changes.append(change)
            self._memory.accept(stretch, flat, frame.t_s)
            self._remember(frame.rgb, stretch)
        if self._before is None:
            self._before = frame.rgb.copy()
        if self._memory.unconfirmed_since_s(frame.t_s) is None:
            self._confirmed_s = frame.t_s
            if not len(every):
                self._before = frame.rgb.copy()
        if len(every):
            self._gate.wake(frame.t_s)
        return self._observation(frame, active=True, seen=seen, left=left, changes=tuple(changes))

    def _observation(
        self,
        frame: Picture,
        *,
        active: bool,
        seen: Detections | None = None,
        left: tuple[Any, ...] = (),
        changes: tuple[FacingChange, ...] = (),
        blind: str | None = None,
    ) -> ShelfObservation:
        covered = self._memory.unconfirmed_since_s(frame.t_s) if active else None
        return ShelfObservation(
            camera_id=self._camera.camera_id,
            bay_id=self._bay.bay_id,
            t_s=frame.t_s,
            active=active,
            detections=seen or Detections.empty(),
            open_hands=self._hands.open_hands() if blind is None else (),
            hands_closed=left,
            changes=changes,
            covered_since_s=covered,
            blind=blind,
        )

    # ------------------------------------------------------------ people

    def _boxes(self, seen: Detections, name: str, score_min: float) -> NDArray[np.float32]:
        chosen = (seen.classes == self._class.get(name, -1)) & (seen.scores >= score_min)
        return np.asarray(seen.boxes_px[chosen], np.float32)

    def _seen_hands(self, boxes: dict[str, NDArray[np.float32]]) -> list[SeenHand]:
        """Hands with their heads; an arm whose hand is hidden stands for it with its shelf end."""
        heads = boxes["head"]
        points = np.zeros((0, 3))
        if len(heads):
            centres = 0.5 * (heads[:, :2] + heads[:, 2:]).astype(np.float64)
            points = self._sheet.lens.on_height(centres, self._set.hands.head_z_m)
        found = []
        for box in boxes["hand"]:
            arms = boxes["arm"][_shared(box, boxes["arm"]) > 0]
            body = self._body_of(arms if len(arms) else box[None], box, points)
            held = _touching(box, boxes["held"])
            found.append(SeenHand(box, 1.0, body, held is not None, held))
        for arm in boxes["arm"]:
            if _touching(arm, boxes["hand"]) is None:
                end = self._shelf_end(arm)
                if end is not None:
                    found.append(
                        SeenHand(end, 0.5, self._body_of(arm[None], end, points), False, None)
                    )
        return found

    def _body_of(
        self, arms: NDArray[np.float32], hand: NDArray[np.float32], heads: NDArray[np.float64]
    ) -> tuple[float, float] | None:
        """Floor point under the head that a hand most likely belongs to, by the arms (N, 4) that
        it touches; None where arms cross and the hand may be either's."""
        if not len(heads):
            return None
        x, y = 0.5 * (hand[0] + hand[2]), 0.5 * (hand[1] + hand[3])
        # An arm's box runs from hand to shoulder: its far end mirrors the hand in its centre.
        far = np.column_stack([arms[:, 0] + arms[:, 2] - x, arms[:, 1] + arms[:, 3] - y])
        shoulders = self._sheet.lens.on_height(
            far.astype(np.float64), self._set.hands.head_z_m - 0.25
        )
        apart = np.hypot(
            heads[None, :, 0] - shoulders[:, None, 0], heads[None, :, 1] - shoulders[:, None, 1]
        )
        each = np.where(np.isfinite(apart), apart, np.inf).min(axis=0)
        best = int(np.argmin(each))
        if each[best] > self._set.hands.head_apart_m:
            return None
        others = np.delete(each, best)
        if len(arms) > 1 and len(others) and others.min() < each[best] + self._set.hands.clear_m:
            return None
        return float(heads[best, 0]), float(heads[best, 1])

    def _shelf_end(self, arm: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """A hand-sized box at the end of an arm that is over the shelf; None if none is."""
        x0, y0, x1, y1 = (float(value) for value in arm)
        size = 0.35 * min(x1 - x0, y1 - y0) + 0.1 * max(x1 - x0, y1 - y0)
        ends = np.array([[x, y] for x in (x0 + size, x1 - size) for y in (y0 + size, y1 - size)])
        front = self._sheet.frame.on_front(self._sheet.lens, ends)
        heights = np.where(np.isfinite(front[:, 2]), front[:, 2], -10.0)
        best = int(np.argmax(np.minimum(heights, self._sheet.z_high_m)))
        if heights[best] < self._sheet.z_low_m:
            return None
        x, y = ends[best]
        return np.array([x - size, y - size, x + size, y + size], np.float32)

    def _look_at_held(self, frame: Picture, hands: list[SeenHand]) -> None:
        """The thing in a hand that is in the shelf or leaves it, compared with the gallery."""
        if self._products is None:
            return
        for hand in hands:
            if hand.held_box_px is None:
                continue
            name = self._hands.name_at(hand.box_px)
            if name is not None:
                crop = _cut(frame.rgb, hand.held_box_px)
                if crop is not None:
                    self._hands.give_scores(name, self._products(crop))

    # ------------------------------------------------------------ changes

    def _judge(self, frame: Picture, stretch: Stretch) -> FacingChange | None:
        """What happened to a stretch: the classifier's word on crops before and after."""
        if self._before is None:
            return None
        u_m = 0.5 * (stretch.u0_m + stretch.u1_m)
        z_m = self._sheet.z_high_m - 0.5 * (stretch.r0 + stretch.r1) * STEP_Z_M
        pairs = []
        for width_m in self._set.crop_m:
            box = self._sheet.crop_box(u_m, z_m, 0.0, width_m)
            before, after = _square(self._before, box), _square(frame.rgb, box)
            if before is not None and after is not None:
                pairs.append((before, after))
        if not pairs:
            return None
        before64 = np.stack([pair[0] for pair in pairs])
        after64 = np.stack([pair[1] for pair in pairs])
        words = self._change.classify_many(before64, after64).mean(axis=0) * self._set.temper
        words = np.maximum(words - words.max(), -self._set.evidence_max)
        pick, put_back, nothing = (float(word) for word in words)
        if nothing - max(pick, put_back) > self._set.nothing_max:
            return None
        board = self._bay.boards[stretch.board]
        u0_m = self._sheet.at_depth(stretch.u0_m, FRONT_V_M)
        u1_m = self._sheet.at_depth(stretch.u1_m, FRONT_V_M)
        return FacingChange(
            board_id=board.board_id,
            u0_m=max(-0.1, min(u0_m, u1_m)),
            u1_m=max(u0_m, u1_m),
            t_before_s=max(0.0, min(stretch.t_before_s, stretch.t_after_s)),
            t_after_s=stretch.t_after_s,
            action=ActionLikelihood(pick=pick, put_back=put_back, nothing=nothing),
            pieces=self._pieces(stretch),
            products=self._scores(frame, stretch, picked=pick >= put_back),
        )

    def _pieces(self, stretch: Stretch) -> tuple[float, ...]:
        """One or two pieces, by the width of what changed; the node knows no product's width."""
        width_m = stretch.u1_m - stretch.u0_m
        two = 1.0 / (1.0 + math.exp(-(width_m - self._set.wide_m) / 0.02))
        return (math.log(1.02 - two), math.log(two + 0.02))

    def _scores(self, frame: Picture, stretch: Stretch, *, picked: bool) -> ProductScores:
        """The product as it stood before a pick, or as it stands after a put-back."""
        if self._products is None or self._before is None:
            return ProductScores()
        columns, rows = self._sheet.columns, self._sheet.rows
        pixels = self._sheet.pixels.reshape(rows, columns, 2)
        part = pixels[stretch.r0 : stretch.r1, stretch.c0 : stretch.c1].reshape(-1, 2)
        part = part[part[:, 0] > -1e3]
        if not len(part):
            return ProductScores()
        low, high = part.min(axis=0) - 2.0, part.max(axis=0) + 3.0
        box = np.array([low[0], low[1], high[0], high[1]], np.float32)
        crop = _cut(self._before if picked else frame.rgb, box)
        return ProductScores() if crop is None else self._products(crop)

    def _remember(self, rgb: Rgb, stretch: Stretch) -> None:
        """The picture before the next change shows this stretch as it is now."""
        if self._before is None:
            return
        columns, rows = self._sheet.columns, self._sheet.rows
        pixels = self._sheet.pixels.reshape(rows, columns, 2)
        top, bottom = self._sheet.strips[stretch.board]
        c0, c1 = max(0, stretch.c0 - 6), min(columns, stretch.c1 + 6)
        part = pixels[top:bottom, c0:c1].reshape(-1, 2)
        part = part[part[:, 0] > -1e3]
        if not len(part):
            return
        x0, y0 = np.floor(part.min(axis=0)).astype(int)
        x1, y1 = np.ceil(part.max(axis=0)).astype(int) + 1
        self._before[y0:y1, x0:x1] = rgb[y0:y1, x0:x1]


def _shared(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """The area (N,) that each of the other boxes shares with a box."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    area: NDArray[np.float32] = np.maximum(width, 0) * np.maximum(height, 0)
    return area


def _touching(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The other box that covers most of this one, None if none touches it."""
    if not len(others):
        return None
    shared = _shared(box, others)
    best = int(np.argmax(shared))
    return others[best] if shared[best] > 0 else None


def _cut(rgb: Rgb, box: NDArray[np.float32]) -> Rgb | None:
    """The part of a picture inside a box, None if next to nothing is left of it."""
    height, width = rgb.shape[:2]
    x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
    x1, y1 = min(width, math.ceil(box[2])), min(height, math.ceil(box[3]))
    if x1 - x0 < 6 or y1 - y0 < 6:
        return None
    return np.ascontiguousarray(rgb[y0:y1, x0:x1])


def _square(rgb: Rgb, box: NDArray[np.float64]) -> Rgb | None:
    """A square of a picture as (64, 64, 3), its border repeated where it leaves the picture."""
    size = (CROP_PX, CROP_PX)
    side = max(2.0, float(box[2] - box[0]))
    scale = CROP_PX / side
    matrix = np.array([[scale, 0, -box[0] * scale], [0, scale, -box[1] * scale]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    if scale < 1:
        height, width = rgb.shape[:2]
        x0, y0 = max(0, round(box[0])), max(0, round(box[1]))
        x1, y1 = min(width, round(box[2])), min(height, round(box[3]))
        if x1 - x0 < 4 or y1 - y0 < 4:
            return None
        if (x1 - x0, y1 - y0) == (round(box[2]) - round(box[0]), round(box[3]) - round(box[1])):
            return np.asarray(cv2.resize(rgb[y0:y1, x0:x1], size, interpolation=how), np.uint8)
    warped = cv2.warpAffine(
        rgb, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)
