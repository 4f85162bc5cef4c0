"""Frames of reference and the shapes that store file, node configuration and messages share.

World frame: metres, right-handed; x along the far wall, y from the gate wall to the far wall,
z up, the floor at z = 0.

Bay frame (u, v, z): the front plane of a shelf is the vertical plane through `origin_m`.
u runs along the front plane to the right of a person who faces the shelf, v runs from the front
plane into the shelf, z is the world's z. With the outward normal n = (cos a, sin a), where
a = `facing_deg`, the world point of (u, v, z) is

    x = origin.x - u * sin a - v * cos a
    y = origin.y + u * cos a - v * sin a

Camera frame (OpenCV): x right, y down, z forward, pixels from the centre of the top left pixel.
`up` is the world direction that points to the top of the picture; with f = look_at - position,
right = f x up, down = f x right (each normalised), a world point P has the camera coordinates
(right, down, f) . (P - position) and the pixel (cx + fx x', cy + fy y'). Without distortion
(x', y') = (x, y) = (X / Z, Y / Z); with the lens's `distortion` (k1, k2, p1, p2, k3), as OpenCV
defines it ("Camera Calibration and 3D Reconstruction") and cv2.calibrateCamera finds it,

    r2 = x^2 + y^2, radial = 1 + k1 r2 + k2 r2^2 + k3 r2^3
    x' = x radial + 2 p1 x y + p2 (r2 + 2 x^2)
    y' = y radial + p1 (r2 + 2 y^2) + 2 p2 x y
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.base import Contract
from contracts.ids import BayId, BoardId, CameraId, GateId, PlateId
from contracts.units import Finite, Metres, PointM, PositiveMetres, Vector3M

__all__ = ["Bay", "Board", "Camera", "Footprint", "Gate", "Intrinsics", "Plate", "Pose"]


class Board(Contract):
    """One horizontal board of a bay."""

    board_id: BoardId
    z_m: Annotated[Metres, Field(ge=0, description="height of the board's upper face")]
    clearance_m: Annotated[PositiveMetres, Field(description="free height above the board")]


class Bay(Contract):
    """One bay of a gondola: a front plane and its boards, all as wide and deep as the bay."""

    bay_id: BayId
    origin_m: Annotated[PointM, Field(description="floor point of the front plane at u = 0")]
    facing_deg: Annotated[
        float,
        Field(ge=-360, le=360, description="direction of the outward normal, from +x to +y"),
    ]
    width_m: PositiveMetres
    depth_m: PositiveMetres
    height_m: PositiveMetres
    boards: Annotated[tuple[Board, ...], Field(min_length=1, max_length=12)]
    door: Annotated[
        Literal["glass"] | None, Field(description="a hinged door before the front plane")
    ] = None

    @cached_property
    def normal(self) -> tuple[float, float]:
        """The floor direction that the front plane faces, of length one."""
        angle = math.radians(self.facing_deg)
        return math.cos(angle), math.sin(angle)

    @model_validator(mode="after")
    def _boards_rise(self) -> Bay:
        heights = [board.z_m for board in self.boards]
        if heights != sorted(heights) or len(set(heights)) != len(heights):
            raise ValueError(f"expected boards from the lowest to the highest, got z_m {heights}")
        return self


DISTORTION_STEPS = 256


class Footprint(Contract):
    """The floor under a bay: nobody stands there. The frame is the bay's."""

    origin_m: PointM
    facing_deg: Annotated[float, Field(ge=-360, le=360)]
    width_m: PositiveMetres
    depth_m: PositiveMetres


class Intrinsics(Contract):
    """A pinhole camera and its lens's distortion; focal lengths and centre in pixels."""

    width: Annotated[int, Field(ge=16, le=7680)]
    height: Annotated[int, Field(ge=16, le=4320)]
    fx: Annotated[Finite, Field(gt=0)]
    fy: Annotated[Finite, Field(gt=0)]
    cx: Finite
    cy: Finite
    distortion: Annotated[
        tuple[Finite, Finite, Finite, Finite, Finite],
        Field(description="k1, k2, p1, p2, k3 of OpenCV's model; zeros: a lens without distortion"),
    ] = (0.0, 0.0, 0.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _distortion_can_be_undone(self) -> Intrinsics:
        """Farther from the centre must mean farther out in the picture, up to its corners."""
        if not any(self.distortion):
            return self
        k1, k2, _, _, k3 = self.distortion
        corner = max(
            math.hypot((x - self.cx) / self.fx, (y - self.cy) / self.fy)
            for x in (0, self.width - 1)
            for y in (0, self.height - 1)
        )
        r, seen = 0.0, 0.0
        while seen < corner:
            r += corner / DISTORTION_STEPS
            before, seen = seen, r * (1 + r**2 * (k1 + r**2 * (k2 + r**2 * k3)))
            if seen <= before:
                raise ValueError(
                    f"expected a distortion that can be undone up to the picture's corners, "
                    f"{corner:.2f} focal lengths from its centre; {self.distortion} folds back at "
                    f"{before:.2f}; calibrate with points near the corners"
                )
        return self


class Pose(Contract):
    """Where a camera hangs and where it looks."""

    position_m: Vector3M
    look_at_m: Vector3M
    up: tuple[Finite, Finite, Finite]

    @model_validator(mode="after")
    def _looks_somewhere(self) -> Pose:
        f = [b - a for a, b in zip(self.position_m, self.look_at_m, strict=True)]
        u = self.up
        cross = (
            f[1] * u[2] - f[2] * u[1],
            f[2] * u[0] - f[0] * u[2],
            f[0] * u[1] - f[1] * u[0],
        )
        if sum(c * c for c in cross) < 1e-9:
            raise ValueError(
                f"expected `up` not along the line of sight, got up {self.up} for a camera that "
                f"looks along {tuple(f)}"
            )
        return self


class Camera(Contract):
    """A camera and what it is for."""

    camera_id: CameraId
    role: Literal["shelf", "ceiling", "wall"]
    bay_id: Annotated[BayId | None, Field(description="the bay a shelf camera watches")] = None
    fps: Annotated[float, Field(gt=0, le=120)]
    intrinsics: Intrinsics
    pose: Pose
    uri: Annotated[
        str,
        Field(description="where frames come from: shm://, file:, rtsp://, usb:", max_length=512),
    ] = ""

    @model_validator(mode="after")
    def _shelf_has_bay(self) -> Camera:
        if (self.role == "shelf") != (self.bay_id is not None):
            raise ValueError(
                f"expected a bay_id for a shelf camera and none for any other, got role "
                f"{self.role} and bay_id {self.bay_id}"
            )
        return self


class Plate(Contract):
    """A weighing plate: a stretch of one board, as deep as the bay."""

    plate_id: PlateId
    bay_id: BayId
    board_id: BoardId
    u0_m: Metres
    u1_m: Metres

    @model_validator(mode="after")
    def _has_width(self) -> Plate:
        if not self.u0_m < self.u1_m:
            raise ValueError(f"expected u0_m < u1_m, got {self.u0_m} and {self.u1_m}")
        return self


class Gate(Contract):
    """An entry or exit: the line crossed on the floor and the zone a scanning shopper stands in."""

    gate_id: GateId
    kind: Literal["entry", "exit"]
    line_m: tuple[PointM, PointM]
    zone_m: Annotated[
        tuple[PointM, ...],
        Field(min_length=3, max_length=16, description="polygon on the floor, in order"),
    ]
