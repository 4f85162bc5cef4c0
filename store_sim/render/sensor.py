"""The camera's sensor: how much light it gets, how long it exposes, and its noise.

With all dials as built a picture only gets its noise, which depends on seed and time alone. The
exposure's lag needs the pictures in the order of time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from store_sim.render.develop import expose, gauss
from store_sim.render.kernels import add_grain
from store_sim.render.looks import Light, Optics

__all__ = ["Sensor", "gaussian_taps", "noise_table"]

Rgb = NDArray[np.uint8]

_NOISE_TABLE = 1 << 19
_METER_STEP = 8
_LAG_S = 0.7
"""The exposure is two thirds of the way to what is right after this time."""
_GAINS = (0.35, 2.5)
_FOLLOWS = 2.0
"""How strongly a full exposure dial answers to a change in the meter's field: as a camera whose
meter looks at a part of the picture, so that one person in a white coat matters."""
_WANDERS = 0.16
_BANDS = 1.4
"""Dark bands of a flickering lamp over the height of the picture (rows are read one by one)."""


class Sensor:
    """Turns the light of (H, W, 3) pictures into what the camera gives out."""

    def __init__(self, optics: Optics, light: Light, size: tuple[int, int], seed: int) -> None:
        self._optics, self._light, self._seed = optics, light, seed
        w, h = self._size = size
        self._noise = noise_table(seed, optics.noise, w)
        self._plain = (
            optics == Optics(noise=optics.noise, distortion=optics.distortion, motion=optics.motion)
            and light.dim == 0.0
            and light.flicker == 0.0
            and light.colour == 0.0
        )
        balance = [a * b for a, b in zip(optics.white_balance, light.cast, strict=True)]
        self._shade = _shade(w, h, optics.vignette, balance)
        self._taps = gaussian_taps(optics.blur_px)
        reach = 3 * (len(self._taps) - 1)
        self._line = np.empty(3 * w + reach, np.int32)
        self._middle = np.empty((h, 3 * w), np.uint16)
        self._soft = np.empty((h, 3 * w), np.uint8)
        # The phases of what wanders, and by how much the mains are off a multiple of all rates.
        rng = np.random.Generator(np.random.PCG64([seed, 0xE7905]))
        self._phases = rng.uniform(0.0, 2.0 * math.pi, 3)
        self._beat_hz = float(rng.uniform(0.08, 0.35))
        self._built: float | None = None
        self._gain = 1.0
        self._metered_s = 0.0

    def develop(self, source: Rgb, t_s: float, out: Rgb) -> None:
        """The picture of `source` at `t_s` into `out`, both (H, W, 3) uint8."""
        w, h = self._size
        if self._plain and self._optics.noise <= 0.0:
            np.copyto(out, source)
            return
        rng = np.random.Generator(np.random.PCG64([self._seed, round(t_s * 1e6) & (2**63 - 1)]))
        starts = rng.integers(0, len(self._noise) - 3 * w, h)
        target = out if out.flags.c_contiguous else np.empty_like(source)
        lines, made = source.reshape(h, 3 * w), target.reshape(h, 3 * w)
        if self._plain:
            add_grain(lines, self._noise, starts, made)
        else:
            rows, gain = self._rows(source, t_s)
            if len(self._taps) > 1:
                gauss(lines, self._taps, self._line, self._middle, self._soft)
                lines = self._soft
            # A sensor that has to amplify amplifies its noise as well.
            louder = max(1.0, gain) * 4096
            grain = (louder / 2, louder / 256) if self._optics.shot else (louder, 0.0)
            expose(
                lines, self._shade, rows, self._noise, starts,
                np.rint(np.array(grain)).astype(np.int32), made,
            )  # fmt: skip
        if target is not out:
            np.copyto(out, target)

    def _rows(self, source: Rgb, t_s: float) -> tuple[NDArray[np.int32], float]:
        """Gain (H,) of each row in 1/1024, and that of the exposure alone."""
        gain = self._exposure(source, t_s)
        level = self._light.level * self._optics.gain * gain
        rows = np.full(self._size[1], level)
        if self._light.flicker > 0.0:
            # Lamps flicker at twice the mains' frequency; frame rates divide it nearly, so what
            # is seen is the beat.
            turn = 2.0 * math.pi * self._beat_hz * t_s + self._phases[0]
            places = np.linspace(0.0, 2.0 * math.pi * _BANDS, self._size[1])
            wave = 0.4 * math.cos(turn) + 0.6 * np.cos(places - 3.0 * turn)
            rows *= 1.0 - 0.5 * self._light.flicker * (0.55 - 0.45 * wave)
        return np.rint(np.clip(rows, 0.0, 3.9) * 1024).astype(np.int32), gain

    def _exposure(self, source: Rgb, t_s: float) -> float:
        share = self._optics.exposure
        if share <= 0.0:
            return 1.0
        h, w = source.shape[:2]
        few = source[h // 4 : h - h // 4 : _METER_STEP, w // 4 : w - w // 4 : _METER_STEP]
        whole = source[::_METER_STEP, ::_METER_STEP]
        seen = (2 * int(few.sum()) / few.size + int(whole.sum()) / whole.size) / 3 + 4.0
        if self._built is None:
            self._built, self._metered_s = seen, -math.inf
        # Missing lamps are made up for, a bright coat more than it should be.
        right = (self._built / seen) ** (_FOLLOWS * share) / max(self._light.level, 0.1) ** share
        right = min(_GAINS[1], max(_GAINS[0], right))
        lag = 1.0 - math.exp(-max(0.0, t_s - self._metered_s) / _LAG_S)
        self._metered_s = t_s
        self._gain += lag * (right - self._gain)
        slow = 0.6 * math.sin(t_s / 3.1 + self._phases[1])
        slow += 0.4 * math.sin(t_s / 0.83 + self._phases[2])
        return self._gain * (1.0 + _WANDERS * share * slow)


def gaussian_taps(sigma: float) -> NDArray[np.int32]:
    """Weights (2 R + 1,) of a Gaussian that sum to 256; one for no blur."""
    if sigma <= 0.0:
        return np.array([256], np.int32)
    reach = max(1, math.ceil(2.5 * sigma))
    at = np.arange(-reach, reach + 1)
    weights = np.exp(-(at**2) / (2.0 * sigma**2))
    taps = np.rint(256.0 * weights / weights.sum()).astype(np.int32)
    taps[reach] += 256 - int(taps.sum())
    return np.asarray(taps, np.int32)


def _shade(width: int, height: int, vignette: float, balance: list[float]) -> NDArray[np.uint16]:
    """What is left of the light, (H, 3 W) in 1/4096: full in the middle, less to the corners."""
    y, x = np.mgrid[0:height, 0:width]
    r2 = ((x - width / 2) / (width / 2)) ** 2 + ((y - height / 2) / (height / 2)) ** 2
    left = (1.0 - vignette * r2 / 2)[..., None] * np.array(balance)
    steps = np.clip(np.rint(4096 * left), 0, 65535)
    return np.asarray(steps.reshape(height, 3 * width), np.uint16)


def noise_table(seed: int, sigma: float, width: int) -> NDArray[np.int16]:
    """Noise of a standard deviation of `sigma` grey levels, (N,) int16 in 1/16 grey levels."""
    if sigma <= 0.0:
        return np.zeros(_NOISE_TABLE + 3 * width, np.int16)
    rng = np.random.Generator(np.random.PCG64([seed, 0x6A05]))
    return np.rint(rng.normal(0.0, sigma * 16.0, _NOISE_TABLE + 3 * width)).astype(np.int16)
