"""Live stock. Per product, always:

    initial + restocked = on shelves + in carts + sold + found + removed + unaccounted

and no count is negative; whatever writes says so or raises StockError. `restocked` also takes up
pieces the books did not know of: a shelf that gives more than it held held more. `unaccounted`
holds pieces that left a shelf with nobody the hub knows, or that a settled visit could not be
charged for: what is lost, or was stolen. `found` is what lies in the lost-and-found, `removed`
what staff took out of the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.store_file import StoreFile
from hub.attribution.model import Decision
from hub.errors import RejectedError, StockError
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
    found: int = 0
    removed: int = 0

    def gone(self) -> int:
        """Pieces that are neither on a shelf nor in a cart."""
        return self.sold + self.unaccounted + self.found + self.removed

    def whole(self) -> bool:
        """Whether no count is negative."""
        counted = (self.initial, self.restocked, self.sold, self.unaccounted, self.found)
        return min(*counted, self.removed, *self.carts.values(), 0) >= 0


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
        for product in store.products:
            # One that has no slot yet is given one by staff, or lies where it does not belong.
            self.counts.setdefault(product.gtin, Counts())
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
        self.check(best.gtin)
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
        self.check(*charged)

    def restock(self, slot_id: str, gtin: str, quantity: int) -> Place:
        """Staff put pieces on a shelf, or took some off if negative."""
        place = self.place(slot_id, gtin)
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
        self.check(gtin)
        return place

    def remove(self, slot_id: str, gtin: str, quantity: int) -> Place:
        """Staff took pieces out of the store."""
        place = self.place(slot_id, gtin)
        if not 0 < quantity <= self.shelf.get(place, 0):
            raise RejectedError(
                f"expected to take 1 to {self.shelf.get(place, 0)} of {gtin} out of {slot_id}, got "
                f"{quantity}; count the slot first if it holds more"
            )
        self.shelf[place] -= quantity
        self.counts[gtin].removed += quantity
        self.check(gtin)
        return place

    def count(self, slot_id: str, gtin: str, counted: int) -> int:
        """Somebody counted a place: the books follow. Returns by how many pieces they were wrong.

        Pieces too few are unaccounted for; pieces too many are some of those, or came in unseen.
        """
        place = self.place(slot_id, gtin)
        if not 0 <= counted <= QUANTITY_MAX:
            raise RejectedError(f"expected to count 0 to {QUANTITY_MAX}, got {counted}")
        difference = counted - self.shelf.get(place, 0)
        self.shelf[place] = counted
        self._appear(gtin, difference)
        self.check(gtin)
        return difference

    def find(self, gtin: str, quantity: int) -> None:
        """Pieces lay about: they are in the lost-and-found now."""
        if gtin not in self.counts or not 0 < quantity <= QUANTITY_MAX:
            raise RejectedError(
                f"expected 1 to {QUANTITY_MAX} of a GTIN of the store, got {quantity} of {gtin}"
            )
        self._appear(gtin, quantity)
        self.counts[gtin].found += quantity
        self.check(gtin)

    def give_out(self, gtin: str, quantity: int, slot_id: str | None) -> Place | None:
        """Pieces leave the lost-and-found: back to a slot, or for good (written off)."""
        place = None if slot_id is None else self.place(slot_id, gtin)
        counts = self.counts[gtin]
        if not 0 < quantity <= counts.found:
            raise RejectedError(f"expected 1 to {counts.found} found pieces, got {quantity}")
        counts.found -= quantity
        if place is None:
            counts.unaccounted += quantity
        else:
            self.shelf[place] = self.shelf.get(place, 0) + quantity
        self.check(gtin)
        return place

    def place(self, slot_id: str, gtin: str) -> Place:
        """A place of the store; RejectedError if there is none."""
        if slot_id not in self.slots or gtin not in self.counts:
            raise RejectedError(f"expected a slot and a GTIN of the store, got {slot_id}, {gtin}")
        return slot_id, gtin

    def check(self, *gtins: str) -> None:
        """StockError if a product's pieces do not add up; called after every write."""
        on_shelves = dict.fromkeys(gtins, 0)
        for (slot_id, gtin), count in self.shelf.items():
            if gtin in on_shelves:
                if count < 0:
                    raise StockError(f"expected 0 or more of {gtin} in {slot_id}, got {count}")
                on_shelves[gtin] += count
        for gtin, shelved in on_shelves.items():
            counts = self.counts[gtin]
            had = counts.initial + counts.restocked
            has = shelved + sum(counts.carts.values()) + counts.gone()
            if had != has or not counts.whole():
                raise StockError(f"expected {had} pieces of {gtin}, the books account for {has}")

    def _appear(self, gtin: str, quantity: int) -> None:
        """Pieces turned up, or are missing if negative: the other side of the books."""
        counts = self.counts[gtin]
        known = min(quantity, counts.unaccounted)
        counts.unaccounted -= known
        counts.restocked += quantity - known

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
                gtin: [
                    c.initial,
                    c.restocked,
                    sorted(c.carts.items()),
                    c.sold,
                    c.unaccounted,
                    *_more(c),
                ]
                for gtin, c in sorted(self.counts.items())
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes in what `dump` described."""
        self.shelf = {(slot, gtin): count for slot, gtin, count in state["shelf"]}
        self.counts = {
            gtin: Counts(initial, restocked, dict(carts), *others)
            for gtin, (initial, restocked, carts, *others) in state["counts"].items()
        }


def _more(counts: Counts) -> list[int]:
    """Counts that came later; left out while they are nothing, so that old digests hold."""
    return [counts.found, counts.removed] if counts.found or counts.removed else []
