"""A piece that was taken is free, and nobody is told of it, only where no visit is likely to have
it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from contracts.store_file import load_store_file
from hub.attribution.engine import Engine
from hub.levels import DOUBT_NOBODY_LEVEL, DOUBT_RETURN_LEVEL, LEVEL
from hub.rules import Rules
from hub.state import HubState
from tests.hub.attribution.conftest import STORE

SceneOf = Callable[..., Any]


def _taken_beside(scene: Any, away_m: float) -> Any:
    """Somebody whom no visit is bound to takes something, a shopper stands so far along the bay;
    the plates tell only where. The decision."""
    slot = scene.ground.shelves[0]
    nobody, shopper = scene.enter("nobody", bound=False), scene.enter("v-beside")
    place_m = 0.5 * (slot.u0_m + slot.u1_m)
    scene.stand(nobody, slot.slot_id, place_m - 0.2, 0.0, 9.0)
    scene.stand(shopper, slot.slot_id, place_m + away_m, 0.0, 9.0)
    reach = scene.do(nobody, slot.slot_id, 1, 5.0)
    return scene.decide(8.5)[reach, 0]


def _put_back_beside(scene: Any, away_m: float) -> Any:
    """Both of them took one before; the decision on one that came back."""
    slot = scene.ground.shelves[0]
    nobody, shopper = scene.enter("nobody", bound=False), scene.enter("v-beside")
    place_m = 0.5 * (slot.u0_m + slot.u1_m)
    scene.stand(nobody, slot.slot_id, place_m, 0.0, 9.0)
    scene.do(nobody, slot.slot_id, 1, 5.0)
    scene.stand(shopper, slot.slot_id, place_m, 10.0, 19.0)
    scene.do(shopper, slot.slot_id, 1, 15.0)
    scene.stand(nobody, slot.slot_id, place_m - 0.2, 30.0, 39.0)
    scene.stand(shopper, slot.slot_id, place_m + away_m, 30.0, 39.0)
    back = scene.do(nobody, slot.slot_id, -1, 35.0)
    return scene.decide(38.5)[back, 0]


@pytest.mark.parametrize("doubts", [True, False])
def test_what_a_visit_may_well_have_taken_is_not_certain_to_be_nobodys(
    scene_of: SceneOf, doubts: bool
) -> None:
    """Journals of before replay as they were: there it was free for sure."""
    scene = scene_of("plates")
    scene.engine.doubts_nobody = doubts
    decision = _taken_beside(scene, 0.37)
    assert (decision.best.visit_id, decision.best.quantity) == (None, 1)
    assert 0.5 < decision.best.probability < 0.7
    assert decision.certain != doubts
    named = {choice.visit_id for choice in decision.alternatives}
    assert named == ({None, "v-beside"} if doubts else set())


def test_what_hardly_any_visit_took_is_still_nobodys(scene_of: SceneOf) -> None:
    scene = scene_of("plates")
    scene.engine.doubts_nobody = True
    decision = _taken_beside(scene, 0.7)
    assert (decision.best.visit_id, decision.certain) == (None, True)
    assert decision.best.probability > 0.7


@pytest.mark.parametrize("doubts", [True, False])
def test_what_a_visit_may_well_have_put_back_is_not_certain_to_be_nobodys(
    scene_of: SceneOf, doubts: bool
) -> None:
    """Whoever put it back must not pay for it, so that staff are told who it may have been."""
    scene = scene_of("plates")
    scene.engine.doubts_nobody = True
    scene.engine.doubts_returns = doubts
    decision = _put_back_beside(scene, 0.39)
    assert (decision.best.visit_id, decision.best.quantity) == (None, -1)
    assert 0.5 < decision.best.probability < 0.7
    assert decision.certain != doubts
    named = {choice.visit_id for choice in decision.alternatives}
    assert named == ({None, "v-beside"} if doubts else set())


def test_what_hardly_any_visit_put_back_is_still_nobodys(scene_of: SceneOf) -> None:
    scene = scene_of("plates")
    scene.engine.doubts_nobody = scene.engine.doubts_returns = True
    decision = _put_back_beside(scene, 0.7)
    assert (decision.best.visit_id, decision.best.quantity) == (None, -1)
    assert decision.certain
    assert decision.best.probability > 0.7


@pytest.mark.parametrize("sensors", ["plates", "both"])
def test_a_reach_that_nobody_can_date_moves_nothing(scene_of: SceneOf, sensors: str) -> None:
    scene = scene_of(sensors)
    slot = scene.ground.shelves[0]
    shopper = scene.enter("v-there")
    scene.stand(shopper, slot.slot_id, 0.5 * (slot.u0_m + slot.u1_m), 0.0, 9.0)
    reach = scene.clear_reach(scene.act(shopper, slot.slot_id, 1, 5.0))
    scene.engine.closed(reach, t_sd_s=math.inf)
    decision = scene.decide(8.5)[reach.reach_id, 0]
    assert (decision.best.visit_id, decision.best.quantity) == (None, 0)
    assert not decision.certain
    assert "clock" in decision.why
    assert scene.engine.cart("v-there") == {}


@pytest.mark.parametrize("level", [DOUBT_NOBODY_LEVEL - 1, DOUBT_NOBODY_LEVEL, LEVEL])
def test_the_rules_of_a_journal_say_which_bar_holds(level: int) -> None:
    state = HubState.fresh(load_store_file(STORE), Engine, Rules())
    state.hold_level(level)
    assert state.attributor.doubts_nobody == (level >= DOUBT_NOBODY_LEVEL)
    assert state.attributor.doubts_returns == (level >= DOUBT_RETURN_LEVEL)
