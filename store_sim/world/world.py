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

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from hardware.ports import GateScan
from store_sim.dials import Dials, Mishap
from store_sim.errors import ScenarioError, WorldError
from store_sim.gate_faults import GateReader
from store_sim.scene import ItemPose, Scene
from store_sim.truth import Action, ActionKind, Traces, TruthVisit
from store_sim.world.anatomy import frame_of
from store_sim.world.crowd import PERSONAL_SPACE_M, Ground, step_walkers
from store_sim.world.debts import Debts
from store_sim.world.doors import Doors
from store_sim.world.gates import SPAWN_M, gateway_of
from store_sim.world.loads import PlateLoads
from store_sim.world.outfits import dressed
from store_sim.world.people import People
from store_sim.world.perform import perform
from store_sim.world.presses import Presses
from store_sim.world.scenario import Scenario, VisitPlan
from store_sim.world.shopper import Shopper
from store_sim.world.staff import StaffWork
from store_sim.world.stock import Item, SlotPlace, Stock
from store_sim.world.traces import Tracer
from store_sim.world.verbs import Enter, Scripted, Verb

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
MISHAPS_MAX = 256


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
        dials: Dials | None = None,
    ) -> None:
        """`phone(shopper)` gives a shopper's entry code, or staff's badge, None while there is none
        yet; without it codes come by `provide_code`. With `doors_open=False` nobody comes, and the
        first day does not begin, before `open_doors`. No `dials`: the scenario's."""
        self.store = store
        self.scenario = scenario
        self.seed = seed
        self.dials = scenario.dials if dials is None else dials
        self.stock = Stock(
            store,
            self._rng(1, 0),
            shelves=scenario.shelves,
            weight_sd=self.dials.plates.pack_weight_sd,
        )
        self.ground = Ground(store)
        self.doors = Doors(store)
        self.meetings: dict[str, set[int]] = {}
        self.floor_items: dict[int, tuple[Item, ItemPose]] = {}
        self.staff = StaffWork()
        self.space_m = scenario.space_or(PERSONAL_SPACE_M)
        self._spot_m = SPOT_M * self.space_m / PERSONAL_SPACE_M
        self._tracer = Tracer(store)
        self._mishaps: list[Mishap] = []
        self._debts = Debts()
        self._phone = phone
        self._codes: dict[int, str] = {}
        self._shown: dict[int, str] = {}
        self._refused: set[int] = set()
        self._tick = 0
        self._day = 0
        self._day_began_s = 0.0
        self._doors_open = doors_open
        self._plans = scenario.day(0)
        self._next_plan = 0
        self._next_shopper = 0
        self._admitted: list[VisitPlan] = []
        self._empty_since_s: float | None = None
        self._shoppers: list[Shopper] = []
        self.people = People(self._shoppers)
        self._gate_users: dict[str, int] = {}
        self._reserved: dict[int, int] = {}
        self._blocked: dict[int, tuple[str, int]] = {}
        self._presses = Presses(len(store.plates))
        self._loads: deque[tuple[float, NDArray[np.float64], NDArray[np.float64]]] = deque(
            maxlen=LOADS_MAX
        )
        self._scans: deque[GateScan] = deque(maxlen=SCANS_MAX)
        self._reader = GateReader(self.dials.gates, seed)
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
        done = self._next_plan >= len(self._plans) and not self._shoppers and not self._admitted
        return done and not self.scenario.loops

    def advance(self, t_s: float) -> Scene:
        """Runs up to the last tick not after `t_s` and returns what there is to see then."""
        self.run_to(t_s)
        return self.scene()

    def run_to(self, t_s: float) -> None:
        """Runs up to the last tick not after `t_s`; nobody looks."""
        tick = math.floor(t_s * TICK_HZ + 1e-6)
        if tick < self._tick:
            raise WorldError(f"expected a time from {self.t_s} s on, got {t_s}; worlds run forward")
        while self._tick < tick:
            self._one_tick()

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
            loose.extend(pose for _, pose in self.floor_items.values())
            self._scene = Scene(
                self.t_s,
                tuple(bodies),
                tuple(loose),
                self.stock.shelf_items(),
                self.stock.version,
                self.doors.poses(),
            )
        return self._scene

    # -- the phones

    def waiting_for_code(self, *, own: bool = False) -> tuple[int, ...]:
        """Who comes to the gate without a code yet; `own`: with what their phone shows then."""
        return tuple(
            shopper.index
            for shopper in self._shoppers
            if shopper.truth.entered_s is None and (shopper.index in self._codes) == own
            if not own or (shopper.plan.code == "own" and not shopper.plan.staff)
        )

    def provide_code(self, shopper: int, code: str) -> None:
        """A shopper's phone now shows this code; before the shopper comes is fine too."""
        if shopper < 0:
            raise WorldError(f"expected a shopper's index from 0 on, got {shopper}")
        self._codes[shopper] = code

    def refuse_entry(self, shopper: int) -> None:
        """The gate stays shut for a shopper who has scanned; the shopper goes away."""
        self._refused.add(shopper)

    def refuse_gate(self, gate_id: str) -> None:
        """The gate stays shut for whoever has just shown a code there."""
        user = self._gate_users.get(gate_id)
        if user is not None and not self.is_reading(gate_id):
            self._refused.add(user)

    # -- what comes from outside while the store is open

    def admit(self, plan: VisitPlan) -> int:
        """Somebody who is in no day's plan comes now; returns the shopper's index. The verbs may
        be any iterable: the next one is asked for when the last is done."""
        self._admitted.append(plan)
        return self._next_shopper + len(self._admitted) - 1

    def tamper(self, mishap: Mishap) -> None:
        """Something happens to a device (the newest MISHAPS_MAX are kept)."""
        self._mishaps = [one for one in self._mishaps if one.end_s > self.t_s][-MISHAPS_MAX:]
        self._mishaps.append(mishap)

    def tampering(self) -> tuple[Mishap, ...]:
        """What is wrong with devices now: by the dials, and by what shoppers did."""
        everything = (*self.dials.mishaps, *self._mishaps)
        return tuple(one for one in everything if one.begin_s <= self.t_s < one.end_s)

    # -- what sensors and the auditor get

    def take_scans(self) -> tuple[GateScan, ...]:
        """Codes shown at gates since the last call."""
        now_s = self.t_s + 1e-9
        scans = tuple(scan for scan in self._scans if scan.t_s <= now_s)
        later = [scan for scan in self._scans if scan.t_s > now_s]
        self._scans.clear()
        self._scans.extend(later)
        return scans

    def take_loads(self) -> PlateLoads:
        """Loads of all ticks since the last call (the newest LOADS_MAX)."""
        rows = list(self._loads)
        self._loads.clear()
        return PlateLoads.of(rows, len(self.store.plates))

    def take_finished(self) -> tuple[TruthVisit, ...]:
        """Truth: visits that ended since the last call. For the auditor alone."""
        visits = tuple(self._finished)
        self._finished.clear()
        return visits

    def take_traces(self) -> Traces:
        """Truth: reaches, plate steps and track points since the last call."""
        return self._tracer.take()

    # -- what performers ask and tell

    def claim_spot(self, shopper: Shopper, x: float, y: float) -> bool:
        """Takes a place to stand if nobody stands there or is on the way there."""
        if not (self.ground.clear(x, y) and self.ground.indoors(x, y)):
            return False
        for other in self._shoppers:
            if other is shopper:
                continue
            spot = other.spot
            if spot is not None and math.hypot(spot[0] - x, spot[1] - y) < self._spot_m:
                return False
            idle = other.goal is None and spot is None
            if idle and math.hypot(other.x - x, other.y - y) < self._spot_m:
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

    def let_go(self, shopper: Shopper, item: Item) -> None:
        """The hand that went for the item leaves it where it is."""
        if self._reserved.get(item.index) == shopper.index:
            del self._reserved[item.index]

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
        self._presses.add(self.t_s, seconds, shares, strength_g)

    def record(
        self,
        shopper: Shopper,
        kind: ActionKind,
        place: SlotPlace | None,
        u_m: float,
        item: Item | None,
        hand: str,
        other: int | None = None,
    ) -> None:
        """Notes in the truth what a hand did, and who owes for the item from now on."""
        if item is not None:
            self._reserved.pop(item.index, None)
            self._debts.moved(shopper, kind, item)
            self.staff.did(shopper, kind, place, item)
        thing = place if item is None else item
        shopper.truth.actions.append(
            Action(
                round(self.t_s, 4),
                kind,
                "" if place is None else place.slot.slot_id,
                "" if place is None else place.bay.bay_id,
                "" if place is None else place.board.board_id,
                round(u_m, 4),
                "" if thing is None else thing.product.gtin,
                None if item is None else item.index,
                "l" if hand == "l" else "r",
                other,
            )
        )

    def code_of(self, shopper: int) -> str | None:
        """The code on a shopper's phone, asked from the phone if there is none yet."""
        if shopper not in self._codes and self._phone is not None:
            code = self._phone(shopper)
            if code is not None:
                self._codes[shopper] = code
        return self._codes.get(shopper)

    def shown_code(self, shopper: int) -> str | None:
        """The code that a shopper has shown at a gate, None before."""
        return self._shown.get(shopper)

    def scan(self, gate_id: str, shopper: Shopper, code: str) -> None:
        """A shopper shows a code to the gate."""
        self._shown[shopper.index] = code
        shopper.truth.code = code
        self.staff.came(shopper)
        shopper.truth.entered_s = self.t_s
        for t_s, read in self._reader.read(GateScan(gate_id, self.t_s, code)):
            self._scans.append(GateScan(gate_id, t_s, read))

    def is_reading(self, gate_id: str) -> bool:
        """Whether the gate's reader, which has misread, will read once more."""
        return any(scan.gate_id == gate_id and scan.t_s > self.t_s for scan in self._scans)

    def is_refused(self, shopper: int) -> bool:
        """Whether the gate stays shut for a shopper."""
        return shopper in self._refused

    def open_gate(self, gate_id: str, shopper: Shopper) -> None:
        """The next one may come to the gate."""
        if self._gate_users.get(gate_id) == shopper.index:
            self._gate_users.pop(gate_id)

    # -- time

    def _one_tick(self) -> None:
        self._tick += 1
        self._scene = None
        self._arrive()
        dt_s = 1.0 / TICK_HZ
        for shopper in self._shoppers:
            if next(shopper.performance, StopIteration) is StopIteration:
                shopper.gone = True
            if self.stock.moved:
                self._tracer.plates(self.t_s, shopper, self.stock.moved)
        step_walkers(self._shoppers, self.ground, dt_s, self.space_m)
        for shopper in self._shoppers:
            shopper.relax(dt_s)
        self.doors.step(dt_s)
        self._tracer.tick(self._tick, self.t_s, self._shoppers)
        for bay_id in self._tracer.bays_reached():
            self.doors.hold(bay_id)
        if any(shopper.gone for shopper in self._shoppers):
            self._depart()
        self._loads.append((self.t_s, self.stock.grams, self._presses.push_g(self.t_s)))

    def _arrive(self) -> None:
        if self._admitted and self._come(self._admitted[0], -1):
            self._admitted.pop(0)
            return
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
        if self._come(plan, self._next_plan):
            self._next_plan += 1

    def _come(self, plan: VisitPlan, place: int) -> bool:
        """Somebody comes to the gate, if it is free; who sneaks in behind others does not wait."""
        first = next(iter(plan.verbs)) if isinstance(plan.verbs, tuple) else None
        while isinstance(first, Scripted):
            first = first.verb
        way = gateway_of(self.store, "entry", first.gate_id if isinstance(first, Enter) else None)
        if plan.code != "none":
            if way.gate.gate_id in self._gate_users:
                return False
            self._gate_users[way.gate.gate_id] = self._next_shopper
        if place >= 0:
            self.people.at_place[place] = self._next_shopper
        self._shoppers.append(self._newcomer(plan, place, *way.point(-SPAWN_M), way.heading_rad))
        self._next_shopper += 1
        return True

    def _newcomer(self, plan: VisitPlan, place: int, x: float, y: float, heading: float) -> Shopper:
        index = self._next_shopper
        looks = self._rng(2, index if plan.looks.seed is None else 1_000_000 + plan.looks.seed)
        appearance = dressed(looks, plan, self.dials.people)
        rng = self._rng(3, index)
        shopper = Shopper(
            index=index,
            plan=plan,
            appearance=appearance,
            frame=frame_of(appearance),
            rng=rng,
            truth=TruthVisit(index, staff=plan.staff),
            x=x,
            y=y,
            heading=heading,
            pace_m_s=float(rng.uniform(0.8, 1.2)),
            performance=iter(()),
            place=place,
        )
        shopper.bag.extend(self.stock.brought(one) for one in plan.brings)
        shopper.performance = self._perform(shopper)
        return shopper

    def _perform(self, shopper: Shopper) -> Iterator[None]:
        for verb in shopper.plan.verbs:
            if shopper.gone:
                return
            yield from self._one_verb(shopper, verb)

    def _one_verb(self, shopper: Shopper, verb: Verb) -> Iterator[None]:
        if not isinstance(verb, Scripted):
            yield from perform(self, shopper, verb)
            return
        shopper.line = verb.where
        try:
            yield from perform(self, shopper, verb.verb)
        except ScenarioError as error:
            raise ScenarioError(f"{verb.where}: {error}") from error
        shopper.line = None

    def _depart(self) -> None:
        for shopper in self._shoppers:
            if not shopper.gone:
                continue
            self._reserved = {i: o for i, o in self._reserved.items() if o != shopper.index}
            self._blocked.pop(shopper.index, None)
            self._codes.pop(shopper.index, None)
            self._refused.discard(shopper.index)
            if shopper.truth.entered_s is not None:
                shopper.truth.payer = shopper.plan.payer_of(shopper.index, self.people.at_place)
                self._finished.append(shopper.truth)
            self._debts.left(shopper)
            self.staff.left(shopper)
        self._shoppers[:] = [shopper for shopper in self._shoppers if not shopper.gone]

    def _next_day(self) -> None:
        if self._empty_since_s is None:
            self._empty_since_s = self.t_s
        began_s = max(self._empty_since_s + NIGHT_S, self._day_began_s + self.scenario.day_s)
        if self.t_s < began_s or self.staff.night(self):
            return
        self._empty_since_s = None
        self._day += 1
        self._day_began_s = self.t_s
        self._plans, self._next_plan = self.scenario.day(self._day), 0
        self.people.at_place.clear()
        self.stock.fill()

    def _rng(self, stream: int, index: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, stream, index]))
