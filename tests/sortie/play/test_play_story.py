"""What the play page makes of the hub's words: moments, clocks, the broker's fall."""

from __future__ import annotations

from typing import Any

import pytest

from hub.pages.shown import Snapshot
from hub.pages.words import Palette
from sortie.play.story import HEARD_S, UNSEEN_S, BrokerWatch, HubClock, belief_json, moments

LAYOUT = {"products": {"1": "Cola", "2": "Tea"}, "currency": "EUR", "bays": []}


def decision(reach_id: str, *, kind: str = "decision.made", **changes: Any) -> dict[str, Any]:
    """An event of the hub's log."""
    data = {
        "reach_id": reach_id, "line": 0, "t_us": 5_000_000, "gtin": "1", "quantity": 1,
        "to_visit": "me", "probability": "0.970000", "certain": True, "why": "grams",
        "alternatives": [],
    }  # fmt: skip
    return {"kind": kind, "number": 1, "at_us": 0, "visit_id": "me", "data": {**data, **changes}}


def shot(*events: dict[str, Any]) -> Snapshot:
    """A snapshot with these events."""
    return Snapshot(layout=LAYOUT, events=events)


def test_each_reach_has_its_latest_moment_in_the_order_of_time() -> None:
    found = moments(
        shot(
            decision("r2", t_us=9_000_000, gtin="2", quantity=-1),
            decision("r1", probability="0.600000", certain=False),
            decision("r1", kind="decision.revised", probability="0.990000"),
        ),
        "me",
    )
    assert [(one["reach_id"], one["t_s"], one["said"]) for one in found] == [
        ("r1", 5.0, "picked 1 × Cola"),
        ("r2", 9.0, "put back 1 × Tea"),
    ]
    assert [(one["chance"], one["free"]) for one in found] == [(0.99, False), (0.97, False)]


def test_what_is_unclear_and_may_be_mine_is_free_and_mine() -> None:
    event = decision(
        "r1",
        to_visit="other",
        certain=False,
        probability="0.500000",
        alternatives=[["me", "2", 1, "0.450000"]],
    )
    [one] = moments(shot(event), "me")
    assert one["free"]
    assert moments(shot(event), "nobody") == []


@pytest.mark.parametrize(
    "event",
    [
        decision("r1", to_visit="other"),
        decision("r1", quantity=0, gtin=None),
        decision("r1", kind="decision.late"),
        {**decision("r1"), "kind": "visit.exited"},
    ],
)
def test_what_concerns_nobody_here_is_no_moment(event: dict[str, Any]) -> None:
    assert moments(shot(event), "me") == []
    assert moments(shot(decision("r1")), None) == []


def test_a_visit_the_hub_does_not_know_has_no_belief() -> None:
    assert belief_json(shot(), "me", Palette()) is None


def test_the_hubs_clock_is_known_by_its_quickest_answer() -> None:
    clock = HubClock()
    assert clock.monotonic_s(1000.0) is None
    for delay_s in (0.3, 0.01, 0.2):
        clock.heard(1000.0, 500.0 + delay_s)
    assert clock.monotonic_s(1002.0) == pytest.approx(502.01)


# ---------------------------------------------------------------- the broker


def device(**changes: Any) -> dict[str, Any]:
    """A node as staff see it."""
    row: dict[str, Any] = {
        "alive": True, "behind_gap": 0, "heard_s_ago": 0.4, "health": {"outbox_waiting": 2},
    }  # fmt: skip
    return {**row, **changes}


def hub(broker: bool, *devices: dict[str, Any]) -> dict[str, Any]:
    """The hub's state, as far as the watch looks at it."""
    return {"broker": broker, "devices": devices or (device(),)}


def test_a_killed_broker_is_followed_until_all_has_arrived() -> None:
    watch = BrokerWatch(pause_s=20.0)
    watch.see(0.0, hub(True))
    assert watch.said(0.0) == {"phase": "up", "away_s": None, "may_kill": True}
    watch.asked(1.0)
    watch.see(1.2, hub(True))
    assert watch.said(1.2)["phase"] == "asked"
    watch.see(1.4, hub(False))
    assert watch.said(2.4) == {"phase": "down", "away_s": 1.0, "may_kill": False}
    watch.see(3.0, None)
    watch.see(3.4, hub(True, device(health={"outbox_waiting": 200})))
    assert watch.said(3.4)["phase"] == "back"
    for behind in (
        device(behind_gap=1),
        device(alive=False),
        device(health=None),
        device(heard_s_ago=HEARD_S + 1),
    ):
        watch.see(4.0, hub(True, device(), behind))
        assert watch.said(4.0)["phase"] == "back"
    watch.see(5.0, hub(True))
    assert watch.said(9.0) == {"phase": "whole", "away_s": 2.0, "may_kill": False}
    assert watch.may_kill(21.0)


def test_a_broker_that_was_gone_between_two_looks_is_noticed() -> None:
    watch = BrokerWatch(pause_s=20.0)
    watch.asked(0.0)
    watch.see(UNSEEN_S + 0.1, hub(True))
    assert watch.said(6.0)["phase"] == "whole"


def test_a_broker_that_falls_by_itself_is_noticed() -> None:
    watch = BrokerWatch(pause_s=20.0)
    watch.see(3.0, hub(False))
    assert watch.said(4.0)["phase"] == "down"
    assert not watch.may_kill(4.0)
