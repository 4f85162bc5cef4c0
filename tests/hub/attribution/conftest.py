"""A synthetic shop floor for attribution: shoppers with truth, and what sensors would say of them.

It knows nothing of the engine. Everything comes from one `random.Random`, so a seed is a day.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from contracts.geometry import Bay
from contracts.messages import (
    ActionLikelihood,
    FacingChange,
    GramStep,
    HandSeen,
    ProductLikelihood,
    ProductScores,
    ReachClosed,
    TrackPoint,
    TrackSegment,
    WristPoint,
)
from contracts.store_file import load_store_file
from hub.attribution.engine import Engine
from hub.attribution.model import Article, Decision, Ground, Shelf
from hub.devices.hubtime import segment_in_hub_time

Sensors = Literal["both", "camera", "plates"]
STORE = Path(__file__).parents[3] / "store_sim" / "stores" / "demo.yaml"


def demo_ground() -> Ground:
    """The demo store as attribution sees it."""
    store = load_store_file(STORE)
    return Ground(
        articles=tuple(Article(p.gtin, p.weight_g, p.weight_sd_g) for p in store.products),
        shelves=tuple(
            Shelf(
                s.slot_id, s.bay_id, s.board_id, s.u0_m, s.u1_m, s.gtin, s.facings,
                s.facings * s.deep,
            )
            for s in store.slots
        ),
        bays=store.bays,
        plates=store.plates,
    )  # fmt: skip


@dataclass
class Shopper:
    """One visit: what it does and what it truly holds."""

    visit_id: str
    track_id: str
    held: Counter[str] = field(default_factory=Counter)
    path: list[tuple[float, float, float]] = field(default_factory=list)

    def at(self, t_s: float) -> tuple[float, float] | None:
        """Where the shopper is."""
        if not self.path or not self.path[0][0] <= t_s <= self.path[-1][0]:
            return None
        for (t0, x0, y0), (t1, x1, y1) in zip(self.path, self.path[1:], strict=False):
            if t0 <= t_s <= t1:
                part = (t_s - t0) / max(t1 - t0, 1e-9)
                return x0 + part * (x1 - x0), y0 + part * (y1 - y0)
        return None


@dataclass
class Act:
    """Something a shopper does at a shelf: quantity > 0 taken, < 0 put back, 0 touched."""

    shopper: Shopper
    slot: Shelf
    gtin: str
    quantity: int
    u_m: float
    t_in_s: float
    t_out_s: float


@dataclass
class News:
    """One call to the engine at a time of arrival."""

    t_s: float
    call: Callable[[Engine], None]


class Floor:
    """Builds sensor messages for acts on a store's shelves."""

    def __init__(self, ground: Ground, rng: random.Random, sensors: Sensors = "both") -> None:
        self.ground = ground
        self.rng = rng
        self.sensors = sensors
        self.articles = {a.gtin: a for a in ground.articles}
        self.bays = {b.bay_id: b for b in ground.bays}
        self.count = 0

    def bay(self, slot: Shelf) -> Bay:
        """The bay of a slot."""
        return self.bays[slot.bay_id]

    def slot(self, slot_id: str) -> Shelf:
        """A slot by its id."""
        return next(s for s in self.ground.shelves if s.slot_id == slot_id)

    def standing(self, slot: Shelf, u_m: float, out_m: float = 0.5) -> tuple[float, float]:
        """The floor point before a place (the demo's bays all face -y)."""
        origin = self.bay(slot).origin_m
        return origin[0] + u_m, origin[1] - out_m

    # ---------------------------------------------------------- evidence

    def grams(self, act: Act, *, width_m: float = 0.1) -> list[GramStep]:
        """Steps of the plates under an act, with shares, echoes and noise."""
        rng = self.rng
        if act.quantity == 0:
            return []
        article = self.articles[act.gtin]
        weight_g = sum(
            rng.gauss(article.weight_g, article.weight_sd_g) for _ in range(abs(act.quantity))
        )
        delta_g = -math.copysign(weight_g, act.quantity)
        steps = []
        t_s = 0.5 * (act.t_in_s + act.t_out_s)
        for plate in self.ground.plates:
            if (plate.bay_id, plate.board_id) != (act.slot.bay_id, act.slot.board_id):
                continue
            low, high = act.u_m - width_m / 2, act.u_m + width_m / 2
            share = max(0.0, min(high, plate.u1_m) - max(low, plate.u0_m)) / width_m
            beside = plate.u0_m - 0.3 < act.u_m < plate.u1_m + 0.3
            echo_g = delta_g * rng.uniform(-0.01, 0.025) if beside and share == 0 else 0.0
            step_g = delta_g * share * rng.uniform(0.99, 1.03) + echo_g + rng.gauss(0.0, 1.0)
            if abs(step_g) > 3.5:
                steps.append(
                    GramStep(
                        plate_id=plate.plate_id, t_start_s=t_s, t_end_s=t_s + 0.3,
                        delta_g=step_g, sd_g=1.0,
                    )
                )  # fmt: skip
        return steps

    def scores(self, gtin: str, clarity: float) -> ProductScores:
        """Product scores in which the truth leads by about `clarity` nats, seldom not."""
        rng = self.rng
        best = {gtin: 0.0}
        others = [a.gtin for a in self.ground.articles if a.gtin != gtin]
        for other in rng.sample(others, 3):
            best[other] = -rng.gauss(clarity, 2.0)
        near = others[min(sorted(others).index(min(others, key=lambda g: abs(int(g) - int(gtin)))),
                          len(others) - 1)]  # fmt: skip
        best[near] = -rng.gauss(clarity * 0.6, 1.5)
        top = tuple(
            ProductLikelihood(gtin=g, log_likelihood=v)
            for g, v in sorted(best.items(), key=lambda kv: -kv[1])
        )
        return ProductScores(top=top, other=-clarity - 3.0)

    def change(self, act: Act, *, clarity: float = 4.0) -> FacingChange:
        """The stretch of shelf that changed, as a camera would tell it."""
        rng = self.rng
        right, wrong = rng.gauss(0.0, 0.3), -rng.gauss(clarity, 1.5)
        action = {"pick": wrong - 2.0, "put_back": wrong - 2.0, "nothing": wrong}
        action["pick" if act.quantity > 0 else "put_back"] = right
        pieces = [-clarity * abs(k - abs(act.quantity)) + rng.gauss(0.0, 1.0) for k in (1, 2, 3)]
        u_m = act.u_m + rng.gauss(0.0, 0.02)
        return FacingChange(
            board_id=act.slot.board_id,
            u0_m=u_m - 0.045,
            u1_m=u_m + 0.045,
            t_before_s=act.t_in_s,
            t_after_s=act.t_out_s + 0.4,
            action=ActionLikelihood(**action),
            pieces=tuple(pieces),
            products=self.scores(act.gtin, clarity),
        )

    def hand(self, act: Act, *, clarity: float = 3.0) -> HandSeen:
        """The hand of an act, with the body it hangs on."""
        rng = self.rng
        bay = self.bay(act.slot)
        board = next(b for b in bay.boards if b.board_id == act.slot.board_id)
        at = act.shopper.at(0.5 * (act.t_in_s + act.t_out_s)) or self.standing(act.slot, act.u_m)
        place = (bay.origin_m[0] + act.u_m, bay.origin_m[1])
        arm = math.degrees(math.atan2(place[1] - at[1], place[0] - at[0]))
        full = min(max(rng.gauss(0.9, 0.08), 0.3), 0.99)
        empty = 1.0 - min(max(rng.gauss(0.9, 0.08), 0.3), 0.99)
        self.count += 1
        return HandSeen(
            hand_id=f"h{self.count}",
            t_in_s=act.t_in_s,
            t_out_s=act.t_out_s,
            u_m=act.u_m + rng.gauss(0.0, 0.04),
            z_m=board.z_m + 0.12 + rng.gauss(0.0, 0.05),
            sd_u_m=0.05,
            sd_z_m=0.06,
            body_x_m=at[0] + rng.gauss(0.0, 0.12),
            body_y_m=at[1] + rng.gauss(0.0, 0.12),
            body_sd_m=0.15,
            arm_deg=arm + rng.gauss(0.0, 15.0),
            held_in=full if act.quantity < 0 else empty,
            held_out=full if act.quantity > 0 else empty,
            products=self.scores(act.gtin, clarity) if act.quantity else ProductScores(),
        )

    def reach(self, act: Act, reach_id: str) -> ReachClosed:
        """All that the sensors of this set say of one act."""
        rng = self.rng
        camera, plates = self.sensors != "plates", self.sensors != "camera"
        changes: list[FacingChange] = []
        if camera and act.quantity != 0 and rng.random() < 0.9:
            changes.append(self.change(act))
        if camera and act.quantity == 0 and rng.random() < 0.03:
            changes.append(self.change(act, clarity=0.5))
        grams = self.grams(act) if plates and rng.random() < 0.995 else []
        centre_m = act.u_m + rng.gauss(0.0, 0.06)
        return ReachClosed(
            reach_id=reach_id,
            bay_id=act.slot.bay_id,
            t_open_s=act.t_in_s,
            t_close_s=act.t_out_s + 0.5,
            u_m=centre_m,
            sd_u_m=0.06 if camera else 0.12,
            hands=(self.hand(act),) if camera and rng.random() < 0.97 else (),
            changes=tuple(changes),
            grams=tuple(grams),
            camera_ok=camera,
            plates_ok=plates,
        )

    # ---------------------------------------------------------- people

    def segments(self, shopper: Shopper, acts: list[Act]) -> list[tuple[float, TrackSegment]]:
        """The track of a shopper in batches of about a second, with the wrists of its acts."""
        rng = self.rng
        batches: list[tuple[float, TrackSegment]] = []
        start_s, end_s = shopper.path[0][0], shopper.path[-1][0]
        points: list[TrackPoint] = []
        wrists: list[WristPoint] = []
        t_s = start_s
        while t_s <= end_s:
            at = shopper.at(t_s)
            if at is not None and rng.random() < 0.95:
                points.append(
                    TrackPoint(
                        t_s=t_s, x_m=at[0] + rng.gauss(0, 0.06), y_m=at[1] + rng.gauss(0, 0.06),
                        sd_m=0.08,
                    )
                )  # fmt: skip
            for act in acts:
                if act.t_in_s <= t_s <= act.t_out_s and rng.random() < 0.5:
                    x_m, y_m = self.standing(act.slot, act.u_m, 0.05)
                    wrists.append(
                        WristPoint(
                            t_s=t_s, x_m=x_m + rng.gauss(0, 0.1), y_m=y_m + rng.gauss(0, 0.1),
                            sd_m=0.12,
                        )
                    )  # fmt: skip
            if len(points) >= 8:
                batches.append((t_s + 0.2, self._segment(shopper, points, wrists, len(batches))))
                points, wrists = [], []
            t_s = round(t_s + 0.1333, 4)
        state = TrackSegment(track_id=shopper.track_id, state="ended", points=tuple(points))
        batches.append((end_s + 0.3, state))
        return batches

    @staticmethod
    def _segment(
        shopper: Shopper, points: list[TrackPoint], wrists: list[WristPoint], number: int
    ) -> TrackSegment:
        return TrackSegment(
            track_id=shopper.track_id,
            state="born" if number == 0 else "alive",
            points=tuple(points),
            wrists=tuple(wrists),
        )


class Day(Floor):
    """A random shop day: `shoppers` visits, up to `together` at once."""

    def __init__(
        self, ground: Ground, seed: int, shoppers: int, sensors: Sensors, misplace_p: float = 0.2
    ) -> None:
        super().__init__(ground, random.Random(seed), sensors)
        self.misplace_p = misplace_p
        self.stock: dict[str, Counter[str]] = {
            s.slot_id: Counter({s.gtin: s.on_hand}) for s in ground.shelves
        }
        self.shoppers: list[Shopper] = []
        self.acts: list[Act] = []
        self.ends: dict[str, float] = {}
        self._live(shoppers)

    def _live(self, shoppers: int) -> None:
        rng = self.rng
        free: list[tuple[float, Shopper, int]] = []
        for number in range(shoppers):
            shopper = Shopper(f"v{number}", f"t{number}")
            start_s = 5.0 + number * rng.uniform(8.0, 14.0)
            shopper.path = [(start_s, 1.0, 0.5)]
            self.shoppers.append(shopper)
            free.append((start_s + 1.0, shopper, rng.randint(3, 7)))
        while free:
            free.sort(key=lambda entry: (entry[0], entry[1].visit_id))
            t_s, shopper, left = free.pop(0)
            if left == 0:
                self._leave(shopper, t_s)
                continue
            free.append((self._act(shopper, t_s), shopper, left - 1))

    def _leave(self, shopper: Shopper, t_s: float) -> None:
        _, x_m, y_m = shopper.path[-1]
        shopper.path.append((t_s + math.dist((x_m, y_m), (5.0, 0.2)), 5.0, 0.2))
        self.ends[shopper.visit_id] = shopper.path[-1][0]

    def _act(self, shopper: Shopper, t_s: float) -> float:
        rng = self.rng
        slot, gtin, quantity = self._plan(shopper)
        u_m = rng.uniform(slot.u0_m + 0.06, slot.u1_m - 0.06)
        lean_m = rng.gauss(0.0, 0.2)
        x_m, y_m = self.standing(slot, u_m + lean_m, rng.gauss(0.5, 0.06))
        t_there_s = t_s + math.dist(shopper.path[-1][1:], (x_m, y_m)) / 0.9 + 0.3
        for other in self.shoppers:
            at = other.at(t_there_s + 1.0)
            if other is not shopper and at is not None and abs(at[0] - x_m) < 0.4:
                x_m = at[0] + math.copysign(0.42, x_m - at[0])
        t_in_s = t_there_s + rng.uniform(0.3, 0.8)
        t_out_s = t_in_s + rng.uniform(0.7, 2.0)
        shopper.path += [(t_there_s, x_m, y_m), (t_out_s + 0.4, x_m, y_m)]
        shopper.held[gtin] += quantity
        self.stock[slot.slot_id][gtin] -= quantity
        self.acts.append(Act(shopper, slot, gtin, quantity, u_m, t_in_s, t_out_s))
        return t_out_s + 0.5

    def _plan(self, shopper: Shopper) -> tuple[Shelf, str, int]:
        rng = self.rng
        shelves = self.ground.shelves
        held = sorted((+shopper.held).elements())
        roll = rng.random()
        if held and roll < 0.18:
            gtin = rng.choice(held)
            homes = [s for s in shelves if s.gtin == gtin]
            away = rng.random() < self.misplace_p
            return rng.choice(shelves if away else homes), gtin, -1
        slot = rng.choice(shelves)
        gtins = sorted((+self.stock[slot.slot_id]).elements())
        if roll > 0.92 or not gtins:
            return slot, slot.gtin, 0
        strays = [g for g in gtins if g != slot.gtin]
        gtin = strays[0] if strays and rng.random() < 0.6 else rng.choice(gtins)
        most = self.stock[slot.slot_id][gtin]
        return slot, gtin, min(rng.choices((1, 2, 3), (0.88, 0.1, 0.02))[0], most)

    def news(self) -> list[News]:
        """All calls in order of arrival."""
        found: list[News] = []

        def add(t_s: float, call: Callable[[Engine], None]) -> None:
            found.append(News(t_s, call))

        for s in self.shoppers:
            add(
                s.path[0][0] + 0.5,
                partial(Engine.bind, visit_id=s.visit_id, track_id=s.track_id, t_s=s.path[0][0]),
            )
            for t_s, segment in self.segments(s, [a for a in self.acts if a.shopper is s]):
                add(t_s, partial(Engine.track, segment=segment_in_hub_time(segment, 0.0)))
            add(
                self.ends[s.visit_id] + 0.3,
                partial(Engine.end, visit_id=s.visit_id, t_s=self.ends[s.visit_id]),
            )
        for number, act in enumerate(self.acts):
            reach = self.reach(act, f"r{number}")
            add(
                reach.t_close_s + self.rng.uniform(0.05, 0.3),
                partial(Engine.closed, reach=reach, t_sd_s=0.02),
            )
        found.sort(key=lambda n: n.t_s)
        return found


class Scene(Floor):
    """A store with an engine in it, driven step by step."""

    def __init__(self, ground: Ground, seed: int, sensors: Sensors) -> None:
        super().__init__(ground, random.Random(seed), sensors)
        self.engine = Engine(ground)
        self.decisions: dict[tuple[str, int], Decision] = {}
        self.told: list[Decision] = []
        self.now_s = 0.0
        self.reaches = 0

    def enter(self, name: str, *, bound: bool = True) -> Shopper:
        """A shopper with a track, bound to a visit of the same name or to none."""
        shopper = Shopper(name, f"track-{name}")
        if bound:
            self.engine.bind(visit_id=name, track_id=shopper.track_id, t_s=0.0)
        return shopper

    def stand(self, shopper: Shopper, slot_id: str, u_m: float, t0_s: float, t1_s: float) -> None:
        """The shopper stands before a place; its track says so."""
        x_m, y_m = self.standing(self.slot(slot_id), u_m)
        shopper.path = [(t0_s, x_m, y_m), (t1_s, x_m, y_m)]
        points = [
            TrackPoint(
                t_s=round(t0_s + 0.13 * i, 3), x_m=x_m + self.rng.gauss(0, 0.04),
                y_m=y_m + self.rng.gauss(0, 0.04), sd_m=0.08,
            )
            for i in range(int((t1_s - t0_s) / 0.13))
        ]  # fmt: skip
        for start in range(0, len(points), 50):
            self.engine.track(
                segment_in_hub_time(
                    TrackSegment(
                        track_id=shopper.track_id, state="alive",
                        points=tuple(points[start : start + 50]),
                    ),
                    0.0,
                )
            )  # fmt: skip

    def act(
        self, shopper: Shopper, slot_id: str, quantity: int, t_s: float, *,
        gtin: str | None = None, u_m: float | None = None,
    ) -> Act:  # fmt: skip
        """What a shopper does at a place for one second."""
        slot = self.slot(slot_id)
        where_m = u_m if u_m is not None else 0.5 * (slot.u0_m + slot.u1_m) + 0.02
        return Act(shopper, slot, gtin or slot.gtin, quantity, where_m, t_s, t_s + 1.0)

    def close(self, reach: ReachClosed) -> str:
        """Hands a reach to the engine."""
        self.engine.closed(reach, t_sd_s=0.01)
        return reach.reach_id

    def do(self, shopper: Shopper, slot_id: str, quantity: int, t_s: float, **more: Any) -> str:
        """An act whose sensors speak clearly, handed to the engine; returns the reach's id."""
        act = self.act(shopper, slot_id, quantity, t_s, **more)
        return self.close(self.clear_reach(act))

    def clear_reach(self, act: Act) -> ReachClosed:
        """A reach in which every sensor of the set sees the act."""
        self.reaches += 1
        camera, plates = self.sensors != "plates", self.sensors != "camera"
        return ReachClosed(
            reach_id=f"reach-{self.reaches}",
            bay_id=act.slot.bay_id,
            t_open_s=act.t_in_s,
            t_close_s=act.t_out_s + 0.2,
            u_m=act.u_m,
            sd_u_m=0.08,
            hands=(self.hand(act),) if camera else (),
            changes=(self.change(act, clarity=5.0),) if camera and act.quantity else (),
            grams=tuple(self.grams(act)) if plates else (),
            camera_ok=camera,
            plates_ok=plates,
        )

    def decide(self, now_s: float) -> dict[tuple[str, int], Decision]:
        """Lets the engine decide; all decisions as they stand."""
        for decision in self.engine.decide(now_s=now_s):
            self.decisions[decision.reach_id, decision.line] = decision
            self.told.append(decision)
        return self.decisions


@pytest.fixture(scope="session")
def ground() -> Ground:
    """The demo store."""
    return demo_ground()


@pytest.fixture(scope="session")
def day_of() -> Callable[..., Day]:
    """Day(ground, seed, shoppers, sensors)."""
    return Day


@pytest.fixture(scope="session")
def scene_of(ground: Ground) -> Callable[..., Scene]:
    """Scene(sensors): a few people whom a test makes do things one by one."""
    return lambda sensors="both", seed=1: Scene(ground, seed, sensors)
