"""Scripts that cannot be read, cast or played are refused with line and reason; random days."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.store_file import StoreFile, load_store_file
from store_sim.errors import ScenarioError
from store_sim.scenarios import build
from store_sim.truth import TruthVisit
from store_sim.world import World
from store_sim.world.foreign import FOREIGN

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(ROOT / "store_sim" / "stores" / "demo.yaml")


def _play_to_the_end(store: StoreFile, path: Path) -> None:
    world = World(store, build(str(path), store, 1, 1), 1, phone=str)
    while not world.finished:
        world.step(1.0)


SCRIPT = """title a script
cast one two = gondolas
shopper ann bag

ann enter
{line}
ann exit
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ann fly", r"line.case:6: expected a verb, one of .*take.*; got 'fly'"),
        ("ann take three", r"line.case:6: expected a part \(one, two\), got 'three'"),
        ("ann take one column=77", r"line.case:6: expected a column from 0 to"),
        ("ann wait long", r"line.case:6: expected seconds as a number"),
        ("ben take one", r"line.case:6: expected one of .*got 'ben'"),
        ("ann give one to zoe", r"line.case:6: expected a shopper \(ann\), got 'zoe'"),
        ("ann take one now", r"line.case:6: expected the end of the line, got 'now'"),
        ("shopper ann", r"line.case:6: .*two in one body"),
        ("space 0.1", r"two shoppers in one body"),
        ("dial light.dimm=1", r"line.case:6: expected a dial as NAME=VALUE .*light\.dim"),
        ("cast a b c = twins", r"line.case:6: store demo lacks 3 parts for 'twins'"),
        ("mishap melted camera of one", r"line.case:6: expected a mishap"),
    ],
)
def test_a_script_that_cannot_be_read_or_cast(
    store: StoreFile, tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "line.case"
    path.write_text(SCRIPT.format(line=line), encoding="utf-8")
    with pytest.raises(ScenarioError, match=message):
        _play_to_the_end(store, path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("ann put two", r"line.case:6: expected to carry \d+ to put it at bay"),
        ("ann take one times=9\nann take one times=99", r"line.case:7: expected times"),
        ("ann take one times=50", r"line.case:6: expected a column of bay-\S+ with \d+ in front"),
        ("ann walk at 0.1 0.1", r"line.case:6: expected a free point of the floor"),
        ("ann meet nobody", r"line.case:6: expected 2 shoppers at the meeting 'nobody', got 1"),
        ("ann drop one", r"line.case:6: expected to carry \d+ to leave it on the floor"),
    ],
)
def test_a_script_that_asks_for_the_impossible(
    store: StoreFile, tmp_path: Path, lines: str, message: str
) -> None:
    path = tmp_path / "line.case"
    path.write_text(SCRIPT.format(line=lines), encoding="utf-8")
    with pytest.raises(ScenarioError, match=message):
        _play_to_the_end(store, path)


@pytest.mark.parametrize("name", ["random", "random:0,0", "random:1,0.4"])
def test_random_days_end_and_conserve(store: StoreFile, name: str) -> None:
    scenario = build(name, store, 2, 6)
    world = World(store, scenario, 2, phone=str)
    visits: list[TruthVisit] = []
    while not world.finished:
        world.step(1.0)
        world.take_loads()
        visits += world.take_finished()
        assert world.t_s < 900
    assert len(visits) == 6
    tricks = {"swap", "lean", "tamper"} & {a.kind for v in visits for a in v.actions}
    assert not (tricks and name == "random:0,0")
    gone = sum(sum(visit.kept.values()) for visit in visits)
    own = sum(item.product.gtin in FOREIGN for item in world.stock.items)
    left = sum(pose.gtin in FOREIGN for pose in world.stock.shelf_items())
    assert len(world.stock.shelf_items()) + gone + own - left == len(world.stock.items)


def test_random_dials_out_of_range(store: StoreFile) -> None:
    with pytest.raises(ScenarioError, match="random:DIFFICULTY,ADVERSARIAL"):
        build("random:2,0.9", store, 1, 2)
