"""Strips of lamps: which parcel they mean, how they blink, and how cameras see them."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.wall import Wall
from store_sim.wall import WallWorld
from store_sim.wall.errors import WallSimError
from store_sim.wall.frame import optic
from store_sim.wall.parcels import ParcelPose, SimParcel
from store_sim.wall.strips import EYE_S, Strip
from tests.store_sim.wall.wall_kit import store_named

GREEN, BLUE, RED, WHITE = (0, 255, 40), (30, 70, 255), (255, 0, 0), (255, 255, 255)


def a_wall() -> Wall:
    return store_named("wall-strips").walls[0]


def parcel(index: int) -> SimParcel:
    return SimParcel(
        index, f"key {index}", None, "qr", "box", (0.2, 0.16, 0.1), (200, 150, 90), None
    )


def on_board(strip_z: float, u: float, v: float = 0.02) -> ParcelPose:
    return ParcelPose((u, v, strip_z + 0.08))


def strip() -> tuple[Strip, float]:
    wall = a_wall()
    return Strip(wall, wall.lights[0]), wall.boards[0].z_m


def shown(strip: Strip, spans: dict[tuple[float, float], tuple[int, int, int]]) -> None:
    colours = np.zeros_like(strip.colours)
    for (u0, u1), colour in spans.items():
        colours[(strip.points[:, 0] >= u0) & (strip.points[:, 0] <= u1)] = colour
    strip.show(colours)


def test_lamps_mean_what_stands_above_them() -> None:
    made, z = strip()
    standing = [(parcel(0), on_board(z, 0.3)), (parcel(1), on_board(z, 0.8))]
    hangs = (parcel(2), on_board(z + 0.2, 1.2))
    shown(made, {(0.22, 0.38): GREEN, (1.1, 1.3): GREEN})
    lit = made.lit([*standing, hangs])
    assert set(lit) == {0}
    (mark,) = lit[0]
    assert (mark.look, mark.device_id, mark.share) == ("take_a", "wall-strips-low", 1.0)
    assert mark.off_mm < 15
    assert mark.at_m is None
    assert mark.label_mm is None


def test_lamps_between_two_mean_both() -> None:
    made, z = strip()
    shown(made, {(0.25, 0.55): GREEN})
    lit = made.lit([(parcel(0), on_board(z, 0.3)), (parcel(1), on_board(z, 0.51))])
    assert set(lit) == {0, 1}


@pytest.mark.parametrize(
    ("colour", "which", "look"),
    [
        (BLUE, slice(None), "take_b"), (RED, slice(None), "wrong"),
        (RED, slice(None, None, 11), "not_this"), (WHITE, slice(None), "look"),
        (WHITE, slice(None, None, 2), "place"),
    ],
)  # fmt: skip
def test_looks_are_told_by_colour_and_by_which_lamps_shine(
    colour: tuple[int, int, int], which: slice, look: str
) -> None:
    made, z = strip()
    colours = np.zeros_like(made.colours)
    below = np.flatnonzero(np.abs(made.points[:, 0] - 0.5) <= 0.1)
    colours[below[which]] = colour
    made.show(colours)
    marks = made.lit([(parcel(0), on_board(z, 0.5))])[0]
    assert {mark.look for mark in marks} == {look}


def test_who_watches_takes_a_blink_for_light_and_darkness_for_darkness() -> None:
    made, z = strip()
    standing = [(parcel(0), on_board(z, 0.5))]
    shown(made, {(0.4, 0.6): BLUE})
    made.watch(10.0)
    shown(made, {})
    assert made.lit(standing) == {}
    assert made.lit(standing, 10.0 + EYE_S - 0.1)[0][0].look == "take_b"
    assert made.lit(standing, 10.0 + EYE_S + 0.1) == {}


def test_a_camera_sees_the_lamps_that_shine_unless_something_is_nearer() -> None:
    wall = a_wall()
    camera = wall.cameras[0]
    lens = optic(wall, camera.intrinsics, camera.pose)
    made = Strip(wall, wall.lights[0])
    shown(made, {(0.7, 0.8): GREEN})
    grey = np.full((lens.height, lens.width, 3), 120, np.uint8)
    far = np.full(grey.shape[:2], 9.0, np.float32)
    seen, hidden = grey.copy(), grey.copy()
    made.glow(lens, far, seen)
    made.glow(lens, far * np.float32(0.1), hidden)
    assert np.array_equal(hidden, grey)
    more = seen.astype(int) - grey
    rows, columns = np.nonzero(more[..., 1] > 60)
    pixels, _ = lens.pixels(made.points[made.colours.any(axis=1)])
    assert np.abs(columns.mean() - pixels[:, 0].mean()) < 2
    assert np.abs(rows.mean() - pixels[:, 1].mean()) < 2
    assert more[..., 1].sum() > 2 * more[..., 0].sum()


def test_what_fits_no_strip_is_refused() -> None:
    made, _ = strip()
    with pytest.raises(ValueError, match=r"light wall-strips-low: expected uint8 .*\(90, 3\)"):
        made.show(np.zeros((4, 3), np.uint8))
    world = WallWorld(a_wall(), "lamps", 1)
    with pytest.raises(WallSimError, match=r"expected a strip of .*wall-strips-low.*, got 'x'"):
        world.show_lamps("x", np.zeros((90, 3), np.uint8))


def test_pictures_of_a_wall_show_its_lamps() -> None:
    world = WallWorld(a_wall(), "lamps", 1)
    before = [frame.rgb for frame in world.frames(0.2)]
    world.show_lamps("wall-strips-middle", np.full((90, 3), GREEN, np.uint8))
    for dark, light in zip(before, (one.rgb for one in world.frames(0.4)), strict=True):
        gain = light.astype(int) - dark
        rows, columns = np.nonzero(gain[..., 1] > 60)
        assert 400 < len(rows) < 60_000
        assert np.ptp(columns) > 600
        slope = np.polyfit(columns, rows, 1)
        assert np.abs(rows - np.polyval(slope, columns)).max() < 25, "along the board's edge"
