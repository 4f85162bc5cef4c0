"""People and things in each other's way: crowds, places at shelves, doors that wait for arms."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.store_file import StoreFile, load_store_file
from store_sim.scenarios import build
from store_sim.truth import TruthVisit
from store_sim.world import Scenario, VisitPlan, World
from store_sim.world.doors import OPEN_RAD
from store_sim.world.verbs import Enter, Exit, HoldOnShelf, PutBack, Take, Verb, Wait
from tests.store_sim.stores_kit import Document, changed

STORES = Path(__file__).parents[2] / "store_sim" / "stores"
CROWD_S_MAX = 520.0
"""Twenty people come within a minute or two, wait for the last, and shop."""


def _store(name: str) -> StoreFile:
    return load_store_file(STORES / f"{name}.yaml")


def _world(store: StoreFile, *plans: tuple[Verb, ...], seed: int = 1) -> World:
    visits = tuple(VisitPlan(0.5 + 3.0 * k, verbs) for k, verbs in enumerate(plans))
    scenario = Scenario("crowding", "people in each other's way", lambda _: visits)
    return World(store, scenario, seed, phone=lambda k: f"code-{k}")


@pytest.mark.parametrize("name", ["demo", "six-bay", "fridge", "nano"])
def test_a_crowd_gets_in_and_out_of_any_store(name: str) -> None:
    store = _store(name)
    world = World(store, build("twenty-people", store, 2, 1), 2, phone=lambda k: f"code-{k}")
    visits: list[TruthVisit] = []
    while not world.finished:
        world.step(0.5)
        world.take_loads()
        visits.extend(world.take_finished())
        assert world.t_s < CROWD_S_MAX, "somebody is stuck"
    assert len(visits) == 20
    assert all(visit.left_s is not None for visit in visits)


def test_two_who_want_each_others_places_do_not_wait_for_one_another() -> None:
    store = _store("demo")
    left, right = "bay-b-3-l", "bay-b-3-r"

    def trip(first: str, first_u_m: float, then: str, then_u_m: float) -> tuple[Verb, ...]:
        return (
            Enter(),
            Take(first, stand_u_m=first_u_m),
            Wait(8.0),
            Take(then, stand_u_m=then_u_m),
            Exit(),
        )

    world = _world(store, trip(left, 0.15, right, 0.85), trip(right, 0.85, left, 0.15))
    while not world.finished:
        world.step(0.2)
        assert world.t_s < 90.0, "they wait for one another"
    visits = world.take_finished()
    assert [[a.slot_id for a in visit.actions] for visit in visits] in (
        [[left, right], [right, left]],
        [[right, left], [left, right]],
    )


def test_a_glass_door_waits_for_the_arm_in_it() -> None:
    store = _store("fridge")
    slot = next(slot for slot in store.slots if slot.facings > 1)
    world = _world(store, (Enter(), HoldOnShelf(slot.slot_id, seconds=6.0, take=True), Exit()))
    angles: list[float] = []
    while not world.finished:
        world.step(0.1)
        bay = world._tracer.bays_reached()
        if bay:
            poses = {pose.bay_id: pose.angle_rad for pose in world.scene().doors}
            angles += [poses[bay_id] for bay_id in bay]
    assert len(angles) > 50
    assert min(angles) > 0.7 * OPEN_RAD
    assert all(pose.angle_rad == 0.0 for pose in world.scene().doors), "it shuts in the end"


def test_a_piece_goes_back_to_another_place_of_its_product_with_fewer_columns() -> None:
    """Taken from the last column of a wide slot, put into a slot of one."""

    def change(document: Document) -> None:
        wide = next(slot for slot in document["slots"] if slot["facings"] > 2)
        narrow = next(slot for slot in document["slots"] if slot["slot_id"] != wide["slot_id"])
        narrow |= {"gtin": wide["gtin"], "facings": 1, "deep": 2}

    store = changed(change)
    narrow = next(slot for slot in store.slots if slot.facings == 1)
    wide = next(slot for slot in store.slots if slot.facings > 2 and slot.gtin == narrow.gtin)
    last = wide.facings - 1
    world = _world(
        store,
        (
            Enter(),
            Take(narrow.slot_id),
            Take(wide.slot_id, column=last),
            PutBack(narrow.slot_id),
            PutBack(narrow.slot_id),
            Exit(),
        ),
    )
    while not world.finished:
        world.step(0.5)
    (visit,) = world.take_finished()
    puts = [action.slot_id for action in visit.actions if action.kind == "put_back"]
    assert puts
    assert set(puts) == {narrow.slot_id}
