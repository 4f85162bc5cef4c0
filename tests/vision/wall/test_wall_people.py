"""Whether somebody is before a drawn wall: never who, and never a thing or a light."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.vision.wall.drawing import Stage, filled, parcel, wall
from vision.wall import LitRegion, WallCamera, WallObservation

PLACE = wall()
CLOTHES = (60, 70, 90)


class Watch:
    """A stage and the camera that looks at it."""

    def __init__(self, start_s: float = 3.0) -> None:
        self.stage = Stage(PLACE, boxes=filled(9))
        self.eye = WallCamera(PLACE.cameras[0], PLACE)
        self.last: WallObservation | None = None
        self.run(start_s)

    def run(self, seconds: float) -> list[bool]:
        """So long; what each picture says of whether somebody is there."""
        said = []
        for _ in range(round(seconds * 5)):
            self.last = self.eye.perceive(self.stage.picture())
            said.append(self.last.somebody)
        return said

    def enter(self, x: float, wide: float = 330.0, top: float = 200.0) -> None:
        """A body stands with its left side at x, seen from the picture's lower edge up."""
        body = np.array([[x, 1090], [x, top], [x + wide, top], [x + wide, 1090]], np.float64)
        self.stage.people = [(body, CLOTHES)]


def anywhere() -> NDArray[np.float32]:
    return np.array([[0, 0], [1920, 0], [1920, 1080], [0, 1080]], np.float32)


def test_nobody_is_at_a_wall_that_does_not_change() -> None:
    watch = Watch()
    assert not any(watch.run(6.0))


@pytest.mark.parametrize("lit", [False, True], ids=["dark", "lit"])
def test_who_enters_stands_still_and_leaves(*, lit: bool) -> None:
    watch = Watch()
    if lit:
        ring = watch.stage.ring("p2", (0, 0.9, 0))
        watch.eye.shine([LitRegion(ring.astype(np.float32), "take_a")])
        assert not any(watch.run(3.0))
    watch.enter(1100)
    assert all(watch.run(0.4))
    assert all(watch.run(20.0))
    watch.stage.people = []
    assert not any(watch.run(4.0)[1:])


def test_an_arm_from_the_pictures_edge_is_somebody() -> None:
    watch = Watch()
    watch.enter(900, wide=70, top=600)
    assert all(watch.run(1.0))


def test_what_is_tiny_at_the_pictures_edge_is_nobody() -> None:
    watch = Watch()
    watch.enter(900, wide=40, top=1040)
    assert not any(watch.run(4.0))


def test_a_parcel_that_is_pushed_put_down_or_gone_is_nobody() -> None:
    watch = Watch()
    box = watch.stage.boxes["p5"]
    watch.stage.boxes["p5"] = box.at(box.centre[0] + 0.05, *box.centre[1:])
    assert not any(watch.run(4.0))
    watch.stage.boxes["new"] = parcel(77, 0.52, 1.38 + 0.08)
    assert not any(watch.run(4.0))
    del watch.stage.boxes["p2"]
    assert not any(watch.run(4.0))


def test_our_own_light_is_nobody() -> None:
    watch = Watch()
    for name in ("p1", "p5", "p9"):
        ring = watch.stage.ring(name, (0.9, 0, 0))
        watch.eye.shine([LitRegion(ring.astype(np.float32), "not_this")])
    assert not any(watch.run(4.0))


@pytest.mark.parametrize("gain", [0.55, 1.25])
def test_light_of_the_room_is_nobody(gain: float) -> None:
    watch = Watch()
    watch.stage.gain = gain
    assert not any(watch.run(4.0))


def test_stripes_over_all_of_the_picture_change_nothing_of_it() -> None:
    watch = Watch()
    watch.eye.shine((LitRegion(anywhere(), "look"),))
    watch.stage.gain = 1.6
    assert not any(watch.run(2.0))
    watch.stage.gain = 1.0
    watch.eye.shine(())
    assert not any(watch.run(1.0))
    watch.enter(1100)
    watch.run(1.0)
    watch.eye.shine((LitRegion(anywhere(), "look"),))
    watch.stage.people = []
    watch.stage.gain = 1.6
    # Nothing is judged meanwhile: whoever was there may be there still.
    assert all(watch.run(2.0))
    watch.stage.gain = 1.0
    watch.eye.shine(())
    assert not any(watch.run(3.0)[1:])


def test_what_came_and_does_not_move_for_most_of_a_minute_is_nobody() -> None:
    """Something was hung there: a person is never as still."""
    watch = Watch()
    watch.enter(1100)
    said = watch.run(60.0)
    assert said[0]
    assert not any(said[-50:])
    # Nor does it hide that somebody comes.
    other = np.array([[200, 1090], [200, 200], [500, 200], [500, 1090]], np.float64)
    watch.stage.people.append((other, CLOTHES))
    assert all(watch.run(1.0))
