"""The compiled core of the renderer: triangles, shadows, noise and small filters.

Everything here is plain float64 and int64 arithmetic without fast-math and without threads, so
that a picture has the same bytes in every process. Triangle corners are snapped to 1/16 pixel and
edges are tested in integers with the top-left rule, which makes neighbouring triangles meet
without gaps and without drawing a pixel twice (Pineda, "A Parallel Algorithm for Polygon
Rasterization", SIGGRAPH 1988). Values at a pixel come from plane equations evaluated at that
pixel, never from running sums, so that a redraw of a part of the picture gives the same bytes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from store_sim.scene import ITEM_ID_BASE

__all__ = [
    "FAR_M",
    "NEAR_M",
    "add_grain",
    "blur_binomial",
    "cast_shadow",
    "develop",
    "draw",
    "motion_blur",
    "place",
    "shade_vertices",
    "skin",
    "world_points",
]

NEAR_M = 0.06
"""Distance of the near plane; nearer geometry is cut off."""
FAR_M = 1e9
"""Depth of a pixel that nothing covers."""

_SUB = 16
_LIMIT_PX = 3e5


@njit(cache=True)
def place(local, rotation, base, out):  # type: ignore[no-untyped-def]
    """Rotates (V, 3) points by a (3, 3) matrix and moves them; writes `out` (V, 3)."""
    for i in range(local.shape[0]):
        x, y, z = local[i, 0], local[i, 1], local[i, 2]
        for k in range(3):
            out[i, k] = rotation[k, 0] * x + rotation[k, 1] * y + rotation[k, 2] * z + base[k]


@njit(cache=True)
def skin(local, normal, bone, frames, pos, norm):  # type: ignore[no-untyped-def]
    """Moves vertices with their bones: `frames` (B, 4, 3) holds origin, x, y and z axis."""
    for i in range(local.shape[0]):
        f = frames[bone[i]]
        for k in range(3):
            pos[i, k] = (
                f[0, k] + f[1, k] * local[i, 0] + f[2, k] * local[i, 1] + f[3, k] * local[i, 2]
            )
            norm[i, k] = f[1, k] * normal[i, 0] + f[2, k] * normal[i, 1] + f[3, k] * normal[i, 2]


@njit(cache=True)
def shade_vertices(pos, norm, light, bays, shade):  # type: ignore[no-untyped-def]
    """Brightness of each vertex: sky, sun, second lamp, height, and the dark inside of bays.

    `light` (12,): ambient, sun strength, sun direction (3, towards the sun), fill strength, fill
    direction (3), floor bounce, height gain, shelf darkness. `bays` (B, 10): origin x, y, outward
    normal x, y, width, depth, height, and for the boards of a bay the first and last row of the
    rows that follow all bays (column 0: board height, column 1: clearance).
    """
    ambient, sun, fill = light[0], light[1], light[5]
    n_bays = int(bays[0, 9]) if bays.shape[0] > 0 else 0
    for i in range(pos.shape[0]):
        nx, ny, nz = norm[i, 0], norm[i, 1], norm[i, 2]
        value = ambient * (0.72 + 0.28 * nz) + light[9] * max(0.0, -nz)
        dot = nx * light[2] + ny * light[3] + nz * light[4]
        if dot > 0.0:
            value += sun * dot
        dot = nx * light[6] + ny * light[7] + nz * light[8]
        if dot > 0.0:
            value += fill * dot
        value *= 1.0 + light[10] * (pos[i, 2] - 1.0)
        for b in range(n_bays):
            dx = pos[i, 0] - bays[b, 0]
            dy = pos[i, 1] - bays[b, 1]
            v = -(dx * bays[b, 2] + dy * bays[b, 3])
            u = -dx * bays[b, 3] + dy * bays[b, 2]
            if v < -0.02 or v > bays[b, 5] + 0.05 or u < -0.03 or u > bays[b, 4] + 0.03:
                continue
            if pos[i, 2] > bays[b, 6]:
                continue
            inside = min(1.0, max(0.0, (v + 0.02) / 0.34))
            dark = light[11] * inside
            for k in range(int(bays[b, 7]), int(bays[b, 8])):
                gap = bays[k, 0] + bays[k, 1] - pos[i, 2]
                if 0.0 <= gap <= bays[k, 1] + 0.005:
                    dark += 0.45 * light[11] * inside * max(0.0, 1.0 - gap / 0.25)
                    break
            value *= max(0.12, 1.0 - dark)
        shade[i] = value


@njit(cache=True)
def _plane(pa, pb, pc, g):  # type: ignore[no-untyped-def]
    """The plane through three corner values: value at pixel (0, 0), slope in x, slope in y.

    `g`: first corner x, y, both edges' x, y, and the inverse of twice the area.
    """
    x = ((pb - pa) * g[5] - (pc - pa) * g[3]) * g[6]
    y = ((pc - pa) * g[2] - (pb - pa) * g[4]) * g[6]
    return pa - x * g[0] - y * g[1], x, y


@njit(cache=True)
def _edge(px, py, qx, qy):  # type: ignore[no-untyped-def]
    """Edge function w = a * (x - px) + b * (y - py) + bias of the edge p-q, with the top-left rule
    as a bias of one unit."""
    a, b = py - qy, qx - px
    return a, b, (0 if (a > 0 or (a == 0 and b > 0)) else -1)


@njit(cache=True)
def _limits(w, d, lo, hi):  # type: ignore[no-untyped-def]
    """The columns lo..hi of a row in which w + d * column is not negative."""
    if d > 0:
        if w < 0:
            lo = max(lo, (-w + d - 1) // d)
    elif w < 0:
        hi = -1
    elif d < 0:
        hi = min(hi, w // (-d))
    return lo, hi


@njit(cache=True)
def _texel(bank, offset, tw, th, u, v, k):  # type: ignore[no-untyped-def]
    """One channel of a bilinear sample; u and v in texels, wrapping at powers of two."""
    iu, iv = int(u), int(v)
    fu, fv = u - iu, v - iv
    r0 = offset + (iv & (th - 1)) * tw
    r1 = offset + ((iv + 1) & (th - 1)) * tw
    c0, c1 = iu & (tw - 1), (iu + 1) & (tw - 1)
    upper = bank[r0 + c0, k] * (1.0 - fu) + bank[r0 + c1, k] * fu
    lower = bank[r1 + c0, k] * (1.0 - fu) + bank[r1 + c1, k] * fu
    return upper * (1.0 - fv) + lower * fv


@njit(cache=True)
def _level(a, b, c, area, levels):  # type: ignore[no-untyped-def]
    """The mip level at which a texel is about as large as a pixel, from the triangle's areas."""
    texels = abs((b[3] - a[3]) * (c[4] - a[4]) - (b[4] - a[4]) * (c[3] - a[3]))
    ratio = texels * levels[0, 1] * levels[0, 2] / (area / (_SUB * _SUB))
    level = 0
    while ratio > 2.0 and level + 1 < levels.shape[0] and levels[level + 1, 1] > 0:
        ratio *= 0.25
        level += 1
    return level


@njit(cache=True)
def _fill(  # type: ignore[no-untyped-def]
    a, b, c, out_id, bank, levels, tint, scissor, smooth, rgb, ids, depth, touched
):
    """Draws one triangle of corners (x, y, z, u, v, shade) in pixels; returns covered pixels."""
    ax, ay = int(np.floor(a[0] * _SUB + 0.5)), int(np.floor(a[1] * _SUB + 0.5))
    bx, by = int(np.floor(b[0] * _SUB + 0.5)), int(np.floor(b[1] * _SUB + 0.5))
    cx, cy = int(np.floor(c[0] * _SUB + 0.5)), int(np.floor(c[1] * _SUB + 0.5))
    # Seen from outside a front face runs anticlockwise, so its area with y down is negative.
    area = (by - ay) * (cx - ax) - (bx - ax) * (cy - ay)
    if area <= 0:
        return 0
    bx, by, cx, cy = cx, cy, bx, by
    b, c = c, b
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
    # 1/z, u/z, v/z and shade/z are planes over the picture. Texels are shifted by whole repeats
    # so that they stay positive, and by half a texel where they are interpolated.
    iza, izb, izc = 1.0 / a[2], 1.0 / b[2], 1.0 / c[2]
    us, vs = 8 * tw - (0.5 if smooth else 0.0), 8 * th - (0.5 if smooth else 0.0)
    z0, zx, zy = _plane(iza, izb, izc, g)
    u0, ux, uy = _plane((a[3] * tw + us) * iza, (b[3] * tw + us) * izb, (c[3] * tw + us) * izc, g)
    v0, vx, vy = _plane((a[4] * th + vs) * iza, (b[4] * th + vs) * izb, (c[4] * th + vs) * izc, g)
    s0, sx, sy = _plane(a[5] * iza, b[5] * izb, c[5] * izc, g)
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
        for x in range(x0 + lo, x0 + hi + 1):
            z = 1.0 / (zr + zx * x)
            if z < depth[y, x]:
                depth[y, x] = z
                ids[y, x] = out_id
                s, u, v = (sr + sx * x) * z, (ur + ux * x) * z, (vr + vx * x) * z
                at = offset + (int(v) & (th - 1)) * tw + (int(u) & (tw - 1))
                for k in range(3):
                    t = _texel(bank, offset, tw, th, u, v, k) if smooth else float(bank[at, k])
                    rgb[y, x, k] = np.uint8(min(255.0, max(0.0, t * s * tint[k])))
    if covered > 0:
        touched[0], touched[1] = min(touched[0], x0), min(touched[1], y0)
        touched[2], touched[3] = max(touched[2], x1 + 1), max(touched[3], y1 + 1)
    return covered


@njit(cache=True)
def draw(  # type: ignore[no-untyped-def]
    pos, shade, uv, tris, mats, parts, first_id, bank, levels, cam, tint, scissor, smooth,
    rgb, ids, depth, cover, touched,
):  # fmt: skip
    """Draws a mesh into `rgb`, `ids`, `depth` inside `scissor` (x0, y0, x1, y1).

    `cam` (16,): right, down, forward, position, fx, fy, cx, cy. A triangle gets the id
    `first_id + parts[t]` and the texture `levels[mats[t]]` of `bank`. `cover[parts[t]]` grows by
    the pixels the triangle covers, hidden or not; `touched` grows to hold what was drawn.
    """
    count = pos.shape[0]
    view = np.empty((count, 6))
    for i in range(count):
        dx, dy, dz = pos[i, 0] - cam[9], pos[i, 1] - cam[10], pos[i, 2] - cam[11]
        z = cam[6] * dx + cam[7] * dy + cam[8] * dz
        view[i, 0] = cam[0] * dx + cam[1] * dy + cam[2] * dz
        view[i, 1] = cam[3] * dx + cam[4] * dy + cam[5] * dz
        view[i, 2] = z
        view[i, 3], view[i, 4], view[i, 5] = uv[i, 0], uv[i, 1], shade[i]
        if z >= NEAR_M:
            view[i, 0] = min(_LIMIT_PX, max(-_LIMIT_PX, cam[14] + cam[12] * view[i, 0] / z))
            view[i, 1] = min(_LIMIT_PX, max(-_LIMIT_PX, cam[15] + cam[13] * view[i, 1] / z))
    poly = np.empty((4, 6))
    for t in range(tris.shape[0]):
        a, b, c = view[tris[t, 0]], view[tris[t, 1]], view[tris[t, 2]]
        near = (a[2] < NEAR_M) + (b[2] < NEAR_M) + (c[2] < NEAR_M)
        if near == 3:
            continue
        part = parts[t]
        tex = levels[mats[t]]
        if near == 0:
            cover[part] += _fill(
                a, b, c, first_id + part, bank, tex, tint, scissor, smooth,
                rgb, ids, depth, touched,
            )  # fmt: skip
            continue
        n = 0
        for e in range(3):
            p, q = view[tris[t, e]], view[tris[t, (e + 1) % 3]]
            p_in, q_in = p[2] >= NEAR_M, q[2] >= NEAR_M
            if p_in:
                poly[n] = p
                n += 1
            if p_in != q_in:
                _cut(p, q, p_in, q_in, cam, poly[n])
                n += 1
        for k in range(1, n - 1):
            cover[part] += _fill(
                poly[0], poly[k], poly[k + 1], first_id + part, bank, tex, tint, scissor, smooth,
                rgb, ids, depth, touched,
            )  # fmt: skip


@njit(cache=True)
def _cut(p, q, p_in, q_in, cam, out):  # type: ignore[no-untyped-def]
    """Where the edge p-q meets the near plane, as a corner in pixels."""
    px, py = p[0], p[1]
    qx, qy = q[0], q[1]
    if p_in:
        px, py = (px - cam[14]) / cam[12] * p[2], (py - cam[15]) / cam[13] * p[2]
    if q_in:
        qx, qy = (qx - cam[14]) / cam[12] * q[2], (qy - cam[15]) / cam[13] * q[2]
    t = (NEAR_M - p[2]) / (q[2] - p[2])
    x, y = px + (qx - px) * t, py + (qy - py) * t
    out[0] = min(_LIMIT_PX, max(-_LIMIT_PX, cam[14] + cam[12] * x / NEAR_M))
    out[1] = min(_LIMIT_PX, max(-_LIMIT_PX, cam[15] + cam[13] * y / NEAR_M))
    out[2] = NEAR_M
    for k in range(3, 6):
        out[k] = p[k] + (q[k] - p[k]) * t


@njit(cache=True)
def world_points(depth, cam, rect, world):  # type: ignore[no-untyped-def]
    """World point of each pixel of `rect` into `world` (H, W, 3) float32; empty pixels lie low."""
    for y in range(rect[1], rect[3]):
        down = (y - cam[15]) / cam[13]
        for x in range(rect[0], rect[2]):
            z = depth[y, x]
            if z > 1e6:
                world[y, x, 2] = -1e6
                continue
            right = (x - cam[14]) / cam[12]
            for k in range(3):
                world[y, x, k] = cam[9 + k] + z * (cam[6 + k] + cam[3 + k] * down + cam[k] * right)


@njit(cache=True)
def cast_shadow(rgb, ids, world, rect, blob, lean):  # type: ignore[no-untyped-def]
    """Darkens what lies under a round occluder, softer and wider with the distance below it.

    `blob` (6,): x, y, z, radius, strength, reach downwards in metres; `lean` (2,): how far the
    shadow moves in x and y per metre of fall. `world` holds the points of the static store, so
    floor, boards and products all receive it; pixels with the `ids` of people do not.
    """
    bx, by, bz = blob[0], blob[1], blob[2]
    radius, strength, reach = blob[3], blob[4], blob[5]
    for y in range(rect[1], rect[3]):
        for x in range(rect[0], rect[2]):
            if 0 < ids[y, x] < ITEM_ID_BASE:
                continue
            gap = bz - world[y, x, 2]
            if gap <= 0.0 or gap > reach:
                continue
            dx = world[y, x, 0] - bx - lean[0] * gap
            wide = radius + 0.4 * gap
            near = wide * wide - dx * dx
            if near <= 0.0:
                continue
            dy = world[y, x, 1] - by - lean[1] * gap
            near -= dy * dy
            if near > 0.0:
                rest = near / (wide * wide)
                keep = 1.0 - strength * radius / wide * min(1.0, gap * 25.0) * rest * rest
                rgb[y, x, 0] = np.uint8(rgb[y, x, 0] * keep)
                rgb[y, x, 1] = np.uint8(rgb[y, x, 1] * keep)
                rgb[y, x, 2] = np.uint8(rgb[y, x, 2] * keep)


@njit(cache=True)
def add_grain(rgb, table, starts, out):  # type: ignore[no-untyped-def]
    """Noise alone: `rgb`, `out` (H, 3 W) uint8, `table` and `starts` as in `develop`."""
    for y in range(rgb.shape[0]):
        row = table[starts[y] : starts[y] + rgb.shape[1]]
        for x in range(rgb.shape[1]):
            value = (np.int32(rgb[y, x]) * np.int32(16) + np.int32(row[x]) + np.int32(8)) >> 4
            out[y, x] = np.uint8(min(np.int32(255), max(np.int32(0), value)))


@njit(cache=True)
def develop(rgb, table, starts, lut, vignette, out):  # type: ignore[no-untyped-def]
    """Sensor: per-channel curve, vignette and noise from a table, row by row.

    `table` (N,) int16 in 1/16 grey levels, `starts` (H,) int64 with start + 3 W <= N, `lut`
    (256, 3) int32 in 1/16 grey levels, `vignette` (H, W) int32 in 1/4096 (empty: none).
    """
    height, width = rgb.shape[0], rgb.shape[1]
    shaded = vignette.shape[0] == height
    for y in range(height):
        row = table[starts[y] : starts[y] + 3 * width]
        for x in range(width):
            gain = vignette[y, x] if shaded else 4096
            for k in range(3):
                value = ((lut[rgb[y, x, k], k] * gain) >> 12) + row[3 * x + k]
                out[y, x, k] = np.uint8(min(255, max(0, (value + 8) >> 4)))


@njit(cache=True)
def blur_binomial(rgb, out, scratch):  # type: ignore[no-untyped-def]
    """One pass of the 1-2-1 filter in both directions; `scratch` (H, W, 3) uint16."""
    height, width = rgb.shape[0], rgb.shape[1]
    for y in range(height):
        for x in range(width):
            left, right = max(0, x - 1), min(width - 1, x + 1)
            for k in range(3):
                total = int(rgb[y, left, k]) + 2 * int(rgb[y, x, k]) + int(rgb[y, right, k])
                scratch[y, x, k] = total
    for y in range(height):
        above, below = max(0, y - 1), min(height - 1, y + 1)
        for x in range(width):
            for k in range(3):
                total = scratch[above, x, k] + 2 * scratch[y, x, k] + scratch[below, x, k]
                out[y, x, k] = np.uint8((total + 8) >> 4)


@njit(cache=True)
def motion_blur(rgb, dx, dy, steps, out):  # type: ignore[no-untyped-def]
    """Mean of `steps` copies of the picture along (dx, dy) pixels."""
    height, width = rgb.shape[0], rgb.shape[1]
    shifts = np.empty((steps, 2), np.int64)
    for i in range(steps):
        t = i / (steps - 1) - 0.5
        shifts[i, 0] = int(np.floor(dx * t + 0.5))
        shifts[i, 1] = int(np.floor(dy * t + 0.5))
    for y in range(height):
        for x in range(width):
            r, g, b = 0, 0, 0
            for i in range(steps):
                sx = min(width - 1, max(0, x + shifts[i, 0]))
                sy = min(height - 1, max(0, y + shifts[i, 1]))
                r += int(rgb[sy, sx, 0])
                g += int(rgb[sy, sx, 1])
                b += int(rgb[sy, sx, 2])
            out[y, x, 0] = np.uint8(r // steps)
            out[y, x, 1] = np.uint8(g // steps)
            out[y, x, 2] = np.uint8(b // steps)
