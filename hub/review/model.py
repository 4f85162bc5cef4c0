"""What staff have set for the time after the exit, and what of it is under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hub.attribution.model import Decision

__all__ = ["DAY_S", "Aftercare", "Policy"]

DAY_S = 86_400.0
REVIEWED_MAX = 20_000
"""Reviewed lines that are kept apart from the attributor's; the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long reviews wait, in seconds, and which disputes are refunded at once, in minor units.

    0 turns a part off. Limits hold for any 24 hours, so that no time zone is needed.
    """

    review_wait_s: float = 0.0
    refund_line_minor: int = 0
    refund_payer_day_minor: int = 0
    refund_payer_day_count: int = 0
    refund_store_day_minor: int = 0


@dataclass(slots=True)
class Aftercare:
    """The part of the state that lives on when visits are final.

    `policy`: what staff set, None while the rules' own hold. `open`: dispute to visit, until
    somebody decides. `due`: automatic refunds that wait until money may go back. `given`: the
    automatic refunds of the last day as (hub seconds, payer, minor units). `reviewed`: lines that
    staff decided, with what the attributor says of them since; only while somebody is in the store.
    """

    policy: Policy | None = None
    open: dict[str, str] = field(default_factory=dict)
    due: dict[str, str] = field(default_factory=dict)
    given: list[tuple[float, str, int]] = field(default_factory=list)
    reviewed: dict[tuple[str, int], Decision | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.policy or self.open or self.due or self.given)

    def given_since(self, t_s: float) -> list[tuple[float, str, int]]:
        """Automatic refunds after a time; older ones are forgotten."""
        self.given = [row for row in self.given if row[0] > t_s]
        return self.given

    def review(self, key: tuple[str, int]) -> None:
        """Staff have decided this line: the attributor moves it no more."""
        self.reviewed[key] = None
        while len(self.reviewed) > REVIEWED_MAX:
            del self.reviewed[next(iter(self.reviewed))]

    def dump(self) -> dict[str, Any]:
        """The state as JSON values; complete when nobody is in the store."""
        return {
            "policy": None if self.policy is None else asdict(self.policy),
            "open": dict(sorted(self.open.items())),
            "due": dict(sorted(self.due.items())),
            "given": [list(row) for row in self.given],
        }

    @classmethod
    def load(cls, row: Mapping[str, Any]) -> Aftercare:
        """What `dump` described."""
        policy = row["policy"]
        return cls(
            policy=None if policy is None else Policy(**policy),
            open=dict(row["open"]),
            due=dict(row["due"]),
            given=[(t_s, payer, minor) for t_s, payer, minor in row["given"]],
        )
