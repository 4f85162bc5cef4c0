"""Where a projector hangs and how it is focused, from structured light seen by calibrated cameras.

Two kinds of points tell it. On patches whose place is known (the wall's markers, or a board) a
camera pixel has a wall point, and the projector pixel that lights it must be that point's picture.
On every other surface (parcels, boards, the back panel) the depth is not known, but the projector
pixel must lie on the picture of the camera pixel's ray (epipolar constraint; Hartley and Zisserman,
"Multiple View Geometry", ch. 9), so a wall full of parcels helps instead of being in the way.

What a calibration is worth is measured on patches left out of the fit, one after the other, in
millimetres on the wall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from contracts.wall import Wall
from vision.errors import CalibrationError
from vision.markers import detect_markers
from vision.projection.markers import CORNER_WINDOW_PX, camera_from_markers
from vision.projection.model import Floats, Optics
from vision.projection.patterns import CodeReading
from vision.wall.geometry import marker_corners_m

__all__ = ["Calibration", "Patch", "Sighting", "calibrate", "calibrate_in_steps", "see_markers"]

PATCHES_MIN = 3
PATCH_POINTS_MIN = 12
PATCH_POINTS_MAX = 60
RAYS_MAX = 800
PATCH_WEIGHT = 2.0
"""A patch's points count more than rays: they alone say how far away the wall is."""
OUTLIER_PX = 4.0
FOCAL_SD = 0.05
CENTRE_SD = 0.03
BEND_SD = 0.03
"""How far intrinsics may stray from the file's: shares of the focal length, of the width; k1."""
FIT_PX_MAX = 3.0
CALM_MIN, AGREED_MIN = 0.6, 0.9
"""So much of the patches must agree, each in so many of its points, for others to be left out."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Points (N, 3) whose place is known and the projector pixels (N, 2) that light them."""

    name: str
    points: Floats
    lit_by: Floats


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one camera tells: `patches`, and for other surfaces the rays (M, 3) from `start` (3,)
    with the projector pixels (M, 2) that light where they end."""

    patches: tuple[Patch, ...]
    start: Floats
    ways: Floats
    lit_by: Floats


@dataclass(frozen=True, slots=True)
class Calibration:
    """`residual_mm`: 95th percentile on patches left out; `points` that it was measured on."""

    model: Optics
    residual_mm: float
    residual_mm_p50: float
    points: int


def see_markers(wall: Wall, camera: Optics, reading: CodeReading) -> tuple[Sighting, Optics]:
    """What a camera tells by the wall's markers, and where it hangs. CalibrationError if fewer
    than three markers are in its picture."""
    found = detect_markers(reading.white, window_px=CORNER_WINDOW_PX)
    camera, _ = camera_from_markers(wall, camera, found)
    trusted = reading.trusted
    patches = []
    for marker in wall.markers:
        if marker.marker not in found:
            continue
        outline = camera.project(marker_corners_m(marker))
        pixels = _spread(_inside(outline, trusted), PATCH_POINTS_MAX)
        if len(pixels) < PATCH_POINTS_MIN:
            continue
        points = camera.on_depth(pixels.astype(np.float64), marker.centre_m[1])
        patches.append(Patch(f"marker {marker.marker}", points, _lit_by(reading, pixels)))
    rays = _spread(np.argwhere(_calm(reading, trusted))[:, ::-1], RAYS_MAX)
    ways = camera.rays(rays.astype(np.float64))
    return Sighting(tuple(patches), camera.position, ways, _lit_by(reading, rays)), camera


def calibrate(nominal: Optics, sightings: Sequence[Sighting]) -> Calibration:
    """The projector's optics. CalibrationError, beginning with "calibration board not found", if
    fewer than three patches are lit, or they lie on one line."""
    *_, last = calibrate_in_steps(nominal, sightings)
    assert last is not None
    return last


def calibrate_in_steps(
    nominal: Optics, sightings: Sequence[Sighting]
) -> Iterator[Calibration | None]:
    """`calibrate` a fit at a time, for those that have other things to do: None until the last."""
    patches = [patch for one in sightings for patch in one.patches]
    _check_patches(patches)
    model = _fit(nominal, patches, sightings)
    apart = [_off_px(model, one.points, one.lit_by) for one in patches]
    if float(np.median(np.concatenate(apart))) > FIT_PX_MAX:
        off = float(np.median(np.concatenate([_off_mm(model, patch) for patch in patches])))
        raise CalibrationError(
            f"expected markers lit where one projector can light them, got them {off:.0f} mm off; "
            "check their places and the projector's size in the wall's file, and that it does not "
            "correct keystone by itself"
        )
    patches = _undisturbed(patches, apart)
    _check_patches(patches)
    yield None
    left_out = []
    for patch in patches:
        others = [one for one in patches if one is not patch]
        left_out.append(_off_mm(_fit(nominal, others, sightings, model), patch))
        yield None
    p50, p95 = (float(one) for one in np.percentile(np.concatenate(left_out), [50, 95]))
    yield Calibration(model, p95, p50, sum(len(one) for one in left_out))


def _undisturbed(patches: list[Patch], apart: Sequence[Floats]) -> list[Patch]:
    """Those that all but a few agree on, by how far (N,) px their points are off: before the others
    somebody passed while stripes were thrown, and what was read there is no place. Where more than
    a few differ, all of them count."""
    calm = [
        patch
        for patch, off_px in zip(patches, apart, strict=True)
        if np.mean(off_px < OUTLIER_PX) >= AGREED_MIN
    ]
    return calm if len(calm) >= max(PATCHES_MIN + 1, CALM_MIN * len(patches)) else patches


def _check_patches(patches: Sequence[Patch]) -> None:
    names = ", ".join(one.name for one in patches) or "none"
    if len(patches) < PATCHES_MIN:
        raise CalibrationError(
            f"calibration board not found: expected at least {PATCHES_MIN} markers seen by a "
            f"camera and lit by the projector, got {len(patches)} ({names}); uncover them, darken "
            "the room, or turn the projector towards them"
        )
    centres = np.array([one.points.mean(axis=0) for one in patches])
    spread = np.linalg.svd(centres - centres.mean(axis=0), compute_uv=False)
    if spread[1] < 0.05:
        raise CalibrationError(
            f"calibration board not found: expected markers that are not all on one line, got "
            f"{names}; uncover another one"
        )


def _fit(
    start: Optics,
    patches: Sequence[Patch],
    sightings: Sequence[Sighting],
    near: Optics | None = None,
) -> Optics:
    """Robust least squares, twice: the second time without what the first found to be off. `near`
    is a fit of nearly the same points, which says at once what is off."""
    points = np.concatenate([one.points for one in patches])
    lit_by = np.concatenate([one.lit_by for one in patches])
    starts = np.concatenate([np.tile(one.start, (len(one.ways), 1)) for one in sightings])
    ways = np.concatenate([one.ways for one in sightings])
    ray_lit_by = np.concatenate([one.lit_by for one in sightings])
    model = near
    if model is None:
        model = _first_pose(start, points, lit_by)
        model = _Fit(start, points, lit_by, starts, ways, ray_lit_by).run(model)
    good = _off_px(model, points, lit_by) < OUTLIER_PX
    fits = np.abs(_off_lines(model, starts, ways, ray_lit_by)) < OUTLIER_PX
    if good.sum() >= PATCH_POINTS_MIN:
        points, lit_by = points[good], lit_by[good]
    return _Fit(start, points, lit_by, starts[fits], ways[fits], ray_lit_by[fits]).run(model)


def _first_pose(start: Optics, points: Floats, lit_by: Floats) -> Optics:
    """The pose that the known points give with the intrinsics there are, however far the pose in
    the file is off."""
    cv2.setRNGSeed(1)
    good, turn, shift, _ = cv2.solvePnPRansac(
        points, lit_by, start.matrix, np.array(start.distortion), None, None, False, 200, 8.0,
        0.999, None, cv2.SOLVEPNP_SQPNP,
    )  # fmt: skip
    return start.hung(turn, shift) if good else start


class _Fit:
    """Parameters: turn (3) and shift (3) away from the first pose, focal length as a share, centre
    as shares of the width, k1; the last four are held near the file's by priors."""

    def __init__(
        self,
        nominal: Optics,
        points: Floats,
        lit_by: Floats,
        starts: Floats,
        ways: Floats,
        ray_lit_by: Floats,
    ) -> None:
        self._nominal = nominal
        self._points, self._lit_by = points, lit_by
        self._starts, self._ways, self._ray_lit_by = starts, ways, ray_lit_by
        # However many points and rays there are, both kinds keep their weight.
        self._ray_weight = np.sqrt(400.0 / max(len(ways), 1))
        self._point_weight = PATCH_WEIGHT * np.sqrt(400.0 / max(2 * len(points), 1))

    def run(self, first: Optics) -> Optics:
        begin = np.zeros(10)
        begin[6] = first.focal[0] / self._nominal.focal[0] - 1
        begin[7:9] = (first.centre - self._nominal.centre) / self._nominal.size[0]
        begin[9] = first.distortion[0] - self._nominal.distortion[0]

        def off(x: Floats) -> Floats:
            return self._residuals(self._model(first, x))

        found = least_squares(
            off,
            begin,
            loss="soft_l1",
            f_scale=1.0,
            x_scale=np.array([1, 1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1]),
            max_nfev=60,
            # Ten parameters of thousands of residuals: half as long as by singular values.
            tr_solver="lsmr",
            tr_options={"atol": 1e-12, "btol": 1e-12},
        )
        return self._model(first, found.x)

    def _model(self, first: Optics, x: Floats) -> Optics:
        turn, _ = cv2.Rodrigues(x[:3])
        nominal = self._nominal
        k1, k2, p1, p2, k3 = nominal.distortion
        return Optics(
            nominal.size,
            nominal.focal * (1 + x[6]),
            nominal.centre + x[7:9] * nominal.size[0],
            np.asarray(turn, np.float64) @ first.rotation,
            first.shift + x[3:6],
            (k1 + float(x[9]), k2, p1, p2, k3),
        )

    def _residuals(self, model: Optics) -> Floats:
        nominal = self._nominal
        off = np.nan_to_num(model.project(self._points) - self._lit_by, nan=1e3).ravel()
        lines = _off_lines(model, self._starts, self._ways, self._ray_lit_by)
        priors = np.array(
            [
                (model.focal[0] / nominal.focal[0] - 1) / FOCAL_SD,
                *((model.centre - nominal.centre) / nominal.size[0] / CENTRE_SD),
                (model.distortion[0] - nominal.distortion[0]) / BEND_SD,
            ]
        )
        return np.concatenate([off * self._point_weight, lines * self._ray_weight, priors])


def _off_lines(model: Optics, starts: Floats, ways: Floats, lit_by: Floats) -> Floats:
    """How far pixels (N, 2) lie beside the pictures of their rays, in px."""
    here = starts @ model.rotation.T + model.shift
    ahead = ways @ model.rotation.T
    normal = np.cross(here, ahead)
    flat = model.flat(lit_by)
    across = normal[:, 0] * flat[:, 0] + normal[:, 1] * flat[:, 1] + normal[:, 2]
    off: Floats = across / np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-9) * model.focal[0]
    return off


def _off_px(model: Optics, points: Floats, lit_by: Floats) -> Floats:
    """How far the pixels (N, 2) that light points (N, 3) are from those points' pictures, (N,)."""
    off: Floats = np.linalg.norm(model.project(points) - lit_by, axis=1)
    return off


def _off_mm(model: Optics, patch: Patch) -> Floats:
    apart = _off_px(model, patch.points, patch.lit_by)
    off: Floats = apart * model.mm_per_px(patch.points.mean(axis=0))
    return np.nan_to_num(off, nan=1e4)


def _inside(outline: Floats, trusted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Trusted pixels (N, 2) within a polygon (K, 2)."""
    mask = np.zeros(trusted.shape, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(outline).astype(np.int32), 1)
    return np.argwhere((mask > 0) & trusted)[:, ::-1]


def _calm(reading: CodeReading, trusted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels whose neighbours are trusted too and lit by near projector pixels: no edges."""
    whole = cv2.erode(trusted.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    for axis in (0, 1):
        at = reading.at[..., axis]
        span = cv2.dilate(at, np.ones((5, 5), np.uint8)) - cv2.erode(at, np.ones((5, 5), np.uint8))
        whole &= span < 12.0
    return whole


def _spread(pixels: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of the pixels, evenly out of their order."""
    if len(pixels) <= most:
        return pixels
    return pixels[np.linspace(0, len(pixels) - 1, most).astype(np.int64)]


def _lit_by(reading: CodeReading, pixels: NDArray[np.int64]) -> Floats:
    found: Floats = reading.at[pixels[:, 1], pixels[:, 0]].astype(np.float64)
    return found
