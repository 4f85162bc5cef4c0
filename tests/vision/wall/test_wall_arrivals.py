"""What comes before a drawn wall: things, and what is none: shadows, the wall, more of a thing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.vision.wall.drawing import Stage, filled, parcel
from tests.vision.wall.watching import Watch, begun


def test_a_new_parcel_and_a_box_without_label() -> None:
    watch = begun(6)
    watch.stage.boxes["new"] = parcel(77, 0.52, 1.38 + 0.08)
    watch.stage.boxes["bare"] = replace(parcel(2, 1.3, 1.38 + 0.08), text=None)
    watch.run(4.0)
    assert watch.thing("new").state == "stands"
    bare = [one for one in watch.map.things() if one.label is None]
    assert len(bare) == 1
    assert abs(float(np.mean([u for u, _ in bare[0].outline_m])) - 1.3) < 0.03
    del watch.stage.boxes["bare"]
    watch.until(lambda one: one.thing_id == bare[0].thing_id and one.state == "gone", 1.0)


GREY = (106, 107, 109)
"""What three fifths of the light leave of the wall."""


@pytest.mark.parametrize(
    ("put", "colour", "things"),
    [("near", GREY, 0), ("near", (168, 128, 84), 1), ("far", GREY, 1), ("before", GREY, 1)],
    ids=["a shadow", "another colour", "far from it", "long after it"],
)
def test_the_shadow_of_a_parcel_that_was_put_down_is_no_thing(
    put: str, colour: tuple[int, int, int], things: int
) -> None:
    watch = begun(6)
    watch.stage.boxes["new"] = parcel(77, 0.52, 1.38 + 0.08)
    if put == "before":
        watch.run(20.0)
    u = 1.3 if put == "far" else 0.8
    watch.stage.boxes["shade"] = replace(parcel(2, u, 1.38 + 0.08), text=None, colour=colour)
    watch.run(6.0)
    assert watch.thing("new").state == "stands"
    assert len([one for one in watch.map.things() if one.label is None]) == things
    del watch.stage.boxes["shade"]
    told = watch.run(3.0)
    assert len([one for one in told if one.state == "gone"]) == things


LID = (168, 128, 84)


def half_square(stage: Stage, *, upper: bool) -> NDArray[np.float64]:
    """One of the halves of a square to the right of the middle of the upper board."""
    u, z, side = 0.65, 1.36, 0.24
    third = (u, z + side) if upper else (u + side, z)
    corners = [(u, z), (u + side, z + side), third]
    return stage.lens.pixels(np.array([(u, 0.02, z) for u, z in corners]))


def test_the_wall_where_a_parcel_went_that_was_known_in_part_is_no_thing() -> None:
    watch = Watch({**filled(6), "new": parcel(77, 0.52, 1.38 + 0.08)}, start_s=0.0)
    neighbour = (half_square(watch.stage, upper=False), (40, 40, 44))
    watch.stage.people = [neighbour, (half_square(watch.stage, upper=True), LID)]
    watch.run(3.0)
    watch.stage.people = [neighbour]
    del watch.stage.boxes["new"]
    told = watch.run(8.0)
    assert [(one.state, one.label is not None) for one in told] == [("gone", True)]


def test_what_is_put_where_a_parcel_went_is_a_thing() -> None:
    watch = Watch({**filled(6), "new": parcel(77, 0.52, 1.38 + 0.08)}, start_s=0.0)
    neighbour = (half_square(watch.stage, upper=False), (40, 40, 44))
    watch.stage.people = [neighbour]
    watch.run(3.0)
    watch.stage.people = [neighbour, (half_square(watch.stage, upper=True), LID)]
    del watch.stage.boxes["new"]
    told = watch.run(8.0)
    states = [(one.state, one.label is not None) for one in told]
    assert sorted(states) == [("gone", True), ("stands", False)]


def test_more_of_a_parcel_that_was_put_back_is_no_thing_however_late_it_is_seen() -> None:
    watch = begun(9)
    box = watch.stage.boxes.pop("p5")
    watch.until(lambda one: one.state == "gone", 1.0)
    watch.run(3.0)
    watch.stage.boxes["p5"] = box.at(0.42, 0.03, 1.38 + box.size[1] / 2)
    watch.until(lambda one: one.state == "stands" and one.label is not None, 3.0)
    watch.run(5.0)
    lid = box.at(0.45, 0.03, 1.38 + box.size[1] + 0.03)
    watch.stage.boxes["lid"] = replace(lid, size=(0.25, 0.06), text=None, colour=(132, 98, 62))
    watch.run(5.0)
    assert all(one.label is not None for one in watch.map.things())
