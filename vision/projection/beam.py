"""One projector of a wall: what it throws, whether it hits, and what must not shine.

`Beam.step` is pure: things, marks and camera observations go in, a picture and news come out. Marks
shine only while the projection is `true`, which is measured: by dots on the markers at the start,
every so often, and closely while somebody is served. A projector that was bumped goes dark at once
and is calibrated anew by itself when nobody is in front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from contracts.wall import Projector, Wall
from contracts.wall_messages import INVITING, Mark, MarkSeen, ProjectionJudged, Thing
from vision.errors import CalibrationError
from vision.projection.aim import Aim
from vision.projection.calibrate import Calibration
from vision.projection.calibrating import CalibrationRun
from vision.projection.dots import DotCheck, DotVerdict
from vision.projection.draw import Raster, add_light
from vision.projection.late import Lateness
from vision.projection.marking import Marking
from vision.projection.model import Optics
from vision.projection.records import BeamOut, MarkState, marks_seen
from vision.projection.rules import why_withheld
from vision.projection.settings import BeamSettings
from vision.projection.shapes import COLOURS
from vision.wall.records import LitRegion, WallObservation

__all__ = ["Beam"]

State = Literal["true", "off", "calibrating", "unplugged"]
CAPTURE_S = 5.0
"""Captures are wanted for so long after something moved."""
STARTING_S = 10.0
"""Cameras and projectors of a node that begins may come so late before it is said of them."""
DOTS_MIN = 3
SOUND_MIN = 2
NEWS_MM = 1.0


class Beam:
    """`remembered`: what `snapshot` gave before a restart; without it the wall's file says where to
    begin. Either way dots must be seen where they should be before anything shines."""

    def __init__(
        self,
        projector: Projector,
        wall: Wall,
        settings: BeamSettings | None = None,
        *,
        remembered: Mapping[str, Any] | None = None,
    ) -> None:
        self._projector, self._wall = projector, wall
        self._settings = settings or BeamSettings()
        self._nominal = Optics.of(wall, projector.intrinsics, projector.pose)
        self._file_cameras = {
            one.camera_id: Optics.of(wall, one.intrinsics, one.pose) for one in wall.cameras
        }
        self._cameras = dict(self._file_cameras)
        self._whole = {name: _whole(one) for name, one in self._file_cameras.items()}
        self._model = self._nominal
        if remembered is not None:
            self._restore(remembered)
        self._state: State = "calibrating"
        self._reason = "the aim is checked"
        self._residual_mm: float | None = None
        self._points = 0
        self._run: CalibrationRun | None = None
        self._dots = DotCheck(wall, self._model, self._cameras, self._settings)
        self._dots_due_s = 0.0
        self._dots_dark_s = 0.0
        self._doubt = False
        self._verified = False
        self._suspect = False
        """It was called off by dots alone; `_sound`: so many checks since then were good."""
        self._sound = 0
        self._calibrate_seen: int | None = None
        self._retry_s = 0.0
        self._restless_s = 0.0
        self._late = Lateness()
        self._seen_s: dict[str, float] = {}
        self._start_s: float | None = None
        self._was_plugged = False
        self._marks = Marking(self._file_cameras, self._settings)
        self._shown: dict[str, MarkSeen] = {}
        self._lit_s: dict[str, float] = {}
        self._drawn: object = None
        self._said: tuple[State, str, float | None] | None = None

    def snapshot(self) -> dict[str, Any]:
        """Where the projector hangs as far as is known, in plain values."""
        return {
            "model": self._model.as_json(),
            "cameras": {name: one.as_json() for name, one in self._cameras.items()},
        }

    def step(
        self,
        now_s: float,
        things: Sequence[Thing],
        marks: Sequence[Mark],
        observations: Sequence[WallObservation],
        *,
        calibrate: int = 0,
        plugged: bool = True,
        shown_s: float | None = None,
    ) -> BeamOut:
        """`things` are all there are at the wall, `marks` all that shall shine, `observations`
        those since the last step; `calibrate` as in WallCues. `shown_s`: when the last picture
        given back was with the projector; without it that is taken to have been at once."""
        if self._start_s is None:
            self._start_s = now_s
        self._late.shown(shown_s)
        fresh = self._take_in(now_s, things, observations)
        self._plug(now_s, plugged)
        self._wishes(now_s, calibrate, waited_for=bool(marks))
        judged = self._state in ("true", "calibrating") or self._suspect
        if judged and self._run is None and self._ready(now_s):
            self._check(now_s, marks, fresh)
        if self._run is not None:
            self._calibrate(now_s, fresh)
        by_id = {one.thing_id: one for one in things}
        captures = {
            one.camera_id: (one.t_s, one.capture)
            for one in fresh
            if one.capture is not None and not one.blind
        }
        if self._run is None:
            found = self._marks.look(now_s, captures)
            if found.astray or found.jumped:
                self._dots_due_s = min(self._dots_due_s, now_s)
            # What stood where it should and now does not was moved, or the projector was.
            self._doubt |= found.jumped
            if not self._dots.showing:
                self._marks.keep(captures, self._late.given_s)
        states = self._marks.follow(
            now_s, by_id, marks, self._model, lambda mark: self._why_dark(mark, by_id, now_s)
        )
        picture = self._picture(now_s)
        if picture is not None:
            self._late.given(now_s)
        changed = self._mark_states(now_s, states)
        return BeamOut(
            picture,
            tuple(self._shown.values()),
            changed,
            judged=self._judged(now_s),
            want_capture=self._wants_capture(now_s, marks),
            lit=self._regions(),
        )

    # What comes in.

    def _take_in(
        self, now_s: float, things: Sequence[Thing], observations: Sequence[WallObservation]
    ) -> list[WallObservation]:
        """Observations not seen before; notes who gives pictures and whether anything moves."""
        fresh = []
        for one in observations:
            if one.camera_id not in self._cameras:
                continue
            if one.t_s <= self._seen_s.get(one.camera_id, -math.inf):
                continue
            fresh.append(self._late.timed(one))
            if not one.blind:
                self._seen_s[one.camera_id] = one.t_s
            if one.active and self._run is None:
                self._restless_s = now_s
        if any(one.state == "moves" for one in things):
            self._restless_s = now_s
        return fresh

    def _plug(self, now_s: float, plugged: bool) -> None:
        if plugged and (self._state == "unplugged" or not self._was_plugged):
            # Whoever put the cable back may have moved it.
            self._was_plugged = True
            self._verify(now_s)
            self._drawn = None
        elif not plugged and not self._was_plugged and self._starting(now_s):
            self._set("calibrating", "the projector is not open yet")
        elif not plugged:
            self._run, self._suspect = None, False
            self._set("unplugged", "the projector is unplugged or off")

    def _starting(self, now_s: float) -> bool:
        return self._start_s is not None and now_s - self._start_s < STARTING_S

    def _ready(self, now_s: float) -> bool:
        """Whether its light can be looked at, or should be by now."""
        return self._was_plugged and (bool(self._seen_s) or not self._starting(now_s))

    def _wishes(self, now_s: float, calibrate: int, *, waited_for: bool) -> None:
        asked = self._calibrate_seen is not None and calibrate > self._calibrate_seen
        self._calibrate_seen = calibrate
        if self._state == "unplugged" or self._run is not None or not self._ready(now_s):
            return
        # Stripes want a free view, and dazzle. Who waits in front for a light that is off will not
        # give one: they are thrown at their back in the end.
        quiet = now_s - self._restless_s >= self._settings.quiet_s
        quiet |= waited_for and now_s - self._retry_s >= self._settings.impatient_s
        if asked or (self._state == "off" and quiet and now_s >= self._retry_s):
            self._begin(now_s)

    # Is it true?

    def _set(self, state: State, reason: str = "") -> None:
        self._state, self._reason = state, reason

    def _verify(self, now_s: float) -> None:
        """Dots first: a projector that hangs where it hung needs no calibration."""
        self._set("calibrating", "the aim is checked")
        self._verified, self._doubt, self._suspect = False, False, False
        self._dots = DotCheck(self._wall, self._model, self._cameras, self._settings)
        self._dots_due_s = now_s
        self._dots_dark_s = now_s

    def _begin(self, now_s: float) -> None:
        self._set("calibrating", "stripes are thrown and looked at")
        self._marks.clear()
        self._marks.forget()
        self._verified, self._suspect = False, False
        self._run = CalibrationRun(
            self._wall, self._nominal, self._file_cameras, self._settings, now_s=now_s
        )

    def _calibrate(self, now_s: float, fresh: Sequence[WallObservation]) -> None:
        run = self._run
        assert run is not None
        try:
            run.step(now_s, fresh)
        except CalibrationError as error:
            self._refuse(now_s, str(error))
            return
        if run.result is not None:
            self._accept(now_s, run, run.result)

    def _accept(self, now_s: float, run: CalibrationRun, found: Calibration) -> None:
        bound = self._settings.residual_mm_max
        self._residual_mm, self._points = found.residual_mm, found.points
        if found.residual_mm > bound:
            self._refuse(
                now_s,
                f"expected light within {bound:.0f} mm (p95) of where it is meant, got "
                f"{found.residual_mm:.1f} mm",
            )
            return
        self._run = None
        self._model = found.model
        self._cameras.update(run.cameras)
        self._marks.keep(run.dark, -math.inf)
        self._verify(now_s)
        self._verified = True
        self._set("true")

    def _refuse(self, now_s: float, why: str) -> None:
        self._run = None
        self._retry_s = now_s + self._settings.retry_s
        self._set("off", why[:200])

    def _check(self, now_s: float, marks: Sequence[Mark], fresh: Sequence[WallObservation]) -> None:
        """Dots, when they are due; the verdict of those that were shown."""
        if marks and not self._suspect:
            served_s = self._dots_dark_s + self._settings.served_check_s
            self._dots_due_s = min(self._dots_due_s, max(served_s, now_s))
        if now_s >= self._dots_due_s and not self._dots.busy:
            self._dots.start(now_s, dark_since_s=self._dots_dark_s)
        lit = self._dots.showing
        verdict = self._dots.step(now_s, fresh)
        if lit and not self._dots.showing:
            self._dots_dark_s = now_s
        if verdict is None:
            return
        self._dots_due_s = now_s + self._settings.idle_check_s
        if self._suspect:
            self._judge_again(now_s, verdict)
        elif self._verified:
            self._judge_bump(now_s, verdict)
        else:
            self._judge_first(now_s, verdict)

    def _judge_first(self, now_s: float, verdict: DotVerdict) -> None:
        residual = verdict.residual_mm
        enough = len(verdict.off_mm) >= DOTS_MIN and residual is not None
        if not enough or residual is None or residual > self._settings.residual_mm_max:
            self._begin(now_s)
            return
        self._residual_mm, self._points = residual, len(verdict.off_mm)
        self._verified = True
        self._set("true")

    def _judge_bump(self, now_s: float, verdict: DotVerdict) -> None:
        """One bad look makes everything dark, a second one calls it off."""
        residual = verdict.residual_mm
        if not verdict.bumped(self._settings.bumped_mm):
            self._doubt = False
            if residual is not None and len(verdict.off_mm) >= DOTS_MIN:
                self._residual_mm, self._points = residual, len(verdict.off_mm)
            return
        self._dots_due_s = now_s
        if not self._doubt:
            self._doubt = True
            return
        self._doubt = False
        self._verified = False
        self._suspect, self._sound = True, 0
        self._residual_mm, self._points = residual, len(verdict.off_mm)
        self._retry_s = now_s
        self._restless_s = max(self._restless_s, now_s - self._settings.quiet_s / 2)
        self._set("off", "the projector was moved: its light is not where it should be")

    def _judge_again(self, now_s: float, verdict: DotVerdict) -> None:
        """It was called off. While somebody stands in front and it cannot be calibrated anew, dots
        that are all where they should be, twice, say that it was somebody passing by."""
        residual = verdict.residual_mm
        sound = residual is not None and residual <= self._settings.residual_mm_max
        if not sound or len(verdict.off_mm) < DOTS_MIN or verdict.lost:
            self._sound = 0
            self._dots_due_s = now_s + self._settings.suspect_check_s
            return
        self._sound += 1
        self._dots_due_s = now_s
        if self._sound >= SOUND_MIN:
            self._suspect, self._verified = False, True
            self._residual_mm, self._points = residual, len(verdict.off_mm)
            self._set("true")

    # Marks.

    def _why_dark(self, mark: Mark, things: Mapping[str, Thing], now_s: float) -> str | None:
        if self._state != "true":
            return f"projection {self._state}: {self._reason}"
        if self._doubt and mark.look in INVITING:
            return "the projector's aim is checked again"
        newest = max(self._seen_s.values(), default=-math.inf)
        if mark.look in INVITING and now_s - newest > self._settings.camera_quiet_s_max:
            return "no camera of the wall gives pictures"
        lit_s = self._lit_s.get(mark.mark_id, math.inf)
        return why_withheld(mark, things, now_s=now_s, settings=self._settings, lit_s=lit_s)

    def _mark_states(self, now_s: float, states: Mapping[str, MarkState]) -> tuple[MarkSeen, ...]:
        """Notes how marks stand; those that stand otherwise than before."""
        before, self._shown = self._shown, marks_seen(self._shown, states, now_s)
        self._lit_s = {
            name: self._lit_s.get(name, now_s)
            for name, (state, _) in states.items()
            if state != "withheld" or name in self._lit_s
        }
        return tuple(one for name, one in self._shown.items() if one is not before.get(name))

    # What goes out.

    def _picture(self, now_s: float) -> NDArray[np.uint8] | None:
        """The picture to throw; None if it is the one that is thrown."""
        width, height = self._model.size
        if self._state == "unplugged":
            self._drawn = None
            return None
        if self._run is not None:
            key: object = ("stripes", id(self._run), self._run.number)
            if key == self._drawn:
                return None
            self._drawn = key
            stripes = self._run.picture
            return np.zeros((height, width, 3), np.uint8) if stripes is None else stripes
        lit = self._marks.lit(now_s, self._model)
        dots = self._dots.light() if self._dots.showing else ()
        key = (self._marks.key(now_s), _digest(lit), self._dots.showing, id(self._dots))
        if key == self._drawn:
            return None
        self._drawn = key
        picture = np.zeros((height, width, 3), np.uint8)
        for aim, form in lit:
            add_light(picture, form, _dimmed(COLOURS[aim.mark.look], self._settings.brightness))
        for dot in dots:
            add_light(picture, dot, _dimmed((255, 255, 255), self._settings.dot_brightness))
        return picture

    def _wants_capture(self, now_s: float, marks: Sequence[Mark]) -> bool:
        """Captures cost little, but nothing would look at them at a wall that nobody is at."""
        if self._state in ("unplugged", "off") and not self._suspect:
            return False
        recently = now_s - self._restless_s < CAPTURE_S
        due = self._dots.busy or now_s >= self._dots_due_s
        return bool(marks) or recently or due or self._run is not None

    def _regions(self) -> dict[str, tuple[LitRegion, ...]]:
        found: dict[str, tuple[LitRegion, ...]] = {}
        for name in self._file_cameras:
            if self._run is not None:
                found[name] = (self._whole[name],)
                continue
            regions = self._marks.regions(name)
            if self._dots.showing:
                regions += self._dots.regions(name)
            found[name] = tuple(regions)
        return found

    def _judged(self, now_s: float) -> ProjectionJudged | None:
        """News if state or reason changed, or the residual by more than NEWS_MM."""
        before = self._said
        now = (self._state, self._reason, self._residual_mm)
        if before is not None and before[:2] == now[:2]:
            was, is_now = before[2], now[2]
            if was is is_now or (
                was is not None and is_now is not None and abs(was - is_now) <= NEWS_MM
            ):
                return None
        self._said = now
        return ProjectionJudged(
            wall_id=self._wall.wall_id,
            projector_id=self._projector.projector_id,
            t_s=now_s,
            state=self._state,
            residual_mm=self._residual_mm,
            points=self._points,
            reason=self._reason[:200],
        )

    def _restore(self, remembered: Mapping[str, Any]) -> None:
        """CalibrationError if it is not what `snapshot` gave for a projector of this size."""
        try:
            model = Optics.from_json(remembered["model"])
            cameras = {k: Optics.from_json(v) for k, v in remembered["cameras"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise CalibrationError(
                f"expected what Beam.snapshot gives, got {str(remembered)[:120]}; calibrate anew"
            ) from error
        if model.size != self._nominal.size:
            raise CalibrationError(
                f"expected a projector of {self._nominal.size} px, got one of {model.size}; "
                "calibrate anew"
            )
        self._model = model
        self._cameras.update({k: v for k, v in cameras.items() if k in self._cameras})


def _whole(camera: Optics) -> LitRegion:
    """All of a camera's picture."""
    width, height = camera.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return LitRegion(corners, "look")


def _dimmed(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(share * one) for one in colour)
    return red, green, blue


def _digest(lit: Sequence[tuple[Aim, Raster]]) -> tuple[tuple[int, int, float], ...]:
    """Tells pictures apart in which other things came into the light's way."""
    return tuple((form.x, form.y, form.share) for _, form in lit)
