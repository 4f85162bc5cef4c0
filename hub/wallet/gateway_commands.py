"""Commands that a payment gateway's own messages become."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.money import AMOUNT_MINOR_MAX
from hub.command import Command

__all__ = ["Fact", "GatewayTold"]

Fact = Literal["hold_gone", "disputed", "dispute_won", "dispute_lost", "refund_failed"]


class GatewayTold(Command):
    """A fact of the gateway's own. The same `fact_id` again changes nothing."""

    kind: Literal["gateway_told"] = "gateway_told"
    fact_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,127}$")]
    fact: Fact
    visit_id: Annotated[str, Field(min_length=1, max_length=127)]
    hold_key: Annotated[str, Field(min_length=1, max_length=200)]
    amount_minor: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]
    reason: Annotated[str, Field(max_length=200)] = ""
