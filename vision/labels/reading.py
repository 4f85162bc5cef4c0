"""Reading every code of a photo."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from vision.labels.code import Code, frame_gray
from vision.labels.engines import read_zbar, read_zxing
from vision.labels.merge import believed, gathered

__all__ = ["read_codes"]


def read_codes(picture: NDArray[Any], *, thorough: bool = True) -> tuple[Code, ...]:
    """Every code in a picture (H, W) grey or (H, W, 3) RGB, uint8. FrameError for other kinds."""
    gray = frame_gray(picture)
    readings = [*read_zxing(gray), *read_zbar(gray)]
    return believed(gathered(readings))
