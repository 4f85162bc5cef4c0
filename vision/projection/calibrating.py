"""One calibration from its first pattern to its result, a picture and a capture at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.wall import Wall
from vision.errors import CalibrationError
from vision.projection.calibrate import Calibration, Sighting, calibrate_in_steps, see_markers
from vision.projection.model import Optics
from vision.projection.patterns import Pattern, PatternDecoder, draw_pattern
from vision.projection.settings import BeamSettings
from vision.wall.records import WallObservation

__all__ = ["CalibrationRun"]


class CalibrationRun:
    """Shows `picture` and takes what cameras capture of it; `step` until `result` is there.

    A camera that gives no capture of a pattern within `step_s_max` is left out from then on.
    CalibrationError, from `step`, says why it came to nothing. `cameras` are then those that took
    part, where the markers say that they hang, and `dark` what they saw without light, and when.
    """

    def __init__(
        self,
        wall: Wall,
        nominal: Optics,
        cameras: Mapping[str, Optics],
        settings: BeamSettings,
        *,
        now_s: float,
    ) -> None:
        self._wall, self._nominal, self._settings = wall, nominal, settings
        self._optics = dict(cameras)
        self._decoders = {name: PatternDecoder(nominal.size) for name in cameras}
        self._taken: set[str] = set()
        self._shown_s = now_s
        self._number = 0
        self._solving: Iterator[Calibration | None] | None = None
        self.cameras: dict[str, Optics] = {}
        self.dark: dict[str, tuple[float, NDArray[np.uint8]]] = {}
        self.result: Calibration | None = None

    @property
    def picture(self) -> NDArray[np.uint8] | None:
        """What to throw now; None (dark) once all captures are there."""
        wanted = self._wanted()
        return None if wanted is None else draw_pattern(wanted, self._nominal.size)

    @property
    def number(self) -> int:
        """Rises with every new picture."""
        return self._number

    def step(self, now_s: float, observations: Sequence[WallObservation]) -> None:
        """Takes captures, or fits a little further when all are there."""
        if self._solving is not None:
            self.result = next(self._solving)
            return
        ready_s = self._shown_s + self._settings.settle_s
        for seen in observations:
            decoder = self._decoders.get(seen.camera_id)
            new = seen.camera_id not in self._taken and seen.t_s >= ready_s
            if decoder is not None and new and seen.capture is not None and not seen.blind:
                if seen.camera_id not in self.dark:
                    self.dark[seen.camera_id] = (seen.t_s, seen.capture)
                decoder.add(seen.capture)
                self._taken.add(seen.camera_id)
        if now_s - self._shown_s > self._settings.step_s_max:
            self._decoders = {k: v for k, v in self._decoders.items() if k in self._taken}
            if not self._decoders:
                raise CalibrationError(
                    "calibration board not found: no camera of the wall gives pictures; uncover it "
                    "and check its cable"
                )
        if self._taken >= set(self._decoders):
            self._taken = set()
            self._shown_s = now_s
            self._number += 1
            if self._wanted() is None:
                self._solving = self._solve()

    def _wanted(self) -> Pattern | None:
        return next(iter(self._decoders.values())).wanted

    def _solve(self) -> Iterator[Calibration | None]:
        sightings: list[Sighting] = []
        errors: list[CalibrationError] = []
        for name, decoder in self._decoders.items():
            try:
                sighting, camera = see_markers(self._wall, self._optics[name], decoder.result())
            except CalibrationError as error:
                errors.append(error)
            else:
                sightings.append(sighting)
                self.cameras[name] = camera
            yield None
        if not sightings:
            raise errors[0]
        yield from calibrate_in_steps(self._nominal, sightings)
