"""Settings of a picture: light, surfaces of the store, and the camera's optics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store_sim.render.textures import FLOORS, WALLS

__all__ = ["Light", "Look", "Optics"]

Rgb = tuple[int, int, int]
Vec = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Light:
    """Lamps of a store. Directions point towards the lamp and need not be of unit length.

    `lean` is how far shadows move in x and y per metre of fall.
    """

    ambient: float = 0.62
    sun: float = 0.42
    sun_direction: Vec = (0.25, -0.35, 1.0)
    fill: float = 0.16
    fill_direction: Vec = (-0.8, -0.9, 0.25)
    bounce: float = 0.10
    height_gain: float = 0.05
    shelf_dark: float = 0.42
    shadow: float = 0.42
    lean: tuple[float, float] = (-0.08, 0.12)
    tint: Vec = (1.0, 0.99, 0.97)

    def packed(self) -> NDArray[np.float64]:
        """The (12,) array that kernels.shade_vertices reads."""
        sun = np.array(self.sun_direction) / np.sqrt(sum(c * c for c in self.sun_direction))
        fill = np.array(self.fill_direction) / np.sqrt(sum(c * c for c in self.fill_direction))
        return np.array(
            [
                self.ambient, self.sun, *sun, self.fill, *fill,
                self.bounce, self.height_gain, self.shelf_dark,
            ]
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """Surfaces of the static store. `seed` draws the grain; kinds are of textures.FLOORS, WALLS."""

    seed: int = 0
    floor: str = "tiles"
    floor_rgb: Rgb = (196, 192, 184)
    wall: str = "plaster"
    wall_rgb: Rgb = (214, 210, 202)
    far_wall: str = "plaster"
    far_wall_rgb: Rgb = (188, 196, 194)
    shelf_rgb: Rgb = (226, 226, 222)
    back_rgb: Rgb = (206, 206, 202)
    upright_rgb: Rgb = (120, 122, 126)
    rail_rgb: Rgb = (52, 92, 140)
    header_rgb: Rgb = (44, 84, 130)
    labels: bool = True
    board_thickness_m: float = 0.025
    rail_height_m: float = 0.032
    side_panels: bool = False
    floor_repeat_m: float = 1.2
    clutter: int = 0

    def __post_init__(self) -> None:
        if self.floor not in FLOORS:
            raise ValueError(f"expected a floor of {FLOORS}, got {self.floor!r}")
        for kind in (self.wall, self.far_wall):
            if kind not in WALLS:
                raise ValueError(f"expected a wall of {WALLS}, got {kind!r}")


@dataclass(frozen=True, slots=True)
class Optics:
    """The camera after the scene: `noise` is the standard deviation in grey levels.

    `gain` and `white_balance` multiply; `gamma` bends the curve; `blur` counts passes of a
    1-2-1 filter; `vignette` is the loss of light in the corners (0 to 1).
    """

    noise: float = 2.0
    gain: float = 1.0
    white_balance: Vec = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    lift: float = 0.0
    blur: int = 0
    vignette: float = 0.0

    def curve(self) -> NDArray[np.int32]:
        """(256, 3) int32 in 1/16 grey levels."""
        level = np.arange(256) / 255.0
        bent = level if self.gamma == 1.0 else level**self.gamma
        scaled = bent[:, None] * self.gain * np.array(self.white_balance)[None] * 255.0 + self.lift
        curve: NDArray[np.int32] = np.clip(np.rint(scaled * 16.0), 0, 4080).astype(np.int32)
        return curve
