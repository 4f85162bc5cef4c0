"""Marks on strips of lamps: which shine, how they are told apart, and which stay dark."""

from __future__ import annotations

import cv2
import numpy as np

from contracts.wall import LightStrip
from contracts.wall_messages import Mark
from tests.vision.projection.loop import take
from tests.vision.projection.room import Box, a_wall
from vision.projection import Lamps, Optics

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


def test_a_neighbours_outline_that_is_too_wide_takes_a_lamp_and_no_more() -> None:
    beside = Box("beside", 0.38, 1.25, 0.1, 0.2, 0.3, label="B")
    alone = lit([take("left", "L")])
    shared = lit([take("left", "L")], boxes=(LEFT, beside))
    assert alone.startswith(shared.rstrip("."))
    assert 0.5 * alone.count("g") < shared.count("g") < alone.count("g")


def test_what_leans_on_the_board_above_is_not_below_it() -> None:
    """A corner of it hangs below its board, and it takes no lamps of the board below."""
    wall = a_wall(lights=(STRIP,))
    low = LightStrip(light_id="low", board_id="b-1", u0_m=0.0, u1_m=1.2, lamps=60)
    z = strip_z()
    leaning = LEFT.thing(10.0).model_copy(
        update={"outline_m": ((0.1, z + 0.2), (0.3, z + 0.3), (0.35, z), (0.15, z - 0.07))}
    )
    under = Box("under", 0.2, z - 0.15, 0.1, 0.2, 0.2, label="U")
    strip = Lamps(low, wall.model_copy(update={"lights": (low,)}))
    colours, shown = strip.step(10.0, [leaning, under.thing(10.0)], [take("under", "U")])
    assert shown[0].state == "shown"
    assert colours.any()


def test_what_is_beyond_the_strip_is_not_lit() -> None:
    aside = Box("aside", 1.4, 1.25, 0.1, 0.2, 0.3, label="A")
    _, shown = lamps().step(10.0, [aside.thing(10.0)], [take("aside", "A")])
    assert shown[0].reason == "beyond the strip's ends"


def test_lamps_lie_below_the_label_and_not_below_the_neighbour_an_outline_reaches_to() -> None:
    strip = lamps()
    wide = LEFT.thing(10.0)
    label = ((0.2, 1.3), (0.3, 1.3), (0.3, 1.2), (0.2, 1.2))
    outline = ((0.1, 1.4), (0.6, 1.4), (0.6, 1.1), (0.1, 1.1))
    wide = wide.model_copy(update={"outline_m": outline, "mark_m": label})
    colours, _ = strip.step(10.0, [wide], [take("left", "L", "not_this")])
    assert np.flatnonzero(colours.any(axis=1)).tolist() == [10, 14]
    colours, _ = strip.step(10.0, [wide], [take("left", "L", "not_this"), take("left", "L")])
    assert {tuple(one) for one in colours[10:15]} == {(0, 255, 40)}, "what invites has its lamps"


def test_cameras_are_told_where_lamps_shine_as_long_as_they_do() -> None:
    strip = lamps()
    things = [LEFT.thing(10.0)]
    strip.step(10.0, things, [take("left", "L", "take_b")])
    (region,) = strip.lit["cam-1"]
    assert region.lamps
    camera = a_wall(lights=(STRIP,)).cameras[0]
    lens = Optics.of(a_wall(lights=(STRIP,)), camera.intrinsics, camera.pose)
    lamp = lens.project(np.array([[0.2, 0.0, strip_z()]]))[0]
    inside = cv2.pointPolygonTest(region.polygon_px, (float(lamp[0]), float(lamp[1])), False)
    assert inside > 0
    strip.step(10.4, things, [take("left", "L", "take_b")])
    assert strip.lit["cam-1"][0] is region, "dark for a blink, and still the same region"
    strip.step(11.0, things, [])
    assert strip.lit["cam-1"] == ()


def strip_z() -> float:
    return next(one.z_m for one in a_wall().boards if one.board_id == STRIP.board_id)
