"""From an order to its hand-over, as a customer sees it."""

from __future__ import annotations

from tests.hub.parcels.wall_kit import Bench, code_of


def test_an_order_from_expected_to_handed_over(bench: Bench) -> None:
    bench.order("o1", 1, 2)
    bench.order("o2", 3)
    assert bench.state_of(1) == "expected"
    bench.stand(1, 0.05)
    assert bench.state_of(1) == "stowed"
    bench.stand(2, 0.4)
    assert (bench.state_of(1), bench.state_of(2)) == ("ready", "ready")
    bench.stand(3, 0.7)
    assert bench.looks() == {}
    bench.scan(code_of("o1"))
    sent_s, cues = bench.cues["wall-1"][-1]
    assert sent_s == bench.now_s, "green does not wait for a tick"
    assert bench.looks() == {"t1": "take_a", "t2": "take_a", "t3": "not_this"}
    assert {mark.label_text for mark in cues.marks if mark.look == "take_a"} == {
        "00340123450000000017", "00340123450000000024",
    }  # fmt: skip
    bench.lift(1)
    assert (bench.state_of(1), bench.session().state) == ("taken", "taken")
    assert bench.looks() == {"t2": "take_a", "t3": "not_this"}
    bench.lift(2)
    assert bench.session().state == "done"
    assert bench.looks() == {}
    bench.wait(6.0)
    assert bench.state_of(1) == bench.state_of(2) == "handed_over"
    assert bench.order_of("o1").state == "collected"
    proof = bench.events("parcel.handed_over")[0]["data"]
    assert (proof["order_id"], proof["thing_id"], proof["reads"]) == ("o1", "t1", 5)
    bench.wait(20.0)
    assert bench.wall().sessions == []
    bench.audited()
