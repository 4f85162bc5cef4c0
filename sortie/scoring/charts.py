"""Inline SVG of the report: scores with their intervals, plate curves. Colours come from CSS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["curves", "score_strip"]

STRIP_W, ROW_H, PAD = 240, 15, 9
CURVE_W, CURVE_H = 560, 170
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 24
GRAMS_SPAN_MIN = 20.0


def score_strip(rows: Mapping[str, Mapping[str, Any]], winner: float | None) -> str:
    """F1 of each sensor set as a mark (its shape tells the set) with its 95 % interval on an axis
    from 0 to 1; the winner's as a dashed line."""
    height = PAD + ROW_H * len(rows) + 12
    said = [f"{sensors} {row['f1']:.3f}" for sensors, row in rows.items()]
    if winner is not None:
        said.append(f"winner {winner:.2f}")
    parts = [
        f'<svg class="strip" viewBox="0 0 {STRIP_W} {height}" role="img" '
        f'aria-label="F1: {escape(", ".join(said))}">'
    ]
    floor = height - 11
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _x(share)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="2" y2="{floor}"/>')
    for share in (0.0, 0.5, 1.0):
        parts.append(f'<text x="{_x(share)}" y="{height - 1}">{share:g}</text>')
    if winner is not None:
        x = _x(winner)
        parts.append(
            f'<line class="winner" x1="{x}" x2="{x}" y1="1" y2="{floor}">'
            f"<title>winner {winner:.2f}</title></line>"
        )
    for place, (sensors, row) in enumerate(rows.items()):
        y = PAD + ROW_H * place + 2
        low, high = row["f1_interval"]
        parts.append(
            f'<g class="s-{sensors}"><title>{sensors}: F1 {row["f1"]:.3f}, 95 % {low:.3f} to '
            f"{high:.3f}, n = {row['items']}</title>"
            f'<line class="whisker" x1="{_x(low)}" x2="{_x(high)}" y1="{y}" y2="{y}"/>'
            f"{_mark(sensors, _x(row['f1']), y)}</g>"
        )
    return "".join([*parts, "</svg>"])


def curves(drawn: Sequence[Mapping[str, Any]], at_s: float) -> str:
    """Grams of plates around a moment, each from the level it began at."""
    points: list[tuple[float, float]] = [
        (float(t_s), float(grams)) for plate in drawn for t_s, grams in plate["points"]
    ]
    if not points:
        return ""
    first_s, last_s = min(t for t, _ in points), max(t for t, _ in points)
    low, high = min(g for _, g in points), max(g for _, g in points)
    spare = max(0.08 * (high - low), (GRAMS_SPAN_MIN - (high - low)) / 2, 1.0)
    low, high = low - spare, high + spare

    def x(t_s: float) -> float:
        share = (t_s - first_s) / max(1e-6, last_s - first_s)
        return round(LEFT + share * (CURVE_W - LEFT - RIGHT), 1)

    def y(grams: float) -> float:
        return round(TOP + (high - grams) / (high - low) * (CURVE_H - TOP - BOTTOM), 1)

    named = ", ".join(plate["plate_id"] for plate in drawn)
    parts = [
        f'<svg class="curves" viewBox="0 0 {CURVE_W} {CURVE_H}" role="img" '
        f'aria-label="Plates {escape(named)}">'
    ]
    for grams in _ticks(low, high):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{CURVE_W - RIGHT}" y1="{y(grams)}" '
            f'y2="{y(grams)}"/><text class="unit" x="{LEFT - 6}" y="{y(grams) + 4}">{grams:g} g'
            "</text>"
        )
    for second in range(round(first_s + 0.5), round(last_s) + 1):
        parts.append(f'<text x="{x(second)}" y="{CURVE_H - 6}">{second} s</text>')
    parts.append(
        f'<line class="moment" x1="{x(at_s)}" x2="{x(at_s)}" y1="{TOP - 6}" '
        f'y2="{CURVE_H - BOTTOM}"/>'
    )
    for place, plate in enumerate(drawn):
        line = " ".join(f"{x(t_s)},{y(grams)}" for t_s, grams in plate["points"])
        parts.append(
            f'<polyline class="plate p{place}" points="{line}"><title>'
            f"{escape(plate['plate_id'])}</title></polyline>"
        )
    return "".join([*parts, "</svg>"])


def _x(share: float) -> float:
    return round(PAD + share * (STRIP_W - 2 * PAD), 1)


def _mark(sensors: str, x: float, y: float) -> str:
    if sensors == "camera":
        return f'<rect x="{x - 4}" y="{y - 4}" width="8" height="8"/>'
    if sensors == "plates":
        return f'<path d="M{x - 5} {y + 4}h10l-5 -9z"/>'
    return f'<circle cx="{x}" cy="{y}" r="4.6"/>'


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers of grams."""
    step = 1.0
    for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000):
        step = float(size)
        if (high - low) / step <= 5:
            break
    first = -(-low // step) * step
    return [first + step * k for k in range(12) if first + step * k <= high]
