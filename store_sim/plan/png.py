"""The drawings of a store as one PNG: the plan, and the bays beside and below it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from store_sim.plan.check import StoreCheck
from store_sim.plan.draw import FLOOR_SCALE, FRONT_SCALE, Drawing, Rgb, Shape, draw_bay, draw_floor

__all__ = ["write_png"]

WIDTH_PX = 1600
PLAN_HEIGHT_MAX_PX = 1100
MARGIN_PX = 40
FINE = 2
"""Drawn so much larger and made smaller, for smooth edges."""
BAY_COLUMNS = 6
BAY_GAP_PX = 22
_PAPER: Rgb = (250, 249, 246)
_INK: Rgb = (34, 38, 43)
_SOFT: Rgb = (98, 104, 111)

_Fill = tuple[int, int, int, int]
_FILLS: dict[str, _Fill] = {
    "room": (241, 239, 233, 255),
    "floor-0": (227, 168, 156, 255), "floor-1": (220, 235, 230, 255),
    "floor-2": (172, 214, 201, 255), "floor-3": (116, 184, 166, 255),
    "front-0": (227, 168, 156, 255), "front-1": (243, 217, 164, 255),
    "front-2": (220, 235, 230, 255), "front-3": (172, 214, 201, 255),
    "front-4": (116, 184, 166, 255),
    "bay": (71, 77, 85, 255), "door": (31, 111, 139, 30),
    "zone-entry": (47, 127, 209, 50), "zone-exit": (138, 79, 181, 50),
    "camera-ceiling": (31, 111, 139, 255), "camera-shelf": (233, 161, 59, 255),
    "back": (241, 239, 233, 255), "board": (91, 97, 105, 255), "plate": (154, 160, 166, 255),
    "goods": (128, 128, 128, 255),
}  # fmt: skip
_EDGES: dict[str, tuple[_Fill, float]] = {
    "walls": ((34, 38, 43, 255), 0.03), "footprint": ((31, 111, 139, 110), 0.014),
    "back": ((91, 97, 105, 255), 0.012), "goods": ((0, 0, 0, 90), 0.003),
    "camera-shelf": ((34, 38, 43, 255), 0.01),
}  # fmt: skip
_LINES: dict[str, tuple[_Fill, float]] = {
    "front": ((233, 161, 59, 255), 0.06), "plate-edge": ((255, 255, 255, 110), 0.008),
    "gate-entry": ((47, 127, 209, 255), 0.08), "gate-exit": ((138, 79, 181, 255), 0.08),
    "ruler": ((34, 38, 43, 255), 0.04), "slot-edge": ((233, 161, 59, 255), 0.014),
}  # fmt: skip


class _Canvas:
    """A picture that drawings are put onto, with transparency."""

    def __init__(self, width_px: int, height_px: int) -> None:
        from PIL import Image, ImageDraw

        self.image: Any = Image.new("RGB", (width_px * FINE, height_px * FINE), _PAPER)
        self._pen: Any = ImageDraw.Draw(self.image, "RGBA")

    def write(self, x: float, y: float, text: str, size_px: float, ink: Rgb = _INK,
              anchor: str = "ls", halo: bool = False) -> None:  # fmt: skip
        from PIL import ImageFont

        font = ImageFont.load_default(max(8.0, size_px * FINE))
        halo_px = max(1, round(size_px * FINE * 0.12)) if halo else 0
        self._pen.text(
            (x * FINE, y * FINE), text, fill=ink, font=font, anchor=anchor,
            stroke_width=halo_px, stroke_fill=(255, 255, 255) if halo else None,
        )  # fmt: skip

    def swatch(self, x: float, y: float, side_px: float, role: str) -> None:
        box = [x * FINE, y * FINE, (x + side_px) * FINE, (y + side_px) * FINE]
        self._pen.rectangle(box, fill=_FILLS[role], outline=(*_SOFT, 255))

    def put(self, drawing: Drawing, x: float, y: float, px_m: float) -> None:
        """Draws with the top left corner at (x, y), `px_m` pixels a metre."""
        scale = px_m * FINE
        for shape in drawing.shapes:
            points = [
                (x * FINE + (u - drawing.low[0]) * scale, y * FINE + (drawing.high[1] - v) * scale)
                for u, v in shape.points
            ]
            self._shape(shape, points, scale)

    def _shape(self, shape: Shape, points: list[tuple[float, float]], scale: float) -> None:
        if shape.kind == "text":
            (x, y) = points[0]
            anchor = "ms" if shape.anchor == "middle" else "ls"
            size = shape.size_m * scale / FINE
            halo = shape.role != "figure"
            self.write(x / FINE, y / FINE, shape.text, size, anchor=anchor, halo=halo)
        elif shape.kind == "line":
            fill, wide = _LINES[shape.role]
            self._pen.line(points, fill=fill, width=max(1, round(wide * scale)))
        else:
            area = _FILLS.get(shape.role)
            colour = (*shape.rgb, 255) if shape.rgb is not None else area
            outline = _EDGES.get(shape.role)
            if colour is not None:
                self._pen.polygon(points, fill=colour)
            if outline is not None:
                edge, wide = outline
                self._pen.line([*points, points[0]], fill=edge, width=max(1, round(wide * scale)))

    def save(self, path: Path) -> None:
        size = (self.image.width // FINE, self.image.height // FINE)
        partial = path.with_name(path.name + ".partial")
        self.image.reduce(FINE).resize(size).save(partial, format="PNG", optimize=True)
        partial.replace(path)


def write_png(check: StoreCheck, path: Path) -> None:
    """Writes the drawings as a PNG of WIDTH_PX; OSError if the file cannot be written."""
    plan = draw_floor(check)
    bays = [draw_bay(check, bay) for bay in check.store.bays]
    inner = WIDTH_PX - 2 * MARGIN_PX
    wide, high = _size(plan)
    plan_px_m = min(inner / wide, PLAN_HEIGHT_MAX_PX / high)
    columns = min(BAY_COLUMNS, max(3, len(bays)))
    bay_wide = max(_size(each)[0] for each in bays)
    bay_px_m = min(340.0, (inner - (columns - 1) * BAY_GAP_PX) / columns / bay_wide)
    rows = math.ceil(len(bays) / columns)
    row_px = max(_size(each)[1] for each in bays) * bay_px_m + 50
    top = 120.0
    below = top + high * plan_px_m + 70
    canvas = _Canvas(WIDTH_PX, math.ceil(below + rows * row_px + 70))
    store = check.store
    canvas.write(MARGIN_PX, 58, store.name, 34)
    canvas.write(MARGIN_PX, 92, _headline(check), 19, _SOFT)
    canvas.put(plan, MARGIN_PX + (inner - wide * plan_px_m) / 2, top, plan_px_m)
    _scale(canvas, top + high * plan_px_m + 22, "floor", "heads seen by", FLOOR_SCALE)
    for place, drawing in enumerate(bays):
        x = MARGIN_PX + place % columns * (bay_wide * bay_px_m + BAY_GAP_PX)
        y = below + place // columns * row_px
        # Bays of one row stand on one line.
        drop = row_px - 50 - _size(drawing)[1] * bay_px_m
        canvas.put(drawing, x, y + drop, bay_px_m)
        canvas.write(x + 4, y + row_px - 22, drawing.name, 17)
    _scale(canvas, below + rows * row_px + 14, "front", "shelf camera gives", FRONT_SCALE)
    canvas.save(path)


def _size(drawing: Drawing) -> tuple[float, float]:
    return drawing.high[0] - drawing.low[0], drawing.high[1] - drawing.low[1]


def _headline(check: StoreCheck) -> str:
    counts = check.counts()
    least, median, _ = check.front_px_cm()
    return (
        f"{counts['bays']} bays, {counts['plates']} plates, {counts['shelf_cameras']} shelf and "
        f"{counts['ceiling_cameras']} ceiling cameras.  Floor seen by one camera "
        f"{check.floor.share(1):.0%}, by two {check.floor.share(2):.0%}.  Fronts {median:.1f} "
        f"px/cm in the median, {least:.1f} at worst.  {len(check.errors)} errors, "
        f"{len(check.warnings)} warnings."
    )


def _scale(canvas: _Canvas, y: float, kind: str, title: str, names: tuple[str, ...]) -> None:
    x = float(MARGIN_PX)
    canvas.write(x, y + 15, title, 17, _SOFT)
    x += 9.0 * len(title) + 20
    for place, name in enumerate(names):
        canvas.swatch(x, y, 17, f"{kind}-{place}")
        canvas.write(x + 25, y + 15, name, 17, _SOFT)
        x += 25 + 9.0 * len(name) + 26
