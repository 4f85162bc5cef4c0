"""Commands about where goods are: counting, restocking, finds, the planogram, doubtful nodes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.ids import DeviceId, Gtin, SlotId
from hub.catalog.commands import Role
from hub.command import Command

__all__ = [
    "ChangePlanogram",
    "ConfirmMove",
    "CountSlot",
    "FindPieces",
    "FinishRestocking",
    "MoveStock",
    "ReleaseNode",
    "ResolveFind",
    "StartRestocking",
]

WorkId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
Pieces = Annotated[int, Field(ge=1, le=10_000)]


class CountSlot(Command):
    """Somebody counted the pieces of a product in a slot; the books follow.

    More than twice what the slot holds needs `confirmed`. The same `count_id` again changes
    nothing.
    """

    kind: Literal["count_slot"] = "count_slot"
    count_id: WorkId
    slot_id: SlotId
    gtin: Gtin
    counted: Annotated[int, Field(ge=0, le=10_000)]
    role: Role = "staff"
    confirmed: bool = False


class StartRestocking(Command):
    """Somebody begins to fill shelves."""

    kind: Literal["start_restocking"] = "start_restocking"
    session_id: WorkId
    role: Role = "staff"


class MoveStock(Command):
    """Pieces were put into a slot, or taken out of the store if negative."""

    kind: Literal["move_stock"] = "move_stock"
    session_id: WorkId
    move_id: WorkId
    slot_id: SlotId
    gtin: Gtin
    quantity: Annotated[int, Field(ge=-10_000, le=10_000)]
    role: Role = "staff"


class ConfirmMove(Command):
    """A second look at an amount that was kept back: it is right, or it was a mistake."""

    kind: Literal["confirm_move"] = "confirm_move"
    session_id: WorkId
    move_id: WorkId
    approve: bool
    role: Role = "staff"


class FinishRestocking(Command):
    """The shelves are filled. Amounts that nobody confirmed are dropped."""

    kind: Literal["finish_restocking"] = "finish_restocking"
    session_id: WorkId


class FindPieces(Command):
    """Pieces lay about, or a shopper handed them back (then `visit_id` says who)."""

    kind: Literal["find_pieces"] = "find_pieces"
    find_id: WorkId
    gtin: Gtin
    quantity: Pieces
    where: Annotated[str, Field(max_length=200)] = ""
    visit_id: Annotated[str, Field(max_length=127)] | None = None
    role: Role = "staff"


class ResolveFind(Command):
    """Found pieces go back to a slot, or are kept out of sale for good if it is None."""

    kind: Literal["resolve_find"] = "resolve_find"
    find_id: WorkId
    slot_id: SlotId | None
    role: Role = "staff"


class ChangePlanogram(Command):
    """A slot holds another product from now on, or as many of it in another way.

    What of the old product is still there is misplaced. Nodes know no planogram; attribution
    takes the new one up as soon as nobody is in the store.
    """

    kind: Literal["change_planogram"] = "change_planogram"
    slot_id: SlotId
    gtin: Gtin
    facings: Annotated[int, Field(ge=1, le=60)]
    deep: Annotated[int, Field(ge=1, le=30)]
    low_at: Annotated[int, Field(ge=1, le=1_800)] | None = None


class ReleaseNode(Command):
    """A quarantined node was looked at: what it says moves carts again."""

    kind: Literal["release_node"] = "release_node"
    device_id: DeviceId
