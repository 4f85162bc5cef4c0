"""Who is in the store, and who came for which place in the day's plans."""

from __future__ import annotations

from store_sim.world.shopper import Shopper

__all__ = ["People"]


class People:
    """Looks people up. `inside` is the world's own list of who is in the store or at its gates."""

    def __init__(self, inside: list[Shopper]) -> None:
        self._inside = inside
        self.at_place: dict[int, int] = {}
        """The index of the shopper who came for a place in the day's plans."""

    def at(self, place: int) -> Shopper | None:
        """The shopper who came for a place, while in the store."""
        index = self.at_place.get(place)
        return next((one for one in self._inside if one.index == index), None)

    def is_inside(self, index: int) -> bool:
        """Whether the shopper of this index is in the store, or at its gate."""
        return any(one.index == index for one in self._inside)

    def wallet_of(self, index: int) -> int:
        """The shopper on whose wallet a shopper's code is asked for: the group's payer, or the
        shopper."""
        plan = next((one.plan for one in self._inside if one.index == index), None)
        if plan is None or plan.payer is None:
            return index
        return self.at_place.get(plan.payer, index)

    def is_staff(self, index: int) -> bool:
        """Whether the shopper of this index is staff, who show a badge and no phone's code."""
        return any(one.index == index and one.plan.staff for one in self._inside)

    def others(self, shopper: Shopper) -> list[Shopper]:
        """Everybody else."""
        return [other for other in self._inside if other is not shopper]
