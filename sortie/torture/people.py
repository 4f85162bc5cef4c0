"""Shoppers with a ground truth: where they walk, what they truly take, and what they must pay.

A crowd is planned ahead from one source of random numbers, so that no fault changes what people
do. Never do two stand before one bay within GAP_S, and they come in one by one: who took what is
clear to anybody who knows the time to a second or two.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from sortie.torture.shop import BAYS, CORRIDOR_Y_M, ENTRY_M, EXIT_X_M, Place, places

__all__ = ["Act", "Shopper", "acts_of", "crowd", "sha256", "token_of"]

GAP_S = 6.0
BETWEEN_S = (2.5, 5.5)
SPEED_M_S = 1.6
ACT_S = 1.0
CLEAR_SHARE = 0.95
PUT_BACK_SHARE = 0.2
DECLINED_SHARE = 0.04
LEAVES_EMPTY_SHARE = 0.08


def sha256(text: str) -> str:
    """The hash that a secret is known by."""
    return hashlib.sha256(text.encode()).hexdigest()


def token_of(one: Shopper) -> str:
    """The hash of the token that a shopper's phone draws."""
    return sha256(f"token {one.number}")


@dataclass(slots=True)
class Act:
    """A hand at a shelf: `quantity` 1 was taken, -1 put back. `told`: the reach a node stored of
    it, None while none did."""

    place: Place
    quantity: int
    clear: bool
    t_in_s: float
    t_out_s: float
    told: str | None = None


@dataclass(slots=True)
class Shopper:
    """One person. `path` holds (t_s, x_m, y_m); `dim` says why the receipt is not fully known.
    `way` is how they come in, `scanned` whether a node stored that their code was read."""

    number: int
    payer: str | None
    scan_s: float
    path: list[tuple[float, float, float]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    code: str = ""
    visit_id: str | None = None
    turned_away: bool = False
    dim: str = ""
    track_id: str | None = None
    way: str = "code"
    scanned: bool = False

    @property
    def exit_s(self) -> float:
        """When the shopper is gone."""
        return self.path[-1][0]

    def at(self, t_s: float) -> tuple[float, float] | None:
        """Where the shopper is; None outside."""
        path = self.path
        if not path[0][0] <= t_s <= path[-1][0]:
            return None
        for (t0, x0, y0), (t1, x1, y1) in pairwise(path):
            if t0 <= t_s <= t1:
                part = (t_s - t0) / max(t1 - t0, 1e-9)
                return x0 + part * (x1 - x0), y0 + part * (y1 - y0)
        return path[-1][1:]

    def expected(self) -> tuple[Counter[str], Counter[str]]:
        """What the receipt must and what it may hold, of what nodes stored: GTIN to pieces.

        A piece put back that nobody was seen taking need not come off: whoever takes it again
        has it.
        """
        must: Counter[str] = Counter()
        may: Counter[str] = Counter()
        for act in self.acts:
            if act.told is None:
                continue
            if act.quantity > 0 or may[act.place.gtin] > 0:
                may[act.place.gtin] += act.quantity
            if act.clear:
                must[act.place.gtin] += act.quantity
        return +must, +may


def crowd(random: Random, begin_s: float, end_s: float, *, bays_max: int = 3) -> list[Shopper]:
    """Everybody who comes between two times, and goes to so many bays at most."""
    free_s: dict[str, float] = dict.fromkeys(BAYS, 0.0)
    made: list[Shopper] = []
    t_s = begin_s
    while t_s < end_s:
        made.append(_planned(random, len(made), t_s, free_s, bays_max))
        t_s += round(random.uniform(*BETWEEN_S), 3)
    return made


def _planned(
    random: Random, number: int, t_s: float, free_s: dict[str, float], bays_max: int
) -> Shopper:
    declined = random.random() < DECLINED_SHARE
    payer = f"declined-{number}" if declined else random.choice((None, f"payer-{number}"))
    shopper = Shopper(number, payer, round(t_s + 0.6, 3))
    walk = _Walk(t_s, *ENTRY_M)
    walk.wait(1.4)
    if not declined and random.random() > LEAVES_EMPTY_SHARE:
        held: Counter[str] = Counter()
        for bay_id in random.sample(BAYS, random.randint(1, bays_max)):
            _shop(random, shopper, walk, bay_id, held, free_s)
    walk.to(walk.x_m, CORRIDOR_Y_M)
    walk.to(EXIT_X_M, CORRIDOR_Y_M)
    walk.to(EXIT_X_M, 0.05)
    shopper.path = walk.points
    return shopper


def _shop(
    random: Random,
    shopper: Shopper,
    walk: _Walk,
    bay_id: str,
    held: Counter[str],
    free_s: dict[str, float],
) -> None:
    here = [place for place in places() if place.bay_id == bay_id]
    walk.to(walk.x_m, CORRIDOR_Y_M)
    walk.to(here[0].x_m, CORRIDOR_Y_M)
    walk.wait(max(0.0, free_s[bay_id] + GAP_S - walk.t_s))
    for _ in range(random.randint(1, 3)):
        backs = [place for place in here if held[place.gtin] > 0]
        back = bool(backs) and random.random() < PUT_BACK_SHARE
        place = random.choice(backs if back else here)
        walk.to(place.x_m, place.y_m)
        walk.wait(0.5)
        act = Act(
            place,
            -1 if back else 1,
            back or random.random() < CLEAR_SHARE,
            round(walk.t_s, 3),
            round(walk.t_s + ACT_S, 3),
        )
        if act.clear:
            held[place.gtin] += act.quantity
        shopper.acts.append(act)
        walk.wait(ACT_S + 0.6)
    free_s[bay_id] = walk.t_s


class _Walk:
    def __init__(self, t_s: float, x_m: float, y_m: float) -> None:
        self.t_s, self.x_m, self.y_m = t_s, x_m, y_m
        self.points = [(t_s, x_m, y_m)]

    def to(self, x_m: float, y_m: float) -> None:
        """Walks straight there."""
        self.t_s += math.dist((self.x_m, self.y_m), (x_m, y_m)) / SPEED_M_S
        self.x_m, self.y_m = x_m, y_m
        self.points.append((self.t_s, x_m, y_m))

    def wait(self, for_s: float) -> None:
        """Stands still."""
        self.t_s += for_s
        self.points.append((self.t_s, self.x_m, self.y_m))


def acts_of(shoppers: list[Shopper], node_id: str) -> Iterator[Act]:
    """The acts that a node's sensors see, in order."""
    found = [act for one in shoppers for act in one.acts if act.place.node_id == node_id]
    yield from sorted(found, key=lambda act: act.t_in_s)
