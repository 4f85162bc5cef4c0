"""Marks on strips of lamps: which shine, how they are told apart, and which stay dark."""

from __future__ import annotations

import numpy as np

from contracts.wall import LightStrip
from contracts.wall_messages import Mark
from tests.vision.projection.loop import take
from tests.vision.projection.room import Box, a_wall
from vision.projection import Lamps

STRIP = LightStrip(light_id="led", board_id="b-2", u0_m=0.0, u1_m=1.2, lamps=60)
LEFT = Box("left", 0.2, 1.25, 0.1, 0.2, 0.3, label="L")
RIGHT = Box("right", 0.8, 1.2, 0.1, 0.2, 0.2, label="R")
LOW = Box("low", 0.5, 0.7, 0.1, 0.2, 0.3, label="W")


def lamps() -> Lamps:
    return Lamps(STRIP, a_wall(lights=(STRIP,)))


def lit(marks: list[Mark], now_s: float = 10.0, boxes: tuple[Box, ...] = (LEFT, RIGHT, LOW)) -> str:
    """A letter for each lamp: what colour it has most of, "." if it is dark."""
    colours, _ = lamps().step(now_s, [box.thing(now_s) for box in boxes], marks)
    return "".join("." if not one.any() else "rgb"[int(np.argmax(one))] for one in colours)


def test_the_lamps_below_a_thing_shine_and_no_others() -> None:
    shown = lit([take("left", "L"), take("low", "W")])
    assert set(shown[6:14]) == {"g"}
    assert set(shown[:5] + shown[15:]) == {"."}


def test_looks_are_told_apart_by_rhythm_and_place() -> None:
    times = np.arange(0.0, 1.2, 0.05)

    def rhythm(look: str) -> str:
        return "".join(
            "-" if set(lit([take("left", "L", look)], float(t))) > {"."} else " " for t in times
        )

    assert set(rhythm("take_a")) == {"-"}
    assert rhythm("take_b") == "----   ----             "
    assert rhythm("wrong").count("- ") == 2
    cross = lit([take("left", "L", "not_this")])
    assert cross.count("r") == 2
    assert cross.rindex("r") - cross.index("r") >= 8
    area = Mark.model_validate(
        {
            "mark_id": "p", "look": "place",
            "area_m": [(0.7, 1.1), (0.95, 1.1), (0.95, 1.3), (0.7, 1.3)],
        }
    )  # fmt: skip
    dashes = lit([area]).strip(".")
    assert dashes == "r.r.r.r.r.r" or set(dashes[::2]) == {"r"}


def test_a_mark_is_withheld_with_its_reason() -> None:
    strip = lamps()
    things = [box.thing(10.0) for box in (LEFT, RIGHT)]
    colours, shown = strip.step(10.0, things, [take("left", "WRONG LABEL")])
    assert not colours.any()
    assert (shown[0].state, shown[0].reason) == (
        "withheld",
        "the thing carries another label",
    )
    colours, shown = strip.step(11.0, things, [take("left", "L")])
    assert colours.any()
    assert (shown[0].state, shown[0].since_s) == ("shown", 11.0)
    _, shown = strip.step(12.0, things, [take("left", "L")])
    assert shown[0].since_s == 11.0


def test_two_things_at_the_same_lamps_do_not_invite() -> None:
    behind = Box("behind", 0.22, 1.25, 0.3, 0.2, 0.3, label="B")
    boxes = (LEFT, behind)
    assert set(lit([take("left", "L")], boxes=boxes)) == {"."}
    assert "r" in lit([take("left", "L", "not_this")], boxes=boxes)


def test_what_is_beyond_the_strip_is_not_lit() -> None:
    aside = Box("aside", 1.4, 1.25, 0.1, 0.2, 0.3, label="A")
    _, shown = lamps().step(10.0, [aside.thing(10.0)], [take("aside", "A")])
    assert shown[0].reason == "beyond the strip's ends"
