"""Single cases: one thing happens, and the engine must read it right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contracts.messages import (
    ActionLikelihood,
    FacingChange,
    GramStep,
    HandSeen,
    ReachClosed,
)
from hub.attribution.model import FloorNews, Ground
from hub.attribution.stock import Layout, Ledger, Move

STILL, SPARKLING = "2000000011011", "2000000011028"
HONEY_FLAKES, COCOA_FLAKES = "2000000021010", "2000000021027"
COLA = "2000000013015"
CRACKERS = "2000000022017"
SENSORS = ("both", "camera", "plates")

SceneOf = Callable[..., Any]


@pytest.mark.parametrize("sensors", SENSORS)
def test_a_pick_and_a_put_back(scene_of: SceneOf, sensors: str) -> None:
    scene = scene_of(sensors)
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 30.0)
    picked = scene.do(ann, "bay-a-3-l", 1, 5.0)
    decision = scene.decide(10.0)[picked, 0]
    assert decision.certain
    assert (decision.best.visit_id, decision.best.gtin, decision.best.quantity) == ("ann", COLA, 1)
    assert decision.best.slot_id == "bay-a-3-l"
    assert decision.revision == 0
    assert scene.engine.cart("ann") == {COLA: 1}
    put = scene.do(ann, "bay-a-3-l", -1, 15.0)
    decision = scene.decide(20.0)[put, 0]
    assert (decision.best.gtin, decision.best.quantity, decision.certain) == (COLA, -1, True)
    assert scene.engine.cart("ann") == {}


@pytest.mark.parametrize("slot_id", ["bay-b-1-l", "bay-b-1-r"])
def test_neighbours_of_equal_weight_are_told_apart_by_place(
    scene_of: SceneOf, slot_id: str
) -> None:
    scene = scene_of("plates")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-b-1-l", 0.5, 0.0, 20.0)
    scene.do(ann, slot_id, 1, 5.0)
    scene.decide(10.0)
    assert scene.engine.cart("ann") == {scene.slot(slot_id).gtin: 1}


@pytest.mark.parametrize("sensors", ["both", "camera"])
def test_a_misplaced_item_is_sold_as_what_it_is(scene_of: SceneOf, sensors: str) -> None:
    """Still water put among sparkling of equal weight, then taken by the next shopper."""
    scene = scene_of(sensors)
    ann, bob = scene.enter("ann"), scene.enter("bob")
    scene.stand(ann, "bay-a-1-l", 0.5, 0.0, 30.0)
    scene.do(ann, "bay-a-1-l", 1, 3.0)
    scene.do(ann, "bay-a-1-r", -1, 10.0, gtin=STILL, u_m=0.6)
    scene.decide(20.0)
    assert scene.engine.cart("ann") == {}
    scene.stand(bob, "bay-a-1-r", 0.65, 40.0, 70.0)
    scene.do(bob, "bay-a-1-r", 1, 45.0, gtin=STILL, u_m=0.6)
    scene.do(bob, "bay-a-1-r", 1, 55.0, u_m=0.8)
    scene.decide(60.0)
    assert scene.engine.cart("bob") == {STILL: 1, SPARKLING: 1}


def test_by_weight_alone_a_misplaced_item_is_known_by_the_ledger(scene_of: SceneOf) -> None:
    """Crackers stand among colas; who takes 238 g there takes crackers."""
    scene = scene_of("plates")
    ann, bob = scene.enter("ann"), scene.enter("bob")
    scene.stand(ann, "bay-b-2-l", 0.2, 0.0, 10.0)
    scene.do(ann, "bay-b-2-l", 1, 3.0)
    scene.decide(10.0)
    scene.stand(ann, "bay-a-3-l", 0.2, 12.0, 25.0)
    scene.do(ann, "bay-a-3-l", -1, 15.0, gtin=CRACKERS)
    scene.decide(25.0)
    assert scene.engine.cart("ann") == {}
    scene.stand(bob, "bay-a-3-l", 0.2, 40.0, 60.0)
    scene.do(bob, "bay-a-3-l", 1, 45.0, gtin=CRACKERS)
    scene.decide(60.0)
    assert scene.engine.cart("bob") == {CRACKERS: 1}


def test_hands_cross(scene_of: SceneOf) -> None:
    """Two people side by side, each takes what stands before the other."""
    scene = scene_of("both")
    ann, bob = scene.enter("ann"), scene.enter("bob")
    scene.stand(ann, "bay-b-3-l", 0.2, 0.0, 20.0)
    scene.stand(bob, "bay-b-3-l", 0.8, 0.0, 20.0)
    scene.do(ann, "bay-b-3-r", 1, 5.0, u_m=0.62)
    scene.do(bob, "bay-b-3-l", 1, 5.2, u_m=0.38)
    scene.decide(10.0)
    assert scene.engine.cart("ann") == {scene.slot("bay-b-3-r").gtin: 1}
    assert scene.engine.cart("bob") == {scene.slot("bay-b-3-l").gtin: 1}


def test_two_hands_of_two_people_in_one_reach(scene_of: SceneOf) -> None:
    """One reach reports both hands, both changes and all grams: two lines, two payers."""
    scene = scene_of("both")
    ann, bob = scene.enter("ann"), scene.enter("bob")
    scene.stand(ann, "bay-c-2-l", 0.15, 0.0, 20.0)
    scene.stand(bob, "bay-c-2-l", 0.85, 0.0, 20.0)
    one = scene.clear_reach(scene.act(ann, "bay-c-2-l", 1, 5.0, u_m=0.2))
    two = scene.clear_reach(scene.act(bob, "bay-c-2-r", 1, 5.3, u_m=0.8))
    reach = scene.close(
        one.model_copy(
            update={
                "t_close_s": two.t_close_s,
                "u_m": 0.5,
                "sd_u_m": 0.3,
                "hands": one.hands + two.hands,
                "changes": one.changes + two.changes,
                "grams": one.grams + two.grams,
            }
        )
    )
    decisions = scene.decide(10.0)
    assert sorted(line for reach_id, line in decisions if reach_id == reach) == [0, 1]
    assert scene.engine.cart("ann") == {scene.slot("bay-c-2-l").gtin: 1}
    assert scene.engine.cart("bob") == {scene.slot("bay-c-2-r").gtin: 1}


def test_two_articles_with_one_hand(scene_of: SceneOf) -> None:
    scene = scene_of("both")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-b-2-l", 0.5, 0.0, 20.0)
    left = scene.clear_reach(scene.act(ann, "bay-b-2-l", 1, 5.0, u_m=0.4))
    right = scene.clear_reach(scene.act(ann, "bay-b-2-r", 1, 5.0, u_m=0.6))
    both = {"changes": left.changes + right.changes, "grams": left.grams + right.grams}
    scene.close(left.model_copy(update=both))
    scene.decide(10.0)
    assert scene.engine.cart("ann") == {
        scene.slot("bay-b-2-l").gtin: 1,
        scene.slot("bay-b-2-r").gtin: 1,
    }


@pytest.mark.parametrize("sensors", SENSORS)
@pytest.mark.parametrize("quantity", [2, 3])
def test_several_of_a_kind_at_once(scene_of: SceneOf, sensors: str, quantity: int) -> None:
    scene = scene_of(sensors, seed=2)
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    scene.do(ann, "bay-a-3-l", quantity, 5.0)
    scene.decide(10.0)
    count = scene.engine.cart("ann").get(COLA, 0)
    # Pictures alone are seldom sure of the third piece: then two are charged, never four.
    assert count == quantity or (sensors == "camera" and count == 2)


@pytest.mark.parametrize("sensors", SENSORS)
def test_only_a_holder_puts_back(scene_of: SceneOf, sensors: str) -> None:
    """Bob holds cola, Ann holds nothing; between them a cola goes back: it was Bob's."""
    scene = scene_of(sensors)
    ann, bob = scene.enter("ann"), scene.enter("bob")
    scene.stand(bob, "bay-a-3-l", 0.2, 0.0, 10.0)
    scene.do(bob, "bay-a-3-l", 1, 3.0, u_m=0.2)
    scene.decide(10.0)
    assert scene.engine.cart("bob") == {COLA: 1}
    scene.stand(bob, "bay-a-3-l", 0.0, 20.0, 30.0)
    scene.stand(ann, "bay-a-3-l", 0.4, 20.0, 30.0)
    put = scene.clear_reach(scene.act(bob, "bay-a-3-l", -1, 25.0, u_m=0.2))
    hands = tuple(h.model_copy(update={"body_x_m": None, "arm_deg": None}) for h in put.hands)
    reach = scene.close(put.model_copy(update={"hands": hands}))
    decision = scene.decide(35.0)[reach, 0]
    assert decision.best.visit_id == "bob"
    assert scene.engine.cart("bob") == {}
    assert scene.engine.cart("ann") == {}


@pytest.mark.parametrize("sensors", SENSORS)
def test_a_put_back_by_nobody_who_holds_it_charges_nobody(scene_of: SceneOf, sensors: str) -> None:
    scene = scene_of(sensors)
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    reach = scene.do(ann, "bay-a-3-l", -1, 5.0)
    decision = scene.decide(10.0)[reach, 0]
    assert decision.best.visit_id is None
    assert scene.engine.cart("ann") == {}


def doubtful(scene: Any, actor: Any, slot_id: str, t_s: float) -> ReachClosed:
    """A pick right between two people, of which no sensor says whose hand it was."""
    reach: ReachClosed = scene.clear_reach(scene.act(actor, slot_id, 1, t_s, u_m=0.25))
    hands = tuple(h.model_copy(update={"body_x_m": None, "arm_deg": None}) for h in reach.hands)
    return reach.model_copy(update={"hands": hands})


@pytest.mark.parametrize("sensors", SENSORS)
@pytest.mark.parametrize("settle_s", [12.0, 200.0])
def test_a_later_put_back_says_who_had_taken(
    scene_of: SceneOf, sensors: str, settle_s: float
) -> None:
    scene = scene_of(sensors)
    ann, bob = scene.enter("ann"), scene.enter("bob")
    scene.stand(ann, "bay-a-3-l", 0.0, 0.0, 10.0)
    scene.stand(bob, "bay-a-3-l", 0.5, 0.0, 10.0)
    reach = scene.close(doubtful(scene, ann, "bay-a-3-l", 5.0))
    decision = scene.decide(settle_s - 2.0)[reach, 0]
    assert not decision.certain
    assert {a.visit_id for a in decision.alternatives} >= {"ann", "bob"}
    assert scene.engine.cart("ann") == scene.engine.cart("bob") == {}
    scene.stand(bob, "bay-a-3-l", 0.2, settle_s, settle_s + 10.0)
    put = scene.do(bob, "bay-a-3-l", -1, settle_s + 3.0)
    decisions = scene.decide(settle_s + 8.0)
    assert decisions[reach, 0].best.visit_id == "bob"
    assert decisions[reach, 0].revision >= 1
    assert decisions[put, 0].best.visit_id == "bob"
    assert scene.engine.cart("ann") == scene.engine.cart("bob") == {}


@pytest.mark.parametrize("sensors", SENSORS)
def test_an_unbound_person_is_not_charged_and_nobody_else_is(
    scene_of: SceneOf, sensors: str
) -> None:
    scene = scene_of(sensors)
    stranger, bob = scene.enter("stranger", bound=False), scene.enter("bob")
    scene.stand(stranger, "bay-a-3-l", 0.25, 0.0, 20.0)
    scene.stand(bob, "bay-c-3-l", 0.25, 0.0, 20.0)
    reach = scene.do(stranger, "bay-a-3-l", 1, 5.0)
    decision = scene.decide(10.0)[reach, 0]
    assert decision.certain
    assert (decision.best.visit_id, decision.best.quantity) == (None, 1)
    assert scene.engine.cart("bob") == {}


def test_a_binding_that_comes_late_names_the_payer(scene_of: SceneOf) -> None:
    scene = scene_of("both")
    ann = scene.enter("ann", bound=False)
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    reach = scene.do(ann, "bay-a-3-l", 1, 5.0)
    assert scene.decide(100.0)[reach, 0].best.visit_id is None
    scene.engine.bind(visit_id="ann", track_id=ann.track_id, t_s=1.0)
    decision = scene.decide(101.0)[reach, 0]
    assert (decision.best.visit_id, decision.revision, decision.certain) == ("ann", 1, True)
    assert scene.engine.cart("ann") == {COLA: 1}


def test_who_has_left_takes_nothing(scene_of: SceneOf) -> None:
    scene = scene_of("plates")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    scene.engine.end(visit_id="ann", t_s=3.0)
    reach = scene.do(ann, "bay-a-3-l", 1, 5.0)
    assert scene.decide(10.0)[reach, 0].best.visit_id is None
    assert scene.engine.cart("ann") == {}


@pytest.mark.parametrize("sensors", SENSORS)
def test_a_touch_is_nothing_and_certain(scene_of: SceneOf, sensors: str) -> None:
    scene = scene_of(sensors)
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    reach = scene.do(ann, "bay-a-3-l", 0, 5.0)
    decision = scene.decide(10.0)[reach, 0]
    assert decision.certain
    assert (decision.best.visit_id, decision.best.quantity) == (None, 0)


def test_wobble_is_nothing(scene_of: SceneOf) -> None:
    scene = scene_of("plates")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-b-3-l", 0.25, 0.0, 20.0)
    steps = tuple(
        GramStep(plate_id=f"bay-b-3-p{i}", t_start_s=5.0, t_end_s=5.5, delta_g=d, sd_g=2.0)
        for i, d in enumerate((-7.0, 6.0, -5.0, 8.0))
    )
    touch = scene.clear_reach(scene.act(ann, "bay-b-3-l", 0, 5.0))
    reach = scene.close(touch.model_copy(update={"grams": steps}))
    decision = scene.decide(10.0)[reach, 0]
    assert decision.certain
    assert decision.best.quantity == 0


def test_an_item_over_two_plates_is_one_item(scene_of: SceneOf) -> None:
    """A box of 432 g stands on two plates, 260 g and 172 g; no product weighs that."""
    scene = scene_of("plates")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-b-1-l", 0.25, 0.0, 20.0)
    pick = scene.clear_reach(scene.act(ann, "bay-b-1-l", 1, 5.0, u_m=0.25))
    steps = tuple(
        GramStep(plate_id=f"bay-b-1-p{i}", t_start_s=5.5, t_end_s=5.8, delta_g=d, sd_g=1.0)
        for i, d in enumerate((-260.0, -172.0))
    )
    scene.close(pick.model_copy(update={"grams": steps}))
    scene.decide(10.0)
    assert scene.engine.cart("ann") == {HONEY_FLAKES: 1}


def test_echoes_on_neighbours_are_no_items(scene_of: SceneOf) -> None:
    """538 g read as 561 g with 8 and 7 g beside it, as real plates do."""
    scene = scene_of("plates")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-1-l", 0.4, 0.0, 20.0)
    pick = scene.clear_reach(scene.act(ann, "bay-a-1-l", 1, 5.0, u_m=0.37))
    steps = tuple(
        GramStep(plate_id=f"bay-a-1-p{i}", t_start_s=5.5, t_end_s=5.8, delta_g=d, sd_g=1.0)
        for i, d in enumerate((-16.0, -1076.0, -14.0))
    )
    reach = scene.close(pick.model_copy(update={"grams": steps}))
    decisions = scene.decide(10.0)
    assert [key for key in decisions if key[0] == reach] == [(reach, 0)]
    assert scene.engine.cart("ann") == {STILL: 1}


def test_a_weight_no_product_has_is_not_charged(scene_of: SceneOf) -> None:
    scene = scene_of("plates")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-1-l", 0.25, 0.0, 20.0)
    pick = scene.clear_reach(scene.act(ann, "bay-a-1-l", 1, 5.0, u_m=0.12))
    step = GramStep(plate_id="bay-a-1-p0", t_start_s=5.5, t_end_s=5.8, delta_g=-1450.0, sd_g=1.0)
    scene.close(pick.model_copy(update={"grams": (step,)}))
    scene.decide(10.0)
    assert sum(scene.engine.cart("ann").values()) <= 1


def weak(scene: Any, actor: Any, nats: float) -> ReachClosed:
    """A reach of which the camera can hardly say what happened."""
    reach: ReachClosed = scene.clear_reach(scene.act(actor, "bay-a-3-l", 1, 5.0))
    hand: HandSeen = reach.hands[0]
    change: FacingChange = reach.changes[0]
    action = ActionLikelihood(pick=nats, put_back=0.0, nothing=0.0)
    return reach.model_copy(
        update={
            "hands": (hand.model_copy(update={"held_in": 0.5, "held_out": 0.5}),),
            "changes": (change.model_copy(update={"action": action, "pieces": ()}),),
        }
    )


def test_weak_pictures_make_no_certainty_and_strong_ones_do(scene_of: SceneOf) -> None:
    carts = []
    for nats in (-1.5, 5.0):
        scene = scene_of("camera")
        ann = scene.enter("ann")
        scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
        scene.close(weak(scene, ann, nats))
        scene.decide(10.0)
        carts.append(scene.engine.cart("ann"))
    assert carts == [{}, {COLA: 1}]


def test_plates_rule_out_what_pictures_believe(scene_of: SceneOf) -> None:
    """The camera says taken, the plates say nothing moved: not charged."""
    scene = scene_of("both")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    reach = weak(scene, ann, 2.0)
    scene.close(reach.model_copy(update={"grams": ()}))
    scene.decide(10.0)
    assert scene.engine.cart("ann") == {}


def test_two_people_equally_near_leave_the_payer_open(scene_of: SceneOf) -> None:
    scene = scene_of("plates")
    ann, bob = scene.enter("ann"), scene.enter("bob")
    scene.stand(ann, "bay-a-3-l", 0.0, 0.0, 10.0)
    scene.stand(bob, "bay-a-3-l", 0.5, 0.0, 10.0)
    reach = scene.close(doubtful(scene, ann, "bay-a-3-l", 5.0))
    decision = scene.decide(10.0)[reach, 0]
    assert not decision.certain
    assert {a.gtin for a in decision.alternatives[:2]} == {COLA}
    assert {a.visit_id for a in decision.alternatives[:2]} == {"ann", "bob"}
    assert sum(a.probability for a in decision.alternatives) <= 1.0 + 1e-6


def test_a_short_gap_of_the_track_is_bridged(scene_of: SceneOf) -> None:
    """The track is lost while its person reaches, and comes back under another id."""
    scene = scene_of("plates")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 4.0)
    scene.engine.track(FloorNews(ann.track_id, "lost", (), (), None))
    scene.do(ann, "bay-a-3-l", 1, 5.0)
    ann.track_id = "track-again"
    scene.stand(ann, "bay-a-3-l", 0.25, 7.0, 20.0)
    scene.engine.bind(visit_id="ann", track_id="track-again", t_s=7.0)
    scene.decide(12.0)
    assert scene.engine.cart("ann") == {COLA: 1}


def test_a_bay_the_store_does_not_have(scene_of: SceneOf) -> None:
    scene = scene_of("plates")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    reach = scene.clear_reach(scene.act(ann, "bay-a-3-l", 1, 5.0))
    scene.close(reach.model_copy(update={"bay_id": "bay-z"}))
    decision = scene.decide(10.0)[reach.reach_id, 0]
    assert not decision.certain
    assert "bay-z" in decision.why


def test_the_reason_names_the_evidence(scene_of: SceneOf) -> None:
    scene = scene_of("both")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    reach = scene.do(ann, "bay-a-3-l", 1, 5.0)
    why = scene.decide(10.0)[reach, 0].why
    assert "plates" in why
    assert "-352 g" in why
    assert "taken" in why


def test_a_ground_may_begin_with_misplaced_pieces(ground: Ground) -> None:
    """After a restart the hub hands over what stands where, one line per slot and article."""
    slot = next(s for s in ground.shelves if s.slot_id == "bay-a-3-l")
    stray = replace(slot, gtin=CRACKERS, facings=1, on_hand=1)
    shelves = tuple(sorted((*ground.shelves, stray), key=lambda s: (s.slot_id, s.gtin)))
    layout = Layout(replace(ground, shelves=shelves))
    ledger = Ledger(layout)
    place = next(p for p in layout.places if p.slot_id == "bay-a-3-l")
    assert len(layout.places) == len(ground.shelves)
    assert place.gtin == COLA
    assert ledger.stock(place.index, CRACKERS, 0.0) == 1
    assert ledger.strays_at(place.index) == [CRACKERS]
    ledger.add(Move(5.0, "ann", CRACKERS, 1, place.index))
    assert ledger.stock(place.index, CRACKERS, 6.0) == 0
    assert ledger.held("ann", CRACKERS, 6.0) == 1
    assert ledger.held("ann", CRACKERS, 4.0) == 0


def test_what_a_later_settled_put_back_took_cannot_be_put_back_before(ground: Ground) -> None:
    ledger = Ledger(Layout(ground))
    ledger.add(Move(10.0, "ann", COLA, 1, 0))
    ledger.add(Move(50.0, "ann", COLA, -1, 0))
    assert ledger.held("ann", COLA, 30.0) == 0
    assert ledger.balance("ann", COLA) == 0


@pytest.mark.parametrize("grams_first", [True, False])
def test_one_act_told_as_two_reaches_is_charged_once(scene_of: SceneOf, grams_first: bool) -> None:
    """The plates' word and the camera's word of one act come as reaches of their own."""
    scene = scene_of("both")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    whole = scene.clear_reach(scene.act(ann, "bay-a-3-l", 1, 5.0))
    heavy = whole.model_copy(update={"reach_id": "heavy", "changes": ()})
    sight = whole.model_copy(
        update={"reach_id": "sight", "grams": (), "t_close_s": whole.t_close_s + 0.3}
    )
    if not grams_first:
        heavy = heavy.model_copy(update={"t_close_s": whole.t_close_s + 0.6})
    scene.close(heavy)
    scene.close(sight)
    decisions = scene.decide(12.0)
    assert scene.engine.cart("ann") == {COLA: 1}
    assert decisions["heavy", 0].best.quantity == 1
    assert decisions["sight", 0].best.quantity == 0


def test_a_change_seen_twice_in_one_stay_of_a_hand_is_one_pick(scene_of: SceneOf) -> None:
    scene = scene_of("camera")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    whole = scene.clear_reach(scene.act(ann, "bay-a-3-l", 1, 5.0))
    scene.close(whole)
    scene.close(whole.model_copy(update={"reach_id": "again"}))
    scene.decide(12.0)
    assert sum(scene.engine.cart("ann").values()) <= 1


@pytest.mark.parametrize("sensors", SENSORS)
def test_two_picks_one_after_another_are_two(scene_of: SceneOf, sensors: str) -> None:
    scene = scene_of(sensors)
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 20.0)
    scene.do(ann, "bay-a-3-l", 1, 5.0, u_m=0.2)
    scene.do(ann, "bay-a-3-l", 1, 7.0, u_m=0.32)
    scene.decide(14.0)
    assert scene.engine.cart("ann") == {COLA: 2}
