"""Where marks for a thing belong: in the part of its face that has the label in its middle.

Where a face ends is known far worse than where its label is, and how deep it is was measured at the
label: light about the label falls on the right thing even where the outline holds its neighbour.

>>> face = ((0.0, 0.0), (0.4, 0.0), (0.4, 0.2), (0.0, 0.2))
>>> about_label(face, ((0.05, 0.12), (0.15, 0.12), (0.15, 0.08), (0.05, 0.08)))
((0.0, 0.0), (0.2, 0.0), (0.2, 0.2), (0.0, 0.2))
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from vision.wall.records import Corners

__all__ = ["about_label"]

BEYOND_M = 0.02
"""Marks reach so far beyond the label, whatever the outline says: else they would not be seen."""
THIN_M = 0.01
"""An outline whose sides are shorter is no face."""
KNOWN_MAX = 1024
"""Things that stand are asked for with every picture; so many answers are kept."""


@lru_cache(maxsize=KNOWN_MAX)
def about_label(outline_m: Corners, label_m: Corners) -> Corners | None:
    """The four corners of the largest part of an outline (u, z) that has the label's middle in its
    middle, with sides as the outline's; None if the outline is no face. It holds the label even
    where the outline does not."""
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
    least = np.abs((label - middle) @ to_shares).max(axis=0) + BEYOND_M / long
    half = np.maximum(0.5 - off, least)
    signs = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    corners = middle + (signs * half) @ axes
    return tuple((round(float(u), 5), round(float(z), 5)) for u, z in corners)
