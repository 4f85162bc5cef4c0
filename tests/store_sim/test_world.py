"""The world: deterministic, conserving, and nobody walks through anybody."""

from __future__ import annotations

import hashlib
import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contracts.store_file import StoreFile, load_store_file
from store_sim.dials import Dials, turned
from store_sim.errors import ScenarioError, UnknownScenarioError, WorldError
from store_sim.plates import PlateBank
from store_sim.scenarios import SCENARIOS, build
from store_sim.truth import TruthVisit
from store_sim.world import Scenario, StaffWord, VisitPlan, World
from store_sim.world.perform import PERFORMERS
from store_sim.world.verbs import Enter, Exit, PutBack, Reach, Scripted, Take, Tamper, Verb, Wait

ROOT = Path(__file__).parents[2]
DAY_MAX_S = 900.0
NEAREST_M = 0.5


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(ROOT / "store_sim" / "stores" / "demo.yaml")


def _world(store: StoreFile, name: str, seed: int, shoppers: int) -> World:
    return World(store, build(name, store, seed, shoppers), seed, phone=lambda k: f"code-{k}")


def _run(world: World) -> list[TruthVisit]:
    visits: list[TruthVisit] = []
    while not world.finished:
        world.step(0.5)
        visits.extend(world.take_finished())
        world.take_loads()
        assert world.t_s < DAY_MAX_S, "the day does not end"
    return visits


def _digest(store: StoreFile, seed: int, seconds: float) -> str:
    world = _world(store, "easy", seed, 6)
    bank = PlateBank(store, seed)
    found = hashlib.sha256()
    for frame in range(int(seconds * 5)):
        scene = world.advance(frame / 5)
        for body in scene.bodies:
            found.update(body.joints_m.tobytes())
        for item in (*scene.loose_items, *scene.shelf_items[::25]):
            found.update(item.base_m.tobytes() + item.rotation.tobytes())
        found.update(bank.read(world.take_loads()).grams.tobytes())
        found.update(repr(world.take_scans()).encode())
    return found.hexdigest()


def test_same_seed_same_world_in_a_fresh_process(store: StoreFile) -> None:
    code = (
        "import importlib.util as u, sys; from pathlib import Path;"
        f"s = u.spec_from_file_location('w', {str(Path(__file__))!r});"
        "m = u.module_from_spec(s); s.loader.exec_module(m);"
        "from contracts.store_file import load_store_file;"
        "store = load_store_file(m.ROOT / 'store_sim' / 'stores' / 'demo.yaml');"
        "print(m._digest(store, 4, 25.0))"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    here = _digest(store, 4, 25.0)
    assert fresh.stdout.strip() == here
    assert here != _digest(store, 5, 25.0)


def test_how_often_it_is_looked_at_changes_nothing(store: StoreFile) -> None:
    often, seldom = _world(store, "easy", 3, 3), _world(store, "easy", 3, 3)
    for tick in range(25 * 15):
        often.advance(tick / 15)
    a, b = often.advance(25.0), seldom.advance(25.0)
    assert [body.joints_m.tolist() for body in a.bodies] == [
        body.joints_m.tolist() for body in b.bodies
    ]
    assert np.array_equal(often.take_loads().grams, seldom.take_loads().grams)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_an_easy_day(store: StoreFile, seed: int) -> None:
    """Bodies keep apart, four at most are inside, items are conserved, every visit ends."""
    world = _world(store, "easy", seed, 7)
    visits: list[TruthVisit] = []
    nearest, most = math.inf, 0
    while not world.finished:
        scene = world.step(1 / 15)
        visits.extend(world.take_finished())
        roots = [0.5 * (b.joints_m[13, :2] + b.joints_m[17, :2]) for b in scene.bodies]
        most = max(most, len(roots))
        standing = list(world._shoppers)
        for a, b in itertools.combinations(standing, 2):
            nearest = min(nearest, math.hypot(a.x - b.x, a.y - b.y))
        items = [*scene.shelf_items, *scene.loose_items]
        gone = sum(sum(visit.kept.values()) for visit in visits)
        assert len({item.item_index for item in items}) == len(items)
        assert len(items) + gone == len(world.stock.items)
        assert world.t_s < DAY_MAX_S
    assert nearest >= NEAREST_M
    assert 2 <= most <= 4
    assert len(visits) == 7
    assert all(v.entered_s is not None and v.left_s is not None for v in visits)
    assert all(count > 0 for v in visits for count in v.kept.values())


def test_takes_change_the_true_mass(store: StoreFile) -> None:
    """Every action in the truth is a step of the plates' load of the item's own weight."""
    world = _world(store, "easy", 2, 5)
    times, grams = [], []
    visits: list[TruthVisit] = []
    while not world.finished:
        world.step(1.0)
        loads = world.take_loads()
        times.append(loads.t_s)
        grams.append(loads.grams)
        visits.extend(world.take_finished())
    t, g = np.concatenate(times), np.concatenate(grams)
    moved = [a for v in visits for a in v.actions if a.item_index is not None]
    assert len(moved) >= 5
    for action in moved:
        at = int(np.argmin(np.abs(t - action.t_s)))
        rows = [k for k, plate in enumerate(store.plates) if plate.board_id == action.board_id]
        change = float((g[at + 1] - g[at - 2])[rows].sum())
        sign = -1.0 if action.kind == "take" else 1.0
        assert action.item_index is not None
        weight = world.stock.items[action.item_index].weight_g
        assert change == pytest.approx(sign * weight, abs=0.01)
        assert abs(weight - store.product(action.gtin).weight_g) <= 0.05 * weight
    steps = np.abs(np.diff(g, axis=0)).sum(axis=1)
    assert int((steps > 1e-6).sum()) == len(moved)


@pytest.mark.parametrize("seed", [0, 1])
def test_scripts_do_what_they_say(store: StoreFile, seed: int) -> None:
    kinds = {}
    for name in ("base-01", "base-02", "base-03", "base-04"):
        (visit,) = _run(_world(store, name, seed, 1))
        kinds[name] = [action.kind for action in visit.actions]
        bays = {action.bay_id for action in visit.actions}
        assert len(bays) == (2 if name == "base-04" else 3)
    assert kinds["base-01"] == kinds["base-02"] == ["take"] * 3
    assert kinds["base-03"] == ["take", "put_back", "take"] * 3
    assert kinds["base-04"] == ["take"] * 4 + ["put_back"]


def test_put_back_goes_to_the_same_place(store: StoreFile) -> None:
    verbs: tuple[Verb, ...] = (Enter(), Take("bay-b-2-l", column=1), PutBack("bay-b-2-l"), Exit())
    world = _scripted(store, verbs)
    (visit,) = _run(world)
    take, back = visit.actions
    assert (take.kind, back.kind) == ("take", "put_back")
    assert take.item_index == back.item_index
    assert back.u_m == pytest.approx(take.u_m, abs=0.02)
    assert visit.kept == {}
    assert len(world.stock.columns[("bay-b-2-l", 1)]) == 4


def test_hands_and_arms_carry_many_things(store: StoreFile) -> None:
    """Without a bag things go to hands and the crook of an arm; with one they vanish into it."""
    slots = ("bay-b-2-l", "bay-b-2-r", "bay-b-3-l", "bay-b-4-l")
    verbs: tuple[Verb, ...] = (Enter(), *(Take(s) for s in slots), Exit())
    for has_bag, states in ((False, {"hand"}), (True, {"hand", "bag"})):
        world = _scripted(store, verbs, has_bag=has_bag)
        seen: set[str] = set()
        most = 0
        while not world.finished:
            scene = world.step(0.1)
            seen |= {item.state for item in scene.loose_items}
            most = max(most, len(scene.loose_items))
            for item in scene.loose_items:
                body = scene.bodies[0].joints_m
                assert np.linalg.norm(item.base_m - body[0]) < 1.3
        assert most == 4
        assert seen == states


def test_touching_moves_nothing_but_the_reading(store: StoreFile) -> None:
    world = _scripted(store, (Enter(), Reach("bay-a-2-l"), Exit()))
    pushed = 0.0
    while not world.finished:
        world.step(0.5)
        loads = world.take_loads()
        pushed = max(pushed, float(loads.push_g.max()))
        assert np.ptp(loads.grams, axis=0).max() == 0.0
    assert pushed > 5.0


def test_items_move_only_with_the_hand(store: StoreFile) -> None:
    """No jump between shelf and hand: what is carried moves at a hand's speed."""
    world = _scripted(store, (Enter(), Take("bay-b-4-l"), PutBack("bay-b-4-l"), Exit()))
    watched = {pile[-1].index for (slot, _), pile in world.stock.columns.items() if "b-4" in slot}
    last: dict[int, np.ndarray] = {}
    shelf: dict[int, np.ndarray] = {}
    version, fastest = -1, 0.0
    while not world.finished:
        scene = world.step(1 / 60)
        now = {item.item_index: item.base_m for item in scene.loose_items}
        if scene.shelf_version != version:
            version = scene.shelf_version
            shelf = {item.item_index: item.base_m for item in scene.shelf_items}
        now.update({index: base for index, base in shelf.items() if index in watched})
        for index, base in now.items():
            if index in last:
                fastest = max(fastest, float(np.linalg.norm(base - last[index])) * 60)
        last = now
    assert 0.3 < fastest < 3.5


def test_codes_come_from_the_phone(store: StoreFile) -> None:
    plan = VisitPlan(0.0, (Enter(), Exit()))
    world = World(store, Scenario("two", "", lambda _: (plan,), at_most=1), seed=1)
    world.advance(5.0)
    assert world.waiting_for_code() == (0,)
    assert world.take_scans() == ()
    world.provide_code(0, "abc")
    while not world.finished:
        world.step(0.5)
    (scan,) = world.take_scans()
    assert (scan.gate_id, scan.code) == ("gate-in", "abc")
    (visit,) = world.take_finished()
    assert visit.code == "abc"
    assert visit.entered_s == scan.t_s > 5.0


def test_who_has_no_code_or_is_refused_goes_away(store: StoreFile) -> None:
    plan = VisitPlan(0.0, (Enter(), Take("bay-a-2-l"), Exit()))
    scenario = Scenario("one", "", lambda _: (plan,), at_most=1)
    world = World(store, scenario, seed=1)
    while not world.finished:
        world.step(0.5)
        assert world.t_s < 60.0
    assert world.take_finished() == ()
    refused = World(store, scenario, seed=1, phone=str)
    refused.refuse_entry(0)
    (visit,) = _run(refused)
    assert visit.actions == []
    assert visit.left_s is None


def test_a_looping_day_fills_its_shelves(store: StoreFile) -> None:
    plan = VisitPlan(0.0, (Enter(), Take("bay-a-2-l"), Exit()))
    world = World(store, Scenario("l", "", lambda _: (plan,), loops=True), seed=1, phone=str)
    pieces = len(world.stock.shelf_items())
    said: list[StaffWord] = []
    while [word.kind for word in said] != ["began", "moved", "ended"]:
        world.step(0.5)
        said += world.staff.take()
        assert world.t_s < 240.0
    assert (said[1].slot_id, said[1].pieces) == ("bay-a-2-l", 1)
    assert len(world.stock.shelf_items()) == pieces
    assert not world.finished
    shopper, filler = world.take_finished()
    assert (shopper.staff, filler.staff) == (False, True)
    assert [action.kind for action in filler.actions] == ["put_back"]


def test_what_nobody_could_fill_at_night_is_told_all_the_same(store: StoreFile) -> None:
    plan = VisitPlan(0.0, (Enter(), Take("bay-a-2-l"), Exit()))
    day = Scenario("l", "", lambda _: (plan,), loops=True)
    # Shoppers have phones; staff's badge never comes.
    world = World(store, day, seed=1, phone=lambda k: "code" if k != 1 else None)
    pieces = len(world.stock.shelf_items())
    said: list[StaffWord] = []
    while len(said) < 3:
        world.step(0.5)
        said += world.staff.take()
        assert world.t_s < 240.0
    world.step(0.5)
    assert len(world.stock.shelf_items()) == pieces
    assert [(word.kind, word.pieces) for word in said] == [
        ("began", 0),
        ("moved", 1),
        ("ended", 0),
    ]
    assert [visit.shopper for visit in world.take_finished()] == [0]


def test_two_never_grip_the_same_piece(store: StoreFile) -> None:
    plan = VisitPlan(0.0, (Enter(), Take("bay-b-1-l"), Take("bay-b-1-l"), Exit()), has_bag=True)
    scenario = Scenario("rush", "", lambda _: (plan,) * 5, at_most=4)
    visits = _run(World(store, scenario, seed=2, phone=str))
    takes = [a.item_index for v in visits for a in v.actions if a.kind == "take"]
    assert len(takes) == len(set(takes)) == 8, "the slot holds eight"


def test_faults_name_the_way_out(store: StoreFile) -> None:
    with pytest.raises(UnknownScenarioError, match=r"easy-one.*got scenario 'esay'"):
        build("esay", store, 1, 1)
    with pytest.raises(ScenarioError, match="got 0"):
        build("easy", store, 1, 0)
    world = _world(store, "easy", 1, 1)
    world.advance(1.0)
    with pytest.raises(WorldError, match="forward"):
        world.advance(0.5)
    broken = _scripted(store, (Enter(), Take("bay-z-1-l"), Exit()))
    with pytest.raises(ScenarioError, match="bay-z-1-l"):
        _run(broken)


def test_every_scenario_builds_and_every_verb_is_performed(store: StoreFile) -> None:
    fridge = load_store_file(ROOT / "store_sim" / "stores" / "fridge.yaml")
    for name, entry in SCENARIOS.items():
        place = fridge if name == "fogged-fridge-door" else store
        scenario = build(name, place, 1, 4)
        plans = scenario.day(0)
        assert scenario.name == name
        assert entry.description == scenario.description
        assert plans
        assert plans == scenario.day(0)
        verbs = [verb for plan in plans for verb in plan.verbs]
        played = {type(verb.verb if isinstance(verb, Scripted) else verb) for verb in verbs}
        assert played <= set(PERFORMERS)


def _scripted(store: StoreFile, verbs: tuple[Verb, ...], *, has_bag: bool = False) -> World:
    plan = VisitPlan(0.0, verbs, has_bag=has_bag)
    return World(store, Scenario("s", "", lambda _: (plan,), at_most=1), seed=1, phone=str)


def test_a_gate_that_misreads_reads_again_before_it_opens(store: StoreFile) -> None:
    """The wrong code is refused, and the shopper stays; the right one comes a moment later."""
    dials = turned(Dials(), "gates.misread=1")
    scenario = build("easy-one", store, 1, 1)
    world = World(store, scenario, 1, phone=lambda _: "shopper-code-0123", dials=dials)
    read: list[tuple[float, str]] = []
    while not world.finished:
        world.step(1 / 15)
        for scan in world.take_scans():
            read.append((scan.t_s, scan.code))
            if scan.code != "shopper-code-0123":
                world.refuse_gate(scan.gate_id)
    assert len(read) >= 2
    assert [code for _, code in read].count("shopper-code-0123") == 1
    assert read[-1][1] == "shopper-code-0123"
    (visit,) = world.take_finished()
    assert visit.left_s is not None, "a misread code turns nobody away"


def test_a_gate_that_refuses_turns_away_whoever_stands_there(store: StoreFile) -> None:
    world = _scripted(store, (Enter(), Take("bay-a-2-l"), Exit()))
    while not world.finished:
        world.step(1 / 15)
        for scan in world.take_scans():
            world.refuse_gate(scan.gate_id)
    (visit,) = world.take_finished()
    assert visit.actions == []
    assert visit.left_s is None


def test_a_group_asks_for_codes_on_one_wallet(store: StoreFile) -> None:
    world = World(store, build("child-in-a-group", store, 1, 1), 1)
    wallets = {}
    while world.t_s < 20.0:
        world.step(0.2)
        for shopper in world.waiting_for_code():
            wallets[shopper] = world.people.wallet_of(shopper)
            world.provide_code(shopper, f"code-{shopper}")
    assert wallets == {0: 0, 1: 0}


def test_somebody_who_is_in_no_plan_may_come(store: StoreFile) -> None:
    asked: list[Verb] = [Enter(), Take("bay-a-2-l"), Exit()]
    scenario = Scenario("none", "", lambda _: (), at_most=1)
    world = World(store, scenario, 1, phone=str, doors_open=False)
    index = world.admit(VisitPlan(0.0, iter(asked)))
    while not world.finished:
        world.step(0.5)
        assert world.t_s < 90.0
    (visit,) = world.take_finished()
    assert (visit.shopper, sum(visit.kept.values())) == (index, 1)


def test_what_was_tampered_with_ends_in_its_time(store: StoreFile) -> None:
    world = _scripted(store, (Enter(), Tamper("covered", "cam-a", 4.0), Wait(9.0), Exit()))
    seen = []
    while not world.finished:
        world.step(0.1)
        seen.append([(one.kind, one.target) for one in world.tampering()])
    on = [k for k, row in enumerate(seen) if row]
    assert all(seen[k] == [("covered", "cam-a")] for k in on)
    assert len(on) == pytest.approx(40, abs=2)
