"""Errors of the simulated wall.

SimulatorError (store_sim.errors)
└── WallSimError        a wall, case or call that the simulated wall cannot do
"""

from __future__ import annotations

from store_sim.errors import SimulatorError

__all__ = ["WallSimError"]


class WallSimError(SimulatorError):
    """A wall, case or call that the simulated wall cannot do."""
