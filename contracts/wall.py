"""A pick-up wall: shelves and hooks that parcels wait on, and what sees, lights and scans there.

The frame of a wall is that of a bay (contracts.geometry): u along the wall to the right of a person
who faces it, v from the front plane into the wall (what sticks out in front of it has v < 0), z up.
Boards are as wide and deep as the wall; a hook sticks out of the plane v = `depth_m`.

Whether labels can be read is a matter of geometry, so it stands here: a code of `modules` across
and `module_mm` a module must be resolved by at least `px_per_module_min` pixels a module by some
camera, everywhere on the front plane. `px_per_module` says by how many it is.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.base import Contract
from contracts.geometry import Board, Camera, Intrinsics, Pose
from contracts.ids import BoardId, HookId, LightId, ProjectorId, ScannerId, WallId
from contracts.units import Finite, Metres, PointM, PositiveMetres, Vector3M

__all__ = [
    "MARKER_IDS",
    "PX_PER_MODULE_MIN",
    "Hook",
    "LabelPrint",
    "LightStrip",
    "Marker",
    "Projector",
    "Symbology",
    "Wall",
    "front_points",
    "px_per_module",
    "wall_to_world",
]

PX_PER_MODULE_MIN = 2.6
"""Below so many pixels a module labels are read too seldom."""
MARKER_IDS = 50
"""Markers are of OpenCV's dictionary DICT_4X4_50."""

Symbology = Literal["qr", "code128", "datamatrix"]
"""What labels of parcels are printed as."""


class Hook(Contract):
    """A place where a bag or a parcel with an eyelet hangs: the point it hangs from."""

    hook_id: HookId
    u_m: Metres
    z_m: Metres
    reach_m: Annotated[PositiveMetres, Field(le=1.0, description="how far it sticks out")] = 0.1


class Marker(Contract):
    """A printed square (ArUco, DICT_4X4_50) glued to the wall, parallel to its front plane.

    Markers tell where camera and projector hang. At least four, not all on one line, some of them
    on another depth than the others.
    """

    marker: Annotated[int, Field(ge=0, lt=MARKER_IDS)]
    size_m: Annotated[PositiveMetres, Field(le=0.5, description="side of its black square")]
    centre_m: Annotated[Vector3M, Field(description="(u, v, z) of its centre")]


class LabelPrint(Contract):
    """One kind of label that parcels of this wall carry."""

    symbology: Symbology
    modules: Annotated[
        int, Field(ge=8, le=400, description="across its longer side, quiet zones not counted")
    ]
    module_mm: Annotated[Finite, Field(gt=0, le=20)]


class Projector(Contract):
    """A projector: a camera the other way round. `pose` and `intrinsics` are where to begin; what
    holds is measured by calibration."""

    projector_id: ProjectorId
    intrinsics: Intrinsics
    pose: Pose
    uri: Annotated[
        str,
        Field(max_length=512, description="where pictures go: window:N (a screen), shm://RING"),
    ] = ""


class LightStrip(Contract):
    """A strip of lamps along a board's front edge, for walls without a projector or beside one."""

    light_id: LightId
    board_id: BoardId
    u0_m: Metres
    u1_m: Metres
    lamps: Annotated[int, Field(ge=1, le=2_000)]
    uri: Annotated[
        str,
        Field(max_length=512, description="where it is connected: serial:/dev/ttyUSB0, shm://RING"),
    ] = ""

    @model_validator(mode="after")
    def _has_length(self) -> LightStrip:
        if not self.u0_m < self.u1_m:
            raise ValueError(f"expected u0_m < u1_m, got {self.u0_m} and {self.u1_m}")
        return self


class Wall(Contract):
    """One wall with all that belongs to it."""

    wall_id: WallId
    kind: Annotated[
        Literal["pickup", "van"], Field(description="customers come to it, or it comes to them")
    ] = "pickup"
    origin_m: Annotated[PointM, Field(description="floor point of the front plane at u = 0")]
    facing_deg: Annotated[float, Field(ge=-360, le=360)]
    width_m: PositiveMetres
    height_m: PositiveMetres
    depth_m: PositiveMetres
    boards: Annotated[tuple[Board, ...], Field(max_length=12)] = ()
    hooks: Annotated[tuple[Hook, ...], Field(max_length=200)] = ()
    markers: Annotated[tuple[Marker, ...], Field(max_length=MARKER_IDS)] = ()
    labels: Annotated[tuple[LabelPrint, ...], Field(min_length=1, max_length=12)]
    px_per_module_min: Annotated[Finite, Field(ge=1.0, le=20.0)] = PX_PER_MODULE_MIN
    cameras: Annotated[tuple[Camera, ...], Field(min_length=1, max_length=16)]
    projectors: Annotated[tuple[Projector, ...], Field(max_length=4)] = ()
    lights: Annotated[tuple[LightStrip, ...], Field(max_length=12)] = ()
    scanners: Annotated[
        tuple[ScannerId, ...],
        Field(max_length=8, description="where customers scan in; a kiosk's page is one of them"),
    ] = ()

    @property
    def normal(self) -> tuple[float, float]:
        """The floor direction that the front plane faces, of length one."""
        angle = math.radians(self.facing_deg)
        return math.cos(angle), math.sin(angle)

    @model_validator(mode="after")
    def _whole(self) -> Wall:
        faults = [*_place_faults(self)]
        if self.boards or self.hooks:
            faults += _sight_faults(self)
        if faults:
            raise ValueError("; ".join(faults[:12]))
        return self


def _place_faults(wall: Wall) -> list[str]:
    faults = []
    if not wall.boards and not wall.hooks:
        faults.append(f"wall {wall.wall_id}: expected boards or hooks for parcels, got neither")
    named = (
        ("boards", [one.board_id for one in wall.boards]),
        ("hooks", [one.hook_id for one in wall.hooks]),
        ("markers", [str(one.marker) for one in wall.markers]),
        ("cameras", [one.camera_id for one in wall.cameras]),
        ("projectors", [one.projector_id for one in wall.projectors]),
        ("lights", [one.light_id for one in wall.lights]),
        ("scanners", list(wall.scanners)),
    )
    for field, names in named:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            faults.append(
                f"wall {wall.wall_id}: expected each of its {field} once, got {', '.join(twice)} "
                "more than once"
            )
    boards = {one.board_id for one in wall.boards}
    for light in wall.lights:
        if light.board_id not in boards:
            faults.append(f"wall {wall.wall_id}: light {light.light_id}: no board {light.board_id}")
    for camera in wall.cameras:
        if camera.role != "wall":
            faults.append(
                f"wall {wall.wall_id}: camera {camera.camera_id}: expected role: wall, got "
                f"{camera.role}"
            )
    if wall.projectors and not _markers_span(wall):
        faults.append(
            f"wall {wall.wall_id}: expected at least four markers, not on one line and not all at "
            f"one depth, to calibrate its projectors by; got {len(wall.markers)}"
        )
    return faults


def _markers_span(wall: Wall) -> bool:
    centres = [one.centre_m for one in wall.markers]
    if len(centres) < 4:
        return False
    depths = [v for _, v, _ in centres]
    (u0, _, z0), *rest = centres
    far_u, _, far_z = max(rest, key=lambda one: math.hypot(one[0] - u0, one[2] - z0))
    off = max(abs((far_u - u0) * (z - z0) - (far_z - z0) * (u - u0)) for u, _, z in centres) / max(
        math.hypot(far_u - u0, far_z - z0), 1e-9
    )
    return max(depths) - min(depths) >= 0.02 and off >= 0.1


def _sight_faults(wall: Wall) -> list[str]:
    """Labels that no camera resolves somewhere on the front plane."""
    faults: list[str] = []
    for label in wall.labels:
        worst, place = math.inf, (0.0, 0.0)
        for point in front_points(wall):
            best = max(px_per_module(wall, camera, label, point) for camera in wall.cameras)
            if best < worst:
                worst, place = best, point
        if worst < wall.px_per_module_min:
            seen = f"{worst:.1f} px a module" if worst > 0 else "no camera that sees it"
            faults.append(
                f"wall {wall.wall_id}: labels {label.symbology} of {label.modules} modules of "
                f"{label.module_mm} mm: expected at least {wall.px_per_module_min} px a module "
                f"everywhere, got {seen} at u {place[0]:.2f} m, z {place[1]:.2f} m; add a camera, "
                "take a finer one, hang it nearer, or print larger modules"
            )
    return faults


def front_points(wall: Wall) -> list[tuple[float, float]]:
    """Points of the front plane where parcels may be: (u, z), metres."""
    low = min([one.z_m for one in wall.boards] + [one.z_m - 0.3 for one in wall.hooks])
    high = max([one.z_m + one.clearance_m for one in wall.boards] + [one.z_m for one in wall.hooks])
    edge = 0.05
    return [
        (edge + (wall.width_m - 2 * edge) * i / 8, low + edge + (high - low - 2 * edge) * k / 8)
        for i in range(9)
        for k in range(9)
    ]


def wall_to_world(wall: Wall, point_m: Vector3M) -> Vector3M:
    """The world point of a wall's (u, v, z)."""
    cos, sin = wall.normal
    u, v, z = point_m
    return (
        wall.origin_m[0] - u * sin - v * cos,
        wall.origin_m[1] + u * cos - v * sin,
        z,
    )


def px_per_module(
    wall: Wall, camera: Camera, label: LabelPrint, point_m: tuple[float, float]
) -> float:
    """Pixels a module of an upright label has at (u, z) on the front plane: the lesser of across
    and along. 0 where the camera does not see the point. Distortion is left out."""
    u, z = point_m
    step_m = label.module_mm / 1000.0
    axes, size = _axes(camera.pose), camera.intrinsics
    centre = _pixel(wall, camera, axes, (u, 0.0, z))
    if centre is None:
        return 0.0
    if not (0 <= centre[0] <= size.width - 1 and 0 <= centre[1] <= size.height - 1):
        return 0.0
    right = _pixel(wall, camera, axes, (u + step_m, 0.0, z))
    above = _pixel(wall, camera, axes, (u, 0.0, z + step_m))
    if right is None or above is None:
        return 0.0
    across, along = math.dist(centre, right), math.dist(centre, above)
    return across if label.symbology == "code128" else min(across, along)


def _axes(pose: Pose) -> tuple[list[float], list[float], list[float]]:
    """Right, down and forward in the world, each of length one."""
    forward = _unit([b - a for a, b in zip(pose.position_m, pose.look_at_m, strict=True)])
    right = _unit(_cross(forward, list(pose.up)))
    return right, _unit(_cross(forward, right)), forward


def _pixel(
    wall: Wall,
    camera: Camera,
    axes: tuple[list[float], list[float], list[float]],
    point_m: Vector3M,
) -> tuple[float, float] | None:
    right, down, forward = axes
    place = camera.pose.position_m
    away = [b - a for a, b in zip(place, wall_to_world(wall, point_m), strict=True)]
    depth = _dot(forward, away)
    if depth <= 0.05:
        return None
    lens = camera.intrinsics
    return (
        lens.cx + lens.fx * _dot(right, away) / depth,
        lens.cy + lens.fy * _dot(down, away) / depth,
    )


def _cross(a: list[float], b: list[float]) -> list[float]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def _dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _unit(a: list[float]) -> list[float]:
    length = math.sqrt(_dot(a, a))
    return [c / length for c in a]
