"""One camera at a drawn wall: what stands, moves, goes and comes, and what only looks like it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.vision.wall.drawing import filled, parcel
from tests.vision.wall.watching import Watch, arm, begun, over
from vision.wall import LitRegion
from vision.wall.parts import Part


def test_all_labels_are_known_at_once_and_where_they_are() -> None:
    watch = Watch(filled(12), start_s=1.0)
    off = []
    assert len(watch.map.things()) == 12
    for name, box in watch.stage.boxes.items():
        thing = watch.thing(name)
        assert thing.state == "stands"
        assert not thing.hidden
        assert not thing.contested
        assert abs(thing.v_m - box.centre[1]) < 0.015
        u, z = np.mean(thing.outline_m, axis=0)
        off.append(float(np.hypot(u - box.centre[0], z - box.centre[2])))
    assert np.median(off) < 0.004
    assert max(off) < 0.03
    assert watch.last is not None
    assert watch.last.residual_px is not None
    assert watch.last.residual_px < 1.0


def test_nothing_is_told_of_a_wall_that_does_not_change() -> None:
    watch = begun(12)
    assert watch.run(8.0) == []
    assert watch.last is not None
    assert not watch.last.active


@pytest.mark.parametrize("covered_s", [0.2, 0.4, 0.6, 0.8, 1.0])
def test_a_label_that_is_pulled_towards_the_camera_from_behind_a_hand_is_read_there(
    covered_s: float,
) -> None:
    """In the first frame, though nearer by a tenth it looks otherwise than at its place, and people
    take all that may be read."""
    watch = begun(12)
    thing = watch.thing("p9")
    crowd = [(over(watch.stage, name, by=40.0), (70, 90, 60)) for name in ("p11", "p12")]
    watch.stage.people = list(crowd)
    assert {one.state for one in watch.run(2.0)} <= {"stands"}
    watch.stage.people = [*crowd, (arm(watch.stage, "p9"), (200, 160, 140))]
    assert {one.state for one in watch.run(covered_s)} <= {"stands"}
    box = watch.stage.boxes["p9"]
    u, v, z = box.centre
    watch.stage.boxes["p9"] = box.at(u, v - 0.15, z + 0.09)
    news = watch.run(0.2)
    assert ("moves", thing.thing_id) in [(one.state, one.thing_id) for one in news]


def test_a_label_of_which_a_hand_leaves_half_is_known_as_it_is_carried_off() -> None:
    watch = begun(12)
    thing = watch.thing("p9")
    watch.stage.people = [(arm(watch.stage, "p9"), (200, 160, 140))]
    assert {one.state for one in watch.run(0.4)} <= {"stands"}
    box = watch.stage.boxes["p9"]
    u, v, z = box.centre
    watch.stage.boxes["p9"] = box.at(u, v - 0.1, z + 0.07)
    face = watch.stage.lens.pixels(watch.stage.boxes["p9"].corners())
    middle = 0.37 * face[0, 0] + 0.63 * face[1, 0]
    (_, top), (right, bottom) = face.min(axis=0) - 6, face.max(axis=0) + 30
    hand = np.array([[middle, bottom], [middle, top], [right, top], [right, bottom]])
    watch.stage.people = [(hand, (200, 160, 140))]
    news = watch.run(0.2)
    assert ("moves", thing.thing_id) in [(one.state, one.thing_id) for one in news]


@pytest.mark.parametrize("read", [False, True])
def test_half_a_label_is_not_seen_carried_off_where_another_is_read(
    read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = begun(12)
    near, taken = watch.thing("p9"), watch.thing("p10")
    was = watch.stage.lens.pixels(np.array([watch.stage.boxes["p9"].centre]))[0]
    box = watch.stage.boxes["p10"]
    u, v, z = box.centre
    watch.stage.boxes["p10"] = box.at(u, v - 0.1, z + 0.07)
    assert taken.thing_id in {one.thing_id for one in watch.run(0.2) if one.state == "moves"}
    u, v, z = watch.stage.boxes["p9"].centre
    carried = box.at(u, v - 0.1, z + 0.05)
    face = watch.stage.lens.pixels(carried.corners())
    (left, _), (right, bottom) = face.min(axis=0), face.max(axis=0)
    sleeve = np.array([[left, 1090], [left, bottom], [right, bottom], [right, 1090]])
    watch.stage.boxes["p10"] = carried if read else replace(carried, text=None)
    watch.stage.people = [(sleeve, (60, 70, 90))]

    def found(_label: object, _printed: object, at: tuple[int, int], *_rest: object) -> Part | None:
        there = bool((np.abs(was - at) < 100).all())
        return Part(0.84, 0.2, face.mean(axis=0) - was, denied=False) if there else None

    monkeypatch.setattr("vision.wall.follow.find_part", found)
    moved = {one.thing_id for one in watch.run(0.2) if one.state == "moves"}
    assert (near.thing_id in moved) == (not read)


def test_a_parcel_taken_is_told_within_a_second_and_no_other() -> None:
    watch = begun(12)
    thing = watch.thing("p5")
    watch.stage.people = [(arm(watch.stage, "p5"), (200, 160, 140))]
    assert [one for one in watch.run(0.6) if one.state == "gone"] == []
    watch.stage.people = []
    del watch.stage.boxes["p5"]
    assert watch.until(lambda one: one.state == "gone" and one.thing_id == thing.thing_id, 1.0) <= 1
    assert {one.thing_id for one in watch.run(4.0)} <= {thing.thing_id}
    assert len(watch.map.things()) == 11


def test_taken_while_a_person_stands_beside_is_told_too() -> None:
    watch = begun(12)
    thing = watch.thing("p6")
    beside = watch.stage.lens.pixels(watch.stage.boxes["p6"].corners())
    x = beside[:, 0].max() + 14
    body = np.array([[x, 1090], [x, 200], [x + 330, 200], [x + 330, 1090]], np.float64)
    watch.stage.people = [(body, (60, 70, 90))]
    watch.run(1.0)
    del watch.stage.boxes["p6"]
    watch.until(lambda one: one.state == "gone" and one.thing_id == thing.thing_id, 1.0)


@pytest.mark.parametrize("box", ["p2", "p7", "p12"])
def test_a_person_in_front_hides_a_parcel_which_is_not_gone(box: str) -> None:
    watch = begun(12)
    thing = watch.thing(box)
    watch.stage.people = [(over(watch.stage, box), (60, 70, 90))]
    told = watch.run(6.0)
    assert any(one.thing_id == thing.thing_id and one.hidden for one in told)
    watch.stage.people = []
    told += watch.run(4.0)
    assert [one for one in told if one.state == "gone"] == []
    assert watch.thing(box).thing_id == thing.thing_id
    assert not watch.thing(box).hidden
    assert len(watch.map.things()) == 12


def test_an_arm_that_rests_on_a_parcel_does_not_take_it() -> None:
    watch = begun(12)
    watch.stage.people = [(arm(watch.stage, "p6"), (200, 160, 140))]
    told = watch.run(4.0)
    watch.stage.people = []
    told += watch.run(3.0)
    assert [one for one in told if one.state == "gone"] == []
    assert len(watch.map.things()) == 12


def test_a_parcel_pushed_aside_stays_the_same_thing() -> None:
    watch = begun(9)
    thing = watch.thing("p5")
    box = watch.stage.boxes["p5"]
    watch.stage.boxes["p5"] = box.at(box.centre[0] + 0.07, *box.centre[1:])
    told = watch.run(4.0)
    now = watch.thing("p5")
    assert now.thing_id == thing.thing_id
    assert now.state == "stands"
    assert abs(float(np.mean([u for u, _ in now.outline_m])) - box.centre[0] - 0.07) < 0.01
    assert [one for one in told if one.state == "gone"] == []
    assert len(watch.map.things()) == 9


def test_a_parcel_turned_in_its_place_stays_the_same_thing() -> None:
    watch = begun(9)
    thing = watch.thing("p5")
    watch.stage.people = [(arm(watch.stage, "p5"), (200, 160, 140))]
    watch.run(0.6)
    watch.stage.people = []
    watch.stage.boxes["p5"] = replace(watch.stage.boxes["p5"], roll_deg=35.0)
    watch.run(4.0)
    now = watch.thing("p5")
    assert (now.thing_id, now.state) == (thing.thing_id, "stands")
    assert len(watch.map.things()) == 9


def test_a_parcel_put_back_elsewhere_keeps_its_id() -> None:
    watch = begun(9)
    thing = watch.thing("p5")
    box = watch.stage.boxes.pop("p5")
    watch.until(lambda one: one.state == "gone", 1.0)
    watch.run(3.0)
    watch.stage.people = [(over(watch.stage, "p8"), (60, 70, 90))]
    watch.run(1.0)
    watch.stage.people = []
    watch.stage.boxes["p5"] = box.at(0.42, 0.03, 1.38 + box.size[1] / 2)
    watch.until(lambda one: one.thing_id == thing.thing_id and one.state == "stands", 3.0)
    now = watch.thing("p5")
    assert abs(float(np.mean([u for u, _ in now.outline_m])) - 0.42) < 0.01
    watch.run(3.0)
    assert len(watch.map.things()) == 9


def test_what_is_put_down_with_more_than_a_thing_can_be_stands_once_it_holds_still() -> None:
    """Somebody who holds it reaches the picture's edge, where whatever came with it does not."""
    watch = begun(9)
    thing = watch.thing("p5")
    box = watch.stage.boxes.pop("p5")
    watch.until(lambda one: one.state == "gone", 1.0)
    watch.run(3.0)
    middle = box.centre[0]
    wide = replace(parcel(2, middle, 1.2), text=None, size=(0.95, 0.5))
    watch.stage.boxes["wide"] = wide
    watch.stage.boxes["p5"] = box.at(middle, 0.01, 1.2)
    watch.until(lambda one: one.thing_id == thing.thing_id and one.state == "stands", 4.0)
    assert watch.last is not None
    assert not watch.last.somebody


def test_a_parcel_put_back_has_the_face_it_had_whatever_came_with_it() -> None:
    watch = begun(9)
    box = watch.stage.boxes.pop("p5")
    watch.until(lambda one: one.state == "gone", 1.0)
    watch.run(3.0)
    high = 1.38 + box.size[1] / 2
    watch.stage.boxes["p5"] = box.at(0.42, 0.03, high)
    watch.stage.boxes["bare"] = replace(parcel(2, 0.42 + box.size[0], high), text=None)
    watch.until(lambda one: one.state == "stands" and one.label is not None, 3.0)
    watch.run(3.0)
    us = [u for u, _ in watch.thing("p5").outline_m]
    assert max(us) - min(us) == pytest.approx(box.size[0], abs=0.02)
    assert (max(us) + min(us)) / 2 == pytest.approx(0.42, abs=0.01)


def test_a_parcel_that_swings_while_somebody_is_there_was_not_taken() -> None:
    watch = begun(9)
    box = watch.stage.boxes["p5"]
    for off_m in (0.005, -0.004, 0.006, 0.0):
        watch.stage.people = [(arm(watch.stage, "p6"), (200, 160, 140))]
        watch.stage.boxes["p5"] = box.at(box.centre[0] + off_m, *box.centre[1:])
        assert {one.state for one in watch.run(0.4)} <= {"stands"}
    watch.stage.people = []
    assert {one.state for one in watch.run(4.0)} <= {"stands"}
    assert len(watch.map.things()) == 9


def test_what_is_lost_on_its_way_is_gone_since_it_was_last_seen() -> None:
    watch = begun(9)
    box = watch.stage.boxes["p5"]
    watch.stage.boxes["p5"] = box.at(box.centre[0] + 0.05, 0.15, box.centre[2])
    watch.until(lambda one: one.state == "moves", 1.0)
    watch.stage.people = [(over(watch.stage, "p5"), (60, 70, 90))]
    del watch.stage.boxes["p5"]
    lost_s = watch.stage.t_s
    watch.until(lambda one: one.state == "gone", 2.0)
    assert watch.news[-1][1].since_s < lost_s + 0.01


def test_a_parcel_carried_past_a_box_without_label_is_not_put_there() -> None:
    watch = begun(6)
    watch.stage.boxes["bare"] = replace(parcel(2, 1.3, 1.38 + 0.08), text=None)
    watch.run(4.0)
    thing = watch.thing("p2")
    box = watch.stage.boxes["p2"]
    for u in (0.9, 1.3, 1.55, 1.28, 1.0, 1.33):
        watch.stage.boxes["p2"] = box.at(u, -0.12, 1.38 + 0.12)
        news = [one for one in watch.run(0.2) if one.thing_id == thing.thing_id]
        assert "stands" not in {one.state for one in news}
    watch.stage.boxes["p2"] = box
    watch.run(3.0)
    assert (watch.thing("p2").thing_id, watch.thing("p2").state) == (thing.thing_id, "stands")
    assert len([one for one in watch.map.things() if one.label is None]) == 1


def test_the_same_label_twice_makes_twins_until_one_goes() -> None:
    watch = begun(6)
    box = watch.stage.boxes["p2"]
    watch.stage.boxes["copy"] = replace(box.at(0.52, 0.03, 1.38 + 0.085), seed=99)
    watch.run(3.0)
    same = [one for one in watch.map.things() if one.label and one.label.text == box.text]
    assert len(same) == 2
    assert same[0].twins == (same[1].thing_id,)
    assert same[1].twins == (same[0].thing_id,)
    del watch.stage.boxes["copy"]
    watch.run(2.0)
    assert watch.thing("p2").twins == ()


def test_another_parcel_in_the_same_place_is_another_thing() -> None:
    """Changed while a person stood in front of it; they look alike but for their labels."""
    watch = begun(6)
    before = watch.thing("p2")
    watch.stage.people = [(over(watch.stage, "p2"), (60, 70, 90))]
    watch.run(2.0)
    other = replace(watch.stage.boxes["p2"], text=parcel(55, 0, 0).text)
    watch.stage.boxes["p2"] = other
    watch.stage.people = []
    told = watch.run(0.4)
    for one in told:
        if one.thing_id == before.thing_id and one.state == "stands" and not one.hidden:
            assert one.label is None
    watch.run(3.0)
    assert watch.thing("p2").thing_id != before.thing_id
    assert not any(one.thing_id == before.thing_id for one in watch.map.things())


@pytest.mark.parametrize("gain", [0.55, 1.25])
def test_light_that_is_switched_changes_nothing(gain: float) -> None:
    watch = begun(12)
    watch.stage.gain = gain
    told = watch.run(5.0)
    watch.stage.gain = 1.0
    told += watch.run(4.0)
    assert told == []


@pytest.mark.parametrize(
    ("look", "light", "box"),
    [("take_a", (0, 0.9, 0), "p2"), ("take_b", (0, 0, 0.9), "p6"), ("not_this", (0.9, 0, 0), "p7")],
)
def test_light_of_ours_is_no_change_and_its_centre_is_seen(
    look: str, light: tuple[float, float, float], box: str
) -> None:
    watch = begun(12)
    ring = watch.stage.ring(box, light)
    watch.eye.shine([LitRegion(ring.astype(np.float32), look)])  # type: ignore[arg-type]
    assert watch.run(3.0) == []
    assert watch.last is not None
    spots = [one for one in watch.eye.lights() if one.area_px > 400]
    assert len(spots) == 1
    wrong = "wrong" if look == "not_this" else look
    assert spots[0].look == wrong
    assert np.linalg.norm(np.array(spots[0].centre_px) - ring.mean(axis=0)) < 4.0
    thing = watch.thing(box)
    del watch.stage.boxes[box]
    watch.until(lambda one: one.thing_id == thing.thing_id and one.state == "gone", 1.0)
    watch.stage.lights = []
    watch.eye.shine([])
    assert {one.thing_id for one in watch.run(3.0)} <= {thing.thing_id}


def test_a_covered_camera_is_blind_and_takes_nothing() -> None:
    watch = begun(9)
    whole = np.array([[-5, -5], [1930, -5], [1930, 1090], [-5, 1090]], np.float64)
    watch.stage.people = [(whole, (70, 72, 70))]
    told = watch.run(3.0)
    assert watch.last is not None
    assert watch.last.blind is not None
    assert all(one.hidden and one.state == "stands" for one in told)
    watch.stage.people = []
    watch.run(4.0)
    assert watch.map.blind == {}
    assert len(watch.map.things()) == 9
    assert not any(one.hidden for one in watch.map.things())


def test_a_dark_room_is_blind_and_takes_nothing() -> None:
    watch = begun(9)
    watch.stage.gain = 0.01
    told = watch.run(3.0)
    assert watch.last is not None
    assert watch.last.blind is not None
    assert "black" in watch.last.blind
    assert [one for one in told if one.state == "gone"] == []


def test_a_camera_that_was_pushed_says_so() -> None:
    watch = begun(3)
    watch.stage.shift_px = (9.0, 5.0)
    told = watch.run(6.0)
    assert watch.last is not None
    assert watch.last.blind is not None
    assert "camera moved by" in watch.last.blind
    assert "calibrate" in watch.last.blind
    assert [one for one in told if one.state == "gone"] == []


def test_nothing_is_judged_while_patterns_are_thrown() -> None:
    watch = begun(6)
    whole = np.array([[0, 0], [1920, 0], [1920, 1080], [0, 1080]], np.float32)
    watch.eye.capture(True)
    watch.eye.shine((LitRegion(whole, "look"),))
    watch.stage.gain = 1.5
    assert watch.run(3.0) == []
    assert watch.last is not None
    assert watch.last.capture is not None
    assert watch.last.capture.shape == (1080, 1920)
    watch.stage.gain = 1.0
    watch.eye.capture(False)
    watch.eye.shine(())
    assert watch.run(3.0) == []
    assert watch.last.capture is None


def test_captures_go_along_with_judging() -> None:
    watch = begun(6)
    thing = watch.thing("p2")
    watch.eye.capture(True)
    del watch.stage.boxes["p2"]
    watch.until(lambda one: one.state == "gone" and one.thing_id == thing.thing_id, 2.0)
    assert watch.last is not None
    assert watch.last.capture is not None


@pytest.mark.parametrize(
    "how",
    [{"roll_deg": 90.0}, {"roll_deg": 30.0}, {"yaw_deg": 30.0}, {"symbology": "datamatrix"}],
    ids=["on-its-side", "turned", "slanted", "datamatrix"],
)
def test_labels_that_lie_otherwise_are_known_as_well(how: dict[str, object]) -> None:
    boxes = filled(6)
    text = boxes["p2"].text
    if "symbology" in how:
        text = parcel(2, 0, 0, symbology="datamatrix").text
    boxes["p2"] = replace(boxes["p2"], text=text, **how)  # type: ignore[arg-type]
    watch = Watch(boxes, start_s=1.0)
    thing = watch.thing("p2")
    assert thing.state == "stands"
    assert abs(float(np.mean([u for u, _ in thing.outline_m])) - boxes["p2"].centre[0]) < 0.03


def test_a_label_known_stays_known_while_it_is_half_hidden() -> None:
    watch = begun(6)
    thing = watch.thing("p2")
    pixels = watch.stage.lens.pixels(watch.stage.boxes["p2"].corners())
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    left, right, top = low[0] + 20, high[0] + 300, high[1] - 60
    half = np.array([[left, 1090], [left, top], [right, top], [right, 1090]])
    watch.stage.people = [(half, (60, 70, 90))]
    watch.run(5.0)
    now = watch.thing("p2")
    assert now.thing_id == thing.thing_id
    assert now.state == "stands"


def test_a_damaged_label_is_never_a_label() -> None:
    boxes = filled(6)
    watch = Watch(boxes, blur_px=4.0)
    assert all(one.label is None for one in watch.map.things())
