"""The compiled core of the camera: sunlight, reflections, smear, lens, blur and sensor.

Like store_sim.render.kernels, everything is plain arithmetic without fast-math and without
threads; what reaches a picture is rounded to small integers, so that it has the same bytes in
every process. Pictures are (H, W, 3) uint8, or (H, 3 W) uint8 where columns need not be told apart.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from store_sim.scene import ITEM_ID_BASE

__all__ = [
    "cover",
    "expose",
    "from_yuv",
    "gauss",
    "glare",
    "lay",
    "mirror",
    "mirror_mix",
    "part_boxes",
    "smear",
    "sunlight",
    "to_yuv",
    "undo_lens",
]

FLOOR_M = 0.01
_UNDO_STEPS = 12
_UNDONE = 1e-13
"""Newton's steps end when they are off by no more: four are mostly enough."""


@njit(cache=True)
def undo_lens(seen, k):  # type: ignore[no-untyped-def]
    """Points (N, 2) of the pinhole picture, in place of those seen through a lens with the
    distortion `k` (5,) of contracts.geometry; Newton's method."""
    for i in range(seen.shape[0]):
        sx, sy = seen[i, 0], seen[i, 1]
        x, y = sx, sy
        for _ in range(_UNDO_STEPS):
            r2 = x * x + y * y
            radial = 1.0 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))
            slope = k[0] + r2 * (2.0 * k[1] + 3.0 * k[4] * r2)
            off_x = x * radial + 2.0 * k[2] * x * y + k[3] * (r2 + 2.0 * x * x) - sx
            off_y = y * radial + k[2] * (r2 + 2.0 * y * y) + 2.0 * k[3] * x * y - sy
            if abs(off_x) + abs(off_y) < _UNDONE:
                break
            xx = radial + 2.0 * x * x * slope + 2.0 * k[2] * y + 6.0 * k[3] * x
            yy = radial + 2.0 * y * y * slope + 6.0 * k[2] * y + 2.0 * k[3] * x
            xy = 2.0 * x * y * slope + 2.0 * k[2] * x + 2.0 * k[3] * y
            area = xx * yy - xy * xy
            x -= (off_x * yy - off_y * xy) / area
            y -= (off_y * xx - off_x * xy) / area
        seen[i, 0], seen[i, 1] = x, y


@njit(cache=True)
def lay(rgb, ids, depth, base, part, stride, tiles, out, out_ids, out_depth):  # type: ignore[no-untyped-def]
    """Lays a canvas into the picture: colours by bilinear samples, ids and depth by the nearest.

    `rgb` (N, 3) uint8, `ids` and `depth` (N,) are the pixels of a canvas `stride` wide. `base`
    (H, W) uint32 is the canvas pixel left above each sample, `part` (H, W) uint8 the way from
    there to the next in sixteenths, right * 16 + down. `tiles` (T, 4) int64 x0, y0, x1, y1 are the
    parts of the picture to lay; `out` (H, W, 3) uint8, `out_ids` and `out_depth` (H, W).
    """
    # Unsigned, so that no index is looked at twice for being negative.
    one, line = np.uintp(1), np.uintp(stride)
    for t in range(tiles.shape[0]):
        for y in range(tiles[t, 1], tiles[t, 3]):
            for x in range(tiles[t, 0], tiles[t, 2]):
                p = np.uintp(base[y, x])
                q, r = p + one, p + line
                s = r + one
                fx, fy = np.int32(part[y, x] >> 4), np.int32(part[y, x] & 15)
                d = fx * fy
                b, c = np.int32(16) * fy - d, np.int32(16) * fx - d
                a = np.int32(256) - b - c - d
                for k in range(3):
                    value = np.int32(128) + a * np.int32(rgb[p, k]) + c * np.int32(rgb[q, k])
                    value += b * np.int32(rgb[r, k]) + d * np.int32(rgb[s, k])
                    out[y, x, k] = np.uint8(value >> np.int32(8))
                if fx >= 8:
                    p, r = q, s
                if fy >= 8:
                    p = r
                out_ids[y, x] = ids[p]
                out_depth[y, x] = depth[p]


@njit(cache=True)
def gauss(rgb, taps, line, middle, out):  # type: ignore[no-untyped-def]
    """Separable blur of (H, 3 W) uint8 with `taps` (2 R + 1,) int32 that sum to 256.

    `line` (3 W + 6 R,) int32 and `middle` (H, 3 W) uint16 are scratch. The border repeats.
    """
    height, width = rgb.shape
    reach = (taps.shape[0] - 1) // 2
    pad = 3 * reach
    total = np.empty(width, np.int32)
    for y in range(height):
        row = rgb[y]
        for x in range(width):
            line[pad + x] = row[x]
        for x in range(pad):
            line[x] = row[x % 3]
            line[pad + width + x] = row[width - 3 + x % 3]
        for x in range(width):
            total[x] = np.int32(8)
        for k in range(taps.shape[0]):
            tap = taps[k]
            shifted = line[3 * k : 3 * k + width]
            for x in range(width):
                total[x] += tap * shifted[x]
        for x in range(width):
            middle[y, x] = np.uint16(total[x] >> 4)
    for y in range(height):
        for x in range(width):
            total[x] = np.int32(2048)
        for k in range(taps.shape[0]):
            tap = taps[k]
            row16 = middle[min(height - 1, max(0, y + k - reach))]
            for x in range(width):
                total[x] += tap * np.int32(row16[x])
        for x in range(width):
            out[y, x] = np.uint8(total[x] >> 12)


@njit(cache=True)
def expose(rgb, shade, rows, table, starts, grain, out):  # type: ignore[no-untyped-def]
    """The sensor: light lost in the lens, gain row by row, and noise.

    `rgb`, `out` (H, 3 W) uint8; `shade` (H, 3 W) uint16 in 1/4096, with the white balance;
    `rows` (H,) int32 gains in 1/1024; `table` (N,) int16 of noise in 1/16 grey levels, `starts`
    (H,) int64; `grain` (2,) int32: what the noise is multiplied by, in 1/4096, in black and how
    much more per grey level.
    """
    width = rgb.shape[1]
    ground, slope = grain[0], grain[1]
    for y in range(rgb.shape[0]):
        row = table[starts[y] : starts[y] + width]
        gain = rows[y]
        source, loss, target = rgb[y], shade[y], out[y]
        for x in range(width):
            value = (np.int32(source[x]) * np.int32(loss[x])) >> np.int32(8)
            value = (value * gain) >> np.int32(10)
            level = min(np.int32(255), value >> np.int32(4))
            noise = (np.int32(row[x]) * (ground + slope * level)) >> np.int32(12)
            value = (value + noise + np.int32(8)) >> np.int32(4)
            target[x] = np.uint8(min(np.int32(255), max(np.int32(0), value)))


@njit(cache=True)
def sunlight(rgb, ids, depth, cam, sun, gains, bodies, parts, touched):  # type: ignore[no-untyped-def]
    """Brightens what the sun falls on through a window; people throw their shadow into it.

    `sun` (9,): plane y of the window, shift of a ray in x and z per metre of y, the window's
    middle x and z, half its width and height, width of the soft edge, half the width of its bars.
    `gains` (3,) int64 in 1/256 on top of 1. A point's window coordinates are where its ray comes
    through: `parts` (S, 7) holds parts of bodies as x, z, x, z there, nearest y, radius and
    softness; `bodies` (B, 6) first and last part and bounds x0, z0, x1, z1 of each. `touched` (4,)
    grows to hold what was lit.
    """
    height, width = ids.shape
    dy, dz = cam[10] - sun[0], cam[11]
    a0, b0 = cam[9] - sun[1] * dy - sun[3], dz - sun[2] * dy - sun[4]
    for y in range(height):
        down = (y - cam[15]) / cam[13]
        ry, rx, rz = cam[7] + cam[4] * down, cam[6] + cam[3] * down, cam[8] + cam[5] * down
        ah, ar = rx - sun[1] * ry, cam[0] - sun[1] * cam[1]
        bh, br = rz - sun[2] * ry, cam[2] - sun[2] * cam[1]
        first, last = width, -1
        for x in range(width):
            right = (x - cam[14]) / cam[12]
            z = depth[y, x]
            a = a0 + z * (ah + ar * right)
            in_a = sun[5] - abs(a)
            if in_a <= 0.0:
                continue
            b = b0 + z * (bh + br * right)
            in_b = sun[6] - abs(b)
            if in_b <= 0.0 or abs(a) < sun[8] or abs(b) < sun[8]:
                continue
            lit = min(1.0, in_a / sun[7]) * min(1.0, in_b / sun[7])
            lit *= min(1.0, (abs(a) - sun[8]) / sun[7]) * min(1.0, (abs(b) - sun[8]) / sun[7])
            if bodies.shape[0] > 0:
                far = cam[10] + z * (ry + cam[1] * right)
                lit *= _seen_by_sun(a + sun[3], b + sun[4], far, bodies, parts)
            amount = int(lit * 256.0)
            if amount <= 0:
                continue
            first, last = min(first, x), max(last, x)
            for k in range(3):
                value = np.int64(rgb[y, x, k])
                value += (value * amount * gains[k]) >> 16
                rgb[y, x, k] = np.uint8(min(255, value))
        if last >= 0:
            touched[0], touched[1] = min(touched[0], first), min(touched[1], y)
            touched[2], touched[3] = max(touched[2], last + 1), max(touched[3], y + 1)


@njit(cache=True)
def _seen_by_sun(a, b, far, bodies, parts):  # type: ignore[no-untyped-def]
    """1 where nobody stands in the ray through (a, b) before `far`, 0 in the full shadow."""
    free = 1.0
    for i in range(bodies.shape[0]):
        if a < bodies[i, 2] or b < bodies[i, 3] or a > bodies[i, 4] or b > bodies[i, 5]:
            continue
        for k in range(int(bodies[i, 0]), int(bodies[i, 1])):
            if far < parts[k, 4] + 0.25:
                continue
            ux, uz = parts[k, 2] - parts[k, 0], parts[k, 3] - parts[k, 1]
            px, pz = a - parts[k, 0], b - parts[k, 1]
            along = min(1.0, max(0.0, (px * ux + pz * uz) / (ux * ux + uz * uz + 1e-9)))
            px, pz = px - along * ux, pz - along * uz
            off = (np.sqrt(px * px + pz * pz) - parts[k, 5]) / parts[k, 6]
            free = min(free, max(0.0, off))
    return free


@njit(cache=True)
def mirror(rgb, ids, depth, floor, cam, rect, people, low, touched):  # type: ignore[no-untyped-def]
    """Adds up, in cells of two by two pixels, what a floor of glass would show.

    `floor` (H, W) bool says where the bare floor is; `low` (H / 2, W / 2, 4) int32 gets the sums
    of the colours and their count; `touched` (4,) grows, in cells. `people`: those alone, else the
    static store alone.
    """
    height, width = ids.shape
    for y in range(rect[1], rect[3]):
        down = (y - cam[15]) / cam[13]
        for x in range(rect[0], rect[2]):
            key = ids[y, x]
            if (0 < key < ITEM_ID_BASE) != people or key >= ITEM_ID_BASE:
                continue
            right, z = (x - cam[14]) / cam[12], depth[y, x]
            up = cam[11] + z * (cam[8] + cam[5] * down + cam[2] * right)
            if up < FLOOR_M or up > 3.0:
                continue
            dx = z * (cam[6] + cam[3] * down + cam[0] * right)
            dy = z * (cam[7] + cam[4] * down + cam[1] * right)
            dz = -up - cam[11]
            ahead = cam[6] * dx + cam[7] * dy + cam[8] * dz
            if ahead < 0.1:
                continue
            px = cam[14] + cam[12] * (cam[0] * dx + cam[1] * dy + cam[2] * dz) / ahead
            py = cam[15] + cam[13] * (cam[3] * dx + cam[4] * dy + cam[5] * dz) / ahead
            if px < 0.0 or py < 0.0 or px >= width or py >= height:
                continue
            tx, ty = int(px), int(py)
            if not floor[ty, tx]:
                continue
            tx, ty = min(tx // 2, low.shape[1] - 1), min(ty // 2, low.shape[0] - 1)
            for k in range(3):
                low[ty, tx, k] += np.int32(rgb[y, x, k])
            low[ty, tx, 3] += np.int32(1)
            touched[0], touched[1] = min(touched[0], tx), min(touched[1], ty)
            touched[2], touched[3] = max(touched[2], tx + 1), max(touched[3], ty + 1)


@njit(cache=True)
def mirror_mix(rgb, ids, floor, low, cells, amount):  # type: ignore[no-untyped-def]
    """Mixes what `mirror` found into the bare floor, softened over three by three cells.

    `cells` (4,) x0, y0, x1, y1 of `low`; `amount` (H, W) uint8 in 1/256 is how much the floor
    shows at a pixel.
    """
    for cy in range(cells[1], cells[3]):
        for cx in range(cells[0], cells[2]):
            r, g, b, n = 0, 0, 0, 0
            held = 0
            for j in range(max(0, cy - 1), min(low.shape[0], cy + 2)):
                for i in range(max(0, cx - 1), min(low.shape[1], cx + 2)):
                    count = low[j, i, 3]
                    if count > 0:
                        r, g, b = r + low[j, i, 0], g + low[j, i, 1], b + low[j, i, 2]
                        n, held = n + count, held + 1
            if n == 0:
                continue
            r, g, b = r // n, g // n, b // n
            for y in range(2 * cy, 2 * cy + 2):
                for x in range(2 * cx, 2 * cx + 2):
                    if ids[y, x] != 0 or not floor[y, x]:
                        continue
                    share = np.int64(amount[y, x]) * held // 9
                    rgb[y, x, 0] = np.uint8((rgb[y, x, 0] * (256 - share) + r * share) >> 8)
                    rgb[y, x, 1] = np.uint8((rgb[y, x, 1] * (256 - share) + g * share) >> 8)
                    rgb[y, x, 2] = np.uint8((rgb[y, x, 2] * (256 - share) + b * share) >> 8)


@njit(cache=True)
def part_boxes(ids, rect, first, boxes):  # type: ignore[no-untyped-def]
    """Bounds x0, y0, x1, y1 of the ids first, first + 1 … in `rect`: `boxes` (P, 4) int64."""
    count = boxes.shape[0]
    for k in range(count):
        boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = 1 << 30, 1 << 30, 0, 0
    for y in range(rect[1], rect[3]):
        for x in range(rect[0], rect[2]):
            k = ids[y, x] - first
            if 0 <= k < count:
                boxes[k, 0], boxes[k, 1] = min(boxes[k, 0], x), min(boxes[k, 1], y)
                boxes[k, 2], boxes[k, 3] = max(boxes[k, 2], x + 1), max(boxes[k, 3], y + 1)


@njit(cache=True)
def _spans(ids, key, rect, spans):  # type: ignore[no-untyped-def]
    """First and past-the-last column of an id in each row of `rect`: `spans` (H, 2)."""
    for y in range(rect[1], rect[3]):
        spans[y, 0], spans[y, 1] = 1 << 30, 0
        for x in range(rect[0], rect[2]):
            if ids[y, x] == key:
                spans[y, 0], spans[y, 1] = min(spans[y, 0], x), x + 1


@njit(cache=True)
def smear(rgb, ids, depth, key, move, steps, rect, still, spans):  # type: ignore[no-untyped-def]
    """Smears the pixels of one id along `move` (dx, dy) pixels, half before and half behind.

    At each pixel of `rect` it looks back along the way: the share of the time in which the thing
    was there mixes its mean colour with what stands behind it; what is nearer stays as it is.
    `still` (H, W, 3) and `spans` (H, 2) int64 are scratch.
    """
    _spans(ids, key, rect, spans)
    shifts = np.empty((steps, 2), np.int64)
    for i in range(steps):
        t = (i + 0.5) / steps - 0.5
        shifts[i, 0] = int(np.floor(move[0] * t + 0.5))
        shifts[i, 1] = int(np.floor(move[1] * t + 0.5))
    for y in range(rect[1], rect[3]):
        still[y, rect[0] : rect[2]] = rgb[y, rect[0] : rect[2]]
    for y in range(rect[1], rect[3]):
        first, last = rect[2], rect[0]
        for i in range(steps):
            sy = min(rect[3] - 1, max(rect[1], y - shifts[i, 1]))
            if spans[sy, 1] > 0:
                first = min(first, spans[sy, 0] + shifts[i, 0])
                last = max(last, spans[sy, 1] + shifts[i, 0])
        for x in range(max(first, rect[0]), min(last, rect[2])):
            r, g, b, n = 0, 0, 0, 0
            out_r, out_g, out_b, m = 0, 0, 0, 0
            own, near = ids[y, x] == key, depth[y, x]
            for i in range(steps):
                sx = min(rect[2] - 1, max(rect[0], x - shifts[i, 0]))
                sy = min(rect[3] - 1, max(rect[1], y - shifts[i, 1]))
                if ids[sy, sx] == key and (own or depth[sy, sx] <= near):
                    r, g, b = r + still[sy, sx, 0], g + still[sy, sx, 1], b + still[sy, sx, 2]
                    n += 1
                elif own:
                    out_r, out_g = out_r + still[sy, sx, 0], out_g + still[sy, sx, 1]
                    out_b, m = out_b + still[sy, sx, 2], m + 1
            if n == 0:
                continue
            if not own:
                # What is not the thing itself is still seen for the rest of the time.
                m = steps - n
                out_r, out_g, out_b = still[y, x, 0] * m, still[y, x, 1] * m, still[y, x, 2] * m
            rgb[y, x, 0] = np.uint8((r + out_r) // steps)
            rgb[y, x, 1] = np.uint8((g + out_g) // steps)
            rgb[y, x, 2] = np.uint8((b + out_b) // steps)


@njit(cache=True)
def cover(rgb, cloth, share, leak, out):  # type: ignore[no-untyped-def]
    """Something before the lens: `cloth` (H, W, 3) uint8 where `share` (H, W) uint16 is 256.

    `leak` (H, W) uint8 is the light that comes round its edges.
    """
    for y in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            held = np.int64(share[y, x])
            for k in range(3):
                dark = min(np.int64(255), np.int64(cloth[y, x, k]) + np.int64(leak[y, x]))
                out[y, x, k] = np.uint8((rgb[y, x, k] * (256 - held) + dark * held) >> 8)


@njit(cache=True)
def glare(rgb, at, size, amount, out):  # type: ignore[no-untyped-def]
    """A light straight into the lens at `at` (2,) pixels: a burnt core of `size` pixels, rays,
    a veil over everything, and contrast gone."""
    keep = 1.0 - 0.55 * amount
    for y in range(rgb.shape[0]):
        dy = (y - at[1]) / size
        for x in range(rgb.shape[1]):
            dx = (x - at[0]) / size
            r2 = dx * dx + dy * dy
            across, along = dx * 0.94 + dy * 0.34, dy * 0.94 - dx * 0.34
            rays = 90.0 / ((1.0 + 14.0 * abs(across * along)) * (1.0 + 0.35 * r2))
            light = amount * (
                46.0 + 520.0 / (1.0 + 1.4 * r2 * r2) + 110.0 / (1.0 + 0.3 * r2) + rays
            )
            for k in range(3):
                value = rgb[y, x, k] * keep + light * (1.0 - 0.04 * k)
                out[y, x, k] = np.uint8(min(255.0, value))


@njit(cache=True)
def to_yuv(rgb, luma, blue, red):  # type: ignore[no-untyped-def]
    """(H, W, 3) uint8 to the planes of YUV 4:2:0, limited range of ITU-R BT.601, in integers."""
    for y in range(0, rgb.shape[0], 2):
        for x in range(0, rgb.shape[1], 2):
            sr, sg, sb = np.int64(0), np.int64(0), np.int64(0)
            for j in range(y, y + 2):
                for i in range(x, x + 2):
                    r, g, b = np.int64(rgb[j, i, 0]), np.int64(rgb[j, i, 1]), np.int64(rgb[j, i, 2])
                    luma[j, i] = np.uint8((66 * r + 129 * g + 25 * b + 4224) >> 8)
                    sr, sg, sb = sr + r, sg + g, sb + b
            blue[y >> 1, x >> 1] = np.uint8((-38 * sr - 74 * sg + 112 * sb + 131584) >> 10)
            red[y >> 1, x >> 1] = np.uint8((112 * sr - 94 * sg - 18 * sb + 131584) >> 10)


@njit(cache=True)
def from_yuv(luma, blue, red, rgb):  # type: ignore[no-untyped-def]
    """The planes of YUV 4:2:0 (ITU-R BT.601, limited range) to (H, W, 3) uint8, in integers."""
    for y in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            c = 298 * (np.int64(luma[y, x]) - 16) + 128
            d, e = np.int64(blue[y >> 1, x >> 1]) - 128, np.int64(red[y >> 1, x >> 1]) - 128
            rgb[y, x, 0] = np.uint8(min(np.int64(255), max(np.int64(0), (c + 409 * e) >> 8)))
            rgb[y, x, 1] = np.uint8(
                min(np.int64(255), max(np.int64(0), (c - 100 * d - 208 * e) >> 8))
            )
            rgb[y, x, 2] = np.uint8(min(np.int64(255), max(np.int64(0), (c + 516 * d) >> 8)))
