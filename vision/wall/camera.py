"""A wall's camera: frames in, what stands at the wall out.

    eye = WallCamera(camera, wall)
    seen = eye.perceive(frame)            # frame: hardware.ports.Frame

While nothing changes only a small copy of each frame is looked at, and one label or marker now and
then. Codes are read where something changed, where none is known yet, and in turn for confirmation,
within a budget a frame. What cannot be judged (dark, covered, frozen, moved) is `blind`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera
from contracts.wall import Wall
from vision.errors import CalibrationError, FrameError
from vision.labels import Code, CodeReader, CodeReaderSettings
from vision.shelf_gate import ShelfGate
from vision.wall.follow import Follower
from vision.wall.geometry import MarkerFit, WallLens, find_markers
from vision.wall.lights import light_spots
from vision.wall.naming import Naming
from vision.wall.records import LightSpot, LitRegion, Reader, WallObservation
from vision.wall.scene import LIT_CHANNEL, Scene, Seen
from vision.wall.settings import WallSettings

__all__ = ["WallCamera"]

Rgb = NDArray[np.uint8]
Gray = NDArray[np.uint8]

FULL_HD_PX = 1920
START_FRAMES = 3
"""The whole picture is read in so many frames at the start."""
ALL_LIT_SHARE = 0.9
"""Light of ours that may fall on so much of the picture may fall anywhere."""
CHECK_S_MIN = 0.5
UNTOLD_S = 3.0
"""A label read once and never again was none."""
MISSED_MAX = 3
"""So many markers in turn not seen where they should be: the whole picture is searched."""


class Picture(Protocol):
    """What a frame must have: hardware.ports.Frame does."""

    @property
    def t_s(self) -> float: ...
    @property
    def rgb(self) -> Rgb: ...


class WallCamera:
    """One camera of a wall. `reader` reads codes, vision.labels.CodeReader if none is given.
    CalibrationError if the camera does not see the wall."""

    def __init__(
        self,
        camera: Camera,
        wall: Wall,
        settings: WallSettings | None = None,
        *,
        reader: Reader | None = None,
    ) -> None:
        self.settings = settings or WallSettings()
        self.camera_id, self.wall_id = camera.camera_id, wall.wall_id
        self._wall = wall
        self._lens = WallLens(camera, wall)
        middle = (wall.width_m / 2, 0.0, wall.height_m / 2)
        if self._lens.px_per_m(middle) <= 0:
            raise CalibrationError(
                f"expected camera {camera.camera_id} to look at wall {wall.wall_id}, got a pose "
                "that has it behind the camera; check position_m and look_at_m"
            )
        kinds = tuple(sorted({one.symbology for one in wall.labels}))
        self._reader: Reader = reader or CodeReader(CodeReaderSettings(formats=kinds))
        self._gate = ShelfGate(self.settings.gate)
        self._scene = Scene(self._lens.width, self._lens.height, self.settings.scene)
        self._follow = Follower(wall, self._lens, self._scene, self.settings.follow)
        self._naming = Naming(wall, self._lens, self._scene, self._follow, self.settings)
        self._captures = False
        self._capture: Gray | None = None
        self._plain: Gray | None = None
        self._read_in: Gray | None = None
        self._flooded = False
        self._started = 0
        self._checked_s = -math.inf
        self._next_marker = 0
        self._missed = 0
        self._residual_px: float | None = None
        self._moved: str | None = None
        self._lit: tuple[LitRegion, ...] = ()
        self._shone: tuple[LitRegion, ...] = ()

    def shine(self, regions: Sequence[LitRegion]) -> None:
        """Where our own light falls in this camera's picture from the next frame on. Light all
        over it is a calibration's: nothing is judged meanwhile. Saying the same again is free."""
        told = tuple(regions)
        if told == self._shone:
            return
        self._shone = told
        self._flooded = any(self._all_of_it(one.polygon_px) for one in told)
        if self._flooded:
            return
        self._lit = told
        self._scene.shine(self._lit)

    def _all_of_it(self, polygon_px: NDArray[np.float32]) -> bool:
        return cv2.contourArea(polygon_px) >= ALL_LIT_SHARE * self._lens.width * self._lens.height

    def capture(self, on: bool) -> None:
        """Whether observations carry the picture, for calibration and for checks of marks."""
        self._captures = on

    def lights(self) -> tuple[LightSpot, ...]:
        """Spots of projected light in the last frame that was looked at. Nothing in a store needs
        them in every frame, so they are looked for when they are asked for."""
        if self._scene.small is None or self._scene.image is None:
            return ()
        return light_spots(self._scene.small, self._scene.image, self._scene.scale)

    def perceive(self, frame: Picture) -> WallObservation:
        """What is seen in the frame; FrameError if it is not the camera's size."""
        size = (self._lens.height, self._lens.width, 3)
        if frame.rgb.shape != size or frame.rgb.dtype != np.uint8:
            raise FrameError(
                f"expected a frame {size} uint8 of camera {self.camera_id}, got "
                f"{frame.rgb.shape} {frame.rgb.dtype}; check its resolution"
            )
        self._plain = self._read_in = None
        self._capture = self._plain_gray(frame.rgb) if self._captures else None
        if self._flooded:
            return self._told(frame.t_s, active=True)
        self._gate.step(frame.t_s, frame.rgb)
        if self._gate.blind is not None:
            return self._told(frame.t_s, active=False, blind=self._gate.blind)
        if self._gate.dull:
            return self._told(frame.t_s, active=True)
        seen = self._scene.step(frame.t_s, frame.rgb)
        flooded = seen is not None and seen.flooded
        self._check_pose(frame.t_s, frame.rgb, at_once=flooded)
        if self._moved is not None:
            return self._told(frame.t_s, active=False, blind=self._moved)
        if flooded:
            return self._told(frame.t_s, active=True)
        self._step(frame.t_s, frame.rgb, seen)
        return self._told(frame.t_s, active=seen is not None)

    def _step(self, t_s: float, rgb: Rgb, seen: Seen | None) -> None:
        if seen is None:
            self._follow.rest(t_s)
        else:
            gray = self._gray(rgb)
            self._follow.step(t_s, gray, seen)
            for face in self._follow.arrivals(t_s, rgb, seen):
                self._naming.arrived(face, t_s, gray, seen)
            self._scene_wakes(t_s)
        codes: Sequence[Code] = ()
        if self._started < START_FRAMES:
            self._started += 1
            self._follow.start(t_s)
            gray = self._gray(rgb)
            self._naming.take(self._reader.read(gray), t_s, rgb, gray, None)
        elif rois := self._naming.requests(t_s, seen):
            gray = self._gray(rgb)
            codes = self._reader.read(gray, rois)
            self._naming.take(codes, t_s, rgb, gray, seen)
        if seen is not None:
            self._follow.carry_off(codes, t_s, seen)
        if self._naming.faceless():
            self._naming.faces(t_s, rgb, self._gray(rgb), seen)
        self._tell_nameless(t_s)

    def _scene_wakes(self, t_s: float) -> None:
        """Who stands there, or waits for something, keeps the camera awake."""
        waits = any(one.state == "moves" or one.gone_votes for one in self._follow.tracks)
        if waits or self._follow.somebody:
            self._scene.wake(t_s)

    def _tell_nameless(self, t_s: float) -> None:
        """A thing that came and has no label is told after a while; a label that was read once
        and never again was none."""
        for track in list(self._follow.tracks):
            if track.told:
                continue
            if track.quad_px is None and track.votes.leader is None:
                track.told = t_s - track.t0_s >= self.settings.follow.nameless_s
            elif (
                track.votes.label is None
                and t_s - track.t0_s > UNTOLD_S
                and track.state != "stands"
            ):
                self._follow.tracks.remove(track)

    def _plain_gray(self, rgb: Rgb) -> Gray:
        """The frame in grey as it is, made once."""
        if self._plain is None:
            self._plain = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        return self._plain

    def _gray(self, rgb: Rgb) -> Gray:
        """The frame in grey, made once; where our own light falls, in a channel that it is not
        in."""
        if self._read_in is None:
            self._read_in = self._plain_gray(rgb)
            coloured = [one for one in self._lit if one.look in LIT_CHANNEL]
            if coloured:
                self._read_in = _other_channels(self._read_in.copy(), rgb, coloured)
        return self._read_in

    # ------------------------------------------------------------------ pose

    def _check_pose(self, t_s: float, rgb: Rgb, *, at_once: bool) -> None:
        """Markers in turn; all of them if one is off, or if all the picture has changed."""
        every_s = CHECK_S_MIN if at_once or self._moved else self.settings.markers.every_s
        markers = self._wall.markers
        if not markers or t_s - self._checked_s < every_s:
            return
        self._checked_s = t_s
        one = markers[self._next_marker % len(markers)]
        self._next_marker += 1
        gray = self._plain_gray(rgb)
        all_of_them = at_once or self._moved is not None or self._residual_px is None
        fit = find_markers(gray, self._lens, markers if all_of_them else (one,))
        self._missed = self._missed + 1 if fit is None else 0
        if not all_of_them and not (
            self._missed >= MISSED_MAX if fit is None else self._is_off(fit)
        ):
            return
        self._missed = 0
        if not all_of_them or fit is None:
            fit = find_markers(gray, self._lens, markers, everywhere=True)
        if fit is None:
            return
        self._residual_px = round(fit.residual_px, 2)
        self._moved = None
        if self._is_off(fit):
            self._moved = (
                f"camera moved by {fit.residual_px:.1f} px, {fit.residual_m * 1000:.0f} mm at the "
                "wall; calibrate"
            )

    def _is_off(self, fit: MarkerFit) -> bool:
        scale = max(1.0, self._lens.width / FULL_HD_PX)
        return fit.residual_px > self.settings.markers.off_px * scale

    # ------------------------------------------------------------------ telling

    def _told(self, t_s: float, *, active: bool, blind: str | None = None) -> WallObservation:
        return WallObservation(
            camera_id=self.camera_id,
            wall_id=self.wall_id,
            t_s=t_s,
            active=active,
            somebody=self._follow.somebody,
            blind=blind,
            sights=tuple(one.sight(self._lens) for one in self._follow.tracks if one.told),
            capture=self._capture,
            residual_px=self._residual_px,
        )


def _other_channels(gray: Gray, rgb: Rgb, lit: Sequence[LitRegion]) -> Gray:
    """The picture in grey with each lit place in a channel that its light is not in."""
    for region in lit:
        channel = 2 if LIT_CHANNEL[region.look] == 0 else 0
        low = np.floor(region.polygon_px.min(axis=0)).astype(int) - 12
        high = np.ceil(region.polygon_px.max(axis=0)).astype(int) + 13
        cut = (
            slice(max(0, int(low[1])), max(0, int(high[1]))),
            slice(max(0, int(low[0])), max(0, int(high[0]))),
        )
        gray[cut] = rgb[cut][..., channel]
    return gray
