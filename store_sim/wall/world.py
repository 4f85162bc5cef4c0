"""The simulated wall: parcels, people, projectors and cameras, from one seed.

>>> world = WallWorld(store.walls[0], "labels-12", 7)             # doctest: +SKIP
>>> world.step(1.0); frames = world.frames(1.0)                    # doctest: +SKIP

It runs in ticks of a thirtieth of a second from 0. A picture is of the moment of the last `step`.
Everything a customer does follows from what light really falls where.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contracts.wall import Wall
from contracts.wall_messages import MarkLook
from hardware.ports import Frame
from store_sim.wall.beam import Beam
from store_sim.wall.cases import Fault, WallCase, case_named
from store_sim.wall.casting import cast_filling, cast_orders, odd_parcels
from store_sim.wall.codes import label_text, sscc
from store_sim.wall.customers import Script, SimOrder, mover, plan
from store_sim.wall.errors import WallSimError
from store_sim.wall.filling import Place, fill, stand_at
from store_sim.wall.lights import Lit
from store_sim.wall.parcels import ParcelPose, SimParcel
from store_sim.wall.stage import Stage
from store_sim.wall.truth import Deed, DeedKind, ParcelState, TrueParcel, WallTruth
from store_sim.wall.visitor import TICK_S, Visitor
from store_sim.world.body import sample_appearance

__all__ = ["WallScan", "WallWorld"]

Picture = NDArray[np.uint8]

FIRST_S = 20.0
"""Time to read labels and to calibrate before anybody comes."""


@dataclass(frozen=True, slots=True)
class WallScan:
    """A code read at one of the wall's scanners."""

    scanner_id: str
    t_s: float
    code: str


@dataclass(slots=True)
class _Run:
    """A visitor and how far their plan is."""

    who: Visitor
    order: SimOrder
    steps: Iterator[None]


class WallWorld:
    """One wall in one case. `orders` are what the driver posts to the hub before they are due."""

    def __init__(
        self, wall: Wall, case: WallCase | str, seed: int, *, first_s: float = FIRST_S
    ) -> None:
        """WallSimError if the wall cannot be filled as the case asks. `first_s`: when the first
        customer comes."""
        self.case = case_named(case) if isinstance(case, str) else case
        # Cases of one seed are different walls too.
        self.wall, self.seed = wall, seed
        seed = zlib.crc32(f"{self.case.name} {seed}".encode())
        self._mix = seed
        self.t_s, self._tick = 0.0, 0
        self.width_m = wall.width_m
        self._rng = np.random.default_rng([seed, 11])
        filling, wanted = cast_filling(self.case, wall)
        spots, places = fill(wall, filling, seed)
        self._places = {place.name: place for place in places}
        parcels, at = odd_parcels(self.case, wall, spots, self._rng)
        self._parcel = {parcel.index: parcel for parcel in parcels}
        self._standing = {index: pose for index, (pose, _) in at.items()}
        self._place_of = {index: name for index, (_, name) in at.items()}
        self._holder: dict[int, Visitor] = {}
        self._gone: dict[int, str] = {}
        self.orders = cast_orders(self.case, parcels, wanted, self._rng, first_s)
        self._codes: dict[str, str] = {}
        self._looks: dict[str, MarkLook] = {}
        self._scans: list[WallScan] = []
        self._scan_times: dict[str, float] = {}
        self._waiting = list(self.orders)
        self._left: set[str] = set()
        self._runs: list[_Run] = []
        self._people = 0
        self._plugs = {one.projector_id: True for one in wall.projectors}
        self._shown: dict[str, Picture | None] = {}
        self._armed = list(self.case.faults)
        self._ends: list[tuple[float, Fault]] = []
        self.truth = WallTruth(parcel_of=self._parcel)
        self._stage = Stage(wall, self.case, parcels, seed)
        self._stage.at(self._standing, [], [])
        self._tell()

    def step(self, t_s: float) -> None:
        """Lets the world run on to a time; ValueError for one that is over."""
        if t_s < self.t_s - 1e-9:
            raise ValueError(f"expected a time from {self.t_s} on, got {t_s}")
        while (self._tick + 1) * TICK_S <= t_s + 1e-9:
            self._tick += 1
            self.t_s = self._tick * TICK_S
            self._advance()
        self.t_s = t_s
        self.truth.t_s = t_s
        self._tell()

    @property
    def beams(self) -> tuple[Beam, ...]:
        """The projectors as they truly hang: for tests and pictures, not for what is tested."""
        return self._stage.beams

    @property
    def over(self) -> bool:
        """Whether everybody has come and gone."""
        return not self._waiting and not self._runs

    @property
    def visitors(self) -> tuple[str, ...]:
        """Who is at the wall now: customers, by name."""
        return tuple(run.order.customer for run in self._runs)

    @property
    def departed(self) -> frozenset[str]:
        """Orders whose customers have come and are out of sight again."""
        return frozenset(self._left)

    def is_ours(self, name: str) -> bool:
        """Whether a parcel's label is its own and of this store, as a shop's own list says."""
        parcel = next(one for one in self._parcel.values() if one.name == name)
        ours = parcel.key.startswith(sscc(0)[:8])
        return ours and parcel.text == label_text(parcel.symbology, parcel.key)

    def give_code(self, order_id: str, code: str) -> None:
        """The code that the hub gave for an order: what its customer will scan."""
        self._codes[self._order(order_id).order_id] = code

    def tell_look(self, order_id: str, look: MarkLook) -> None:
        """The kiosk told a customer which light is theirs; else they follow any that invites."""
        self._looks[self._order(order_id).order_id] = look

    def _order(self, order_id: str) -> SimOrder:
        for order in self.orders:
            if order.order_id == order_id:
                return order
        raise WallSimError(
            f"expected an order of {[one.order_id for one in self.orders]}, got {order_id!r}"
        )

    def show(self, projector_id: str, rgb: Picture | None) -> None:
        """What a projector throws from now on, (H, W, 3) uint8; None: nothing."""
        if projector_id not in self._plugs:
            raise WallSimError(
                f"wall {self.wall.wall_id}: expected a projector of {sorted(self._plugs)}, got "
                f"{projector_id!r}"
            )
        self._shown[projector_id] = rgb
        self._stage.show(projector_id, rgb if self._plugs[projector_id] else None)

    def show_lamps(self, light_id: str, colours: Picture) -> None:
        """What a strip of lamps shows from now on, (lamps, 3) uint8."""
        known = [one.light_id for one in self.wall.lights]
        if light_id not in known:
            raise WallSimError(
                f"wall {self.wall.wall_id}: expected a strip of {sorted(known)}, got {light_id!r}"
            )
        self._stage.show_lamps(light_id, colours)

    def plugged(self, projector_id: str) -> bool:
        """Whether a projector has power."""
        return self._plugs[projector_id]

    def scans(self) -> tuple[WallScan, ...]:
        """Codes scanned since the last call."""
        found, self._scans = tuple(self._scans), []
        return found

    def frames(self, t_s: float) -> tuple[Frame, ...]:
        """The newest picture of each camera that had one due since the last call.

        The world is stepped to `t_s` if it is not there yet; a frame's time is when it was due,
        its index counts those that were left out too.
        """
        if t_s > self.t_s:
            self.step(t_s)
        return self._stage.frames(t_s)

    # What customers see and do: customers.WallScene.

    def code_of(self, order_id: str) -> str | None:
        """The code of an order, once the driver gave it."""
        return self._codes.get(order_id)

    def scan(self, order: SimOrder, code: str) -> None:
        """A customer holds their code before the scanner."""
        scanner = self.wall.scanners[0] if self.wall.scanners else "scanner"
        self._scans.append(WallScan(scanner, self.t_s, code))
        self._scan_times.setdefault(order.order_id, self.t_s)
        self.truth.notes.append((self.t_s, f"scan {order.order_id}"))

    def look_of(self, order_id: str) -> MarkLook | None:
        """What a customer was told is theirs."""
        return self._looks.get(order_id)

    def alone(self) -> bool:
        """Whether one customer at most is at the wall."""
        return len(self._runs) <= 1

    def lights(self) -> dict[int, tuple[Lit, ...]]:
        """What light who is there sees at which parcel."""
        return self._stage.glimpsed(self.t_s)

    def standing(self) -> dict[int, tuple[SimParcel, ParcelPose]]:
        """The parcels that stand or hang at the wall."""
        return {index: (self._parcel[index], pose) for index, pose in self._standing.items()}

    def place_name(self, index: int) -> str:
        """Where a parcel stands."""
        return self._place_of.get(index, "")

    def taken(self, who: Visitor, order: SimOrder, index: int) -> None:
        """A parcel leaves its place in somebody's hand."""
        place = self._place_of.pop(index, "")
        self._standing.pop(index)
        self._holder[index] = who
        self._log("take", order, index, place)

    def placed(self, order: SimOrder, index: int, place: str, pose: ParcelPose) -> None:
        """A parcel stands again."""
        self._holder.pop(index, None)
        self._standing[index] = pose
        self._place_of[index] = place
        self._log("put_back", order, index, place)

    def free_pose(self, parcel: SimParcel) -> tuple[str, ParcelPose] | None:
        """An empty place that is wide enough, and how the parcel would stand there; another than
        where it was, if there is one."""
        used = set(self._place_of.values())
        was = next(
            (deed.place for deed in reversed(self.truth.log)
             if deed.name == parcel.name and deed.kind == "take"), "",
        )  # fmt: skip
        fitting = [
            place
            for name, place in sorted(self._places.items())
            if name not in used and _fits(place, parcel)
        ]
        if not fitting:
            return None
        fitting = [place for place in fitting if place.name != was] or fitting
        place = fitting[int(self._rng.integers(len(fitting)))]
        return place.name, stand_at(self.wall, place, parcel, self._rng)

    def left(self, who: Visitor, order: SimOrder) -> None:
        """Somebody is out of sight, with what they carry."""
        for parcel in [held.parcel for held in who.carried] + who.bagged:
            self._holder.pop(parcel.index, None)
            self._gone[parcel.index] = order.customer
            self._log("leave", order, parcel.index, "")
        who.carried.clear()
        who.bagged.clear()

    def _log(self, kind: DeedKind, order: SimOrder, index: int, place: str) -> None:
        parcel = self._parcel[index]
        order_id = None if order.behaviour == "nobody" else order.order_id
        self.truth.log.append(
            Deed(self.t_s, kind, parcel.name, parcel.text, order.customer, order_id,
                 order_id is not None and index in order.indexes, place)
        )  # fmt: skip

    def _advance(self) -> None:
        self._come()
        self._break()
        self._stage.watch(self.t_s)
        for run in list(self._runs):
            if next(run.steps, self) is self:
                self._runs.remove(run)
                self._depart(run.order.order_id)
        self._stage.at(
            self._standing,
            [held for run in self._runs for held in run.who.carried],
            [run.who for run in self._runs],
        )

    def _depart(self, order_id: str) -> None:
        """Whose parcel somebody else only moved has not gone with them."""
        if all(run.order.order_id != order_id for run in self._runs):
            self._left.add(order_id)

    def _come(self) -> None:
        for order in list(self._waiting):
            if self.t_s < order.due_s or (order.after and order.after not in self._left):
                continue
            self._waiting.remove(order)
            self._enter(order, plan)
            if order.behaviour == "moved":
                self._enter(replace(order, customer=f"{order.customer}-mover"), mover)

    def _enter(self, order: SimOrder, script: Script) -> None:
        side = 1.0 if self._people % 2 == 0 else -1.0
        rng = np.random.default_rng([self._mix, 500 + self._people])
        start = (self.width_m + 2.2 if side > 0 else -2.2, -1.2)
        who = Visitor(self._people, sample_appearance(rng, 0.6), start, rng)
        self._people += 1
        self._runs.append(_Run(who, order, script(self, who, order, side)))

    def _break(self) -> None:
        """Faults whose time has come."""
        for fault in list(self._armed):
            if len(self._scan_times) >= fault.after_scans:
                since = [0.0, *self._scan_times.values()][fault.after_scans]
                if self.t_s >= since + fault.delay_s:
                    self._armed.remove(fault)
                    self._ends.append((self.t_s + fault.for_s, fault))
                    self._fail(fault, True)
        for end_s, fault in list(self._ends):
            if self.t_s >= end_s:
                self._ends.remove((end_s, fault))
                self._fail(fault, False)

    def _fail(self, fault: Fault, begins: bool) -> None:
        self.truth.notes.append((self.t_s, f"{fault.kind} {'begins' if begins else 'ends'}"))
        if fault.kind == "bump":
            if begins:
                self._stage.bump(self._rng)
        elif fault.kind == "block":
            self._stage.block(begins)
        else:
            for name in self._plugs:
                self._plugs[name] = not begins
                self._stage.show(name, None if begins else self._shown.get(name))

    def _tell(self) -> None:
        """Brings the truth up to now."""
        self.truth.lights = self._stage.lights()
        carried = {held.parcel.index: held.pose for run in self._runs for held in run.who.carried}
        names = {run.who.index: run.order.customer for run in self._runs}
        for index, parcel in self._parcel.items():
            state: ParcelState
            holder: str | None
            if index in self._standing:
                state, pose, holder = "stands", self._standing[index], None
            elif index in self._gone:
                state, pose, holder = "gone", self.truth.now[index].pose, self._gone[index]
            else:
                state = "carried"
                who = self._holder.get(index)
                holder = None if who is None else names.get(who.index)
                pose = carried.get(index, self.truth.now[index].pose)
            self.truth.now[index] = TrueParcel(
                parcel.name, parcel.key, parcel.text, state, pose, parcel.size_m,
                self._place_of.get(index, ""), holder,
            )  # fmt: skip


def _fits(place: Place, parcel: SimParcel) -> bool:
    # A bag can stand on a board; what has no handle cannot hang.
    if place.hook_v_m is not None and not parcel.hangs:
        return False
    w, h, _ = parcel.size_m
    return w + 0.01 <= place.u1_m - place.u0_m and h + 0.01 <= place.high_m
