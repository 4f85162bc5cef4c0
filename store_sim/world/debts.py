"""Who owes for what, by the written rule: the picker pays.

A hand-over does not move the debt; what goes back to a shelf, or is left on the floor, is owed by
nobody; staff owe nothing, and neither does anybody for things that no store sells.
"""

from __future__ import annotations

from store_sim.truth import ActionKind
from store_sim.world.foreign import FOREIGN
from store_sim.world.shopper import Shopper
from store_sim.world.stock import Item

__all__ = ["Debts"]


class Debts:
    """The debtor of each item that is off its shelf; the counts are in the shoppers' truth."""

    def __init__(self) -> None:
        self._debtors: dict[int, Shopper] = {}

    def moved(self, shopper: Shopper, kind: ActionKind, item: Item) -> None:
        """A shopper did this with an item."""
        if kind not in ("take", "put_back", "drop", "pick_up"):
            return
        debtor = self._debtors.pop(item.index, None)
        if debtor is not None:
            debtor.truth.owed[item.product.gtin] -= 1
        own = item.product.gtin in FOREIGN
        if kind in ("take", "pick_up") and not own and not shopper.plan.staff:
            self._debtors[item.index] = shopper
            shopper.truth.owed[item.product.gtin] += 1

    def left(self, shopper: Shopper) -> None:
        """Who has left owes what was owed at the door; nothing changes that afterwards."""
        self._debtors = {i: one for i, one in self._debtors.items() if one is not shopper}
