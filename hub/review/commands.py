"""Commands of review: what staff decide of an unclear line, and what they set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.ids import Gtin
from contracts.money import AMOUNT_MINOR_MAX
from hub.command import Command

__all__ = ["Actor", "Choice", "DecideReview", "Minor", "SetAftercare"]

Actor = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.:-]{0,62}$")]
"""Who did it: an account's id or a role, never a person's name."""
Minor = Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]


class Choice(Command):
    """The explanation that staff saw to be true; `visit_id` None is somebody nobody knows."""

    visit_id: Annotated[str, Field(max_length=127)] | None
    gtin: Gtin
    quantity: Annotated[int, Field(ge=-10_000, le=10_000)]


class DecideReview(Command):
    """Staff looked at an unclear line of a visit. `choice` None: nothing was taken or put back.

    The same `review_id` again changes nothing.
    """

    kind: Literal["decide_review"] = "decide_review"
    review_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$")]
    visit_id: Annotated[str, Field(max_length=127)]
    reach_id: Annotated[str, Field(max_length=127)]
    line: Annotated[int, Field(ge=0, le=10_000)]
    choice: Choice | None
    by: Actor = "staff"


class SetAftercare(Command):
    """How long reviews wait, and which disputes are refunded at once; 0 turns a part off."""

    kind: Literal["set_aftercare"] = "set_aftercare"
    review_wait_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    refund_line_minor: Minor = 0
    refund_payer_day_minor: Minor = 0
    refund_payer_day_count: Annotated[int, Field(ge=0, le=1_000)] = 0
    refund_store_day_minor: Minor = 0
    by: Actor = "staff"
