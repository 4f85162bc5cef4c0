"""Settings of a picture: light, surfaces of the store, and the camera's optics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store_sim.dials import LensDials, LightDials
from store_sim.render.textures import FLOORS, WALLS

__all__ = ["Light", "Look", "Optics"]

Rgb = tuple[int, int, int]
Vec = tuple[float, float, float]

GAMMA = 2.2
_WARM: Vec = (1.12, 0.96, 0.62)
_COLD: Vec = (0.74, 0.97, 1.16)


@dataclass(frozen=True, slots=True)
class Light:
    """Lamps of a store. Directions point towards the lamp and need not be of unit length.

    `lean` is how far shadows move in x and y per metre of fall. Those after `tint` are the light's
    dials (`store_sim.dials.LightDials` says what they mean), `gloss` that of the reflections;
    `seed` draws the way of the sun.
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
    dim: float = 0.0
    flicker: float = 0.0
    sun_patch: float = 0.0
    colour: float = 0.0
    gloss: float = 0.0
    seed: int = 0

    @classmethod
    def dialled(cls, dials: LightDials, seed: int) -> Light:
        """The light as built, with the dials set."""
        return cls(
            dim=dials.dim,
            flicker=dials.flicker,
            sun_patch=dials.sun_patch,
            colour=dials.colour,
            gloss=dials.reflections,
            seed=seed,
        )

    @property
    def level(self) -> float:
        """How bright the picture is against full light: a missing half of the light takes a
        quarter of the grey level, because grey levels are not linear in light."""
        return float((1.0 - self.dim) ** (1.0 / GAMMA))

    @property
    def cast(self) -> Vec:
        """What the light's colour multiplies red, green and blue by."""
        side = _WARM if self.colour < 0 else _COLD
        red, green, blue = (1.0 + abs(self.colour) * (one - 1.0) for one in side)
        return red, green, blue

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

    `gain` and `white_balance` multiply; `vignette` is the loss of light in the corners (0 to 1);
    `blur_px` is the standard deviation of the lens's blur. `distortion` comes on top of the
    camera's calibrated one (see store_sim.render.lens). `motion` is the exposure as a share of
    the frame time. `exposure` (0 to 1) is how much the exposure follows the brightness, late, and
    wanders. With `shot` the noise grows with the light, as that of a real sensor does; `noise` is
    then that of a middle grey.
    """

    noise: float = 2.0
    gain: float = 1.0
    white_balance: Vec = (1.0, 1.0, 1.0)
    vignette: float = 0.0
    blur_px: float = 0.0
    distortion: float = 0.0
    motion: float = 0.0
    exposure: float = 0.0
    shot: bool = False

    @classmethod
    def dialled(cls, dials: LensDials) -> Optics:
        """The optics as built, with the dials set. A noise other than the built one is a real
        sensor's, which grows with the light."""
        return cls(
            noise=dials.noise,
            vignette=dials.vignette,
            blur_px=dials.blur_px,
            distortion=dials.distortion,
            motion=dials.motion_blur,
            exposure=dials.exposure,
            shot=dials.noise != LensDials().noise,
        )
