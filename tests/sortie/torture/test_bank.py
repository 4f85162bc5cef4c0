"""What banks do in the torture: what they tell comes to the hub, and what the hub makes of it is
judged."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from sortie.torture.bank import AGAIN_AFTER, BACK, BOOKED, OUT, Bank, come_again
from sortie.torture.people import Shopper
from sortie.torture.run import scratch
from sortie.torture.world import World

SEED = 2
"""Payments are disputed, won, lost and decided in it, and a refund fails."""
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def heard() -> Iterator[tuple[Bank, dict[str, Any]]]:
    """The banks of a seed and the hub's export at its end."""
    with scratch() as folder, World(SEED, folder) as world:
        world.run()
        assert world.checks.violations == []
        with_hub = world.side.open_hub()
        export = with_hub.export_json()
        with_hub.close()
        yield world.bank, export


def test_good_books_are_as_the_banks_tell_them(heard: tuple[Bank, dict[str, Any]]) -> None:
    bank, export = heard
    before = bank.counts.copy()
    assert list(bank.judge(export)) == []
    assert not bank.untold
    assert all(bank.counts[name] > before[name] for name in (BOOKED, BACK, OUT))


def _another_state(export: dict[str, Any]) -> None:
    export["chargebacks"][0]["state"] = "closed"


def _another_fee(export: dict[str, Any]) -> None:
    export["chargebacks"][0]["fee_minor"] += 1


def _never_told(export: dict[str, Any]) -> None:
    del export["chargebacks"][-1]


def _not_owed(export: dict[str, Any]) -> None:
    export["transactions"] = [t for t in export["transactions"] if t["kind"] != "refund_failed"]


def _owed_twice(export: dict[str, Any]) -> None:
    export["transactions"] += [t for t in export["transactions"] if t["kind"] == "refund_failed"]


def _came_in(export: dict[str, Any]) -> None:
    """The first payer of a dispute comes once more as soon as the bank has told of it."""
    events = export["events"]
    at = next(n for n, event in enumerate(events) if event["kind"] == "gateway.disputed")
    first = next(v for v in export["visits"] if v["visit_id"] == events[at]["visit_id"])
    export["visits"].append({**first, "visit_id": "v-again", "stage": "final"})
    events.insert(at + 1, {"kind": "entry.scanned", "visit_id": "v-again", "data": {}})
    # Nobody decides, and no bank does.
    ends = ("chargeback.decided", "gateway.dispute_won")
    export["events"] = [event for event in events if event["kind"] not in ends]


@pytest.mark.parametrize(
    ("edit", "invariant"),
    [
        (_another_state, BOOKED), (_another_fee, BOOKED), (_never_told, BOOKED),
        (_not_owed, BACK), (_owed_twice, BACK), (_came_in, OUT),
    ],
)  # fmt: skip
def test_each_check_can_fail(
    heard: tuple[Bank, dict[str, Any]], edit: Edit, invariant: str
) -> None:
    bank, export = heard
    edited = copy.deepcopy(export)
    edit(edited)
    assert {name for name, _finding in bank.judge(edited)} == {invariant}


def test_who_was_let_in_again_may_come_on_the_scan_of_before(
    heard: tuple[Bank, dict[str, Any]],
) -> None:
    bank, export = heard
    edited = copy.deepcopy(export)
    _came_in(edited)
    for name in (row["dispute_id"] for row in edited["chargebacks"]):
        data = {"dispute_id": name, "let_in": True, "by": "clerk", "reason": ""}
        edited["events"].append({"kind": "chargeback.decided", "visit_id": None, "data": data})
    assert list(bank.judge(edited)) == []


def test_some_pay_as_somebody_did_who_was_there_before() -> None:
    shoppers = [Shopper(number, f"payer-{number}", 0.0) for number in range(200)]
    shoppers[0].payer, shoppers[1].payer = None, "declined-1"
    come_again(shoppers, Random(1))
    again = [one for one in shoppers[2:] if one.payer != f"payer-{one.number}"]
    assert 30 < len(again) < 90
    for one in again:
        assert int(str(one.payer).removeprefix("payer-")) <= one.number - AGAIN_AFTER
