"""What a person may ask for, what is refused and how, and what there is to see."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from store_sim.errors import BadCommandError, PlayerError, SeatTakenError
from store_sim.player_commands import parse_command
from store_sim.player_desk import IDLE_S, LEFT_ALONE_S
from store_sim.world.gates import PHONE_PATIENCE_S
from tests.store_sim.player_kit import Phone, Table, carried, rests

COLA = "2000000013015"
TEA = "2000000023014"


@pytest.fixture
def table() -> Table:
    """Somebody has come in."""
    made = Table()
    made.come_in()
    return made


def test_before_anybody_came_there_is_a_store_to_see() -> None:
    seen = Table().desk.look()
    assert seen["you"]["stage"] == "none"
    assert seen["people"] == []
    assert seen["shelf"] == {}
    assert json.loads(json.dumps(seen)) == seen


def test_a_whole_visit(table: Table) -> None:
    seen = table.do(act="take", slot_id="bay-b-3-l", column=1)
    assert carried(seen) == [TEA]
    assert seen["shelf"]["bay-b-3-l"] == [[TEA, 4], [TEA, 3], [TEA, 4]]
    assert seen["you"]["phone"] == {"visit_id": Phone.visit_id, "token": Phone.token}
    assert carried(table.do(act="take", slot_id="bay-a-3-l")) == sorted([TEA, COLA])
    seen = table.do(act="put_back", gtin=TEA)
    assert carried(seen) == [COLA]
    assert seen["shelf"]["bay-b-3-l"] == [[TEA, 4], [TEA, 4], [TEA, 4]]
    table.ask(act="exit")
    seen = table.run(40.0, lambda seen: seen["you"]["stage"] == "gone")
    assert seen["you"]["stage"] == "gone"
    assert seen["people"] == []
    [truth] = table.world.take_finished()
    assert truth.kept == {COLA: 1}
    table.come_in()


def test_the_avatar_stands_out_and_looks_where_it_goes(table: Table) -> None:
    for _ in range(3):
        table.ask(act="steer", dx=1, dy=0)
        seen = table.run(0.2)
    [me] = seen["people"]
    assert me["you"]
    assert abs(math.remainder(me["heading_rad"], 2 * math.pi)) < 0.6
    assert seen["you"]["doing"] == "walking"


BAD: tuple[tuple[dict[str, Any], type[PlayerError], str], ...] = (
    ({"act": "take", "slot_id": "nowhere"}, BadCommandError, "no slot 'nowhere'"),
    ({"act": "take", "slot_id": "bay-a-3-l", "column": 6}, BadCommandError, "has 6 columns, got 6"),
    ({"act": "shelf", "bay_id": "bay-z"}, BadCommandError, "no bay 'bay-z'"),
    ({"act": "go", "x_m": 6.4, "y_m": 1.0}, BadCommandError, "a point of the floor of 6.0 m"),
    ({"act": "put_back", "gtin": COLA}, PlayerError, "does not carry Kolibri Cola"),
    ({"act": "put_back", "gtin": "404"}, PlayerError, "does not carry 404"),
    ({"act": "tamper", "kind": "covered", "target": "cam-z"}, BadCommandError, "got 'cam-z'"),
    ({"act": "tamper", "kind": "unplugged", "target": "cam-a"}, BadCommandError, "got 'cam-a'"),
    ({"act": "tamper", "kind": "hub_down", "target": "x"}, BadCommandError, "got hub_down"),
    ({"act": "enter"}, PlayerError, "in the store already"),
)


@pytest.mark.parametrize(("command", "error", "words"), BAD)
def test_what_cannot_be_is_said(
    table: Table, command: dict[str, Any], error: type[PlayerError], words: str
) -> None:
    with pytest.raises(error, match=words.replace("(", r"\(")):
        table.ask(**command)
    assert rests(table.desk.look())


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (7, "command: "),
        ({}, "command: Unable to extract tag"),
        ({"act": "fly"}, "command: Input tag 'fly'"),
        ({"act": "go", "x_m": float("nan"), "y_m": 1}, "go.x_m"),
        ({"act": "steer", "dx": 9, "dy": 0}, "steer.dx"),
        ({"act": "take", "slot_id": "a", "hand": "l"}, "take.hand"),
        ({"act": "tamper", "kind": "covered", "target": "a", "seconds": 1e9}, "tamper.seconds"),
    ],
)
def test_what_cannot_be_read_names_its_field(document: Any, words: str) -> None:
    with pytest.raises(BadCommandError, match=words):
        parse_command(document)


def test_nothing_can_be_done_before_the_gate_and_after_the_exit() -> None:
    table = Table()
    with pytest.raises(PlayerError, match="Come in first"):
        table.ask(act="take", slot_id="bay-a-3-l")
    table.ask(act="enter")
    table.run(0.5)
    with pytest.raises(PlayerError, match="still at the gate"):
        table.ask(act="steer", dx=1, dy=0)
    table.run(40.0, rests)
    table.ask(act="exit")
    table.run(1.0)
    with pytest.raises(PlayerError, match="walking out"):
        table.ask(act="take", slot_id="bay-a-3-l")
    table.run(40.0, lambda seen: seen["you"]["stage"] == "gone")
    with pytest.raises(PlayerError, match="Come in first"):
        table.ask(act="stop")


def test_an_empty_place_is_said_to_be_empty(table: Table) -> None:
    for _ in range(4):
        table.world.stock.take("bay-a-3-l", 2)
    with pytest.raises(PlayerError, match="Nothing stands there any more"):
        table.ask(act="take", slot_id="bay-a-3-l", column=2)


def test_a_hand_that_was_too_late_says_so(table: Table) -> None:
    table.ask(act="take", slot_id="bay-a-3-l", column=2)
    for _ in range(4):
        table.world.stock.take("bay-a-3-l", 2)
    seen = table.run(60.0, rests)
    assert carried(seen) == []
    assert "The hand came back empty" in seen["you"]["said"]
    assert seen["you"]["said_number"] == 1


def test_who_gets_no_code_is_turned_away() -> None:
    table = Table(code=None)
    table.ask(act="enter")
    seen = table.run(PHONE_PATIENCE_S + 30.0, lambda seen: seen["you"]["stage"] == "turned_away")
    assert seen["you"]["stage"] == "turned_away"
    table.ask(act="enter")


def test_two_pages_share_one_avatar_only_by_taking_over(table: Table) -> None:
    with pytest.raises(SeatTakenError, match="Another page has the avatar"):
        table.ask("other", act="take", slot_id="bay-a-3-l")
    with pytest.raises(SeatTakenError):
        table.ask("other", act="take_over")
    with pytest.raises(SeatTakenError):
        table.ask("other", act="enter")
    table.run(LEFT_ALONE_S + 1.0)
    table.ask("other", act="take_over")
    assert table.desk.holder == "other"
    with pytest.raises(SeatTakenError):
        table.ask("page", act="stop")


def test_a_person_takes_over_from_the_tour_at_once() -> None:
    table = Table()
    table.come_in("screen", tour=True)
    table.ask("screen", tour=True, act="take", slot_id="bay-a-3-l")
    table.ask("screen", tour=True, act="take", slot_id="bay-b-3-l")
    with pytest.raises(SeatTakenError, match="The tour has the avatar"):
        table.ask("person", act="stop")
    table.ask("person", act="take_over")
    seen = table.desk.look()
    assert not seen["you"]["tour"]
    assert seen["you"]["waiting"] == 0


def test_an_avatar_whom_nobody_leads_walks_out(table: Table) -> None:
    seen = table.run(IDLE_S + 40.0, lambda seen: seen["you"]["stage"] == "gone")
    assert seen["you"]["stage"] == "gone"
    assert "Nobody was at the keys" in seen["you"]["said"]


def test_devices_are_spoiled_for_a_while_and_mended(table: Table) -> None:
    table.ask(act="tamper", kind="covered", target="cam-a", seconds=5)
    table.ask(act="tamper", kind="unplugged", target="bay-a", seconds=60)
    seen = table.run(1.0)
    assert [(one["kind"], one["target"]) for one in seen["mishaps"]] == [
        ("covered", "cam-a"),
        ("unplugged", "bay-a"),
    ]
    assert [one["kind"] for one in table.run(5.0)["mishaps"]] == ["unplugged"]
    table.ask(act="mend")
    assert table.run(0.2)["mishaps"] == []


@pytest.mark.parametrize(("when", "held"), [("hand_in", []), ("taken", [TEA])])
def test_a_plot_waits_for_the_hand(table: Table, when: str, held: list[str]) -> None:
    table.ask(act="tamper", kind="covered", target="cam-b", seconds=5, when=when)
    table.run(3.0)
    assert table.desk.look()["mishaps"] == []
    table.ask(act="take", slot_id="bay-b-3-l")
    seen = table.run(60.0, lambda seen: bool(seen["mishaps"]))
    assert seen["you"]["doing"] == "taking"
    assert carried(seen) == held


def test_tricks_do_what_they_say(table: Table) -> None:
    assert carried(table.do(act="trick", trick="take_two", slot_id="bay-b-3-l")) == [TEA, TEA]
    seen = table.do(act="trick", trick="hide", slot_id="bay-b-3-l")
    assert [one["where"] for one in seen["you"]["carried"]].count("bag") == 1
    table.do(act="trick", trick="swap_behind")
    assert carried(table.do(act="trick", trick="drop", gtin=TEA)) == [TEA, TEA]
    with pytest.raises(PlayerError, match="no room"):
        table.ask(act="put_back", gtin=TEA, slot_id="bay-b-3-r")
    table.do(act="take", slot_id="bay-b-3-r", column=0)
    seen = table.do(act="put_back", gtin=TEA, slot_id="bay-b-3-r")
    assert TEA in [gtin for gtin, _count in seen["shelf"]["bay-b-3-r"]]
    table.do(act="trick", trick="lean", slot_id="bay-b-3-r")


def test_tricks_of_the_hands_need_something_in_them(table: Table) -> None:
    for trick in ("swap_behind", "drop"):
        with pytest.raises(PlayerError, match="nothing in the hands"):
            table.ask(act="trick", trick=trick, gtin=COLA)
