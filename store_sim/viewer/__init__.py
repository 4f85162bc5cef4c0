"""The truth viewer: what happens in a store, from above and through each camera.

`SimulatedShow` and `RecordedShow` give snapshots; `film` makes a video of them and strips of
pictures around each action; `action_pictures` makes the pictures of one action alone.
"""

from __future__ import annotations

from store_sim.viewer.known import ShownAction, sentence
from store_sim.viewer.mosaic import MOSAIC_SIZE, Mosaic
from store_sim.viewer.movie import film
from store_sim.viewer.pictures import (
    ActionStrip,
    StripMaker,
    action_pictures,
    pictures_of_actions,
)
from store_sim.viewer.shows import RecordedShow, Show, SimulatedShow

__all__ = [
    "MOSAIC_SIZE",
    "ActionStrip",
    "Mosaic",
    "RecordedShow",
    "Show",
    "ShownAction",
    "SimulatedShow",
    "StripMaker",
    "action_pictures",
    "film",
    "pictures_of_actions",
    "sentence",
]
