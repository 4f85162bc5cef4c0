"""Where in a picture something flat may be seen, also what reaches behind the lens."""

from __future__ import annotations

import numpy as np
import pytest

from store_sim.wall.frame import AHEAD_M, Optic, optic
from tests.store_sim.wall.wall_kit import store_named


def _optic() -> Optic:
    wall = store_named("demo").walls[0]
    return optic(wall, wall.cameras[0].intrinsics, wall.cameras[0].pose)


def _at(eye: Optic, right_m: float, down_m: float, ahead_m: float) -> np.ndarray:
    axes = eye.cam[:9].reshape(3, 3)
    place: np.ndarray = eye.cam[9:12] + np.array([right_m, down_m, ahead_m]) @ axes
    return place


@pytest.mark.parametrize("seed", range(40))
def test_bounds_hold_all_of_a_thing_that_is_seen(seed: int) -> None:
    """Of a rectangle anywhere about the camera, each point that has a pixel in the picture."""
    eye = _optic()
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-0.8, 0.8, 3)
    along, down = rng.uniform(-0.6, 0.6, (2, 3))
    corners = np.array([corner, corner + along, corner + along + down, corner + down])
    found = eye.bounds(np.array([_at(eye, *one) for one in corners]))
    a, b = rng.random((2, 4_000))
    inside = corner + a[:, None] * along + b[:, None] * down
    inside = inside[inside[:, 2] > AHEAD_M]
    pixels, _depths = eye.pixels(np.array([_at(eye, *one) for one in inside]).reshape(-1, 3))
    # Beyond the picture's edges a lens's polynomial may bend back into it.
    ahead = inside[:, :2] / inside[:, 2:]
    limits = np.abs(eye.rays.reshape(-1, 2)).max(axis=0)
    shown = (np.abs(ahead) <= limits).all(axis=1)
    shown &= (pixels >= 0).all(axis=1) & (pixels <= [eye.width - 1, eye.height - 1]).all(axis=1)
    if found is None:
        assert not shown.any()
        return
    x0, y0, x1, y1 = found
    seen = pixels[shown]
    assert ((seen >= [x0 - 1, y0 - 1]) & (seen <= [x1, y1])).all()


def test_what_passes_beside_the_camera_is_not_in_its_picture() -> None:
    eye = _optic()
    beside = [(0.3, -0.1, 0.1), (0.3, -0.1, -0.3), (0.3, 0.2, -0.3), (0.3, 0.2, 0.1)]
    assert eye.bounds(np.array([_at(eye, *one) for one in beside])) is None
    through = [(-0.3, 0.0, 0.5), (0.3, 0.0, 0.5), (0.3, 0.3, -0.5), (-0.3, 0.3, -0.5)]
    found = eye.bounds(np.array([_at(eye, *one) for one in through]))
    assert found is not None
    assert found[0] == 0
    assert found[2] == eye.width
    assert found[3] == eye.height
    assert found[1] > eye.height // 3, "above its upper edge nothing of it is seen"
