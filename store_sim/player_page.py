"""One running store's part of the demo's page: desk, door for commands, memory of pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from store_sim.control import ControlServer, HandOver
from store_sim.player_clips import ClipKeeper, camera_for
from store_sim.player_commands import Come, Command
from store_sim.player_desk import PlayerDesk, VisitOf
from store_sim.scene import Scene
from store_sim.tampering import Troubles
from store_sim.world import World

__all__ = ["PlayerPage"]

LOOK_S = 0.1


class PlayerPage:
    """`serve` and `saw` belong to the world's thread; the server answers on threads of its own."""

    def __init__(self, world: World, troubles: Troubles, *, visit_of: VisitOf) -> None:
        self._world = world
        self._desk = PlayerDesk(world, troubles, visit_of=visit_of)
        self._hand_over = HandOver()
        self._clips = ClipKeeper(world.store.cameras)
        self._camera_id: str | None = None
        self._looked_s = float("-inf")

    def listen(self, *, port: int, token: str) -> ControlServer:
        """Opens the door for the page; SimulatorError if the port is taken."""
        return ControlServer(
            port=port,
            token=token,
            store=self._world.store,
            hand_over=self._hand_over,
            clip=self._clips.clip,
        )

    def serve(self) -> None:
        """Does what was asked for, and shows what there is to see now."""
        self._hand_over.serve(self._obey)
        if self._world.t_s - self._looked_s >= LOOK_S:
            self._looked_s = self._world.t_s
            seen = self._desk.look()
            self._camera_id = self._camera(seen)
            self._hand_over.show({**seen, "camera_id": self._camera_id}, self._desk.holder)

    def saw(self, camera_id: str, rgb: NDArray[np.uint8], scene: Scene, t_s: float) -> None:
        """A picture was taken; it is kept if the avatar is in the store and before this camera."""
        if camera_id == self._camera_id and self._desk.stage in ("inside", "leaving"):
            self._clips.keep(camera_id, rgb, scene, t_s)

    def _obey(self, seat: str, command: Command, tour: bool) -> dict[str, Any]:
        answer = self._desk.obey(seat, command, tour=tour)
        if isinstance(command, Come):
            self._clips.clear()
        return answer

    def _camera(self, seen: dict[str, Any]) -> str | None:
        """The camera that sees the avatar; the one before it stays while there is no avatar."""
        me = next((one for one in seen["people"] if one["you"]), None)
        if me is None:
            return self._camera_id
        return camera_for(
            self._world.store.cameras, seen["you"]["near_bay"], (me["x_m"], me["y_m"])
        )
