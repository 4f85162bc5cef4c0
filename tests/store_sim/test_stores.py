"""The shipped stores are what they promise, and any other store file works too."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from contracts.errors import StoreFileError
from contracts.store_file import StoreFile, parse_store_file
from store_sim.plan import check_store
from store_sim.plates import PlateBank
from store_sim.scenarios import build
from store_sim.stream import SimulatedStream, frame_clocks
from store_sim.world import Scenario, VisitPlan, World
from store_sim.world.crowd import Ground
from store_sim.world.verbs import Enter, Exit, Take
from tests.store_sim.stores_kit import (
    DAY_MAX_S,
    NEW,
    Document,
    changed,
    run_day,
    shipped,
)

TWIN_G = 2.0


def _neighbours(store: StoreFile) -> list[tuple[float, float]]:
    """Weights of different products in neighbouring slots of one board."""
    found = []
    for board in {slot.board_id for slot in store.slots}:
        row = sorted((s for s in store.slots if s.board_id == board), key=lambda s: s.u0_m)
        for left, right in pairwise(row):
            if left.gtin != right.gtin:
                a, b = store.product(left.gtin), store.product(right.gtin)
                found.append((a.weight_g, b.weight_g))
    return found


@pytest.mark.parametrize("name", NEW)
def test_a_shipped_store_has_the_hard_things(name: str) -> None:
    store = shipped(name)
    pairs = _neighbours(store)
    twins = [pair for pair in pairs if abs(pair[0] - pair[1]) <= TWIN_G]
    assert 3 <= len(twins) < 0.5 * len(pairs), "some neighbours are twins, most are not"
    weights = sorted(product.weight_g for product in store.products)
    assert weights[0] < 50
    assert weights[-1] > 3000
    assert any(b == 2 * a for a in weights for b in weights), "a litre weighs two halves"
    heights = [product.packaging.height_m for product in store.products]
    assert max(heights) > 3 * min(heights)
    plate_m = {plate.board_id: plate.u1_m - plate.u0_m for plate in store.plates}
    wide = [
        slot
        for slot in store.slots
        if store.product(slot.gtin).packaging.width_m > plate_m.get(slot.board_id, math.inf)
    ]
    assert wide, "something lies over several plates"
    levels = [board.z_m for bay in store.bays for board in bay.boards]
    assert min(levels) <= 0.16
    assert max(levels) >= 1.43
    assert {product.packaging.shape for product in store.products} == {"box", "can", "bottle"}
    looks = [product.packaging for product in store.products]
    assert len({(x.base_rgb, x.accent_rgb, x.motif, x.shape, x.width_m) for x in looks}) == len(
        looks
    ), "no two products look the same"


def test_the_stores_differ_in_shape() -> None:
    six, fridge, nano = (shipped(name) for name in NEW)
    assert len(six.bays) == 6
    assert len(six.products) >= 40
    assert len({bay.facing_deg for bay in six.bays}) >= 4
    assert all(bay.door == "glass" for bay in fridge.bays)
    assert len(nano.plates) == 348
    assert {len(bay.boards) for bay in nano.bays} == {6}
    assert sum(camera.role == "ceiling" for camera in nano.cameras) == 12
    prefixes = [{product.gtin[:2] for product in store.products} for store in (six, fridge, nano)]
    assert prefixes == [{"21"}, {"22"}, {"23"}]


@pytest.mark.parametrize("name", ["demo", *NEW])
def test_no_shipped_store_has_an_error(name: str) -> None:
    check = check_store(shipped(name))
    assert check.errors == ()
    codes = {each.code for each in check.warnings}
    seams = {"floor-seam"} if name == "demo" else set()
    assert codes <= {"equal-weight", "no-plates"} | seams
    assert check.floor.share(1) >= 0.99
    for board in check.boards:
        assert board.median >= 3.5
        assert board.least > 3.3
    for bay in check.store.bays:
        assert check.of_bay(bay.bay_id)[-1].median >= 6.0


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_easy_day_in_every_store(name: str, seed: int) -> None:
    visits, planned = run_day(shipped(name), seed, 8)
    assert len(visits) == 8
    assert all(visit.left_s is not None for visit in visits)
    taken = sum(action.kind == "take" for visit in visits for action in visit.actions)
    assert taken == planned > 0


@pytest.mark.parametrize("name", NEW)
def test_every_slot_can_be_reached(name: str) -> None:
    store = shipped(name)
    slots = [slot.slot_id for slot in store.slots]
    plans = tuple(
        VisitPlan(0.0, (Enter(), *(Take(slot) for slot in slots[k : k + 6]), Exit()), has_bag=True)
        for k in range(0, len(slots), 6)
    )
    world = World(store, Scenario("all", "", lambda _: plans, at_most=1), seed=5, phone=str)
    taken = set()
    while not world.finished:
        world.step(1.0)
        world.take_loads()
        for visit in world.take_finished():
            taken |= {action.slot_id for action in visit.actions if action.kind == "take"}
        assert world.t_s < 2 * DAY_MAX_S
    assert taken == set(slots)


# ---------------------------------------------------------------- ways round shelves


def test_nobody_in_the_demo_store_goes_round_anything() -> None:
    """Its days are the same as before there were islands."""
    store = shipped("demo")
    ground = Ground(store)
    rng = np.random.default_rng(3)
    for _ in range(400):
        ax, bx = rng.uniform(0.45, store.floor.width_m - 0.45, 2)
        ay, by = rng.uniform(-1.0, 3.68, 2)
        assert ground.route(ax, ay, bx, by) == []


def test_the_way_round_an_island() -> None:
    store = shipped("six-bay")
    ground = Ground(store)
    before, behind = (3.5, 2.0), (3.5, 4.2)
    assert ground.blocked(*before, *behind)
    way = ground.route(*before, *behind)
    assert len(way) == 2
    legs = [before, *way, behind]
    for (ax, ay), (bx, by) in pairwise(legs):
        assert not ground.blocked(ax, ay, bx, by)
        for share in np.linspace(0.0, 1.0, 60):
            assert ground.clear(ax + share * (bx - ax), ay + share * (by - ay))
    length = sum(math.dist(a, b) for a, b in pairwise(legs))
    assert length < math.dist(before, behind) + 2.2
    assert ground.route(*before, *behind) == way, "the same way every time"


def test_a_walled_off_place_has_no_way() -> None:
    def fence(document: Document) -> None:
        wall = {**document["bays"][0], "bay_id": "wall", "origin_m": [0.0, 2.0], "width_m": 6.0}
        wall["boards"] = [{"board_id": "wall-1", "z_m": 0.4, "clearance_m": 0.3}]
        document["bays"].append(wall)
        document["nodes"][0]["bays"].append("wall")

    store = changed(fence)
    ground = Ground(store)
    assert not ground.reachable(3.0, 1.0, 3.0, 3.0)
    assert ground.route(3.0, 1.0, 3.0, 3.0) == []
    check = check_store(store)
    codes = {each.code for each in check.errors}
    assert "unreachable" in codes


# ---------------------------------------------------------------- any store file works


def _no_plates(document: Document) -> None:
    document["plates"] = []


def _one_bay(document: Document) -> None:
    for field in ("bays", "plates", "slots"):
        document[field] = [row for row in document[field] if row["bay_id"] == "bay-b"]
    document["cameras"] = [c for c in document["cameras"] if c.get("bay_id") in (None, "bay-b")]
    document["nodes"][0]["bays"] = ["bay-b"]


def _thirty_cameras(document: Document) -> None:
    for number in range(23):
        extra = dict(document["cameras"][-1], camera_id=f"more-{number}")
        x = 0.5 + number * 0.22
        extra["pose"] = {"position_m": [x, 2.3, 3.5], "look_at_m": [x, 2.3, 0.0], "up": [0, 1, 0]}
        document["cameras"].append(extra)


def _some_plates(document: Document) -> None:
    document["plates"] = [row for row in document["plates"] if row["board_id"].endswith("-2")]


def _no_ceiling(document: Document) -> None:
    document["cameras"] = [row for row in document["cameras"] if row["role"] == "shelf"]


def _odd(document: Document) -> None:
    for number, camera in enumerate(document["cameras"]):
        camera["fps"] = (1.0, 7.3, 23.976, 60.0, 120.0, 0.5, 11.0)[number]
        wide, high = ((641, 361), (333, 777), (64, 48))[number % 3]
        camera["intrinsics"] = {
            "width": wide, "height": high, "fx": 0.5 * wide, "fy": 0.5 * wide,
            "cx": (wide - 1) / 2, "cy": (high - 1) / 2,
        }  # fmt: skip


def _turned(document: Document) -> None:
    """Bays at 37 degrees, free in the room."""
    for number, bay in enumerate(document["bays"]):
        bay["facing_deg"] = 37.0 + 90.0 * number
        bay["origin_m"] = [(1.6, 2.9), (3.6, 3.3), (4.2, 2.6)][number]


WALLS = {
    "far": ([[1.0, 7.0], [2.0, 7.0]], [[4.0, 7.0], [5.0, 7.0]]),
    "left": ([[0.0, 0.7], [0.0, 1.7]], [[0.0, 5.4], [0.0, 6.4]]),
    "right": ([[6.0, 0.7], [6.0, 1.7]], [[6.0, 3.2], [6.0, 2.2]]),
    "corner": ([[0.0, 0.7], [0.0, 1.7]], [[5.3, 0.0], [4.3, 0.0]]),
}


def _gates_at(wall: str) -> StoreFile:
    def change(document: Document) -> None:
        document["floor"]["depth_m"] = 7.0
        for gate, line in zip(document["gates"], WALLS[wall], strict=True):
            (x0, y0), (x1, y1) = line
            x, y = (x0 + x1) / 2, (y0 + y1) / 2
            gate["line_m"] = line
            gate["zone_m"] = [[x - 0.6, y - 0.6], [x + 0.6, y - 0.6], [x + 0.6, y + 0.6],
                              [x - 0.6, y + 0.6]]  # fmt: skip
        for bay in document["bays"]:
            bay["origin_m"] = [bay["origin_m"][0], 3.65]

    return changed(change)


VARIANTS = {
    "no plates": _no_plates,
    "one bay": _one_bay,
    "thirty cameras": _thirty_cameras,
    "plates on some boards": _some_plates,
    "no ceiling camera": _no_ceiling,
    "odd rates and sizes": _odd,
    "bays at an angle": _turned,
}


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_any_store_file_runs(name: str) -> None:
    store = changed(VARIANTS[name])
    visits, planned = run_day(store, 2, 3)
    assert len(visits) == 3
    taken = sum(action.kind == "take" for visit in visits for action in visit.actions)
    assert taken == planned
    scenario = build("easy-one", store, 1, 1)
    stream = SimulatedStream(store, scenario, 1, cameras=(), phone=str, duration_s=2.0)
    ticks = list(stream)
    assert len(ticks) == 30
    assert all((tick.scales is None) == (not store.plates) for tick in ticks)
    check_store(store)


@pytest.mark.parametrize("wall", sorted(WALLS))
def test_gates_on_any_wall(wall: str) -> None:
    store = _gates_at(wall)
    visits, planned = run_day(store, 4, 4)
    assert len(visits) == 4
    assert all(visit.left_s is not None for visit in visits)
    assert sum(action.kind == "take" for v in visits for action in v.actions) == planned
    assert not {each.code for each in check_store(store).errors} & {"gate-blocked", "unreachable"}


def test_odd_cameras_take_odd_pictures() -> None:
    store = changed(_odd)
    scenario = build("easy-one", store, 1, 1)
    cameras = ("cam-b", "cam-c", "ceil-1")
    stream = SimulatedStream(store, scenario, 1, cameras=cameras, phone=str, duration_s=1.0)
    frames = [frame for tick in stream for frame in tick.frames]
    shapes = {frame.camera_id: frame.rgb.shape for frame in frames}
    assert shapes == {"cam-b": (777, 333, 3), "cam-c": (48, 64, 3), "ceil-1": (361, 641, 3)}
    counts = {name: sum(frame.camera_id == name for frame in frames) for name in cameras}
    for name, fps in zip(cameras, (7.3, 23.976, 60.0), strict=True):
        assert abs(counts[name] - fps) <= 3.0, (name, counts)
    assert frame_clocks(store)["ceil-1"].fps == 60.0


def test_thirty_cameras_without_a_room_full_of_cores() -> None:
    check = check_store(changed(_thirty_cameras))
    busy = [each for each in check.warnings if each.code == "node-busy"]
    assert [each.where for each in busy] == ["node-floor"]
    assert "27 cameras" in busy[0].message


def test_without_a_ceiling_camera_it_is_said_who_cannot_be_known() -> None:
    (fault,) = check_store(changed(_no_ceiling)).errors
    assert fault.code == "no-ceiling-camera"
    assert "who took something cannot be known" in fault.message
    assert "role: ceiling" in fault.fix


def test_goods_on_bare_boards_weigh_nothing() -> None:
    store = changed(_some_plates)
    world = World(store, build("easy-one", store, 1, 1), 1, phone=str)
    world.step(0.1)
    loads = world.take_loads()
    assert loads.grams.shape[1] == 12
    assert loads.grams.min() > 0
    total = sum(
        item.weight_g
        for (slot, _), pile in world.stock.columns.items()
        if world.stock.places[slot].board.board_id.endswith("-2")
        for item in pile
    )
    assert float(loads.grams[-1].sum()) == pytest.approx(total)
    assert PlateBank(store, 1).read(loads).grams.shape == loads.grams.shape


def test_boards_are_named_once_in_the_whole_store() -> None:
    """Plates are weighed by board, so that two boards of one name would share theirs."""
    store = shipped("demo").model_dump_json()
    with pytest.raises(StoreFileError, match=r"bays.boards.board_id.*bay-a-1"):
        parse_store_file(store.replace("bay-b-1", "bay-a-1"), name="twice.yaml")
