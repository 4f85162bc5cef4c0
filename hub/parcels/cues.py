"""When nodes are told what shall shine: at once when it changed, again every two seconds.

Outside the fold: what is sent follows from the state, and a node that got it twice shows it once.
"""

from __future__ import annotations

import math

from contracts.wall_messages import WallCues
from hub.state import HubState

__all__ = ["AGAIN_S", "Cues"]

AGAIN_S = 2.0
DARK_AGAIN_S = 10.0
"""That a wall is dark, or is to be calibrated, is repeated for so long: one letter may be lost."""


class Cues:
    """Remembers what each wall's node was told last, and when."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[int, str | None, float, float]] = {}

    def due(self, state: HubState, now_s: float) -> list[tuple[str, WallCues]]:
        """What is to be sent now, as (node, cues)."""
        found = []
        for node in state.store.nodes:
            for wall_id in node.walls:
                wall = state.parcels.walls.get(wall_id)
                if wall is None:
                    continue
                boot = state.devices.all[node.node_id].current
                revision, told, sent_s, changed_s = self._sent.get(
                    wall_id, (-1, None, -math.inf, -math.inf)
                )
                same = (wall.revision, boot) == (revision, told)
                repeats = bool(wall.marks) or now_s < changed_s + DARK_AGAIN_S
                if same and not (repeats and now_s >= sent_s + AGAIN_S):
                    continue
                self._sent[wall_id] = (wall.revision, boot, now_s, changed_s if same else now_s)
                cues = WallCues(
                    wall_id=wall_id,
                    revision=wall.revision,
                    marks=wall.marks,
                    calibrate=wall.calibrate,
                )
                found.append((node.node_id, cues))
        return found

    def forget(self) -> None:
        """Everything is told again: the broker's session is a new one."""
        self._sent.clear()
