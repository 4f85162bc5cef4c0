"""One thing is often found in pieces, the cap and the foot of a clear bottle: together again.

Pieces belong together when they changed at the same time and stand one above the other, or side
by side with hardly a gap. Pieces that speak against each other with confidence, one filled and
one emptied next to it in the same moment, are a thing moved aside: no event.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Box", "Piece", "Told", "belong", "gather"]

Box = tuple[float, float, float, float]

TOGETHER_S = 1.2
"""Parts of one thing are seen to change within this time of each other."""
SIDE_GAP_SHARE = 0.35
STACK_GAP_SHARE = 1.0
OPPOSED_NATS = 1.5


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch that changed: its box, when, the log odds of a pick (nats), its area."""

    box: Box
    t_s: float
    log_odds: float
    area: float


@dataclass(frozen=True, slots=True)
class Told:
    """What a group of pieces comes to; `action` None for a thing moved aside."""

    box: Box
    t_s: float
    action: Literal["pick", "put_back"] | None
    confidence: float


def belong(a: Piece, b: Piece) -> bool:
    """Whether two pieces are parts of one thing."""
    if abs(a.t_s - b.t_s) > TOGETHER_S:
        return False
    gap_x, overlap_x, least_x, _ = _along(a.box, b.box, 0)
    gap_y, overlap_y, least_y, most_y = _along(a.box, b.box, 1)
    stacked = overlap_x >= 0.5 * least_x and gap_y <= STACK_GAP_SHARE * most_y
    beside = overlap_y >= 0.5 * least_y and gap_x <= SIDE_GAP_SHARE * least_x
    return stacked or beside


def _along(a: Box, b: Box, axis: int) -> tuple[float, float, float, float]:
    """Gap, overlap, lesser and greater length along an axis."""
    lengths = (a[axis + 2] - a[axis], b[axis + 2] - b[axis])
    overlap = min(a[axis + 2], b[axis + 2]) - max(a[axis], b[axis])
    return max(0.0, -overlap), max(0.0, overlap), min(lengths), max(lengths)


def gather(first: Piece, others: Iterable[Piece]) -> tuple[Told, Sequence[Piece]]:
    """The thing that `first` is part of, and the other pieces that belong to it."""
    group = [first]
    rest = list(others)
    grew = True
    while grew:
        grew = False
        for piece in list(rest):
            if any(belong(member, piece) for member in group):
                group.append(piece)
                rest.remove(piece)
                grew = True
    return _told(group), group[1:]


def _told(group: Sequence[Piece]) -> Told:
    area = sum(piece.area for piece in group)
    odds = sum(piece.log_odds * piece.area for piece in group) / area
    t_s = sum(piece.t_s * piece.area for piece in group) / area
    box = (
        min(piece.box[0] for piece in group), min(piece.box[1] for piece in group),
        max(piece.box[2] for piece in group), max(piece.box[3] for piece in group),
    )  # fmt: skip
    most, least = (extreme(piece.log_odds for piece in group) for extreme in (max, min))
    moved = most > OPPOSED_NATS and least < -OPPOSED_NATS
    action: Literal["pick", "put_back"] | None = "pick" if odds > 0 else "put_back"
    confidence = 1.0 / (1.0 + math.exp(-min(30.0, abs(odds))))
    return Told(box, t_s, None if moved else action, confidence)
