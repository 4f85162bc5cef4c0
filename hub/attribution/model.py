"""The words of attribution: what goes in and what comes out. Times are hub seconds.

The service feeds an Attributor (hub/attribution/engine.py) with tracks, bindings and reaches in
hub time and asks it for decisions. A decision may be revised until its visit settles: a later
revision replaces an earlier one, and the difference is a new event in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from contracts.geometry import Bay, Plate
from contracts.messages import ReachClosed, ReachOpened

__all__ = [
    "Alternative", "Article", "Attributor", "Decision", "FloorNews", "FloorPoint", "Ground",
    "Shelf",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Article:
    """What the hub knows of a product that matters for telling it from others."""

    gtin: str
    weight_g: float
    weight_sd_g: float


@dataclass(frozen=True, slots=True)
class Shelf:
    """A line of the planogram with the stock the day began with."""

    slot_id: str
    bay_id: str
    board_id: str
    u0_m: float
    u1_m: float
    gtin: str
    facings: int
    on_hand: int


@dataclass(frozen=True, slots=True)
class Ground:
    """The store as attribution sees it."""

    articles: tuple[Article, ...]
    shelves: tuple[Shelf, ...]
    bays: tuple[Bay, ...]
    plates: tuple[Plate, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One explanation of a reach: quantity > 0 taken from, < 0 put back to the shelf, 0 neither."""

    visit_id: str | None
    gtin: str | None
    quantity: int
    slot_id: str | None
    probability: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The best explanation of (one article of) a reach. `line` numbers articles within a reach.

    `certain`: clear enough to move the cart and to charge. If not, `alternatives` says what it
    could have been; it goes to review, and unreviewed it is not charged.
    """

    reach_id: str
    line: int
    revision: int
    t_s: float
    best: Alternative
    certain: bool
    alternatives: tuple[Alternative, ...]
    why: str


FloorPoint = tuple[float, float, float, float]
"""Where a body or a wrist was: hub seconds, x and y in metres, their spread. Hours of floor are
thousands of these, and a plain tuple is made and forgotten in half the time of a named one."""


class FloorNews(NamedTuple):
    """News of one floor track in hub time: what a TrackSegment says, without its checks. Floors
    move many times a second, and a checked copy costs five times as much."""

    track_id: str
    state: str
    points: tuple[FloorPoint, ...]
    wrists: tuple[FloorPoint, ...]
    linked_from: str | None


class Attributor(Protocol):
    """The engine as the service sees it. Deterministic: same calls, same decisions.

    `names_late`: what a body did that nobody knows stays open when somebody else's visit settles,
    and is its visit's when that becomes known, however late. `binds_narrowly`: when a body is found
    to be a visit's, only reaches are looked at again that one of the two may have done.
    `doubts_nobody`: that nobody known took a piece is certain above the same bar as a visit's pick
    only; `doubts_returns`: that nobody known put one back, too. Older journals were made without
    them.
    """

    names_late: bool
    binds_narrowly: bool
    doubts_nobody: bool
    doubts_returns: bool

    def bind(self, *, visit_id: str, track_id: str, t_s: float) -> None:
        """The body on this floor track is this visit from `t_s` on (also after a re-link)."""
        ...

    def end(self, *, visit_id: str, t_s: float) -> None:
        """The visit left the store; it can take nothing after `t_s`."""
        ...

    def forget(self, *, visit_id: str) -> None:
        """The visit is settled: its decisions are final and evidence may be dropped."""
        ...

    def track(self, segment: FloorNews) -> None:
        """News of a floor track, its times in hub seconds."""
        ...

    def opened(self, reach: ReachOpened) -> None:
        """A reach began (hub time): somebody may be taking something."""
        ...

    def closed(self, reach: ReachClosed, *, t_sd_s: float) -> None:
        """A reach ended (hub time); `t_sd_s` is the clock's uncertainty. If it is infinite nobody
        knows when that was: the reach is told as uncertain and moves nothing."""
        ...

    def decide(self, *, now_s: float) -> tuple[Decision, ...]:
        """Decisions that are new or differ from what was last returned for their line."""
        ...

    def cart(self, visit_id: str) -> dict[str, int]:
        """GTIN to quantity by certain decisions, after what was put back."""
        ...
