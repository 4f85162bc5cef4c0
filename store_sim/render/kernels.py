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
def _fill(  # type: ignore[no-untyped-def]
    a, b, c, out_id, bank, levels, tint, scissor, smooth, rgb, ids, depth, touched
):
    """Draws one triangle of corners (x, y, z, u, v, shade) in pixels; returns covered pixels."""
    ax, ay = int(np.floor(a[0] * _SUB + 0.5)), int(np.floor(a[1] * _SUB + 0.5))
    bx, by = int(np.floor(b[0] * _SUB + 0.5)), int(np.floor(b[1] * _SUB + 0.5))
    cx, cy = int(np.floor(c[0] * _SUB + 0.5)), int(np.floor(c[1] * _SUB + 0.5))
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if area >= 0:
        return 0
    # Seen from outside a front face runs anticlockwise, so the y-down area is negative: swap.
    bx, cx = cx, bx
    by, cy = cy, by
    b, c = c, b
    area = -area
    x0 = max(scissor[0], -((-min(ax, bx, cx)) // _SUB))
    x1 = min(scissor[2] - 1, max(ax, bx, cx) // _SUB)
    y0 = max(scissor[1], -((-min(ay, by, cy)) // _SUB))
    y1 = min(scissor[3] - 1, max(ay, by, cy) // _SUB)
    if x0 > x1 or y0 > y1:
        return 0
    # Mip level from the area of texels per pixel.
    w0, h0 = levels[0, 1], levels[0, 2]
    texels = abs((b[3] - a[3]) * (c[4] - a[4]) - (b[4] - a[4]) * (c[3] - a[3])) * w0 * h0
    ratio = texels / (area / (_SUB * _SUB))
    level = 0
    while ratio > 2.0 and level + 1 < levels.shape[0] and levels[level + 1, 1] > 0:
        ratio *= 0.25
        level += 1
    offset, tw, th = levels[level, 0], levels[level, 1], levels[level, 2]
    # Plane equations of 1/z and of u/z, v/z, shade/z over the picture.
    fax, fay = ax / _SUB, ay / _SUB
    e1x, e1y = (bx - ax) / _SUB, (by - ay) / _SUB
    e2x, e2y = (cx - ax) / _SUB, (cy - ay) / _SUB
    inv = 1.0 / (e1x * e2y - e1y * e2x)
    iza, izb, izc = 1.0 / a[2], 1.0 / b[2], 1.0 / c[2]
    shift = 0.5 if smooth else 0.0
    ua, ub, uc = (
        (a[3] * tw + 8 * tw - shift) * iza,
        (b[3] * tw + 8 * tw - shift) * izb,
        (c[3] * tw + 8 * tw - shift) * izc,
    )
    va, vb, vc = (
        (a[4] * th + 8 * th - shift) * iza,
        (b[4] * th + 8 * th - shift) * izb,
        (c[4] * th + 8 * th - shift) * izc,
    )
    sa, sb, sc = a[5] * iza, b[5] * izb, c[5] * izc
    zx = ((izb - iza) * e2y - (izc - iza) * e1y) * inv
    zy = ((izc - iza) * e1x - (izb - iza) * e2x) * inv
    z0 = iza - zx * fax - zy * fay
    ux = ((ub - ua) * e2y - (uc - ua) * e1y) * inv
    uy = ((uc - ua) * e1x - (ub - ua) * e2x) * inv
    u0 = ua - ux * fax - uy * fay
    vx = ((vb - va) * e2y - (vc - va) * e1y) * inv
    vy = ((vc - va) * e1x - (vb - va) * e2x) * inv
    v0 = va - vx * fax - vy * fay
    sx = ((sb - sa) * e2y - (sc - sa) * e1y) * inv
    sy = ((sc - sa) * e1x - (sb - sa) * e2x) * inv
    s0 = sa - sx * fax - sy * fay
    # Edge functions in 1/256 pixel; the top-left rule as a bias of one unit.
    ea, eb = ay - by, bx - ax
    fa, fb = by - cy, cx - bx
    ga, gb = cy - ay, ax - cx
    be = 0 if (ea > 0 or (ea == 0 and eb > 0)) else -1
    bf = 0 if (fa > 0 or (fa == 0 and fb > 0)) else -1
    bg = 0 if (ga > 0 or (ga == 0 and gb > 0)) else -1
    mask_u, mask_v = tw - 1, th - 1
    t0, t1, t2 = tint[0], tint[1], tint[2]
    covered = 0
    for y in range(y0, y1 + 1):
        py = y * _SUB
        we = ea * (x0 * _SUB - ax) + eb * (py - ay) + be
        wf = fa * (x0 * _SUB - bx) + fb * (py - by) + bf
        wg = ga * (x0 * _SUB - cx) + gb * (py - cy) + bg
        lo, hi = 0, x1 - x0
        for w, d in ((we, ea * _SUB), (wf, fa * _SUB), (wg, ga * _SUB)):
            if d > 0:
                if w < 0:
                    lo = max(lo, (-w + d - 1) // d)
            elif d < 0:
                hi = -1 if w < 0 else min(hi, w // (-d))
            elif w < 0:
                hi = -1
        if lo > hi:
            continue
        covered += hi - lo + 1
        zr, ur, vr, sr = z0 + zy * y, u0 + uy * y, v0 + vy * y, s0 + sy * y
        for x in range(x0 + lo, x0 + hi + 1):
            z = 1.0 / (zr + zx * x)
            if z < depth[y, x]:
                depth[y, x] = z
                ids[y, x] = out_id
                s = (sr + sx * x) * z
                u = (ur + ux * x) * z
                v = (vr + vx * x) * z
                iu, iv = int(u), int(v)
                if smooth:
                    fu, fv = u - iu, v - iv
                    r0 = offset + (iv & mask_v) * tw
                    r1 = offset + ((iv + 1) & mask_v) * tw
                    c0, c1 = iu & mask_u, (iu + 1) & mask_u
                    k00, k01 = (1.0 - fu) * (1.0 - fv) * s, fu * (1.0 - fv) * s
                    k10, k11 = (1.0 - fu) * fv * s, fu * fv * s
                    for k in range(3):
                        value = (
                            bank[r0 + c0, k] * k00
                            + bank[r0 + c1, k] * k01
                            + bank[r1 + c0, k] * k10
                            + bank[r1 + c1, k] * k11
                        ) * tint[k]
                        rgb[y, x, k] = np.uint8(min(255.0, max(0.0, value)))
                else:
                    at = offset + (iv & mask_v) * tw + (iu & mask_u)
                    rgb[y, x, 0] = np.uint8(min(255.0, max(0.0, bank[at, 0] * s * t0)))
                    rgb[y, x, 1] = np.uint8(min(255.0, max(0.0, bank[at, 1] * s * t1)))
                    rgb[y, x, 2] = np.uint8(min(255.0, max(0.0, bank[at, 2] * s * t2)))
    if covered > 0:
        touched[0] = min(touched[0], x0)
        touched[1] = min(touched[1], y0)
        touched[2] = max(touched[2], x1 + 1)
        touched[3] = max(touched[3], y1 + 1)
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
def cast_shadow(rgb, world, rect, blob, lean):  # type: ignore[no-untyped-def]
    """Darkens what lies under a round occluder, softer and wider with the distance below it.

    `blob` (6,): x, y, z, radius, strength, reach downwards in metres; `lean` (2,): how far the
    shadow moves in x and y per metre of fall. `world` holds the points of the static store, so
    floor, boards and products all receive it.
    """
    bx, by, bz = blob[0], blob[1], blob[2]
    radius, strength, reach = blob[3], blob[4], blob[5]
    for y in range(rect[1], rect[3]):
        for x in range(rect[0], rect[2]):
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
