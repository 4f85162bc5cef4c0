"""Commands of disputes. What a shopper wrote stays outside of the journal (hub.disputes.words)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub.command import Command
from hub.review.commands import Actor

__all__ = ["DecideDispute", "DisputeId", "OpenDispute"]

DisputeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


class OpenDispute(Command):
    """A shopper says that pieces of a receipt line are not theirs. The same `dispute_id` again
    changes nothing."""

    kind: Literal["open_dispute"] = "open_dispute"
    dispute_id: DisputeId
    visit_id: Annotated[str, Field(max_length=127)]
    line: Annotated[int, Field(ge=1, le=10_000)]
    quantity: Annotated[int, Field(ge=1, le=10_000)]


class DecideDispute(Command):
    """Staff uphold a dispute, which gives the money back, or reject it with a reason."""

    kind: Literal["decide_dispute"] = "decide_dispute"
    dispute_id: DisputeId
    visit_id: Annotated[str, Field(max_length=127)]
    uphold: bool
    reason: Annotated[str, Field(max_length=200)] = ""
    by: Actor = "staff"
