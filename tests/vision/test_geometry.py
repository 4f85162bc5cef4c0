"""Rays and frames against the definitions in contracts.geometry, written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from contracts.geometry import Bay, Board, Camera, Intrinsics, Pose
from vision.geometry import BayFrame, Lens


def _bay(facing_deg: float) -> Bay:
    boards = (Board(board_id="b", z_m=0.4, clearance_m=0.4),)
    return Bay(
        bay_id="bay", origin_m=(2.5, 4.0), facing_deg=facing_deg, width_m=1.0, depth_m=0.4,
        height_m=2.0, boards=boards,
    )  # fmt: skip


def _camera() -> Camera:
    return Camera(
        camera_id="cam", role="shelf", bay_id="bay", fps=15,
        intrinsics=Intrinsics(width=960, height=540, fx=820, fy=810, cx=479.5, cy=269.5),
        pose=Pose(position_m=(3.0, 3.5, 2.7), look_at_m=(3.05, 3.75, 0.3), up=(0, 1, 0)),
    )  # fmt: skip


@pytest.mark.parametrize("facing_deg", [-90.0, 0.0, 35.0, 180.0])
def test_bay_points_follow_the_formula_and_come_back(facing_deg: float) -> None:
    frame = BayFrame(_bay(facing_deg))
    points = np.array([[0.0, 0.0, 0.0], [0.7, 0.2, 1.1], [0.3, -0.5, 2.0]])
    world = frame.to_world(points)
    a = math.radians(facing_deg)
    for (u, v, z), (x, y, height) in zip(points, world, strict=True):
        assert x == pytest.approx(2.5 - u * math.sin(a) - v * math.cos(a))
        assert y == pytest.approx(4.0 + u * math.cos(a) - v * math.sin(a))
        assert height == pytest.approx(z)
    assert np.allclose(frame.to_bay(world), points)


def test_u_runs_to_the_right_of_who_faces_the_shelf() -> None:
    frame = BayFrame(_bay(-90.0))
    right = frame.to_world(np.array([[1.0, 0.0, 0.0]])) - frame.to_world(np.zeros((1, 3)))
    assert np.allclose(right, [[1.0, 0.0, 0.0]])


def test_a_pixel_comes_back_from_every_plane() -> None:
    lens, frame = Lens(_camera()), BayFrame(_bay(-90.0))
    points = np.array([[3.2, 3.6, 1.6], [2.8, 3.4, 1.6]])
    pixels, depth = lens.project(points)
    assert (depth > 0).all()
    assert np.allclose(lens.on_height(pixels, 1.6), points)
    front = np.array([[0.2, 0.0, 1.2], [0.8, 0.0, 0.5]])
    pixels, _ = lens.project(frame.to_world(front))
    assert np.allclose(frame.on_front(lens, pixels), front)


def test_what_is_behind_has_no_pixel_and_no_point() -> None:
    lens = Lens(_camera())
    pixels, _ = lens.project(np.array([[3.0, 3.5, 3.5]]))
    assert np.isnan(pixels).all()
    assert np.isnan(lens.on_height(np.array([[480.0, 270.0]]), 3.0)).all()
