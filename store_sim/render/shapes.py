"""Shapes of packaging beyond box, can and bottle: bags, cartons, jars, trays and their like.

Each function adds the opaque faces to a MeshBuilder in the item frame of store_sim.scene.ItemPose
and returns what is clear about the thing, or None. Texture 0 is the label atlas, 1 the stuff
inside or underneath, 2 the clear material, 3 the liquid (see store_sim.render.finishes).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import Packaging
from store_sim.render.atlas import BACK, CAP, FRONT, SIDE, TOP, uv_of
from store_sim.render.glass import Glass, glass_of
from store_sim.render.mesh import Mesh, MeshBuilder

__all__ = ["SHAPES"]

Floats = NDArray[np.float64]
Uv = tuple[float, float, float, float]

_LABEL, _STUFF, _CLEAR, _LIQUID = range(4)
_SIDES = 16
_WHOLE: Uv = (0.0, 0.0, 1.0, 1.0)


def _sheet(
    build: MeshBuilder, pos: Floats, uv: Uv, mat: int, *, inside_m: tuple[float, float, float]
) -> None:
    """A grid (rows from top to bottom, columns from left to right, 3) as one smooth surface.

    Normals point away from `inside_m`.
    """
    rows, columns = pos.shape[:2]
    down, right = np.gradient(pos, axis=0), np.gradient(pos, axis=1)
    normal = np.cross(right, down)
    size = np.sqrt((normal**2).sum(axis=2, keepdims=True))
    away = pos - np.array(inside_m)
    flat = size[..., 0] < 1e-12
    # Where a sheet ends in a point its normal is the way from the middle.
    normal = np.where(flat[..., None], away, normal / np.maximum(size, 1e-12))
    if float((normal * away).sum()) < 0:
        normal = np.where(flat[..., None], normal, -normal)
    v, u = np.meshgrid(np.linspace(uv[1], uv[3], rows), np.linspace(uv[0], uv[2], columns),
                       indexing="ij")  # fmt: skip
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
    d, e = index[1:, :-1].ravel(), index[1:, 1:].ravel()
    tris = np.concatenate([np.stack([a, b, e], 1), np.stack([a, e, d], 1)]).astype(np.int64)
    build.add(
        pos.reshape(-1, 3), normal.reshape(-1, 3), np.stack([u, v], 2).reshape(-1, 2), tris, mat
    )


def _pair(
    build: MeshBuilder, x: Floats, y: Floats, z: Floats, mats: tuple[int, int], regions: bool
) -> None:
    """A front sheet of half depth `y` and its mirror image at the back, both (rows, columns)."""
    middle = (0.0, 0.0, 0.5 * float(z.max() + z.min()))
    front = np.stack([x, -y, z], 2)
    back = np.stack([x, y, z], 2)[:, ::-1]
    uvs = (uv_of(FRONT), uv_of(BACK)) if regions else (_WHOLE, _WHOLE)
    _sheet(build, front, uvs[0], mats[0], inside_m=middle)
    _sheet(build, back, uvs[1], mats[1], inside_m=middle)


def _film_of(mesh: Mesh, veil: float, sheen: float) -> Glass:
    """The same surface once more as a film that only gleams."""
    clear = Mesh(
        mesh.pos + 2e-4 * mesh.normal, mesh.normal, mesh.uv, mesh.tris,
        np.full(len(mesh.tris), _CLEAR, np.int64), mesh.parts,
    )  # fmt: skip
    return glass_of([(clear, veil, sheen, False)])


def _crumple(look: Packaging, rows: int, columns: int) -> Floats:
    """Uneven folds -1..1, the same for the same packaging."""
    seed = [*look.base_rgb, *look.accent_rgb, round(1e4 * look.height_m), rows]
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.0, 1.0, (rows, columns))


def _bag(build: MeshBuilder, look: Packaging) -> Glass | None:
    w, d, h = look.width_m, look.depth_m, look.height_m
    q = np.array([1.0, 0.95, 0.87, 0.75, 0.62, 0.48, 0.34, 0.21, 0.12, 0.05, 0.0])[:, None]
    s = np.linspace(0.0, 1.0, 10)[None]
    belly = np.sin(np.pi * np.clip((q - 0.05) / 0.90, 0.0, 1.0) ** 0.88) ** 0.5
    across = np.sin(np.pi * s) ** 0.62
    folds = _crumple(look, 11, 10) * (0.05 + 0.12 * np.abs(2 * q - 1) ** 3)
    thick = across * belly * (0.90 + folds)
    pulled = 1.0 - 0.055 * belly * (0.9 + 0.2 * _crumple(look, 11, 1))
    x = (s - 0.5) * w * np.broadcast_to(pulled, (11, 10))
    wavy = 0.12 * np.sin(2.6 * np.pi * s) * (q > 0.94) * d
    y = 0.5 * d * np.minimum(1.0, thick / 0.9) * np.ones_like(x)
    z = q * h * np.ones_like(x)
    middle = (0.0, 0.0, 0.5 * h)
    front = np.stack([x, -y + wavy, z], 2)
    back = np.stack([x, y + wavy, z], 2)[:, ::-1]
    _sheet(build, front, uv_of(FRONT), _LABEL, inside_m=middle)
    _sheet(build, back, uv_of(BACK), _LABEL, inside_m=middle)
    return _film_of(build.build(), 0.0, 0.42)


def _pouch(build: MeshBuilder, look: Packaging) -> Glass | None:
    w, d, h = look.width_m, look.depth_m, look.height_m
    q = np.array([1.0, 0.93, 0.84, 0.70, 0.54, 0.38, 0.22, 0.09, 0.0])[:, None]
    s = np.linspace(0.0, 1.0, 9)[None]
    full = np.cos(0.5 * np.pi * np.clip(q / 0.93, 0.0, 1.0)) ** 0.7
    oval = np.sin(np.pi * s) ** 0.5
    folds = 1.0 + 0.10 * _crumple(look, 9, 9) * np.sin(np.pi * q)
    x = (s - 0.5) * w * (1.0 - 0.05 * full)
    y = 0.5 * d * np.minimum(1.0, full * oval * folds)
    z = q * h * np.ones_like(x)
    _pair(build, x, y, z, (_LABEL, _LABEL), True)
    shell = build.build()
    # The bottom gusset folds inwards between the two sheets.
    edge = np.stack([x[-1], y[-1], z[-1]], 1)
    gusset = np.stack([edge * (1, -1, 1), edge * (1, 0, 1) + (0, 0, 0.06 * h), edge])
    _sheet(build, gusset, uv_of((4, 4, 12, 12)), _LABEL, inside_m=(0.0, 0.0, 0.6 * h))
    return _film_of(shell, 0.0, 0.22)


def _around(
    build: MeshBuilder, profile: list[tuple[float, float]], squash: float,
    out: float = 1.0, mat: int = _LABEL,
) -> None:  # fmt: skip
    """The label round a body of (radius, z) from top to bottom: front half, barcode half."""
    turn = np.linspace(0.0, np.pi, _SIDES // 2 + 1)[None]
    r = np.array([p[0] for p in profile])[:, None] * out
    z = np.array([p[1] for p in profile])[:, None] * np.ones_like(turn)
    inside = (0.0, 0.0, float(z.mean()))
    for half, region in ((0, FRONT), (1, BACK)):
        angle = np.pi + turn + half * np.pi
        pos = np.stack([r * np.cos(angle), r * np.sin(angle) * squash, z], 2)
        _sheet(build, pos, uv_of(region), mat, inside_m=inside)


def _lid(build: MeshBuilder, radius: float, low: float, high: float, squash: float) -> None:
    """A round lid with a milled rim; its top bears the TOP region."""
    rim = 0.12 * (high - low)
    build.lathe(
        [(radius * 0.96, high), (radius, high - rim), (radius, low)], _SIDES, uv_of(CAP), _LABEL,
        squash=squash,
    )  # fmt: skip
    _disc(build, radius * 0.96, high, squash, uv_of(TOP), _LABEL)
    _disc(build, radius, low, squash, uv_of(CAP), _LABEL, up=False)


def _disc(
    build: MeshBuilder, radius: float, z: float, squash: float, uv: Uv, mat: int, up: bool = True
) -> None:
    part = MeshBuilder()
    part.disc(radius, z, up, _SIDES, uv, mat)
    mesh = part.build()
    build.merge(mesh, mesh.pos * np.array([1.0, squash, 1.0]), mesh.normal)


def _jar(build: MeshBuilder, look: Packaging) -> Glass | None:
    r, h = look.width_m / 2, look.height_m
    squash = look.depth_m / look.width_m
    _lid(build, 0.90 * r, 0.86 * h, h, squash)
    inside = [(0.0, 0.80 * h), (0.93 * r, 0.795 * h), (0.93 * r, 0.06 * h), (0.80 * r, 0.03 * h)]
    build.lathe(inside, _SIDES, (0.0, 0.0, 3.0, 1.0), _STUFF, squash=squash)
    _around(build, [(r, 0.64 * h), (r, 0.20 * h)], squash, 1.004)
    _disc(build, 0.84 * r, 0.0, squash, (0.0, 0.0, 1.0, 1.0), _STUFF, up=False)
    shell = MeshBuilder()
    shell.lathe(
        [
            (0.82 * r, 0.87 * h), (0.84 * r, 0.84 * h), (0.97 * r, 0.78 * h), (r, 0.72 * h),
            (r, 0.05 * h), (0.95 * r, 0.01 * h), (0.84 * r, 0.0),
        ], _SIDES + 4, _WHOLE, _CLEAR, squash=squash,
    )  # fmt: skip
    return glass_of([(shell.build(), 0.05, 0.9, False)])


def _tub(build: MeshBuilder, look: Packaging) -> Glass | None:
    r, h = look.width_m / 2, look.height_m
    squash = look.depth_m / look.width_m
    _around(build, [(0.94 * r, 0.93 * h), (0.86 * r, 0.5 * h), (0.76 * r, 0.03 * h)], squash)
    build.lathe([(0.76 * r, 0.03 * h), (0.72 * r, 0.0)], _SIDES, uv_of((2, 2, 8, 8)), _LABEL,
                squash=squash)  # fmt: skip
    _disc(build, 0.72 * r, 0.0, squash, uv_of((2, 2, 8, 8)), _LABEL, up=False)
    rim = [(0.985 * r, h), (r, 0.985 * h), (r, 0.955 * h), (0.94 * r, 0.93 * h)]
    build.lathe(rim, _SIDES, uv_of(CAP), _LABEL, squash=squash)
    _disc(build, 0.985 * r, h, squash, uv_of(TOP), _LABEL)
    lid = MeshBuilder()
    _disc(lid, 0.97 * r, h + 2e-4, squash, _WHOLE, _CLEAR)
    return glass_of([(lid.build(), 0.0, 0.8, False)])


def _carton(build: MeshBuilder, look: Packaging) -> Glass | None:
    x, y, h = look.width_m / 2, look.depth_m / 2, look.height_m
    body, ridge, fin = 0.74 * h, 0.93 * h, h
    side, top, cap = uv_of(SIDE), uv_of(TOP), uv_of(CAP)
    quads = (
        ([[-x, -y, body], [x, -y, body], [x, -y, 0], [-x, -y, 0]], (0, -1, 0), uv_of(FRONT)),
        ([[x, y, body], [-x, y, body], [-x, y, 0], [x, y, 0]], (0, 1, 0), uv_of(BACK)),
        ([[-x, y, body], [-x, -y, body], [-x, -y, 0], [-x, y, 0]], (-1, 0, 0), side),
        ([[x, -y, body], [x, y, body], [x, y, 0], [x, -y, 0]], (1, 0, 0), side),
        ([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]], (0, 0, -1), uv_of((4, 4, 12, 12))),
        ([[-x, 0, ridge], [x, 0, ridge], [x, -y, body], [-x, -y, body]],
         (0, -(ridge - body), y), top),
        ([[x, 0, ridge], [-x, 0, ridge], [-x, y, body], [x, y, body]], (0, ridge - body, y), top),
        ([[-x, -0.002, fin], [x, -0.002, fin], [x, -0.002, ridge], [-x, -0.002, ridge]],
         (0, -1, 0), uv_of((84, 180, 160, 190))),
        ([[x, 0.002, fin], [-x, 0.002, fin], [-x, 0.002, ridge], [x, 0.002, ridge]],
         (0, 1, 0), uv_of((84, 180, 160, 190))),
    )  # fmt: skip
    for corners, normal, uv in quads:
        size = math.sqrt(sum(c * c for c in normal))
        build.quad(np.array(corners), [c / size for c in normal], uv, _LABEL, cells=(1, 2))
    # The gable's ends are folded in: two triangles that meet in a crease.
    for s in (-1.0, 1.0):
        crease = np.array([s * 0.45 * x, 0.0, 0.5 * (body + ridge)])
        base = np.array([[s * x, -y, body], [s * x, y, body]])
        tip = np.array([s * x, 0.0, ridge])
        for a, b in ((base[0], base[1]), (base[0], tip), (tip, base[1])):
            pos = np.array([a, b, crease])
            face: Floats = np.cross(b - a, crease - a)
            out = np.array([s, 0.0, 0.3])
            face = face if float((face * out).sum()) > 0 else -face
            face = face / np.sqrt((face**2).sum())
            tex = np.array([[side[0], side[1]], [side[2], side[1]], [side[0], side[1] + 0.05]])
            build.add(pos, np.tile(face, (3, 1)), tex, np.array([[0, 1, 2]]), _LABEL)
    if look.cap_rgb is not None:
        _screw_cap(build, 0.42 * min(x, 0.03), y, body, ridge, cap)
    return None


def _screw_cap(
    build: MeshBuilder, radius: float, y: float, body: float, ridge: float, cap: Uv
) -> None:
    """A round cap in the middle of the front slope of a gable top, upright on it."""
    part = MeshBuilder()
    part.lathe([(radius, radius), (radius * 1.05, -0.2 * radius)], 10, cap, _LABEL)
    part.disc(radius, radius, True, 10, cap, _LABEL)
    mesh = part.build()
    long = math.hypot(y, ridge - body)
    cos, sin = y / long, (ridge - body) / long
    turn = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    at = np.array([0.0, -0.5 * y, 0.5 * (body + ridge)])
    pos = np.stack([(mesh.pos * turn[k]).sum(axis=1) for k in range(3)], 1) + at
    normal = np.stack([(mesh.normal * turn[k]).sum(axis=1) for k in range(3)], 1)
    build.merge(mesh, pos, normal)


def _clear_bottle(build: MeshBuilder, look: Packaging) -> Glass | None:
    r, h = look.width_m / 2, look.height_m
    squash = look.depth_m / look.width_m
    neck = max(0.010, min(0.016, 0.42 * r))
    cap = uv_of(CAP)
    _around(build, [(r, 0.54 * h), (r, 0.24 * h)], squash, 1.006)
    build.lathe([(neck * 1.18, h), (neck * 1.25, 0.93 * h), (neck * 1.05, 0.928 * h)], 10, cap, 0)
    build.disc(neck * 1.18, h, True, 10, uv_of((170, 178, 176, 184)), 0)
    build.lathe([(neck * 1.05, 0.915 * h), (neck * 1.4, 0.91 * h), (neck * 1.05, 0.90 * h)],
                10, cap, 0)  # fmt: skip
    body = [
        (0.62 * r + 0.2 * neck, 0.77 * h), (0.90 * r, 0.70 * h), (r, 0.63 * h), (r, 0.57 * h),
        (0.955 * r, 0.55 * h), (0.955 * r, 0.23 * h), (r, 0.21 * h), (0.96 * r, 0.12 * h),
        (r, 0.07 * h), (0.92 * r, 0.015 * h), (0.72 * r, 0.0),
    ]  # fmt: skip
    liquid, shell = MeshBuilder(), MeshBuilder()
    level = (0.70 * r + 0.2 * neck, 0.755 * h)
    held = [level, *((0.97 * a, max(0.004 * h, z)) for a, z in body[1:])]
    liquid.lathe(held, _SIDES, _WHOLE, _LIQUID, squash=squash)
    _disc(liquid, level[0], level[1], squash, _WHOLE, _LIQUID)
    _disc(liquid, 0.72 * r, 0.0, squash, _WHOLE, _LIQUID, up=False)
    throat = [(neck, 0.93 * h), (neck, 0.86 * h), (1.15 * neck, 0.83 * h)]
    shell.lathe([*throat, *body], _SIDES + 4, _WHOLE, _CLEAR, squash=squash)
    return glass_of([(liquid.build(), _murk(look), 0.0, True), (shell.build(), 0.06, 1.0, False)])


def _murk(look: Packaging) -> float:
    """How much a liquid hides: water a little, cola nearly all."""
    red, green, blue = look.fill_rgb or (206, 226, 234)
    high, low = max(red, green, blue), min(red, green, blue)
    return min(0.96, 0.22 + 1.1 * (high - low) / 255 + 0.8 * (1 - high / 255))


def _tray(build: MeshBuilder, look: Packaging) -> Glass | None:
    x, y, h = look.width_m / 2, look.depth_m / 2, look.height_m
    rim, low = 0.93 * h, 0.86
    ring = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    wall = uv_of((172, 180, 250, 250))
    for k, (ax, ay) in enumerate(ring):
        bx, by = ring[(k + 1) % 4]
        out = (0.5 * (ax + bx), 0.5 * (ay + by))
        corners = [
            [ax * x, ay * y, rim], [bx * x, by * y, rim],
            [bx * x * low, by * y * low, 0], [ax * x * low, ay * y * low, 0],
        ]  # fmt: skip
        build.quad(np.array(corners), (out[0], out[1], -0.12), wall, _LABEL, cells=(2, 2))
        outer = np.array(corners[:2])
        lip = outer[::-1] * (0.92, 0.90, 1.0) - (0.0, 0.0, 0.06 * h)
        build.quad(np.concatenate([outer, lip]), (0, 0, 1), wall, _LABEL)
    bottom = [[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]]
    build.quad(np.array(bottom) * (low, low, 1), (0, 0, -1), uv_of(BACK), _LABEL)
    s, t = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(1, -1, 7))
    edge = np.clip(4 * (1 - np.maximum(np.abs(s), np.abs(t))), 0.0, 1.0)
    food = rim * (0.66 + 0.26 * edge * (0.75 + 0.25 * _crumple(look, 7, 9)))
    inside = (0.0, 0.0, -1.0)
    _sheet(build, np.stack([0.96 * x * s, 0.95 * y * t, food], 2), (0, 0, 1, 1), _STUFF,
           inside_m=inside)  # fmt: skip
    s, t = np.meshgrid(np.linspace(-0.42, 0.42, 3), np.linspace(0.98, -0.98, 5))
    label = np.stack([x * s, y * t, h * np.ones_like(s)], 2)
    _sheet(build, label, uv_of(FRONT), _LABEL, inside_m=inside)
    film = MeshBuilder()
    s, t = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(1, -1, 7))
    sag = 0.035 * h * (np.cos(0.5 * np.pi * s) + 0.6 * _crumple(look, 7, 9)) * (np.abs(s) < 1)
    _sheet(film, np.stack([x * s, y * t, 0.985 * h - 0.5 * np.abs(sag)], 2), _WHOLE, _CLEAR,
           inside_m=inside)  # fmt: skip
    return glass_of([(film.build(), 0.07, 1.0, False)])


def _tube(build: MeshBuilder, look: Packaging) -> Glass | None:
    w, d, h = look.width_m / 2, look.depth_m / 2, look.height_m
    round_m = min(w, d)
    q = np.array([1.0, 0.95, 0.94, 0.75, 0.55, 0.35, 0.2, 0.15])[:, None]
    flat = np.clip((q - 0.2) / 0.74, 0.0, 1.0)
    turn = np.linspace(0.0, np.pi, _SIDES // 2 + 1)[None]
    x = -np.cos(turn) * (round_m + (w - round_m) * flat**0.8)
    y = np.sin(turn) * d * np.cos(0.5 * np.pi * flat) ** 0.8
    z = q * h * np.ones_like(x)
    _pair(build, x, y, z, (_LABEL, _LABEL), True)
    cap = 0.92 * round_m
    squash = d / round_m
    build.lathe([(round_m, 0.15 * h), (cap, 0.14 * h), (0.94 * cap, 0.0)], _SIDES, uv_of(CAP),
                _LABEL, squash=squash)  # fmt: skip
    _disc(build, 0.94 * cap, 0.0, squash, uv_of(CAP), _LABEL, up=False)
    return _film_of(build.build(), 0.0, 0.18)


def _net(build: MeshBuilder, look: Packaging) -> Glass | None:
    w, d, h = look.width_m / 2, look.depth_m / 2, look.height_m
    full = 0.80
    q = np.concatenate([[1.0, 0.93], full * np.linspace(1.0, 0.0, 10)])[:, None]
    turn = np.linspace(0.0, 2 * np.pi, 21)[None]
    # Fruits press against the net in rows that are shifted by half a fruit.
    rise = np.clip(q / full, 0.0, 1.0)
    bump = np.abs(np.sin(2.5 * turn + np.pi * (np.floor(rise * 2.999) % 2) / 2))
    bump = bump * np.abs(np.sin(3 * np.pi * rise))
    round_m = np.sin(np.pi * np.clip(0.10 + 0.90 * rise, 0.0, 1.0) ** 0.95) ** 0.42
    radius = np.where(q > full, 0.10 + 0.25 * (q > 0.99), np.maximum(0.09, round_m))
    radius = radius * (0.82 + 0.12 * bump)
    radius = np.where(q <= 0.0, 0.0, radius)
    angle = np.pi + turn
    pos = np.stack([w * radius * np.cos(angle), d * radius * np.sin(angle),
                    q * h * np.ones_like(turn)], 2)  # fmt: skip
    _sheet(build, pos, (0.0, 0.0, 2.0, 1.5), _STUFF, inside_m=(0.0, 0.0, 0.4 * h))
    band = [(0.87 * w, 0.53 * h), (w, 0.42 * h), (w, 0.32 * h), (0.93 * w, 0.22 * h)]
    _around(build, band, d / w, 0.998)
    return None


def _lump(build: MeshBuilder, look: Packaging) -> Glass | None:
    w, d, h = look.width_m / 2, look.depth_m / 2, look.height_m
    rows, columns = 8, 11
    rise = np.linspace(0.5 * np.pi, -0.5 * np.pi, rows)[:, None]
    turn = np.linspace(0.0, 2 * np.pi, columns)[None]
    uneven = _crumple(look, rows, columns)
    uneven[:, -1] = uneven[:, 0]
    uneven[0], uneven[-1] = uneven[0, 0], uneven[-1, 0]
    radius = 0.90 + 0.10 * uneven
    flat = np.sign(np.cos(rise)) * np.abs(np.cos(rise)) ** 0.7
    x, y = radius * flat * np.cos(turn), radius * flat * np.sin(turn)
    z = np.maximum(-0.82, radius * np.sin(rise))
    pos = np.stack([x, y, z * np.ones_like(x)], 2)
    low, high = pos.min(axis=(0, 1)), pos.max(axis=(0, 1))
    size = np.array([2 * w, 2 * d, h]) / (high - low)
    pos = (pos - low) * size - np.array([w, d, 0.0])
    _sheet(build, pos, (0.0, 0.0, 2.0, 1.0), _STUFF, inside_m=(0.0, 0.0, 0.5 * h))
    return None


SHAPES: Final[dict[str, Callable[[MeshBuilder, Packaging], Glass | None]]] = {
    "bag": _bag, "pouch": _pouch, "jar": _jar, "tub": _tub, "carton": _carton,
    "clear_bottle": _clear_bottle, "tray": _tray, "tube": _tube, "net": _net, "lump": _lump,
}  # fmt: skip
"""By the value of contracts.store_file.Packaging.shape."""
