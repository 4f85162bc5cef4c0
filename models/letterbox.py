"""Fit a frame into a network's input without bending it: shrink, centre, pad with grey.

The same functions make the training pictures and the frames at run time, so that the network
meets one way of shrinking only.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelInputError

__all__ = ["Letterbox", "check_rgb", "shrink"]


def check_rgb(rgb: NDArray[np.uint8]) -> None:
    """Raise ModelInputError unless `rgb` is a non-empty uint8 (H, W, 3) array."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ModelInputError(
            f"expected an RGB picture uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}; convert it "
            "before it is handed in."
        )


def shrink(rgb: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Resize (H, W, 3) to (height_px, width_px, 3).

    Whole halvings by area first, then bilinear: area alone is slow at odd ratios, bilinear alone
    drops rows of pixels and makes thin things flicker.
    """
    picture = rgb
    while picture.shape[1] >= 2 * width_px and picture.shape[0] >= 2 * height_px:
        size = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    if picture.shape[:2] != (height_px, width_px):
        size = (width_px, height_px)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return picture


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a frame (width, height) lies inside an input: `scale`, then shifted by the pads."""

    frame_width_px: int
    frame_height_px: int
    inner_width_px: int
    inner_height_px: int
    pad_left_px: int
    pad_top_px: int

    @staticmethod
    def of(frame_width_px: int, frame_height_px: int, width_px: int, height_px: int) -> Letterbox:
        """The largest centred fit of a frame into (width_px, height_px)."""
        scale = min(width_px / frame_width_px, height_px / frame_height_px)
        inner_width = min(width_px, max(1, round(frame_width_px * scale)))
        inner_height = min(height_px, max(1, round(frame_height_px * scale)))
        return Letterbox(
            frame_width_px,
            frame_height_px,
            inner_width,
            inner_height,
            (width_px - inner_width) // 2,
            (height_px - inner_height) // 2,
        )

    def place(self, rgb: NDArray[np.uint8], canvas: NDArray[np.uint8]) -> None:
        """Draw the frame into `canvas` (height_px, width_px, 3); the pads are left alone."""
        top, left = self.pad_top_px, self.pad_left_px
        inner = shrink(rgb, self.inner_width_px, self.inner_height_px)
        canvas[top : top + self.inner_height_px, left : left + self.inner_width_px] = inner

    def to_frame(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (N, 4) x0 y0 x1 y1 from input pixels to frame pixels, clipped to the frame."""
        pad = np.array([self.pad_left_px, self.pad_top_px] * 2, np.float32)
        scale_x = self.frame_width_px / self.inner_width_px
        scale_y = self.frame_height_px / self.inner_height_px
        scale = np.array([scale_x, scale_y] * 2, np.float32)
        edge = np.array([self.frame_width_px, self.frame_height_px] * 2, np.float32)
        return np.asarray(np.clip((boxes - pad) * scale, np.float32(0), edge), np.float32)
