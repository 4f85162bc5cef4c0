"""Camera and wall frame, depth by labels, markers, corners to a part of a pixel, votes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from contracts.wall import wall_to_world
from tests.vision.wall.drawing import Stage, filled, parcel, sscc, symbol, wall
from vision.geometry import Lens
from vision.labels import Code
from vision.wall import WallLens, find_markers
from vision.wall.corners import refined
from vision.wall.votes import Votes

PLACE = wall()
LENS = WallLens(PLACE.cameras[0], PLACE)


def test_pixels_and_wall_points_go_to_and_fro() -> None:
    points = np.array([[0.2, 0.0, 0.9], [0.9, 0.3, 1.2], [1.7, -0.1, 1.6]])
    pixels = LENS.pixels(points)
    for point, pixel in zip(points, pixels, strict=True):
        assert LENS.on_plane(pixel[None], point[1])[0] == pytest.approx(point, abs=1e-9)
    world = np.array([wall_to_world(PLACE, (float(u), float(v), float(z))) for u, v, z in points])
    assert pixels == pytest.approx(Lens(PLACE.cameras[0]).project(world)[0])


def test_a_labels_size_tells_its_depth() -> None:
    kind = PLACE.labels[0]
    half = kind.modules * kind.module_mm / 2000
    for v in (-0.05, 0.0, 0.2):
        quad = np.array(
            [[0.7 - half, v, 1.2 + half], [0.7 + half, v, 1.2 + half], [0.7 + half, v, 1.2 - half],
             [0.7 - half, v, 1.2 - half]]
        )  # fmt: skip
        depth = LENS.label_depth(LENS.pixels(quad), kind)
        assert depth is not None
        assert depth.v_m == pytest.approx(v, abs=0.002)
        assert depth.sd_m < 0.02


@pytest.mark.parametrize("kind", ["qr", "datamatrix", "code128"])
def test_corners_are_found_to_a_fifth_of_a_pixel(kind: str) -> None:
    text = parcel(3, 0, 0, symbology=kind).text
    assert text is not None
    bits = symbol(text, kind)
    fine = cv2.resize(bits, None, fx=24, fy=24, interpolation=cv2.INTER_NEAREST)
    scale = 2.8 / 24
    turn = np.array([[scale, 0.012, 40.3], [-0.012, scale, 60.6]], np.float64)
    canvas = cv2.warpAffine(fine, turn, (620, 300), flags=cv2.INTER_AREA, borderValue=255)
    gray = np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.8), np.uint8)
    high, wide = fine.shape
    ends = np.array(
        [[-0.5, -0.5], [wide - 0.5, -0.5], [wide - 0.5, high - 0.5], [-0.5, high - 0.5]]
    )
    true = ends @ turn[:, :2].T + turn[:, 2]
    along = [[1.0, 0.4], [-0.8, 0.9], [0.7, -0.6], [-1.0, -0.5]] if kind != "code128" else (
        [[1.3, 0.1], [-1.2, 0.1], [-1.2, 0.1], [1.3, 0.1]]
    )  # fmt: skip
    rough = (true + np.array(along)).astype(np.float32)
    found = refined(gray, Code(text, kind, rough, kind, bits.shape[1]))  # type: ignore[arg-type]
    assert found is not None
    if kind == "code128":
        # Where a line of bars begins and ends along its line is all that can be said.
        left, right = (found[0] + found[3]) / 2, (found[1] + found[2]) / 2
        assert np.linalg.norm(right - left) == pytest.approx(
            np.linalg.norm(true[1] - true[0]), abs=0.4
        )
    else:
        assert np.abs(found - true).max() < 0.2


def test_what_is_no_code_gets_no_corners() -> None:
    blank = np.full((200, 200), 180, np.uint8)
    square = np.array([[40, 40], [120, 40], [120, 120], [40, 120]], np.float32)
    assert refined(blank, Code("x", "qr", square, "qr", 29)) is None


def test_markers_tell_how_far_the_camera_was_pushed() -> None:
    stage = Stage(PLACE, boxes=filled(3))
    gray = cv2.cvtColor(stage.picture().rgb, cv2.COLOR_RGB2GRAY)
    fit = find_markers(np.asarray(gray, np.uint8), LENS, PLACE.markers)
    assert fit is not None
    assert fit.seen >= 2
    assert fit.residual_px < 1.0
    stage.shift_px = (9.0, 0.0)
    gray = cv2.cvtColor(stage.picture().rgb, cv2.COLOR_RGB2GRAY)
    fit = find_markers(np.asarray(gray, np.uint8), LENS, PLACE.markers, everywhere=True)
    assert fit is not None
    assert fit.residual_px == pytest.approx(9.0, abs=1.0)
    assert find_markers(np.full((1080, 1920), 90, np.uint8), LENS, PLACE.markers) is None


def test_a_label_needs_two_readings_or_error_correction_and_a_check_digit() -> None:
    bars = Votes(2)
    told = []
    for _ in range(2):
        bars.read(f"00{sscc(1)}", "code128")
        told.append(bars.label)
    assert told == [None, ("code128", f"00{sscc(1)}", 2)]
    square = Votes(2)
    square.read(f"https://id.gs1.org/00/{sscc(2)}", "qr")
    assert square.label is not None
    half = Votes(2)
    half.read(f"https://id.gs1.org/00/{sscc(2)[:-1]}0", "qr")
    assert half.label is None


def test_readings_that_disagree_contest_a_label_and_one_slip_does_not_for_long() -> None:
    votes = Votes(2)
    told = []
    for text in ["A1"] * 6 + ["A2", "A1"] + ["A2", "A1"] * 2:
        votes.read(text, "code128")
        told.append(votes.contested)
    assert told[:8] == [False] * 6 + [True, False]
    assert told[-1]


def test_two_ways_to_write_a_number_agree() -> None:
    votes = Votes(2)
    votes.read(f"https://id.gs1.org/00/{sscc(4)}", "qr")
    votes.read(f"00{sscc(4)}", "code128")
    assert not votes.contested
    assert votes.label is not None
    assert votes.label[2] == 2
