"""A shelf camera over a drawn shelf: who was there, what changed, and what only looked so."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.geometry import Bay, Board, Camera, Intrinsics, Pose
from contracts.messages import FacingChange, ProductLikelihood, ProductScores
from vision.errors import CalibrationError, FrameError
from vision.geometry import BayFrame, Lens
from vision.observations import Detections, ShelfObservation
from vision.shelf import ShelfCamera

Rgb = NDArray[np.uint8]
BAY = Bay(
    bay_id="bay-a", origin_m=(0.6, 4.05), facing_deg=-90, width_m=1.0, depth_m=0.4, height_m=2.1,
    boards=tuple(
        Board(board_id=f"bay-a-{n}", z_m=z, clearance_m=0.33)
        for n, z in enumerate((0.35, 0.70, 1.05, 1.40), start=1)
    ),
)  # fmt: skip
CAMERA = Camera(
    camera_id="cam-a", role="shelf", bay_id="bay-a", fps=15,
    intrinsics=Intrinsics(width=960, height=540, fx=820, fy=820, cx=479.5, cy=269.5),
    pose=Pose(position_m=(1.1, 3.55, 2.7), look_at_m=(1.1, 3.8, 0.4), up=(0, 1, 0)),
)  # fmt: skip
LENS, FRAME = Lens(CAMERA), BayFrame(BAY)
CLASSES = ("head", "arm", "hand", "held")
GTIN = "4006381333931"


@dataclass(frozen=True)
class _Picture:
    t_s: float
    rgb: Rgb


class _Detector:
    """Finds what the test says is there."""

    classes = CLASSES

    def __init__(self) -> None:
        self.there: list[tuple[str, tuple[float, float, float, float]]] = []
        self.calls = 0

    def detect(self, rgb: Rgb, score_min: float = 0.25) -> Detections:
        self.calls += 1
        return Detections(
            np.array([box for _, box in self.there], np.float32).reshape(-1, 4),
            np.full(len(self.there), 0.9, np.float32),
            np.array([CLASSES.index(name) for name, _ in self.there], np.int32),
        )


class _Change:
    """Tells by saturation: the drawn goods are colourful, the empty board is grey."""

    def classify_many(self, before: Rgb, after: Rgb) -> NDArray[np.float32]:
        def colour(crops: Rgb) -> NDArray[np.float64]:
            spread = crops.max(axis=3).astype(np.float64) - crops.min(axis=3)
            return np.asarray(spread.mean(axis=(1, 2)))

        more = (colour(after) - colour(before)) / 4.0
        words = np.stack([-more, more, 1.0 - np.abs(more)], axis=1)
        return np.asarray(words - words.max(axis=1, keepdims=True), np.float32)


def _quad(u0: float, u1: float, z0: float, z1: float) -> NDArray[np.int32]:
    corners = np.array([[u0, 0.0, z0], [u1, 0.0, z0], [u1, 0.0, z1], [u0, 0.0, z1]])
    return np.asarray(LENS.project(FRAME.to_world(corners))[0].round(), np.int32)


def _shelf(missing: frozenset[tuple[int, int]] = frozenset()) -> Rgb:
    """Ten items of 7 cm on each board, each in its own colours."""
    rgb = np.full((540, 960, 3), 110, np.uint8)
    for row, board in enumerate(BAY.boards):
        cv2.fillPoly(rgb, [_quad(0, 1, board.z_m - 0.03, board.z_m)], (150, 150, 150))
        for place in range(10):
            if (row, place) in missing:
                continue
            u0, z0 = 0.015 + 0.1 * place, board.z_m
            rng = np.random.default_rng(100 * row + place)
            base = tuple(int(value) for value in rng.permutation([230, 60, 30]))
            mark = tuple(int(value) for value in rng.permutation([30, 200, 240]))
            cv2.fillPoly(rgb, [_quad(u0, u0 + 0.07, z0, z0 + 0.22)], base)
            cv2.fillPoly(rgb, [_quad(u0 + 0.015, u0 + 0.05, z0 + 0.06, z0 + 0.16)], mark)
    return rgb


def _place(row: int, place: int) -> tuple[float, float]:
    pixel, _ = LENS.project(
        FRAME.to_world(np.array([[0.05 + 0.1 * place, 0.0, BAY.boards[row].z_m + 0.1]]))
    )
    return float(pixel[0, 0]), float(pixel[0, 1])


class _Stage:
    """Plays frames into a ShelfCamera and keeps what it said."""

    def __init__(self) -> None:
        self.detector = _Detector()
        self.asked: list[tuple[int, ...]] = []
        self.eye = ShelfCamera(
            CAMERA, BAY, detector=self.detector, change=_Change(), products=self._products
        )
        self.rng = np.random.default_rng(1)
        self.t_s = 0.0
        self.seen: list[ShelfObservation] = []

    def _products(self, crop: Rgb) -> ProductScores:
        self.asked.append(crop.shape)
        return ProductScores(top=(ProductLikelihood(gtin=GTIN, log_likelihood=0.0),), other=-3.0)

    def show(self, rgb: Rgb, seconds: float) -> None:
        for _ in range(round(seconds * 15)):
            noisy = np.clip(rgb + self.rng.normal(0, 2, rgb.shape), 0, 255).astype(np.uint8)
            self.seen.append(self.eye.step(_Picture(self.t_s, noisy)))
            self.t_s += 1 / 15

    def reach(self, before: Rgb, after: Rgb, row: int, place: int) -> None:
        """A hand with its arm and head comes from below to a place and goes again."""
        x, y = _place(row, place)
        for index in range(24):
            depth = min(1.0, index / 8, (23 - index) / 8)
            hand_y = 600 - depth * (600 - y)
            picture = (before if index < 12 else after).copy()
            cv2.line(picture, (int(x), 539), (int(x), int(hand_y) + 20), (60, 60, 160), 44)
            cv2.circle(picture, (int(x), int(hand_y)), 26, (205, 160, 140), -1)
            cv2.circle(picture, (int(x) + 30, 525), 60, (70, 50, 40), -1)
            self.detector.there = [
                ("hand", (x - 28, hand_y - 28, x + 28, hand_y + 28)),
                ("arm", (x - 30, hand_y - 20, x + 30, 560)),
                ("head", (x - 30, 465, x + 90, 585)),
            ]
            self.show(picture, 1 / 15)
        self.detector.there = []

    @property
    def changes(self) -> list[FacingChange]:
        return [change for one in self.seen for change in one.changes]


def test_a_pick_is_seen_where_it_happened() -> None:
    stage = _Stage()
    full, less = _shelf(), _shelf(frozenset({(2, 4)}))
    stage.show(full, 2)
    began_s = stage.t_s
    stage.reach(full, less, 2, 4)
    ended_s = stage.t_s
    stage.show(less, 2)
    (change,) = stage.changes
    assert change.board_id == "bay-a-3"
    assert 0.5 * (change.u0_m + change.u1_m) == pytest.approx(0.45, abs=0.05)
    assert change.action.pick > change.action.put_back
    assert change.action.pick > change.action.nothing
    assert change.pieces[0] > change.pieces[1]
    assert began_s - 0.2 <= change.t_before_s < ended_s
    assert change.t_before_s < change.t_after_s <= ended_s + 1.0
    assert change.products.top[0].gtin == GTIN


def test_a_put_back_is_the_other_way() -> None:
    stage = _Stage()
    full, less = _shelf(), _shelf(frozenset({(1, 7)}))
    stage.show(less, 2)
    stage.reach(less, full, 1, 7)
    stage.show(full, 2)
    (change,) = stage.changes
    assert change.board_id == "bay-a-2"
    assert change.action.put_back > max(change.action.pick, change.action.nothing)


def test_the_hand_goes_in_and_out_with_its_body() -> None:
    stage = _Stage()
    full = _shelf()
    stage.show(full, 2)
    stage.reach(full, full, 2, 4)
    stage.show(full, 2)
    opened = [hand for one in stage.seen for hand in one.open_hands]
    closed = [hand for one in stage.seen for hand in one.hands_closed]
    assert len({hand.hand_id for hand in opened}) == 1
    (hand,) = closed
    assert hand.u_m == pytest.approx(0.45, abs=0.08)
    assert hand.t_in_s < hand.t_out_s
    assert hand.body_x_m is not None
    assert hand.body_x_m == pytest.approx(1.1, abs=0.4)
    assert stage.changes == []


@pytest.mark.parametrize("arms", [("left",), ("right",), ("left", "right")])
def test_where_arms_cross_a_hand_is_nobodys_for_sure(arms: tuple[str, ...]) -> None:
    """Two people reach across each other: the boxes of both arms hold the hand in the middle."""
    stage = _Stage()
    x, y = _place(2, 5)
    boxes = {
        "left": (x - 200, y - 12, x + 12, y + 160),
        "right": (x - 12, y - 12, x + 200, y + 160),
    }
    stage.detector.there = [
        ("hand", (x - 25, y - 25, x + 25, y + 25)),
        ("head", (x - 260, y + 130, x - 140, y + 250)),
        ("head", (x + 140, y + 130, x + 260, y + 250)),
        *(("arm", boxes[side]) for side in arms),
    ]
    for shift in range(6):
        picture = np.roll(_shelf(), 8 * shift, axis=1)
        stage.show(picture, 1 / 15)
    (hand,) = stage.seen[-1].open_hands
    if len(arms) == 2:
        assert hand.body_x_m is None
        return
    assert hand.body_x_m is not None
    middle = FRAME.to_world(np.array([[hand.u_m, 0.0, 0.0]]))[0, 0]
    assert (hand.body_x_m < middle) == (arms == ("left",))


def test_two_places_at_once_are_two_changes() -> None:
    stage = _Stage()
    full, less = _shelf(), _shelf(frozenset({(2, 1), (2, 8)}))
    stage.show(full, 2)
    stage.reach(full, less, 2, 1)
    stage.show(less, 2)
    middles = sorted(0.5 * (change.u0_m + change.u1_m) for change in stage.changes)
    assert middles == pytest.approx([0.15, 0.85], abs=0.05)


@pytest.mark.parametrize("gain", [0.75, 1.2])
def test_light_is_no_change(gain: float) -> None:
    stage = _Stage()
    full = _shelf()
    stage.show(full, 2)
    for step in range(30):
        part = 1 + (gain - 1) * step / 29
        stage.show(np.clip(full * part, 0, 255).astype(np.uint8), 1 / 15)
    stage.show(np.clip(full * gain, 0, 255).astype(np.uint8), 2)
    assert stage.changes == []


def test_while_an_arm_lies_over_the_shelf_what_is_below_is_not_known() -> None:
    stage = _Stage()
    full = _shelf()
    stage.show(full, 2)
    x, y = _place(2, 4)
    stage.detector.there = [("arm", (x - 40, y - 40, x + 40, 539))]
    picture = full.copy()
    cv2.rectangle(picture, (int(x) - 36, int(y) - 36), (int(x) + 36, 539), (60, 60, 160), -1)
    began_s = stage.t_s
    stage.show(picture, 2)
    since_s = stage.seen[-1].covered_since_s
    assert since_s is not None
    assert since_s == pytest.approx(began_s, abs=0.3)
    stage.detector.there = []
    stage.show(full, 2)
    assert stage.seen[-1].covered_since_s is None
    assert stage.changes == []


def test_an_idle_shelf_does_not_ask_the_detector() -> None:
    stage = _Stage()
    stage.show(_shelf(), 3)
    asked = stage.detector.calls
    stage.show(_shelf(), 3)
    assert stage.detector.calls == asked
    assert not stage.seen[-1].active


def test_a_dark_lens_is_blind_and_tells_no_changes() -> None:
    stage = _Stage()
    stage.show(_shelf(), 2)
    stage.show(np.zeros((540, 960, 3), np.uint8), 3)
    dark = stage.seen[-1].blind
    stage.show(_shelf(), 3)
    assert (dark is not None, stage.seen[-1].blind) == (True, None)
    assert stage.changes == []


def test_after_a_restart_what_happened_meanwhile_is_found() -> None:
    first = _Stage()
    first.show(_shelf(), 3)
    second = _Stage()
    second.eye.restore(first.eye.snapshot())
    second.show(_shelf(frozenset({(3, 5)})), 3)
    (change,) = second.changes
    assert change.board_id == "bay-a-4"
    assert change.action.pick > change.action.put_back


def test_a_wrong_frame_and_a_camera_that_looks_away_are_refused() -> None:
    stage = _Stage()
    with pytest.raises(FrameError, match="resolution"):
        stage.eye.step(_Picture(0.0, np.zeros((100, 100, 3), np.uint8)))
    away = CAMERA.model_copy(
        update={"pose": Pose(position_m=(1.1, 3.55, 2.7), look_at_m=(1.1, 0.5, 1.0), up=(0, 0, 1))}
    )
    with pytest.raises(CalibrationError, match="pose"):
        ShelfCamera(away, BAY, detector=_Detector(), change=_Change())


@pytest.mark.parametrize(("seconds", "told"), [(0.5, False), (1.6, True)])
def test_an_arm_that_nobody_detected_is_a_change_only_if_it_stays(
    seconds: float, told: bool
) -> None:
    stage = _Stage()
    full = _shelf()
    x, y = _place(1, 7)
    hidden = full.copy()
    cv2.rectangle(hidden, (int(x) - 22, int(y) - 30), (int(x) + 22, 539), (120, 118, 122), -1)
    stage.show(full, 2)
    stage.show(hidden, seconds)
    assert bool(stage.changes) is told
    if not told:
        stage.show(full, 2)
        assert not stage.changes
