"""Meshes and texture banks: what the rasteriser draws.

A mesh holds its vertices with normals and texture coordinates (0..1 over a texture, wrapping) and
its triangles with a texture number and a part number. Triangles run anticlockwise seen from
outside. A bank holds several textures with their mip levels in one flat array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIP_LEVELS_MAX", "Bank", "Mesh", "MeshBuilder", "make_bank"]

MIP_LEVELS_MAX = 11

Floats = NDArray[np.float64]
Rgbs = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Mesh:
    """`pos`, `normal` (V, 3), `uv` (V, 2) float64; `tris` (T, 3), `mats`, `parts` (T,) int64."""

    pos: Floats
    normal: Floats
    uv: Floats
    tris: NDArray[np.int64]
    mats: NDArray[np.int64]
    parts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bank:
    """`texels` (N, 3) uint8; `levels` (M, MIP_LEVELS_MAX, 3) int64: offset, width, height."""

    texels: Rgbs
    levels: NDArray[np.int64]


def make_bank(textures: Sequence[Rgbs]) -> Bank:
    """Builds mip levels of (H, W, 3) uint8 textures whose sides are powers of two."""
    levels = np.zeros((len(textures), MIP_LEVELS_MAX, 3), np.int64)
    flat: list[Rgbs] = []
    offset = 0
    for m, texture in enumerate(textures):
        height, width = texture.shape[:2]
        if height & (height - 1) or width & (width - 1) or max(height, width) > 1024:
            raise ValueError(
                f"expected texture sides that are powers of two up to 1024, got {width}x{height}"
            )
        image = texture
        for level in range(MIP_LEVELS_MAX):
            height, width = image.shape[:2]
            levels[m, level] = (offset, width, height)
            flat.append(image.reshape(-1, 3))
            offset += height * width
            if height == 1 and width == 1:
                break
            wide = image.astype(np.uint16)
            if height > 1:
                wide = wide[0::2] + wide[1::2]
            if width > 1:
                wide = wide[:, 0::2] + wide[:, 1::2]
            parts = (2 if height > 1 else 1) * (2 if width > 1 else 1)
            image = ((wide + parts // 2) // parts).astype(np.uint8)
    return Bank(texels=np.ascontiguousarray(np.concatenate(flat)), levels=levels)


@dataclass(slots=True)
class MeshBuilder:
    """Collects faces and gives a mesh; winding is set by the vertex normals."""

    _pos: list[Floats] = field(default_factory=list)
    _normal: list[Floats] = field(default_factory=list)
    _uv: list[Floats] = field(default_factory=list)
    _tris: list[NDArray[np.int64]] = field(default_factory=list)
    _mats: list[NDArray[np.int64]] = field(default_factory=list)
    _parts: list[NDArray[np.int64]] = field(default_factory=list)
    _count: int = 0

    def add(
        self,
        pos: Floats,
        normal: Floats,
        uv: Floats,
        tris: NDArray[np.int64],
        mat: int,
        part: int = 0,
    ) -> None:
        """Adds (V, 3) vertices with normals and uv and (T, 3) triangles of one texture."""
        face = np.cross(pos[tris[:, 1]] - pos[tris[:, 0]], pos[tris[:, 2]] - pos[tris[:, 0]])
        mean = normal[tris].sum(axis=1)
        wrong = (face * mean).sum(axis=1) < 0
        turned = np.where(wrong[:, None], tris[:, [0, 2, 1]], tris)
        self._pos.append(pos)
        self._normal.append(normal)
        self._uv.append(uv)
        self._tris.append(turned + self._count)
        self._mats.append(np.full(len(tris), mat, np.int64))
        self._parts.append(np.full(len(tris), part, np.int64))
        self._count += len(pos)

    def quad(
        self,
        corners: Floats,
        normal: Sequence[float],
        uv: tuple[float, float, float, float],
        mat: int,
        part: int = 0,
        cells: tuple[int, int] = (1, 1),
    ) -> None:
        """A flat quad of corners (4, 3): origin, +u, +u+v, +v; uv = (u0, v0, u1, v1).

        `cells` cuts it into a grid, for shading and mip levels that vary over it.
        """
        nu, nv = cells
        s, t = np.meshgrid(np.linspace(0, 1, nu + 1), np.linspace(0, 1, nv + 1))
        s, t = s.ravel()[:, None], t.ravel()[:, None]
        c = np.asarray(corners, np.float64)
        pos = (1 - t) * ((1 - s) * c[0] + s * c[1]) + t * ((1 - s) * c[3] + s * c[2])
        tex = np.hstack([uv[0] + s * (uv[2] - uv[0]), uv[1] + t * (uv[3] - uv[1])])
        index = np.arange((nu + 1) * (nv + 1)).reshape(nv + 1, nu + 1)
        a, b = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
        d, e = index[1:, :-1].ravel(), index[1:, 1:].ravel()
        tris = np.concatenate([np.stack([a, b, e], 1), np.stack([a, e, d], 1)]).astype(np.int64)
        normals = np.tile(np.asarray(normal, np.float64), (len(pos), 1))
        self.add(pos, normals, tex, tris, mat, part)

    def box(
        self,
        low: Sequence[float],
        high: Sequence[float],
        mat: int,
        part: int = 0,
        scale: float = 1.0,
        cells: int = 1,
    ) -> None:
        """An upright box of one texture, `scale` texture repeats per metre."""
        x0, y0, z0 = low
        x1, y1, z1 = high
        w, d, h = (x1 - x0) * scale, (y1 - y0) * scale, (z1 - z0) * scale
        faces: tuple[tuple[list[list[float]], tuple[float, float, float], float, float], ...] = (
            ([[x0, y0, z1], [x1, y0, z1], [x1, y0, z0], [x0, y0, z0]], (0, -1, 0), w, h),
            ([[x1, y1, z1], [x0, y1, z1], [x0, y1, z0], [x1, y1, z0]], (0, 1, 0), w, h),
            ([[x0, y1, z1], [x0, y0, z1], [x0, y0, z0], [x0, y1, z0]], (-1, 0, 0), d, h),
            ([[x1, y0, z1], [x1, y1, z1], [x1, y1, z0], [x1, y0, z0]], (1, 0, 0), d, h),
            ([[x0, y1, z1], [x1, y1, z1], [x1, y0, z1], [x0, y0, z1]], (0, 0, 1), w, d),
            ([[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0]], (0, 0, -1), w, d),
        )
        for corners, normal, u, v in faces:
            self.quad(np.array(corners), normal, (0.0, 0.0, u, v), mat, part, (cells, cells))

    def lathe(
        self,
        profile: Sequence[tuple[float, float]],
        sides: int,
        uv: tuple[float, float, float, float],
        mat: int,
        part: int = 0,
        squash: float = 1.0,
    ) -> None:
        """A surface of revolution about z: `profile` (radius, z) from top to bottom.

        u runs once around from the left (-x) over the front (-y).
        """
        r = np.array([p[0] for p in profile])
        z = np.array([p[1] for p in profile])
        turn = np.linspace(0.0, 1.0, sides + 1)
        angle = np.pi + turn * 2 * np.pi
        cos, sin = np.cos(angle), np.sin(angle)
        slope = np.gradient(r, np.arange(len(r)))
        fall = -np.gradient(z, np.arange(len(z)))
        length = np.sqrt(slope**2 + fall**2) + 1e-12
        nr, nz = fall / length, slope / length
        pos = np.empty((len(r), sides + 1, 3))
        pos[..., 0] = r[:, None] * cos[None]
        pos[..., 1] = r[:, None] * sin[None] * squash
        pos[..., 2] = z[:, None]
        normal = np.empty_like(pos)
        normal[..., 0] = nr[:, None] * cos[None]
        normal[..., 1] = nr[:, None] * sin[None]
        normal[..., 2] = nz[:, None]
        heights = (z[0] - z) / max(1e-9, z[0] - z[-1])
        tex = np.empty((len(r), sides + 1, 2))
        tex[..., 0] = uv[0] + turn[None] * (uv[2] - uv[0])
        tex[..., 1] = uv[1] + heights[:, None] * (uv[3] - uv[1])
        index = np.arange(len(r) * (sides + 1)).reshape(len(r), sides + 1)
        a, b = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
        d, e = index[1:, :-1].ravel(), index[1:, 1:].ravel()
        tris = np.concatenate([np.stack([a, b, e], 1), np.stack([a, e, d], 1)]).astype(np.int64)
        flat = (-1, 3), (-1, 2)
        self.add(
            pos.reshape(flat[0]), normal.reshape(flat[0]), tex.reshape(flat[1]), tris, mat, part
        )

    def disc(
        self,
        radius: float,
        z: float,
        up: bool,
        sides: int,
        uv: tuple[float, float, float, float],
        mat: int,
        part: int = 0,
    ) -> None:
        """A flat round lid at height z."""
        angle = np.linspace(0, 2 * np.pi, sides + 1)[:-1]
        ring = np.stack([np.cos(angle), np.sin(angle)], 1)
        pos = np.zeros((sides + 1, 3))
        pos[1:, :2] = ring * radius
        pos[:, 2] = z
        tex = np.empty((sides + 1, 2))
        mid = np.array([(uv[0] + uv[2]) / 2, (uv[1] + uv[3]) / 2])
        half = np.array([(uv[2] - uv[0]) / 2, (uv[3] - uv[1]) / 2])
        tex[0] = mid
        tex[1:] = mid + ring * half
        k = np.arange(sides)
        tris = np.stack([np.zeros(sides), 1 + k, 1 + (k + 1) % sides], 1).astype(np.int64)
        normal = np.tile([0.0, 0.0, 1.0 if up else -1.0], (sides + 1, 1))
        self.add(pos, normal, tex, tris, mat, part)

    def merge(self, mesh: Mesh, pos: Floats, normal: Floats) -> None:
        """Adds a mesh with other positions and normals, which must keep its winding."""
        self._pos.append(pos)
        self._normal.append(normal)
        self._uv.append(mesh.uv)
        self._tris.append(mesh.tris + self._count)
        self._mats.append(mesh.mats)
        self._parts.append(mesh.parts)
        self._count += len(pos)

    def build(self) -> Mesh:
        """The mesh of everything added so far."""
        return Mesh(
            pos=np.ascontiguousarray(np.concatenate(self._pos)),
            normal=np.ascontiguousarray(np.concatenate(self._normal)),
            uv=np.ascontiguousarray(np.concatenate(self._uv)),
            tris=np.ascontiguousarray(np.concatenate(self._tris)),
            mats=np.concatenate(self._mats),
            parts=np.concatenate(self._parts),
        )
