"""Hard cases G at the simulated wall: what is read is true, what cannot be read has no label."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import store_sim
from contracts.labels import label_key
from contracts.store_file import load_store_file
from store_sim.wall import WallWorld
from vision.wall import WallCamera, WallMap

STORES = Path(store_sim.__file__).parent / "stores"


def start(case: str, seed: int, frames: int = 4) -> tuple[WallWorld, WallMap]:
    """A wall and what is known of it after so many frames."""
    store = load_store_file(STORES / "wall-24.yaml")
    place = store.walls[0]
    world = WallWorld(place, case, seed)
    eyes = {one.camera_id: WallCamera(one, place) for one in place.cameras}
    things = WallMap(place, "w")
    for k in range(1, frames + 1):
        t_s = round(0.2 * k, 3)
        world.step(t_s)
        seen = [eyes[frame.camera_id].perceive(frame) for frame in world.frames(t_s)]
        assert all(one.blind is None for one in seen)
        things.step(t_s, seen)
    return world, things


@pytest.mark.parametrize(
    ("case", "share"),
    [("labels-24", 0.95), ("rotated", 0.9), ("slanted", 0.8), ("blurred", 0.8), ("glare", 0.7)],
)
def test_labels_are_known_and_no_label_is_on_another_parcel(case: str, share: float) -> None:
    world, things = start(case, 41)
    standing = [one for one in world.truth.parcels if one.text is not None]
    known = 0
    for thing in things.things():
        if thing.label is None:
            continue
        u = sum(c[0] for c in thing.outline_m) / len(thing.outline_m)
        z = sum(c[1] for c in thing.outline_m) / len(thing.outline_m)
        own = [one for one in standing if one.text == thing.label.text]
        assert own, f"nobody carries {thing.label.text}"
        at = own[0].pose.at_m
        assert math.hypot(u - at[0], z - at[2]) < 0.12
        assert abs(thing.v_m - at[1]) < 0.05
        known += 1
    assert known >= share * len(standing)


@pytest.mark.parametrize("case", ["half-hidden", "no-label"])
def test_what_cannot_be_read_has_no_label(case: str) -> None:
    world, things = start(case, 42)
    true = {one.text for one in world.truth.parcels if one.text is not None}
    read = [one.label.text for one in things.things() if one.label is not None]
    assert set(read) <= true
    assert len(read) == len(set(read))


def test_one_label_on_two_parcels_makes_twins() -> None:
    world, things = start("duplicate-label", 43)
    keys = [label_key(one.text) for one in world.truth.parcels if one.text is not None]
    twice = {key for key in keys if keys.count(key) > 1}
    assert twice
    for thing in things.things():
        if thing.label is not None:
            assert bool(thing.twins) == (label_key(thing.label.text) in twice)
