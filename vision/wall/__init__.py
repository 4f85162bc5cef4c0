"""What stands at a pick-up wall: labelled things and others, followed over time.

eye = WallCamera(camera, wall)           # one for each camera
seen = eye.perceive(frame)               # WallObservation
things = WallMap(wall, "wall-1")         # one for each wall
news = things.step(now_s, [seen])        # contracts.wall_messages.Thing
"""

from vision.wall.camera import WallCamera
from vision.wall.geometry import MarkerFit, WallLens, find_markers, marker_corners_m
from vision.wall.records import LightSpot, LitRegion, Sight, WallObservation
from vision.wall.settings import WallSettings
from vision.wall.wallmap import WallMap

__all__ = [
    "LightSpot", "LitRegion", "MarkerFit", "Sight", "WallCamera", "WallLens", "WallMap",
    "WallObservation", "WallSettings", "find_markers", "marker_corners_m",
]  # fmt: skip
