"""The glass doors of fridges: they open when somebody pulls, and swing shut when nobody holds."""

from __future__ import annotations

import math

from contracts.store_file import StoreFile
from store_sim.scene import ANGLE_STEP_RAD, DoorPose

__all__ = ["OPEN_RAD", "Doors"]

OPEN_RAD = 1.4
OPEN_RAD_S = 2.2
SHUT_RAD_S = 1.3


class Doors:
    """All doors of a store. `hold` is called tick by tick by whoever wants one open."""

    def __init__(self, store: StoreFile) -> None:
        self._angles = {bay.bay_id: 0.0 for bay in store.bays if bay.door is not None}
        self._held: set[str] = set()

    def has(self, bay_id: str) -> bool:
        """Whether the bay has a door."""
        return bay_id in self._angles

    def open(self, bay_id: str) -> bool:
        """Whether a hand can pass."""
        return self._angles.get(bay_id, OPEN_RAD) > 0.75 * OPEN_RAD

    def hold(self, bay_id: str) -> None:
        """Somebody pulls the door, or keeps it open, in this tick."""
        self._held.add(bay_id)

    def step(self, dt_s: float) -> None:
        """One tick of swinging."""
        for bay_id, angle in self._angles.items():
            if bay_id in self._held:
                self._angles[bay_id] = min(OPEN_RAD, angle + OPEN_RAD_S * dt_s)
            elif angle > 0.0:
                # A closer is quick while the door is wide open and gentle at the end.
                speed = SHUT_RAD_S * (0.35 + 0.65 * math.sin(min(angle, 0.5 * math.pi)))
                self._angles[bay_id] = max(0.0, angle - speed * dt_s)
        self._held.clear()

    def poses(self) -> tuple[DoorPose, ...]:
        """Angles on the grid of ANGLE_STEP_RAD."""
        return tuple(
            DoorPose(bay_id, round(angle / ANGLE_STEP_RAD) * ANGLE_STEP_RAD)
            for bay_id, angle in self._angles.items()
        )
