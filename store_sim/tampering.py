"""What a person at the page has done to devices of the running store.

>>> troubles = Troubles(())
>>> troubles.add(Mishap(kind="covered", target="cam-a", begin_s=5.0, end_s=25.0))
>>> [mishap.kind for mishap in troubles.at(6.0)], troubles.at(30.0)
(['covered'], ())
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.store_file import StoreFile
from store_sim.dials import CAMERA_MISHAPS, PLATE_MISHAPS, Mishap, MishapKind
from store_sim.errors import BadCommandError, PlayerError

__all__ = ["CAN_SPOIL", "Troubles", "check_target"]

CAN_SPOIL: tuple[MishapKind, ...] = ("covered", "unplugged")
"""What a person may do to a device of the running store."""
ADDED_MAX = 16


class Troubles:
    """Mishaps of the scenario, and those that a person has added; store seconds."""

    def __init__(self, given: Sequence[Mishap]) -> None:
        self._given = tuple(given)
        self._added: tuple[Mishap, ...] = ()

    def add(self, mishap: Mishap) -> None:
        """One more; PlayerError if there are too many at once."""
        self._added = tuple(one for one in self._added if one.end_s > mishap.begin_s)
        if len(self._added) >= ADDED_MAX:
            raise PlayerError(
                f"expected at most {ADDED_MAX} spoiled devices at once; mend some first"
            )
        self._added = (*self._added, mishap)

    def mend(self) -> None:
        """What a person has added is over; what the scenario brings goes on."""
        self._added = ()

    def at(self, t_s: float) -> tuple[Mishap, ...]:
        """What happens now."""
        return tuple(one for one in (*self._given, *self._added) if one.begin_s <= t_s < one.end_s)


def check_target(store: StoreFile, kind: MishapKind, target: str) -> None:
    """BadCommandError unless the store has this device and a person can spoil it so."""
    if kind not in CAN_SPOIL:
        raise BadCommandError(f"kind: expected one of {', '.join(CAN_SPOIL)}, got {kind}")
    known: set[str] = set()
    if kind in CAMERA_MISHAPS:
        known = {camera.camera_id for camera in store.cameras}
    elif kind in PLATE_MISHAPS:
        known = {plate.plate_id for plate in store.plates}
        known |= {plate.bay_id for plate in store.plates}
    if target not in known:
        raise BadCommandError(f"target: expected a device of this store, got {target!r}")
