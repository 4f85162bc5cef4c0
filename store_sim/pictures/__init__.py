"""Training pictures from the simulator's renderer: detection, shelf changes, product crops."""

from __future__ import annotations

from store_sim.pictures.detection import (
    CEILING_CLASSES,
    SHELF_CLASSES,
    Picture,
    ceiling_pictures,
    picture_boxes,
    shelf_pictures,
)

__all__ = [
    "CEILING_CLASSES",
    "SHELF_CLASSES",
    "Picture",
    "ceiling_pictures",
    "picture_boxes",
    "shelf_pictures",
]
