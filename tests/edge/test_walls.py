"""A wall's desk: the first news is whole, old cues are left out, silence of the hub means dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.messages import (
    MarksJudged,
    ProjectionJudged,
    ThingsSeen,
    WallAttended,
    WallCues,
    WallScanned,
)
from contracts.wall import Wall
from contracts.wall_messages import CUE_LIFE_S, LabelRead, Mark, MarkSeen, Thing
from edge.walls import THINGS_PER_MESSAGE, WallDesk
from hardware.ports import Frame, GateScan
from tests.contracts.test_wall import wall as wall_document
from vision.projection import Beam
from vision.wall import WallObservation

TEXT = "https://id.gs1.org/00/340123450000000017"


def thing(name: str, **more: Any) -> Thing:
    label = LabelRead(symbology="qr", text=TEXT, reads=3)
    outline = ((0.1, 0.6), (0.3, 0.6), (0.3, 0.8))
    values = {"state": "stands", "label": label, "outline_m": outline, "since_s": 1, "seen_s": 1}
    return Thing.model_validate({"thing_id": name, **values, **more})


def sight(t_s: float, *, somebody: bool = False) -> WallObservation:
    return WallObservation("eye-1", "wall-1", t_s, active=somebody, somebody=somebody)


class Map:
    """Says what it is told to say."""

    def __init__(self, *all_things: Thing) -> None:
        self.all, self.news = all_things, all_things

    def step(self, now_s: float, observations: Sequence[Any], /) -> tuple[Thing, ...]:
        news, self.news = self.news, ()
        return news

    def things(self) -> tuple[Thing, ...]:
        return self.all

    def snapshot(self) -> Any:
        return [one.thing_id for one in self.all]

    def restore(self, state: Any, *, now_s: float) -> None:
        self.all = tuple(thing(name) for name in state)


@dataclass(frozen=True)
class Out:
    picture: NDArray[np.uint8] | None = None
    shown: tuple[MarkSeen, ...] = ()
    judged: ProjectionJudged | None = None
    want_capture: bool = False
    lit: Mapping[str, Sequence[Any]] = field(default_factory=dict)


class Projects:
    """Shows every mark it is given, and remembers what that was."""

    def __init__(self) -> None:
        self.marks: list[Sequence[Mark]] = []
        self.plugged: list[bool] = []
        self.shown_s: list[float | None] = []
        self.calibrate: list[int] = []

    def snapshot(self) -> dict[str, Any]:
        return {"asked": len(self.marks)}

    def step(
        self,
        now_s: float,
        things: Sequence[Thing],
        marks: Sequence[Mark],
        observations: Sequence[Any],
        *,
        calibrate: int = 0,
        plugged: bool = True,
        shown_s: float | None = None,
    ) -> Out:
        self.marks.append(marks)
        self.plugged.append(plugged)
        self.shown_s.append(shown_s)
        self.calibrate.append(calibrate)
        return Out(
            picture=np.full((2, 3, 3), len(marks), np.uint8),
            shown=tuple(MarkSeen(mark_id=m.mark_id, state="shown", since_s=1) for m in marks),
            want_capture=calibrate > 0,
            lit={"eye-1": [m.mark_id for m in marks]},
        )


class Eye:
    def __init__(self) -> None:
        self.lit: Sequence[Any] = ()
        self.captures = False

    def perceive(self, frame: Frame, /) -> WallObservation:
        return sight(frame.t_s)

    def shine(self, regions: Sequence[Any], /) -> None:
        self.lit = regions

    def capture(self, on: bool, /) -> None:
        self.captures = on


class Lamps:
    def __init__(self) -> None:
        self.lit: dict[str, tuple[object, ...]] = {}

    def step(
        self, now_s: float, things: Sequence[Thing], marks: Sequence[Mark]
    ) -> tuple[NDArray[np.uint8], tuple[MarkSeen, ...]]:
        self.lit = {"eye-1": ("lamps",)} if marks else {}
        shown = tuple(MarkSeen(mark_id=m.mark_id, state="withheld", since_s=1) for m in marks)
        return np.full((4, 3), 10 * len(marks), np.uint8), shown


def desk(*things: Thing) -> tuple[WallDesk, Projects, Eye]:
    beam, eye = Projects(), Eye()
    made = WallDesk(
        Wall.model_validate(wall_document(scanners=["kiosk-1"])),
        things=Map(*things),
        eyes={"eye-1": eye},
        make_beam=lambda _projector, _remembered: beam,
        strips={"strip-1": Lamps()},
    )
    return made, beam, eye


def cues(revision: int, *marks: str, calibrate: int = 0) -> WallCues:
    shown = tuple(
        Mark(mark_id=name, look="take_a", thing_id="t1", label_text=TEXT) for name in marks
    )
    return WallCues(wall_id="wall-1", revision=revision, marks=shown, calibrate=calibrate)


def test_the_first_news_is_whole_and_waits_for_a_picture() -> None:
    made, _, _ = desk(thing("t1"), thing("t2"))
    assert not [e for e in made.step(1.0, []).events if isinstance(e, ThingsSeen) and e.whole]
    (first,) = [e for e in made.step(2.0, [sight(2.0)]).events if isinstance(e, ThingsSeen)]
    assert first.whole
    assert [one.thing_id for one in first.things] == ["t1", "t2"]
    assert made.step(3.0, [sight(3.0)]).events == ()


def test_an_empty_wall_is_told_too() -> None:
    made, _, _ = desk()
    (first,) = made.step(1.0, [sight(1.0)]).events
    assert isinstance(first, ThingsSeen)
    assert first.whole
    assert first.things == ()


def test_many_things_go_in_several_messages_of_which_the_first_is_whole() -> None:
    made, _, _ = desk(*(thing(f"t{k}") for k in range(THINGS_PER_MESSAGE + 5)))
    told = [e for e in made.step(1.0, [sight(1.0)]).events if isinstance(e, ThingsSeen)]
    assert [one.whole for one in told] == [True, False]
    assert [len(one.things) for one in told] == [THINGS_PER_MESSAGE, 5]


def test_that_somebody_comes_and_goes_is_told() -> None:
    made, _, _ = desk()
    told = []
    for t_s, somebody in ((1.0, False), (2.0, False), (3.0, True), (4.0, False), (5.0, False)):
        events = made.step(t_s, [sight(t_s, somebody=somebody)]).events
        told += [one for one in events if isinstance(one, WallAttended)]
    assert [(one.t_s, one.somebody) for one in told] == [(2.0, False), (3.0, True), (4.0, False)]
    assert {one.wall_id for one in told} == {"wall-1"}


def test_scans_of_the_walls_scanners_are_told_in_their_order() -> None:
    made, _, _ = desk()
    scans = [GateScan("kiosk-1", 2.0, "b"), GateScan("kiosk-1", 1.0, "a")]
    told = [e for e in made.step(2.0, [], scans).events if isinstance(e, WallScanned)]
    assert [(one.code, one.t_s) for one in told] == [("a", 1.0), ("b", 2.0)]


def test_marks_are_shown_until_the_hub_has_been_silent_too_long() -> None:
    made, beam, eye = desk(thing("t1"))
    made.hear([cues(3, "m1")], 10.0)
    news = made.step(10.0, [sight(10.0)])
    assert news.pictures["beam-1"][0, 0, 0] == 1
    assert news.lamps["strip-1"][0, 0] == 10
    assert list(eye.lit) == ["m1", "lamps"]
    (judged,) = [e for e in news.events if isinstance(e, MarksJudged)]
    assert judged.revision == 3
    assert [(one.mark_id, one.state) for one in judged.marks] == [("m1", "shown")]
    again = made.step(10.0 + CUE_LIFE_S, [])
    assert again.events == ()
    assert len(beam.marks[-1]) == 1
    dark = made.step(10.1 + CUE_LIFE_S, [])
    assert beam.marks[-1] == ()
    assert not eye.lit
    assert dark.lamps["strip-1"][0, 0] == 0


def test_late_cues_are_left_out_unless_what_shines_is_too_old() -> None:
    made, beam, _ = desk(thing("t1"))
    made.hear([cues(5, "new"), cues(4, "late")], 10.0)
    made.step(10.0, [])
    assert [one.mark_id for one in beam.marks[-1]] == ["new"]
    made.hear([cues(1, "restored")], 10.5 + CUE_LIFE_S)
    made.step(10.5 + CUE_LIFE_S, [])
    assert [one.mark_id for one in beam.marks[-1]] == ["restored"]


def test_calibration_is_asked_for_and_the_cameras_give_their_pictures() -> None:
    made, beam, eye = desk()
    made.step(0.9, [])
    made.hear([cues(1, calibrate=2)], 1.0)
    made.step(1.0, [])
    assert beam.calibrate == [0, 0], "it was asked of a boot that is over"
    made.hear([cues(2, calibrate=3)], 2.0)
    made.step(2.0, [])
    assert beam.calibrate[-1] == 1
    assert eye.captures
    made.hear([cues(1, calibrate=0)], 2.5 + CUE_LIFE_S)
    made.step(2.5 + CUE_LIFE_S, [])
    assert beam.calibrate[-1] == 0, "a hub that was put back to an older copy counts from there"


def test_an_unplugged_projector_is_told_to_its_beam() -> None:
    made, beam, _ = desk()
    made.step(1.0, [], (), frozenset({"beam-1"}))
    made.step(2.0, [])
    assert beam.plugged == [False, True]


def test_a_beam_is_told_when_its_picture_was_with_the_projector() -> None:
    made, beam, _ = desk()
    made.step(1.0, [])
    made.step(2.0, [], shown_s={"beam-1": 1.4})
    assert beam.shown_s == [None, 1.4]


def test_lamps_are_news_only_when_they_change() -> None:
    made, _, _ = desk()
    assert "strip-1" in made.step(1.0, []).lamps
    assert made.step(2.0, []).lamps == {}


def test_what_it_remembers_comes_back() -> None:
    made, _, _ = desk(thing("t1"))
    other, _, _ = desk()
    other.restore(made.snapshot())
    (told,) = other.step(1.0, [sight(1.0)]).events
    assert isinstance(told, ThingsSeen)
    assert told.things[0].thing_id == "t1"


def test_what_it_remembers_of_another_projector_is_left_aside() -> None:
    wall = Wall.model_validate(wall_document())
    made = WallDesk(
        wall, things=Map(), eyes={}, strips={},
        make_beam=lambda projector, state: Beam(projector, wall, remembered=state),
    )  # fmt: skip
    kept = made.snapshot()
    kept["beams"]["beam-1"]["model"]["size"] = [1280, 720]
    made.restore(kept)
    assert made.snapshot()["beams"]["beam-1"]["model"]["size"] == [1920, 1080]
