"""Pictures that may leave a camera's thread: heads blurred, small, as JPEG.

Blurring keeps no detail to sharpen again: the head's box, grown by a quarter on each side, is
reduced to a few coloured blocks and smoothed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.errors import EvidenceError

__all__ = ["blur_boxes", "draw_boxes", "encode_jpeg", "shrink"]

GROW_SHARE = 0.25
BLOCKS = 3
JPEG_QUALITY = 75


def shrink(rgb: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The picture (H, W, 3) at `width` pixels, or a copy if it is no wider."""
    import cv2

    height, full = rgb.shape[:2]
    if full <= width:
        return rgb.copy()
    size = (width, max(2, round(height * width / full)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def blur_boxes(rgb: NDArray[np.uint8], boxes_px: NDArray[np.float32]) -> None:
    """Makes what is in the boxes (N, 4) x0 y0 x1 y1 unrecognisable, in place."""
    import cv2

    height, width = rgb.shape[:2]
    for x0, y0, x1, y1 in boxes_px.astype(np.float64).tolist():
        grow_x, grow_y = GROW_SHARE * (x1 - x0), GROW_SHARE * (y1 - y0)
        left, right = max(0, int(x0 - grow_x)), min(width, int(x1 + grow_x) + 1)
        top, bottom = max(0, int(y0 - grow_y)), min(height, int(y1 + grow_y) + 1)
        if right <= left or bottom <= top:
            continue
        patch = rgb[top:bottom, left:right]
        few = cv2.resize(patch, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)
        smooth = cv2.resize(few, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        rgb[top:bottom, left:right] = smooth


def draw_boxes(
    rgb: NDArray[np.uint8],
    boxes_px: NDArray[np.float32],
    classes: NDArray[np.int32],
    colours: tuple[tuple[int, int, int], ...],
) -> None:
    """Draws thin frames, one colour a class, in place."""
    import cv2

    for box, kind in zip(boxes_px.astype(int).tolist(), classes.tolist(), strict=True):
        colour = colours[kind % len(colours)]
        cv2.rectangle(rgb, (box[0], box[1]), (box[2], box[3]), colour, 2)


def encode_jpeg(rgb: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> bytes:
    """JPEG bytes of an RGB picture."""
    import cv2

    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    good, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not good:
        raise EvidenceError(f"expected a picture that JPEG can hold, got shape {rgb.shape}")
    return data.tobytes()
