"""What befalls plates: shaking that passes, people who lean, plugs pulled, plates that stick.

>>> import numpy as np
>>> shaking = Shaking(np.zeros(60, np.int64), vibration_g=25.0, seed=3)
>>> shaking.grams(np.arange(1, 3601) / 60.0).shape
(3600, 60)

A shaken gondola shows the figures of a real one at `vibration_g` 25: up to 45 plates at once vary
by more than 100 g² within half a second, a third of them by more than 1000 g², and all read
afterwards what they read before. Whoever leans on a gondola puts tens of kilograms on many plates
and leaves nothing behind. A plate whose plug is pulled gives no reading, which is NaN at the port
(`hardware.ports.ScaleBatch`); one that is stuck repeats its last.

All follows from seed and time, however the rows are cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store_sim.dials import PLATE_MISHAPS, Mishap

__all__ = ["SHAKEN_PLATES_MAX", "Mishaps", "Shaking", "plate_mishaps"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHAKEN_PLATES_MAX = 45
SHAKE_EVERY_S = 15.0
"""Mean time from the end of a shaking to the next, in each gondola."""
SHAKE_S = (0.6, 3.0)
SHAKE_HZ = (4.0, 11.0)
SHAKE_SPREAD = 0.55
"""Spread of ln(sd) over shaken plates."""
SWING_SHARE, RATTLE_SHARE = 0.8, 0.6
"""Of the shaking's sd: what swings with the gondola, and what rattles; squares add to one."""
LEAN_G = 40_000.0
"""What a person who leans with all the weight they dare puts on a gondola."""
LEAN_RAMP_S = 0.4
LEAN_SWAY_SHARE, LEAN_SWAY_HZ = 0.1, 0.7
LEAN_TREMBLE_SHARE, LEAN_TREMBLE_G = 0.04, 8.0
LEAN_LIFTED_SHARE = 0.15
"""Share of the plates that a leaning person lifts: a gondola tilts."""


@dataclass(frozen=True, slots=True)
class _Burst:
    begin_s: float
    end_s: float
    hertz: float
    sd_g: Floats
    phase: Floats


class Shaking:
    """Bursts that shake gondolas, one after another in each; rows must be asked for in order.

    `bays` (P,) int64 says which gondola a plate stands in, counted from 0.
    """

    def __init__(self, bays: NDArray[np.int64], *, vibration_g: float, seed: int) -> None:
        self._bays = bays
        self._vibration_g = vibration_g
        count = int(bays.max()) + 1 if len(bays) else 0
        self._plans = [np.random.default_rng([seed, 25, bay]) for bay in range(count)]
        # One for each gondola: rows of several come in another order in batches of another size.
        self._rattles = [np.random.default_rng([seed, 26, bay]) for bay in range(count)]
        self._next = [self._draw(bay, 0.0) for bay in range(count)]

    def grams(self, t_s: Floats) -> Floats:
        """What shaking adds to the readings at these times: (N, P) grams."""
        out = np.zeros((len(t_s), len(self._bays)))
        for bay in range(len(self._next)):
            burst = self._next[bay]
            while burst.begin_s <= t_s[-1]:
                inside = np.flatnonzero((t_s >= burst.begin_s) & (t_s < burst.end_s))
                out[inside] += self._shaken(burst, t_s[inside], self._rattles[bay])
                if burst.end_s > t_s[-1]:
                    break
                burst = self._next[bay] = self._draw(bay, burst.end_s)
        return out

    def _shaken(self, burst: _Burst, t_s: Floats, rng: np.random.Generator) -> Floats:
        share = (t_s - burst.begin_s) / (burst.end_s - burst.begin_s)
        # Begins within a tenth of its length and fades over the last half.
        swell = np.minimum(np.minimum(10.0 * share, 2.0 * (1.0 - share)), 1.0)
        swing = np.sin(2.0 * np.pi * burst.hertz * t_s[:, None] + burst.phase) * np.sqrt(2.0)
        rattle = rng.standard_normal((len(t_s), len(self._bays)))
        mixed = SWING_SHARE * swing + RATTLE_SHARE * rattle
        return np.asarray(swell[:, None] * burst.sd_g * mixed)

    def _draw(self, bay: int, after_s: float) -> _Burst:
        rng = self._plans[bay]
        members = np.flatnonzero(self._bays == bay)
        begin_s = after_s + float(rng.exponential(SHAKE_EVERY_S))
        end_s = begin_s + float(rng.uniform(*SHAKE_S))
        most = min(SHAKEN_PLATES_MAX, len(members))
        count = int(rng.integers(max(1, most // 4), most + 1))
        shaken = rng.permutation(members)[:count]
        sd_g = np.zeros(len(self._bays))
        sd_g[shaken] = self._vibration_g * np.exp(rng.normal(0.0, SHAKE_SPREAD, count))
        phase = np.zeros(len(self._bays))
        phase[shaken] = rng.uniform(0.0, 2.0 * np.pi, count)
        return _Burst(begin_s, end_s, float(rng.uniform(*SHAKE_HZ)), sd_g, phase)


def plate_mishaps(mishaps: Sequence[Mishap]) -> tuple[Mishap, ...]:
    """Those that befall plates."""
    return tuple(one for one in mishaps if one.kind in PLATE_MISHAPS)


class Mishaps:
    """Applies mishaps to plates; rows must be asked for in order.

    A target is a plate id, a bay id, or empty for all. `amount` of "leaned" is the share of
    LEAN_G; of "unplugged" the share of readings that are lost (1: all of them, less: a loose
    plug); "stuck" has none.
    """

    def __init__(self, plate_ids: Sequence[str], bay_ids: Sequence[str], seed: int) -> None:
        self._plate_ids = tuple(plate_ids)
        self._bay_ids = tuple(bay_ids)
        self._seed = seed
        self._rngs: dict[tuple[str, str, float], np.random.Generator] = {}
        self._shares: dict[tuple[str, float], Floats] = {}
        self._held: Floats = np.full(len(self._plate_ids), np.nan)
        self._holding = False

    def pressing(self, t_s: Floats, mishaps: Sequence[Mishap]) -> Floats | None:
        """What leaning people press on the plates, (N, P) grams; None if nobody leans."""
        pressed: Floats | None = None
        for mishap, rows, _ in self._befallen(t_s, mishaps, "leaned"):
            if pressed is None:
                pressed = np.zeros((len(t_s), len(self._plate_ids)))
            since_s, left_s = t_s[rows] - mishap.begin_s, mishap.end_s - t_s[rows]
            weight = np.clip(np.minimum(since_s, left_s) / LEAN_RAMP_S, 0.0, 1.0)
            load_g = LEAN_G * mishap.amount * self._share(mishap)
            sway = 1.0 + LEAN_SWAY_SHARE * np.sin(2.0 * np.pi * LEAN_SWAY_HZ * since_s)
            noise = self._rng(mishap).standard_normal((len(since_s), len(load_g)))
            noise *= LEAN_TREMBLE_SHARE * np.abs(load_g) + LEAN_TREMBLE_G * (load_g != 0)
            pressed[rows] += weight[:, None] * (sway[:, None] * load_g + noise)
        return pressed

    def spoil(self, t_s: Floats, grams: Floats, mishaps: Sequence[Mishap]) -> None:
        """Turns readings (N, P), in place, into those of plates that are stuck or unplugged."""
        if not mishaps and not self._holding:
            return
        stuck = np.zeros(grams.shape, bool)
        for _, rows, columns in self._befallen(t_s, mishaps, "stuck"):
            stuck[np.ix_(rows, columns)] = True
        for p in np.flatnonzero(stuck.any(axis=0) | np.isfinite(self._held)):
            for row in range(len(grams)):
                if stuck[row, p] and np.isfinite(self._held[p]):
                    grams[row, p] = self._held[p]
                self._held[p] = grams[row, p] if stuck[row, p] else np.nan
        self._holding = bool(np.isfinite(self._held).any())
        for mishap, rows, columns in self._befallen(t_s, mishaps, "unplugged"):
            lost = np.ones((len(rows), len(columns)), bool)
            if mishap.amount < 1.0:
                lost = self._rng(mishap).random(lost.shape) < mishap.amount
            block = grams[np.ix_(rows, columns)]
            block[lost] = np.nan
            grams[np.ix_(rows, columns)] = block

    def _befallen(
        self, t_s: Floats, mishaps: Sequence[Mishap], kind: str
    ) -> Iterator[tuple[Mishap, NDArray[np.intp], NDArray[np.intp]]]:
        """Mishaps of a kind with the rows and the columns that they are on."""
        for mishap in mishaps:
            if mishap.kind == kind:
                rows = np.flatnonzero((t_s >= mishap.begin_s) & (t_s < mishap.end_s))
                columns = np.flatnonzero(self._hit(mishap))
                if len(rows) and len(columns):
                    yield mishap, rows, columns

    def _rng(self, mishap: Mishap) -> np.random.Generator:
        """Each mishap has its own, because rows of several are drawn batch by batch."""
        key = (mishap.kind, mishap.target, mishap.begin_s)
        if key not in self._rngs:
            seeds = [self._seed, 28, round(mishap.begin_s * 1000), *mishap.target.encode()]
            self._rngs[key] = np.random.default_rng(seeds)
        return self._rngs[key]

    def _hit(self, mishap: Mishap) -> Bools:
        names = zip(self._plate_ids, self._bay_ids, strict=True)
        return np.array([mishap.target in ("", plate, bay) for plate, bay in names], bool)

    def _share(self, mishap: Mishap) -> Floats:
        """How a leaning person's weight lies on the plates, (P,); sums to 1, some are lifted."""
        key = (mishap.target, mishap.begin_s)
        if key not in self._shares:
            seeds = [self._seed, 27, round(mishap.begin_s * 1000), *mishap.target.encode()]
            rng = np.random.default_rng(seeds)
            hit = self._hit(mishap)
            bays = {bay for bay, one in zip(self._bay_ids, hit, strict=True) if one}
            near = np.flatnonzero([bay in bays for bay in self._bay_ids])
            chosen = rng.permutation(near)[: max(1, min(SHAKEN_PLATES_MAX, 3 * len(near) // 4))]
            share = np.zeros(len(hit))
            share[chosen] = rng.exponential(1.0, len(chosen))
            share[chosen] *= np.where(rng.random(len(chosen)) < LEAN_LIFTED_SHARE, -0.2, 1.0)
            if mishap.target in self._plate_ids:
                # Where the elbow is lies more than half of it.
                share[self._plate_ids.index(mishap.target)] = 1.5 * float(np.abs(share).sum())
            self._shares[key] = share / max(float(share.sum()), 0.1)
        return self._shares[key]
