"""Where marks for a thing belong: in the part of its face that has the label in its middle.

Where a face ends is known far worse than where its label is, and how deep it is was measured at the
label: light about the label falls on the right thing even where the outline holds its neighbour.
Of what lies between two labels half is each one's.

>>> face = ((0.0, 0.0), (0.4, 0.0), (0.4, 0.2), (0.0, 0.2))
>>> label = ((0.05, 0.12), (0.15, 0.12), (0.15, 0.08), (0.05, 0.08))
>>> about_label(face, label)
((0.0, 0.0), (0.2, 0.0), (0.2, 0.2), (0.0, 0.2))
>>> about_label(face, label, (((0.18, 0.12), (0.28, 0.12), (0.28, 0.08), (0.18, 0.08)),))
((0.035, 0.0), (0.165, 0.0), (0.165, 0.2), (0.035, 0.2))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import cv2
import numpy as np

from vision.wall.boxes import box
from vision.wall.rays import at_depth
from vision.wall.records import Corners, Sight

__all__ = ["about_label", "label_of", "mark_of"]

BEYOND_M = 0.02
"""Marks reach so far beyond the label, whatever the outline says: else they would not be seen."""
THIN_M = 0.01
"""An outline whose sides are shorter is no face."""
KNOWN_MAX = 1024
"""Things that stand are asked for with every picture; so many answers are kept."""


def label_of(sights: Sequence[Sight], v_m: float) -> Corners | None:
    """The corners (u, z) of a thing's label at v, by the camera that knows its place best."""
    labelled = [one for one in sights if one.label_m is not None]
    if not labelled:
        return None
    best = min(labelled, key=lambda one: one.sd_m)
    return at_depth(best, v_m, best.label_m)


def mark_of(outline_m: Corners, label_m: Corners, others_m: Iterable[Corners]) -> Corners | None:
    """`about_label` among the labels of all other things that stand; which of them are near enough
    to matter is told from the mark that there would be without them."""
    mark = about_label(outline_m, label_m)
    if mark is None:
        return None
    (u0, z0), (u1, z1) = box(mark)
    far_u, far_z = (u1 - u0) / 2, (z1 - z0) / 2
    near = []
    for other in others_m:
        (a0, b0), (a1, b1) = box(other)
        if a0 < u1 + far_u and a1 > u0 - far_u and b0 < z1 + far_z and b1 > z0 - far_z:
            near.append(other)
    return about_label(outline_m, label_m, tuple(near)) if near else mark


@lru_cache(maxsize=KNOWN_MAX)
def about_label(
    outline_m: Corners, label_m: Corners, others_m: tuple[Corners, ...] = ()
) -> Corners | None:
    """The four corners of the largest part of an outline (u, z) that has the label's middle in its
    middle, with sides as the outline's, and reaches no farther than half the way to the labels of
    others; None if the outline is no face. It holds the label even where the outline does not."""
    face = np.array(outline_m, np.float64)
    if len(face) != 4:
        face = np.asarray(cv2.boxPoints(cv2.minAreaRect(face.astype(np.float32))), np.float64)
    label = np.array(label_m, np.float64)
    middle = label.mean(axis=0)
    across = (face[1] - face[0] + face[2] - face[3]) / 2
    along = (face[3] - face[0] + face[2] - face[1]) / 2
    long = np.array([np.linalg.norm(across), np.linalg.norm(along)])
    axes = np.stack([across, along])
    if long.min() < THIN_M or abs(np.linalg.det(axes)) < THIN_M * long.max():
        return None
    # In shares of the face's sides, from its middle.
    to_shares = np.linalg.inv(axes)
    off = np.abs((middle - face.mean(axis=0)) @ to_shares)
    own = np.abs((label - middle) @ to_shares).max(axis=0)
    half = np.maximum(0.5 - off, own + BEYOND_M / long)
    for other in others_m:
        there = (np.array(other, np.float64) - middle) @ to_shares
        gaps = np.maximum(there.min(axis=0), -there.max(axis=0)) - own
        axis = int(np.argmax(gaps * long))
        # One that is beside it in both ways is met by no side of the mark.
        if gaps[axis] > 0 and gaps[1 - axis] < half[1 - axis] - own[1 - axis]:
            half[axis] = min(half[axis], own[axis] + gaps[axis] / 2)
    signs = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    corners = middle + (signs * half) @ axes
    return tuple((round(float(u), 5), round(float(z), 5)) for u, z in corners)
