"""What can be wrong with the floor: bays, walkways, gates, ceiling cameras, nodes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from contracts.geometry import Bay
from contracts.store_file import StoreFile
from store_sim.plan.coverage import (
    HEAD_M,
    HEAD_RADIUS_M,
    TALL_M,
    Eye,
    Floats,
    FloorCoverage,
    floor_coverage,
    from_bay,
    in_bay,
    inside_bay,
)
from store_sim.plan.findings import Finding, error, warning
from store_sim.world.crowd import Ground
from store_sim.world.gates import gateway_of

__all__ = ["floor_findings"]

WALKWAY_M = 0.8
NO_WALKWAY_M = 0.3
"""A gap narrower than this beside or behind a bay is none that anybody would try."""
STAND_M = 0.55
INSIDE_M = {"entry": 1.85, "exit": 0.6}
"""So far inside a gate's line people come in a straight way."""
BODY_M = 0.25
WALL_M = 0.6
"""A gate's line lies at most so far from a wall: people come from beyond it."""
COVERED_SHARE_MIN = 0.98
BLIND_M2 = 0.05
SEAM_M2 = 0.3
WALL_STRIP_M = 0.4
"""Nobody's head is nearer to a wall for long."""
NODE_CORES_MAX = 2.0
FRAME_S = 0.0125
"""CPU of one frame in which something moves, of either role (docs/results.md)."""
HIGH_M = 1.2
"""Ceiling cameras hang at least so far above heads, or a head fills their picture."""


def floor_findings(store: StoreFile, coverage: FloorCoverage) -> list[Finding]:
    """All findings about the floor."""
    return [
        *_bays(store),
        *_walkways(store),
        *_gates(store),
        *_reach(store),
        *_cameras(store),
        *_heads(store, coverage),
        *_nodes(store),
    ]


def _corners(bay: Bay, inset_m: float = 0.0) -> Floats:
    i = inset_m
    flat = [[i, i, 0], [bay.width_m - i, i, 0], [bay.width_m - i, bay.depth_m - i, 0],
            [i, bay.depth_m - i, 0]]  # fmt: skip
    return from_bay(bay, np.array(flat, np.float64))


def _apart(a: Bay, b: Bay) -> bool:
    """Whether two rectangles have an edge between them (separating axes)."""
    for one, other in ((a, b), (b, a)):
        local = in_bay(one, _corners(other))
        size = (one.width_m, one.depth_m)
        if any(local[:, k].max() <= 1e-3 or local[:, k].min() >= size[k] - 1e-3 for k in range(2)):
            return True
    return False


def _bays(store: StoreFile) -> Iterator[Finding]:
    width, depth = store.floor.width_m, store.floor.depth_m
    for bay in store.bays:
        corners = _corners(bay)
        x, y = corners[:, 0], corners[:, 1]
        if x.min() < -0.01 or y.min() < -0.01 or x.max() > width + 0.01 or y.max() > depth + 0.01:
            yield error(
                "bay-outside", bay.bay_id,
                f"it reaches over the floor of {width:g} x {depth:g} m: x {x.min():.2f} to "
                f"{x.max():.2f}, y {y.min():.2f} to {y.max():.2f}",
                "move origin_m, or turn facing_deg: u runs to the right of somebody who faces the "
                "shelf",
            )  # fmt: skip
        if bay.height_m > store.floor.ceiling_m:
            yield error(
                "bay-height", bay.bay_id,
                f"it is {bay.height_m:g} m high under a ceiling of {store.floor.ceiling_m:g} m",
                "lower the bay or raise floor.ceiling_m",
            )  # fmt: skip
    for a, b in combinations(store.bays, 2):
        if not _apart(a, b):
            yield error(
                "bays-overlap", f"{a.bay_id} and {b.bay_id}", "they stand in each other",
                "move one of them",
            )  # fmt: skip


def _free_m(store: StoreFile, bay: Bay, start: Floats, way: Floats, far_m: float) -> float:
    """How far it is from a floor point to the next bay or wall, at most `far_m`."""
    steps = np.arange(0.02, far_m, 0.02)
    points = start + steps[:, None] * way
    stopped = (
        (points[:, 0] < 0) | (points[:, 1] < 0)
        | (points[:, 0] > store.floor.width_m) | (points[:, 1] > store.floor.depth_m)
    )  # fmt: skip
    feet = np.column_stack([points[:, :2], np.full(len(points), 1e-3)])
    for other in store.bays:
        if other is not bay:
            stopped |= inside_bay(other, feet)
    return float(steps[int(np.argmax(stopped))]) if stopped.any() else far_m


def _walkways(store: StoreFile) -> Iterator[Finding]:
    for bay in store.bays:
        behind = _gap(store, bay, "behind")
        sides = [("before", 0.0)]
        if behind > NO_WALKWAY_M:
            # Beside a bay that stands against a wall there is a corner and no way through.
            sides += [(name, NO_WALKWAY_M) for name in ("behind", "left of", "right of")]
        for name, least in sides:
            free = _gap(store, bay, name)
            if least < free < WALKWAY_M:
                yield warning(
                    "narrow", bay.bay_id,
                    f"the way {name} it is {free:.2f} m wide; people need {WALKWAY_M} m to pass",
                    "move the bay, or close the gap altogether",
                )  # fmt: skip


def _gap(store: StoreFile, bay: Bay, side: str) -> float:
    """The narrowest way from a side of a bay to what comes next."""
    w, d = bay.width_m, bay.depth_m
    places, (u, v) = {
        "before": ([(share * w, 0.0) for share in (0.1, 0.3, 0.5, 0.7, 0.9)], (0.0, -1.0)),
        "left of": ([(0.0, 0.05 * d), (0.0, 0.5 * d)], (-1.0, 0.0)),
        "right of": ([(w, 0.05 * d), (w, 0.5 * d)], (1.0, 0.0)),
        "behind": ([(0.25 * w, d), (0.75 * w, d)], (0.0, 1.0)),
    }[side]
    way = from_bay(bay, np.array([[u, v, 0.0]])) - from_bay(bay, np.zeros((1, 3)))
    starts = [from_bay(bay, np.array([[*at, 0.0]])) for at in places]
    return min(_free_m(store, bay, start, way, WALKWAY_M + 0.04) for start in starts)


def _gates(store: StoreFile) -> Iterator[Finding]:
    ground = Ground(store)
    width, depth = store.floor.width_m, store.floor.depth_m
    for gate in store.gates:
        way = gateway_of(store, gate.kind, gate.gate_id)
        x, y = way.middle
        if min(abs(x), abs(y), abs(width - x), abs(depth - y)) > WALL_M:
            yield warning(
                "gate-inland", gate.gate_id,
                f"its line is {min(x, y, width - x, depth - y):.1f} m from every wall; people "
                "come from beyond it",
                "put line_m at a wall of the floor",
            )  # fmt: skip
        if way.width_m < WALKWAY_M:
            yield warning(
                "gate-narrow", gate.gate_id,
                f"it is {way.width_m:.2f} m wide; people need {WALKWAY_M} m",
                "let line_m be longer",
            )  # fmt: skip
        points = [
            way.point(ahead, aside * way.width_m)
            for ahead in np.linspace(0.1, INSIDE_M[gate.kind], 8).tolist()
            for aside in (-0.25, 0.0, 0.25)
        ]
        if not all(ground.clear(*point) for point in points):
            yield error(
                "gate-blocked", gate.gate_id,
                f"a bay or wall stands in the way within {INSIDE_M[gate.kind]} m inside its line",
                "move the gate or the bay",
            )  # fmt: skip
        zone = np.array(gate.zone_m)
        if zone.max(axis=0)[0] <= 0 or zone.max(axis=0)[1] <= 0 or (
            zone.min(axis=0)[0] >= width or zone.min(axis=0)[1] >= depth
        ):  # fmt: skip
            yield error(
                "gate-zone", gate.gate_id,
                "its zone lies outside the floor: nobody is ever in it",
                "zone_m is where somebody stands who shows a code: the floor before the line",
            )  # fmt: skip


def _reach(store: StoreFile) -> Iterator[Finding]:
    """Whether one can walk from the entry to each slot and on to the exit."""
    ground = Ground(store)
    start = ground.beside(*gateway_of(store, "entry", None).point(INSIDE_M["entry"]))
    out = ground.beside(*gateway_of(store, "exit", None).point(INSIDE_M["exit"]))
    if not ground.reachable(*start, *out):
        yield error(
            "no-way-out", "gates", "there is no way from the entry to the exit",
            f"leave at least {WALKWAY_M} m between bays and walls",
        )  # fmt: skip
    bays = {bay.bay_id: bay for bay in store.bays}
    for slot in store.slots:
        bay = bays[slot.bay_id]
        u = (slot.u0_m + slot.u1_m) / 2
        stands = from_bay(bay, np.array([[u + k, -STAND_M, 0.0] for k in (0.0, -0.3, 0.3)]))
        if not any(
            ground.clear(x, y) and ground.indoors(x, y) and ground.reachable(*start, x, y)
            for x, y, _ in stands.tolist()
        ):
            yield error(
                "unreachable", slot.slot_id, "nobody can come to stand before it",
                f"leave {WALKWAY_M} m before the front of {bay.bay_id}, and a way to it",
            )  # fmt: skip


def _cameras(store: StoreFile) -> Iterator[Finding]:
    floor = store.floor
    for camera in store.cameras:
        x, y, z = camera.pose.position_m
        if not (0 <= x <= floor.width_m and 0 <= y <= floor.depth_m and 0 < z <= floor.ceiling_m):
            yield error(
                "camera-outside", camera.camera_id,
                f"it hangs at ({x:g}, {y:g}, {z:g}), outside the room of {floor.width_m:g} x "
                f"{floor.depth_m:g} x {floor.ceiling_m:g} m",
                "set position_m in metres, with z below the ceiling",
            )  # fmt: skip
        point = np.array([[x, y, z]])
        for bay in store.bays:
            if inside_bay(bay, point)[0]:
                yield error(
                    "camera-inside", camera.camera_id, f"it is inside {bay.bay_id}",
                    "hang it before the front, above the header",
                )  # fmt: skip
        if camera.role == "ceiling" and z < HEAD_M + HIGH_M:
            yield warning(
                "camera-low", camera.camera_id,
                f"it hangs at {z:g} m, {z - HEAD_M:.1f} m above heads, and sees little at a time",
                f"hang ceiling cameras at {HEAD_M + HIGH_M:.1f} m or more",
            )  # fmt: skip


def _heads(store: StoreFile, coverage: FloorCoverage) -> Iterator[Finding]:
    ceilings = [camera for camera in store.cameras if camera.role == "ceiling"]
    if not ceilings:
        yield error(
            "no-ceiling-camera", "cameras",
            "there is no ceiling camera: who took something cannot be known, so nothing is charged",
            "add cameras with role: ceiling until heads are seen everywhere (3.5 m up, fx 270 at "
            "640 x 360, one covers 4.4 x 2.5 m)",
        )  # fmt: skip
        return
    open_floor = np.argwhere(coverage.seen >= 0)
    heads = np.column_stack(
        [(open_floor[:, ::-1] + 0.5) * coverage.step_m, np.full(len(open_floor), HEAD_M)]
    )
    for camera in ceilings:
        if not Eye(camera).project(heads)[1].any():
            yield error(
                "ceiling-camera-aside", camera.camera_id,
                "no head on the floor is in its picture",
                "check look_at_m and up of its pose",
            )  # fmt: skip
    if coverage.share(1) < COVERED_SHARE_MIN:
        spots = [spot for spot in coverage.blind_spots() if spot[2] >= BLIND_M2]
        shown = "; ".join(f"{area:.1f} m² around ({x:.1f}, {y:.1f})" for x, y, area in spots[:5])
        yield warning(
            "floor-blind", "cameras",
            f"heads are seen over {coverage.share(1):.0%} of the floor; not over {shown}",
            "add or turn ceiling cameras; who is out of sight for long may be taken for another",
        )  # fmt: skip
    yield from _seams(store)


def _seams(store: StoreFile) -> Iterator[Finding]:
    """Where tall people are cut by the borders of all pictures, away from the walls."""
    tall = floor_coverage(store, TALL_M, HEAD_RADIUS_M)
    edge = math.ceil(WALL_STRIP_M / tall.step_m)
    inner = np.full_like(tall.seen, -1)
    inner[edge:-edge, edge:-edge] = tall.seen[edge:-edge, edge:-edge]
    spots = FloorCoverage(tall.step_m, inner).blind_spots()
    area = sum(spot[2] for spot in spots)
    if area >= SEAM_M2:
        x, y, _ = spots[0]
        yield warning(
            "floor-seam", "cameras",
            f"heads of people of {TALL_M} m are seen whole by no camera over {area:.1f} m², most "
            f"of it around ({x:.1f}, {y:.1f}); tracks may break there",
            "let the pictures of ceiling cameras overlap more: set them nearer to each other, or "
            "higher, or add one",
        )  # fmt: skip


def _nodes(store: StoreFile) -> Iterator[Finding]:
    for node in store.nodes:
        cameras = [
            camera
            for camera in store.cameras
            if (node.floor if camera.role == "ceiling" else camera.bay_id in node.bays)
        ]
        cores = math.fsum(camera.fps for camera in cameras) * FRAME_S
        if cores > NODE_CORES_MAX:
            role = "ceiling cameras at a lower fps" if node.floor else "some bays to another node"
            yield warning(
                "node-busy", node.node_id,
                f"its {len(cameras)} cameras take about {cores:.1f} CPU cores when all of them "
                "see something move",
                f"give it {role}, or a machine of more than {math.ceil(cores)} cores",
            )  # fmt: skip
