"""Each check of parcels finds what it is for, in an export that was good before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from auditor.accounts import accounts_of
from auditor.ledger import audit
from auditor.parcels import PARCEL_CHECKS, pickup_visits
from hub.parcels.commands import CancelOrder, ReturnGoods
from tests.hub.parcels.wall_kit import Bench, code_of, key

Export = dict[str, Any]


@pytest.fixture(scope="module")
def good() -> Export:
    """A day at a wall: one order paid and fetched, one parcel of it returned, one order off, one
    parcel taken by nobody and put back."""
    bench = Bench()
    bench.order("o1", 1, 2, due=300)
    bench.order("o2", 3)
    for number, u in ((1, 0.05), (2, 0.35), (3, 0.65)):
        bench.stand(number, u)
    bench.wait(1.0)
    bench.lift(3)
    bench.stand(3, 0.65)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.lift(2)
    bench.wait(20.0)
    bench.do(ReturnGoods(return_id="r1", order_id="o1", keys=(key(1),)))
    bench.scan(code_of("o2"))
    bench.do(CancelOrder(order_id="o2"))
    bench.wait(20.0)
    return bench.hub.export_json()


def findings(export: Export) -> dict[str, list[str]]:
    return {name: rows for name, rows in audit(export).items() if rows}


def event(export: Export, kind: str, at: int = 0) -> Export:
    found: Export = [row for row in export["events"] if row["kind"] == kind][at]
    return found


def test_a_good_day_has_no_findings(good: Export) -> None:
    assert findings(good) == {}
    (visit_id,) = pickup_visits(good)
    assert good["receipts"][0]["visit_id"] == visit_id
    assert [row["order_id"] for row in good["orders"]] == ["o1", "o2"]
    assert accounts_of([], good) == [], "what was fetched is nobody's wrong receipt"


def handed_over_untaken(export: Export) -> None:
    export["events"].remove(event(export, "parcel.taken", 1))


def handed_over_twice(export: Export) -> None:
    row = event(export, "parcel.handed_over")
    export["events"].insert(export["events"].index(row) + 1, row)


def of_another_order(export: Export) -> None:
    event(export, "parcel.handed_over")["data"]["order_id"] = "o2"


def in_another_session(export: Export) -> None:
    event(export, "pickup.opened")["data"]["orders"] = ["o2"]


def shown_though_off(export: Export) -> None:
    row = copy.deepcopy(event(export, "parcel.cued", -1))
    export["events"].append({**row, "number": export["events"][-1]["number"] + 1})


def charged_more(export: Export) -> None:
    line = export["receipts"][0]["lines"][0]
    line["unit_price_minor"] += 1


def charged_before(export: Export) -> None:
    rows = export["events"]
    for row in [row for row in rows if row["kind"] == "parcel.handed_over"]:
        row["number"] = 10**6


def names_no_parcel(export: Export) -> None:
    export["receipts"][0]["lines"][0]["reaches"] = ["r1"]


def refunded_less(export: Export) -> None:
    event(export, "visit.corrected")["data"]["amount_minor"] -= 1


def cleared_unraised(export: Export) -> None:
    export["events"].remove(event(export, "wall.alarm"))


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (handed_over_untaken, "parcels go their way"),
        (of_another_order, "parcels go their way"),
        (in_another_session, "parcels go their way"),
        (handed_over_twice, "parcels are handed over once"),
        (shown_though_off, "closed orders stay dark"),
        (charged_more, "pick-ups charge what was handed over"),
        (charged_before, "pick-ups charge what was handed over"),
        (names_no_parcel, "pick-ups charge what was handed over"),
        (refunded_less, "returns are refunded"),
        (cleared_unraised, "alarms are raised before they are cleared"),
    ],
)
def test_what_is_wrong_is_found(good: Export, spoil: Callable[[Export], None], check: str) -> None:
    export = copy.deepcopy(good)
    spoil(export)
    assert list(PARCEL_CHECKS[check](export)), check
