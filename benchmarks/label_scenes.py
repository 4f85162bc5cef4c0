"""Pictures of one label on clutter, seen from anywhere: what labels are read in is known here.

A label's code is drawn exactly, laid on cardboard with tape, print and shelf edges, seen through a
turn and a tilt at a stated number of pixels a module, then blurred, dazzled, half hidden, and
given a camera's noise. Everything follows from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from contracts.ids import gtin_check_digit
from contracts.labels import digital_link, element_string

__all__ = ["KINDS", "LabelScene", "LabelView", "draw_scene"]

KINDS = {"qr": "QRCode", "code128": "Code128", "datamatrix": "DataMatrix"}
FINE = 3
"""Drawn so many times finer than it is seen."""
NOISE_SD = 2.5
QUIET = 6
"""Modules of white around a code, on its label."""


@dataclass(frozen=True)
class LabelView:
    """How a label is seen. `slant_deg` turns it away from the camera about a level axis and an
    upright one by turns; `blur_px` is a standard deviation; `hidden` the share of its width that
    something covers."""

    kind: str
    module_px: float
    turn_deg: float = 0.0
    slant_deg: float = 0.0
    blur_px: float = 0.0
    glare: float = 0.0
    contrast: float = 1.0
    hidden: float = 0.0


@dataclass(frozen=True, eq=False)
class LabelScene:
    """`gray` (H, W) uint8; `polygon` (4, 2) float32 of the code's corners in it."""

    gray: NDArray[np.uint8]
    text: str
    polygon: NDArray[np.float32]


def draw_scene(view: LabelView, seed: int) -> LabelScene:
    """One picture; the same for the same view and seed."""
    rng = np.random.default_rng([seed, round(1000 * view.module_px), round(view.turn_deg)])
    text = _text(view.kind, rng)
    bars = _bars(view.kind, text)
    place, size = _place(view, bars.shape, rng)
    fine: NDArray[np.float32] = _clutter((size[1] * FINE, size[0] * FINE), rng)
    label = np.full((bars.shape[0] + 2 * QUIET, bars.shape[1] + 2 * QUIET), 1.0, np.float32)
    label[QUIET:-QUIET, QUIET:-QUIET] = bars
    zoom = max(1, round(FINE * view.module_px))
    texture = np.asarray(np.repeat(np.repeat(label, zoom, axis=0), zoom, axis=1), np.float32)
    # From texture pixels to modules of the code, to the picture, to the fine picture.
    into = np.array(
        [[1 / zoom, 0, 0.5 / zoom - QUIET], [0, 1 / zoom, 0.5 / zoom - QUIET], [0, 0, 1]]
    )
    finer = np.array([[FINE, 0, (FINE - 1) / 2], [0, FINE, (FINE - 1) / 2], [0, 0, 1]], np.float64)
    matrix = np.asarray(finer @ place @ into, np.float64)
    wide, high = size[0] * FINE, size[1] * FINE
    light = cv2.warpPerspective(texture, matrix, (wide, high))
    mask = cv2.warpPerspective(np.ones_like(texture), matrix, (wide, high))
    white, black = 0.5 + 0.38 * view.contrast, 0.5 - 0.38 * view.contrast
    fine = np.asarray(fine * (1 - mask) + mask * (black + (white - black) * light), np.float32)
    polygon = _through(place, bars.shape)
    if view.hidden > 0:
        _cover(fine, polygon, view.hidden, rng)
    small = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)
    if view.blur_px > 0:
        small = cv2.GaussianBlur(small, (0, 0), view.blur_px)
    seen = np.asarray(small, np.float32)
    if view.glare > 0:
        _dazzle(seen, polygon, view.glare, rng)
    noisy = seen * 255.0 + rng.normal(0.0, NOISE_SD, seen.shape)
    return LabelScene(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), text, polygon)


def _text(kind: str, rng: np.random.Generator) -> str:
    body = "3" + "".join(str(digit) for digit in rng.integers(0, 10, 16))
    sscc = f"{body}{gtin_check_digit(body)}"
    if kind == "qr":
        return digital_link(sscc)
    if rng.random() < 0.5:
        return element_string(sscc)
    return "JD" + "".join(str(digit) for digit in rng.integers(0, 10, 18))


def _bars(kind: str, text: str) -> NDArray[np.float32]:
    """The code, a pixel a module, 1 is light; codes of bars are a third as high as wide."""
    code = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, KINDS[kind]))
    image = np.asarray(code.to_image(scale=1, add_quiet_zones=False))
    light = (image > 127).astype(np.float32)
    if kind == "code128":
        return np.asarray(np.repeat(light[:1], max(20, light.shape[1] // 3), axis=0), np.float32)
    return light


def _place(
    view: LabelView, modules: tuple[int, ...], rng: np.random.Generator
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """The homography from modules (x, y) to pixels, and the picture's width and height."""
    high, wide = modules
    a, b = np.radians(view.turn_deg), np.radians(view.slant_deg)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    if rng.random() < 0.5:
        tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    else:
        tilt = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    away = 6.0 * max(high, wide)
    lens = np.diag([view.module_px * away, view.module_px * away, 1.0])
    spin = turn @ tilt
    plane = np.column_stack([spin[:, 0], spin[:, 1], np.array([0, 0, away])])
    centred = np.array([[1, 0, -wide / 2], [0, 1, -high / 2], [0, 0, 1]], np.float64)
    matrix = lens @ plane @ centred
    corners = _through(matrix, modules)
    margin = 40.0 + rng.uniform(0, 20, 2)
    low, top = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]], np.float64)
    return shift @ matrix, (int(top[0] - low[0]), int(top[1] - low[1]))


def _through(matrix: NDArray[np.float64], modules: tuple[int, ...]) -> NDArray[np.float32]:
    high, wide = modules
    corners = np.array([(0, 0, 1), (wide, 0, 1), (wide, high, 1), (0, high, 1)], np.float64)
    out = corners @ matrix.T
    return np.asarray(out[:, :2] / out[:, 2:], np.float32)


def _clutter(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Cardboard with fibres, tape, print and edges, 0 to 1."""
    high, wide = shape
    fibres = rng.normal(0, 1, (high // 6 + 1, wide // 6 + 1)).astype(np.float32)
    smooth = 140 + 5 * cv2.resize(fibres, (wide, high), interpolation=cv2.INTER_LINEAR)
    ground = np.clip(smooth, 0, 255).astype(np.uint8)
    for _ in range(6):
        x, y = rng.integers(0, wide), rng.integers(0, high)
        shade = float(rng.uniform(50, 230))
        length, thick = int(rng.integers(40, 400)), int(rng.integers(4, 60))
        turn = float(rng.uniform(0, 180))
        box = cv2.boxPoints(((float(x), float(y)), (length, thick), turn)).astype(np.int32)
        cv2.fillConvexPoly(ground, box, shade)
    for _ in range(4):
        place = (int(rng.integers(0, wide)), int(rng.integers(0, high)))
        word = "".join(chr(int(k)) for k in rng.integers(65, 91, 8))
        cv2.putText(ground, word, place, cv2.FONT_HERSHEY_SIMPLEX, 1.2, (40,), 3, cv2.LINE_AA)
    return np.asarray(ground / 255.0, np.float32)


def _cover(
    fine: NDArray[np.float32], polygon: NDArray[np.float32], share: float, rng: np.random.Generator
) -> None:
    """Something stands before the code's one end."""
    tl, tr, br, bl = ((polygon + 0.5) * FINE - 0.5).astype(np.float64)
    if rng.random() < 0.5:
        tl, tr, br, bl = tr, tl, bl, br
    across, down = tr - tl, bl - tl
    start = tl - 0.2 * across - 0.2 * down
    end = tl + share * across - 0.2 * down
    box = np.array([start, end, end + 1.4 * down, start + 1.4 * down]).astype(np.int32)
    cv2.fillConvexPoly(fine, box, float(rng.uniform(0.3, 0.8)))


def _dazzle(
    seen: NDArray[np.float32], polygon: NDArray[np.float32], strength: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """A lamp's reflection on the label: added light, brightest at a point of it."""
    mix = rng.dirichlet(np.ones(4))
    x, y = (polygon * mix[:, None]).sum(axis=0)
    reach = 0.3 * float(np.linalg.norm(polygon[2] - polygon[0]))
    rows, columns = np.mgrid[0 : seen.shape[0], 0 : seen.shape[1]]
    spot = np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / reach**2)
    seen += (strength * spot).astype(np.float32)
