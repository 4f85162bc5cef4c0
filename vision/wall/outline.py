"""The outline of a face: where the box around a label ends, or what came into the picture.

Everything happens on a sheet: the plane of the face as the camera sees it, straightened to squares
of SHEET_M. A first shape (what has the colour around the label, or what changed) becomes the
smallest rectangle around it; then each side moves to the strongest edge near it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.wall.geometry import WallLens

__all__ = ["Face", "face_of_change", "face_of_label"]

Floats = NDArray[np.float64]
Rgb = NDArray[np.uint8]

SHEET_M = 0.0025
"""Metres of a sheet's pixel."""
REACH_M = 0.42
"""Half a sheet: no face reaches farther from its label."""
FLOOD_LEVELS = 14
PAPER_AREA, PAPER_SD_M = 1.9, 0.02
PAPER = 1.15
"""Paper around a label, at least."""
FILL_MIN = 0.72
"""A face fills its rectangle so well."""
FLOOD_REACH_PX, CHANGE_REACH_PX = 2.5, 6.0
"""How far off the sides of a first shape may be: colour ends within a pixel or two, what changed
is as blurred as the small picture."""
SIDE_SAMPLES = 24
EDGE_MIN = 10.0
"""Levels a pixel, summed over the channels, that make an edge."""
SIDE_SPREAD_PX = 2.0
SIDE_SURE_PX = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """`outline_px` (4, 2) float64, full pixels; `sides` how many of them lie on an edge; `sd_m` of
    the centre; `by` what it was told from: change, colour, label."""

    outline_px: Floats
    sides: int
    sd_m: float
    by: str


class _Sheet:
    """A straightened cut of the picture around a point of the plane at v."""

    def __init__(self, rgb: Rgb, lens: WallLens, centre_m: tuple[float, float], v_m: float) -> None:
        side = round(2 * REACH_M / SHEET_M)
        corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
        u, z = centre_m
        there = np.array(
            [
                [u - REACH_M, v_m, z + REACH_M],
                [u + REACH_M, v_m, z + REACH_M],
                [u + REACH_M, v_m, z - REACH_M],
                [u - REACH_M, v_m, z - REACH_M],
            ]
        )
        pixels = lens.pixels(there)
        self.usable = bool(np.isfinite(pixels).all())
        self.side = side
        if not self.usable:
            return
        self._to_px = cv2.getPerspectiveTransform(corners, pixels.astype(np.float32))
        self._from_px = np.linalg.inv(self._to_px)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpPerspective(rgb, self._to_px, (side, side), flags=flags)
        self.rgb: Rgb = np.asarray(cut, np.uint8)
        inside = np.full(rgb.shape[:2], 255, np.uint8)
        boards = np.zeros((side, side), np.uint8)
        for board in lens.boards_m:
            ends = lens.pixels(board)
            if np.isfinite(ends).all():
                cv2.polylines(boards, [np.round(self.on(ends)).astype(np.int32)], False, 1, 2)
        self.boards = boards > 0
        self.inside = cv2.warpPerspective(inside, self._to_px, (side, side), flags=flags) > 127

    def on(self, pixels: NDArray[np.float64] | NDArray[np.float32]) -> Floats:
        """Sheet places (N, 2) of full pixels."""
        points = np.asarray(pixels, np.float64).reshape(-1, 1, 2)
        return np.asarray(cv2.perspectiveTransform(points, self._from_px)[:, 0], np.float64)

    def off(self, places: Floats) -> Floats:
        """Full pixels (N, 2) of sheet places."""
        return np.asarray(
            cv2.perspectiveTransform(places.reshape(-1, 1, 2), self._to_px)[:, 0], np.float64
        )


def face_of_label(
    rgb: Rgb, lens: WallLens, quad_px: NDArray[np.float32], v_m: float
) -> Face | None:
    """The face around a label: the largest stretch of one colour around it that fills a rectangle
    well, else the paper it is printed on, else half as much again as the label. None if it lies
    outside of the picture."""
    middle = lens.on_plane(np.asarray(quad_px, np.float64).mean(axis=0)[None], v_m)[0]
    if not np.isfinite(middle).all():
        return None
    sheet = _Sheet(rgb, lens, (float(middle[0]), float(middle[2])), v_m)
    if not sheet.usable:
        return None
    quad = sheet.on(quad_px)
    centre = quad.mean(axis=0)
    soft = np.asarray(cv2.medianBlur(sheet.rgb, 5), np.uint8)
    best: Face | None = None
    for grow in (1.25, 1.5, 1.8, 2.2):
        for seed in centre + (quad - centre) * grow:
            rect = _flooded(soft, sheet, seed, quad)
            if rect is None:
                continue
            corners, sides = _on_edges(sheet.rgb, rect, FLOOD_REACH_PX)
            if best is None or (sides, _area(corners)) > (
                best.sides,
                1.05 * _area(sheet.on(best.outline_px)),
            ):
                best = Face(sheet.off(corners), sides, 0.003 + 0.004 * (4 - sides), "colour")
        if best is not None and best.sides == 4 and not _is_paper(sheet.on(best.outline_px), quad):
            break
    if best is not None and best.sides >= 2:
        if _is_paper(sheet.on(best.outline_px), quad):
            return replace(best, sd_m=PAPER_SD_M, by="label")
        return best
    return Face(sheet.off(centre + (quad - centre) * 1.5), 0, 0.03, "label")


def face_of_change(
    rgb: Rgb,
    lens: WallLens,
    contour_px: NDArray[np.float64],
    v_m: float,
    size_m: tuple[float, float],
) -> Face | None:
    """The face of a thing that came: `contour_px` (N, 2) is the border of what changed. None if it
    is smaller than the lesser or larger than the greater of `size_m`, or cannot be a thing."""
    middle = lens.on_plane(contour_px.mean(axis=0)[None], v_m)[0]
    if not np.isfinite(middle).all():
        return None
    sheet = _Sheet(rgb, lens, (float(middle[0]), float(middle[2])), v_m)
    if not sheet.usable:
        return None
    places = sheet.on(contour_px).astype(np.float32)
    (_, (wide, high), _) = cv2.minAreaRect(places)
    least, most = sorted((wide * SHEET_M, high * SHEET_M))
    if least < size_m[0] or most > size_m[1]:
        return None
    rect = _ordered(np.asarray(cv2.boxPoints(cv2.minAreaRect(places)), np.float32))
    corners, sides = _on_edges(sheet.rgb, rect, CHANGE_REACH_PX)
    return Face(sheet.off(corners), sides, 0.004 + 0.004 * (4 - sides), "change")


def _is_paper(corners: Floats, quad: Floats) -> bool:
    """Whether an outline is so tight that it may be that of the label's paper only."""
    return _area(corners) < PAPER_AREA * _area(quad)


def _flooded(soft: Rgb, sheet: _Sheet, seed: Floats, quad: Floats) -> Floats | None:
    """The rectangle (4, 2) around the stretch of one colour at the seed; None if there is none
    that goes around the label and fills its rectangle."""
    side = soft.shape[0]
    x, y = round(float(seed[0])), round(float(seed[1]))
    if not (0 <= x < side and 0 <= y < side) or not sheet.inside[y, x]:
        return None
    mask = np.zeros((side + 2, side + 2), np.uint8)
    # Nothing that stands on a board reaches below its edge, however alike their colours are.
    mask[1:-1, 1:-1][sheet.boards] = 2
    level = (FLOOD_LEVELS,) * 3
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    cv2.floodFill(soft, mask, (x, y), (0, 0, 0), level, level, flags)
    stretch = cv2.morphologyEx(
        (mask[1:-1, 1:-1] == 1).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )
    # The paper belongs to the face, though it may reach to its edge.
    paper = quad.mean(axis=0) + (quad - quad.mean(axis=0)) * PAPER
    cv2.fillPoly(stretch, [np.round(paper).astype(np.int32)], 1)
    contours, _ = cv2.findContours(stretch, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        if any(cv2.pointPolygonTest(contour, tuple(map(float, one)), False) < 0 for one in quad):
            continue
        x0, y0, w, h = cv2.boundingRect(contour)
        if x0 <= 1 or y0 <= 1 or x0 + w >= side - 1 or y0 + h >= side - 1:
            return None
        rect = cv2.minAreaRect(contour)
        if cv2.contourArea(contour) < FILL_MIN * max(rect[1][0] * rect[1][1], 1.0):
            return None
        return _ordered(np.asarray(cv2.boxPoints(rect), np.float32))
    return None


def _on_edges(rgb: Rgb, rect: Floats, reach_px: float) -> tuple[Floats, int]:
    """Each side of a rectangle moved to the strongest edge within so many pixels of it: corners
    (4, 2) and how many sides found one."""
    soft = cv2.GaussianBlur(rgb, (0, 0), 1.0).astype(np.float32)
    centre = rect.mean(axis=0)
    lines: list[tuple[Floats, Floats]] = []
    found = 0
    for k in range(4):
        a, b = rect[k], rect[(k + 1) % 4]
        length = max(float(np.linalg.norm(b - a)), 1e-6)
        along = (b - a) / length
        out = np.array([along[1], -along[0]])
        if np.dot((a + b) / 2 - centre, out) < 0:
            out = -out
        line = _edge(soft, a, b, out, min(reach_px, 0.2 * length))
        lines.append(line or (a, along))
        found += line is not None
    corners = np.array([_meet(lines[k - 1], lines[k]) for k in range(4)])
    if not np.isfinite(corners).all() or np.abs(corners - rect).max() > 2.5 * reach_px + 2.0:
        return rect, 0
    return corners, found


def _edge(
    soft: NDArray[np.float32], a: Floats, b: Floats, out: Floats, reach: float
) -> tuple[Floats, Floats] | None:
    """A point and the direction of the edge along the side from a to b; None if there is none."""
    shares = np.linspace(0.12, 0.88, SIDE_SAMPLES)
    steps = np.arange(-reach - 1, reach + 1.01, 0.5)
    base = a + (b - a) * shares[:, None]
    at = base[:, None] + out * steps[None, :, None]
    line = cv2.remap(
        soft, at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    slope = np.abs(line[:, 2:] - line[:, :-2]).sum(axis=2)
    # One edge runs along the whole side: what most samples agree on weighs more than one mark.
    common = np.median(slope, axis=0)
    if float(common.max()) < EDGE_MIN:
        return None
    weight = slope * np.exp(-0.5 * ((steps[1:-1] - steps[1 + int(common.argmax())]) / 3.0) ** 2)
    best = weight.argmax(axis=1)
    strong = slope[np.arange(len(best)), best] >= 0.5 * EDGE_MIN
    if strong.sum() < SIDE_SAMPLES // 2:
        return None
    # The middle of the edge, between samples, by its weight near the top.
    places = []
    for row, top in zip(slope[strong], best[strong], strict=True):
        lo, hi = max(0, top - 2), min(len(row), top + 3)
        places.append(float((row[lo:hi] * steps[1 + lo : 1 + hi]).sum() / row[lo:hi].sum()))
    points = base[strong] + out * np.array(places)[:, None]
    dx, dy, x, y = cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
    direction = np.array([dx, dy], np.float64)
    apart = np.abs((points - [x, y]) @ np.array([-dy, dx]))
    if float(np.median(apart)) > SIDE_SPREAD_PX:
        return None
    return np.array([x, y], np.float64), direction


def _meet(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Floats:
    (p, d), (q, e) = one, other
    turn = d[0] * e[1] - d[1] * e[0]
    if abs(turn) < 0.2:
        return np.array([np.nan, np.nan])
    t = ((q[0] - p[0]) * e[1] - (q[1] - p[1]) * e[0]) / turn
    return np.asarray(p + d * t, np.float64)


def _ordered(box: NDArray[np.float32]) -> Floats:
    """The corners of a rectangle clockwise as seen, from the one nearest the top left."""
    points = np.asarray(box, np.float64)
    centre = points.mean(axis=0)
    points = points[np.argsort(np.arctan2(points[:, 1] - centre[1], points[:, 0] - centre[0]))]
    return np.roll(points, -int(points.sum(axis=1).argmin()), axis=0)


def _area(corners: Floats) -> float:
    return float(cv2.contourArea(corners.astype(np.float32)))
