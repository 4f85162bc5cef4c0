"""All that belongs to one pick-up wall in a node's core: its things, its marks, its projectors.

The desk takes what the wall's cameras saw and what the hub wants marked, says what became of the
things and of the marks, and gives the pictures and lamps that show them. It knows no order and no
customer. Without word from the hub for CUE_LIFE_S everything goes dark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.messages import (
    MarksJudged,
    Message,
    ProjectionJudged,
    ThingsSeen,
    WallAttended,
    WallScanned,
)
from contracts.wall import Projector, Wall
from contracts.wall_messages import CUE_LIFE_S, Mark, MarkSeen, Thing, WallCues
from edge.attended import Attended
from hardware.ports import Frame, GateScan
from vision.errors import VisionError
from vision.wall import WallObservation

__all__ = [
    "Beam",
    "BeamOut",
    "LampStrip",
    "ThingMap",
    "WallDesk",
    "WallEye",
    "WallNews",
]

THINGS_PER_MESSAGE = 64
MARKS_PER_MESSAGE = 128

Picture = NDArray[np.uint8]


class WallEye(Protocol):
    """A wall camera's pipeline: vision.wall.WallCamera."""

    def perceive(self, frame: Frame, /) -> WallObservation:
        """What is seen in the frame; a frame that cannot be judged is blind."""
        ...

    def shine(self, regions: Sequence[Any], /) -> None:
        """Where light of our own falls in this camera's picture from now on."""
        ...

    def capture(self, on: bool, /) -> None:
        """Whether observations carry their picture, as calibration needs."""
        ...


class ThingMap(Protocol):
    """Follows the things of a wall over all its cameras: vision.wall.WallMap."""

    def step(self, now_s: float, observations: Sequence[Any], /) -> tuple[Thing, ...]:
        """What changed."""
        ...

    def things(self) -> tuple[Thing, ...]:
        """All things there are, gone ones left out."""
        ...

    def snapshot(self) -> Any:
        """Plain values that JSON can hold."""
        ...

    def restore(self, state: Any, *, now_s: float) -> None:
        """Takes up what `snapshot` gave."""
        ...


class BeamOut(Protocol):
    """What a projector's step gives. `picture` is None where it stays as it was."""

    @property
    def picture(self) -> Picture | None: ...
    @property
    def shown(self) -> tuple[MarkSeen, ...]: ...
    @property
    def judged(self) -> ProjectionJudged | None: ...
    @property
    def want_capture(self) -> bool: ...
    @property
    def lit(self) -> Mapping[str, Sequence[Any]]: ...


class Beam(Protocol):
    """Calibrates, checks and draws one projector: vision.projection.Beam."""

    def snapshot(self) -> dict[str, Any]:
        """Where the projector hangs, in plain values that JSON can hold."""
        ...

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
    ) -> BeamOut:
        """The next picture, and what became of the marks."""
        ...


class LampStrip(Protocol):
    """Marks as colours of one strip's lamps: vision.projection.Lamps. `lit` as BeamOut has it."""

    @property
    def lit(self) -> Mapping[str, Sequence[Any]]: ...

    def step(
        self, now_s: float, things: Sequence[Thing], marks: Sequence[Mark]
    ) -> tuple[Picture, tuple[MarkSeen, ...]]:
        """Colours, (N, 3) uint8 RGB, one row a lamp, and how the marks of its board stand."""
        ...


@dataclass(frozen=True, slots=True)
class WallNews:
    """What one step of a wall gives: events to number, pictures by projector, lamps by strip."""

    events: tuple[Message, ...] = ()
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    lamps: Mapping[str, Picture] = field(default_factory=dict)


class WallDesk:
    """One boot of one wall.

    `eyes` and `strips` are by camera and light id; `make_beam(projector, remembered)` makes what
    drives a projector, with what an earlier one's snapshot held or None. Thing ids are the map's.
    """

    def __init__(
        self,
        wall: Wall,
        *,
        things: ThingMap,
        eyes: Mapping[str, WallEye],
        make_beam: Callable[[Projector, Mapping[str, Any] | None], Beam],
        strips: Mapping[str, LampStrip],
    ) -> None:
        self.wall = wall
        self._map = things
        self._eyes = dict(eyes)
        self._make_beam = make_beam
        self._beams = {one.projector_id: make_beam(one, None) for one in wall.projectors}
        self._strips = dict(strips)
        self._cues: WallCues | None = None
        self._cues_s = -np.inf
        self._calibrated = 0
        self._told = False
        self._attended = Attended()
        self._remembered: Any = None
        self._marks_told: dict[str, tuple[str, str]] = {}
        self._lamps: dict[str, Picture] = {}

    @property
    def camera_ids(self) -> frozenset[str]:
        """The wall's cameras."""
        return frozenset(camera.camera_id for camera in self.wall.cameras)

    def snapshot(self) -> Any:
        """What must outlive a kill: which thing is which, and where projectors hang."""
        beams = {name: beam.snapshot() for name, beam in self._beams.items()}
        return {"things": self._map.snapshot(), "beams": beams}

    def restore(self, state: Any) -> None:
        """Takes up what `snapshot` gave, with the next step."""
        self._remembered = state["things"]
        self._beams = {
            one.projector_id: self._beam_of(one, state["beams"].get(one.projector_id))
            for one in self.wall.projectors
        }

    def _beam_of(self, projector: Projector, remembered: Mapping[str, Any] | None) -> Beam:
        """A projector that another one stands in place of now is calibrated anew."""
        try:
            return self._make_beam(projector, remembered)
        except VisionError:
            return self._make_beam(projector, None)

    def hear(self, cues: Sequence[WallCues], now_s: float) -> None:
        """Takes the hub's word, unless a later one is already here and not too old."""
        for one in cues:
            stale = now_s - self._cues_s > CUE_LIFE_S
            if self._cues is not None and not stale and one.revision < self._cues.revision:
                continue
            if self._cues is None or one.calibrate < self._calibrated:
                # What was asked of an earlier boot is done: it began by looking where its light is.
                self._calibrated = one.calibrate
            self._cues, self._cues_s = one, now_s

    def step(
        self,
        now_s: float,
        sights: Sequence[WallObservation],
        scans: Sequence[GateScan] = (),
        unplugged: frozenset[str] = frozenset(),
        shown_s: Mapping[str, float] = MappingProxyType({}),
    ) -> WallNews:
        """What follows from the pictures, the scans, and the hub's last word. `unplugged`:
        projectors that show nothing; `shown_s`: when the last picture of each was with it."""
        if self._remembered is not None:
            # Without its memory a wall is read afresh: things get new names, and nothing else.
            with suppress(VisionError):
                self._map.restore(self._remembered, now_s=now_s)
            self._remembered = None
        news = self._map.step(now_s, sights)
        things = self._map.things()
        events: list[Message] = [
            WallScanned(
                wall_id=self.wall.wall_id,
                scanner_id=scan.gate_id,
                code=scan.code[:512],
                t_s=max(scan.t_s, 0.0),
            )
            for scan in sorted(scans, key=lambda one: one.t_s)
            if scan.code
        ]
        events += self._things_seen(news, things, bool(sights), now_s)
        events += self._who_is_there(sights, now_s)
        fresh = now_s - self._cues_s <= CUE_LIFE_S
        cues = self._cues if fresh else None
        marks = () if cues is None else cues.marks
        calibrate = 0 if self._cues is None else self._cues.calibrate - self._calibrated
        pictures: dict[str, Picture] = {}
        shown: list[MarkSeen] = []
        lit: dict[str, list[Any]] = {name: [] for name in self._eyes}
        want_capture = False
        for name, beam in self._beams.items():
            out = beam.step(
                now_s,
                things,
                marks,
                sights,
                calibrate=calibrate,
                plugged=name not in unplugged,
                shown_s=shown_s.get(name),
            )
            if out.picture is not None:
                pictures[name] = out.picture
            if out.judged is not None:
                events.append(out.judged)
            shown += out.shown
            want_capture = want_capture or out.want_capture
            for camera_id, regions in out.lit.items():
                lit.setdefault(camera_id, []).extend(regions)
        lamps: dict[str, Picture] = {}
        for name, strip in self._strips.items():
            colours, states = strip.step(now_s, things, marks)
            shown += states
            for camera_id, regions in strip.lit.items():
                lit.setdefault(camera_id, []).extend(regions)
            if name not in self._lamps or not np.array_equal(colours, self._lamps[name]):
                self._lamps[name] = lamps[name] = colours
        for camera_id, eye in self._eyes.items():
            eye.capture(want_capture)
            eye.shine(tuple(lit[camera_id]))
        events += self._marks_judged(shown, now_s)
        return WallNews(tuple(events), pictures, lamps)

    def _things_seen(
        self, news: Sequence[Thing], things: Sequence[Thing], looked: bool, now_s: float
    ) -> list[Message]:
        """News; the first time all there is, in as many messages as it takes."""
        whole = not self._told and looked
        rows = tuple(things) if whole else tuple(news)
        if whole:
            self._told = True
        elif not rows:
            return []
        size = THINGS_PER_MESSAGE
        return [
            ThingsSeen(
                wall_id=self.wall.wall_id,
                t_s=max(now_s, 0.0),
                whole=whole and start == 0,
                things=rows[start : start + size],
            )
            for start in range(0, max(len(rows), 1), size)
        ]

    def _who_is_there(self, sights: Sequence[WallObservation], now_s: float) -> list[Message]:
        """That somebody is there, or nobody any more."""
        somebody = self._attended.step(now_s, sights)
        if somebody is None:
            return []
        wall_id = self.wall.wall_id
        return [WallAttended(wall_id=wall_id, t_s=max(now_s, 0.0), somebody=somebody)]

    def _marks_judged(self, shown: Sequence[MarkSeen], now_s: float) -> list[Message]:
        """What is new about the marks. Of several projectors and strips the best word counts: a
        mark that one of them shows is shown."""
        rank = {"withheld": 0, "shown": 1, "seen": 2}
        best: dict[str, MarkSeen] = {}
        for one in shown:
            known = best.get(one.mark_id)
            if known is None or rank[one.state] > rank[known.state]:
                best[one.mark_id] = one
        new = [
            one
            for name, one in best.items()
            if self._marks_told.get(name) != (one.state, one.reason)
        ]
        self._marks_told = {name: (one.state, one.reason) for name, one in best.items()}
        if not new or self._cues is None:
            return []
        return [
            MarksJudged(
                wall_id=self.wall.wall_id,
                t_s=max(now_s, 0.0),
                revision=self._cues.revision,
                marks=tuple(new[start : start + MARKS_PER_MESSAGE]),
            )
            for start in range(0, len(new), MARKS_PER_MESSAGE)
        ]
