"""The outline of a face: where the box around a label ends, or what came into the picture.

Everything happens on a sheet: the plane of the face as the camera sees it, straightened to squares
of SHEET_M. A first shape (what has the colour around the label, or what changed) becomes the
smallest rectangle around it; then each side moves to the strongest edge near it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.geometry import grown
from vision.wall.borders import border_from
from vision.wall.geometry import WallLens

__all__ = ["Face", "face_of_change", "face_of_label"]

Floats = NDArray[np.float64]
Rgb = NDArray[np.uint8]

SHEET_M = 0.0025
"""Metres of a sheet's pixel."""
REACH_M = 0.42
"""Half a sheet: no face reaches farther from its label."""
FLOOD_LEVELS = (6, 10, 15)
"""Levels of colour that a face may differ by within: plain faces first."""
PAPER_LEVEL = 18
PAPER_AREA_MAX, PAPER_SD_M = 4.0, 0.02
"""Of the label's area; and how far the middle of a face may be from that of its label."""
WHITE_OFF = 22
LARGER = 1.12
"""A face is so much larger than the paper on it."""
BORDER_SD_M = (0.02, 0.019, 0.016, 0.013, 0.01)
"""Of a face's middle, by how many of its sides lie on a line: measured on simulated walls, where
the fronts and tops of boxes are much alike."""
TURN_STEP, UPRIGHT = 0.01, 0.06
FACE_M_MAX = 0.75
FILL_MIN, FILL_POWER = 0.78, 8
"""A face fills its rectangle so well; what takes in a side of the box as well does not."""
FLOOD_REACH_PX, CHANGE_REACH_PX = 2.5, 6.0
"""How far off the sides of a first shape may be: colour ends within a pixel or two, what changed
is as blurred as the small picture."""
SIDE_SAMPLES = 24
EDGE_MIN = 10.0
"""Levels a pixel, summed over the channels, that make an edge."""
SIDE_SPREAD_PX = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """`outline_px` (4, 2) float64, full pixels; `sd_m` of the centre."""

    outline_px: Floats
    sd_m: float


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

    def row(self, at_z_m: float, z_m: float) -> float:
        """The row of a height on the sheet, whose middle is at `at_z_m`."""
        return self.side / 2 + (at_z_m - z_m) / SHEET_M

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
    rgb: Rgb,
    lens: WallLens,
    quad_px: NDArray[np.float32],
    v_m: float,
    outer_px: Floats | None = None,
    others_px: Sequence[NDArray[np.float32]] = (),
) -> Face | None:
    """The face around a label. It is no larger than what has one colour around the label's paper,
    or than `outer_px` (N, 2), what changed when the thing came, and ends at the first lines that
    run along all of it (vision.wall.borders); else it is the paper; else half as much again as the
    label. It does not reach to the labels of others. None if it lies outside of the picture."""
    middle = lens.on_plane(np.asarray(quad_px, np.float64).mean(axis=0)[None], v_m)[0]
    if not np.isfinite(middle).all():
        return None
    sheet = _Sheet(rgb, lens, (float(middle[0]), float(middle[2])), v_m)
    if not sheet.usable:
        return None
    quad = sheet.on(quad_px)
    centre = quad.mean(axis=0)
    soft = np.asarray(cv2.bilateralFilter(cv2.medianBlur(sheet.rgb, 5), 5, 12, 3), np.uint8)
    paper = _paper(soft, sheet, quad)
    outer = _outer(soft, sheet, paper) if outer_px is None else _rect_of(sheet.on(outer_px))
    lined = cv2.GaussianBlur(sheet.rgb, (0, 0), 0.8).astype(np.float32)
    others = [sheet.on(one) for one in others_px]
    others = [one for one in others if np.isfinite(one).all()]
    if outer is not None and any(_holds(outer, one.mean(axis=0)) for one in others):
        outer = None
    face_rgb = None
    if outer is not None:
        about = _inside(soft, outer) & ~_inside(soft, centre + (paper - centre) * 1.15)
        if about.any():
            face_rgb = np.asarray(np.median(lined[about], axis=0), np.float64)
    z_m = float(middle[2])
    board_m = lens.board_under(z_m)
    floor = None if board_m is None else sheet.row(z_m, board_m)
    borders = [
        border_from(
            lined, paper, turn, outer, face_rgb=face_rgb, hangs=lens.hangs(z_m),
            floor=floor if abs(turn) < UPRIGHT else None, others=others,
        )
        for turn in _turns([] if outer is None else [outer], paper)
    ]  # fmt: skip
    border = max(borders, key=lambda one: (sum(one.found), one.strength))
    found = sum(border.found)
    size = np.linalg.norm(border.corners[2] - border.corners[0]) * SHEET_M
    if (outer is not None or found >= 3) and size < FACE_M_MAX:
        return Face(sheet.off(border.corners), BORDER_SD_M[found])
    if paper is not quad:
        return Face(sheet.off(paper), PAPER_SD_M)
    return Face(sheet.off(grown(quad, 1.5)), PAPER_SD_M)


def _holds(rect: Floats, point: Floats) -> bool:
    x, y = (float(one) for one in point)
    return cv2.pointPolygonTest(rect.astype(np.float32), (x, y), False) > 0


def _rect_of(points: NDArray[np.float64] | NDArray[np.float32]) -> Floats:
    return _ordered(np.asarray(cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32)))))


def _outer(soft: Rgb, sheet: _Sheet, paper: Floats) -> Floats | None:
    """The rectangle around what has one colour about the paper: the face, and perhaps more of the
    box; None if there is none."""
    shapes: list[tuple[Floats, float]] = []
    for level in FLOOD_LEVELS:
        shapes += _around(soft, sheet, paper, level)
    # A strip of tape fills a small rectangle, front and side together fill theirs badly.
    return max(shapes, key=lambda one: _area(one[0]) * one[1] ** FILL_POWER)[0] if shapes else None


def _turns(rects: list[Floats], paper: Floats) -> list[float]:
    """By how much a face may be turned: upright, as what has its colour, as its label."""
    turns = [0.0]
    for rect in [*rects, paper]:
        side = rect[1] - rect[0]
        turn = math.remainder(float(np.arctan2(side[1], side[0])), math.pi / 2)
        if all(abs(turn - one) > TURN_STEP for one in turns):
            turns.append(turn)
    return turns


def _paper(soft: Rgb, sheet: _Sheet, quad: Floats) -> Floats:
    """The corners of the paper that a label is printed on; the label's if none is found."""
    centre = quad.mean(axis=0)
    sides = (quad + np.roll(quad, -1, axis=0)) / 2
    found: Floats | None = None
    for grow in (1.12, 1.3):
        for seed in centre + (np.concatenate([quad, sides]) - centre) * grow:
            stretch = _stretch(soft, sheet, seed, PAPER_LEVEL)
            if stretch is None:
                continue
            cv2.fillPoly(stretch, [np.round(quad).astype(np.int32)], 1)
            rect, fill = _rect_around(stretch, centre)
            if rect is None or fill < 0.85 or _area(rect) > PAPER_AREA_MAX * _area(quad):
                continue
            if found is None or _area(rect) > _area(found):
                found = rect
        if found is not None:
            break
    if found is None:
        return quad
    # A paper's coloured head parts it: what is as white about it is more of the same paper.
    white = np.quantile(soft[_inside(soft, quad)], 0.85, axis=0)
    for rect, _ in _around(soft, sheet, found, PAPER_LEVEL):
        if _area(rect) > PAPER_AREA_MAX * _area(quad):
            continue
        about = _inside(soft, rect) & ~_inside(soft, found)
        if about.any() and float(np.abs(np.median(soft[about], axis=0) - white).max()) < WHITE_OFF:
            found = rect
    return found


def _inside(soft: Rgb, corners: Floats) -> NDArray[np.bool_]:
    mask = np.zeros(soft.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
    return mask > 0


def _around(soft: Rgb, sheet: _Sheet, paper: Floats, level: int) -> list[tuple[Floats, float]]:
    """Rectangles around stretches of one colour that lie about the paper, and how well they fill
    them."""
    centre = paper.mean(axis=0)
    sides = (paper + np.roll(paper, -1, axis=0)) / 2
    done: NDArray[np.bool_] = np.zeros((sheet.side, sheet.side), np.bool_)
    found = []
    for point in np.concatenate([sides, paper]):
        away = (point - centre) / max(float(np.linalg.norm(point - centre)), 1e-6)
        for far in (4.0, 9.0):
            x, y = (round(float(c)) for c in point + away * far)
            if not (0 <= x < sheet.side and 0 <= y < sheet.side) or done[y, x]:
                continue
            stretch = _stretch(soft, sheet, np.array([x, y]), level)
            if stretch is None:
                continue
            done |= stretch > 0
            inner = paper + (centre - paper) * 0.02
            cv2.fillPoly(stretch, [np.round(inner).astype(np.int32)], 1)
            closed = cv2.morphologyEx(stretch, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
            rect, fill = _rect_around(np.asarray(closed, np.uint8), centre)
            if rect is not None and fill >= FILL_MIN and _area(rect) > LARGER * _area(paper):
                found.append((rect, fill))
    return found


def _stretch(soft: Rgb, sheet: _Sheet, seed: Floats, level: int) -> NDArray[np.uint8] | None:
    """What has the colour at the seed and hangs together with it, 1 in (side, side)."""
    side = soft.shape[0]
    x, y = round(float(seed[0])), round(float(seed[1]))
    if not (0 <= x < side and 0 <= y < side) or not sheet.inside[y, x]:
        return None
    mask = np.zeros((side + 2, side + 2), np.uint8)
    # Nothing that stands on a board reaches below its edge, however alike their colours are.
    mask[1:-1, 1:-1][sheet.boards] = 2
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    cv2.floodFill(soft, mask, (x, y), (0, 0, 0), (level,) * 3, (level,) * 3, flags)
    stretch = (mask[1:-1, 1:-1] == 1).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(stretch, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))


def _rect_around(stretch: NDArray[np.uint8], centre: Floats) -> tuple[Floats | None, float]:
    """The smallest rectangle around the part of a stretch that surrounds a point, and which share
    of it is filled; None if it reaches the sheet's edge."""
    side = stretch.shape[0]
    contours, _ = cv2.findContours(stretch, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        if cv2.pointPolygonTest(contour, (float(centre[0]), float(centre[1])), False) < 0:
            continue
        x0, y0, w, h = cv2.boundingRect(contour)
        if x0 <= 1 or y0 <= 1 or x0 + w >= side - 1 or y0 + h >= side - 1:
            return None, 0.0
        rect = cv2.minAreaRect(contour)
        fill = cv2.contourArea(contour) / max(rect[1][0] * rect[1][1], 1.0)
        return _ordered(np.asarray(cv2.boxPoints(rect), np.float32)), fill
    return None, 0.0


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
    corners, sides = _on_edges(sheet.rgb, _rect_of(places), CHANGE_REACH_PX)
    return Face(sheet.off(corners), 0.004 + 0.004 * (4 - sides))


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
