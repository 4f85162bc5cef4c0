"""Several bodies of one visit: people on one payer, apart and side by side, and one who leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

STILL, SPARKLING = "2000000011011", "2000000011028"
COLA = "2000000013015"
SENSORS = ("both", "camera", "plates")

SceneOf = Callable[..., Any]


def family(scene: Any) -> tuple[Any, Any]:
    """Two bodies of the visit "fam"."""
    one = scene.enter("fam")
    two = scene.enter("child", bound=False)
    scene.engine.bind(visit_id="fam", track_id=two.track_id, t_s=1.0)
    return one, two


@pytest.mark.parametrize("sensors", SENSORS)
def test_two_bodies_take_at_two_places_in_the_same_second(scene_of: SceneOf, sensors: str) -> None:
    scene = scene_of(sensors)
    one, two = family(scene)
    scene.stand(one, "bay-a-3-l", 0.25, 0.0, 30.0)
    scene.stand(two, "bay-b-1-l", 0.5, 0.0, 30.0)
    gtin = scene.slot("bay-b-1-l").gtin
    scene.do(one, "bay-a-3-l", 1, 5.0)
    scene.do(two, "bay-b-1-l", 1, 5.0)
    scene.decide(10.0)
    assert scene.engine.cart("fam") == {COLA: 1, gtin: 1}


def test_at_once_or_one_after_the_other_is_the_same_to_a_family(scene_of: SceneOf) -> None:
    """A stranger stands beside; that the other of the two reaches elsewhere says nothing."""
    chances = []
    for apart_s in (0.0, 6.0):
        scene = scene_of("plates")
        one, two = family(scene)
        bob = scene.enter("bob")
        scene.stand(one, "bay-a-3-l", 0.25, 0.0, 30.0)
        scene.stand(two, "bay-b-1-l", 0.2, 0.0, 30.0)
        scene.stand(bob, "bay-b-1-l", 0.55, 0.0, 30.0)
        scene.do(one, "bay-a-3-l", 1, 5.0)
        reach = scene.do(two, "bay-b-1-l", 1, 5.0 + apart_s)
        decision = scene.decide(20.0)[reach, 0]
        mine = [c for c in (decision.best, *decision.alternatives) if c.visit_id == "fam"]
        chances.append(mine[0].probability if mine else 0.0)
    assert chances[0] == pytest.approx(chances[1], abs=0.05)
    assert chances[0] > 0.4


@pytest.mark.parametrize("sensors", ["both", "camera"])
def test_a_stranger_between_two_of_a_family_is_not_charged(scene_of: SceneOf, sensors: str) -> None:
    scene = scene_of(sensors)
    one, two = family(scene)
    bob = scene.enter("bob")
    scene.stand(one, "bay-a-1-l", 0.25, 0.0, 40.0)
    scene.stand(bob, "bay-a-1-r", 0.75, 0.0, 40.0)
    scene.stand(two, "bay-b-1-l", 0.5, 0.0, 40.0)
    scene.do(one, "bay-a-1-l", 1, 5.0, u_m=0.2)
    scene.do(bob, "bay-a-1-r", 1, 12.0, u_m=0.8)
    scene.do(two, "bay-b-1-l", 1, 20.0)
    scene.decide(28.0)
    gtin = scene.slot("bay-b-1-l").gtin
    assert scene.engine.cart("fam") == {STILL: 1, gtin: 1}
    assert scene.engine.cart("bob") == {SPARKLING: 1}


@pytest.mark.parametrize("sensors", SENSORS)
def test_one_puts_back_what_the_other_took(scene_of: SceneOf, sensors: str) -> None:
    """The two of them have one cart."""
    scene = scene_of(sensors)
    one, two = family(scene)
    scene.stand(one, "bay-a-3-l", 0.25, 0.0, 12.0)
    scene.do(one, "bay-a-3-l", 1, 5.0)
    scene.stand(two, "bay-a-3-l", 0.3, 14.0, 40.0)
    scene.decide(13.0)
    assert scene.engine.cart("fam") == {COLA: 1}
    scene.do(two, "bay-a-3-l", -1, 20.0)
    scene.decide(30.0)
    assert scene.engine.cart("fam") == {}


@pytest.mark.parametrize("sensors", SENSORS)
def test_a_body_that_joins_late_brings_what_it_took(scene_of: SceneOf, sensors: str) -> None:
    """Staff say whose a body is after it has taken something."""
    scene = scene_of(sensors)
    one = scene.enter("fam")
    two = scene.enter("child", bound=False)
    scene.stand(one, "bay-a-3-l", 0.25, 0.0, 40.0)
    scene.stand(two, "bay-b-1-l", 0.5, 0.0, 40.0)
    gtin = scene.slot("bay-b-1-l").gtin
    reach = scene.do(two, "bay-b-1-l", 1, 5.0)
    first = scene.decide(10.0)[reach, 0]
    assert first.best.visit_id is None
    assert scene.engine.cart("fam") == {}
    scene.engine.bind(visit_id="fam", track_id=two.track_id, t_s=0.5)
    second = scene.decide(12.0)[reach, 0]
    assert (second.best.visit_id, second.revision) == ("fam", 1)
    assert scene.engine.cart("fam") == {gtin: 1}


@pytest.mark.parametrize("sensors", SENSORS)
def test_who_stays_goes_on_when_the_other_has_left(scene_of: SceneOf, sensors: str) -> None:
    scene = scene_of(sensors)
    one, two = family(scene)
    scene.stand(one, "bay-a-3-l", 0.25, 0.0, 10.0)
    scene.stand(two, "bay-b-1-l", 0.5, 0.0, 60.0)
    gtin = scene.slot("bay-b-1-l").gtin
    scene.do(one, "bay-a-3-l", 1, 5.0)
    scene.do(two, "bay-b-1-l", 1, 40.0)
    scene.decide(50.0)
    assert scene.engine.cart("fam") == {COLA: 1, gtin: 1}
