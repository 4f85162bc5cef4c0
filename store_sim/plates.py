"""Weighing plates as they are: arbitrary zero, noise, drift, cross-talk, settling, steps.

>>> from pathlib import Path
>>> from contracts.store_file import load_store_file
>>> store = load_store_file(Path("store_sim/stores/demo.yaml"))
>>> bank = PlateBank(store, seed=1)
>>> loads = PlateLoads(np.array([0.5]), np.zeros((1, 48)), np.zeros((1, 48)))
>>> bank.read(loads).grams.shape
(1, 48)

The sizes follow what a real store's plates do (348 plates, 60 Hz, AutoCheckout 2020): an idle
plate's standard deviation is about 1 g in the median and 8 g for the worst; a bottle of 538 g read
561 g on its plate and 8 and 7 g on its neighbours; a hand that presses shakes the whole gondola.
Absolute values mean nothing; only differences do.

Dials turn noise, drift and cross-talk, shake gondolas and let loads creep; mishaps pull plugs,
let plates stick and let people lean (`store_sim.plate_faults`). With dials as built and no mishap
nothing of that is drawn, and readings are to the last bit what they were before there were dials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from hardware.ports import ScaleBatch
from store_sim.dials import Mishap, PlateDials
from store_sim.plate_faults import Mishaps, Shaking, plate_mishaps
from store_sim.world.loads import PlateLoads

__all__ = ["PlateBank", "PlateLoads", "PlateTraits"]

NOISE_SD_G = (0.4, 8.0)
NOISE_SPREAD = 1.0
"""Spread of ln(noise sd) over plates; the median is 1 g."""
DRIFT_G_PER_SQRT_S = 0.03
GAIN_SD = 0.015
NEIGHBOUR_SHARE = (0.004, 0.024)
ECHO_SD_SHARE = 0.003
PUSH_ECHO_SHARE = 0.05
SHAKE_SHARE = 0.03
"""Trembling of the whole gondola, as a share of the push on it."""
SETTLE_S = (0.04, 0.16)
SLOW_NOISE_SHARE = 0.35
SLOW_NOISE_S = 0.8
TARE_G = (-4_000.0, 12_000.0)
CREEP_S = (15.0, 45.0)
"""Time constants of the share of a load that comes only with time."""


@dataclass(frozen=True, slots=True)
class PlateTraits:
    """What each plate is like; arrays (P,), and mixing matrices (P, P) from load to reading."""

    tare_g: NDArray[np.float64]
    noise_sd_g: NDArray[np.float64]
    drift_g: NDArray[np.float64]
    settle_s: NDArray[np.float64]
    step_g: NDArray[np.float64]
    mixing: NDArray[np.float64]
    push_mixing: NDArray[np.float64]
    same_bay: NDArray[np.float64]


class PlateBank:
    """All plates of a store. Readings do not depend on how the loads are cut into batches."""

    def __init__(
        self,
        store: StoreFile,
        seed: int,
        dials: PlateDials | None = None,
        mishaps: Sequence[Mishap] = (),
    ) -> None:
        """`dials` say how good the plates are, None: as built. Of `mishaps`, those that befall
        plates happen at their times; others are ignored."""
        dials = dials or PlateDials()
        plates = store.plates
        bay_ids = [plate.bay_id for plate in plates]
        self.plate_ids = tuple(plate.plate_id for plate in plates)
        self.traits = _traits(store, np.random.default_rng([seed, 21]), dials)
        self._white = np.random.default_rng([seed, 22])
        self._slow = np.random.default_rng([seed, 23])
        self._walk = np.random.default_rng([seed, 24])
        self._t_s: float | None = None
        self._settled: NDArray[np.float64] | None = None
        self._lain: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._slow_g = np.zeros(len(self.plate_ids))
        self._drifted_g = np.zeros(len(self.plate_ids))
        self._creep = dials.creep
        self._creep_s = np.random.default_rng([seed, 30]).uniform(*CREEP_S, len(plates))
        self._crept: NDArray[np.float64] | None = None
        self._shaking: Shaking | None = None
        if dials.vibration_g and plates:
            bays = np.unique(bay_ids, return_inverse=True)[1].astype(np.int64)
            self._shaking = Shaking(bays, vibration_g=dials.vibration_g, seed=seed)
        self._mishaps = Mishaps(self.plate_ids, bay_ids, seed)
        self._planned = plate_mishaps(mishaps)

    def read(self, loads: PlateLoads, mishaps: Sequence[Mishap] = ()) -> ScaleBatch:
        """One reading per row of `loads`: grams (N, P) float32, NaN where a plate gave none.

        `mishaps` are those that came up while the world runs, beside the planned ones.
        """
        count, plates = loads.grams.shape
        if count == 0 or plates == 0:
            return ScaleBatch(self.plate_ids, loads.t_s, np.zeros((count, plates), np.float32))
        traits = self.traits
        begin_s = loads.t_s[0] - 1 / 60 if self._t_s is None else self._t_s
        dt_s = np.maximum(1e-4, np.diff(loads.t_s, prepend=begin_s))
        self._t_s = float(loads.t_s[-1])
        happening = (*self._planned, *plate_mishaps(mishaps))
        wanted = self._lying(loads.grams)
        if self._creep:
            wanted = self._creeping(wanted, dt_s)
        pushed = loads.push_g.any()
        if pushed:
            wanted = wanted + _product(loads.push_g, traits.push_mixing)
        pressing = self._mishaps.pressing(loads.t_s, happening) if happening else None
        if pressing is not None:
            wanted = wanted + pressing
        slow = self._slow.standard_normal((count, plates))
        settled = self._settle(wanted, slow, dt_s)
        walk = self._walk.standard_normal((count, plates)) * traits.drift_g
        drift = self._drifted_g + np.cumsum(walk * np.sqrt(dt_s)[:, None], axis=0)
        self._drifted_g = drift[-1]
        white = self._white.standard_normal((count, plates)) * traits.noise_sd_g
        if pushed:
            # Hands that press make the whole gondola tremble.
            white *= 1.0 + SHAKE_SHARE * _product(np.abs(loads.push_g), traits.same_bay)
        grams = settled + drift + white + traits.tare_g
        if self._shaking is not None:
            grams += self._shaking.grams(loads.t_s)
        steps = np.rint(grams / traits.step_g) * traits.step_g
        self._mishaps.spoil(loads.t_s, steps, happening)
        return ScaleBatch(self.plate_ids, loads.t_s, steps.astype(np.float32))

    def _creeping(
        self, wanted: NDArray[np.float64], dt_s: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Loads of which a share comes only with time; what lay there at first has all come."""
        level = wanted[0].copy() if self._crept is None else self._crept
        follow = 1.0 - np.exp(-dt_s[:, None] / self._creep_s)
        out = (1.0 - self._creep) * wanted
        for row in range(len(wanted)):
            level += follow[row] * (wanted[row] - level)
            out[row] += self._creep * level
        self._crept = level
        return np.asarray(out)

    def _settle(
        self, wanted: NDArray[np.float64], slow: NDArray[np.float64], dt_s: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """First-order settling of the load, plus noise that wanders within a second."""
        traits = self.traits
        level = wanted[0].copy() if self._settled is None else self._settled
        wander = self._slow_g
        follow = 1.0 - np.exp(-dt_s[:, None] / traits.settle_s)
        fade = np.exp(-dt_s / SLOW_NOISE_S)
        kick = slow * (SLOW_NOISE_SHARE * traits.noise_sd_g)
        kick *= np.sqrt(1.0 - fade * fade)[:, None]
        out = np.empty_like(wanted)
        gap = np.empty_like(level)
        for row, share in enumerate(fade.tolist()):
            np.subtract(wanted[row], level, out=gap)
            gap *= follow[row]
            level += gap
            wander *= share
            wander += kick[row]
            np.add(level, wander, out=out[row])
        self._settled, self._slow_g = level, wander
        return out

    def _lying(self, grams: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the plates would read of the load at rest; loads change seldom, so runs of equal
        rows are mixed once."""
        new = np.any(grams[1:] != grams[:-1], axis=1)
        firsts = np.concatenate(([0], np.flatnonzero(new) + 1))
        if self._lain is None or not np.array_equal(grams[0], self._lain[0]) or len(firsts) > 1:
            mixed = _product(grams[firsts], self.traits.mixing)
        else:
            mixed = self._lain[1][None]
        self._lain = (grams[-1].copy(), mixed[-1].copy())
        return np.repeat(mixed, np.diff(np.append(firsts, len(grams))), axis=0)


def _product(load: NDArray[np.float64], mixing: NDArray[np.float64]) -> NDArray[np.float64]:
    """load @ mixing in an order that no batch size changes, so that readings repeat exactly."""
    out: NDArray[np.float64] = np.einsum("np,pq->nq", load, mixing, optimize=False)
    return out


def _traits(store: StoreFile, rng: np.random.Generator, dials: PlateDials) -> PlateTraits:
    plates = store.plates
    count = len(plates)
    same_bay = np.array([[a.bay_id == b.bay_id for b in plates] for a in plates], np.float64)
    same_bay = same_bay.reshape(count, count)
    mixing = rng.normal(0.0, ECHO_SD_SHARE, (count, count)) * same_bay
    # Only few plates echo at all.
    mixing *= rng.random((count, count)) < 0.25
    for a, plate in enumerate(plates):
        for b, other in enumerate(plates):
            touching = abs(plate.u1_m - other.u0_m) < 0.02 or abs(other.u1_m - plate.u0_m) < 0.02
            if a != b and plate.board_id == other.board_id and touching:
                mixing[a, b] = rng.uniform(*NEIGHBOUR_SHARE)
    push_mixing = mixing + rng.normal(0.0, PUSH_ECHO_SHARE, (count, count)) * same_bay
    mixing *= dials.cross_talk
    push_mixing *= dials.cross_talk
    diagonal = np.arange(count)
    mixing[diagonal, diagonal] = 1.0 + rng.normal(0.0, GAIN_SD, count)
    push_mixing[diagonal, diagonal] = 1.0
    return PlateTraits(
        tare_g=rng.uniform(*TARE_G, count),
        noise_sd_g=np.clip(np.exp(rng.normal(0.0, NOISE_SPREAD, count)), *NOISE_SD_G) * dials.noise,
        drift_g=DRIFT_G_PER_SQRT_S * np.exp(rng.normal(0.0, 0.6, count)) * dials.drift,
        settle_s=rng.uniform(*SETTLE_S, count),
        step_g=np.where(rng.random(count) < 0.7, 0.1, 1.0),
        mixing=mixing,
        push_mixing=push_mixing,
        same_bay=same_bay,
    )
