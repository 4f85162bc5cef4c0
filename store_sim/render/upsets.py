"""What a camera shows when somebody covers, blinds or jogs it: pictures of one camera."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from store_sim.render.develop import cover, gauss, glare
from store_sim.render.kernels import add_grain
from store_sim.render.sensor import gaussian_taps, noise_table

__all__ = ["Upsets"]

Rgb = NDArray[np.uint8]

_DEFOCUS = 0.012
"""Standard deviation of the strongest blur, as a share of the picture's width."""
_NOISE = 2.0


class Upsets:
    """Spoils pictures (H, W, 3) uint8 of one camera; all its methods give a new array."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self._size, self._seed = size, seed
        self._rng = np.random.Generator(np.random.PCG64([seed, 0xC107]))
        self._left = bool(self._rng.integers(2))
        self._phases = self._rng.uniform(0.0, 2.0 * math.pi, 3)
        self._table = noise_table(seed, _NOISE, size[0])
        self._cloth: Rgb | None = None

    def covered(self, rgb: Rgb, amount: float, t_s: float) -> Rgb:
        """A dark cloth over the lens, or over `amount` of the picture from one side; a little
        light comes round its edges."""
        w, h = self._size
        if self._cloth is None:
            self._cloth = self._woven()
        soft = 0.09 * w
        x = np.arange(w, dtype=np.float64)
        x = x if self._left else w - 1 - x
        edge = amount * (w + 2 * soft) - soft
        held = np.clip((edge - x) / soft + 0.5, 0.0, 1.0)
        # The cloth stands off a little at the far side; what is bright outside shines in there.
        bright = float(rgb[::16, ::16].mean()) / 110.0
        rows = np.linspace(1.0, 0.25, h)[:, None] ** 2
        leak = 26.0 * bright * rows * np.exp(-((w - x) / (0.22 * w)))
        out = np.empty_like(rgb)
        share = np.broadcast_to(np.rint(256 * held).astype(np.uint16), (h, w))
        cover(rgb, self._cloth, share, np.rint(np.clip(leak, 0, 255)).astype(np.uint8), out)
        return self._grained(out, t_s)

    def defocused(self, rgb: Rgb, amount: float, t_s: float) -> Rgb:
        """The lens turned out of focus; the sensor's noise stays sharp."""
        w, h = self._size
        taps = gaussian_taps(_DEFOCUS * w * amount)
        out = np.empty_like(rgb)
        gauss(
            np.ascontiguousarray(rgb).reshape(h, 3 * w),
            taps,
            np.empty(3 * w + 3 * (len(taps) - 1), np.int32),
            np.empty((h, 3 * w), np.uint16),
            out.reshape(h, 3 * w),
        )
        return self._grained(out, t_s)

    def blinded(self, rgb: Rgb, amount: float, t_s: float) -> Rgb:
        """A torch or the sun straight into the lens, held by an unsteady hand."""
        w, h = self._size
        sway = [math.sin(t_s / 1.7 + self._phases[0]), math.sin(t_s / 1.3 + self._phases[1])]
        shake = 0.25 * math.sin(9.0 * t_s + self._phases[2])
        at = np.rint([w * (0.5 + 0.1 * (sway[0] + shake)), h * (0.5 + 0.14 * (sway[1] + shake))])
        out = np.empty_like(rgb)
        glare(rgb, at.astype(np.float64), 0.2 * w * (0.4 + 0.6 * amount), amount, out)
        return out

    def _grained(self, rgb: Rgb, t_s: float) -> Rgb:
        w, h = self._size
        key = [self._seed, 0x6EA1, round(t_s * 1e6) & (2**63 - 1)]
        rng = np.random.Generator(np.random.PCG64(key))
        starts = rng.integers(0, len(self._table) - 3 * w, h)
        out = np.empty_like(rgb)
        add_grain(rgb.reshape(h, 3 * w), self._table, starts, out.reshape(h, 3 * w))
        return out

    def _woven(self) -> Rgb:
        """Dark cloth out of focus: folds and hardly any weave."""
        w, h = self._size
        y, x = np.mgrid[0:h, 0:w] / w
        folds = np.zeros((h, w))
        for _ in range(5):
            turn, waves, phase = self._rng.uniform((0.0, 2.0, 0.0), (math.pi, 9.0, 6.3))
            folds += np.sin((x * math.cos(turn) + y * math.sin(turn)) * waves * 6.283 + phase)
        level = 11.0 + 2.2 * folds
        cloth = level[..., None] * np.array([1.0, 0.92, 0.95])
        return np.asarray(np.clip(np.rint(cloth), 3, 40), np.uint8)
