"""A ceiling camera with a scripted detector: projection, gate, blindness, headless persons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.geometry import Camera, Intrinsics, Pose
from vision.ceiling import CeilingCamera, CeilingSettings
from vision.errors import CalibrationError, FrameError
from vision.observations import Detections

WIDTH, HEIGHT, FOCAL = 640, 360, 270.0
AT = (1.5, 1.3, 3.5)


def camera() -> Camera:
    return Camera(
        camera_id="ceiling-1",
        role="ceiling",
        fps=7.5,
        intrinsics=Intrinsics(width=WIDTH, height=HEIGHT, fx=FOCAL, fy=FOCAL, cx=319.5, cy=179.5),
        pose=Pose(position_m=AT, look_at_m=(AT[0], AT[1], 0.0), up=(0.0, 1.0, 0.0)),
    )


def pixel(x: float, y: float, z: float) -> tuple[float, float]:
    """By hand for a camera that looks straight down with +y up in the picture."""
    depth = AT[2] - z
    return 319.5 + FOCAL * (x - AT[0]) / depth, 179.5 - FOCAL * (y - AT[1]) / depth


def box(x: float, y: float, z: float, half_px: float = 14.0) -> list[float]:
    u, v = pixel(x, y, z)
    return [u - half_px + 0.5, v - half_px + 0.5, u + half_px + 0.5, v + half_px + 0.5]


@dataclass
class Frame:
    t_s: float
    rgb: NDArray[np.uint8]


class Scripted:
    """Gives the boxes it was told and counts how often it was asked."""

    classes = ("head", "person", "hand")

    def __init__(self) -> None:
        self.rows: list[tuple[list[float], float, int]] = []
        self.asked = 0

    def detect(self, rgb: NDArray[np.uint8], score_min: float = 0.25) -> Detections:
        self.asked += 1
        if not self.rows:
            return Detections.empty()
        return Detections(
            np.array([row[0] for row in self.rows], np.float32),
            np.array([row[1] for row in self.rows], np.float32),
            np.array([row[2] for row in self.rows], np.int32),
        )


def floor(seed: int = 0, blob: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """A textured floor with noise, with or without a coloured disc where somebody stands."""
    scene = np.random.default_rng(7).integers(60, 180, (HEIGHT, WIDTH, 3)).astype(np.int16)
    if blob is not None:
        rows, columns = np.ogrid[:HEIGHT, :WIDTH]
        inside = (columns - blob[0]) ** 2 + (rows - blob[1]) ** 2 < 40**2
        scene[inside] = (200, 20, 30)
    noise = np.random.default_rng(seed).integers(-2, 3, scene.shape)
    return np.asarray(np.clip(scene + noise, 0, 255), np.uint8)


def test_heads_and_hands_land_where_they_are() -> None:
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    detector.rows = [
        (box(1.5, 1.3, 1.62), 0.9, 0),
        (box(2.9, 1.8, 1.62), 0.8, 0),
        (box(2.0, 2.0, 1.2, 6.0), 0.7, 2),
    ]
    seen = eye.step(Frame(1.0, floor()))
    assert seen.blind is None
    assert seen.heads[:, :2] == pytest.approx(np.array([[1.5, 1.3], [2.9, 1.8]]), abs=1e-4)
    assert seen.wrists[0, :2] == pytest.approx([2.0, 2.0], abs=1e-4)
    assert seen.heads[:, 3] == pytest.approx([0.9, 0.8])
    below, aside = seen.heads[:, 2]
    assert below == pytest.approx(0.05, abs=1e-3)
    # A head 0.11 m higher than assumed is seen 0.11 * tan(angle) further out.
    tangent = np.hypot(1.4, 0.5) / (3.5 - 1.62)
    assert aside == pytest.approx(np.hypot(0.05, 0.11 * tangent), abs=1e-3)


def test_true_statures_stay_within_the_spread() -> None:
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    rng = np.random.default_rng(0)
    scores = []
    for index in range(200):
        x, y = rng.uniform(0.2, 3.0), rng.uniform(0.3, 2.4)
        detector.rows = [(box(x, y, 1.62 + rng.normal(0, 0.1)), 0.9, 0)]
        head = eye.step(Frame(index * 0.13, floor(index, pixel(x, y, 1.3)))).heads[0]
        scores.append(np.hypot(head[0] - x, head[1] - y) / head[2])
    assert np.quantile(scores, 0.99) < 3.0


def test_an_empty_floor_sleeps_and_wakes() -> None:
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    for index in range(20):
        eye.step(Frame(index / 7.5, floor(index)))
    asleep = detector.asked
    for index in range(20, 60):
        assert len(eye.step(Frame(index / 7.5, floor(index))).heads) == 0
    assert detector.asked == asleep
    x, y = 2.0, 1.5
    detector.rows = [(box(x, y, 1.62), 0.9, 0)]
    seen = eye.step(Frame(60 / 7.5, floor(60, pixel(x, y, 1.62))))
    assert detector.asked == asleep + 1
    assert len(seen.heads) == 1


def test_somebody_who_stands_still_is_seen_all_the_time() -> None:
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    eye.step(Frame(0.0, floor()))
    place = pixel(2.0, 1.5, 1.62)
    detector.rows = [(box(2.0, 1.5, 1.62), 0.9, 0)]
    for index in range(1, 400):
        assert len(eye.step(Frame(index / 7.5, floor(index, place))).heads) == 1
    assert detector.asked < 400 / 2.5
    detector.rows = []
    for index in range(400, 440):
        seen = eye.step(Frame(index / 7.5, floor(index)))
    assert len(seen.heads) == 0


def test_light_that_changes_wakes_nobody() -> None:
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    for index in range(20):
        eye.step(Frame(index / 7.5, floor(index)))
    asked = detector.asked
    for index in range(20, 60):
        dimmed = np.clip(floor(index).astype(np.int16) - (index - 20), 0, 255).astype(np.uint8)
        eye.step(Frame(index / 7.5, dimmed))
    assert detector.asked == asked


def test_a_cut_person_is_placed_less_surely() -> None:
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    detector.rows = [
        ([600.0, 100.0, 640.0, 180.0], 0.8, 1),
        ([300.0, 150.0, 360.0, 230.0], 0.8, 1),
        ([310.0, 160.0, 340.0, 190.0], 0.9, 0),
    ]
    seen = eye.step(Frame(0.0, floor()))
    assert len(seen.heads) == 2
    by_score = seen.heads[np.argsort(-seen.heads[:, 3])]
    assert by_score[0, 2] < 0.1
    assert by_score[1, 2] >= CeilingSettings().cut_sd_m
    assert by_score[1, 0] > 2.5


def test_two_boxes_of_one_head_are_one() -> None:
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    detector.rows = [(box(1.5, 1.3, 1.62), 0.9, 0), (box(1.55, 1.33, 1.62), 0.5, 0)]
    assert len(eye.step(Frame(0.0, floor())).heads) == 1


def test_clothes_tell_neighbours_apart() -> None:
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    eye.step(Frame(0.0, floor()))
    detector.rows = [(box(2.0, 1.5, 1.62), 0.9, 0)]
    seen = eye.step(Frame(0.13, floor(1, pixel(2.0, 1.5, 1.62))))
    red, green, blue = seen.colours[0]
    assert red > 180
    assert green < 40
    assert blue < 50


def test_blind_pictures_say_why() -> None:
    detector = Scripted()
    black = CeilingCamera(camera(), detector)
    seen = black.step(Frame(0.0, np.zeros((HEIGHT, WIDTH, 3), np.uint8)))
    assert seen.blind is not None
    assert "black" in seen.blind
    covered = CeilingCamera(camera(), detector)
    covered.step(Frame(0.0, floor()))
    for index in range(1, 20):
        shade = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        shade[index, index] = 91
        seen = covered.step(Frame(index / 7.5, shade))
    assert seen.blind is not None
    assert "covered" in seen.blind
    frozen = CeilingCamera(camera(), detector)
    still = floor()
    reasons = [frozen.step(Frame(index / 7.5, still)).blind for index in range(200)]
    assert reasons[10] is None
    assert "frozen" in str(reasons[-1])
    assert frozen.step(Frame(30.0, floor(1))).blind is None


def test_what_does_not_fit_is_refused() -> None:
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    with pytest.raises(FrameError, match=r"expected frames of ceiling-1 of shape \(360, 640, 3\)"):
        eye.step(Frame(0.0, np.zeros((10, 10, 3), np.uint8)))
    shelf = camera().model_copy(update={"role": "shelf", "bay_id": "bay-a"})
    with pytest.raises(CalibrationError, match="expected a ceiling camera"):
        CeilingCamera(shelf, detector)


def test_a_second_head_without_a_body_is_none() -> None:
    """Hair and face of one person: two heads within 0.3 m, one body. Two people have two."""
    detector = Scripted()
    eye = CeilingCamera(camera(), detector)
    u, v = pixel(1.5, 1.3, 1.0)
    first, second = box(1.5, 1.3, 1.62, 10.0), box(1.75, 1.3, 1.62, 10.0)
    body = [u - 60, v - 40, u + 70, v + 40]
    detector.rows = [(first, 0.9, 0), (second, 0.6, 0), (body, 0.8, 1)]
    assert len(eye.step(Frame(1.0, floor())).heads) == 1
    other = [u - 20, v - 45, u + 75, v + 45]
    detector.rows.append((other, 0.8, 1))
    assert len(eye.step(Frame(1.2, floor(1, (320.0, 180.0)))).heads) == 2
