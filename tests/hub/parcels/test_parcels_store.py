"""Stores with walls: of nothing else, and beside a floor; nodes and their outages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from contracts.messages import NodeBorn, ProjectionJudged, SensorOutage
from contracts.store_file import StoreFile
from contracts.topics import TOPICS
from hub.attribution.engine import Engine
from hub.commands import ChangePrice
from hub.devices.service import _is_blind
from hub.parcels.cues import DARK_AGAIN_S, Cues
from hub.service import Hub
from hub.store.verify import verify
from tests.contracts.test_wall import wall as wall_document
from tests.hub.conftest import STORE
from tests.hub.doors import NOW_S, Door
from tests.hub.parcels.wall_kit import Bench, code_of, store_document

Make = Callable[..., Bench]


def test_a_store_of_nothing_but_walls_runs_with_the_real_engine() -> None:
    layout = StoreFile.model_validate(store_document())
    hub = Hub.open(layout, attributor=Engine)
    out = hub.start(1.0)
    assert sorted(item.topic for item in out) == [
        "sortie/v1/tiny/node-1/config", "sortie/v1/tiny/node-2/config",
    ]  # fmt: skip
    for k in range(20):
        hub.tick(1.0 + k)
    assert hub.compact(30.0)


def test_its_pages_for_staff_answer(make_bench: Make) -> None:
    bench = make_bench()
    bench.now_s = NOW_S
    door = Door(bench)
    door.staff()
    clerk = door.known("viewer")
    for path in ("/staff/layout", "/staff/state", "/staff/stock", "/staff/alerts", "/walls"):
        assert clerk.get(f"/api/v1{path}").status_code == 200, path
    walls = clerk.get("/api/v1/walls").json()["items"]
    assert [row["wall_id"] for row in walls] == ["wall-1", "wall-2"]
    assert walls[0]["node_id"] == "node-1"
    assert door.driver.serves("node-2", "eye-2")


def both() -> dict[str, Any]:
    """The small store with a floor, and a wall on the floor's node."""
    document: dict[str, Any] = yaml.safe_load(STORE)
    document["walls"] = [wall_document(scanners=["scan-1"])]
    document["nodes"][1]["walls"] = ["wall-1"]
    return document


def outage(sensor: str, kind: Any, blind: bool, wall: str | None, t_s: float) -> SensorOutage:
    return SensorOutage(
        sensor_id=sensor, kind=kind, bay_id=None, wall_id=wall, blind=blind, t_s=t_s
    )


def test_a_blind_camera_of_a_wall_does_not_blind_the_floor() -> None:
    layout = StoreFile.model_validate(both())
    hub = Hub.open(layout, attributor=Engine)
    hub.start(1.0)
    state = hub.core.state
    device = state.devices.all["node-floor"]
    state.blind["node-floor", "eye-1"] = "camera"
    assert not _is_blind(state, device)
    state.blind["node-floor", "ceiling-1"] = "camera"
    assert _is_blind(state, device)


def test_a_node_that_cannot_keep_what_it_sees_is_blind_for_its_walls(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.say(outage("outbox", "outbox", True, None, bench.now_s))
    assert bench.wall().blind == {"outbox": ""}
    assert "wall-2" not in {w for w, one in bench.room.walls.items() if one.blind}
    bench.scan(code_of("o1"))
    assert bench.session().reason == "blind"
    bench.say(outage("outbox", "outbox", False, None, bench.now_s))
    bench.scan(code_of("o1"))
    assert bench.looks() == {"t1": "take_a"}


def test_an_outage_of_a_wall_that_a_node_does_not_serve_changes_nothing(bench: Bench) -> None:
    bench.say(outage("eye-9", "camera", True, "wall-2", bench.now_s))
    assert bench.room.walls["wall-2"].blind == {}


@pytest.mark.parametrize("fault", ["off", "unplugged"])
def test_a_projector_is_an_alarm_until_it_shows_what_it_should(bench: Bench, fault: Any) -> None:
    def judged(state: Any) -> list[str]:
        bench.say(
            ProjectionJudged(wall_id="wall-1", projector_id="beam-1", t_s=bench.now_s, state=state)
        )
        return bench.alarms()

    assert judged("calibrating") == []
    assert judged(fault) == ["projector"]
    assert judged("calibrating") == ["projector"]
    assert judged("true") == []
    assert judged(fault) == ["projector"]
    bench.born("node-1", "wall-1", "boot-2")
    assert judged("calibrating") == ["projector"]
    assert judged("true") == []


def test_cues_are_on_the_list_of_topics() -> None:
    row = TOPICS["cues"]
    assert (row.publisher, row.qos, row.retained) == ("hub", 1, False)


def test_that_a_wall_is_dark_is_repeated_for_a_while(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan(code_of("o1"))
    bench.lift(1)
    at_s = bench.now_s
    bench.wait(60.0)
    dark = [sent_s for sent_s, cues in bench.cues["wall-1"] if not cues.marks and sent_s > at_s]
    assert len(dark) >= 4
    assert max(dark) <= at_s + DARK_AGAIN_S + 2.0


def test_a_new_session_with_the_broker_is_told_everything(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan(code_of("o1"))
    assert bench.hub.cues(bench.now_s) == []
    assert len(bench.hub.cues(bench.now_s, anew=True)) >= 1
    assert Cues().due(bench.hub.core.state, bench.now_s)[0][1].marks == bench.wall().marks


def test_a_store_file_with_another_wall_is_taken_up(make_bench: Make) -> None:
    bench = make_bench()
    bench.order("o1", 1)
    bench.stand(1)
    bench.hub._commit()
    document = store_document()
    document["walls"][1]["width_m"] = 0.9
    layout = StoreFile.model_validate(document)
    bench.hub.close()
    grown = Hub.open(
        layout, url=bench.url, attributor=bench.hub.core.state.factory, entry_keys=None
    )
    grown.start(bench.now_s)
    assert grown.core.state.parcels.all.keys() == bench.room.all.keys()
    assert grown.core.state.parcels.walls["wall-1"].things.keys() == {"t1"}
    bench.hub = grown


def held_back(bench: Bench, *, blind: bool) -> None:
    """A boot whose clock nobody knows says so of the camera, and ends; the next one begins."""
    bench._boot["node-1"], bench._seq["node-1"] = "boot-2", 0
    bench.say(NodeBorn(software="t", config_revision=1, walls=("wall-1",)))
    bench.outage(blind=blind)
    bench.born(boot="boot-3")


def test_what_an_ended_boot_says_late_blinds_no_wall(bench: Bench) -> None:
    held_back(bench, blind=True)
    bench.wait(20.0)
    assert bench.wall().blind == {}
    assert bench.hub.core.state.blind == {}
    assert len(bench.events("sensor.blind")) == 1


def test_what_an_ended_boot_says_late_lets_no_wall_see(bench: Bench) -> None:
    held_back(bench, blind=False)
    bench.outage(blind=True)
    bench.wait(20.0)
    assert bench.wall().blind == {"eye-1": "covered"}


def test_the_birth_of_another_node_empties_no_wall(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench._boot["node-2"], bench._seq["node-2"] = "boot-2", 0
    bench.say(NodeBorn(software="t", config_revision=1, walls=("wall-1", "wall-2")), "node-2")
    assert bench.wall().whole
    assert list(bench.wall().things) == ["t1"]
    assert not bench.wall("wall-2").whole


def test_a_product_may_stand_on_no_shelf(make_bench: Make) -> None:
    product = {**yaml.safe_load(STORE)["products"][0], "gtin": "4006381333931"}
    bench = make_bench(document=store_document(products=[product]))
    bench.do(ChangePrice(gtin="4006381333931", price_minor=150))
    bench.hub._commit()
    assert verify(bench.url, bench.hub.core.state.factory).findings == ()
