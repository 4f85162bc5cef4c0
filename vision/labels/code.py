"""One code in a picture: what it says, what kind it is, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from contracts.wall import Symbology
from vision.errors import FrameError

__all__ = [
    "CHECKED", "FORMATS", "LINEAR", "MATRIX", "WALL_FORMATS", "Code", "centre", "frame_gray",
    "module_px", "polygon_of",
]  # fmt: skip

WALL_FORMATS: tuple[str, ...] = get_args(Symbology)
"""What labels of parcels are printed as."""
MATRIX = ("qr", "micro_qr", "datamatrix", "aztec", "pdf417", "maxicode")
"""Codes whose error correction tells a right reading from a wrong one."""
CHECKED = ("ean13", "ean8", "upc_e", "code128", "code93", "databar", "databar_expanded")
"""Codes of bars that end in a check digit or check characters."""
LINEAR = (*CHECKED, "code39", "itf", "codabar")
"""Codes of bars."""
FORMATS = (*LINEAR, *MATRIX)
"""Names of formats; UPC-A is reported as its EAN-13."""

Points = NDArray[np.float32]
Gray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Code:
    """A code that was read.

    `polygon` (4, 2) float32, picture pixels, x right and y down, in the order top left, top right,
    bottom right, bottom left of the symbol as it is printed, whichever way it lies. Of codes of
    bars it spans the bars from first to last and as much of their height as was seen.
    """

    text: str
    symbology: Symbology | None
    """What a wall's labels may be printed as, None for any other format."""
    polygon: Points
    format: str = ""
    """One of FORMATS."""
    modules: int = field(default=0)
    """Modules along the polygon's upper side, 0 if nobody knows."""


def polygon_of(points: Sequence[Sequence[float]] | NDArray[Any]) -> Points:
    """(4, 2) float32; ValueError for any other shape or what is not finite."""
    polygon = np.asarray(points, np.float32)
    if polygon.shape != (4, 2) or not np.isfinite(polygon).all():
        raise ValueError(f"expected four finite corners (4, 2), got shape {polygon.shape}")
    return polygon


def centre(polygon: Points) -> NDArray[np.float32]:
    """(2,) the middle of four corners."""
    middle: NDArray[np.float32] = polygon.mean(axis=0)
    return middle


def module_px(code: Code) -> float:
    """Pixels a module has along the code: for codes of bars along the line, for square codes
    along the shorter side. 0 if the number of modules is not known."""
    if code.modules <= 0:
        return 0.0
    tl, tr, br, bl = code.polygon
    across = (float(np.linalg.norm(tr - tl)) + float(np.linalg.norm(br - bl))) / 2.0
    if code.format in LINEAR or code.format == "pdf417":
        return across / code.modules
    along = (float(np.linalg.norm(bl - tl)) + float(np.linalg.norm(br - tr))) / 2.0
    return min(across, along) / code.modules


def frame_gray(picture: NDArray[Any]) -> Gray:
    """(H, W) uint8 of a picture (H, W) or (H, W, 3) RGB, uint8. FrameError for anything else."""
    if (
        not isinstance(picture, np.ndarray)
        or picture.dtype != np.uint8
        or not (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3))
        or 0 in picture.shape
    ):
        shape = getattr(picture, "shape", None)
        raise FrameError(
            "expected a picture (H, W) grey or (H, W, 3) RGB of uint8, got "
            f"{shape} of {getattr(picture, 'dtype', type(picture).__name__)}"
        )
    if picture.ndim == 2:
        return np.ascontiguousarray(picture)
    import cv2

    return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), np.uint8)
