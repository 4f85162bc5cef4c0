"""Commands that a payment gateway's own messages become."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.money import AMOUNT_MINOR_MAX
from hub.command import Command

__all__ = ["Fact", "GatewayTold"]

Fact = Literal[
    "hold_gone",
    "disputed",
    "dispute_withdrawn",
    "dispute_reinstated",
    "dispute_won",
    "dispute_lost",
    "refund_failed",
]

Moved = Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)] | None


class GatewayTold(Command):
    """A fact of the gateway's own. The same `fact_id` again changes nothing.

    Of a dispute with a `dispute_id` the books follow the money: what was withdrawn, returned and
    taken as fees in all, where the gateway tells it; of a refund with a `refund_key` what came back
    of it. Without them (journals of before) it is only written down.
    """

    kind: Literal["gateway_told"] = "gateway_told"
    fact_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,127}$")]
    fact: Fact
    visit_id: Annotated[str, Field(min_length=1, max_length=127)]
    hold_key: Annotated[str, Field(min_length=1, max_length=200)]
    amount_minor: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]
    reason: Annotated[str, Field(max_length=200)] = ""
    dispute_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] | None = None
    withdrawn_minor: Moved = None
    returned_minor: Moved = None
    fee_minor: Moved = None
    fee_back_minor: Moved = None
    refund_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None
