"""Live stock. Per product, always:

    initial + restocked = on shelves + in carts + sold + unaccounted

and no count is negative. `restocked` also takes up pieces the books did not know of: a shelf that
gives more than it held held more. `unaccounted` holds pieces that left a shelf with nobody the
hub knows, or that a settled visit could not be charged for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.store_file import StoreFile
from hub.attribution.model import Decision
from hub.errors import RejectedError
from hub.wallet.service import ChargeLine

__all__ = ["STAFF", "Counts", "Place", "Stock"]

Place = tuple[str, str]
"""Slot and GTIN: a misplaced piece is where it lies now, under its own GTIN."""
QUANTITY_MAX = 10_000
STAFF = "staff"
"""Holds nothing: what staff put on shelves is restocked, what they take is unaccounted for. No
visit has this name."""


@dataclass(slots=True)
class Counts:
    """Where the pieces of one product are, apart from the shelves."""

    initial: int = 0
    restocked: int = 0
    carts: dict[str, int] = field(default_factory=dict)
    sold: int = 0
    unaccounted: int = 0


class Stock:
    """Pieces per place and product, moved by certain decisions."""

    def __init__(self, store: StoreFile) -> None:
        self.shelf: dict[Place, int] = {}
        self.counts: dict[str, Counts] = {}
        self._moves: dict[tuple[str, int], tuple[Place, int, str | None]] = {}
        for slot in store.slots:
            pieces = slot.facings * slot.deep
            self.shelf[slot.slot_id, slot.gtin] = pieces
            self.counts.setdefault(slot.gtin, Counts()).initial += pieces
        self.slots = {slot.slot_id for slot in store.slots}

    def apply(self, decision: Decision, visit_id: str | None) -> set[Place]:
        """Undoes what this reach's line moved before and moves what it says now.

        `visit_id` is whose cart it goes to; None if nobody's, STAFF if staff's. Returns the
        places touched.
        """
        key = (decision.reach_id, decision.line)
        touched: set[Place] = set()
        before = self._moves.pop(key, None)
        if before is not None:
            place, quantity, holder = before
            self._shift(place, -quantity, holder, undo=True)
            touched.add(place)
        best = decision.best
        if not decision.certain or best.gtin is None or best.quantity == 0:
            return touched
        if best.gtin not in self.counts and best.quantity < 0:
            self.counts[best.gtin] = Counts()
        slot_id = best.slot_id if best.slot_id in self.slots else self._home(best.gtin)
        if best.gtin not in self.counts or slot_id is None:
            return touched
        place = (slot_id, best.gtin)
        self._shift(place, best.quantity, visit_id)
        self._moves[key] = (place, best.quantity, visit_id)
        touched.add(place)
        return touched

    def settle(self, visit_id: str, lines: Iterable[ChargeLine]) -> None:
        """What was charged is sold; what else the cart held is unaccounted for."""
        charged: dict[str, int] = {}
        for line in lines:
            charged[line.gtin] = charged.get(line.gtin, 0) + line.quantity
        for gtin, counts in self.counts.items():
            held = counts.carts.pop(visit_id, 0)
            sold = charged.get(gtin, 0)
            counts.sold += sold
            if held >= sold:
                counts.unaccounted += held - sold
            else:
                counts.restocked += sold - held
        self._moves = {key: move for key, move in self._moves.items() if move[2] != visit_id}

    def restock(self, slot_id: str, gtin: str, quantity: int) -> Place:
        """Staff put pieces on a shelf, or took some off if negative."""
        if slot_id not in self.slots or gtin not in self.counts:
            raise RejectedError(f"expected a slot and a GTIN of the store, got {slot_id}, {gtin}")
        place = (slot_id, gtin)
        if not -QUANTITY_MAX <= quantity <= QUANTITY_MAX or self.shelf.get(place, 0) + quantity < 0:
            raise RejectedError(
                f"expected to leave 0 or more in {slot_id}, which holds "
                f"{self.shelf.get(place, 0)}, got {quantity}"
            )
        self.shelf[place] = self.shelf.get(place, 0) + quantity
        if quantity >= 0:
            self.counts[gtin].restocked += quantity
        else:
            self.counts[gtin].unaccounted -= quantity
        return place

    def forget_moves(self) -> None:
        """No decision of the past can be revised any more; places go into their dumped order."""
        self._moves.clear()
        self.shelf = dict(sorted(self.shelf.items()))

    def on_shelves(self, gtin: str) -> int:
        """Pieces of a product on all shelves."""
        return sum(count for (_slot, name), count in self.shelf.items() if name == gtin)

    def _home(self, gtin: str) -> str | None:
        return next((slot for slot, name in self.shelf if name == gtin), None)

    def _shift(
        self, place: Place, quantity: int, holder: str | None, *, undo: bool = False
    ) -> None:
        """Moves pieces from the shelf to the holder; back if the quantity is negative."""
        counts = self.counts[place[1]]
        left = self.shelf.get(place, 0) - quantity
        if left < 0:
            left += self._from_elsewhere(place, -left)
        if left < 0:
            counts.restocked -= left
            left = 0
        self.shelf[place] = left
        if holder == STAFF and (quantity < 0) != undo:
            # Put on the shelf, or that taken back: it came in from outside, or did not.
            counts.restocked -= quantity
            return
        if holder == STAFF:
            holder = None
        held = (counts.unaccounted if holder is None else counts.carts.get(holder, 0)) + quantity
        if held < 0:
            counts.restocked -= held
            held = 0
        if holder is None:
            counts.unaccounted = held
        else:
            counts.carts[holder] = held

    def _from_elsewhere(self, place: Place, wanted: int) -> int:
        """A shelf gave more than it held: the pieces came from other places of the product."""
        got = 0
        for other, count in self.shelf.items():
            if other != place and other[1] == place[1] and got < wanted:
                take = min(count, wanted - got)
                self.shelf[other] = count - take
                got += take
        return got

    def dump(self) -> dict[str, Any]:
        """The state as JSON values; only between visits."""
        return {
            "shelf": [[slot, gtin, count] for (slot, gtin), count in sorted(self.shelf.items())],
            "counts": {
                gtin: [c.initial, c.restocked, sorted(c.carts.items()), c.sold, c.unaccounted]
                for gtin, c in sorted(self.counts.items())
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes in what `dump` described."""
        self.shelf = {(slot, gtin): count for slot, gtin, count in state["shelf"]}
        self.counts = {
            gtin: Counts(initial, restocked, dict(carts), sold, unaccounted)
            for gtin, (initial, restocked, carts, sold, unaccounted) in state["counts"].items()
        }
