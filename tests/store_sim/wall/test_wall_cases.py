"""Every case runs to its end, and people do in it what it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from contracts.labels import label_key
from store_sim.wall import WallTruth, WallWorld, cases
from store_sim.wall.customers import LIGHT_S_MAX, SCANS_MAX
from store_sim.wall.errors import WallSimError
from store_sim.wall.filling import Filling, fill, most_parcels
from store_sim.wall.lights import lit_by
from store_sim.wall.parcels import corners_of, label_corners
from store_sim.wall.picture import cue_picture
from store_sim.wall.stage import Stage
from store_sim.wall.visitor import Carried
from tests.store_sim.wall.wall_kit import TrueDriver, store_named, world_of

STORE_OF = {"van-stop": "van", "code128": "wall-4k", "labels-24": "wall-24", "lamps": "wall-strips"}


def _deeds(truth: WallTruth, kind: str) -> list[tuple[str, bool]]:
    return [(deed.customer, deed.right) for deed in truth.log if deed.kind == kind]


@pytest.mark.parametrize("name", sorted(cases()))
def test_a_case_runs_to_its_end(name: str) -> None:
    world = world_of(STORE_OF.get(name, "demo"), name, 3)
    driver = TrueDriver(world)
    driver.run(180.0)
    assert world.over
    truth = world.truth
    assert {one.state for one in truth.parcels} <= {"stands", "gone"}
    right = sum(deed.right for deed in truth.log if deed.kind == "leave")
    behaviours = {plan.behaviour for plan in world.case.orders}
    ordered = sum(
        len(order.parcels) for order in world.orders
        if order.behaviour not in ("nobody", "cancelled")
    )  # fmt: skip
    assert right == ordered - ("leave_one" in behaviours)
    wrong = [deed for deed in truth.takings() if not deed.right]
    assert bool(wrong) == bool(behaviours & {"wrong_keep", "wrong_return", "nobody"})
    # What is taken was lit, unless the case is about taking what was not.
    assert len(truth.takings()) >= right


def test_a_wrong_taking_is_in_the_truth_and_comes_back_or_not() -> None:
    world = world_of("demo", "wrong-taken", 3)
    TrueDriver(world).run(120.0)
    assert ("customer-1", False) in _deeds(world.truth, "put_back")
    assert ("customer-1", False) not in _deeds(world.truth, "leave")
    assert ("customer-2", False) in _deeds(world.truth, "leave")


def test_a_moved_parcel_stands_in_another_place_and_is_taken_there() -> None:
    for name in ("moved-after-cue", "put-back-elsewhere"):
        world = world_of("demo", name, 4)
        TrueDriver(world).run(120.0)
        back = next(deed for deed in world.truth.log if deed.kind == "put_back")
        before = [d for d in world.truth.log if d.name == back.name and d.t_s < back.t_s]
        after = [d for d in world.truth.log if d.name == back.name and d.t_s > back.t_s]
        assert before[0].place != back.place == after[0].place


def test_nobody_takes_anything_in_the_dark_but_who_has_no_order() -> None:
    world = world_of("demo", "several-parcels", 4)
    TrueDriver(world, dark=True).run(200.0)
    assert world.over
    assert world.truth.log == []
    world = world_of("demo", "taken-by-nobody", 4)
    TrueDriver(world, dark=True).run(200.0)
    assert [deed.order_id for deed in world.truth.takings()] == [None]


def test_who_sees_no_light_scans_again_and_gives_up_in_the_end() -> None:
    world = world_of("demo", "qr", 7)
    TrueDriver(world, dark=True).run(120.0)
    first = world.orders[0].order_id
    scans = [t_s for t_s, words in world.truth.notes if words == f"scan {first}"]
    assert len(scans) == SCANS_MAX + 1
    assert min(b - a for a, b in itertools.pairwise(scans)) >= LIGHT_S_MAX - 0.1
    assert not world.truth.takings()


def test_odd_parcels_are_odd() -> None:
    def texts(name: str) -> list[str | None]:
        return [one.text for one in world_of("demo", name, 5).truth.parcels]

    twice = texts("duplicate-label")
    assert len(set(twice)) < len(twice)
    assert texts("no-label").count(None) >= 3
    forged = world_of("demo", "forged-label", 5).truth.parcels
    liars = [one for one in forged if one.text and label_key(one.text) != f"sscc:{one.key}"]
    assert liars
    assert {one.text for one in liars} <= {one.text for one in forged if one not in liars}
    ordered = {
        text for order in world_of("demo", "wrong-store", 5).orders for text in order.parcels
    }
    others = [text for text in texts("wrong-store") if text and "4098765" in text]
    assert others
    assert not ordered & set(others)


@pytest.mark.parametrize("name", ["demo", "wall-24", "wall-4k", "van", "wall-strips"])
def test_parcels_of_every_filling_stand_apart_and_within_the_wall(name: str) -> None:
    wall = store_named(name).walls[0]
    seen = set()
    for seed in range(12):
        spots, _ = fill(wall, Filling(most_parcels(wall)), seed)
        boxes = []
        for spot in spots:
            corners = corners_of(spot.parcel, spot.pose)
            (u0, v0, z0), (u1, v1, z1) = corners.min(axis=0), corners.max(axis=0)
            assert u0 > -0.005
            assert u1 < wall.width_m + 0.005
            assert v0 > -0.09 if spot.place.hook_v_m is None else v0 > -0.12
            assert v1 < 0.2
            boxes.append((u0, u1, z0, z1))
            seen.add(spot.parcel.key)
        for k, (a0, a1, b0, b1) in enumerate(boxes):
            for c0, c1, d0, d1 in boxes[k + 1 :]:
                overlap = min(a1, c1) - max(a0, c0) > 1e-3 and min(b1, d1) - max(b0, d0) > 1e-3
                assert not overlap
    assert len(seen) == 12 * most_parcels(wall), "every seed another filling"


def test_truth_knows_which_light_falls_where() -> None:
    world = world_of("demo", "labels-12", 6)
    beam = world.beams[0]
    world.show(beam.projector_id, cue_picture(world, (2, 5), (0, 255, 60)))
    world.step(0.2)
    lit = world.truth.lit()
    assert set(lit) == {"parcel-02", "parcel-05"}
    assert all(one.look == "take_a" and one.off_mm < 3.0 for marks in lit.values() for one in marks)
    for index in (2, 5):
        parcel, pose = world.standing()[index]
        beside = label_corners(parcel, pose).mean(axis=0) - np.array(pose.at_m)
        (on_middle,) = lit[parcel.name]
        assert on_middle.label_mm == pytest.approx(1000 * np.linalg.norm(beside), abs=3.0)
    # Thrown 40 pixels aside it is no longer on the middle, and the truth says by how much.
    world.show(beam.projector_id, np.roll(cue_picture(world, (2,), (0, 90, 255)), 12, axis=1))
    world.step(0.4)
    (mark,) = world.truth.lit()["parcel-02"]
    assert mark.look == "take_b"
    assert 8.0 < mark.off_mm < 40.0
    world.show(beam.projector_id, None)
    world.step(0.6)
    assert world.truth.lit() == {}
    assert lit_by(beam, world.standing().values()) == {}
    with pytest.raises(ValueError, match="expected the world's time"):
        world.truth.lit(0.1)


def test_light_falls_on_what_was_just_lifted_and_not_through_it() -> None:
    """From the very moment on, and not only when a camera looks for the next time."""
    world = world_of("demo", "labels-12", 6)
    there = world.standing()
    stage = Stage(world.wall, world.case, [parcel for parcel, _ in there.values()], world.seed)
    poses = {index: pose for index, (_, pose) in there.items()}
    stage.show(world.beams[0].projector_id, cue_picture(world, (5,), (0, 255, 60)))
    stage.at(poses, [], [])
    assert set(stage.lights()) == {5}
    stage.frames(0.2)
    before = poses[5].moved(0.0, -0.1, 0.04)
    lifted = poses.pop(2)
    stage.at(poses, [Carried(there[2][0], before)], [])
    assert stage.lights() == {}
    stage.at(poses, [Carried(there[2][0], lifted)], [])
    stage.frames(0.4)
    assert set(stage.lights()) == {5}


def test_looks_are_told_apart() -> None:
    world = world_of("demo", "labels-12", 6)
    beam = world.beams[0]
    parcel, pose = world.standing()[3]
    (at,), _ = beam.optic.pixels(np.array([pose.at_m]))
    x, y = (int(v) for v in at)
    picture = np.zeros((beam.size[1], beam.size[0], 3), np.uint8)
    for colour, cross, expected in (
        ((255, 0, 0), True, "not_this"), ((255, 30, 20), False, "wrong"),
        ((255, 255, 255), False, "look"), ((0, 200, 40), False, "take_a"),
        ((30, 60, 255), False, "take_b"),
    ):  # fmt: skip
        picture[:] = 0
        if cross:
            for k in range(-24, 25):
                picture[y + k - 2 : y + k + 3, x + k] = colour
                picture[y + k - 2 : y + k + 3, x - k] = colour
        else:
            picture[y - 24 : y + 25, x - 24 : x + 25] = colour
            picture[y - 19 : y + 20, x - 19 : x + 20] = 0
        world.show(beam.projector_id, picture)
        world.step(world.t_s + 0.1)
        (mark,) = world.truth.lit()[parcel.name]
        assert mark.look == expected


def test_a_projector_hangs_elsewhere_than_its_file_says_and_a_bump_moves_it() -> None:
    world = world_of("demo", "bumped", 3)
    wall, beam = world.wall, world.beams[0]
    nominal = wall.projectors[0]
    assert beam.optic.cam[12] != nominal.intrinsics.fx
    point = np.array([[0.6, 0.0, 1.3]])
    before, _ = beam.optic.pixels(point)
    driver = TrueDriver(world)
    while not any("bump" in words for _, words in world.truth.notes):
        driver.tick()
    after, _ = beam.optic.pixels(point)
    assert np.hypot(*(after - before)[0]) > 5.0


def test_wrong_calls_are_refused_with_what_was_expected() -> None:
    store = store_named("demo")
    wall = store.walls[0]
    with pytest.raises(WallSimError, match="expected a case of"):
        WallWorld(wall, "no-such-case", 1)
    with pytest.raises(WallSimError, match="room for 24 parcels"):
        WallWorld(wall, "labels-24", 1)
    with pytest.raises(WallSimError, match="kind van"):
        WallWorld(wall, "van-stop", 1)
    with pytest.raises(WallSimError, match="code128"):
        WallWorld(wall, "code128", 1)
    world = WallWorld(wall, "labels-12", 1)
    with pytest.raises(WallSimError, match="expected an order of"):
        world.give_code("order-99", "x")
    with pytest.raises(WallSimError, match="expected a projector of"):
        world.show("beam-99", None)
    with pytest.raises(ValueError, match="expected a uint8 picture of shape"):
        world.show("wall-1-beam", np.zeros((4, 4, 3), np.uint8))
    world.step(1.0)
    with pytest.raises(ValueError, match="expected a time from"):
        world.step(0.5)


def test_two_who_were_told_nothing_go_by_the_names_on_their_parcels() -> None:
    world = world_of("demo", "two-customers", 4)
    driver = TrueDriver(world)
    world.tell_look = lambda order_id, look: None  # type: ignore[method-assign]
    driver.run(120.0)
    assert world.over
    assert world.truth.takings()
    assert all(deed.right for deed in world.truth.log)
