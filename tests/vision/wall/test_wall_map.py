"""Several cameras' sights put together, what of it is news, and what outlives a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.labels import digital_link
from tests.vision.wall.drawing import sscc, wall
from vision.errors import VisionError
from vision.wall import Sight, WallMap, WallObservation

ONE, OTHER = digital_link(sscc(1)), digital_link(sscc(2))


def sight(n: int, u: float, text: str | None = ONE, **more: Any) -> Sight:
    """A box 0.2 m by 0.16 m at (u, 1.0), seen from (0.9, -1.7, 1.3)."""
    values: dict[str, Any] = {
        "sight_id": n, "state": "stands", "hidden": False,
        "symbology": None if text is None else "qr", "text": text, "reads": 3,
        "contested": False,
        "outline_m": ((u - 0.1, 1.08), (u + 0.1, 1.08), (u + 0.1, 0.92), (u - 0.1, 0.92)),
        "v_m": 0.02, "sd_m": 0.004, "centre_m": (u, 0.02, 1.0), "eye_m": (0.9, -1.7, 1.3),
        "since_s": 0.0, "seen_s": 1.0,
    }  # fmt: skip
    return Sight(**{**values, **more})


def seen(
    t_s: float, *sights: Sight, camera: str = "a", blind: str | None = None
) -> WallObservation:
    return WallObservation(camera, "wall-1", t_s, blind is None, blind, sights=sights)


def test_a_thing_is_told_once_and_again_when_it_moved() -> None:
    things = WallMap(wall(), "w")
    assert [one.thing_id for one in things.step(1.0, [seen(1.0, sight(1, 0.5))])] == ["w:1"]
    assert things.step(1.2, [seen(1.2, sight(1, 0.505, seen_s=1.2))]) == ()
    moved = things.step(1.4, [seen(1.4, sight(1, 0.52))])
    assert [one.thing_id for one in moved] == ["w:1"]
    gone = things.step(1.6, [seen(1.6, sight(1, 0.52, state="gone", since_s=1.6))])
    assert [(one.state, one.since_s) for one in gone] == [("gone", 1.6)]
    assert things.things() == ()


def test_one_label_is_one_thing_though_a_camera_has_its_face_larger() -> None:
    things = WallMap(wall(cameras=2), "w")
    at: dict[str, Any] = {"label_m": ((0.45, 1.05), (0.55, 1.05), (0.55, 0.95), (0.45, 0.95))}
    wide = ((0.4, 1.4), (0.9, 1.4), (0.9, 0.9), (0.4, 0.9))
    first = seen(1.0, sight(1, 0.5, outline_m=wide, **at))
    second = seen(1.0, sight(7, 0.5, eye_m=(1.5, -1.7, 1.3), **at), camera="b")
    (one,) = things.step(1.0, [first, second])
    assert one.twins == ()
    # The same label elsewhere is another one.
    beside: dict[str, Any] = {"label_m": tuple((u + 0.3, z) for u, z in at["label_m"])}
    twin = sight(8, 0.8, eye_m=(1.5, -1.7, 1.3), **beside)
    things.step(
        1.2, [replace(first, t_s=1.2), replace(second, t_s=1.2, sights=(*second.sights, twin))]
    )
    assert [len(thing.twins) for thing in things.things()] == [1, 1]


def test_two_cameras_see_one_thing_and_the_rays_tell_its_depth() -> None:
    things = WallMap(wall(cameras=2), "w")
    # Truly at v 0.06, u 0.5: each camera took it to be at another depth.
    left = sight(1, 0.4882, v_m=0.02, centre_m=(0.4882, 0.02, 1.0068), eye_m=(0.0, -1.7, 1.3))
    right = sight(7, 0.5227, v_m=0.02, centre_m=(0.5227, 0.02, 1.0068), eye_m=(1.5, -1.7, 1.3))
    told = things.step(1.0, [seen(1.0, left), seen(1.0, right, camera="b")])
    assert len(told) == 1
    assert told[0].v_m == pytest.approx(0.06, abs=0.01)
    middle = sum(u for u, _ in told[0].outline_m) / 4
    assert middle == pytest.approx(0.5, abs=0.004)
    assert told[0].label is not None
    assert told[0].label.reads == 6


def test_a_mark_belongs_about_the_label_at_the_depth_where_the_rays_meet() -> None:
    things = WallMap(wall(cameras=2), "w")
    # As above; the label, truly 0.04 m wide, is in the middle, and the left outline is too wide.
    values: dict[str, Any] = {
        "v_m": 0.02,
        "centre_m": (0.4882, 0.02, 1.0068),
        "eye_m": (0.0, -1.7, 1.3),
    }
    label = ((0.4687, 1.02), (0.5077, 1.02), (0.5077, 0.98), (0.4687, 0.98))
    wide = ((0.39, 1.08), (0.79, 1.08), (0.79, 0.92), (0.39, 0.92))
    left = sight(1, 0.4882, **{**values, "outline_m": wide, "label_m": label})
    right = sight(
        7, 0.5227, v_m=0.02, sd_m=0.005, centre_m=(0.5227, 0.02, 1.0068), eye_m=(1.5, -1.7, 1.3)
    )
    told = things.step(1.0, [seen(1.0, left), seen(1.0, right, camera="b")])
    assert told[0].mark_m is not None
    us = [u for u, _ in told[0].mark_m]
    assert sum(us) / 4 == pytest.approx(0.5, abs=0.004)
    assert max(us) - min(us) == pytest.approx(0.2, abs=0.01)


def test_a_mark_keeps_to_its_half_of_what_is_between_two_labels_that_stand() -> None:
    """`moved-after-cue/5066`: the outline of a parcel held the place that another was put at, and
    its ring lay on that."""
    things = WallMap(wall(), "w")

    def label(u: float) -> dict[str, Any]:
        return {"label_m": ((u - 0.04, 1.04), (u + 0.04, 1.04), (u + 0.04, 0.96), (u - 0.04, 0.96))}

    wide = ((0.0, 1.08), (0.5, 1.08), (0.5, 0.92), (0.0, 0.92))
    first = sight(1, 0.25, outline_m=wide, **label(0.15))
    (alone,) = things.step(1.0, [seen(1.0, first)])
    assert alone.mark_m is not None
    assert max(u for u, _ in alone.mark_m) == pytest.approx(0.3)
    second = sight(2, 0.35, OTHER, **label(0.35))
    told = {one.thing_id: one for one in things.step(1.2, [seen(1.2, first, second)])}
    marks = {name: [u for u, _ in one.mark_m or ()] for name, one in told.items()}
    assert max(marks["w:1"]) == pytest.approx(0.25)
    assert min(marks["w:2"]) == pytest.approx(0.25)
    # What is carried off leaves its room to those that stand.
    moving = replace(second, state="moves", since_s=1.4)
    told = {one.thing_id: one for one in things.step(1.4, [seen(1.4, first, moving)])}
    assert max(u for u, _ in told["w:1"].mark_m or ()) == pytest.approx(0.3)


def test_who_has_just_lost_sight_of_a_thing_knows_as_well_where_it_stands() -> None:
    """Seen at a wall of the demo: the other camera never learnt its depth, and its ring jumped by
    the breadth of a label as somebody came before the first."""
    things = WallMap(wall(cameras=2), "w")
    at: dict[str, Any] = {"label_m": ((0.45, 1.05), (0.55, 1.05), (0.55, 0.95), (0.45, 0.95))}
    sure = sight(1, 0.5, v_m=0.14, sd_m=0.004, centre_m=(0.5, 0.14, 1.0), **at)
    poor: dict[str, Any] = {"eye_m": (1.5, -1.7, 1.3), "v_m": 0.0, "sd_m": 0.08}
    other = sight(7, 0.42, centre_m=(0.424, 0.0, 1.023), since_s=0.5, **poor, **at)
    (before,) = things.step(1.0, [seen(1.0, sure), seen(1.0, other, camera="b")])
    hidden = replace(sure, hidden=True, seen_s=1.0)
    things.step(2.0, [seen(2.0, hidden), seen(2.0, replace(other, seen_s=2.0), camera="b")])
    (now,) = things.things()
    assert (now.hidden, now.v_m, now.mark_m) == (False, before.v_m, before.mark_m)
    # The first one does not know of it any more, and it stands where it stood.
    things.step(2.5, [seen(2.5), seen(2.5, replace(other, seen_s=2.5), camera="b")])
    assert things.things()[0].v_m == before.v_m
    # Put elsewhere since: then the other alone knows.
    at["label_m"] = tuple((u + 0.3, z) for u, z in at["label_m"])
    moved = sight(7, 0.72, centre_m=(0.724, 0.0, 1.023), since_s=3.0, seen_s=3.0, **poor, **at)
    things.step(3.0, [seen(3.0, hidden), seen(3.0, moved, camera="b")])
    assert things.things()[0].v_m == 0.0


def test_the_rays_of_one_that_takes_it_to_be_moved_still_tell_its_depth() -> None:
    """Seen at a wall of the demo: somebody moves before what was just put down, so that one camera
    has it moving for seconds; that it stands, the other alone said, at a depth of nothing."""
    things = WallMap(wall(cameras=2), "w")
    at: dict[str, Any] = {"label_m": ((0.45, 1.05), (0.55, 1.05), (0.55, 0.95), (0.45, 0.95))}
    poor: dict[str, Any] = {"v_m": 0.02, "sd_m": 0.07, **at}
    left = {"centre_m": (0.4882, 0.02, 1.0068), "eye_m": (0.0, -1.7, 1.3), **poor}
    right = {"centre_m": (0.5227, 0.02, 1.0068), "eye_m": (1.5, -1.7, 1.3), **poor}
    stands = sight(1, 0.4882, since_s=1.0, **left)
    moves = sight(7, 0.5227, state="moves", since_s=0.5, seen_s=1.2, **right)
    things.step(1.2, [seen(1.2, stands), seen(1.2, moves, camera="b")])
    (now,) = things.things()
    assert now.state == "stands"
    assert now.v_m == pytest.approx(0.06, abs=0.01)


def test_that_a_label_is_known_better_now_is_news() -> None:
    things = WallMap(wall(), "w")
    label = ((0.46, 1.02), (0.54, 1.02), (0.54, 0.98), (0.46, 0.98))
    assert len(things.step(1.0, [seen(1.0, sight(1, 0.5, label_m=label))])) == 1
    for by_m, news in ((0.001, 0), (0.003, 1)):
        moved = tuple((u + by_m, z) for u, z in label)
        assert len(things.step(1.2, [seen(1.2, sight(1, 0.5, label_m=moved))])) == news


def test_who_sees_the_place_decides_whether_a_thing_is_gone() -> None:
    things = WallMap(wall(cameras=2), "w")
    things.step(1.0, [seen(1.0, sight(1, 0.5)), seen(1.0, sight(4, 0.5), camera="b")])
    hidden = sight(1, 0.5, hidden=True)
    news = things.step(2.0, [seen(2.0, hidden), seen(2.0, sight(4, 0.5), camera="b")])
    assert news == ()
    gone = sight(4, 0.5, state="gone", since_s=3.0)
    news = things.step(3.0, [seen(3.0, hidden), seen(3.0, gone, camera="b")])
    assert [one.state for one in news] == ["gone"]


def test_that_a_thing_went_is_refuted_by_who_saw_it_stand_later() -> None:
    things = WallMap(wall(cameras=2), "w")
    things.step(1.0, [seen(1.0, sight(1, 0.5)), seen(1.0, sight(4, 0.5), camera="b")])
    wrong = sight(4, 0.5, state="gone", since_s=2.0)
    things.step(2.0, [seen(2.0, sight(1, 0.5, hidden=True)), seen(2.0, wrong, camera="b")])
    assert things.things() == ()
    there = things.step(3.0, [seen(3.0, sight(1, 0.5, seen_s=3.0)), seen(3.0, wrong, camera="b")])
    assert [(one.state, one.hidden) for one in there] == [("stands", False)]
    hidden = sight(1, 0.5, hidden=True, seen_s=3.0)
    news = things.step(4.0, [seen(4.0, hidden), seen(4.0, wrong, camera="b")])
    assert [(one.state, one.hidden) for one in news] == [("stands", True)]
    truly = sight(1, 0.5, state="gone", since_s=5.0, seen_s=3.0)
    news = things.step(5.0, [seen(5.0, truly), seen(5.0, wrong, camera="b")])
    assert [one.state for one in news] == ["gone"]


def test_what_stood_beside_a_thing_does_not_bring_it_back() -> None:
    """Seen at a wall of the demo: a camera had two boxes in one outline, and kept the other one."""
    things = WallMap(wall(cameras=2), "w")
    mine, theirs = sight(1, 0.5), sight(7, 0.5)

    def told(t_s: float, ours: Sight, other: Sight) -> str:
        things.step(t_s, [seen(t_s, ours), seen(t_s, other, camera="b")])
        return things.things()[0].state if things.things() else "gone"

    assert told(1.0, mine, theirs) == "stands"
    moves = replace(mine, state="moves", since_s=2.0, seen_s=2.0)
    assert told(2.0, moves, replace(theirs, hidden=True)) == "moves"
    beside = replace(theirs, text=None, symbology=None, reads=0, doubted=True, seen_s=3.0)
    assert told(3.0, moves, beside) == "moves"
    gone = replace(moves, state="gone", since_s=4.0)
    assert told(4.0, gone, replace(beside, seen_s=4.0)) == "gone"
    # Its label is read there again: now it stands, whatever the first one says of before.
    assert told(5.0, gone, replace(theirs, seen_s=5.0)) == "stands"
    assert told(6.0, gone, replace(beside, seen_s=6.0)) == "stands"


def test_who_was_refuted_finds_a_thing_where_it_stands_and_does_not_see_it_lifted() -> None:
    """Grey clothes were taken for the wall; whoever wore them steps aside, and all moves."""
    things = WallMap(wall(cameras=2), "w")
    things.step(1.0, [seen(1.0, sight(1, 0.5)), seen(1.0, sight(4, 0.5), camera="b")])
    wrong = sight(4, 0.5, state="gone", since_s=2.0)
    there = sight(1, 0.5, seen_s=3.0)
    things.step(3.0, [seen(3.0, there), seen(3.0, wrong, camera="b")])
    hidden = sight(1, 0.5, hidden=True, seen_s=3.0)
    found = sight(4, 0.52, state="moves", since_s=4.0, seen_s=4.0)
    news = things.step(4.0, [seen(4.0, hidden), seen(4.0, found, camera="b")])
    assert [(one.state, one.hidden) for one in news] == [("stands", True)]
    lifted = sight(4, 0.8, state="moves", since_s=4.0, seen_s=4.2)
    news = things.step(4.2, [seen(4.2, hidden), seen(4.2, lifted, camera="b")])
    assert [one.state for one in news] == ["moves"]


def test_what_another_camera_sees_for_the_first_time_where_it_stands_was_not_lifted() -> None:
    """Somebody lifts what stood in front of it, and all around it moves."""
    things = WallMap(wall(cameras=2), "w")
    things.step(1.0, [seen(1.0, sight(1, 0.5))])
    hidden = sight(1, 0.5, hidden=True)
    fresh = sight(9, 0.52, state="moves", since_s=2.0)
    news = things.step(2.0, [seen(2.0, hidden), seen(2.0, fresh, camera="b")])
    assert [(one.state, one.hidden) for one in news] == [("stands", True)]
    carried = sight(9, 0.8, state="moves", since_s=2.0)
    news = things.step(2.2, [seen(2.2, hidden), seen(2.2, carried, camera="b")])
    assert [one.state for one in news] == ["moves"]


def test_what_was_put_down_in_sight_of_another_camera_is_not_still_moved() -> None:
    """One camera still has it in somebody's hand, who has put it down and stands before it."""
    things = WallMap(wall(cameras=2), "w")
    things.step(1.0, [seen(1.0, sight(1, 0.5)), seen(1.0, sight(4, 0.5), camera="b")])
    held = sight(4, 0.5, state="moves", since_s=2.0, seen_s=3.0)
    away = sight(1, 0.9, state="moves", since_s=2.0, seen_s=2.0)
    things.step(2.0, [seen(2.0, away), seen(2.0, held, camera="b")])
    stands = sight(1, 0.51, since_s=3.0, seen_s=3.0)
    news = things.step(3.0, [seen(3.0, stands), seen(3.0, held, camera="b")])
    assert [(one.state, one.hidden) for one in news] == [("stands", False)]
    hidden = sight(1, 0.51, since_s=3.0, seen_s=3.0, hidden=True)
    news = things.step(4.0, [seen(4.0, hidden), seen(4.0, held, camera="b")])
    assert [(one.state, one.hidden) for one in news] == [("stands", True)]
    gone_off = sight(4, 0.8, state="moves", since_s=2.0, seen_s=5.0)
    news = things.step(5.0, [seen(5.0, hidden), seen(5.0, gone_off, camera="b")])
    assert [one.state for one in news] == ["moves"]


def test_who_saw_the_lid_alone_and_then_reads_the_label_sees_no_twin() -> None:
    things = WallMap(wall(cameras=2), "w")
    other: dict[str, Any] = {"eye_m": (1.5, -1.7, 1.3)}
    lid = sight(7, 0.51, None, **other)
    things.step(1.0, [seen(1.0, sight(1, 0.5)), seen(1.0, lid, camera="b")])
    assert len(things.things()) == 1
    for t_s, state in ((1.2, "moves"), (1.4, "stands")):
        label = sight(8, 0.52, state=state, seen_s=t_s, **other)
        things.step(t_s, [seen(t_s, sight(1, 0.5)), seen(t_s, lid, label, camera="b")])
        (named,) = [one for one in things.things() if one.label is not None]
        assert (named.thing_id, named.state, named.twins) == ("w:1", "stands", ())
    # A copy of the label beside it is one all the same.
    copy = sight(9, 0.9, **other)
    things.step(1.6, [seen(1.6, sight(1, 0.5)), seen(1.6, lid, label, copy, camera="b")])
    twins = [len(one.twins) for one in things.things() if one.label is not None]
    assert twins == [1, 1]


def test_a_blind_camera_hides_and_takes_nothing() -> None:
    things = WallMap(wall(), "w")
    things.step(1.0, [seen(1.0, sight(1, 0.5))])
    for k in range(40):
        news = things.step(2.0 + k, [seen(2.0 + k, blind="black: no light reaches it")])
        assert [one.hidden for one in news] == ([True] if k == 0 else [])
    assert [one.state for one in things.things()] == ["stands"]
    assert things.blind == {"a": "black: no light reaches it"}


def test_one_label_on_two_things_makes_both_twins() -> None:
    things = WallMap(wall(), "w")
    told = things.step(1.0, [seen(1.0, sight(1, 0.4), sight(2, 1.2))])
    assert [(one.thing_id, one.twins) for one in told] == [("w:1", ("w:2",)), ("w:2", ("w:1",))]
    news = things.step(2.0, [seen(2.0, sight(1, 0.4), sight(2, 1.2, state="gone"))])
    assert {(one.thing_id, one.state, one.twins) for one in news} == {
        ("w:1", "stands", ()),
        ("w:2", "gone", ()),
    }


def test_one_number_printed_in_two_ways_is_one_label() -> None:
    things = WallMap(wall(), "w")
    bars = sight(2, 1.2, text=f"00{sscc(1)}", symbology="code128")
    told = things.step(1.0, [seen(1.0, sight(1, 0.4), bars)])
    assert all(one.twins for one in told)


def test_cameras_that_read_different_labels_see_different_things() -> None:
    things = WallMap(wall(cameras=2), "w")
    things.step(1.0, [seen(1.0, sight(1, 0.5, None)), seen(1.0, sight(1, 0.51), camera="b")])
    assert len(things.things()) == 1
    things.step(1.2, [seen(1.2, sight(1, 0.5, OTHER)), seen(1.2, sight(1, 0.51), camera="b")])
    assert {one.label.text for one in things.things() if one.label} == {ONE, OTHER}


def test_after_a_restart_things_keep_their_ids_if_they_still_stand() -> None:
    before = WallMap(wall(), "w")
    before.step(1.0, [seen(1.0, sight(1, 0.4), sight(2, 0.8, OTHER), sight(3, 1.3, None))])
    state = before.snapshot()
    after = WallMap(wall(), "w")
    after.restore(state, now_s=100.0)
    assert all(one.hidden for one in after.things())
    news = after.step(101.0, [seen(101.0, sight(9, 0.41), sight(8, 1.3, None))])
    assert {one.thing_id for one in news} >= {"w:1", "w:3"}
    late = after.step(
        130.0, [seen(130.0, sight(9, 0.41), sight(8, 1.3, None), sight(11, 0.6, None))]
    )
    assert {(one.thing_id, one.state) for one in late} == {("w:2", "gone"), ("w:4", "stands")}


def test_a_snapshot_of_something_else_is_refused() -> None:
    with pytest.raises(VisionError, match="expected a snapshot of wall wall-1"):
        WallMap(wall(), "w").restore({"things": [{"no": "thing"}], "next": 1}, now_s=0.0)
