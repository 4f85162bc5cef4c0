"""The plates around an event: a curve for each plate under the slot, and a line that says now."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from contracts.store_file import StoreFile
from store_sim.viewer.known import ShownAction, product_name
from store_sim.viewer.paint import (
    ACCENT,
    FAINT,
    INK,
    LINE,
    PANEL,
    QUIET,
    Canvas,
    Rgb,
    fitted,
    font,
    polyline,
    shrunk,
)
from store_sim.viewer.shows import PlateCurves

__all__ = ["CurveStrip"]

SMOOTH = 2
AROUND_S = 4.0
CURVES: tuple[Rgb, ...] = ((66, 165, 245), (255, 138, 101), (102, 217, 140), (206, 147, 250))
"""At most so many plates are drawn: those that change most."""
SPAN_G = 40.0
"""The strip is never less high than this."""
Floats = NDArray[np.float64]
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 30, 22


class CurveStrip:
    """Draws plates around an action into pictures of one size."""

    def __init__(self, store: StoreFile, curves: PlateCurves, width: int, height: int) -> None:
        self._store, self._curves = store, curves
        self._size = (width, height)
        self._columns = {plate_id: k for k, plate_id in enumerate(curves.plate_ids)}

    def draw(self, action: ShownAction | None, t_s: float) -> Image.Image:
        """The strip at one instant; `action` is the one to look at."""
        width, height = self._size
        image = Image.new("RGB", (width * SMOOTH, height * SMOOTH), PANEL)
        canvas = ImageDraw.Draw(image)
        title = "plates"
        plates = [] if action is None else self._plates(action)
        if not self._columns:
            title = "no plates in this store"
        elif action is None:
            title = "plates: nothing has happened yet"
        elif not plates:
            title = f"no plate under {action.slot_id or 'it'}"
        else:
            name = product_name(self._store, action.gtin)
            title = f"plates under {action.slot_id}, {name}"
        letters = font(12 * SMOOTH, True)
        canvas.text(
            (12 * SMOOTH, 9 * SMOOTH), fitted(title, letters, (width - 24) * SMOOTH),
            font=letters, fill=QUIET,
        )  # fmt: skip
        if action is not None and plates:
            self._plot(canvas, action, plates, t_s)
        return shrunk(image, SMOOTH)

    def _plates(self, action: ShownAction) -> list[str]:
        slot = next((one for one in self._store.slots if one.slot_id == action.slot_id), None)
        if slot is None:
            return []
        return [
            plate.plate_id
            for plate in self._store.plates
            if plate.board_id == slot.board_id
            and plate.u0_m < slot.u1_m
            and plate.u1_m > slot.u0_m
            and plate.plate_id in self._columns
        ]

    def _plot(self, canvas: Canvas, action: ShownAction, plates: list[str], t_s: float) -> None:
        times = self._curves.t_s
        begin_s, end_s = action.t_s - AROUND_S, action.t_s + AROUND_S
        rows = (times >= begin_s) & (times <= end_s)
        if not rows.any():
            return
        change = {plate_id: self._change(plate_id, rows, action.t_s) for plate_id in plates}
        shown = sorted(plates, key=lambda one: -_swing(change[one]))[: len(CURVES)]
        axes = _Axes(self._size, (begin_s, end_s), _limits([change[one] for one in shown]))
        _frame(canvas, axes, action.t_s)
        now_s = min(max(t_s, begin_s), end_s)
        for rgb, plate_id in zip(CURVES, shown, strict=False):
            points = axes.points(times[rows], change[plate_id])
            past = [point for point in points if point[0] <= axes.x(now_s)]
            polyline(canvas, points, FAINT, SMOOTH)
            polyline(canvas, past, rgb, 2 * SMOOTH)
        canvas.line(((axes.x(now_s), axes.y0), (axes.x(now_s), axes.y1)), fill=INK, width=SMOOTH)
        letters = font(9 * SMOOTH)
        x = axes.x1
        for rgb, plate_id in reversed(list(zip(CURVES, shown, strict=False))):
            canvas.text((x, axes.y1 + 6 * SMOOTH), plate_id, font=letters, fill=rgb, anchor="rt")
            x -= letters.getlength(plate_id) + 10 * SMOOTH

    def _change(self, plate_id: str, rows: NDArray[np.bool_], event_s: float) -> Floats:
        """Grams of some rows against what the plate showed until a second before the event."""
        grams = self._curves.grams[:, self._columns[plate_id]].astype(np.float64)
        rest = grams[rows & (self._curves.t_s <= event_s - 1.0)]
        rest = rest if np.isfinite(rest).any() else grams[rows]
        level = float(np.nanmedian(rest)) if np.isfinite(rest).any() else 0.0
        return grams[rows] - level


@dataclass(frozen=True, slots=True)
class _Axes:
    """From seconds and grams to pixels."""

    size: tuple[int, int]
    times_s: tuple[float, float]
    grams: tuple[float, float]

    @property
    def x0(self) -> float:
        return LEFT * SMOOTH

    @property
    def x1(self) -> float:
        return (self.size[0] - RIGHT) * SMOOTH

    @property
    def y0(self) -> float:
        return TOP * SMOOTH

    @property
    def y1(self) -> float:
        return (self.size[1] - BOTTOM) * SMOOTH

    def x(self, t_s: float) -> float:
        low, high = self.times_s
        return self.x0 + (t_s - low) / (high - low) * (self.x1 - self.x0)

    def y(self, grams: float) -> float:
        low, high = self.grams
        return self.y1 - (grams - low) / (high - low) * (self.y1 - self.y0)

    def points(self, times_s: Floats, grams: Floats) -> list[tuple[float, float]]:
        pairs = zip(times_s.tolist(), grams.tolist(), strict=True)
        return [(self.x(t_s), self.y(g)) for t_s, g in pairs if math.isfinite(g)]


def _frame(canvas: Canvas, axes: _Axes, event_s: float) -> None:
    small = font(9 * SMOOTH)
    low, high = axes.grams
    step = _step(high - low)
    for k in range(math.ceil(low / step), math.floor(high / step) + 1):
        y = axes.y(k * step)
        canvas.line(((axes.x0, y), (axes.x1, y)), fill=LINE, width=SMOOTH)
        text = f"{k * step:+.0f} g" if k else "0 g"
        canvas.text((axes.x0 - 5 * SMOOTH, y), text, font=small, fill=QUIET, anchor="rm")
    x = axes.x(event_s)
    canvas.line(((x, axes.y0), (x, axes.y1)), fill=ACCENT, width=2 * SMOOTH)
    canvas.text(
        (axes.x0, axes.y1 + 6 * SMOOTH), f"event at {event_s:.1f} s", font=small, fill=ACCENT,
        anchor="lt",
    )  # fmt: skip


def _swing(grams: Floats) -> float:
    there = grams[np.isfinite(grams)]
    return float(there.max() - there.min()) if len(there) else 0.0


def _limits(curves: list[Floats]) -> tuple[float, float]:
    """Lowest and highest value with some air; never so narrow that noise fills the strip."""
    there = np.concatenate([curve[np.isfinite(curve)] for curve in curves] or [np.zeros(1)])
    low, high = (float(there.min()), float(there.max())) if len(there) else (0.0, 0.0)
    low, high = min(low, -SPAN_G / 2), max(high, SPAN_G / 2)
    air = 0.08 * (high - low)
    return low - air, high + air


def _step(span: float) -> float:
    """A round number of grams that cuts a span into three to seven parts."""
    size = 10.0 ** math.floor(math.log10(span))
    return next(size * k for k in (0.2, 0.5, 1.0, 2.0) if span / (size * k) <= 7)
