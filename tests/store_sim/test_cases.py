"""Every hard case exists, plays, and its truth is what its title says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import pytest

from contracts.store_file import StoreFile, load_store_file
from store_sim.dials import Mishap
from store_sim.scenarios import CASES, build
from store_sim.scenarios.casting import Part
from store_sim.truth import Action, Traces, TruthVisit
from store_sim.world import Scenario, World
from store_sim.world.foreign import FOREIGN

ROOT = Path(__file__).parents[2]
SEEDS = (0, 3)
DOORS = ("fogged-fridge-door",)
"""Cases that need glass doors; the demo store has none."""
DAY_S_MAX = 4000.0


@dataclass
class Played:
    """A case after its end."""

    scenario: Scenario
    parts: dict[str, Part]
    names: dict[str, int]
    visits: dict[int, TruthVisit]
    traces: list[Traces] = field(default_factory=list)
    nearest_m: float = math.inf
    most: int = 0
    wrong: list[Mishap] = field(default_factory=list)
    floor: int = 0
    world: World | None = None

    def who(self, name: str) -> TruthVisit:
        """The visit of a shopper of the script."""
        return self.visits[self.names[name]]

    def did(self, name: str, kind: str) -> list[Action]:
        """What a shopper did of a kind."""
        return [action for action in self.who(name).actions if action.kind == kind]

    def at(self, part: str) -> str:
        """The slot of a part."""
        return self.parts[part].slot.slot_id

    def gtin(self, part: str) -> str:
        """The product of a part."""
        return self.parts[part].product.gtin

    def grams(self, part: str) -> float:
        """What a product of a part weighs."""
        return self.parts[part].product.weight_g

    def reaches(self, name: str) -> list[tuple[float, float, float]]:
        """Begin, end and place along the bay of a shopper's reaches."""
        index = self.names[name]
        return [
            (reach.begin_s, reach.end_s, reach.u_m)
            for traces in self.traces
            for reach in traces.reaches
            if reach.shopper == index
        ]

    def x_at(self, name: str, t_s: float) -> float:
        """Where a shopper was along the wall."""
        index = self.names[name]
        points = [p for t in self.traces for p in t.tracks if p.shopper == index]
        return min(points, key=lambda p: abs(p.t_s - t_s)).x_m


def play(store: StoreFile, name: str, seed: int, step_s: float = 0.2) -> Played:
    """Plays a case to its end without pictures."""
    scenario = build(name, store, seed, 1)
    script = CASES[name].script
    names = {who: place for place, who in enumerate(script.shoppers)}
    world = World(store, scenario, seed, phone=lambda k: f"code-{k}")
    played = Played(scenario, script.parts(store, seed), names, {}, world=world)
    while not world.finished:
        world.step(step_s)
        world.take_loads()
        played.traces.append(world.take_traces())
        played.visits.update({visit.shopper: visit for visit in world.take_finished()})
        bodies = world.scene().bodies
        played.most = max(played.most, len(bodies))
        played.floor = max(played.floor, len(world.floor_items))
        for one in world.tampering():
            if one not in played.wrong:
                played.wrong.append(one)
        for a, b in combinations([body.joints_m[3, :2] for body in bodies], 2):
            played.nearest_m = min(played.nearest_m, float(math.dist(a, b)))
        assert world.t_s < DAY_S_MAX, f"{name} does not end"
    return played


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(ROOT / "store_sim" / "stores" / "demo.yaml")


# What is owed for in the end, by the names of the script: "shopper: part part".
OWED = {
    "base-01": "ann: one two three",
    "base-02": "ann: one two three",
    "base-03": "ann: one two three",
    "base-04": "ann: one two two",
    "base-05": "ann: red green",
    "base-06": "ann: small small",
    "base-07": "ann: right left; ben: left other",
    "base-08": "ann: right left; ben: left right",
    "base-09": "ann: left; ben: right",
    "base-10": "ann: left left; ben: left right",
    "base-11": "ann: one one three; ben: two five three; cleo: three three two",
    "base-12": "ann: left other; ben: right; cleo: other more left",
    "base-13": "ann: one two three",
    "base-14": "ann: one",
    "base-15": "ann: one two",
    "base-16": "ann: two one",
    "base-17": "ann: one",
    "base-18": "ann: a b",
    "base-19": "ann: a a b b c",
    "base-20": "ann: two",
    "base-21": "ann: left right right",
    "base-22": "ann: one",
    "base-23": "ann: one",
    "base-24": "ann: one three",
    "base-25": "ann: one two four three",
    "base-26": "ann: one one",
    "base-27": "ann: two",
    "base-28": "ann: right",
    "base-29": "ann: left right",
    "base-30": "ann: one three",
    "touch-only": "ann:",
    "hover": "ann: three",
    "reach-across-neighbour": "ann: left; ben: left right",
    "neighbours-head-nearer": "ann:; ben: left high",
    "same-clothes-pair": "ann: one two; ben: four three",
    "jacket-swap-out-of-sight": "ann: one two; ben: three one",
    "crouch-at-the-low-shelf": "ann: low low other",
    "child-in-a-group": "ann: one; kid: sweet",
    "group-splits-and-leaves-apart": "ann: one two; ben: two; cleo: three three",
    "tag-along-at-the-gate": "ann: one; tom: two",
    "four-people-heads-almost-touching": "ann: left; ben: right; cleo: high; dan: right",
    "staff-restocking-in-uniform": "sam:; ann: one two",
    "staff-without-uniform": "sam:; ann: two",
    "leaves-with-nothing": "ann:",
    "stays-an-hour": "ann: one two",
    "hidden-behind-another": "ann: one one",
    "slipped-into-a-bag": "ann: one two",
    "wrapped-in-a-jacket": "ann: one two",
    "behind-the-back-swap": "ann: dear",
    "weight-substitution": "ann: jar",
    "foreign-item-left-on-a-plate": "ann: one",
    "sweethearting": "ann: left; ben: right",
    "qr-screenshot": "ann: one; tom: two",
    "expired-qr": "ann: one; tom: two",
    "reused-qr": "ann: one; tom: two",
    "code-at-two-gates": "ann: one; tom: two",
    "camera-covered": "ann: one two",
    "camera-turned": "ann: one two",
    "camera-defocused": "ann: one two",
    "camera-blinded": "ann: one two",
    "plate-leaned-on": "ann: one two",
    "plate-unplugged": "ann: one two",
    "abandoned-and-bought-by-the-next": "ann:; ben: one",
    "plates-drift": "ann: two three",
    "plates-vibrate": "ann: two three",
    "plates-noisy": "ann: two three",
    "pack-weights-vary": "ann: one two three",
    "equal-weight-twins": "ann: green",
    "one-litre-or-two-halves": "ann: half half; ben: litre",
    "lights-dimmed": "ann: two three",
    "lights-flicker": "ann: two three",
    "sun-patch": "ann: two three",
    "fogged-fridge-door": "ann: two",
    "frozen-frame": "ann: one two",
    "black-frame": "ann: one two",
    "dropped-frames": "ann: two three",
    "five-fps": "ann: two three",
    "jitter-300-ms": "ann: two three",
    "clock-skew": "ann: two; ben: three two",
    "wrong-planogram": "ann: one two",
}


def _crossed(p: Played) -> bool:
    """One's hand is to the right of the other's while the body is to the left, at one time."""
    return any(
        begin < end2
        and begin2 < end
        and (u - u2) * (p.x_at("ann", begin) - p.x_at("ben", begin)) < 0
        for begin, end, u in p.reaches("ann")
        for begin2, end2, u2 in p.reaches("ben")
    )


def _neighbour_nearer(p: Played) -> bool:
    """Ben takes from the left while Ann stands nearer to it, at the same shelf."""
    took = p.did("ben", "take")[0]
    ann, ben = p.x_at("ann", took.t_s), p.x_at("ben", took.t_s)
    return took.slot_id == p.at("left") and abs(ann - _x(p, "left")) < abs(ben - _x(p, "left"))


def _misplaced(p: Played, name: str, part: str, at: str) -> bool:
    return any(
        action.gtin == p.gtin(part) and action.slot_id == p.at(at)
        for action in p.did(name, "put_back")
    )


def _longest_reach_s(p: Played, name: str) -> float:
    return max(end - begin for begin, end, _ in p.reaches(name))


def _overlap(p: Played) -> bool:
    """Both hands were in the shelf at one time."""
    return any(a[0] < b[1] and b[0] < a[1] for a in p.reaches("ann") for b in p.reaches("ben"))


def _mishap(kind: str) -> Callable[[Played], bool]:
    def check(p: Played) -> bool:
        (one,) = p.wrong
        took = [action.t_s for action in p.did("ann", "take")]
        return one.kind == kind and any(one.begin_s < t < one.end_s for t in took)

    return check


def _taken_together(p: Played) -> bool:
    times = [action.t_s for action in p.did("ann", "take")]
    return times[0] == times[1]


def _same_clothes(p: Played) -> bool:
    plans = p.scenario.day(0)
    return plans[0].looks.seed == plans[1].looks.seed is not None


FACTS: dict[str, Callable[[Played], bool]] = {
    "base-01": lambda p: len({a.bay_id for a in p.who("ann").actions}) == 3,
    "base-02": lambda p: (
        [a.slot_id for a in p.who("ann").actions] == [p.at("three"), p.at("two"), p.at("one")]
    ),
    "base-03": lambda p: [a.kind for a in p.who("ann").actions] == ["take", "put_back", "take"] * 3,
    "base-04": lambda p: [a.kind for a in p.who("ann").actions] == ["take"] * 4 + ["put_back"],
    "base-05": lambda p: (
        _misplaced(p, "ann", "green", "red")
        and abs(p.grams("red") - p.grams("green")) < 0.01 * p.grams("red")
    ),
    "base-06": lambda p: (
        _misplaced(p, "ann", "big", "small") and p.grams("big") > 1.3 * p.grams("small")
    ),
    "base-07": _crossed,
    "base-08": lambda p: _crossed(p) and p.nearest_m < 0.65,
    "base-09": lambda p: len(p.did("ann", "give")) == len(p.did("ben", "give")) == 1,
    "base-10": lambda p: (
        _overlap(p) and p.did("ann", "take")[0].slot_id == p.did("ben", "take")[0].slot_id
    ),
    "base-11": lambda p: _misplaced(p, "cleo", "one", "four") and len(p.visits) == 3,
    "base-12": lambda p: _misplaced(p, "ben", "left", "right") and bool(p.did("ann", "give")),
    "base-13": lambda p: len({a.bay_id for a in p.who("ann").actions}) == 1,
    "base-16": lambda p: _misplaced(p, "ann", "one", "two") and _misplaced(p, "ann", "two", "one"),
    "base-17": lambda p: _longest_reach_s(p, "ann") > 15,
    "base-18": lambda p: _misplaced(p, "ann", "b", "a") and _taken_together(p),
    "base-21": lambda p: len(p.did("ann", "take")) == 4,
    "base-22": lambda p: _longest_reach_s(p, "ann") > 2.5,
    "base-26": lambda p: len({round(a.u_m, 2) for a in p.did("ann", "take")}) == 2,
    "base-28": lambda p: len(p.did("ann", "hold")) == 2 and _longest_reach_s(p, "ann") > 10,
    "base-30": lambda p: p.floor == 1 and len(p.did("ann", "take")) == 3,
    "touch-only": lambda p: len(p.did("ann", "touch")) == 3,
    "hover": lambda p: len(p.did("ann", "hover")) == 3,
    "reach-across-neighbour": _neighbour_nearer,
    "neighbours-head-nearer": _neighbour_nearer,
    "same-clothes-pair": _same_clothes,
    "crouch-at-the-low-shelf": lambda p: p.parts["low"].z_m < 0.5,
    "child-in-a-group": lambda p: (
        p.who("kid").payer == p.names["ann"] and p.scenario.day(0)[1].looks.child
    ),
    "group-splits-and-leaves-apart": lambda p: (
        {v.payer for v in p.visits.values()} == {p.names["ann"]}
        and len({round(v.left_s or 0, 1) for v in p.visits.values()}) == 3
    ),
    "tag-along-at-the-gate": lambda p: p.who("tom").payer is None and p.who("tom").code is None,
    "four-people-heads-almost-touching": lambda p: p.most == 4 and p.nearest_m < 0.5,
    "twenty-people": lambda p: p.most == 20 and len(p.visits) == 20,
    "staff-restocking-in-uniform": lambda p: (
        p.who("sam").payer is None
        and len(p.did("sam", "put_back")) == 3
        and p.scenario.day(0)[0].looks.uniform
    ),
    "staff-without-uniform": lambda p: (
        p.who("sam").payer is None and not p.scenario.day(0)[0].looks.uniform
    ),
    "stays-an-hour": lambda p: (p.who("ann").left_s or 0) - (p.who("ann").entered_s or 0) > 3500,
    "hidden-behind-another": _taken_together,
    "behind-the-back-swap": lambda p: (
        len(p.did("ann", "swap")) == 2 and _misplaced(p, "ann", "cheap", "dear")
    ),
    "weight-substitution": lambda p: (
        [a.gtin for a in p.did("ann", "put_back")] == ["2900000000018"]
        and p.world is not None
        and abs(
            next(i.weight_g for i in p.world.stock.items if i.product.gtin in FOREIGN)
            - p.grams("jar")
        )
        < 0.2
    ),
    "foreign-item-left-on-a-plate": lambda p: (
        [a.gtin in FOREIGN for a in p.did("ann", "put_back")] == [True]
    ),
    "sweethearting": lambda p: p.did("ann", "slip")[0].other == p.names["ben"],
    "qr-screenshot": lambda p: (
        p.who("tom").code == p.who("ann").code and p.who("tom").payer is None
    ),
    "expired-qr": lambda p: (p.who("tom").entered_s or 0) > 125,
    "reused-qr": lambda p: (
        p.who("tom").code == p.who("ann").code
        and (p.who("tom").entered_s or 0) > (p.who("ann").left_s or 0)
    ),
    "code-at-two-gates": lambda p: (
        abs((p.who("tom").entered_s or 0) - (p.who("ann").entered_s or 99)) < 8
    ),
    "camera-covered": _mishap("covered"),
    "camera-turned": _mishap("turned"),
    "camera-defocused": _mishap("defocused"),
    "camera-blinded": _mishap("blinded"),
    "frozen-frame": _mishap("frozen"),
    "black-frame": _mishap("black"),
    "plate-unplugged": _mishap("unplugged"),
    "plate-leaned-on": lambda p: len(p.did("ann", "lean")) == 1,
    "abandoned-and-bought-by-the-next": lambda p: (
        _misplaced(p, "ann", "one", "two")
        and p.did("ben", "take")[0].item_index == p.did("ann", "take")[0].item_index
    ),
    "plates-drift": lambda p: p.scenario.dials.plates.drift >= 10,
    "plates-vibrate": lambda p: p.scenario.dials.plates.vibration_g >= 10,
    "plates-noisy": lambda p: p.scenario.dials.plates.noise >= 5,
    "pack-weights-vary": lambda p: (
        p.world is not None
        and max(abs(i.weight_g / i.product.weight_g - 1) for i in p.world.stock.items) > 0.05
    ),
    "equal-weight-twins": lambda p: abs(p.grams("red") - p.grams("green")) < 0.01 * p.grams("red"),
    "one-litre-or-two-halves": lambda p: (
        abs(p.grams("litre") - 2 * p.grams("half")) < 0.07 * p.grams("litre")
    ),
    "lights-dimmed": lambda p: p.scenario.dials.light.dim > 0.4,
    "lights-flicker": lambda p: p.scenario.dials.light.flicker > 0.4,
    "sun-patch": lambda p: p.scenario.dials.light.sun_patch > 0.4,
    "fogged-fridge-door": lambda p: (
        p.scenario.dials.light.fog > 0.4 and p.parts["one"].bay.door == "glass"
    ),
    "dropped-frames": lambda p: p.scenario.dials.camera.dropped == 0.3,
    "five-fps": lambda p: p.scenario.dials.camera.fps == 5,
    "jitter-300-ms": lambda p: p.scenario.dials.camera.jitter_ms == 300,
    "clock-skew": lambda p: p.scenario.dials.clock.skew_s == 30,
    "wrong-planogram": lambda p: (
        {a.slot_id: a.gtin for a in p.did("ann", "take")}
        == {p.at("two"): p.gtin("one"), p.at("one"): p.gtin("two")}
    ),
}


def _x(p: Played, part: str) -> float:
    slot, bay = p.parts[part].slot, p.parts[part].bay
    return bay.origin_m[0] + 0.5 * (slot.u0_m + slot.u1_m)


def test_every_case_has_its_truth_written_down() -> None:
    assert set(OWED) | {"twenty-people"} == set(CASES)
    assert set(FACTS) <= set(CASES)
    groups = Counter(case.group for case in CASES.values())
    assert groups["A"] == 30
    assert groups["B"] == 16
    assert min(groups["C"], groups["D"]) >= 15
    assert all(case.winner_f1 is not None for case in CASES.values() if case.group == "A")


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("seed", SEEDS)
def test_the_truth_is_what_the_title_says(store: StoreFile, name: str, seed: int) -> None:
    if name in DOORS:
        store = load_store_file(ROOT / "store_sim" / "stores" / "fridge.yaml")
    if name == "stays-an-hour" and seed != SEEDS[0]:
        return
    played = play(store, name, seed, 2.0 if name == "stays-an-hour" else 0.2)
    if name in OWED:
        for sentence in OWED[name].split(";"):
            who, _, parts = sentence.strip().partition(":")
            expected = Counter(played.gtin(part) for part in parts.split())
            assert played.who(who).kept == dict(sorted(expected.items())), who
    fact = FACTS.get(name)
    assert fact is None or fact(played), f"{name}: {CASES[name].description}"


@pytest.mark.parametrize("name", ["base-12", "jacket-swap-out-of-sight", "weight-substitution"])
def test_the_same_seed_plays_the_same(store: StoreFile, name: str) -> None:
    one, two = play(store, name, 5), play(store, name, 5)
    assert one.traces == two.traces
    assert one.visits == two.visits
    other = play(store, name, 6)
    assert other.traces != one.traces


def test_pieces_are_conserved_in_every_case(store: StoreFile) -> None:
    """On shelves, on the floor, or gone with somebody: no piece is lost and none is two."""
    for name in ("base-12", "base-30", "sweethearting", "weight-substitution", "base-18"):
        played = play(store, name, 1)
        world = played.world
        assert world is not None
        shelf = {item.item_index for item in world.stock.shelf_items()}
        floor = set(world.floor_items)
        owed = sum(sum(visit.kept.values()) for visit in played.visits.values())
        assert not shelf & floor
        brought = sum(len(plan.brings) for plan in played.scenario.day(0))
        assert len(shelf) + len(floor) + owed == len(world.stock.items) - (
            0 if name == "weight-substitution" else brought
        )
