"""A visit: from an entry code to a settled receipt.

    issued -> entering -> binding -> shopping -> left -> final
         \\-> expired  \\-> refused

A sale of parcels at a wall (hub.parcels.paying) is a visit without bodies: pickup -> final.

`lost` marks a visit whose body was lost for good: it settles by its certain lines only.

A visit may own several bodies: people who came in on one payer. The first is the visit itself, the
others are `companions`. The visit leaves when its last body has left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, Protocol

from hub.wallet.service import ChargeLine

__all__ = ["OPEN_STAGES", "Body", "Channel", "Companion", "Stage", "Visit", "phone_word"]

Stage = Literal[
    "issued", "entering", "binding", "shopping", "left", "final", "expired", "refused", "pickup"
]
OPEN_STAGES: tuple[Stage, ...] = ("issued", "entering", "binding", "shopping", "left", "pickup")
Channel = Literal["phone", "card", "desk", "badge"]
TRAIL_MAX = 600
TRAIL_STEP_S = 0.4
Trail = deque[tuple[float, float, float]]


def _trail() -> Trail:
    return deque(maxlen=TRAIL_MAX)


class Body(Protocol):
    """One person of a visit: the visit itself is its first one. `gone_s`: when it left. `undated`:
    the boot that read its code, if nobody knew its clock."""

    gate_id: str | None
    scanned_s: float | None
    track_id: str | None
    gone_s: float | None
    trail: Trail
    undated: str | None


@dataclass(slots=True)
class Companion:
    """Somebody more who came in on the same payer."""

    gate_id: str | None
    scanned_s: float | None
    track_id: str | None = None
    bound: bool = False
    gone_s: float | None = None
    trail: Trail = field(default_factory=_trail)
    undated: str | None = None


@dataclass(slots=True)
class Visit:
    """One shopper's visit. Times ending in _s are hub seconds.

    `kind` "staff": known, but nothing is charged. `entries` people may come in on it, `entered`
    have. Fields from `kind` on came later: a dump names them only where they are not as usual, so
    that what was dumped before reads, and is dumped, as it was.

    `withheld` is what was carried out and may not be sold: {gtin, quantity, why, back, reaches};
    `back` of them were handed back. `awaited`: up to when each node must have told everything for
    the visit to settle; None until that was found after the exit.
    """

    visit_id: str
    payer: str
    token_sha256: str
    code: str
    code_expires_s: float
    opened_s: float
    stage: Stage = "issued"
    gate_id: str | None = None
    scanned_s: float | None = None
    track_id: str | None = None
    tracks: list[str] = field(default_factory=list)
    exited_s: float | None = None
    exit_kind: str | None = None
    grace_until_s: float | None = None
    settled_s: float | None = None
    receipt_s: float | None = None
    lost: bool = False
    blind: bool = False
    needs_review: bool = False
    review_reasons: list[str] = field(default_factory=list)
    refusal: str = ""
    lines: list[ChargeLine] = field(default_factory=list)
    refunded: dict[int, int] = field(default_factory=dict)
    refund_ids: dict[str, str] = field(default_factory=dict)
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict)
    review_until_s: float | None = None
    reviewed: dict[str, list[Any]] = field(default_factory=dict)
    late: list[dict[str, Any]] = field(default_factory=list)
    exit_gate_id: str | None = None
    mark: int | None = None
    unclear: list[dict[str, Any]] = field(default_factory=list)
    trail: Trail = field(default_factory=_trail)
    kind: Literal["shopper", "staff"] = "shopper"
    channel: Channel = "phone"
    entries: int = 1
    entered: int = 0
    companions: list[Companion] = field(default_factory=list)
    gone_s: float | None = None
    taps: list[str] = field(default_factory=list)
    desk_payments: dict[str, str] = field(default_factory=dict)
    withheld: list[dict[str, Any]] = field(default_factory=list)
    awaited: dict[str, float] | None = None
    undated: str | None = None

    @property
    def open(self) -> bool:
        """Whether anything may still happen to it."""
        return self.stage in OPEN_STAGES

    @property
    def signed(self) -> bool:
        """Whether its phone shows signed codes."""
        return self.channel == "phone" and not self.code

    def bodies(self) -> Iterator[Body]:
        """Everybody who came in on it, in the order of their entries."""
        yield self
        yield from self.companions

    def body_of(self, track_id: str) -> Body | None:
        """Whose track this is."""
        return next((body for body in self.bodies() if body.track_id == track_id), None)

    def inside(self) -> list[Body]:
        """Who has come in, or is about to, and has not left."""
        return [body for body in self.bodies() if body.gone_s is None]

    def step(self, place: tuple[float, float, float], body: Body) -> None:
        """Remembers where a body of the shopper was, as (t_s, x_m, y_m), a few times a second."""
        trail = body.trail
        if not trail or place[0] >= trail[-1][0] + TRAIL_STEP_S:
            trail.append(place)

    def places(self) -> list[tuple[float, float, float]]:
        """Where its bodies were, as (t_s, x_m, y_m)."""
        return [point for body in self.bodies() for point in body.trail]

    def places_within(self, begin_s: float, end_s: float) -> list[tuple[float, float]]:
        """Where its bodies were from one moment to another, as (x_m, y_m)."""
        found = []
        for body in self.bodies():
            # From the end, where what is asked for usually is: a trail has hundreds of points.
            for t_s, x_m, y_m in reversed(body.trail):
                if t_s < begin_s:
                    break
                if t_s <= end_s:
                    found.append((x_m, y_m))
        return found

    def mark_review(self, reason: str) -> None:
        """A person should look at this visit."""
        self.needs_review = True
        if reason not in self.review_reasons:
            self.review_reasons.append(reason)

    def dump(self) -> dict[str, Any]:
        """The visit as JSON values, without its trail and what only the gate's display needs."""
        row = {name: getattr(self, name) for name in _FIRST}
        for name, usual in _USUAL.items():
            value = getattr(self, name)
            if value != usual:
                row[name] = value
        row["lines"] = [line.dump() for line in self.lines]
        row["refunded"] = {str(line): count for line, count in sorted(self.refunded.items())}
        if self.companions:
            row["companions"] = [
                [c.gate_id, c.scanned_s, c.track_id, c.bound, c.gone_s] for c in self.companions
            ]
        return row

    @classmethod
    def load(cls, row: Mapping[str, Any]) -> Visit:
        """The visit that `dump` described."""
        values = dict(row)
        values["lines"] = [ChargeLine.load(line) for line in row["lines"]]
        values["refunded"] = {int(line): count for line, count in row["refunded"].items()}
        values["companions"] = [Companion(*known) for known in row.get("companions", ())]
        return cls(**values)


_APART = (
    "trail", "lines", "refunded", "companions", "exit_gate_id", "mark", "awaited", "undated",
)  # fmt: skip
"""What a dump leaves out, or writes in a form of its own."""
_LATER = (
    "kind", "channel", "entries", "entered", "gone_s", "taps", "desk_payments", "withheld",
    "disputes", "review_until_s", "reviewed", "late",
)  # fmt: skip
_FIRST = tuple(item.name for item in fields(Visit) if item.name not in (*_APART, *_LATER))
_USUAL = {
    item.name: item.default if item.default_factory is MISSING else item.default_factory()
    for item in fields(Visit)
    if item.name in _LATER
}


def phone_word(visit: Visit, *, unclear: int) -> str:
    """The one word or two a shopper reads about the visit."""
    if visit.stage in ("expired", "refused"):
        return visit.stage
    if visit.stage == "final":
        return "corrected" if visit.refunded else "final"
    if visit.stage in ("issued", "entering", "pickup"):
        return "reserved, not charged"
    if unclear or visit.stage == "left":
        count = max(1, unclear)
        return f"checking {count} item" if count == 1 else f"checking {count} items"
    return "shopping"
