"""The world: a clock, shelves, shoppers, gates. Everything follows from store, scenario and seed.

>>> from pathlib import Path
>>> from contracts.store_file import load_store_file
>>> from store_sim.scenarios import build
>>> store = load_store_file(Path("store_sim/stores/demo.yaml"))
>>> world = World(store, build("easy-one", store, seed=1, shoppers=1), seed=1, phone=str)
>>> scene = world.advance(12.0)
>>> len(scene.bodies)
1

The world runs in ticks of 1/60 s. What sensors may know leaves it as a Scene (drawn by the
renderer), as plate loads (read by PlateBank) and as gate scans; `take_finished` gives the truth,
which goes to the auditor alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from hardware.ports import GateScan
from store_sim.errors import WorldError
from store_sim.scene import Scene
from store_sim.truth import Action, ActionKind, TruthVisit
from store_sim.world.anatomy import frame_of, sample_appearance
from store_sim.world.crowd import Ground, step_walkers
from store_sim.world.gates import SPAWN_M, gateway_of
from store_sim.world.loads import PlateLoads
from store_sim.world.perform import perform
from store_sim.world.scenario import Scenario, VisitPlan
from store_sim.world.shopper import Shopper
from store_sim.world.stock import Item, SlotPlace, Stock
from store_sim.world.verbs import Enter

__all__ = ["LOADS_MAX", "TICK_HZ", "PlateLoads", "World"]

TICK_HZ = 60
LOADS_MAX = 60 * 120
"""Ticks of plate loads kept until they are taken (two minutes); older ones are dropped."""
SCANS_MAX = 256
FINISHED_MAX = 4096
SPOT_M = 0.64
"""Two shoppers choose places to stand at least this far apart."""
NIGHT_S = 8.0
"""How long the store of a looping scenario is empty between two days."""


@dataclass(frozen=True, slots=True)
class _Press:
    begin_s: float
    end_s: float
    shares: tuple[tuple[int, float], ...]
    strength_g: float


class World:
    """A store with its shoppers. Driven by `advance`; deterministic by (store, scenario, seed)."""

    def __init__(
        self,
        store: StoreFile,
        scenario: Scenario,
        seed: int,
        phone: Callable[[int], str | None] | None = None,
        *,
        doors_open: bool = True,
    ) -> None:
        """`phone(shopper)` gives a shopper's entry code when it is asked, None while there is
        none yet; without it codes come by `provide_code`. With `doors_open=False` nobody comes,
        and the first day does not begin, before `open_doors`."""
        self.store = store
        self.scenario = scenario
        self.seed = seed
        self.stock = Stock(store, self._rng(1, 0))
        self.ground = Ground(store)
        self.restocked_at_s: list[float] = []
        self._phone = phone
        self._codes: dict[int, str] = {}
        self._refused: set[int] = set()
        self._tick = 0
        self._day = 0
        self._day_began_s = 0.0
        self._doors_open = doors_open
        self._plans = scenario.day(0)
        self._next_plan = 0
        self._next_shopper = 0
        self._empty_since_s: float | None = None
        self._shoppers: list[Shopper] = []
        self._gate_users: dict[str, int] = {}
        self._reserved: dict[int, int] = {}
        self._blocked: dict[int, tuple[str, int]] = {}
        self._presses: list[_Press] = []
        self._no_push = np.zeros(len(store.plates))
        self._loads: deque[tuple[float, NDArray[np.float64], NDArray[np.float64]]] = deque(
            maxlen=LOADS_MAX
        )
        self._scans: deque[GateScan] = deque(maxlen=SCANS_MAX)
        self._finished: deque[TruthVisit] = deque(maxlen=FINISHED_MAX)
        self._scene: Scene | None = None

    # -- driving

    @property
    def t_s(self) -> float:
        """Store seconds since the world began."""
        return self._tick / TICK_HZ

    @property
    def finished(self) -> bool:
        """Whether the last shopper has left; never for a scenario that loops."""
        done = self._next_plan >= len(self._plans) and not self._shoppers
        return done and not self.scenario.loops

    def advance(self, t_s: float) -> Scene:
        """Runs up to the last tick not after `t_s` and returns what there is to see then."""
        tick = math.floor(t_s * TICK_HZ + 1e-6)
        if tick < self._tick:
            raise WorldError(f"expected a time from {self.t_s} s on, got {t_s}; worlds run forward")
        while self._tick < tick:
            self._one_tick()
        return self.scene()

    def step(self, dt_s: float) -> Scene:
        """Runs on by `dt_s`, rounded to whole ticks (at least one)."""
        for _ in range(max(1, round(dt_s * TICK_HZ))):
            self._one_tick()
        return self.scene()

    def open_doors(self) -> None:
        """The first day begins now, if it has not begun."""
        if not self._doors_open:
            self._doors_open = True
            self._day_began_s = self.t_s

    def scene(self) -> Scene:
        """What there is to see now."""
        if self._scene is None:
            bodies, loose = [], []
            for shopper in self._shoppers:
                pose = shopper.pose()
                bodies.append(pose)
                loose.extend(shopper.held_items(pose, self.t_s))
            self._scene = Scene(
                self.t_s, tuple(bodies), tuple(loose), self.stock.shelf_items(), self.stock.version
            )
        return self._scene

    # -- the phones

    def waiting_for_code(self) -> tuple[int, ...]:
        """Shoppers on their way to the gate who have no code yet."""
        return tuple(
            shopper.index
            for shopper in self._shoppers
            if shopper.index not in self._codes and shopper.truth.entered_s is None
        )

    def provide_code(self, shopper: int, code: str) -> None:
        """The phone of a shopper now shows this code; before the shopper comes is fine too."""
        if shopper < 0:
            raise WorldError(f"expected a shopper's index from 0 on, got {shopper}")
        self._codes[shopper] = code

    def refuse_entry(self, shopper: int) -> None:
        """The gate stays shut for a shopper who has scanned; the shopper goes away."""
        self._refused.add(shopper)

    # -- what sensors and the auditor get

    def take_scans(self) -> tuple[GateScan, ...]:
        """Codes shown at gates since the last call."""
        scans = tuple(self._scans)
        self._scans.clear()
        return scans

    def take_loads(self) -> PlateLoads:
        """Loads of all ticks since the last call (the newest LOADS_MAX)."""
        rows = list(self._loads)
        self._loads.clear()
        plates = len(self.store.plates)
        if not rows:
            none = np.zeros((0, plates))
            return PlateLoads(np.zeros(0), none, none)
        return PlateLoads(
            np.array([row[0] for row in rows]),
            np.stack([row[1] for row in rows]),
            np.stack([row[2] for row in rows]),
        )

    def take_finished(self) -> tuple[TruthVisit, ...]:
        """Truth: visits that ended since the last call. For the auditor alone."""
        visits = tuple(self._finished)
        self._finished.clear()
        return visits

    # -- what performers ask and tell

    def claim_spot(self, shopper: Shopper, x: float, y: float) -> bool:
        """Takes a place to stand if nobody stands there or is on the way there."""
        if not (self.ground.clear(x, y) and self.ground.indoors(x, y)):
            return False
        for other in self._shoppers:
            if other is shopper:
                continue
            spot = other.spot
            if spot is not None and math.hypot(spot[0] - x, spot[1] - y) < SPOT_M:
                return False
            idle = other.goal is None and spot is None
            if idle and math.hypot(other.x - x, other.y - y) < SPOT_M:
                return False
        shopper.spot = (x, y)
        return True

    def leave_spot(self, shopper: Shopper) -> None:
        """Gives the place back."""
        shopper.spot = None

    def reserve(self, shopper: Shopper, item: Item) -> bool:
        """Whether this shopper's hand is the one that goes for the item."""
        owner = self._reserved.setdefault(item.index, shopper.index)
        return owner == shopper.index

    def block(self, shopper: Shopper, column: tuple[str, int] | None) -> None:
        """Keeps others from a column into which an item is being put; None lets go."""
        if column is None:
            self._blocked.pop(shopper.index, None)
        else:
            self._blocked[shopper.index] = column

    def is_blocked(self, shopper: Shopper, column: tuple[str, int]) -> bool:
        """Whether another hand is busy in the column."""
        if any(c == column for index, c in self._blocked.items() if index != shopper.index):
            return True
        front = self.stock.front(*column)
        owner = None if front is None else self._reserved.get(front.index)
        return owner is not None and owner != shopper.index

    def press(self, place: SlotPlace, u_m: float, strength_g: float, seconds: float) -> None:
        """A hand presses on the board at `u_m` for a while."""
        width = place.product.packaging.width_m
        shares = tuple(self.stock.shares(place.board.board_id, u_m, width))
        self._presses.append(_Press(self.t_s, self.t_s + seconds, shares, strength_g))

    def record(
        self,
        shopper: Shopper,
        kind: ActionKind,
        place: SlotPlace,
        u_m: float,
        item: Item | None,
        hand: str,
    ) -> None:
        """Notes in the truth what a hand did."""
        if item is not None:
            self._reserved.pop(item.index, None)
        shopper.truth.actions.append(
            Action(
                round(self.t_s, 4),
                kind,
                place.slot.slot_id,
                place.bay.bay_id,
                place.board.board_id,
                round(u_m, 4),
                place.product.gtin,
                None if item is None else item.index,
                "l" if hand == "l" else "r",
            )
        )

    def code_of(self, shopper: int) -> str | None:
        """The code on a shopper's phone, asked from the phone if there is none yet."""
        if shopper not in self._codes and self._phone is not None:
            code = self._phone(shopper)
            if code is not None:
                self._codes[shopper] = code
        return self._codes.get(shopper)

    def scan(self, gate_id: str, shopper: Shopper, code: str) -> None:
        """A shopper shows a code to the gate."""
        shopper.truth.code = code
        shopper.truth.entered_s = self.t_s
        self._scans.append(GateScan(gate_id, self.t_s, code))

    def is_refused(self, shopper: int) -> bool:
        """Whether the gate stays shut for a shopper."""
        return shopper in self._refused

    def open_gate(self, gate_id: str) -> None:
        """The next one may come to the gate."""
        self._gate_users.pop(gate_id, None)

    # -- time

    def _one_tick(self) -> None:
        self._tick += 1
        self._scene = None
        self._arrive()
        dt_s = 1.0 / TICK_HZ
        for shopper in self._shoppers:
            if next(shopper.performance, StopIteration) is StopIteration:
                shopper.gone = True
        step_walkers(self._shoppers, self.ground, dt_s)
        for shopper in self._shoppers:
            shopper.relax(dt_s)
        if any(shopper.gone for shopper in self._shoppers):
            self._depart()
        self._loads.append((self.t_s, self.stock.grams, self._push()))

    def _push(self) -> NDArray[np.float64]:
        if not self._presses:
            return self._no_push
        push = np.zeros(len(self.store.plates))
        for press in self._presses:
            share = (self.t_s - press.begin_s) / max(1e-3, press.end_s - press.begin_s)
            level = press.strength_g * math.sin(math.pi * min(1.0, max(0.0, share)))
            for row, part in press.shares:
                push[row] += part * level
        self._presses = [press for press in self._presses if press.end_s > self.t_s]
        return push

    def _arrive(self) -> None:
        if not self._doors_open:
            return
        if self._next_plan >= len(self._plans):
            if self.scenario.loops and not self._shoppers:
                self._next_day()
            return
        plan = self._plans[self._next_plan]
        if self.t_s - self._day_began_s < plan.not_before_s:
            return
        if len(self._shoppers) >= self.scenario.at_most:
            return
        first = plan.verbs[0]
        way = gateway_of(self.store, "entry", first.gate_id if isinstance(first, Enter) else None)
        if way.gate.gate_id in self._gate_users:
            return
        self._gate_users[way.gate.gate_id] = self._next_shopper
        self._shoppers.append(self._newcomer(plan, *way.point(-SPAWN_M), way.heading_rad))
        self._next_plan += 1
        self._next_shopper += 1

    def _newcomer(self, plan: VisitPlan, x: float, y: float, heading: float) -> Shopper:
        index = self._next_shopper
        looks = self._rng(2, index if plan.look_seed is None else 1_000_000 + plan.look_seed)
        appearance = sample_appearance(looks)
        rng = self._rng(3, index)
        shopper = Shopper(
            index=index,
            plan=plan,
            appearance=appearance,
            frame=frame_of(appearance),
            rng=rng,
            truth=TruthVisit(index),
            x=x,
            y=y,
            heading=heading,
            pace_m_s=float(rng.uniform(0.8, 1.2)),
            performance=iter(()),
        )
        shopper.performance = self._perform(shopper)
        return shopper

    def _perform(self, shopper: Shopper) -> Iterator[None]:
        for verb in shopper.plan.verbs:
            if shopper.gone:
                return
            yield from perform(self, shopper, verb)

    def _depart(self) -> None:
        for shopper in self._shoppers:
            if not shopper.gone:
                continue
            self._reserved = {i: o for i, o in self._reserved.items() if o != shopper.index}
            self._blocked.pop(shopper.index, None)
            self._codes.pop(shopper.index, None)
            self._refused.discard(shopper.index)
            if shopper.truth.entered_s is not None:
                self._finished.append(shopper.truth)
        self._shoppers = [shopper for shopper in self._shoppers if not shopper.gone]

    def _next_day(self) -> None:
        if self._empty_since_s is None:
            self._empty_since_s = self.t_s
        began_s = max(self._empty_since_s + NIGHT_S, self._day_began_s + self.scenario.day_s)
        if self.t_s < began_s:
            return
        self._empty_since_s = None
        self._day += 1
        self._day_began_s = self.t_s
        self._plans, self._next_plan = self.scenario.day(self._day), 0
        self.stock.fill()
        self.restocked_at_s.append(self.t_s)

    def _rng(self, stream: int, index: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, stream, index]))
