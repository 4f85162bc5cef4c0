"""Training pictures from the simulator's renderer: detection, shelf changes, product crops."""

from __future__ import annotations

from store_sim.pictures.changes import PAIR_CLASSES, Pair, change_box, pair_pictures
from store_sim.pictures.crops import Crop, crop_pictures
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
    "PAIR_CLASSES",
    "SHELF_CLASSES",
    "Crop",
    "Pair",
    "Picture",
    "ceiling_pictures",
    "change_box",
    "crop_pictures",
    "pair_pictures",
    "picture_boxes",
    "shelf_pictures",
]
