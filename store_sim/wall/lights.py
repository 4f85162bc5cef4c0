"""Which light really falls on a parcel: the marks in what projectors throw, followed to the wall.

A mark is a patch of one colour in a projector's picture, with what lies inside it. It lights the
parcel on whose front its middle falls, or whose front holds most of it, if nothing is in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.wall_messages import MarkLook
from store_sim.wall.beam import Beam
from store_sim.wall.parcels import ParcelPose, SimParcel, frame_of, label_corners

__all__ = ["Lit", "lit_by"]

Floats = NDArray[np.float64]

BIAS_M = 0.015
NEAREST = 5
"""So many parcels about a mark are looked at."""
LEAST_SHARE = 0.2
"""What has less of a mark on it is not lit by it."""


@dataclass(frozen=True, slots=True)
class Lit:
    """A mark that falls on a parcel: how it looks, by which projector or strip, how far its middle
    is from the face's middle (mm, on the plane of the face; of lamps along their board), which
    share of it falls on the face and gets there, nobody being in between, or is below it, where its
    middle is, (u, v, z), and how far that is from the middle of the label's code (mm; None where
    there is no label, both None of lamps, which are aimed at none)."""

    look: MarkLook
    device_id: str
    off_mm: float
    share: float
    at_m: tuple[float, float, float] | None = (0.0, 0.0, 0.0)
    label_mm: float | None = None


def _rays(beam: Beam, pixels: Floats) -> Floats:
    """Directions (N, 3) from a projector through pixels, one metre ahead."""
    cam = beam.optic.cam
    x = np.clip(np.rint(pixels[:, 0]).astype(np.intp), 0, beam.optic.width - 1)
    y = np.clip(np.rint(pixels[:, 1]).astype(np.intp), 0, beam.optic.height - 1)
    seen = beam.optic.rays[y, x].astype(np.float64)
    return np.asarray(cam[6:9] + seen[:, :1] * cam[0:3] + seen[:, 1:] * cam[3:6], dtype=np.float64)


def lit_by(
    beam: Beam, standing: Iterable[tuple[SimParcel, ParcelPose]]
) -> dict[int, tuple[Lit, ...]]:
    """The marks that fall on parcels, by the parcels' index."""
    if beam.shown is None:
        return {}
    found: dict[int, list[Lit]] = {}
    listed = list(standing)
    if not listed:
        return {}
    middles, _ = beam.optic.pixels(np.array([pose.at_m for _, pose in listed]))
    for look, pixels in beam.marks():
        rays = _rays(beam, pixels)
        step = max(1, len(pixels) // 400)
        middle = (pixels.min(axis=0) + pixels.max(axis=0)) / 2
        near = np.argsort(np.nan_to_num(((middles - middle) ** 2).sum(axis=1), nan=1e18))[:NEAREST]
        hits = [(_hit(beam, listed[int(k)], pixels, rays, step), int(k)) for k in near]
        (share, off_mm, at), best = max(hits, key=lambda hit: (hit[0][0], -hit[1]))
        if share < LEAST_SHARE:
            continue
        parcel, pose = listed[best]
        label_mm = None
        if parcel.label is not None:
            code = label_corners(parcel, pose).mean(axis=0)
            label_mm = round(1000.0 * float(np.linalg.norm(at - code)), 2)
        u, v, z = at.tolist()
        lit = Lit(look, beam.projector_id, round(off_mm, 2), round(share, 3), (u, v, z), label_mm)
        found.setdefault(parcel.index, []).append(lit)
    return {index: tuple(lits) for index, lits in found.items()}


def _hit(
    beam: Beam, what: tuple[SimParcel, ParcelPose], pixels: Floats, rays: Floats, step: int
) -> tuple[float, float, Floats]:
    """The share of a mark that reaches a parcel's front, how far its middle is from the front's,
    in millimetres on the front's plane, and where it is. A ring round the whole front counts as on
    it."""
    parcel, pose = what
    right, up, out = frame_of(pose)
    source = beam.optic.cam[9:12]
    away = np.array(pose.at_m) - source
    slope = rays @ out
    t = np.where(np.abs(slope) > 1e-9, (away @ out) / np.where(slope == 0, 1, slope), -1.0)
    at = source + t[:, None] * rays - np.array(pose.at_m)
    x, y = at @ right, at @ up
    middle = (0.5 * (x.min() + x.max()), 0.5 * (y.min() + y.max()))
    off_mm = 1000.0 * float(np.hypot(*middle))
    w, h, _ = parcel.size_m
    few = slice(None, None, step)
    inside = (np.abs(x[few]) <= w / 2) & (np.abs(y[few]) <= h / 2) & (t[few] > 0)
    columns, rows = pixels[few, 0].astype(np.intp), pixels[few, 1].astype(np.intp)
    clear = t[few] <= beam.shadow[rows, columns] + BIAS_M
    where = np.array(pose.at_m) + middle[0] * right + middle[1] * up
    return float((inside & clear).mean()), off_mm, where
