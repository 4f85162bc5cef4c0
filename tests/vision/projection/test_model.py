"""A lens in the wall's frame, against vision.geometry's in the world."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from contracts.geometry import Camera, Intrinsics
from contracts.wall import wall_to_world
from tests.vision.projection.room import a_wall
from vision.errors import CalibrationError
from vision.geometry import Lens
from vision.projection.model import Optics, wall_point

BENT = (-0.08, 0.02, 0.001, -0.0005, 0.0)


@pytest.mark.parametrize("facing_deg", [-90.0, 0.0, 35.0, 180.0])
def test_a_lens_sees_wall_points_where_the_worlds_lens_sees_them(facing_deg: float) -> None:
    base = a_wall()
    wall = base.model_copy(update={"facing_deg": facing_deg})
    lens = Intrinsics(width=640, height=360, fx=500, fy=510, cx=320, cy=170, distortion=BENT)
    eye, spot = wall_to_world(wall, (0.7, -1.4, 1.5)), wall_to_world(wall, (0.5, 0.1, 1.0))
    pose = base.projectors[0].pose.model_copy(update={"position_m": eye, "look_at_m": spot})
    camera = Camera(camera_id="c", role="wall", fps=5, intrinsics=lens, pose=pose)
    points = np.array([[0.2, 0.0, 0.6], [0.9, 0.3, 1.5], [0.5, -0.1, 1.0]])
    world = np.array([wall_to_world(wall, (u, v, z)) for u, v, z in points.tolist()])
    optics = Optics.of(wall, lens, pose)
    assert np.allclose(optics.project(points), Lens(camera).project(world)[0])
    assert np.allclose(optics.position, (0.7, -1.4, 1.5))
    assert np.allclose(wall_point(wall, eye), (0.7, -1.4, 1.5))


def test_pixels_come_back_from_their_plane_and_what_is_behind_has_none() -> None:
    wall = a_wall()
    lens = wall.projectors[0].intrinsics.model_copy(update={"distortion": BENT})
    optics = Optics.of(wall, lens, wall.projectors[0].pose)
    points = np.array([[0.2, 0.15, 0.6], [0.9, 0.15, 1.5]])
    assert np.allclose(optics.on_depth(optics.project(points), 0.15), points, atol=1e-6)
    behind = optics.position[None] + [[0.0, -1.0, 0.3]]
    assert np.isnan(optics.project(behind)).all()
    assert not optics.reaches(optics.project(behind))
    assert np.isnan(optics.on_depth(np.array([[10.0, 10.0]]), -5.0)).all()


def test_a_pixels_width_grows_with_the_distance() -> None:
    lens = Intrinsics(width=640, height=360, fx=500, fy=500, cx=319.5, cy=179.5)
    optics = Optics.looking(lens, (0, -1, 1), (0, 0, 1), (0, 0, 1))
    assert optics.mm_per_px(np.array([0, 0.0, 1])) == pytest.approx(2.0, rel=1e-3)
    assert optics.mm_per_px(np.array([0, 1.0, 1])) == pytest.approx(4.0, rel=1e-3)


def test_a_lens_is_kept_in_plain_values_and_a_broken_one_is_refused() -> None:
    wall = a_wall()
    optics = Optics.of(wall, wall.projectors[0].intrinsics, wall.projectors[0].pose)
    values = json.loads(json.dumps(optics.as_json()))
    again = Optics.from_json(values)
    points = np.array([[0.3, 0.1, 1.0], [0.8, 0.3, 1.4]])
    assert np.array_equal(again.project(points), optics.project(points))
    broken: tuple[dict[str, Any], ...] = (
        {**values, "rotation": np.zeros((3, 3)).tolist()},
        {**values, "focal": [float("nan"), 1.0]},
        {**values, "size": 5},
        {},
    )
    for one in broken:
        with pytest.raises(CalibrationError, match="calibrate anew"):
            Optics.from_json(one)
