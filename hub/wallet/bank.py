"""A payment that its payer disputes at the bank: what the gateway has told of it, and what of that
is in the books."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Chargeback", "Decision", "kept_out"]

Decision = Literal["", "let_in", "kept_out"]


@dataclass(slots=True)
class Chargeback:
    """One dispute. Amounts are minor units, times hub seconds.

    `withdrawn_minor`, `returned_minor`, `fee_minor` and `fee_back_minor` are all that ever moved
    by the gateway's word: they only grow, so that news may come twice and in any order. The
    `_booked` ones are what the ledger has of it; `blocks` says whether the payer is refused at the
    gate until staff decide.
    """

    dispute_id: str
    hold_key: str
    visit_id: str
    payer: str
    amount_minor: int
    opened_s: float
    changed_s: float
    reason: str = ""
    state: Literal["open", "won", "lost"] = "open"
    withdrawn_minor: int = 0
    returned_minor: int = 0
    fee_minor: int = 0
    fee_back_minor: int = 0
    bank_booked_minor: int = 0
    lost_booked_minor: int = 0
    owed_booked_minor: int = 0
    fee_booked_minor: int = 0
    steps: int = 0
    blocks: bool = False
    decision: Decision = ""
    by: str = ""

    @property
    def taken_minor(self) -> int:
        """What the bank has of the payment now."""
        return max(0, self.withdrawn_minor - self.returned_minor)

    @property
    def keeps_out(self) -> bool:
        """Whether the payer is refused at the gate because of it."""
        if self.decision:
            return self.decision == "kept_out"
        return self.blocks and self.state != "won"


def kept_out(disputes: Iterable[Chargeback], payer: str) -> bool:
    """Whether a payer is refused at the gate for any of these."""
    return any(one.payer == payer and one.keeps_out for one in disputes)
