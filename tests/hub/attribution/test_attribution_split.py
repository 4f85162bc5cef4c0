"""One act told as two reaches: a hand here, a change of the shelf there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contracts.messages import ReachClosed

COLA = "2000000013015"
SceneOf = Callable[..., Any]


def split_in_two(reach: ReachClosed) -> tuple[ReachClosed, ReachClosed]:
    """One act told as two reaches: the hand alone, and the change alone."""
    hand = reach.model_copy(update={"reach_id": f"{reach.reach_id}-hand", "changes": ()})
    change = reach.model_copy(update={"reach_id": f"{reach.reach_id}-change", "hands": ()})
    return hand, change


@pytest.mark.parametrize("put_back", [False, True])
def test_an_act_told_by_two_reaches_is_charged_once(scene_of: SceneOf, put_back: bool) -> None:
    scene = scene_of("camera")
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-3-l", 0.25, 0.0, 40.0)
    scene.decide(4.0)
    whole = scene.clear_reach(scene.act(ann, "bay-a-3-l", 1, 5.0))
    for part in split_in_two(whole):
        scene.engine.closed(part, t_sd_s=0.0)
    scene.decide(12.0)
    assert scene.engine.cart("ann") == {COLA: 1}
    if put_back:
        scene.do(ann, "bay-a-3-l", -1, 20.0)
        scene.decide(26.0)
        assert scene.engine.cart("ann") == {}


@pytest.mark.parametrize(("sensors", "count"), [("both", 2), ("camera", 1), ("plates", 2)])
def test_one_hidden_behind_another_is_two_by_weight(
    scene_of: SceneOf, sensors: str, count: int
) -> None:
    """The camera sees the width of one piece go, and is sure of it; the plates lose two."""
    scene = scene_of(sensors)
    ann = scene.enter("ann")
    scene.stand(ann, "bay-a-4-l", 0.25, 0.0, 30.0)
    reach = scene.clear_reach(scene.act(ann, "bay-a-4-l", 2, 5.0))
    changes = tuple(one.model_copy(update={"pieces": (0.0, -5.0, -9.0)}) for one in reach.changes)
    # Plates with a gain of their own: three per cent too much.
    grams = tuple(one.model_copy(update={"delta_g": 1.03 * one.delta_g}) for one in reach.grams)
    scene.close(reach.model_copy(update={"changes": changes, "grams": grams}))
    scene.decide(10.0)
    assert scene.engine.cart("ann") == {"2000000014012": count}
