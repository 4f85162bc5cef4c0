"""Calibrated lens distortion: OpenCV's model in the contract, undone by vision."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

import store_sim
from contracts.geometry import Camera, Intrinsics, Pose
from contracts.store_file import load_store_file
from vision.camera_view import CameraView
from vision.geometry import Distortion, Lens
from vision.sheet import Sheet

DEMO = Path(store_sim.__file__).parent / "stores" / "demo.yaml"
LENSES = {
    "barrel": (-0.32, 0.12, 0.0, 0.0, 0.0),
    "cushion": (0.18, 0.02, 0.0, 0.0, 0.0),
    "crooked": (-0.25, 0.09, 0.0012, -0.0008, -0.01),
}
Five = tuple[float, float, float, float, float]


def _camera(distortion: Five = (0.0,) * 5) -> Camera:
    return Camera(
        camera_id="cam", role="ceiling", fps=15,
        intrinsics=Intrinsics(
            width=960, height=540, fx=820, fy=810, cx=481.5, cy=265.5, distortion=distortion
        ),
        pose=Pose(position_m=(3.0, 3.5, 2.7), look_at_m=(3.05, 3.75, 0.3), up=(0, 1, 0)),
    )  # fmt: skip


def _points() -> NDArray[np.float64]:
    rng = np.random.default_rng(3)
    low, high = (2.1, 2.9, 0.0), (3.9, 4.4, 1.8)
    return rng.uniform(low, high, (400, 3))


def _pixels() -> NDArray[np.float64]:
    x, y = np.meshgrid(np.linspace(0, 959, 31), np.linspace(0, 539, 19))
    return np.stack([x.ravel(), y.ravel()], axis=1)


@pytest.mark.parametrize("name", sorted(LENSES))
def test_points_are_where_opencv_says(name: str) -> None:
    camera = _camera(LENSES[name])
    lens, flat = Lens(camera), Lens(_camera())
    points = _points()
    away = points - lens.position
    # OpenCV's own projection, with the camera's axes read off the pinhole lens.
    f = np.array(camera.pose.look_at_m) - np.array(camera.pose.position_m)
    f /= np.linalg.norm(f)
    right = np.cross(f, camera.pose.up)
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(f, right), f])
    size = camera.intrinsics
    matrix = np.array([[size.fx, 0, size.cx], [0, size.fy, size.cy], [0, 0, 1.0]])
    expected, _ = cv2.projectPoints(
        np.ascontiguousarray(away @ turn.T), np.zeros(3), np.zeros(3), matrix,
        np.array(LENSES[name]),
    )  # fmt: skip
    pixels, _ = lens.project(points)
    pinhole, _ = flat.project(points)
    inside = (pinhole >= 0).all(axis=1) & (pinhole <= [959, 539]).all(axis=1)
    assert inside.sum() > 100
    assert np.abs(pixels - expected.reshape(-1, 2))[inside].max() < 1e-6
    assert np.abs(pixels - pinhole)[inside].max() > 2.0


@pytest.mark.parametrize("name", sorted(LENSES))
def test_there_and_back_within_a_twentieth_of_a_pixel(name: str) -> None:
    camera = _camera(LENSES[name])
    lens, view = Lens(camera), CameraView(camera)
    pixels = _pixels()
    on_floor = lens.on_height(pixels, 0.0)
    assert np.isfinite(on_floor).all()
    again, _ = lens.project(on_floor)
    assert np.abs(again - pixels).max() < 0.05
    points, _ = view.at(pixels, 0.0)
    assert np.abs(points - on_floor[:, :2]).max() < 1e-9
    back = view.pixels(np.column_stack([points, np.zeros(len(points))]))
    assert np.abs(back - pixels).max() < 0.05


def test_no_distortion_is_the_pinhole_to_the_last_bit() -> None:
    camera = _camera()
    lens, size = Lens(camera), camera.intrinsics
    points = _points()
    f = np.array(camera.pose.look_at_m, np.float64) - lens.position
    f /= np.linalg.norm(f)
    right = np.cross(f, np.array(camera.pose.up, np.float64))
    right /= np.linalg.norm(right)
    local = (points - lens.position) @ np.stack([right, np.cross(f, right), f]).T
    centre, focal = np.array([size.cx, size.cy]), np.array([size.fx, size.fy])
    expected = centre + focal * local[:, :2] / local[:, 2:]
    assert (lens.project(points)[0] == expected).all()
    assert (CameraView(camera).pixels(points) == expected).all()


def test_what_is_far_outside_does_not_fold_back_into_the_picture() -> None:
    distortion = Distortion(LENSES["barrel"])
    far = np.column_stack([np.linspace(0.1, 20.0, 200), np.zeros(200)])
    seen = distortion.bend(far)[:, 0]
    assert (np.diff(seen) > 0).all()
    assert seen[-1] > 10.0
    assert np.isfinite(distortion.undo(np.array([[5.0, 5.0]]))).all()


def test_a_distortion_that_folds_back_is_refused() -> None:
    with pytest.raises(ValidationError, match="can be undone"):
        _camera((-1.2, 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(ValidationError, match="finite"):
        _camera((float("nan"), 0.0, 0.0, 0.0, 0.0))


def test_a_thing_is_as_wide_as_the_lens_shows_it() -> None:
    point = np.array([3.02, 3.6, 1.2])
    flat, bent = Lens(_camera()), Lens(_camera(LENSES["barrel"]))
    assert flat.width_px(point, 0.1) == pytest.approx(bent.width_px(point, 0.1), rel=0.03)
    edge = np.array([3.75, 3.3, 0.9])
    assert bent.width_px(edge, 0.1) < 0.95 * flat.width_px(edge, 0.1)


@pytest.mark.parametrize("name", sorted(LENSES))
def test_a_sheet_is_laid_where_the_simulator_draws_the_shelf(name: str) -> None:
    """Simulator and vision each have their own code for the model; they must agree."""
    from store_sim.render import Optics, SceneRenderer
    from store_sim.scene import Scene

    store = load_store_file(DEMO)
    camera = next(c for c in store.cameras if c.camera_id == "cam-b")
    bent = camera.model_copy(
        update={"intrinsics": camera.intrinsics.model_copy(update={"distortion": LENSES[name]})}
    )
    bay = next(b for b in store.bays if b.bay_id == camera.bay_id)
    sheets = []
    for one in (camera, bent):
        renderer = SceneRenderer(store, one, seed=1, optics=Optics(noise=0.0))
        rgb = renderer.render(Scene(0.0, (), (), (), 1)).rgb
        sheet = Sheet(Lens(one), bay)
        sheets.append((sheet.lay(rgb), sheet.seen))
        points = _points()
        ours, theirs = Lens(one).project(points)[0], renderer.project(points)[0]
        inside = (ours >= 0).all(axis=1) & (ours <= [959, 539]).all(axis=1)
        assert np.abs(ours - theirs)[inside].max() < 1e-6
    (flat, seen), (again, seen_bent) = sheets
    both = seen & seen_bent
    assert np.abs(flat - again)[both].mean() < 2.0
