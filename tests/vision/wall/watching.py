"""One camera that watches a drawn wall, and all that is told of it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache

import numpy as np
from numpy.typing import NDArray

from contracts.wall_messages import Thing
from tests.vision.wall.drawing import Drawn, Stage, filled, wall
from vision.wall import WallCamera, WallMap, WallObservation

PLACE = wall()


class Watch:
    """A stage, the camera that looks at it, the map, and all that was told."""

    def __init__(self, boxes: dict[str, Drawn], start_s: float = 3.0, **how: object) -> None:
        self.stage = Stage(PLACE, boxes=dict(boxes), **how)  # type: ignore[arg-type]
        self.eye = WallCamera(PLACE.cameras[0], PLACE)
        self.map = WallMap(PLACE, "w")
        self.news: list[tuple[float, Thing]] = []
        self.last: WallObservation | None = None
        self.run(start_s)

    def run(self, seconds: float) -> list[Thing]:
        """So long; the news of it."""
        told: list[Thing] = []
        for _ in range(round(seconds * 5)):
            picture = self.stage.picture()
            self.last = self.eye.perceive(picture)
            news = self.map.step(picture.t_s, [self.last])
            told += news
            self.news += [(picture.t_s, one) for one in news]
        return told

    def until(self, done: Callable[[Thing], bool], seconds: float) -> float:
        """Seconds until news is `done`; fails if it never is."""
        for k in range(round(seconds * 5)):
            if any(done(one) for one in self.run(0.2)):
                return round((k + 1) * 0.2, 3)
        raise AssertionError(f"not told within {seconds} s; told: {self.news[-6:]}")

    def thing(self, box: str) -> Thing:
        """The one thing that carries the label of a box, gone ones left out."""
        text = self.stage.boxes[box].text
        found = [one for one in self.map.things() if one.label and one.label.text == text]
        assert len(found) == 1, f"expected {box} once, got {found}"
        return found[0]


def begun(count: int) -> Watch:
    """One's own watch of a wall with so many parcels, three seconds old: all of it that most tests
    begin with, and it takes longer than most of them do."""
    return deepcopy(_begun(count))


@cache
def _begun(count: int) -> Watch:
    return Watch(filled(count))


def over(stage: Stage, box: str, *, by: float = 60.0) -> NDArray[np.float64]:
    """A body from the picture's lower edge to above a box."""
    pixels = stage.lens.pixels(stage.boxes[box].corners())
    low, high = pixels.min(axis=0) - by, pixels.max(axis=0) + by
    return np.array([[low[0], 1090], [low[0], low[1]], [high[0], low[1]], [high[0], 1090]])


def arm(stage: Stage, box: str) -> NDArray[np.float64]:
    """An arm from the right lower edge to the middle of a box, as wide as an arm is."""
    middle = stage.lens.pixels(np.array([stage.boxes[box].centre]))[0]
    away = np.array([middle[0] + 260, 1090.0])
    along = (away - middle) / np.linalg.norm(away - middle)
    side = np.array([-along[1], along[0]]) * 34
    tip = middle - along * 20
    return np.array([tip - side, tip + side, away + side, away - side])
