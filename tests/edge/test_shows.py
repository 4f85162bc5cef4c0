"""Projectors and strips of a node: kept open, shown the newest, and helped back when they went."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.messages import NodeConfig
from contracts.wall import Wall
from edge.shows import RETRY_S, Shows
from hardware.errors import DeviceLostError, DeviceOpenError
from hardware.lights import MemoryLight
from hardware.projectors import MemoryProjector
from tests.contracts.test_wall import wall as wall_document

SIZE = (64, 36)
STRIP = {"light_id": "strip-1", "board_id": "b1", "u0_m": 0, "u1_m": 1, "lamps": 4}


class Strip(MemoryLight):
    """Counts what it is given; `lost` makes it fail once."""

    given = 0
    lost = False

    def show(self, colours: NDArray[np.uint8], *, now_s: float) -> None:
        self.given += 1
        if self.lost:
            self.lost = False
            raise DeviceLostError("went away")
        super().show(colours, now_s=now_s)


class Rig:
    """Shows of one wall with one projector and one strip, at a clock of its own."""

    def __init__(self) -> None:
        document = wall_document()
        board = document["boards"][0]["board_id"]
        wall = Wall.model_validate({**document, "lights": [{**STRIP, "board_id": board}]})
        config = NodeConfig(revision=1, store_id="s", node_id="n", walls=(wall,))
        self.now_s = 100.0
        self.said: list[str] = []
        self.missing = False
        self.projectors: list[MemoryProjector] = []
        self.strips: list[Strip] = []
        self.shows = Shows(
            config,
            open_projector=self._projector,
            open_light=self._light,
            clock=lambda: self.now_s,
            say=self.said.append,
        )
        self.name = wall.projectors[0].projector_id

    def _projector(self, name: str) -> MemoryProjector:
        if self.missing:
            raise DeviceOpenError("not there")
        self.projectors.append(MemoryProjector(name, width=SIZE[0], height=SIZE[1]))
        return self.projectors[-1]

    def _light(self, name: str) -> Strip:
        self.strips.append(Strip(name, lamps=4))
        return self.strips[-1]

    def step(self, after_s: float = 1 / 30, picture: int | None = None) -> None:
        self.now_s += after_s
        news = {} if picture is None else {self.name: a_picture(picture)}
        self.shows.show(news, {})


def a_picture(level: int) -> NDArray[np.uint8]:
    return np.full((SIZE[1], SIZE[0], 3), level, np.uint8)


def test_a_picture_that_stays_is_thrown_once() -> None:
    rig = Rig()
    rig.step(picture=9)
    for _ in range(5):
        rig.step()
    assert rig.projectors[0].pictures == 1
    assert rig.shows.unplugged == frozenset()


def test_what_is_not_there_is_said_once_and_shown_when_it_comes() -> None:
    rig = Rig()
    rig.missing = True
    rig.step(picture=9)
    rig.step(RETRY_S)
    assert rig.said == [f"{rig.name}: not there"]
    assert rig.shows.unplugged == {rig.name}
    rig.missing = False
    rig.step()
    assert rig.projectors == []
    rig.step(RETRY_S)
    assert rig.projectors[0].shown is not None
    assert rig.projectors[0].shown.max() == 9


def test_a_strip_hears_its_colours_again_and_again_or_its_firmware_goes_dark() -> None:
    rig = Rig()
    rig.shows.show({}, {"strip-1": np.full((4, 3), 7, np.uint8)})
    for _ in range(5):
        rig.step()
    assert rig.strips[0].given == 6
    assert rig.strips[0].shown.max() == 7


def test_a_strip_that_was_pulled_out_is_opened_again_and_shines_as_before() -> None:
    rig = Rig()
    rig.shows.show({}, {"strip-1": np.full((4, 3), 7, np.uint8)})
    rig.strips[0].lost = True
    rig.step()
    rig.step()
    assert rig.said == ["strip-1: went away"]
    assert len(rig.strips) == 1
    rig.step(RETRY_S)
    assert rig.strips[1].shown.max() == 7


def test_an_unplugged_projector_is_given_darkness_now_and_then() -> None:
    """A window that has gone opens again as pictures come, and a beam draws none meanwhile."""
    rig = Rig()
    rig.step(picture=9)
    rig.projectors[0].plugged = False
    for _ in range(15):
        rig.step()
    assert rig.shows.unplugged == {rig.name}
    assert rig.projectors[0].pictures == 2
    assert rig.projectors[0].shown is not None
    assert rig.projectors[0].shown.max() == 0
    rig.step(RETRY_S)
    assert rig.projectors[0].pictures == 3
    rig.projectors[0].plugged = True
    rig.step(RETRY_S)
    assert rig.projectors[0].pictures == 3
    rig.shows.close()
    assert rig.shows.unplugged == {rig.name}


def test_it_tells_when_a_picture_was_with_its_projector() -> None:
    rig = Rig()
    rig.missing = True
    rig.step(picture=9)
    assert rig.shows.shown_s[rig.name] < 0
    rig.missing = False
    rig.step(2 * RETRY_S)
    assert rig.shows.shown_s == {rig.name: rig.now_s}
    shown_s = rig.now_s
    rig.step()
    assert rig.shows.shown_s == {rig.name: shown_s}


def test_what_was_darkened_shines_again_with_the_next_step() -> None:
    rig = Rig()
    rig.shows.show({rig.name: a_picture(9)}, {"strip-1": np.full((4, 3), 7, np.uint8)})
    for _ in range(3):
        rig.shows.darken()
    projector, strip = rig.projectors[0], rig.strips[0]
    assert projector.shown is not None
    assert (projector.shown.max(), strip.shown.max()) == (0, 0)
    assert projector.pictures == 2
    assert strip.given == 4, "firmware is told again and again"
    rig.step()
    assert (projector.shown.max(), strip.shown.max()) == (9, 7)
    assert projector.pictures == 3


def test_a_strip_that_was_pulled_out_while_it_is_dark_stops_nothing() -> None:
    rig = Rig()
    rig.shows.darken()
    rig.shows.show({}, {"strip-1": np.full((4, 3), 7, np.uint8)})
    rig.strips[0].lost = True
    rig.shows.darken()
    rig.shows.darken()
    assert rig.said == ["strip-1: went away"]
    rig.step(RETRY_S)
    assert rig.strips[1].shown.max() == 7
