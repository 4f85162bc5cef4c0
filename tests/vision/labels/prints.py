"""Codes drawn for tests: exact, a stated number of pixels a module, seen through a homography."""

from __future__ import annotations

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from vision.labels.code import MATRIX

__all__ = ["Gray", "Points", "printed", "seen"]

Gray = NDArray[np.uint8]
Points = NDArray[np.float32]

ZXING = {
    "qr": "QRCode", "datamatrix": "DataMatrix", "code128": "Code128", "code39": "Code39",
    "itf": "ITF", "ean13": "EAN13", "ean8": "EAN8", "upc_e": "UPCE", "codabar": "Codabar",
    "code93": "Code93", "databar": "DataBarOmni", "aztec": "Aztec", "micro_qr": "MicroQRCode",
}  # fmt: skip


def printed(kind: str, text: str, *, quiet: int = 10, high: int = 0) -> Gray:
    """A code with white around it, a pixel a module; codes of bars are `high` modules high."""
    code = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, ZXING[kind]))
    image = np.asarray(code.to_image(scale=1, add_quiet_zones=False), np.uint8)
    if kind not in MATRIX:
        image = np.repeat(image[:1], high or max(24, image.shape[1] // 3), axis=0)
    image = np.where(image > 127, 235, 20).astype(np.uint8)
    return np.pad(image, quiet, constant_values=235)


def seen(
    label: Gray,
    *,
    module_px: float = 3.0,
    turn_deg: float = 0.0,
    slant_deg: float = 0.0,
    blur_px: float = 0.0,
    quiet: int = 10,
    margin_px: float = 60.0,
    seed: int = 1,
) -> tuple[Gray, Points]:
    """A label on grey ground, turned in the picture and slanted away from it: the picture and the
    code's corners (4, 2) in it, in the order of the code."""
    high, wide = label.shape
    a, b = np.radians(turn_deg), np.radians(slant_deg)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    spin, away = turn @ tilt, 6.0 * max(high, wide)
    plane = np.column_stack([spin[:, 0], spin[:, 1], np.array([0, 0, away])])
    centred = np.array([[1, 0, -wide / 2], [0, 1, -high / 2], [0, 0, 1]], np.float64)
    matrix = np.diag([module_px * away, module_px * away, 1.0]) @ plane @ centred
    corners = np.array([(0, 0, 1), (wide, 0, 1), (wide, high, 1), (0, high, 1)], np.float64)
    placed = corners @ matrix.T
    low = (placed[:, :2] / placed[:, 2:]).min(axis=0) - margin_px
    top = (placed[:, :2] / placed[:, 2:]).max(axis=0) + margin_px
    matrix = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]]) @ matrix
    fine, zoom = 3, 9
    texture = np.repeat(np.repeat(label, zoom, axis=0), zoom, axis=1).astype(np.float32)
    into = np.array([[1 / zoom, 0, 0.5 / zoom], [0, 1 / zoom, 0.5 / zoom], [0, 0, 1]])
    finer = np.array([[fine, 0, -0.5], [0, fine, -0.5], [0, 0, 1]], np.float64)
    whole = np.asarray(finer @ matrix @ into, np.float64)
    size = (int(top[0] - low[0]), int(top[1] - low[1]))
    drawn = (size[0] * fine, size[1] * fine)
    light = cv2.warpPerspective(texture, whole, drawn, borderValue=(130.0,))
    picture = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    if blur_px > 0:
        picture = cv2.GaussianBlur(picture, (0, 0), blur_px)
    noisy = picture + np.random.default_rng(seed).normal(0, 2, picture.shape)
    inner = np.array(
        [(quiet, quiet, 1), (wide - quiet, quiet, 1), (wide - quiet, high - quiet, 1),
         (quiet, high - quiet, 1)], np.float64,
    ) @ matrix.T  # fmt: skip
    polygon = np.asarray(inner[:, :2] / inner[:, 2:] - 0.5, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), polygon
