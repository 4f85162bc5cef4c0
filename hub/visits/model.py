"""A visit: from an entry code to a settled receipt.

    issued -> entering -> binding -> shopping -> left -> final
         \\-> expired  \\-> refused

`lost` marks a visit whose body was lost for good: it settles by its certain lines only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from hub.wallet.service import ChargeLine

__all__ = ["OPEN_STAGES", "Stage", "Visit", "phone_word"]

Stage = Literal["issued", "entering", "binding", "shopping", "left", "final", "expired", "refused"]
OPEN_STAGES: tuple[Stage, ...] = ("issued", "entering", "binding", "shopping", "left")
TRAIL_MAX = 600
TRAIL_STEP_S = 0.4


@dataclass(slots=True)
class Visit:
    """One shopper's visit. Times ending in _s are hub seconds."""

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
    unclear: list[dict[str, Any]] = field(default_factory=list)
    trail: deque[tuple[float, float, float]] = field(
        default_factory=lambda: deque(maxlen=TRAIL_MAX)
    )

    @property
    def open(self) -> bool:
        """Whether anything may still happen to it."""
        return self.stage in OPEN_STAGES

    def step(self, t_s: float, x_m: float, y_m: float) -> None:
        """Remembers where the shopper was, a few times a second."""
        if not self.trail or t_s >= self.trail[-1][0] + TRAIL_STEP_S:
            self.trail.append((t_s, x_m, y_m))

    def mark_review(self, reason: str) -> None:
        """A person should look at this visit."""
        self.needs_review = True
        if reason not in self.review_reasons:
            self.review_reasons.append(reason)

    def dump(self) -> dict[str, Any]:
        """The visit as JSON values, without its trail."""
        row = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in ("trail", "lines", "refunded")
        }
        row["lines"] = [asdict(line) for line in self.lines]
        row["refunded"] = {str(line): count for line, count in sorted(self.refunded.items())}
        return row

    @classmethod
    def load(cls, row: Mapping[str, Any]) -> Visit:
        """The visit that `dump` described."""
        values = dict(row)
        values["lines"] = [
            ChargeLine(**{**line, "reaches": tuple(line["reaches"])}) for line in row["lines"]
        ]
        values["refunded"] = {int(line): count for line, count in row["refunded"].items()}
        return cls(**values)


def phone_word(visit: Visit, *, unclear: int) -> str:
    """The one word or two a shopper reads about the visit."""
    if visit.stage in ("expired", "refused"):
        return visit.stage
    if visit.stage == "final":
        return "corrected" if visit.refunded else "final"
    if visit.stage in ("issued", "entering"):
        return "reserved, not charged"
    if unclear or visit.stage == "left":
        count = max(1, unclear)
        return f"checking {count} item" if count == 1 else f"checking {count} items"
    return "shopping"
