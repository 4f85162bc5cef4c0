"""Messages that keep to the contract and say what no node should: the hub bears them."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import messages as m
from hub.attribution.engine import Engine
from hub.inventory.model import Stock
from hub.inventory.shelves import Shelves
from hub.levels import LEVEL
from hub.state import ground_of
from tests.hub.conftest import BREAD, COLA


def _scores(far: float) -> m.ProductScores:
    """Both articles of the store are named, and something else fits far better."""
    named = [m.ProductLikelihood(gtin=gtin, log_likelihood=-far) for gtin in (COLA, BREAD)]
    return m.ProductScores(top=tuple(named), other=far)


@pytest.mark.parametrize("far", [1.0, 300.0, 1e6])
def test_products_that_fit_far_worse_than_anything_else_are_weighed(
    layout: Any, far: float
) -> None:
    planogram = Shelves.of(layout).planogram
    engine = Engine(ground_of(layout, Stock(layout), planogram))
    hand = m.HandSeen(
        hand_id="h1",
        t_in_s=5.0,
        t_out_s=5.5,
        u_m=0.2,
        z_m=0.6,
        sd_u_m=0.05,
        sd_z_m=0.05,
        held_out=1.0,
        products=_scores(far),
    )
    reach = m.ReachClosed(
        reach_id="r1",
        bay_id="bay-a",
        t_open_s=5.0,
        t_close_s=5.5,
        u_m=0.2,
        hands=(hand,),
        camera_ok=True,
        plates_ok=False,
    )
    engine.closed(reach, t_sd_s=0.01)
    told = engine.decide(now_s=60.0)
    assert [decision.reach_id for decision in told] == ["r1"]


def test_evidence_of_more_bytes_than_a_database_counts_is_taken(shop: Any, day: Any) -> None:
    day.reach(1.0, "t1", COLA)
    at_s, name, payload = day.script.pop()
    piece = (
        b'"evidence":[{"evidence_id":"e1","sha256":"%s","media_type":"image/jpeg",'
        b'"bytes":%d,"expires_s":100.0}],"camera_ok"'
    )
    huge = payload.replace(b'"camera_ok"', piece % (b"0" * 64, 10**30))
    shop.play([*day.script, (at_s, name, huge)], 3.0)
    assert shop.hub.core.state.devices.all["node-shelf"].boots["boot-1"].upto == 2
    assert shop.hub.halted is None


@pytest.mark.parametrize(("level", "stage"), [(LEVEL, "shopping"), (10, "final")])
def test_a_floor_that_tells_of_the_far_future_once_is_believed_up_to_now(
    shop: Any, day: Any, level: int, stage: str
) -> None:
    shop.hub.core.state.hold_level(level)
    day.say(day.floor, 1.0, m.FloorTracksMoved(t_s=1e9, segments=()))
    day.say(day.shelf, 1.0, m.Watermark(t_s=1e9, last_seq=0))
    shop.play(day.script, 2.0)
    day.script.clear()
    visit_id = shop.open_visit("code-one", now_s=81.0)
    day.scan(82.0, "code-one")
    day.step(82.5, "t1", 1.0, 0.8, "born")
    day.step(83.0, "t1", 1.1, 3.4)
    shop.play(day.script, 84.0)
    state = shop.hub.core.state
    assert state.visits[visit_id].stage == stage
    assert (state.floor.time_s < 85.0) == (level == LEVEL)
    shelf = state.devices.all["node-shelf"].boot
    assert (shelf.watermark_s < 65.0) == (level == LEVEL)
