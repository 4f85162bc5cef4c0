"""A beam, its projector and its camera in synthetic optics, step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts.wall_messages import Mark, MarkSeen, ProjectionJudged, Thing
from tests.vision.projection.room import Room
from vision.projection import Beam, BeamOut, BeamSettings
from vision.wall import WallObservation

LATENCY_S = 0.06
STEP_S = 0.05
FRAME_S = 0.2


class Stepped(ABC):
    """A beam that goes on step by step, and what was heard of it."""

    step_s = STEP_S
    judged: list[ProjectionJudged]
    states: dict[str, MarkSeen]
    want: bool

    @abstractmethod
    def step(self) -> BeamOut:
        """One step of the node."""

    def run(self, seconds: float) -> BeamOut:
        """Goes on for so long."""
        for _ in range(round(seconds / self.step_s)):
            out = self.step()
        return out

    def until(self, state: str, seconds: float) -> ProjectionJudged:
        """Goes on until the projection is in this state."""
        for _ in range(round(seconds / self.step_s)):
            self.step()
            if self.judged and self.judged[-1].state == state:
                return self.judged[-1]
        raise AssertionError(f"not {state} within {seconds} s: {self.judged[-3:]}")

    def hear(self, out: BeamOut) -> BeamOut:
        """Takes in what a step told."""
        self.want = out.want_capture
        if out.judged is not None:
            self.judged.append(out.judged)
        self.states = {one.mark_id: one for one in out.shown}
        return out


@dataclass
class Loop(Stepped):
    """`marks` shall shine; `things` are those of the room's boxes unless given. Pictures reach the
    projector `late_s` after the step that gave them; cameras go on meanwhile."""

    room: Room
    beam: Beam
    now_s: float = 100.0
    marks: list[Mark] = field(default_factory=list)
    things: list[Thing] | None = None
    plugged: bool = True
    calibrate: int = 0
    active: bool = False
    blind: str | None = None
    judged: list[ProjectionJudged] = field(default_factory=list)
    states: dict[str, MarkSeen] = field(default_factory=dict)
    last: BeamOut | None = None
    _coming: list[tuple[float, NDArray[np.uint8]]] = field(default_factory=list)
    _frame_s: float = 0.0
    want: bool = False
    late_s: float = 0.0
    _meanwhile: list[WallObservation] = field(default_factory=list)
    _shown_s: float | None = None

    @staticmethod
    def of(room: Room, **settings: float) -> Loop:
        """With the wall's one projector."""
        made = BeamSettings.model_validate(settings)
        return Loop(room, Beam(room.wall.projectors[0], room.wall, made))

    def seen_things(self) -> list[Thing]:
        """What the node says stands there."""
        if self.things is not None:
            return self.things
        return [box.thing(self.now_s) for box in self.room.boxes]

    def step(self) -> BeamOut:
        """One step of the node; a camera's picture comes every FRAME_S."""
        self.now_s = round(self.now_s + STEP_S, 6)
        while self._coming and self._coming[0][0] <= self.now_s:
            self.room.lit = self._coming.pop(0)[1]
        seen, self._meanwhile = self._meanwhile, []
        if self.now_s - self._frame_s >= FRAME_S - 1e-9:
            seen.append(self._look(self.now_s))
        out = self.beam.step(
            self.now_s, self.seen_things(), self.marks, seen,
            calibrate=self.calibrate, plugged=self.plugged, shown_s=self._shown_s,
        )  # fmt: skip
        if out.picture is not None:
            while self.late_s and self._frame_s + FRAME_S < self.now_s + self.late_s:
                self._meanwhile.append(self._look(self._frame_s + FRAME_S))
            self.now_s += self.late_s
            self._shown_s = self.now_s if self.late_s else None
            self._coming.append((self.now_s + LATENCY_S, out.picture))
        if not self.plugged:
            self._coming, self.room.lit = [], None
        self.last = self.hear(out)
        return out

    def _look(self, t_s: float) -> WallObservation:
        self._frame_s = t_s
        return WallObservation(
            "cam-1", self.room.wall.wall_id, t_s, self.active, self.blind,
            capture=self.room.grey() if self.want else None,
        )  # fmt: skip


def take(box_id: str, label: str, look: str = "take_a", mark_id: str | None = None) -> Mark:
    """A mark on a box."""
    return Mark.model_validate(
        {
            "mark_id": mark_id or f"m-{box_id}", "look": look, "thing_id": box_id,
            "label_text": label,
        }
    )  # fmt: skip
