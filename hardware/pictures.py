"""What is given to projectors and lamps, checked once for all drivers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hardware.errors import BrokenSourceError

__all__ = ["check_colours", "check_picture"]


def check_picture(rgb: NDArray[np.uint8], size: tuple[int, int], what: str) -> None:
    """BrokenSourceError unless it is uint8 (height, width, 3) of this (width, height)."""
    shape = (size[1], size[0], 3)
    if rgb.shape != shape or rgb.dtype != np.uint8:
        raise BrokenSourceError(
            f"{what}: expected a uint8 picture of shape {shape}, got {rgb.dtype} {rgb.shape}; the "
            "intrinsics in the wall's file give its size"
        )


def check_colours(colours: NDArray[np.uint8], lamps: int, what: str) -> None:
    """BrokenSourceError unless it is uint8 (lamps, 3)."""
    if colours.shape != (lamps, 3) or colours.dtype != np.uint8:
        raise BrokenSourceError(
            f"{what}: expected uint8 colours of shape {(lamps, 3)}, got {colours.dtype} "
            f"{colours.shape}; the wall's file gives the number of lamps"
        )
