"""Pictures of the wall's markers and of the calibration board, in true size, for a printer."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.wall import Marker
from vision.markers import MARKER_DICTIONARY

__all__ = ["DPI", "Sheet", "marker_sheets"]

DPI = 300
PAGE_MM = (210.0, 297.0)
EDGE_MM = 12.0
QUIET_SHARE = 0.25
"""White around a marker, as a share of its side; without it a marker is not found."""
TEXT_MM = 6.0

Sheet = NDArray[np.uint8]


def _px(mm: float) -> int:
    return round(mm * DPI / 25.4)


def marker_sheets(markers: Sequence[Marker]) -> list[Sheet]:
    """A4 pages (H, W) uint8 at DPI with every marker in its size, cutting lines at the paper's
    edge, its number and where it goes. ValueError for a marker that is larger than a page."""
    pages: list[Sheet] = []
    page, x, y, row = _blank(), EDGE_MM, EDGE_MM, 0.0
    for marker in markers:
        side = 1000 * marker.size_m * (1 + 2 * QUIET_SHARE)
        if side > min(PAGE_MM) - 2 * EDGE_MM:
            raise ValueError(
                f"expected markers of at most {(min(PAGE_MM) - 2 * EDGE_MM) / 1.5:.0f} mm, which a "
                f"page holds with the white around, got marker {marker.marker} of "
                f"{1000 * marker.size_m:.0f} mm; print it on larger paper or take smaller ones"
            )
        if x + side > PAGE_MM[0] - EDGE_MM:
            x, y, row = EDGE_MM, y + row + 2 * TEXT_MM, 0.0
        if y + side + TEXT_MM > PAGE_MM[1] - EDGE_MM:
            pages.append(page)
            page, x, y, row = _blank(), EDGE_MM, EDGE_MM, 0.0
        _draw(page, marker, x, y, side)
        x, row = x + side + TEXT_MM, max(row, side)
    return [*pages, page]


def _blank() -> Sheet:
    page = np.full((_px(PAGE_MM[1]), _px(PAGE_MM[0])), 255, np.uint8)
    # A rule of a hundred millimetres: printers that "fit to page" are found out by it.
    left, bottom = _px(EDGE_MM), _px(PAGE_MM[1] - EDGE_MM / 2)
    cv2.line(page, (left, bottom), (left + _px(100.0), bottom), 0, 3)
    _write(page, "100 mm", left + _px(102.0), bottom)
    return page


def _draw(page: Sheet, marker: Marker, x_mm: float, y_mm: float, side_mm: float) -> None:
    square = _px(1000 * marker.size_m)
    dictionary = cv2.aruco.getPredefinedDictionary(MARKER_DICTIONARY)
    picture = cv2.aruco.generateImageMarker(dictionary, marker.marker, square)
    left, top = _px(x_mm), _px(y_mm)
    whole, quiet = _px(side_mm), _px(1000 * marker.size_m * QUIET_SHARE)
    cv2.rectangle(page, (left, top), (left + whole, top + whole), 200, 1)
    page[top + quiet : top + quiet + square, left + quiet : left + quiet + square] = picture
    u, v, z = (round(1000 * one) for one in marker.centre_m)
    _write(page, f"{marker.marker}: u {u} v {v} z {z}", left, top + whole + _px(4.0))


def _write(page: Sheet, words: str, x: int, y: int) -> None:
    cv2.putText(page, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 60, 2)
