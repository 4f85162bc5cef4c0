"""The cameras' half of a node: frames in, observations out; no state shared between cameras.

Each camera has its own pipeline, so a driver may give each its own thread and hand the
observations to `NodeCore.step`, or keep them and join them again later with other plates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from contracts.messages import NodeConfig
from edge.errors import NodeConfigError
from edge.exchange import Observation
from edge.walls import WallEye
from hardware.ports import Frame
from vision.errors import FrameError
from vision.observations import CeilingObservation, ShelfObservation
from vision.wall import WallObservation

__all__ = ["CeilingEye", "Perception", "Remembers", "ShelfEye"]


class ShelfEye(Protocol):
    """A shelf camera's pipeline."""

    def step(self, frame: Frame, /) -> ShelfObservation:
        """What is seen in the frame."""
        ...


class CeilingEye(Protocol):
    """A ceiling camera's pipeline."""

    def step(self, frame: Frame, /) -> CeilingObservation:
        """What is seen in the frame."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """Something whose state outlives a restart."""

    def snapshot(self) -> Any:
        """Plain values that JSON can hold."""
        ...

    def restore(self, state: Any) -> None:
        """Takes up what `snapshot` gave."""
        ...


class Perception:
    """The pipelines of all cameras of a node, by camera id.

    NodeConfigError if they are not exactly the cameras of the configuration.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        shelf: Mapping[str, ShelfEye],
        ceiling: Mapping[str, CeilingEye],
        walls: Mapping[str, WallEye] | None = None,
    ) -> None:
        walls = walls or {}
        for role, eyes in (("shelf", shelf), ("ceiling", ceiling), ("wall", walls)):
            expected = {one.camera_id for one in config.eyes if one.role == role}
            if strangers := set(eyes) - expected:
                raise NodeConfigError(
                    f"expected pipelines for the {role} cameras {sorted(expected)} of node "
                    f"{config.node_id}, got {sorted(strangers)} as well; check the configuration"
                )
        self._shelf = dict(shelf)
        self._ceiling = dict(ceiling)
        self._walls = dict(walls)
        self._wall_of = {
            camera.camera_id: wall.wall_id for wall in config.walls for camera in wall.cameras
        }
        self._bays = {one.camera_id: one.bay_id or "" for one in config.cameras}

    @property
    def camera_ids(self) -> frozenset[str]:
        """Cameras that have a pipeline."""
        return frozenset(self._shelf) | frozenset(self._ceiling) | frozenset(self._walls)

    def perceive(self, frame: Frame) -> Observation:
        """What the frame's camera sees; a frame that cannot be used makes a blind observation.

        KeyError if the camera has no pipeline here.
        """
        try:
            if frame.camera_id in self._walls:
                return self._walls[frame.camera_id].perceive(frame)
            if frame.camera_id in self._shelf:
                return self._shelf[frame.camera_id].step(frame)
            return self._ceiling[frame.camera_id].step(frame)
        except FrameError as error:
            return self._blind(frame, str(error))

    def _blind(self, frame: Frame, reason: str) -> Observation:
        if frame.camera_id in self._shelf:
            return ShelfObservation(
                camera_id=frame.camera_id,
                bay_id=self._bays[frame.camera_id],
                t_s=frame.t_s,
                active=False,
                blind=reason,
            )
        if frame.camera_id in self._walls:
            return WallObservation(
                camera_id=frame.camera_id,
                wall_id=self._wall_of[frame.camera_id],
                t_s=frame.t_s,
                active=False,
                blind=reason,
            )
        nothing: NDArray[np.float64] = np.zeros((0, 4))
        return CeilingObservation(
            camera_id=frame.camera_id,
            t_s=frame.t_s,
            heads=nothing,
            wrists=nothing,
            colours=np.zeros((0, 3), np.float32),
            blind=reason,
        )

    def snapshot(self, cameras: Collection[str] | None = None) -> dict[str, Any]:
        """State of the shelf cameras that keep one, by camera id; of `cameras` if given."""
        return {
            name: eye.snapshot()
            for name, eye in self._shelf.items()
            if isinstance(eye, Remembers) and (cameras is None or name in cameras)
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Gives each shelf camera its own state back; cameras without one start afresh."""
        for name, eye in self._shelf.items():
            if name in state and isinstance(eye, Remembers):
                eye.restore(state[name])
