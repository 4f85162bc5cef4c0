"""Things one sees through: glass, film and liquids, blended over what was drawn before.

They are drawn after everything opaque, from far to near, against the depth of the opaque things.
Glass alone writes neither ids nor depth: there the id mask names what is behind the glass. A
liquid writes both, so that a full clear bottle belongs to the bottle like an opaque one, and only
its empty neck does not. A triangle that crosses the near plane is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from store_sim.render.kernels import (
    _LIMIT_PX,
    _SUB,
    NEAR_M,
    _edge,
    _level,
    _limits,
    _plane,
    _texel,
)
from store_sim.render.mesh import Mesh, MeshBuilder

__all__ = ["NO_MIRROR", "Glass", "blend", "glass_of", "hit_behind"]

Floats = NDArray[np.float64]

NO_MIRROR: Floats = np.zeros(5)
"""The `mirror` argument of `blend` for a surface that mirrors no room."""


@dataclass(frozen=True, slots=True)
class Glass:
    """The clear parts of a thing: `mesh`, and how clear it is.

    `veil` (V,) is the share of light from behind that is lost, seen straight on; `sheen` (V,) how
    strongly lamps gleam on it; `solid` (T,) whether a triangle writes ids and depth.
    """

    mesh: Mesh
    veil: Floats
    sheen: Floats
    solid: NDArray[np.bool_]


def glass_of(pieces: Sequence[tuple[Mesh, float, float, bool]]) -> Glass:
    """One Glass of several (mesh, veil, sheen, solid), drawn in this order."""
    build = MeshBuilder()
    for mesh, *_ in pieces:
        build.merge(mesh, mesh.pos, mesh.normal)
    return Glass(
        mesh=build.build(),
        veil=np.concatenate([np.full(len(m.pos), veil) for m, veil, _, _ in pieces]),
        sheen=np.concatenate([np.full(len(m.pos), sheen) for m, _, sheen, _ in pieces]),
        solid=np.concatenate([np.full(len(m.tris), solid) for m, _, _, solid in pieces]),
    )


@njit(cache=True)
def _gleam(x, y, z, n, light):  # type: ignore[no-untyped-def]
    """Facing share and lamps' gleam of a surface of normal n seen along the unit vector x, y, z."""
    facing = -(x * n[0] + y * n[1] + z * n[2])
    rx, ry, rz = x + 2 * facing * n[0], y + 2 * facing * n[1], z + 2 * facing * n[2]
    gleam = 0.0
    lamp = rx * light[2] + ry * light[3] + rz * light[4]
    if lamp > 0.0:
        lamp *= lamp
        lamp *= lamp
        gleam += 1.3 * light[1] * lamp * lamp * lamp
    lamp = rx * light[6] + ry * light[7] + rz * light[8]
    if lamp > 0.0:
        lamp *= lamp
        lamp *= lamp
        gleam += 2.0 * light[5] * lamp * lamp
    return min(1.0, max(0.0, facing)), gleam


@njit(cache=True)
def _room(column, row, depth, cam, mirror):  # type: ignore[no-untyped-def]
    """Brightness of the aisle that a flat pane mirrors at a pixel: lamps, bright windows, floor.

    `mirror` (5,): strength, the pane's normal, the ceiling's height. The other side of the aisle
    is taken to be four metres away, whatever the store is like.
    """
    right, down = (column - cam[14]) / cam[12], (row - cam[15]) / cam[13]
    dx = cam[6] + cam[0] * right + cam[3] * down
    dy = cam[7] + cam[1] * right + cam[4] * down
    dz = cam[8] + cam[2] * right + cam[5] * down
    px, py, pz = cam[9] + depth * dx, cam[10] + depth * dy, cam[11] + depth * dz
    facing = dx * mirror[1] + dy * mirror[2] + dz * mirror[3]
    size = math.sqrt(dx * dx + dy * dy + dz * dz)
    rx, ry, rz = (
        dx - 2 * facing * mirror[1], dy - 2 * facing * mirror[2], dz - 2 * facing * mirror[3]
    )  # fmt: skip
    far = 4.0 / max(1e-6, abs(facing))
    height = pz + far * rz
    value = 0.14
    if height > mirror[4]:
        far = (mirror[4] - pz) / rz
        x, y = px + rx * far, py + ry * far
        across, along = x / 1.4 - math.floor(x / 1.4), y / 1.9 - math.floor(y / 1.9)
        value = 0.26
        if 0.36 < across < 0.54 and along < 0.82:
            value = 1.1
    elif height > 0.0:
        aside = (py + far * ry) * mirror[1] - (px + far * rx) * mirror[2]
        column = aside / 1.6 - math.floor(aside / 1.6)
        if 0.8 < height < 2.3 and 0.08 < column < 0.92:
            value = 0.62
    else:
        value = 0.34
    edge = 1.0 - min(1.0, abs(facing) / size)
    return mirror[0] * value * (0.20 + 0.6 * edge * edge)


@njit(cache=True)
def _blend_fill(  # type: ignore[no-untyped-def]
    a, b, c, solid, out_id, bank, levels, tint, cam, mirror, scissor, smooth, before,
    rgb, ids, depth, touched,
):  # fmt: skip
    """Blends one triangle of corners (x, y, z, u, v, shade, veil, gleam); returns its pixels."""
    ax, ay = int(np.floor(a[0] * _SUB + 0.5)), int(np.floor(a[1] * _SUB + 0.5))
    bx, by = int(np.floor(c[0] * _SUB + 0.5)), int(np.floor(c[1] * _SUB + 0.5))
    cx, cy = int(np.floor(b[0] * _SUB + 0.5)), int(np.floor(b[1] * _SUB + 0.5))
    b, c = c, b
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if area <= 0:
        return 0
    x0 = max(scissor[0], -((-min(ax, bx, cx)) // _SUB))
    x1 = min(scissor[2] - 1, max(ax, bx, cx) // _SUB)
    y0 = max(scissor[1], -((-min(ay, by, cy)) // _SUB))
    y1 = min(scissor[3] - 1, max(ay, by, cy) // _SUB)
    if x0 > x1 or y0 > y1:
        return 0
    level = _level(a, b, c, area, levels)
    offset, tw, th = levels[level, 0], levels[level, 1], levels[level, 2]
    g = (
        ax / _SUB, ay / _SUB, (bx - ax) / _SUB, (by - ay) / _SUB, (cx - ax) / _SUB,
        (cy - ay) / _SUB, _SUB * _SUB / area,
    )  # fmt: skip
    iza, izb, izc = 1.0 / a[2], 1.0 / b[2], 1.0 / c[2]
    us, vs = 8 * tw - (0.5 if smooth else 0.0), 8 * th - (0.5 if smooth else 0.0)
    z0, zx, zy = _plane(iza, izb, izc, g)
    u0, ux, uy = _plane((a[3] * tw + us) * iza, (b[3] * tw + us) * izb, (c[3] * tw + us) * izc, g)
    v0, vx, vy = _plane((a[4] * th + vs) * iza, (b[4] * th + vs) * izb, (c[4] * th + vs) * izc, g)
    s0, sx, sy = _plane(a[5] * iza, b[5] * izb, c[5] * izc, g)
    w0, wx, wy = _plane(a[6] * iza, b[6] * izb, c[6] * izc, g)
    h0, hx, hy = _plane(a[7] * iza, b[7] * izb, c[7] * izc, g)
    ea, eb, ec = _edge(ax, ay, bx, by)
    fa, fb, fc = _edge(bx, by, cx, cy)
    ga, gb, gc = _edge(cx, cy, ax, ay)
    covered = 0
    for y in range(y0, y1 + 1):
        py, px = y * _SUB, x0 * _SUB
        lo, hi = _limits(ea * (px - ax) + eb * (py - ay) + ec, ea * _SUB, 0, x1 - x0)
        lo, hi = _limits(fa * (px - bx) + fb * (py - by) + fc, fa * _SUB, lo, hi)
        lo, hi = _limits(ga * (px - cx) + gb * (py - cy) + gc, ga * _SUB, lo, hi)
        if lo > hi:
            continue
        covered += hi - lo + 1
        zr, ur, vr, sr = z0 + zy * y, u0 + uy * y, v0 + vy * y, s0 + sy * y
        wr, hr = w0 + wy * y, h0 + hy * y
        for x in range(x0 + lo, x0 + hi + 1):
            if before.shape[0] > 0 and depth[y, x] >= before[y, x]:
                continue
            z = 1.0 / (zr + zx * x)
            if z >= depth[y, x]:
                continue
            s, u, v = (sr + sx * x) * z, (ur + ux * x) * z, (vr + vx * x) * z
            veil, gleam = (wr + wx * x) * z, (hr + hx * x) * z
            if mirror[0] > 0.0:
                gleam += _room(x, y, z, cam, mirror)
            if solid:
                depth[y, x] = z
                ids[y, x] = out_id
            at = offset + (int(v) & (th - 1)) * tw + (int(u) & (tw - 1))
            for k in range(3):
                t = _texel(bank, offset, tw, th, u, v, k) if smooth else float(bank[at, k])
                mixed = rgb[y, x, k] * (1.0 - veil) + (t * s * veil + 255.0 * gleam) * tint[k]
                rgb[y, x, k] = np.uint8(min(255.0, max(0.0, mixed)))
    if covered > 0:
        touched[0], touched[1] = min(touched[0], x0), min(touched[1], y0)
        touched[2], touched[3] = max(touched[2], x1 + 1), max(touched[3], y1 + 1)
    return covered


@njit(cache=True)
def blend(  # type: ignore[no-untyped-def]
    pos, normal, shade, uv, veil, sheen, tris, mats, solid, key, bank, levels, cam, light, tint,
    mirror, scissor, smooth, before, rgb, ids, depth, touched,
):  # fmt: skip
    """Blends a Glass over `rgb` inside `scissor`; returns the pixels its solid parts cover.

    `light` is kernels.shade_vertices's, `mirror` that of a flat pane (strength, normal, height of
    the ceiling) or NO_MIRROR. With `before` (H, W) float32 only those pixels are blended whose
    depth is now less: what came between the glass and the store since. An empty `before` blends
    all. A surface seen edge on hides more and gleams more.
    """
    count = pos.shape[0]
    view = np.empty((count, 8))
    for i in range(count):
        dx, dy, dz = pos[i, 0] - cam[9], pos[i, 1] - cam[10], pos[i, 2] - cam[11]
        z = cam[6] * dx + cam[7] * dy + cam[8] * dz
        view[i, 2], view[i, 3], view[i, 4], view[i, 5] = z, uv[i, 0], uv[i, 1], shade[i]
        if z < NEAR_M:
            continue
        x = cam[0] * dx + cam[1] * dy + cam[2] * dz
        y = cam[3] * dx + cam[4] * dy + cam[5] * dz
        view[i, 0] = min(_LIMIT_PX, max(-_LIMIT_PX, cam[14] + cam[12] * x / z))
        view[i, 1] = min(_LIMIT_PX, max(-_LIMIT_PX, cam[15] + cam[13] * y / z))
        size = math.sqrt(dx * dx + dy * dy + dz * dz)
        facing, gleam = _gleam(dx / size, dy / size, dz / size, normal[i], light)
        edge = (1.0 - facing) * (1.0 - facing) * (1.0 - facing)
        view[i, 6] = min(1.0, veil[i] + (1.0 - veil[i]) * 0.55 * edge)
        view[i, 7] = sheen[i] * gleam
    covered = 0
    for t in range(tris.shape[0]):
        a, b, c = view[tris[t, 0]], view[tris[t, 1]], view[tris[t, 2]]
        if a[2] < NEAR_M or b[2] < NEAR_M or c[2] < NEAR_M:
            continue
        done = _blend_fill(
            a, b, c, solid[t], key, bank, levels[mats[t]], tint, cam, mirror, scissor, smooth,
            before, rgb, ids, depth, touched,
        )  # fmt: skip
        if solid[t]:
            covered += done
    return covered


@njit(cache=True)
def hit_behind(depth, before, rects, nearest, hit):  # type: ignore[no-untyped-def]
    """Which of the glass things in `rects` (N, 4) have something new behind them.

    `nearest` (N,) is the least depth of each thing; `hit` (N,) bool receives the answer.
    """
    for i in range(rects.shape[0]):
        hit[i] = False
        for y in range(rects[i, 1], rects[i, 3]):
            for x in range(rects[i, 0], rects[i, 2]):
                if nearest[i] < depth[y, x] < before[y, x]:
                    hit[i] = True
                    break
            if hit[i]:
                break
