"""Structured light: stripes that tell at which projector pixel a camera pixel is lit.

Gray codes of stripes say roughly where (every code beside its inverse, so that neither the
surface's colour nor the room's light matters), four sine patterns a quarter period apart say it to
a fraction of a pixel, and white beside black says how much light comes back (after Salvi, Pagès and
Batlle 2004, "Pattern codification strategies in structured light systems"; four steps cancel the
second harmonic that a projector's gamma curve makes).

The stripes are PERIOD_PX / 2 wide at the finest, so the code is right to a quarter of a period, and
the phase within its period is never taken for its neighbour's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vision.errors import FrameError

__all__ = ["PERIOD_PX", "CodeReading", "Pattern", "PatternDecoder", "draw_pattern", "sequence"]

PERIOD_PX = 16
STRIPE_PX = PERIOD_PX // 2
CONTRAST_MIN = 10
"""White minus black, grey levels: below, a camera pixel is not lit."""
STEP_MIN = 0.2
"""Code minus inverse, as a share of white minus black."""
WAVE_MIN = 0.12
"""Amplitude of the sine, as a share of white minus black."""

Grey = NDArray[np.uint8]
_NONE: Grey = np.zeros((0, 0), np.uint8)
Axis = Literal[0, 1]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One picture of the sequence: `axis` 0 tells columns, 1 rows; `number` is the code's bit
    (highest first) or the sine's step."""

    kind: Literal["white", "black", "code", "inverse", "wave"]
    axis: Axis = 0
    number: int = 0


def _bits(length_px: int) -> int:
    return max(1, (-(-length_px // STRIPE_PX) - 1).bit_length())


def sequence(size: tuple[int, int]) -> tuple[Pattern, ...]:
    """All patterns for a projector of (width, height) px, in the order they are shown."""
    found = [Pattern("black"), Pattern("white")]
    axes: tuple[Axis, Axis] = (0, 1)
    for axis in axes:
        for bit in range(_bits(size[axis])):
            found += [Pattern("code", axis, bit), Pattern("inverse", axis, bit)]
        found += [Pattern("wave", axis, step) for step in range(4)]
    return tuple(found)


def draw_pattern(pattern: Pattern, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture (height, width, 3) to show."""
    width, height = size
    if pattern.kind in ("white", "black"):
        return np.full((height, width, 3), 255 if pattern.kind == "white" else 0, np.uint8)
    along = np.arange(size[pattern.axis])
    if pattern.kind == "wave":
        turn = 2 * np.pi * (along / PERIOD_PX) - np.pi / 2 * pattern.number
        line = np.rint(127.5 + 127.5 * np.cos(turn)).astype(np.uint8)
    else:
        stripe = along // STRIPE_PX
        grey = stripe ^ (stripe >> 1)
        lit = (grey >> (_bits(size[pattern.axis]) - 1 - pattern.number)) & 1
        line = np.where((lit == 1) == (pattern.kind == "code"), 255, 0).astype(np.uint8)
    shape = (1, width, 1) if pattern.axis == 0 else (height, 1, 1)
    return np.ascontiguousarray(np.broadcast_to(line.reshape(shape), (height, width, 3)))


@dataclass(frozen=True, slots=True)
class CodeReading:
    """`at` (H, W, 2) float32: the projector pixel (x, y) that lights each camera pixel; `trusted`
    (H, W) bool; `white`, `black` (H, W) uint8: the captures under full light and none."""

    at: NDArray[np.float32]
    trusted: NDArray[np.bool_]
    white: Grey
    black: Grey


class PatternDecoder:
    """Takes the captures of `sequence` in their order and reads them; holds few pictures at once.

    A pixel is trusted if it is lit, at most one code of each axis is not clearly apart from its
    inverse (where a stripe's edge falls: both readings are neighbours then, and the sine decides),
    the sine is strong enough, and the place is within the projector's picture.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._patterns = sequence(size)
        self._taken = 0
        self._black = self._white = self._before = _NONE
        self._light: NDArray[np.int16] = np.zeros((0, 0), np.int16)
        self._trusted: NDArray[np.bool_] = np.zeros((0, 0), np.bool_)
        self._bit: NDArray[np.bool_] = np.zeros((0, 0), np.bool_)
        self._stripe: NDArray[np.int32] = np.zeros((0, 0), np.int32)
        self._unsure: Grey = _NONE
        self._waves: list[NDArray[np.float32]] = []
        self._coordinates: list[NDArray[np.float32]] = []

    @property
    def wanted(self) -> Pattern | None:
        """The pattern whose capture comes next; None if all are there."""
        return self._patterns[self._taken] if self._taken < len(self._patterns) else None

    def add(self, grey: Grey) -> None:
        """The capture (H, W) of `wanted`; FrameError if its shape differs from the others'."""
        pattern = self.wanted
        other = self._taken > 0 and grey.shape != self._black.shape
        if pattern is None or grey.ndim != 2 or grey.dtype != np.uint8 or other:
            raise FrameError(
                f"expected {len(self._patterns)} grey pictures of one size, got number "
                f"{self._taken + 1}, {grey.dtype} of shape {grey.shape}; keep the camera's mode "
                "while calibrating"
            )
        self._taken += 1
        if pattern.kind == "black":
            self._black = grey.copy()
        elif pattern.kind == "white":
            self._white = grey.copy()
            self._light = grey.astype(np.int16) - self._black
            self._trusted = self._light >= CONTRAST_MIN
        elif pattern.kind == "code":
            self._before = grey.copy()
        elif pattern.kind == "inverse":
            self._add_bit(grey, pattern)
        else:
            self._waves.append(grey.astype(np.float32))
            if pattern.number == 3:
                self._finish_axis(pattern.axis)

    def result(self) -> CodeReading:
        """What was read; FrameError while captures are missing."""
        if self.wanted is not None:
            raise FrameError(
                f"expected {len(self._patterns)} captures, got {self._taken}; show all patterns"
            )
        at = np.stack(self._coordinates, axis=2)
        inside = ((at > -0.5) & (at < np.array(self._size, np.float32) - 0.5)).all(axis=2)
        return CodeReading(at, self._trusted & inside, self._white, self._black)

    def _add_bit(self, grey: Grey, pattern: Pattern) -> None:
        step = self._before.astype(np.int16) - grey
        unsure = (np.abs(step) < STEP_MIN * self._light).astype(np.uint8)
        if pattern.number == 0:
            self._bit, self._unsure = step > 0, unsure
            self._stripe = self._bit.astype(np.int32)
        else:
            self._bit = self._bit ^ (step > 0)
            self._unsure = self._unsure + unsure
            self._stripe = 2 * self._stripe + self._bit

    def _finish_axis(self, axis: Axis) -> None:
        a, b, c, d = self._waves
        self._waves = []
        cos, sin = a - c, b - d
        strong = np.hypot(cos, sin) >= 2 * WAVE_MIN * self._light
        self._trusted &= strong & (self._unsure <= 1)
        within = np.arctan2(sin, cos) * np.float32(PERIOD_PX / (2 * np.pi))
        rough = self._stripe * np.float32(STRIPE_PX) + np.float32((STRIPE_PX - 1) / 2)
        periods = np.rint((rough - within) / PERIOD_PX)
        self._coordinates.append((periods * PERIOD_PX + within).astype(np.float32))
