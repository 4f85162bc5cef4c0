"""Whose body it was may become known long after what it did: nothing of it may stay nobody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.attribution.engine import Engine
from hub.attribution.model import Ground
from hub.attribution.settings import AttributionSettings, Limits

SceneOf = Callable[..., Any]


def _beside(scene: Any, *, names_late: bool) -> tuple[str, Any]:
    """Somebody whom no visit is bound to takes something, a shopper stands near; theirs settles."""
    scene.engine.names_late = names_late
    slot = scene.ground.shelves[0]
    nobody, shopper = scene.enter("late", bound=False), scene.enter("v-beside")
    scene.stand(nobody, slot.slot_id, slot.u0_m, 0.0, 9.0)
    scene.stand(shopper, slot.slot_id, slot.u0_m + 0.75, 0.0, 9.0)
    reach = scene.do(nobody, slot.slot_id, 1, 5.0)
    decision = scene.decide(8.5)[reach, 0]
    assert decision.best.visit_id is None
    scene.engine.end(visit_id="v-beside", t_s=9.0)
    scene.engine.forget(visit_id="v-beside")
    return reach, nobody


@pytest.mark.parametrize(("names_late", "owner"), [(True, "late"), (False, None)])
def test_another_visits_end_leaves_it_open_whose_it_was(
    scene_of: SceneOf, names_late: bool, owner: str | None
) -> None:
    """Journals of before replay as they were: there it stayed nobody's."""
    scene = scene_of()
    reach, nobody = _beside(scene, names_late=names_late)
    scene.decide(12.0)
    scene.engine.bind(visit_id="late", track_id=nobody.track_id, t_s=0.0)
    assert scene.decide(13.0)[reach, 0].best.visit_id == owner
    assert bool(scene.engine.cart("late")) == names_late


def test_what_had_to_be_settled_gets_its_name_too(ground: Ground, scene_of: SceneOf) -> None:
    scene = scene_of()
    limits = Limits(live_max=1)
    scene.engine = Engine(ground, AttributionSettings(limits=limits))
    scene.engine.names_late = True
    first, second = ground.shelves[0], ground.shelves[-1]
    nobody, other = scene.enter("late", bound=False), scene.enter("v-other")
    scene.stand(nobody, first.slot_id, first.u0_m, 0.0, 9.0)
    scene.stand(other, second.slot_id, second.u0_m, 0.0, 16.0)
    early = scene.do(nobody, first.slot_id, 1, 1.0)
    late = scene.do(nobody, first.slot_id, 1, 4.0)
    before = scene.decide(8.0)[late, 0]
    scene.do(other, second.slot_id, 1, 12.0)
    scene.decide(15.0)
    scene.decide(17.0)
    assert scene.engine.size["live"] == 1, "the bound settled what the unknown body did"
    scene.engine.bind(visit_id="late", track_id=nobody.track_id, t_s=3.0)
    decisions = scene.decide(18.0)
    named = decisions[late, 0]
    assert (named.best.visit_id, named.certain) == ("late", True)
    assert named.revision == before.revision + 1
    assert decisions[early, 0].best.visit_id is None, "that was before the scan"
    assert scene.engine.cart("late") == {first.gtin: 1}
    scene.engine.bind(visit_id="late", track_id=nobody.track_id, t_s=3.0)
    assert scene.decide(19.0)[late, 0] == named, "told once"
    scene.stand(nobody, first.slot_id, first.u0_m, 20.0, 26.0)
    back = scene.do(nobody, first.slot_id, -1, 22.0)
    assert scene.decide(25.0)[back, 0].best.quantity == -1
    assert scene.engine.cart("late") == {}, "what it took before can be put back"


@pytest.mark.parametrize("narrowly", [True, False])
def test_who_is_named_leaves_alone_what_another_did_far_away(
    scene_of: SceneOf, monkeypatch: pytest.MonkeyPatch, narrowly: bool
) -> None:
    """Journals of before looked at every later reach again; the decisions are the same."""
    scene = scene_of()
    scene.engine.names_late = True
    scene.engine.binds_narrowly = narrowly
    first, last = scene.ground.shelves[0], scene.ground.shelves[-1]
    nobody, other = scene.enter("late", bound=False), scene.enter("v-other")
    scene.stand(nobody, first.slot_id, first.u0_m, 0.0, 9.0)
    scene.stand(other, last.slot_id, last.u0_m, 0.0, 9.0)
    own = scene.do(nobody, first.slot_id, 1, 2.0)
    others = scene.do(other, last.slot_id, 1, 5.0)
    before = scene.decide(9.0)[others, 0]
    again: list[str] = []
    explain = Engine._explain

    def noted(engine: Engine, live: Any) -> None:
        again.append(live.reach_id)
        explain(engine, live)

    monkeypatch.setattr(Engine, "_explain", noted)
    scene.engine.bind(visit_id="late", track_id=nobody.track_id, t_s=0.0)
    decisions = scene.decide(10.0)
    assert decisions[own, 0].best.visit_id == "late"
    assert decisions[others, 0] == before
    assert again == ([own] if narrowly else [own, others])
