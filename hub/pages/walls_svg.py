"""A pick-up wall as a drawing to scale: boards, hooks, what stands there and what shines on it.

Lengths are millimetres in the drawing; u runs to the right, z up. Every text is escaped here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from hub.pages import KIOSK_FILES

__all__ = ["MarkDrawn", "ThingDrawn", "forms_svg", "look_svg", "wall_svg"]

Json = Mapping[str, Any]
Points = Sequence[Sequence[float]]
Point = tuple[float, float]
MM = 1000.0
MARGIN_MM = 60.0
MARK_SHARE = 0.92
"""A mark's size, as a share of what it lies on."""
TITLE_CHARS = 14
WORDS_SHARE = 0.027
"""The height of words, as a share of the wall's width."""
_FRAMES = ("wrong", "place", "look")


@dataclass(frozen=True, slots=True)
class MarkDrawn:
    """What the hub wants to shine, and what became of it (asked, shown, seen, withheld); `reason`
    says why it is withheld."""

    look: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ThingDrawn:
    """Something at the wall, or a place on it. `looks` are words for how it is drawn: moves,
    hidden, unknown, twin, contested; `lines` are read on it, `told` when it is pointed at; its mark
    is drawn in `mark_m`, if that is not the whole."""

    key: str
    outline_m: Points
    lines: tuple[str, ...] = ()
    told: str = ""
    looks: tuple[str, ...] = ()
    mark: MarkDrawn | None = None
    mark_m: Points | None = None


@cache
def forms_svg() -> str:
    """The forms of marks, the same for every page, to be had on a page once."""
    return (KIOSK_FILES / "looks.svg").read_text(encoding="utf-8")


def look_svg(look: str, words: str) -> str:
    """A mark's form, small, with its words."""
    return (
        f'<svg class="look {escape(look, quote=True)}" viewBox="0 0 100 100" role="img" '
        f'aria-label="{escape(words, quote=True)}">'
        f'<use href="#look-{escape(look, quote=True)}" width="100" height="100"/></svg>'
    )


def wall_svg(wall: Json, things: Sequence[ThingDrawn], words: str) -> str:
    """The wall with everything on it; `words` say in one sentence what is drawn."""
    width = float(wall["width_m"]) * MM
    low_m, high_m = _span_m(wall)
    height = (high_m - low_m) * MM
    sheet = _Sheet(high_m, width)
    parts = [
        f'<rect class="back" width="{width:.0f}" height="{height:.0f}"/>',
        *(_board(board, width, sheet) for board in wall["boards"]),
        *(_hook(hook, sheet) for hook in wall["hooks"]),
        *(_thing(thing, sheet) for thing in things if thing.mark is None),
        # What is marked lies on top: its words and its mark are what staff look for.
        *(_thing(thing, sheet) for thing in things if thing.mark is not None),
    ]
    box = f"{-MARGIN_MM:.0f} {-MARGIN_MM:.0f} {width + 2 * MARGIN_MM:.0f} "
    return (
        f'<svg class="wall" role="img" aria-label="{escape(words, quote=True)}" '
        f'viewBox="{box}{height + 2 * MARGIN_MM:.0f}">{"".join(parts)}</svg>'
    )


def _span_m(wall: Json) -> tuple[float, float]:
    """From where to where the wall is drawn: nothing stands far below its lowest board."""
    boards = [float(board["z_m"]) for board in wall["boards"]]
    hooks = [float(hook["z_m"]) - 0.5 for hook in wall["hooks"]]
    return max(0.0, min([*boards, *hooks, float(wall["height_m"])]) - 0.12), float(wall["height_m"])


@dataclass(frozen=True, slots=True)
class _Sheet:
    high_m: float
    width_mm: float

    def at(self, u_m: float, z_m: float) -> tuple[float, float]:
        """Where a point of the front plane is drawn."""
        return u_m * MM, (self.high_m - z_m) * MM

    def line(self, points: Points) -> list[Point]:
        """Where corners of the front plane are drawn."""
        return [self.at(float(u), float(z)) for u, z in points]


def _board(board: Json, width: float, sheet: _Sheet) -> str:
    _, y = sheet.at(0.0, float(board["z_m"]))
    return (
        f'<g class="board"><title>{escape(str(board["board_id"]))}</title>'
        f'<rect y="{y:.0f}" width="{width:.0f}" height="26" rx="4"/></g>'
    )


def _hook(hook: Json, sheet: _Sheet) -> str:
    x, y = sheet.at(float(hook["u_m"]), float(hook["z_m"]))
    return (
        f'<g class="hook"><title>{escape(str(hook["hook_id"]))}</title>'
        f'<path d="M{x:.0f} {y - 24:.0f}v24a14 14 0 0 0 28 0"/></g>'
    )


def _thing(thing: ThingDrawn, sheet: _Sheet) -> str:
    corners = sheet.line(thing.outline_m)
    x0, x1 = min(x for x, _ in corners), max(x for x, _ in corners)
    y0, y1 = min(y for _, y in corners), max(y for _, y in corners)
    looks = escape(" ".join(("thing", *thing.looks)), quote=True)
    mark = ""
    if thing.mark is not None:
        mark = _mark(thing.mark, sheet.line(thing.mark_m or thing.outline_m), sheet)
    return (
        f'<g class="{looks}" data-thing="{escape(thing.key, quote=True)}">'
        f"<title>{escape(thing.told)}</title>"
        f'<polygon points="{_points(corners)}"/>{mark}'
        f"{_lines(thing.lines, (x0, y0, x1, y1), sheet)}</g>"
    )


def _points(corners: Sequence[Point]) -> str:
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in corners)


def _lines(lines: tuple[str, ...], box: tuple[float, float, float, float], sheet: _Sheet) -> str:
    """Words under a thing, where no mark lies on them: as large as all things' are, or as fits."""
    x0, _, x1, y1 = box
    longest = max((len(line[:TITLE_CHARS]) for line in lines), default=1)
    size = min(sheet.width_mm * WORDS_SHARE, 1.15 * (x1 - x0) / (0.62 * longest))
    middle = 0.5 * (x0 + x1)
    return "".join(
        f'<text x="{middle:.0f}" y="{y1 + (at + 0.95) * size:.0f}" font-size="{size:.0f}">'
        f"{escape(line[:TITLE_CHARS])}</text>"
        for at, line in enumerate(lines)
    )


def _laid_on(corners: Sequence[Point]) -> str:
    """Moves a form of 100 by 100 about the origin onto a face, as it is thrown at it: stretched and
    turned with it. Faces that have not four corners are taken as the box around them."""
    if len(corners) != 4:
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
        corners = [(x0, y1), (x1, y1), (x1, y0), (x0, y0)]
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
    scale = MARK_SHARE / 200.0
    across = (bx - ax + cx - dx) * scale, (by - ay + cy - dy) * scale
    along = (dx - ax + cx - bx) * scale, (dy - ay + cy - by) * scale
    centre = (ax + bx + cx + dx) / 4, (ay + by + cy + dy) / 4
    numbers = " ".join(f"{value:.3f}" for value in (*across, *along, *centre))
    return f"matrix({numbers})"


def _mark(mark: MarkDrawn, corners: Sequence[Point], sheet: _Sheet) -> str:
    look, state = escape(mark.look, quote=True), escape(mark.state, quote=True)
    name = f'class="mark look {look} {state}" data-look="{look}" data-state="{state}"'
    if mark.look in _FRAMES:
        drawn = f'<polygon points="{_points(corners)}"/>'
    else:
        drawn = (
            f'<use href="#look-{look}" x="-50" y="-50" width="100" height="100" '
            f'transform="{_laid_on(corners)}"/>'
        )
    why, size = "", sheet.width_mm * WORDS_SHARE
    if mark.state == "withheld":
        middle, top = sum(x for x, _ in corners) / len(corners), min(y for _, y in corners)
        why = (
            f'<text class="why" x="{middle:.0f}" y="{top - 12:.0f}" font-size="{size:.0f}">'
            f"{escape(mark.reason or 'withheld')}</text>"
        )
    return f"<g {name}>{drawn}{why}</g>"
