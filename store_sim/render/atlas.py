"""Where a product's faces lie in its label texture of 256x256 pixels."""

from __future__ import annotations

__all__ = ["BACK", "CAP", "FRONT", "SIDE", "TEXTURE_PX", "TOP", "Region", "uv_of"]

Region = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels."""

TEXTURE_PX = 256

FRONT: Region = (0, 0, 128, 176)
BACK: Region = (128, 0, 256, 176)
SIDE: Region = (0, 176, 80, 256)
TOP: Region = (80, 176, 168, 256)
CAP: Region = (168, 176, 256, 256)

_MARGIN_PX = 1.5


def uv_of(region: Region) -> tuple[float, float, float, float]:
    """Texture coordinates u0, v0, u1, v1 of a region, a little inside its border."""
    x0, y0, x1, y1 = region
    size = float(TEXTURE_PX)
    return (
        (x0 + _MARGIN_PX) / size, (y0 + _MARGIN_PX) / size,
        (x1 - _MARGIN_PX) / size, (y1 - _MARGIN_PX) / size,
    )  # fmt: skip
