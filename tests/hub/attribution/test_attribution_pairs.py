"""Where along a board something was done: two acts of one moment, two plates, a misplaced twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contracts.messages import ReachClosed

SceneOf = Callable[..., Any]


def merged(one: ReachClosed, two: ReachClosed) -> dict[str, Any]:
    """Two acts of one moment beside each other, told as one reach and one change."""
    first, second = one.changes[0], two.changes[0]
    change = first.model_copy(
        update={
            "u0_m": min(first.u0_m, second.u0_m),
            "u1_m": max(first.u1_m, second.u1_m),
            "pieces": (-3.0, 0.0, -3.0),
        }
    )
    return {
        "t_close_s": max(one.t_close_s, two.t_close_s),
        "u_m": 0.5 * (one.u_m + two.u_m),
        "hands": one.hands + two.hands,
        "changes": (change,),
        "grams": one.grams + two.grams,
    }


def at_once(scene: Any, ann: tuple[float, str, float], bob: tuple[float, str, float]) -> None:
    """Each stands at a place along the bay and takes a piece from a slot, somewhere in it."""
    reaches: list[ReachClosed] = []
    for name, (stand_m, slot_id, u_m) in (("ann", ann), ("bob", bob)):
        shopper = scene.enter(name)
        scene.stand(shopper, "bay-c-3-l", stand_m, 0.0, 20.0)
        act = scene.act(shopper, slot_id, 1, 5.0 + 0.1 * len(reaches), u_m=u_m)
        reaches.append(scene.clear_reach(act))
    scene.close(reaches[0].model_copy(update=merged(*reaches)))
    scene.decide(10.0)


PLACES = {
    "arms cross": ((0.15, "bay-c-3-r", 0.58), (0.85, "bay-c-3-l", 0.42)),
    "the same": ((0.05, "bay-c-3-l", 0.15), (0.75, "bay-c-3-l", 0.36)),
}
"""Two pastas of one weight go at once, or two of one: two plates, one change, two payers."""


@pytest.mark.parametrize("what", PLACES)
def test_two_picks_that_look_like_one(scene_of: SceneOf, what: str) -> None:
    right = wrong = 0
    for seed in range(20):
        scene = scene_of("both", seed)
        at_once(scene, *PLACES[what])
        for name, (_, slot_id, _) in zip(("ann", "bob"), PLACES[what], strict=True):
            cart, own = scene.engine.cart(name), scene.slot(slot_id).gtin
            right += cart == {own: 1}
            wrong += any(gtin != own or count > 1 for gtin, count in cart.items())
    assert right >= 36
    assert wrong <= 1


def test_a_piece_on_the_edge_weighs_on_the_plate_beside(scene_of: SceneOf) -> None:
    """A part of its weight there is no second piece, and not its neighbour's."""
    scene = scene_of("plates")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-c-3-l", 0.45, 0.0, 20.0)
    reach = scene.clear_reach(scene.act(ann, "bay-c-3-l", 1, 5.0, u_m=0.46))
    own, beside = "bay-c-3-p1", "bay-c-3-p2"
    step = reach.grams[0]
    weight_g = next(
        a.weight_g for a in scene.ground.articles if a.gtin == scene.slot("bay-c-3-l").gtin
    )
    grams = tuple(
        step.model_copy(update={"plate_id": plate, "delta_g": -share * weight_g, "sd_g": 2.0})
        for plate, share in ((own, 0.6), (beside, 0.4))
    )
    scene.close(reach.model_copy(update={"grams": grams, "u_m": 0.44}))
    scene.decide(10.0)
    assert scene.engine.cart("ann") == {scene.slot("bay-c-3-l").gtin: 1}


def test_a_misplaced_twin_is_known_by_where_it_was_put(scene_of: SceneOf) -> None:
    """Still water put among sparkling of equal weight, in sight; then taken by grams alone."""
    scene = scene_of("both")
    still, sparkling = (scene.slot(slot_id).gtin for slot_id in ("bay-a-1-l", "bay-a-1-r"))
    ann, bob = scene.enter("ann"), scene.enter("bob")
    scene.stand(ann, "bay-a-1-l", 0.5, 0.0, 30.0)
    scene.do(ann, "bay-a-1-l", 1, 3.0, u_m=0.3)
    scene.do(ann, "bay-a-1-r", -1, 10.0, gtin=still, u_m=0.62)
    scene.decide(20.0)
    assert scene.engine.cart("ann") == {}
    scene.stand(bob, "bay-a-1-r", 0.7, 40.0, 90.0)
    blind = {"hands": (), "changes": (), "camera_ok": False}
    for t_s, u_m, gtin in ((45.0, 0.88, sparkling), (55.0, 0.62, still)):
        act = scene.act(bob, "bay-a-1-r", 1, t_s, gtin=gtin, u_m=u_m)
        scene.close(scene.clear_reach(act).model_copy(update=blind))
        scene.decide(t_s + 10.0)
    assert scene.engine.cart("bob") == {still: 1, sparkling: 1}
