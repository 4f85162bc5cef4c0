"""Sun through the shop window, and a floor that shines.

The sun stands low before the gate wall (y = 0): its rays come through one window, lie on the floor
and climb the lower boards of the shelves on the far wall. The patch wanders along x and clouds
pass. People who stand in it are lit and throw long shadows; shelves do not.

A shining floor mirrors what stands on it and the lamps under the ceiling: the store and its lamps
are laid into the background once, people in each picture.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from store_sim.render.develop import FLOOR_M, mirror, mirror_mix, sunlight
from store_sim.render.kernels import world_points
from store_sim.render.layers import Layers, Rect
from store_sim.scene import JOINTS, BodyPose, Scene

__all__ = ["Gloss", "Sun"]

Floats = NDArray[np.float64]

_WARM = np.array([1.0, 0.93, 0.76])
_SUN_GAIN = 1.15
_WINDOW_HALF_M = 0.62
_SILL_M, _TOP_M = 0.9, 2.6
_CLIMBS_M = 1.25
"""How high the sun reaches on the far wall."""
_SOFT_M = 0.05
_BAR_HALF_M = 0.02
_ROUND_S, _CLOUD_S = 420.0, 41.0

_LIMBS = tuple(
    (JOINTS.index(a), JOINTS.index(b), radius)
    for a, b, radius in (
        ("head", "head_top", 0.09), ("neck", "pelvis", 0.17),
        ("l_shoulder", "l_elbow", 0.05), ("l_elbow", "l_fingertip", 0.04),
        ("r_shoulder", "r_elbow", 0.05), ("r_elbow", "r_fingertip", 0.04),
        ("l_hip", "l_knee", 0.08), ("l_knee", "l_ankle", 0.06),
        ("r_hip", "r_knee", 0.08), ("r_knee", "r_ankle", 0.06),
    )
)  # fmt: skip
_ENDS = np.array([limb[:2] for limb in _LIMBS])
_RADII = np.array([limb[2] for limb in _LIMBS])


class Sun:
    """The patch of sun of a store; `strength` is the dial. All cameras see the same patch."""

    def __init__(self, store: StoreFile, strength: float, seed: int) -> None:
        self._strength = strength
        floor = store.floor
        self._width_m = floor.width_m
        self._fall = (_TOP_M - _CLIMBS_M) / floor.depth_m
        rng = np.random.Generator(np.random.PCG64([seed, 0x50B]))
        self._phases = rng.uniform(0.0, 2.0 * math.pi, 2)
        self._slant = float(rng.uniform(-0.35, 0.35))

    def apply(self, scene: Scene, layers: Layers, cam: Floats) -> Rect | None:
        """Lights a picture; returns the part of it that changed."""
        turn = 2.0 * math.pi * scene.t_s / _ROUND_S + self._phases[0]
        cloud = math.cos(2.0 * math.pi * scene.t_s / _CLOUD_S + self._phases[1])
        # Rounded, so that no last bit of a sine reaches a picture.
        at_x = round(self._width_m * (0.5 + 0.33 * math.sin(turn)), 4)
        share = round(self._strength * (0.8 + 0.2 * cloud), 4)
        gains = np.rint(256 * _SUN_GAIN * share * _WARM).astype(np.int64)
        middle, half = (_TOP_M + _SILL_M) / 2, (_TOP_M - _SILL_M) / 2
        slant = self._slant
        sun = np.array(
            [0.0, slant, -self._fall, at_x - slant * 3.0, middle, _WINDOW_HALF_M, half,
             _SOFT_M, _BAR_HALF_M]
        )  # fmt: skip
        bodies, parts = self._shades(scene.bodies, sun)
        touched = np.array([1 << 30, 1 << 30, 0, 0], np.int64)
        sunlight(layers.rgb, layers.ids, layers.depth, cam, sun, gains, bodies, parts, touched)
        return _rect(touched)

    @staticmethod
    def _shades(people: tuple[BodyPose, ...], sun: Floats) -> tuple[Floats, Floats]:
        """Bodies as the kernel reads them: limbs where their rays come through the window."""
        bodies = np.zeros((len(people), 6))
        parts = np.zeros((len(people) * len(_LIMBS), 7))
        for row, body in enumerate(people):
            joints = body.joints_m
            a = joints[:, 0] - sun[1] * joints[:, 1]
            b = joints[:, 2] - sun[2] * joints[:, 1]
            first = row * len(_LIMBS)
            own = parts[first : first + len(_LIMBS)]
            own[:, 0], own[:, 1] = a[_ENDS[:, 0]], b[_ENDS[:, 0]]
            own[:, 2], own[:, 3] = a[_ENDS[:, 1]], b[_ENDS[:, 1]]
            own[:, 4] = joints[_ENDS, 1].min(axis=1)
            own[:, 5], own[:, 6] = _RADII * 0.75, _RADII * 0.5 + 0.02
            room = 0.25
            bodies[row] = (
                first, first + len(_LIMBS), a.min() - room, b.min() - room, a.max() + room,
                b.max() + room,
            )  # fmt: skip
        return bodies, parts


class Gloss:
    """A camera's view of a shining floor; `strength` is the dial."""

    def __init__(self, store: StoreFile, strength: float, static: Layers, cam: Floats) -> None:
        """Lays the mirrored store and lamps into the static layer."""
        self._cam = cam
        h, w = static.ids.shape
        world = np.empty((h, w, 3), np.float32)
        full = np.array([0, 0, w, h], np.int64)
        world_points(static.depth, cam, full, world)
        self._floor = np.abs(world[..., 2]) < FLOOR_M
        self._low = np.zeros((h // 2 + 1, w // 2 + 1, 4), np.int32)
        # Elsewhere, and where a view leaves the store altogether, nothing mirrors.
        points = np.where(self._floor[..., None], world, 0.0).astype(np.float64)
        away = points - cam[9:12]
        far = np.sqrt((away * away).sum(axis=2))
        # Fresnel (Schlick): a polished floor mirrors little from above and much at a flat angle.
        flat = 1.0 - np.clip(-away[..., 2] / np.maximum(far, 1e-6), 0.0, 1.0)
        mirrors = strength * (0.22 + 0.7 * flat**3)
        self._amount = np.clip(np.rint(256 * mirrors), 0, 255).astype(np.uint8)
        self._mix(static, (0, 0, w, h), people=False)
        lamps = _lamps(points, away, store.floor.ceiling_m) * self._floor
        lit = static.rgb + np.rint(235 * np.minimum(1.0, 2.2 * mirrors) * lamps)[..., None]
        static.rgb[:] = np.clip(lit, 0, 255).astype(np.uint8)

    def apply(self, layers: Layers, drawn: list[Rect]) -> list[Rect]:
        """Mirrors people, who are in these parts of the picture; returns what changed."""
        found = [self._mix(layers, rect, people=True) for rect in drawn]
        return [rect for rect in found if rect is not None]

    def _mix(self, layers: Layers, rect: Rect, *, people: bool) -> Rect | None:
        touched = np.array([1 << 30, 1 << 30, 0, 0], np.int64)
        mirror(
            layers.rgb, layers.ids, layers.depth, self._floor, self._cam,
            np.array(rect, np.int64), people, self._low, touched,
        )  # fmt: skip
        if touched[0] >= touched[2]:
            return None
        h, w = layers.ids.shape
        cells = (
            max(0, int(touched[0]) - 1),
            max(0, int(touched[1]) - 1),
            min(w // 2, int(touched[2]) + 1),
            min(h // 2, int(touched[3]) + 1),
        )
        mirror_mix(
            layers.rgb, layers.ids, self._floor, self._low, np.array(cells, np.int64), self._amount
        )
        self._low[cells[1] : cells[3] + 1, cells[0] : cells[2] + 1] = 0
        return (2 * cells[0], 2 * cells[1], 2 * cells[2], 2 * cells[3])


def _lamps(world: Floats, away: Floats, ceiling_m: float) -> Floats:
    """How much of a lamp each floor point mirrors to the camera (0 to 1): rows of tubes under the
    ceiling, two metres apart, each a metre and a half long, blurred by the floor's roughness."""
    rise = ceiling_m / np.maximum(-away[..., 2], 0.05)
    x = world[..., 0] + away[..., 0] * rise
    y = world[..., 1] + away[..., 1] * rise
    across = np.abs((x + 1.0) % 2.0 - 1.0)
    along = np.abs((y + 1.0) % 2.0 - 1.0)
    beside = np.maximum(across - 0.04, 0.0) / 0.16
    past = np.maximum(along - 0.75, 0.0) / 0.16
    glow: Floats = 1.0 / (1.0 + beside**2 + past**2) ** 2
    return glow


def _rect(touched: NDArray[np.int64]) -> Rect | None:
    x0, y0, x1, y1 = (int(v) for v in touched)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
