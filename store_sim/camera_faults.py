"""From exposures to frames: what is lost, late, frozen, dark or spoiled on a camera's way.

>>> from store_sim.dials import CameraDials, Dials, Mishap
>>> import numpy as np
>>> dials = Dials(mishaps=(Mishap(kind="black", target="c", begin_s=1.0, end_s=2.0),))
>>> feed = CameraFeed("c", (4, 2), 15.0, dials, seed=1)
>>> grey = np.full((2, 4, 3), 90, np.uint8)
>>> for tick in (56, 60, 120):
...     feed.expose(tick, 0, dials.mishaps, lambda turn: grey)
...     print(feed.arrived(tick).rgb.max())
90
0
90

Mishaps begin and end with the first exposure at or after their times. Several at once act as they
would on a real camera: first where it looks, then what is before its lens, then what its
electronics make of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hardware.ports import Frame
from store_sim.dials import CAMERA_MISHAPS, Dials, Mishap
from store_sim.world import TICK_HZ

if TYPE_CHECKING:
    from store_sim.render.codec import H264Stream
    from store_sim.render.upsets import Upsets

__all__ = ["CameraFeed", "Draw", "Turn"]

Rgb = NDArray[np.uint8]
Turn = tuple[float, float]
"""Degrees by which a camera was pushed to its right and down."""
Draw = Callable[[Turn | None], Rgb]
"""Gives the picture of the moment; the array stays as it is until the next call."""

_TURN_DEG = (24.0, 11.0)


class CameraFeed:
    """One camera: `expose` takes a picture, `arrived` gives it when and if it comes.

    `fps` is the rate of the exposures. Frames never overtake each other; each is stamped with the
    tick of its arrival, later than the one before, and at most `jitter_ms` after its exposure.
    """

    def __init__(
        self, camera_id: str, size: tuple[int, int], fps: float, dials: Dials, *, seed: int
    ) -> None:
        self._camera_id, self._size, self._seed = camera_id, size, seed
        self._dials = dials.camera
        self._jitter_ticks = round(dials.camera.jitter_ms * TICK_HZ / 1000.0)
        rng = np.random.Generator(np.random.PCG64([seed, 0x7E4]))
        self._sides = rng.choice([-1.0, 1.0], 2)
        self._codec: H264Stream | None = None
        if dials.lens.h264_crf:
            # Imported here: plates and clean pictures need no codec.
            from store_sim.render.codec import H264Stream

            self._codec = H264Stream(size, fps, dials.lens.h264_crf)
        self._upsets: Upsets | None = None
        self._shown: Rgb | None = None
        self._waiting: deque[tuple[int, int, Rgb]] = deque()
        self._last_tick = -1

    def expose(self, tick: int, index: int, mishaps: tuple[Mishap, ...], draw: Draw) -> None:
        """Takes the picture `index` at a tick of the world, unless it is lost."""
        t_s = tick / TICK_HZ
        now: dict[str, float] = {}
        for one in mishaps:
            if one.kind in CAMERA_MISHAPS and one.on(t_s, self._camera_id):
                now[one.kind] = max(one.amount, now.get(one.kind, 0.0))
        lost = max(self._dials.dropped, now.get("dropping", 0.0))
        late = 0
        if lost > 0.0 or self._jitter_ticks:
            rng = np.random.Generator(np.random.PCG64([self._seed, 0xFEED, index]))
            chance, late = float(rng.random()), int(rng.integers(self._jitter_ticks + 1))
            if chance < lost:
                return
        rgb = self._picture(t_s, now, draw)
        arrives = max(tick + late, self._last_tick + 1)
        self._last_tick = arrives
        self._waiting.append((arrives, index, rgb.copy() if arrives > tick else rgb))

    def arrived(self, tick: int) -> Frame | None:
        """The frame that comes at this tick. Its array may be drawn into by the next exposure."""
        if not self._waiting or self._waiting[0][0] > tick:
            return None
        arrives, index, rgb = self._waiting.popleft()
        return Frame(self._camera_id, arrives / TICK_HZ, index, rgb)

    def _picture(self, t_s: float, now: dict[str, float], draw: Draw) -> Rgb:
        if "black" in now:
            w, h = self._size
            return np.zeros((h, w, 3), np.uint8)
        if "frozen" in now and self._shown is not None:
            return self._shown
        turn: Turn | None = None
        if "turned" in now:
            yaw, pitch = (float(s * deg * now["turned"]) for s, deg in
                          zip(self._sides, _TURN_DEG, strict=True))  # fmt: skip
            turn = (yaw, pitch)
        rgb = draw(turn)
        if not now.keys().isdisjoint(("covered", "defocused", "blinded")):
            rgb = self._spoiled(rgb, t_s, now)
        if self._codec is not None:
            rgb = self._codec.through(rgb)
        self._shown = rgb
        return rgb

    def _spoiled(self, rgb: Rgb, t_s: float, now: dict[str, float]) -> Rgb:
        if self._upsets is None:
            # Imported here: compiling takes seconds that a camera without mishaps need not wait.
            from store_sim.render.upsets import Upsets

            self._upsets = Upsets(self._size, self._seed)
        if "defocused" in now:
            rgb = self._upsets.defocused(rgb, now["defocused"], t_s)
        if "blinded" in now:
            rgb = self._upsets.blinded(rgb, now["blinded"], t_s)
        if "covered" in now:
            rgb = self._upsets.covered(rgb, now["covered"], t_s)
        return rgb
