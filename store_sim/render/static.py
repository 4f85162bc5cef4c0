"""The static store as a mesh: floor, walls, gates, shelves with boards, price rails and headers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay
from contracts.store_file import StoreFile
from store_sim.render.looks import Look
from store_sim.render.mesh import Bank, Mesh, MeshBuilder, make_bank
from store_sim.render.textures import floor, solid, wall

__all__ = ["bay_axes", "bay_rows", "store_bank", "store_mesh"]

Floats = NDArray[np.float64]

_FLOOR, _WALL, _FAR, _BOARD, _BACK, _UPRIGHT, _RAIL, _HEADER, _METAL, _CEILING, _CLUTTER = range(11)


def bay_axes(bay: Bay) -> tuple[Floats, Floats, Floats]:
    """Origin, unit u axis, unit outward normal of a bay, each (3,) in the world."""
    cos, sin = (round(part, 9) for part in bay.normal)
    origin = np.array([bay.origin_m[0], bay.origin_m[1], 0.0])
    return origin, np.array([-sin, cos, 0.0]), np.array([cos, sin, 0.0])


def bay_rows(store: StoreFile) -> Floats:
    """The (B + boards, 10) table that kernels.shade_vertices reads; column 9 of row 0 is B."""
    rows: list[list[float]] = []
    boards: list[list[float]] = []
    for bay in store.bays:
        origin, _, normal = bay_axes(bay)
        first = len(store.bays) + len(boards)
        boards += [[b.z_m, b.clearance_m] + [0.0] * 8 for b in bay.boards]
        rows.append(
            [
                origin[0], origin[1], normal[0], normal[1], bay.width_m, bay.depth_m, bay.height_m,
                first, len(store.bays) + len(boards), float(len(store.bays)),
            ]
        )  # fmt: skip
    return np.array(rows + boards, np.float64)


def store_bank(look: Look) -> Bank:
    """Textures of the store's surfaces."""
    rng = np.random.default_rng(look.seed)
    return make_bank(
        [
            floor(rng, look.floor, look.floor_rgb),
            wall(rng, look.wall, look.wall_rgb),
            wall(rng, look.far_wall, look.far_wall_rgb),
            solid(rng, look.shelf_rgb, 64, 4.0),
            solid(rng, look.back_rgb, 64, 5.0),
            solid(rng, look.upright_rgb, 32, 4.0),
            _rail(rng, look),
            _header(rng, look),
            solid(rng, (150, 152, 156), 32, 8.0),
            solid(rng, (222, 222, 220), 64, 5.0),
            wall(rng, "poster", tuple(int(c) for c in rng.integers(40, 220, 3)), 128),
        ]
    )


def _rail(rng: np.random.Generator, look: Look) -> NDArray[np.uint8]:
    """A price rail of one metre: labels with a price and bars, 256 x 16."""
    image = np.empty((16, 256, 3), np.uint8)
    image[:] = look.rail_rgb
    image[:2] = (np.array(look.rail_rgb) * 0.7).astype(np.uint8)
    if look.labels:
        x = int(rng.integers(4, 30))
        while x < 236:
            paper = rng.choice(np.array([[250, 250, 246], [250, 236, 120], [240, 120, 100]]),
                               p=(0.8, 0.15, 0.05))  # fmt: skip
            image[2:14, x : x + 20] = paper
            image[4:10, x + 2 : x + 9] = 40
            image[6:8, x + 3 : x + 8] = paper
            image[4:12, x + 11 : x + 19 : 2] = 60
            x += int(rng.integers(26, 70))
    return image


def _header(rng: np.random.Generator, look: Look) -> NDArray[np.uint8]:
    image = np.empty((64, 256, 3), np.uint8)
    image[:] = look.header_rgb
    light = np.clip(np.array(look.header_rgb) * 0.4 + 150, 0, 255).astype(np.uint8)
    x = 40
    while x < 210:
        long = int(rng.integers(6, 16))
        image[22:42, x : x + long] = light
        x += long + 4
    image[:3] = light
    image[-3:] = light
    return image


def store_mesh(store: StoreFile, look: Look) -> Mesh:
    """Everything that never moves, in world metres, part 0."""
    build = MeshBuilder()
    _room(build, store, look)
    for bay in store.bays:
        _bay(build, bay, look)
    for gate in store.gates:
        (ax, ay), (bx, by) = gate.line_m
        for x, y in ((ax, ay), (bx, by)):
            build.box((x - 0.03, y - 0.10, 0.0), (x + 0.03, y + 0.10, 0.95), _METAL, scale=1.0)
    rng = np.random.default_rng(look.seed ^ 0xC1)
    for _ in range(look.clutter):
        w, d, h = rng.uniform(0.25, 0.8), rng.uniform(0.25, 0.6), rng.uniform(0.3, 1.5)
        x = rng.uniform(0.0, max(0.1, store.floor.width_m - w))
        y = rng.choice([rng.uniform(0.0, 0.3), rng.uniform(0.0, store.floor.depth_m * 0.35)])
        mat = int(rng.choice([_CLUTTER, _CLUTTER, _UPRIGHT, _HEADER]))
        build.box((x, y, 0.0), (x + w, y + d, h), mat, scale=1.6, cells=2)
    return build.build()


def _room(build: MeshBuilder, store: StoreFile, look: Look) -> None:
    w, d, h = store.floor.width_m, store.floor.depth_m, store.floor.ceiling_m
    cells = (max(1, round(w / 0.5)), max(1, round(d / 0.5)))
    repeat = look.floor_repeat_m
    build.quad(
        np.array([[0, 0, 0], [w, 0, 0], [w, d, 0], [0, d, 0]], np.float64), (0, 0, 1),
        (0.0, 0.0, w / repeat, d / repeat), _FLOOR, 0, cells,
    )  # fmt: skip
    build.quad(
        np.array([[0, d, h], [w, d, h], [w, 0, h], [0, 0, h]], np.float64), (0, 0, -1),
        (0.0, 0.0, w / 1.2, d / 1.2), _CEILING, 0, cells,
    )  # fmt: skip
    tall = max(1, round(h / 0.6))
    walls = (
        ([[w, 0, h], [0, 0, h], [0, 0, 0], [w, 0, 0]], (0, 1, 0), w, _WALL),
        ([[0, d, h], [w, d, h], [w, d, 0], [0, d, 0]], (0, -1, 0), w, _FAR),
        ([[0, 0, h], [0, d, h], [0, d, 0], [0, 0, 0]], (1, 0, 0), d, _WALL),
        ([[w, d, h], [w, 0, h], [w, 0, 0], [w, d, 0]], (-1, 0, 0), d, _WALL),
    )
    for corners, normal, long, mat in walls:
        build.quad(
            np.array(corners, np.float64), normal, (0.0, 0.0, long / 1.5, h / 1.5), mat, 0,
            (max(1, round(long / 0.6)), tall),
        )  # fmt: skip


def _bay(build: MeshBuilder, bay: Bay, look: Look) -> None:
    """One bay, built in its own axes (u, v into the shelf, z) and turned into the world."""
    part = MeshBuilder()
    w, d, h, t = bay.width_m, bay.depth_m, bay.height_m, look.board_thickness_m
    cells_u, cells_v = max(2, round(w / 0.16)), 5
    for board in bay.boards:
        z = board.z_m
        top = np.array([[0, d, z], [w, d, z], [w, 0, z], [0, 0, z]], np.float64)
        part.quad(top, (0, 0, 1), (0, 0, w * 2, d * 2), _BOARD, 0, (cells_u, cells_v))
        low = np.array([[0, 0, z - t], [w, 0, z - t], [w, d, z - t], [0, d, z - t]], np.float64)
        part.quad(low, (0, 0, -1), (0, 0, w * 2, d * 2), _BOARD, 0, (cells_u, 2))
        rail = look.rail_height_m
        lip = 0.012
        front = np.array(
            [[0, -lip, z + 0.004], [w, -lip, z + 0.004], [w, -0.4 * lip, z - rail],
             [0, -0.4 * lip, z - rail]]
        )  # fmt: skip
        part.quad(front, (0, -1, 0), (0, 0.02, w, 0.98), _RAIL, 0, (cells_u, 1))
        edge = np.array(
            [[0, 0, z + 0.004], [w, 0, z + 0.004], [w, -lip, z + 0.004], [0, -lip, z + 0.004]]
        )
        part.quad(edge, (0, 0, 1), (0, 0.0, w, 0.1), _RAIL, 0, (cells_u, 1))
    base = max(0.05, bay.boards[0].z_m - 0.06)
    part.box((0, 0.03, 0.0), (w, d, base if base < 0.16 else 0.10), _UPRIGHT, scale=2.0, cells=2)
    back = np.array([[0, d, h], [w, d, h], [w, d, 0], [0, d, 0]], np.float64)
    part.quad(back, (0, -1, 0), (0, 0, w * 1.5, h * 1.5), _BACK, 0, (3, 12))
    rear = back[[1, 0, 3, 2]] + np.array([0, 0.02, 0])
    part.quad(rear, (0, 1, 0), (0, 0, w * 1.5, h * 1.5), _BACK, 0, (2, 3))
    for u in (0.0, w):
        if look.side_panels:
            part.box((u - 0.012, 0.0, 0.0), (u + 0.012, d, h), _UPRIGHT, scale=2.0, cells=4)
        else:
            part.box((u - 0.02, d - 0.04, 0.0), (u + 0.02, d, h), _UPRIGHT, scale=2.0, cells=3)
    part.box((0, d - 0.06, h), (w, d, h + 0.16), _HEADER, scale=1.0 / max(w, 0.2))
    mesh = part.build()
    origin, u_axis, normal = bay_axes(bay)

    def turned(points: Floats) -> Floats:
        world = np.empty_like(points)
        for k in range(3):
            world[:, k] = points[:, 0] * u_axis[k] - points[:, 1] * normal[k]
        world[:, 2] += points[:, 2]
        return world

    build.merge(mesh, turned(mesh.pos) + origin, turned(mesh.normal))
