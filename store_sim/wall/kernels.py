"""The compiled core of the wall's pictures: faces seen, light laid on them, the sensor.

A face is a rectangle in space with a texture and perhaps a label on it. Faces are drawn into tiles
of `ss` by `ss` samples a pixel: first which face each sample sees, then what reflects there, then
a filter that is the pixel's area and the lens's blur in one. So a label's module of a few pixels
has the grey levels that a camera gives it, and each sample is looked up once however many faces
lie behind. Plain float arithmetic without threads: the same bytes in every process.

Kernels have no annotations, since numba infers their types from what they are called with; that is
why mypy is told to ignore them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = [
    "FAR_M", "beam_map", "compose", "depth_faces", "expose", "fill_tile", "filter_tile",
    "find_flat", "lay_people", "see_tile",
]  # fmt: skip

FAR_M = 1e6
ONE = 16384.0
"""What a perfectly white surface is in the reflectance layers."""


@njit(cache=True)
def _offsets(ss, focal):  # type: ignore[no-untyped-def]
    out = np.empty(ss)
    for i in range(ss):
        out[i] = ((i + 0.5) / ss - 0.5) / focal
    return out


@njit(cache=True)
def see_tile(rect, ss, cam, rays, faces, listed, bank, base, sub_depth, sub_face):  # type: ignore[no-untyped-def]
    """Which face each sample of a tile sees.

    `rect` (4,) x0, y0, x1, y1 in pixels, which may reach past the picture's edges; `faces` (F, 25):
    corner (3), both edges over their squared lengths (6), normal (3), bounds in pixels (4), and
    from 16: base texture's row in `base`, flags (1: seen from behind too, 2: has holes). `listed`
    (N,) faces to draw. `sub_depth` float32 and `sub_face` int16 are (rows, columns) of samples.
    """
    height, width = rays.shape[0], rays.shape[1]
    x0, y0 = rect[0], rect[1]
    rows, columns = (rect[3] - y0) * ss, (rect[2] - x0) * ss
    for y in range(rows):
        for x in range(columns):
            sub_depth[y, x] = FAR_M
            sub_face[y, x] = -1
    # Where samples lie in their pixel, in rays: a division a sample is what this would cost else.
    off_x, off_y = _offsets(ss, cam[12]), _offsets(ss, cam[13])
    for n in range(listed.shape[0]):
        k = listed[n]
        f = faces[k]
        left, top = max(x0, int(f[12])), max(y0, int(f[13]))
        right, bottom = min(rect[2], int(f[14])), min(rect[3], int(f[15]))
        if left >= right or top >= bottom:
            continue
        qx, qy, qz = f[0] - cam[9], f[1] - cam[10], f[2] - cam[11]
        away = f[9] * qx + f[10] * qy + f[11] * qz
        if away >= 0.0 and int(f[17]) & 1 == 0:
            continue
        n0 = f[9] * cam[0] + f[10] * cam[1] + f[11] * cam[2]
        n1 = f[9] * cam[3] + f[10] * cam[4] + f[11] * cam[5]
        n2 = f[9] * cam[6] + f[10] * cam[7] + f[11] * cam[8]
        a0 = f[3] * cam[0] + f[4] * cam[1] + f[5] * cam[2]
        a1 = f[3] * cam[3] + f[4] * cam[4] + f[5] * cam[5]
        a2 = f[3] * cam[6] + f[4] * cam[7] + f[5] * cam[8]
        b0 = f[6] * cam[0] + f[7] * cam[1] + f[8] * cam[2]
        b1 = f[6] * cam[3] + f[7] * cam[4] + f[8] * cam[5]
        b2 = f[6] * cam[6] + f[7] * cam[7] + f[8] * cam[8]
        qa = f[3] * qx + f[4] * qy + f[5] * qz
        qb = f[6] * qx + f[7] * qy + f[8] * qz
        holes = int(f[17]) & 2 != 0
        at, tw, th = base[int(f[16]), 0], base[int(f[16]), 1], base[int(f[16]), 2]
        for py in range(top, bottom):
            cy = min(height - 1, max(0, py))
            for px in range(left, right):
                cx = min(width - 1, max(0, px))
                rx0 = rays[cy, cx, 0] + (px - cx) / cam[12]
                ry0 = rays[cy, cx, 1] + (py - cy) / cam[13]
                for j in range(ss):
                    ry, row = ry0 + off_y[j], (py - y0) * ss + j
                    for i in range(ss):
                        rx = rx0 + off_x[i]
                        slope = n0 * rx + n1 * ry + n2
                        if slope == 0.0:
                            continue
                        t = away / slope
                        column = (px - x0) * ss + i
                        if t <= 0.01 or t >= sub_depth[row, column]:
                            continue
                        a = t * (a0 * rx + a1 * ry + a2) - qa
                        if a < 0.0 or a >= 1.0:
                            continue
                        b = t * (b0 * rx + b1 * ry + b2) - qb
                        if b < 0.0 or b >= 1.0:
                            continue
                        if holes and bank[at + int(b * th) * tw + int(a * tw), 3] < 128:
                            continue
                        sub_depth[row, column] = t
                        sub_face[row, column] = k


@njit(cache=True)
def fill_tile(  # type: ignore[no-untyped-def]
    rect, ss, cam, rays, faces, bank, base, labels, linear, sub_depth, sub_face, sub
):
    """What reflects at each sample: `sub` (rows, columns, 4) float32, three colours and shade.

    `faces` from 18: row in `labels` or -1, shade, gloss and the direction (3) in which a lamp's
    mirror picture lies. `labels` (L, 10): offset, width and height in `bank`, and the affine map
    (6) from the face's (a, b) to the label's, 0 to 1. `linear` (256,) float32 undoes the gamma.
    """
    height, width = rays.shape[0], rays.shape[1]
    x0, y0 = rect[0], rect[1]
    last, m, texels, high, wide = -1, -1, np.int64(0), np.int64(0), np.int64(0)
    for row in range((rect[3] - y0) * ss):
        py, j = y0 + row // ss, row % ss
        cy = min(height - 1, max(0, py))
        off_y = (py - cy + (j + 0.5) / ss - 0.5) / cam[13]
        px, i = x0, -1
        for column in range((rect[2] - x0) * ss):
            i += 1
            if i == ss:
                px, i = px + 1, 0
            k = sub_face[row, column]
            if k < 0:
                for c in range(4):
                    sub[row, column, c] = 0.02
                continue
            if k != last:
                last, m, r = k, int(faces[k, 18]), int(faces[k, 16])
                texels, wide, high = base[r, 0], base[r, 1], base[r, 2]
            cx = min(width - 1, max(0, px))
            rx = rays[cy, cx, 0] + (px - cx + (i + 0.5) / ss - 0.5) / cam[12]
            ry = rays[cy, cx, 1] + off_y
            t = sub_depth[row, column]
            wx = cam[0] * rx + cam[3] * ry + cam[6]
            wy = cam[1] * rx + cam[4] * ry + cam[7]
            wz = cam[2] * rx + cam[5] * ry + cam[8]
            dx, dy = cam[9] + t * wx - faces[k, 0], cam[10] + t * wy - faces[k, 1]
            dz = cam[11] + t * wz - faces[k, 2]
            a = faces[k, 3] * dx + faces[k, 4] * dy + faces[k, 5] * dz
            b = faces[k, 6] * dx + faces[k, 7] * dy + faces[k, 8] * dz
            a, b = min(0.999999, max(0.0, a)), min(0.999999, max(0.0, b))
            texel = np.int64(-1)
            if m >= 0:
                la = labels[m, 3] * a + labels[m, 4] * b + labels[m, 5]
                lb = labels[m, 6] * a + labels[m, 7] * b + labels[m, 8]
                if la >= 0.0 and la < 1.0 and lb >= 0.0 and lb < 1.0:
                    tw = int(labels[m, 1])
                    at = int(labels[m, 0]) + int(lb * labels[m, 2]) * tw + int(la * tw)
                    if bank[at, 3] >= 128:
                        texel = np.int64(at)
            extra, shade = 0.0, faces[k, 19]
            if texel < 0:
                texel = texels + int(b * high) * wide + int(a * wide)
            elif faces[k, 20] > 0.0:
                # A lamp's picture in a glossy label: the nearer the mirrored ray, the brighter.
                extra = faces[k, 20] * _mirrored(faces[k], wx, wy, wz) / max(shade, 0.05)
            for c in range(3):
                sub[row, column, c] = linear[bank[texel, c]] + extra
            sub[row, column, 3] = shade


@njit(cache=True)
def _mirrored(f, wx, wy, wz):  # type: ignore[no-untyped-def]
    """How bright the lamp is whose picture a ray (w) finds in a glossy face."""
    dot = wx * f[9] + wy * f[10] + wz * f[11]
    mx, my, mz = wx - 2 * dot * f[9], wy - 2 * dot * f[10], wz - 2 * dot * f[11]
    size = np.sqrt(mx * mx + my * my + mz * mz)
    near = (mx * f[21] + my * f[22] + mz * f[23]) / size
    if near <= 0.98:
        return 0.0
    return np.exp((near - 1.0) * 2400.0) + 0.06 * np.exp((near - 1.0) * 160.0)


@njit(cache=True)
def filter_tile(  # type: ignore[no-untyped-def]
    rect, inner, ss, taps, faces, sub, between, sub_depth, sub_face, refl, shade, depth, ids, face
):
    """The tile's samples become the pixels of `inner` (x0, y0, x1, y1).

    `taps` (K,) float32 sum to one: weights over samples, odd K for odd `ss`, even for even, so that
    they lie evenly about a pixel's centre. `between` is scratch like `sub`. Writes `refl`
    (H, W, 3) uint16, `shade`, `depth` (H, W) float32, `ids` int32 and `face` int16.
    """
    rows = (rect[3] - rect[1]) * ss
    reach = taps.shape[0]
    for row in range(rows):
        for x in range(inner[0], inner[2]):
            first = (x - rect[0]) * ss + (ss - reach) // 2
            sum_0 = sum_1 = sum_2 = sum_3 = np.float32(0.0)
            for k in range(reach):
                tap, at = taps[k], sub[row, first + k]
                sum_0 += tap * at[0]
                sum_1 += tap * at[1]
                sum_2 += tap * at[2]
                sum_3 += tap * at[3]
            out = between[row, x - inner[0]]
            out[0], out[1], out[2], out[3] = sum_0, sum_1, sum_2, sum_3
    for y in range(inner[1], inner[3]):
        first = (y - rect[1]) * ss + (ss - reach) // 2
        middle_y = (y - rect[1]) * ss + ss // 2
        for x in range(inner[0], inner[2]):
            sum_0 = sum_1 = sum_2 = sum_3 = np.float32(0.0)
            for k in range(reach):
                tap, at = taps[k], between[first + k, x - inner[0]]
                sum_0 += tap * at[0]
                sum_1 += tap * at[1]
                sum_2 += tap * at[2]
                sum_3 += tap * at[3]
            shade[y, x] = sum_3
            refl[y, x, 0] = np.uint16(min(np.float32(65535.0), sum_0 * np.float32(ONE)))
            refl[y, x, 1] = np.uint16(min(np.float32(65535.0), sum_1 * np.float32(ONE)))
            refl[y, x, 2] = np.uint16(min(np.float32(65535.0), sum_2 * np.float32(ONE)))
            middle_x = (x - rect[0]) * ss + ss // 2
            k = sub_face[middle_y, middle_x]
            depth[y, x] = sub_depth[middle_y, middle_x]
            face[y, x] = k
            ids[y, x] = np.int32(0 if k < 0 else int(faces[k, 24]))


@njit(cache=True)
def depth_faces(rect, cam, rays, faces, bank, base, depth):  # type: ignore[no-untyped-def]
    """Depths (H, W) float32 of the nearest face at the pixels of `rect`, FAR_M where none is."""
    for y in range(rect[1], rect[3]):
        for x in range(rect[0], rect[2]):
            depth[y, x] = FAR_M
    for n in range(faces.shape[0]):
        f = faces[n]
        qx, qy, qz = f[0] - cam[9], f[1] - cam[10], f[2] - cam[11]
        away = f[9] * qx + f[10] * qy + f[11] * qz
        holes = int(f[17]) & 2 != 0
        at, tw, th = base[int(f[16]), 0], base[int(f[16]), 1], base[int(f[16]), 2]
        for y in range(max(rect[1], int(f[13])), min(rect[3], int(f[15]))):
            for x in range(max(rect[0], int(f[12])), min(rect[2], int(f[14]))):
                rx, ry = rays[y, x, 0], rays[y, x, 1]
                wx = cam[0] * rx + cam[3] * ry + cam[6]
                wy = cam[1] * rx + cam[4] * ry + cam[7]
                wz = cam[2] * rx + cam[5] * ry + cam[8]
                slope = f[9] * wx + f[10] * wy + f[11] * wz
                if slope == 0.0:
                    continue
                t = away / slope
                if t <= 0.01 or t >= depth[y, x]:
                    continue
                dx, dy, dz = t * wx - qx, t * wy - qy, t * wz - qz
                a = f[3] * dx + f[4] * dy + f[5] * dz
                b = f[6] * dx + f[7] * dy + f[8] * dz
                if a < 0.0 or a >= 1.0 or b < 0.0 or b >= 1.0:
                    continue
                if holes and bank[at + int(b * th) * tw + int(a * tw), 3] < 128:
                    continue
                depth[y, x] = t


@njit(cache=True)
def beam_map(rect, cam, rays, depth, face, faces, beam, lens, beam_at, near_m):  # type: ignore[no-untyped-def]
    """Where a projector's light for each pixel of `rect` comes from.

    `beam` (16,) and `lens` (5,) are the projector's. `beam_at` (H, W, 4) float32: its pixel's x
    and y, the distance ahead of it, and how much of its light arrives: the cosine at the surface
    over the distance squared, `near_m` being where a surface that faces it gets all. Gain 0
    outside its picture. People have no face (-2): what faces the camera is lit from where it is.
    """
    scale = near_m * near_m
    for y in range(rect[1], rect[3]):
        for x in range(rect[0], rect[2]):
            beam_at[y, x, 3] = 0.0
            t = depth[y, x]
            if t >= FAR_M * 0.5:
                continue
            rx, ry = rays[y, x, 0], rays[y, x, 1]
            wx = cam[0] * rx + cam[3] * ry + cam[6]
            wy = cam[1] * rx + cam[4] * ry + cam[7]
            wz = cam[2] * rx + cam[5] * ry + cam[8]
            ax = cam[9] + t * wx - beam[9]
            ay = cam[10] + t * wy - beam[10]
            az = cam[11] + t * wz - beam[11]
            ahead = beam[6] * ax + beam[7] * ay + beam[8] * az
            if ahead < 0.1:
                continue
            bx = (beam[0] * ax + beam[1] * ay + beam[2] * az) / ahead
            by = (beam[3] * ax + beam[4] * ay + beam[5] * az) / ahead
            r2 = bx * bx + by * by
            radial = 1.0 + r2 * (lens[0] + r2 * (lens[1] + r2 * lens[4]))
            sx = bx * radial + 2.0 * lens[2] * bx * by + lens[3] * (r2 + 2.0 * bx * bx)
            sy = by * radial + lens[2] * (r2 + 2.0 * by * by) + 2.0 * lens[3] * bx * by
            far = np.sqrt(ax * ax + ay * ay + az * az)
            k = face[y, x]
            if k >= 0:
                cos = -(faces[k, 9] * ax + faces[k, 10] * ay + faces[k, 11] * az) / far
                if int(faces[k, 17]) & 1 != 0:
                    # A sheet is lit on the side that is seen.
                    seen = faces[k, 9] * wx + faces[k, 10] * wy + faces[k, 11] * wz
                    cos = cos if seen < 0.0 else -cos
            else:
                cos = (ax * wx + ay * wy + az * wz) / (far * np.sqrt(wx * wx + wy * wy + wz * wz))
            if cos <= 0.0:
                continue
            beam_at[y, x, 0] = beam[14] + beam[12] * sx
            beam_at[y, x, 1] = beam[15] + beam[13] * sy
            beam_at[y, x, 2] = ahead
            beam_at[y, x, 3] = cos * scale / (far * far)


@njit(cache=True)
def find_flat(rect, light, flat):  # type: ignore[no-untyped-def]
    """`flat` (H, W) uint8 in `rect`: 1 where `light` (H, W, 3) is the same at a pixel and at the
    next ones right and below. The last row and column stay as they are."""
    for y in range(rect[1], min(rect[3], light.shape[0] - 1)):
        for x in range(rect[0], min(rect[2], light.shape[1] - 1)):
            same = True
            for c in range(3):
                here = light[y, x, c]
                same &= here == light[y, x + 1, c] and here == light[y + 1, x, c]
                same &= light[y + 1, x, c] == light[y + 1, x + 1, c]
            flat[y, x] = 1 if same else 0


@njit(cache=True)
def compose(  # type: ignore[no-untyped-def]
    tiles, refl, shade, ambient, beams, pictures, flats, shadows, bias, curve, clean
):
    """Light on surfaces: `clean` (H, W, 3) uint16, grey levels in sixteenths, in `tiles` (T, 4).

    `ambient` (3,) and `pictures` (P, Hp, Wp, 3) float32 are linear light, `beams` (P, H, W, 4) of
    `beam_map`, `shadows` (P, Hp, Wp) depths of what is nearest to each projector; `flats` (P, Hp,
    Wp) uint8 is 1 where a picture is the same at a pixel and at the next ones right and below;
    `curve` (4096,) uint16 is the camera's response to light of 0 to 2. Pictures are read bilinearly
    and shadows softened over a pixel.
    """
    for n in range(tiles.shape[0]):
        for y in range(tiles[n, 1], tiles[n, 3]):
            for x in range(tiles[n, 0], tiles[n, 2]):
                r, g, b = (
                    shade[y, x] * ambient[0],
                    shade[y, x] * ambient[1],
                    shade[y, x] * ambient[2],
                )
                for p in range(beams.shape[0]):
                    gain = beams[p, y, x, 3]
                    if gain <= 0.0:
                        continue
                    picture, shadow = pictures[p], shadows[p]
                    height, width = picture.shape[0], picture.shape[1]
                    px, py = beams[p, y, x, 0], beams[p, y, x, 1]
                    if px < -0.5 or py < -0.5 or px > width - 0.5 or py > height - 0.5:
                        continue
                    ahead = beams[p, y, x, 2] - bias
                    px, py = min(width - 1.001, max(0.0, px)), min(height - 1.001, max(0.0, py))
                    ix, iy = int(px), int(py)
                    fx, fy = px - ix, py - iy
                    if flats[p][iy, ix] == 1:
                        share = 0.0
                        share += (1.0 - fx) * (1.0 - fy) * (ahead <= shadow[iy, ix])
                        share += fx * (1.0 - fy) * (ahead <= shadow[iy, ix + 1])
                        share += (1.0 - fx) * fy * (ahead <= shadow[iy + 1, ix])
                        share += fx * fy * (ahead <= shadow[iy + 1, ix + 1])
                        share *= gain
                        r += share * picture[iy, ix, 0]
                        g += share * picture[iy, ix, 1]
                        b += share * picture[iy, ix, 2]
                        continue
                    for j in range(2):
                        for i in range(2):
                            if ahead > shadow[iy + j, ix + i]:
                                continue
                            share = (fx if i else 1.0 - fx) * (fy if j else 1.0 - fy) * gain
                            r += share * picture[iy + j, ix + i, 0]
                            g += share * picture[iy + j, ix + i, 1]
                            b += share * picture[iy + j, ix + i, 2]
                scale = 2048.0 / ONE
                clean[y, x, 0] = curve[int(min(4095.0, refl[y, x, 0] * r * scale))]
                clean[y, x, 1] = curve[int(min(4095.0, refl[y, x, 1] * g * scale))]
                clean[y, x, 2] = curve[int(min(4095.0, refl[y, x, 2] * b * scale))]


@njit(cache=True)
def lay_people(rect, rgb, keys, linear, refl, shade, face, ids):  # type: ignore[no-untyped-def]
    """People drawn into `rgb` and `keys` where `keys` is not 0 go into the layers of `rect`."""
    for y in range(rect[1], rect[3]):
        for x in range(rect[0], rect[2]):
            if keys[y, x] != 0:
                for c in range(3):
                    refl[y, x, c] = np.uint16(linear[rgb[y, x, c]] * ONE)
                shade[y, x] = 1.0
                face[y, x] = -2
                ids[y, x] = keys[y, x]


@njit(cache=True)
def expose(clean, table, starts, ground, slope, out):  # type: ignore[no-untyped-def]
    """The sensor's noise: `clean` (H, 3 W) uint16 in sixteenths of a grey level, `table` (N,) int16
    of unit noise in 1/256, `starts` (H,) int64. Noise is `ground` sixteenths of a grey level in
    black and 1/4096 of `slope` more with each sixteenth of brightness; `out` (H, 3 W) uint8."""
    width = clean.shape[1]
    for y in range(clean.shape[0]):
        row = table[starts[y] : starts[y] + width]
        source, target = clean[y], out[y]
        for x in range(width):
            value = np.int32(source[x])
            size = ground + ((value * slope) >> np.int32(12))
            value = (value + ((np.int32(row[x]) * size) >> np.int32(8)) + np.int32(8)) >> np.int32(
                4
            )
            target[x] = np.uint8(min(np.int32(255), max(np.int32(0), value)))
