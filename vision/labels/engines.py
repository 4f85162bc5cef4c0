"""The two readers others wrote: zxing-cpp and zbar (through pyzbar), each in its own words.

Either may be absent at run time (zbar is a library of the system): `missing_engines` says so, and
work goes on with the other. A reading is what one engine says of one picture; whether it is
believed is decided in `merge`.

zbar's DataBar is left out: it reads some where none are, and complains on the standard error. So
is cv2.barcode, which misread EANs and read no Code 128.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.labels.bars import linear_modules
from vision.labels.code import FORMATS, LINEAR, Gray, Points, polygon_of

__all__ = ["ENGINES", "Reading", "missing_engines", "moved", "read_zbar", "read_zxing"]

_ZXING = {
    "ean13": "EAN13", "ean8": "EAN8", "upc_e": "UPCE", "code128": "Code128", "code93": "Code93",
    "code39": "Code39", "itf": "ITF", "codabar": "Codabar", "databar": "DataBar",
    "databar_expanded": "DataBarExp", "qr": "QRCode", "micro_qr": "MicroQRCode",
    "datamatrix": "DataMatrix", "aztec": "Aztec", "pdf417": "PDF417", "maxicode": "MaxiCode",
}  # fmt: skip
_ZXING_NAMES = {
    **{name: ours for ours, name in _ZXING.items()},
    "UPCA": "ean13", "ISBN": "ean13", "Code39Std": "code39", "Code39Ext": "code39",
    "Code32": "code39", "PZN": "code39", "ITF14": "itf", "DataBarOmni": "databar",
    "DataBarStk": "databar", "DataBarStkOmni": "databar", "DataBarLtd": "databar",
    "DataBarExpStk": "databar_expanded", "QRCodeModel1": "qr", "QRCodeModel2": "qr",
    "AztecCode": "aztec", "AztecRune": "aztec", "CompactPDF417": "pdf417",
    "MicroPDF417": "pdf417",
}  # fmt: skip
_ZBAR = {
    "ean13": "EAN13", "ean8": "EAN8", "upc_e": "UPCE", "code128": "CODE128", "code93": "CODE93",
    "code39": "CODE39", "itf": "I25", "codabar": "CODABAR", "qr": "QRCODE",
}  # fmt: skip
_ZBAR_NAMES = {name: ours for ours, name in _ZBAR.items()}
_TURNS = {"UP": 0, "RIGHT": 1, "DOWN": 2, "LEFT": 3}
ENGINES = {"zxing": "zxing-cpp", "zbar": "pyzbar"}
"""Engines by the name of the package that brings them."""
_MEND = {
    "zxing": "zxing-cpp is not installed; mend with: make install",
    "zbar": "libzbar or pyzbar is not installed; mend with: apt-get install libzbar0",
}


@dataclass(frozen=True, eq=False)
class Reading:
    """What one engine says that one picture holds. `polygon` as in Code."""

    text: str
    format: str
    polygon: Points
    engine: str
    modules: int = 0
    way: str = ""
    """How the picture had been made ready when it was read; the same way never counts twice."""


def moved(reading: Reading, matrix: NDArray[np.float64], way: str) -> Reading:
    """A reading of a made-ready crop, put back into the whole picture: `matrix` (3, 3) maps the
    crop's homogeneous pixels to the picture's."""
    corners = np.c_[reading.polygon.astype(np.float64), np.ones(4)] @ matrix.T
    return replace(reading, polygon=polygon_of(corners[:, :2] / corners[:, 2:]), way=way)


def missing_engines() -> tuple[str, ...]:
    """A line for each engine that is not there, with what mends it."""
    return tuple(_MEND[name] for name in ENGINES if _engine(name) is None)


@cache
def _engine(name: str) -> Any:
    """The engine's module, None where it is not installed."""
    try:
        return importlib.import_module("zxingcpp" if name == "zxing" else "pyzbar.pyzbar")
    except ImportError:
        return None


def read_zxing(
    gray: Gray,
    formats: tuple[str, ...] = FORMATS,
    *,
    hard: bool = True,
    average: bool = True,
) -> tuple[Reading, ...]:
    """zxing-cpp's readings of a picture (H, W) uint8; none where it is not installed.

    `hard` looks at inverted and smaller pictures, too; `average` compares pixels with their
    neighbours, else with the whole picture.
    """
    engine = _engine("zxing")
    if engine is None:
        return ()
    kinds = engine.Binarizer
    found = engine.read_barcodes(
        gray,
        formats=tuple(getattr(engine.BarcodeFormat, _ZXING[name]) for name in formats),
        try_downscale=hard,
        try_invert=hard,
        text_mode=engine.TextMode.Plain,
        binarizer=kinds.LocalAverage if average else kinds.GlobalHistogram,
    )
    readings = []
    for one in found:
        name = _ZXING_NAMES.get(one.format.name)
        if name is None or not one.text:
            continue
        place = one.position
        corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
        extra = one.extra or {}
        text = _plain(one.text, name, extra)
        polygon = polygon_of([(corner.x, corner.y) for corner in corners])
        if name in LINEAR and _left_handed(polygon):
            # Of bars read backwards the engine takes the lower side for the upper one.
            polygon = np.ascontiguousarray(polygon[[3, 2, 1, 0]])
        # A GS1-128 begins with FNC1, which is no part of its text.
        printed = f"\x1d{text}" if one.symbology_identifier == "]C1" else text
        modules = _modules(name, extra) or linear_modules(name, printed)
        readings.append(Reading(text, name, polygon, "zxing", modules))
    return tuple(readings)


def _left_handed(polygon: Points) -> bool:
    (a, b), (c, d) = polygon[1] - polygon[0], polygon[3] - polygon[0]
    return bool(a * d - b * c < 0)


def _plain(text: str, name: str, extra: dict[str, Any]) -> str:
    if name == "upc_e":
        return str(extra.get("UPCE", text))
    if name == "ean13" and len(text) == 12:
        return f"0{text}"
    return text


def _modules(name: str, extra: dict[str, Any]) -> int:
    version = str(extra.get("Version", ""))
    if name == "qr" and version.isdigit():
        return 17 + 4 * int(version)
    if name == "datamatrix" and "x" in version:
        return max(int(part) for part in version.split("x") if part.isdigit())
    return 0


def read_zbar(gray: Gray, formats: tuple[str, ...] = FORMATS) -> tuple[Reading, ...]:
    """zbar's readings of a picture (H, W) uint8; none where it is not installed."""
    engine = _engine("zbar")
    wanted = [_ZBAR[name] for name in formats if name in _ZBAR]
    if engine is None or not wanted:
        return ()
    readings = []
    for one in engine.decode(gray, symbols=[engine.ZBarSymbol[name] for name in wanted]):
        name = _ZBAR_NAMES.get(one.type)
        text = one.data.decode("utf-8", "replace")
        if name is None or not text or len(one.polygon) < 2:
            continue
        polygon = _zbar_polygon([(point.x, point.y) for point in one.polygon], one.orientation)
        readings.append(Reading(text, name, polygon, "zbar"))
    return tuple(readings)


def _zbar_polygon(points: list[tuple[int, int]], orientation: str | None) -> Points:
    """zbar's hull, of any number of corners, as four in our order."""
    import cv2

    hull = np.asarray(points, np.float32)
    if len(hull) != 4:
        hull = cv2.boxPoints(cv2.minAreaRect(hull)).astype(np.float32)
    middle = hull.mean(axis=0)
    angles = np.arctan2(hull[:, 1] - middle[1], hull[:, 0] - middle[0])
    # Clockwise as seen (y is down), from the corner nearest to the upper left.
    around = hull[np.argsort(angles, kind="stable")]
    first = int(np.argmin(around.sum(axis=1)))
    return polygon_of(np.roll(around, -first - _TURNS.get(orientation or "UP", 0), axis=0))
