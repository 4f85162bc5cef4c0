"""A beam in synthetic optics, closed loop: what shines, where, when, and what must stay dark."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.wall_messages import Mark, MarkSeen, Thing
from tests.vision.projection.loop import Loop, take
from tests.vision.projection.room import Box, Room, a_wall, boxes, bumped
from vision.errors import CalibrationError
from vision.projection import Beam, BeamSettings
from vision.projection.beam import STARTING_S
from vision.projection.model import Optics

GREEN, BLUE, RED = 1, 2, 0
LOOKS = ("take_a", "take_b", "not_this", "look", "wrong", "take_a", "take_b", "not_this")


def nominal() -> Optics:
    wall = a_wall()
    return Optics.of(wall, wall.projectors[0].intrinsics, wall.projectors[0].pose)


def a_loop(seed: int = 1, *, truth: Optics | None = None, **room: object) -> Loop:
    made = Room(a_wall(), boxes(np.random.default_rng(seed)), truth or nominal(), seed=seed)
    return Loop.of(replace(made, **room))  # type: ignore[arg-type]


def a_true_loop(seed: int = 1) -> Loop:
    """A loop whose projector hangs where its file says, which the dots have shown."""
    loop = a_loop(seed)
    loop.until("true", 3.0)
    return loop


def box(loop: Loop, number: int) -> Box:
    return loop.room.boxes[number]


def now(loop: Loop) -> str:
    return loop.judged[-1].state


def green(picture: NDArray[np.uint8]) -> bool:
    """Whether anything in it is green; check dots are white."""
    return bool((picture[..., GREEN] > picture[..., RED].astype(int) + 40).any())


def invite(loop: Loop, *numbers: int) -> None:
    loop.marks = [take(box(loop, k).thing_id, box(loop, k).label) for k in numbers]


def state(loop: Loop, number: int) -> MarkSeen:
    return loop.states[f"m-{box(loop, number).thing_id}"]


def test_before_anything_is_measured_nothing_shines() -> None:
    loop = a_loop()
    invite(loop, 0)
    loop.step()
    assert state(loop, 0).state == "withheld"
    assert state(loop, 0).reason == "projection calibrating: the aim is checked"
    assert loop.judged[0].state == "calibrating"


def test_a_projector_that_hangs_where_it_should_is_true_by_its_dots_alone() -> None:
    loop = a_loop()
    said = loop.until("true", 1.0)
    assert said.points == 6
    assert said.residual_mm is not None
    assert said.residual_mm < 3.0


def test_every_mark_falls_on_its_own_face_and_is_seen_there() -> None:
    loop = a_true_loop()
    loop.marks = [
        take(one.thing_id, one.label, look)
        for one, look in zip(loop.room.boxes, LOOKS, strict=True)
    ]
    loop.run(2.0)
    assert {one.state for one in loop.states.values()} == {"seen"}
    assert set(loop.room.lit_in(GREEN)) == {"thing-0", "thing-5"}
    assert set(loop.room.lit_in(BLUE)) == {"thing-1", "thing-6"}
    assert set(loop.room.lit_in(RED)) <= {"thing-2", "thing-4", "thing-7"}
    assert loop.last is not None
    assert {one.look for one in loop.last.lit["cam-1"]} == set(LOOKS)


@pytest.mark.parametrize("part", [1.0, 0.8])
def test_light_is_steered_to_a_face_whose_depth_was_misjudged(part: float) -> None:
    """All of the face, or what of it is about the label: the middle is the same."""
    loop = a_true_loop()
    invite(loop, 2)
    really, said = box(loop, 2), 0.045
    lens = loop.room.camera
    seen = lens.on_depth(lens.project(really.corners), really.v + said)
    middle = seen.mean(axis=0)
    about = middle + part * (seen - middle)
    moved = really.thing(0.0).model_copy(
        update={
            "outline_m": tuple((float(u), float(z)) for u, _, z in seen),
            "mark_m": None if part == 1.0 else tuple((float(u), float(z)) for u, _, z in about),
            "v_m": really.v + said,
        }
    )

    def off_mm() -> float:
        """How far the ring's light is from the face's middle, by the light itself."""
        light = loop.room.fallen()[..., GREEN]
        ys, xs = np.nonzero(light > 0.1)
        middle = np.array([[(xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2]])
        at = lens.on_depth(middle, really.v)[0]
        return 1000 * float(np.linalg.norm(at - really.corners.mean(axis=0)))

    loop.things = [moved.model_copy(update={"seen_s": 1e6})]
    loop.run(0.2)
    first = off_mm()
    loop.run(1.5)
    assert first > 8.0
    assert off_mm() < 4.0
    assert state(loop, 2).state == "seen"


def test_green_goes_dark_in_the_step_in_which_its_thing_is_in_doubt() -> None:
    loop = a_true_loop()
    invite(loop, 0)
    loop.run(1.0)
    right = box(loop, 0).thing(0.0)
    doubts: dict[str, dict[str, Any]] = {
        "moved": {"state": "moves"},
        "disagree": {"contested": True},
        "another label": {"label": right.label and right.label.model_copy(update={"text": "X"})},
        "same label": {"twins": ("thing-9",)},
        "no label": {"label": None},
    }
    for reason, change in doubts.items():
        loop.things = [right.model_copy(update={"seen_s": loop.now_s, **change})]
        out = loop.step()
        assert out.picture is not None, reason
        assert not green(out.picture), reason
        assert [one.state for one in out.changed] == ["withheld"]
        assert reason in state(loop, 0).reason
        loop.things = [right.model_copy(update={"seen_s": loop.now_s})]
        assert loop.step().picture is not None


def test_a_camera_that_gives_no_picture_ends_what_invites() -> None:
    loop = a_true_loop()
    invite(loop, 0)
    loop.marks.append(take("thing-3", "ANY", "not_this"))
    loop.run(1.0)
    loop.blind = "covered"
    loop.run(2.5)
    assert state(loop, 0).reason == "no camera of the wall gives pictures"
    assert state(loop, 3).state != "withheld"
    loop.blind = None
    loop.run(0.5)
    assert state(loop, 0).state != "withheld"


def test_a_mark_behind_another_thing_or_beyond_the_picture_is_withheld() -> None:
    loop = a_true_loop()
    invite(loop, 1)
    before = box(loop, 1)
    front = replace(before, thing_id="front", v=before.v - 0.06, label="FRONT")
    loop.things = [before.thing(1e6), front.thing(1e6)]
    loop.step()
    assert state(loop, 1).reason == "another thing is in the way of the light"
    aside = tuple((u + 1.6, z) for u, z in before.thing(0.0).outline_m)
    loop.things = [before.thing(1e6).model_copy(update={"outline_m": aside})]
    loop.step()
    assert state(loop, 1).reason == "outside of the projector's picture"


@pytest.mark.parametrize(
    ("apart_m", "marked", "hidden", "lit"),
    [
        (0.0, True, False, True),
        (0.0, False, False, False),
        (0.0, True, True, False),
        (-0.06, True, False, True),
    ],
)
def test_an_outline_in_which_another_is_seen_to_stand_hides_nothing(
    apart_m: float, marked: bool, hidden: bool, lit: bool
) -> None:
    """Or its label could not be seen; only what is about the label of the first is sure then."""
    loop = a_true_loop()
    invite(loop, 1)
    right = box(loop, 1).thing(1e6).model_copy(update={"hidden": hidden})
    loop.things = [right, beside_and_before(right, marked=marked, apart_m=apart_m)]
    out = loop.step()
    assert (state(loop, 1).state != "withheld") == lit
    assert (out.picture is not None and green(out.picture)) == lit


def test_who_comes_before_a_label_that_was_seen_puts_no_light_out() -> None:
    """That an outline is wrong is known from then on, and not before."""
    loop = a_true_loop()
    invite(loop, 1)
    right = box(loop, 1).thing(1e6)
    wide = beside_and_before(right, marked=True, apart_m=0.0)
    hidden = right.model_copy(update={"hidden": True})
    for mine, lit in ((hidden, False), (right, True), (hidden, True)):
        loop.things = [mine, wide]
        loop.step()
        assert (state(loop, 1).state != "withheld") == lit


def beside_and_before(right: Thing, *, marked: bool, apart_m: float) -> Thing:
    """A thing beside another whose outline holds the other as well, so much deeper."""
    aside = tuple((u - 0.3, z) for u, z in right.outline_m)
    return right.model_copy(
        update={
            "thing_id": "wide",
            "hidden": False,
            "label": right.label and right.label.model_copy(update={"text": "WIDE"}),
            "outline_m": (aside[0], right.outline_m[1], right.outline_m[2], aside[3]),
            "mark_m": aside if marked else None,
            "v_m": right.v_m + apart_m,
        }
    )


def test_a_bump_goes_dark_and_is_mended_by_itself() -> None:
    loop = a_true_loop()
    invite(loop, 0, 5)
    loop.run(2.0)
    loop.room.truth = bumped(nominal(), np.random.default_rng(4), m=0.01, deg=0.8)
    loop.room.changed()
    begun_s = loop.now_s
    while any(one.state != "withheld" for one in loop.states.values()):
        loop.step()
    assert loop.now_s - begun_s < 1.0
    said = loop.until("off", 2.0)
    assert said.reason.startswith("the projector was moved")
    assert said.residual_mm is not None
    assert said.residual_mm > 7.0
    loop.run(0.2)
    assert loop.room.lit is not None
    assert not green(loop.room.lit)
    loop.until("true", 30.0)
    loop.run(1.5)
    assert set(loop.room.lit_in(GREEN)) == {"thing-0", "thing-5"}
    assert state(loop, 0).state == "seen"


def test_nobody_is_dazzled_by_stripes_while_they_stand_in_front() -> None:
    loop = a_true_loop()
    loop.room.truth = bumped(nominal(), np.random.default_rng(4), m=0.01, deg=0.8)
    loop.room.changed()
    loop.active = True
    loop.until("off", 15.0)
    loop.run(12.0)
    assert now(loop) == "off"
    loop.active = False
    loop.run(2.5)
    assert now(loop) == "calibrating"


def test_who_waits_in_front_for_light_gets_it_in_the_end() -> None:
    loop = a_true_loop()
    invite(loop, 0)
    loop.room.truth = bumped(nominal(), np.random.default_rng(4), m=0.01, deg=0.8)
    loop.room.changed()
    loop.active = True
    loop.until("off", 15.0)
    loop.run(3.0)
    assert now(loop) == "off"
    loop.until("true", 20.0)
    loop.run(1.5)
    assert state(loop, 0).state == "seen"


def test_somebody_who_passes_before_dots_is_no_bump_for_long() -> None:
    loop = a_true_loop()
    loop.active = True
    hung = loop.room.truth
    loop.room.truth = bumped(nominal(), np.random.default_rng(4), m=0.01, deg=0.8)
    loop.room.changed()
    loop.until("off", 15.0)
    loop.room.truth = hung
    loop.room.changed()
    said = loop.until("true", 12.0)
    assert said.residual_mm is not None
    assert said.residual_mm < 5.0


def test_covered_markers_are_told_and_staff_may_ask_again() -> None:
    hung = bumped(nominal(), np.random.default_rng(6), m=0.02, deg=1.0)
    loop = a_loop(covered=frozenset(range(1, 6)), truth=hung)
    said = loop.until("off", 15.0)
    assert said.reason.startswith("calibration board not found")
    invite(loop, 0)
    loop.run(1.0)
    assert state(loop, 0).reason.startswith("projection off: calibration board not found")
    loop.room.covered = frozenset()
    loop.room.changed()
    loop.run(2.0)
    assert now(loop) == "off"
    loop.calibrate += 1
    loop.step()
    assert now(loop) == "calibrating"
    loop.until("true", 15.0)


def test_a_projector_that_is_opened_late_is_no_fault() -> None:
    loop = a_loop()
    loop.plugged = False
    loop.run(STARTING_S - 1.0)
    assert {one.state for one in loop.judged} == {"calibrating"}
    assert loop.judged[-1].reason == "the projector is not open yet"
    loop.plugged = True
    assert loop.until("true", 20.0).residual_mm is not None
    assert {one.state for one in loop.judged} == {"calibrating", "true"}


def test_a_projector_that_never_shows_anything_is_unplugged() -> None:
    loop = a_loop()
    loop.plugged = False
    loop.run(STARTING_S + 1.0)
    assert [one.state for one in loop.judged] == ["calibrating", "unplugged"]


def test_a_camera_that_opens_late_is_waited_for() -> None:
    loop = a_loop()
    loop.blind = "nothing read yet"
    loop.run(STARTING_S - 1.0)
    loop.blind = None
    loop.until("true", 20.0)
    assert {one.state for one in loop.judged} == {"calibrating", "true"}


def test_an_unplugged_projector_is_told_and_checked_when_it_is_back() -> None:
    loop = a_true_loop()
    invite(loop, 0)
    loop.run(1.0)
    loop.plugged = False
    out = loop.step()
    assert out.judged is not None
    assert out.judged.state == "unplugged"
    assert out.picture is None
    assert state(loop, 0).reason == "projection unplugged: the projector is unplugged or off"
    loop.run(1.0)
    loop.plugged = True
    out = loop.step()
    assert now(loop) == "calibrating"
    assert out.picture is not None
    assert not out.picture.any()
    loop.until("true", 2.0)
    loop.run(0.3)
    assert state(loop, 0).state != "withheld"


def test_a_dead_camera_is_no_reason_to_wait_for_ever() -> None:
    loop = a_loop()
    loop.blind = "black"
    said = loop.until("off", 15.0 + STARTING_S)
    assert "no camera of the wall gives pictures" in said.reason


def test_pictures_are_only_drawn_anew_when_something_changes() -> None:
    loop = Loop.of(a_loop().room, served_check_s=59.0)
    loop.until("true", 1.0)
    invite(loop, 0)
    loop.run(1.5)
    pictures = [loop.step().picture for _ in range(20)]
    assert all(one is None for one in pictures)
    loop.marks[0] = Mark(mark_id="m-w", look="wrong", thing_id="thing-0")
    drawn = sum(loop.step().picture is not None for _ in range(40))
    assert 7 <= drawn <= 10


def test_a_person_before_the_markers_is_no_bump() -> None:
    loop = a_true_loop()
    invite(loop, 7)
    loop.run(1.5)
    loop.room.blocked = (200.0, 0.0, 600.0, 540.0)
    loop.run(6.0)
    assert now(loop) == "true"
    assert state(loop, 7).state == "seen"


def test_what_was_measured_survives_a_restart() -> None:
    truth = bumped(nominal(), np.random.default_rng(6), m=0.02, deg=1.0)
    loop = a_loop(3, truth=truth)
    loop.until("true", 15.0)
    kept = json.loads(json.dumps(loop.beam.snapshot()))
    wall = loop.room.wall
    again = Loop(loop.room, Beam(wall.projectors[0], wall, remembered=kept))
    again.until("true", 1.0)
    with pytest.raises(CalibrationError, match="calibrate anew"):
        Beam(wall.projectors[0], wall, remembered={"model": 3})


def test_a_node_whose_pictures_are_late_calibrates_none_the_less() -> None:
    """Captures that cameras took before a picture was with the projector do not show it."""
    bump = bumped(nominal(), np.random.default_rng(3), m=0.02, deg=0.7)
    loop = a_loop(truth=bump)
    loop.late_s = 0.3
    said = loop.until("true", 60.0)
    assert said.residual_mm is not None
    assert said.residual_mm < BeamSettings().residual_mm_max
    invite(loop, 0, 1)
    loop.run(4.0)
    assert {state(loop, k).state for k in (0, 1)} == {"seen"}


def test_a_mark_whose_thing_is_hidden_stays_dark_until_it_is_seen_again() -> None:
    loop = a_true_loop()
    invite(loop, 0)
    loop.run(1.0)
    assert state(loop, 0).state == "seen"
    last_s = loop.now_s
    stands = loop.seen_things()
    hidden = [one.model_copy(update={"hidden": True, "seen_s": last_s}) for one in stands]
    loop.things = hidden
    loop.run(0.4)
    assert state(loop, 0).state != "withheld"
    loop.run(1.0)
    assert state(loop, 0).reason == "somebody is in front of the thing"
    loop.things = None
    loop.run(0.1)
    assert state(loop, 0).state != "withheld"
