"""Logs of plates as real stores write them, with the truth beside them; for tests only.

Shares no code with the simulator's plates nor with the detector. The physics: noise that is
partly white and partly wanders, drift, steps of the reading, hands that press before they lift,
plates that ring and creep, products over several plates, echoes, gondolas that shake or are leaned
on and read as before, touches, plates that are dead, constant, stuck or that spike, readings that
are missing, and rates from 5 to 200 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Happened:
    """A weight event: when half of it had come, over how long, and what each plate gained."""

    t_s: float
    takes_s: float
    gains: dict[int, float]

    @property
    def delta_g(self) -> float:
        return sum(self.gains.values())


@dataclass
class PlateStory:
    """A log under way: readings `x` (N, P) at `t` (N,), and what happened."""

    rng: np.random.Generator
    names: tuple[str, ...]
    gondola: NDArray[np.int64]
    t: Floats
    x: Floats
    sd: Floats
    happened: list[Happened] = field(default_factory=list)
    shaken: list[tuple[int, float, float]] = field(default_factory=list)

    @property
    def length_s(self) -> float:
        return float(self.t[-1])

    def press(self, plate: int, begin_s: float, end_s: float, grams: float) -> None:
        """A hand presses and trembles; afterwards the plate reads as before."""
        share = np.clip((self.t - begin_s) / max(end_s - begin_s, 1e-3), 0.0, 1.0)
        force = grams * np.sin(np.pi * share)
        self.x[:, plate] += force * (1.0 + 0.25 * self.rng.normal(size=len(self.t)))

    def change(
        self, gains: dict[int, float], at_s: float, *, takes_s: float = 0.15,
        hand_g: float = 40.0, echo: float = 0.0, creep: float = 0.0,
    ) -> None:  # fmt: skip
        """Weight comes or goes on some plates at once; `echo` and `creep` are shares of it."""
        self.happened.append(Happened(at_s, takes_s, dict(gains)))
        total = sum(gains.values())
        wobble = self.rng.normal(size=len(self.t))
        for plate, gain in gains.items():
            lag_s = float(self.rng.uniform(-0.2, 0.2)) * takes_s
            self.press(plate, at_s - takes_s - 0.5, at_s + 0.5 * takes_s, hand_g)
            share = np.clip((self.t - lag_s - at_s) / takes_s + 0.5, 0.0, 1.0)
            share = share * share * (3.0 - 2.0 * share)
            moving = (share > 0) & (share < 1)
            after = np.maximum(self.t - at_s - takes_s / 2, 0.0)
            ring = 0.3 * np.exp(-after / 0.08) * np.cos(2 * np.pi * 7.0 * after) * (after > 0)
            late = creep * (1.0 - np.exp(-after / 20.0)) - creep * (after > 0)
            self.x[:, plate] += gain * (share + late) - 0.2 * gain * ring
            self.x[:, plate] += moving * wobble * min(15.0, 0.05 * abs(gain))
        if echo:
            near = {q for p in gains for q in (p - 1, p + 1)} - set(gains)
            same = [q for q in near if 0 <= q < len(self.names)
                    and self.gondola[q] == self.gondola[next(iter(gains))]]  # fmt: skip
            for q in same:
                part = total * echo * float(self.rng.uniform(-0.4, 1.0))
                self.x[:, q] += part * (self.t >= at_s)

    def shake(
        self, gondola: int, begin_s: float, for_s: float, sd_g: float, *,
        most: int = 45, lean_kg: float = 0.0, left_g: float = 0.0,
    ) -> None:  # fmt: skip
        """A gondola is pushed or leaned on; `left_g` is the sd of what stays (friction)."""
        self.shaken.append((gondola, begin_s, begin_s + for_s))
        members = np.flatnonzero(self.gondola == gondola)
        count = int(self.rng.integers(max(1, min(most, len(members)) // 3),
                                      min(most, len(members)) + 1))  # fmt: skip
        inside = (self.t >= begin_s) & (self.t < begin_s + for_s)
        swell = np.zeros(len(self.t))
        swell[inside] = np.hanning(int(inside.sum()) + 2)[1:-1] ** 0.3
        hertz = self.rng.uniform(3.0, 12.0)
        loads = self.rng.dirichlet(np.ones(count)) * lean_kg * 1000.0
        for plate, load in zip(self.rng.permutation(members)[:count], loads, strict=True):
            sd = sd_g * np.exp(self.rng.normal(0.0, 0.55)) + 0.05 * load
            swing = np.sqrt(2) * np.sin(2 * np.pi * hertz * self.t + self.rng.uniform(0, 6.3))
            rattle = self.rng.normal(size=len(self.t))
            offset = load * (1 + 0.2 * np.sin(2 * np.pi * 0.6 * self.t)) + self.rng.normal(0, sd)
            self.x[:, plate] += swell * (sd * (0.8 * swing + 0.6 * rattle) + offset)
            if left_g:
                self.x[self.t >= begin_s + for_s / 2, plate] += self.rng.normal(0, left_g)

    def finish(self, *, steps_g: Floats) -> None:
        """Rounds to what each plate can show."""
        self.x = np.rint(self.x / steps_g) * steps_g


def story(
    seed: int, *, gondolas: int, plates: int, seconds: float, rate_hz: float, jitter: float = 0.0,
    drift: float = 1.0, style: str = "1_2_3", noise_g: float = 1.05, spread: float = 1.23,
) -> PlateStory:  # fmt: skip
    """A store at rest: idle sd `noise_g` in the median, 8 g at the 95th percentile."""
    rng = np.random.default_rng([seed, 71])
    count = round(seconds * rate_hz)
    t = np.arange(count) / rate_hz
    t = t + jitter * rng.uniform(-0.45, 0.45, count) / rate_hz
    t = np.sort(t - t[0])
    where = np.arange(plates) * gondolas // plates
    sd = np.clip(np.exp(rng.normal(np.log(noise_g), spread, plates)), 0.15, 12.0)
    wander = rng.uniform(0.0, 0.8, plates)
    white = rng.normal(size=(count, plates)) * np.sqrt(1 - wander**2)
    keep = np.exp(-1.0 / (rate_hz * rng.uniform(0.1, 1.5, plates)))
    slow = np.zeros((count, plates))
    kick = rng.normal(size=(count, plates)) * np.sqrt(1 - keep**2)
    level = rng.normal(size=plates)
    for row in range(count):
        level = keep * level + kick[row]
        slow[row] = level
    x = (white + wander * slow) * sd
    slope = drift * 0.03 * np.exp(rng.normal(0, 1.0, plates)) * rng.choice([-1, 1], plates)
    walk = rng.normal(size=(count, plates)) * drift * 0.05 / np.sqrt(rate_hz)
    x += slope * t[:, None] + np.cumsum(walk, axis=0)
    x += rng.uniform(-4000, 12_000, plates)
    return PlateStory(rng, _names(style, where, plates, rng), where, t, x, sd)


def _names(
    style: str, where: NDArray[np.int64], plates: int, rng: np.random.Generator
) -> tuple[str, ...]:
    place = np.array([n - int(np.flatnonzero(where == where[n])[0]) for n in range(plates)])
    if style == "1_2_3":
        return tuple(
            f"{g + 1}_{p // 12 + 1}_{p % 12 + 1}" for g, p in zip(where, place, strict=True)
        )
    if style == "words":
        return tuple(f"Gondola {chr(65 + g)}, plate {p:03d}"
                     for g, p in zip(where, place, strict=True))  # fmt: skip
    if style == "flat":
        return tuple(f"plate-{n:03d}" for n in range(plates))
    # Serial numbers of load cells say nothing of where they are.
    return tuple(f"{n}" for n in rng.permutation(90_000)[:plates] + 10_000)


def real_store(seed: int) -> PlateStory:
    """The log that HARD_CASES.md describes: 348 plates, 60 Hz, 34 s, one shopper, two picks."""
    log = story(seed, gondolas=5, plates=348, seconds=34.0, rate_hz=60.0)
    rng = log.rng
    first, second = (int(n) for n in rng.permutation(5)[:2])
    bag_at, bottle_at = rng.uniform(9.0, 13.0), rng.uniform(21.0, 25.0)
    bag = int(np.flatnonzero(log.gondola == first)[0]) + int(rng.integers(2, 60))
    bottle = int(np.flatnonzero(log.gondola == second)[0]) + int(rng.integers(2, 60))
    quiet = [bag - 1, bag, bag + 1, bag + 2, bag + 3, bottle - 1, bottle, bottle + 1]
    log.x[:, quiet] -= log.x[:, quiet].mean(axis=0)
    log.x[:, quiet] *= np.minimum(1.0, 1.5 / log.sd[quiet])
    log.x[:, quiet] += rng.uniform(-4000, 12_000, len(quiet))
    for gondola, at in ((first, bag_at), (second, bottle_at)):
        log.shake(gondola, at - rng.uniform(0.5, 2.0), rng.uniform(1.5, 3.5), 25.0)
    log.shake(first, bag_at + 4.0, 1.2, 25.0)
    log.shake(int(rng.integers(5)), 29.0, 2.0, 25.0, lean_kg=25.0)
    log.change({bag: -57.0, bag + 1: -25.0, bag + 2: -18.0}, bag_at)
    log.change({bottle: -561.0}, bottle_at, hand_g=120.0)
    echoes = ((bag - 1, 4.0, bag_at), (bag + 3, -4.0, bag_at), (bottle - 1, -8.0, bottle_at),
              (bottle + 1, -7.0, bottle_at))  # fmt: skip
    for plate, gain, at in echoes:
        log.x[:, plate] += gain * (log.t >= at)
    log.finish(steps_g=rng.choice([0.1, 1.0], 348))
    return log


def plain_store(seed: int, noise: str, *, rate_hz: float = 60.0) -> PlateStory:
    """The same store as somebody else would sketch it: steps at once, leaning as plain noise.

    `noise` is "white", "tailed" (Student's t), "pink" (1/f) or "hum" (slow and fast sines).
    """
    rng = np.random.default_rng([seed, 73])
    plates, count = 348, round(34.0 * rate_hz)
    t = np.arange(count) / rate_hz
    sd = np.clip(np.exp(rng.normal(np.log(1.05), 1.23, plates)), 0.05, 20.0)
    if noise == "white":
        x = rng.normal(size=(count, plates))
    elif noise == "tailed":
        x = rng.standard_t(2.5, size=(count, plates)) / 2.0
    elif noise == "pink":
        hertz = np.fft.rfftfreq(count, 1.0)
        hertz[0] = hertz[1]
        waves = rng.normal(size=(len(hertz), plates)) + 1j * rng.normal(size=(len(hertz), plates))
        x = np.fft.irfft(waves / np.sqrt(hertz)[:, None], count, axis=0)
        x /= x.std(axis=0)
    else:
        hertz, phase = rng.uniform(0.2, 8.0, plates), rng.uniform(0.0, 6.3, plates)
        x = 1.3 * np.sin(2 * np.pi * hertz * t[:, None] + phase)
        x += 0.3 * rng.normal(size=(count, plates))
    x = x * sd + rng.uniform(-0.1, 0.1, plates) * t[:, None] + rng.uniform(-5000, 20_000, plates)
    where = np.arange(plates) * 5 // plates
    names = _names("words" if seed % 2 else "flat", where, plates, rng)
    log = PlateStory(rng, names, where, t, x, sd)
    bag_at, bottle_at = rng.uniform(8.0, 13.0), rng.uniform(22.0, 27.0)
    bag, bottle = int(rng.integers(3, 60)), int(rng.integers(145, 200))
    for gondola, begin, end in ((2, 4.0, 6.0), (int(rng.integers(5)), 18.0, 19.5),
                                (0, bag_at - 1.0, bag_at + 0.7),
                                (2, bottle_at - 0.8, bottle_at + 0.5)):  # fmt: skip
        members = rng.permutation(np.flatnonzero(where == gondola))[:45]
        inside = np.flatnonzero((t >= begin) & (t < end))
        loud = 25.0 * np.exp(rng.normal(0.0, 0.55, 45))
        x[np.ix_(inside, members)] += rng.normal(size=(len(inside), 45)) * loud
        x[np.ix_(inside, members)] += rng.normal(0, 40, 45) * (rng.random() < 0.5)
        log.shaken.append((gondola, begin, end))
    for at, gains, echoes in (
        (bag_at, {bag: -57.0, bag + 1: -25.0, bag + 2: -18.0}, {bag - 1: 4.0, bag + 3: -4.0}),
        (bottle_at, {bottle: -561.0}, {bottle - 1: -8.0, bottle + 1: -7.0}),
    ):
        for plate, gain in {**gains, **echoes}.items():
            x[t >= at, plate] += gain
        log.happened.append(Happened(float(at), 0.0, gains))
    log.finish(steps_g=np.full(plates, 0.1))
    return log


def varied(seed: int, hardness: float) -> PlateStory:
    """A log of any shape; `hardness` 0 to 1 turns up everything that makes it hard."""
    rng = np.random.default_rng([seed, 72])
    gondolas = int(rng.integers(1, 6))
    plates = gondolas * int(rng.integers(8, 72))
    rate_hz = float(rng.choice([5, 10, 20, 30, 60, 60, 60, 100, 200]))
    seconds = float(rng.uniform(25, 70)) if rate_hz < 90 else float(rng.uniform(20, 30))
    log = story(
        seed, gondolas=gondolas, plates=plates, seconds=seconds, rate_hz=rate_hz,
        jitter=float(rng.choice([0.0, 0.0, 0.3, 1.0])), drift=1.0 + 9.0 * hardness * rng.random(),
        style=str(rng.choice(["1_2_3", "words", "flat", "serial"])),
        noise_g=float(rng.uniform(0.5, 1.05 + hardness)), spread=float(rng.uniform(0.6, 1.3)),
    )  # fmt: skip
    _shop(log, rng, hardness)
    for _ in range(int(rng.poisson(1 + 5 * hardness))):
        lean = float(rng.uniform(5, 40)) if rng.random() < 0.3 * (1 + hardness) else 0.0
        log.shake(
            int(rng.integers(gondolas)), float(rng.uniform(-1.0, log.length_s)),
            float(rng.uniform(0.4, 1.0 + 4.0 * hardness)),
            float(rng.uniform(5, 15 + 30 * hardness)),
            lean_kg=lean, left_g=1.5 * hardness * float(rng.random() < 0.5),
        )  # fmt: skip
    for _ in range(int(rng.poisson(4 * hardness))):
        begin = float(rng.uniform(0, log.length_s))
        plate = int(rng.integers(plates))
        log.press(plate, begin, begin + rng.uniform(0.3, 2.5), rng.uniform(30, 600))
    log.finish(steps_g=rng.choice([0.1, 0.5, 1.0, 2.0], plates))
    _spoil(log, rng, hardness)
    return log


def _shop(log: PlateStory, rng: np.random.Generator, hardness: float) -> None:
    """Picks and put-backs, with at least a second and a half between them."""
    at, plates = float(rng.uniform(2.5, 5.0)), len(log.names)
    out: list[tuple[dict[int, float], float]] = []
    while at < log.length_s - 3.0:
        takes_s = float(rng.uniform(0.08, 0.4))
        if rng.random() < 0.15 * hardness:
            takes_s = float(rng.uniform(1.5, 5.0))
        if out and rng.random() < 0.3:
            gains = {p: -g for p, g in out.pop(int(rng.integers(len(out))))[0].items()}
        else:
            first, wide = int(rng.integers(plates)), int(rng.choice([1, 1, 1, 2, 3]))
            members = [p for p in range(first, min(first + wide, plates))
                       if log.gondola[p] == log.gondola[first]]  # fmt: skip
            parts = rng.dirichlet(np.full(len(members), 3.0)) if len(members) > 1 else [1.0]
            weight = float(np.exp(rng.uniform(np.log(50 - 20 * hardness), np.log(1500))))
            weight *= float(rng.normal(1.0, 0.015))
            gains = {p: -weight * s for p, s in zip(members, parts, strict=True)}
            out.append((gains, at))
        end = at + takes_s
        if end > log.length_s - 2.0:
            return
        log.change(
            gains, at + takes_s / 2, takes_s=takes_s, hand_g=float(rng.uniform(0, 150)),
            echo=float(rng.uniform(0, 0.03)), creep=float(rng.uniform(0, 0.05 * hardness)),
        )  # fmt: skip
        at = end + float(rng.exponential(8.0 - 4.0 * hardness)) + 1.5


def _spoil(log: PlateStory, rng: np.random.Generator, hardness: float) -> None:
    """Faults of plates that nothing was taken from, and readings that are missing."""
    touched = {p for one in log.happened for p in one.gains}
    free = [p for p in range(len(log.names)) if p not in touched]
    rng.shuffle(free)
    for plate in free[: int(len(free) * 0.06 * hardness) + 1]:
        kind = int(rng.integers(6))
        begin, end = np.sort(rng.integers(0, len(log.t), 2))
        if kind == 0:
            log.x[:, plate] = np.nan
        elif kind == 1:
            log.x[:, plate] = float(rng.choice([0.0, 4095.0, -1.0]))
        elif kind == 2:
            log.x[begin:end, plate] = log.x[begin, plate]
        elif kind == 3:
            log.x[begin:end, plate] = 0.0
        elif kind == 4:
            log.x[begin:end, plate] = np.nan
        else:
            hit = rng.random(len(log.t)) < 0.003
            log.x[hit, plate] += rng.choice([-1, 1], int(hit.sum())) * rng.uniform(200, 5000)
    log.x[rng.random(log.x.shape) < 0.01 * hardness * rng.random()] = np.nan
    if rng.random() < 0.3 * hardness:
        gap = float(rng.uniform(1.0, log.length_s - 1.0))
        kept = (log.t < gap) | (log.t > gap + rng.uniform(0.2, 1.0))
        log.t, log.x = log.t[kept], log.x[kept]


def matched(
    log: PlateStory, found: list[tuple[float, tuple[str, ...], float]]
) -> tuple[int, int, int]:
    """Right, false and missed events.

    An event is right if it comes while the weight moves, or while the gondola that it moves on is
    being shaken, or within 0.7 s of that, names the plate that changed most, and weighs within 10 %
    and what the noise of its plates allows.
    """
    left, right = list(found), 0
    for one in log.happened:
        biggest = max(one.gains, key=lambda plate: abs(one.gains[plate]))
        begin_s, end_s = one.t_s - one.takes_s / 2, one.t_s + one.takes_s / 2
        for gondola, first_s, last_s in sorted(log.shaken, key=lambda span: span[1]):
            if gondola == log.gondola[biggest] and first_s < end_s + 0.5 and last_s > begin_s - 0.5:
                begin_s, end_s = min(begin_s, first_s), max(end_s, last_s)
        slack = 0.1 * abs(one.delta_g) + 4.0 + 1.5 * sum(log.sd[p] for p in one.gains)
        for event in left:
            t_s, names, delta = event
            if (
                begin_s - 0.7 <= t_s <= end_s + 0.7
                and log.names[biggest] in names
                and abs(delta - one.delta_g) <= slack
            ):
                left.remove(event)
                right += 1
                break
    return right, len(left), len(log.happened) - right
