"""Who is let in at a wall and who is not; two customers at once; orders that end meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from hub.commands import AddBadge
from hub.errors import ConflictError, RejectedError
from hub.parcels.codes import digest_of, holder_of, judge_pickup, pickup_code
from hub.parcels.commands import (
    AddParcel,
    CalibrateWall,
    CancelOrder,
    OpenAtWall,
    OrderedParcel,
    ReleaseOrder,
    ReportMissing,
    ScanAtWall,
)
from hub.parcels.sessions import YIELD_S
from hub.rules import Rules
from hub.visits.codes import EntryPass, KeyRing, make_code
from tests.hub.parcels.wall_kit import KEYS, Bench, code_of, key, sha, sscc

TOKEN = "a-phone-with-a-long-secret"


def refused(bench: Bench) -> str:
    assert bench.session().state == "refused"
    return bench.session().reason


def with_phone(bench: Bench, *numbers: int) -> None:
    bench.order("o1", *(numbers or (1,)), token_sha256=sha(TOKEN))
    for place, number in enumerate(numbers or (1,)):
        bench.stand(number, 0.05 + 0.3 * place)


def test_a_phones_code_opens_once_and_the_next_one_again(bench: Bench) -> None:
    with_phone(bench)
    code = bench.phone_code(TOKEN)
    bench.scan(code)
    assert (bench.session().state, bench.looks()) == ("showing", {"t1": "take_a"})
    bench.scan(code)
    assert refused(bench) == "used"
    following = bench.phone_code(TOKEN)
    assert following != code
    bench.scan(following)
    assert len(bench.wall().live()) == 1, "the same customer is served on"


def test_a_copied_code_opens_nothing_later(bench: Bench) -> None:
    with_phone(bench)
    code = bench.phone_code(TOKEN)
    bench.wait(60.0)
    bench.scan(code)
    assert refused(bench) == "expired"


def test_codes_of_other_stores_and_forged_ones(bench: Bench) -> None:
    with_phone(bench)
    holder = holder_of(sha(TOKEN))
    other, _ = pickup_code(KEYS, Rules(), "other", holder, used=0, now_s=bench.now_s)
    bench.scan(other)
    assert refused(bench) == "other_store"
    own, _ = pickup_code(KeyRing.fresh(), Rules(), "tiny", holder, used=0, now_s=bench.now_s)
    bench.scan(own)
    assert refused(bench) == "forged"
    entry = make_code(KEYS, "tiny", EntryPass(f"v-{holder}", 0, 2_000))
    bench.scan(entry)
    assert refused(bench) == "forged", "an entry code opens no wall"
    bench.scan(entry.replace("SORTIE:", "SORTIE-PICKUP:"))
    assert refused(bench) == "other_store"
    assert bench.looks() == {}
    assert judge_pickup(KEYS, "tiny", "hello") is None


def test_no_code_is_in_the_journal(bench: Bench) -> None:
    with_phone(bench)
    code = bench.phone_code(TOKEN)
    bench.scan(code)
    bench.scan("plain-code-4711")
    bench.hub._commit()
    rows = bench.hub.store.select(__import__("sqlalchemy").text("select payload from inbox"))
    text = " ".join(str(row) for row in rows)
    assert code not in text
    assert "plain-code-4711" not in text


def test_unknown_codes_are_told_and_many_of_them_stop(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan("no-such-code")
    assert refused(bench) == "unknown"
    for number in range(20):
        bench.scan(f"guess-{number}")
    assert refused(bench) == "wait"
    assert bench.alarms() == ["guessed_at"]
    bench.scan(code_of("o1"))
    assert refused(bench) == "wait"
    bench.wait(61.0)
    bench.scan(code_of("o1"))
    assert bench.session().state == "showing"


def test_two_customers_have_two_looks_and_a_third_waits(bench: Bench) -> None:
    for number, (order, u) in enumerate((("o1", 0.05), ("o2", 0.35), ("o3", 0.65)), 1):
        bench.order(order, number)
        bench.stand(number, u)
    bench.scan(code_of("o1"))
    bench.scan(code_of("o2"))
    assert bench.looks() == {"t1": "take_a", "t2": "take_b", "t3": "not_this"}
    bench.scan(code_of("o3"))
    assert refused(bench) == "busy"
    bench.lift(2)
    first, second = (one for one in bench.wall().sessions if one.who == "customer")
    assert (first.state, second.state) == ("showing", "done")
    bench.lift(1)
    bench.wait(6.0)
    bench.scan(code_of("o3"))
    assert bench.looks() == {"t3": "take_a"}


def three(bench: Bench) -> None:
    """Three orders of one parcel each; the customers of two scan, the second five seconds later."""
    for number, (order, u) in enumerate((("o1", 0.05), ("o2", 0.35), ("o3", 0.65)), 1):
        bench.order(order, number)
        bench.stand(number, u)
    bench.scan(code_of("o1"))
    bench.wait(5.0)
    bench.scan(code_of("o2"))


def test_who_touches_nothing_gives_way_to_who_waits(bench: Bench) -> None:
    three(bench)
    bench.wait(YIELD_S - 5.4)
    bench.scan(code_of("o3"))
    assert refused(bench) == "busy"
    bench.wait(0.6)
    bench.scan(code_of("o3"))
    assert bench.looks() == {"t1": "not_this", "t2": "take_b", "t3": "take_a"}
    ended = next(one for one in bench.wall().sessions if one.state == "ended")
    assert (ended.left, bench.state_of(1)) == ([key(1)], "ready")
    bench.scan(code_of("o1"))
    assert refused(bench) == "busy", "and waits like anybody else"


def test_who_has_something_in_hand_gives_way_to_nobody(bench: Bench) -> None:
    bench.order("o1", 1, 4)
    bench.stand(4, 1.0)
    bench.order("o9", 9)
    bench.stand(9, 1.3)
    three(bench)
    bench.lift(9)
    bench.wait(YIELD_S + 5.0)
    bench.scan(code_of("o3"))
    assert refused(bench) == "busy", "both are told to put back what is not theirs"
    bench.stand(9, 1.3)
    bench.wait(YIELD_S)
    bench.lift(1)
    bench.lift(2)
    bench.scan(code_of("o3"))
    assert refused(bench) == "busy"


def test_staff_at_the_wall_give_no_light_away(bench: Bench) -> None:
    three(bench)
    bench.do(AddBadge(badge_sha256=sha("SORTIE-STAFF:BO"), holder="bo", by="staff"))
    bench.scan("SORTIE-STAFF:BO")
    bench.wait(YIELD_S)
    bench.scan(code_of("o3"))
    assert [one.who for one in bench.wall().live()] == ["customer", "staff", "customer"]


def test_of_two_customers_a_wrong_taking_stops_both(bench: Bench) -> None:
    for number, (order, u) in enumerate((("o1", 0.05), ("o2", 0.35), ("o3", 0.65)), 1):
        bench.order(order, number)
        bench.stand(number, u)
    bench.scan(code_of("o1"))
    bench.scan(code_of("o2"))
    bench.lift(3)
    assert [one.state for one in bench.wall().live()] == ["wrong", "wrong"]
    bench.stand(3, 0.65)
    assert [one.state for one in bench.wall().live()] == ["showing", "showing"]


def test_several_orders_of_one_phone_are_shown_together(bench: Bench) -> None:
    bench.order("o1", 1, token_sha256=sha(TOKEN))
    bench.order("o2", 2, token_sha256=sha(TOKEN))
    bench.stand(1, 0.05)
    bench.stand(2, 0.35)
    bench.do(OpenAtWall(wall_id="wall-1", token_sha256=sha(TOKEN)))
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}
    with pytest.raises(RejectedError, match="expected a phone with orders"):
        bench.do(OpenAtWall(wall_id="wall-1", token_sha256=sha("somebody else's phone")))


def test_parcels_on_two_walls(bench: Bench) -> None:
    bench.order("o1", 1, 2)
    bench.stand(1)
    bench.stand(2, wall_id="wall-2")
    bench.scan(code_of("o1"))
    assert (bench.session().elsewhere, bench.looks()) == (1, {"t1": "take_a"})
    bench.lift(1)
    bench.wait(6.0)
    assert bench.order_of("o1").state == "open"
    bench.scan(code_of("o1"))
    assert refused(bench) == "elsewhere"
    bench.scan(code_of("o1"), "wall-2")
    assert bench.looks("wall-2") == {"t2": "take_a"}


def test_an_order_that_is_not_whole_waits_unless_staff_release_it(bench: Bench) -> None:
    bench.order("o1", 1, 2)
    bench.stand(1)
    bench.scan(code_of("o1"))
    assert refused(bench) == "not_ready"
    bench.do(ReleaseOrder(order_id="o1", by="anna"))
    assert bench.do(ReleaseOrder(order_id="o1", by="anna")).repeated
    bench.scan(code_of("o1"))
    assert bench.looks() == {"t1": "take_a"}


def test_a_missing_parcel_keeps_nobody_waiting(bench: Bench) -> None:
    bench.order("o1", 1, 2)
    bench.stand(1)
    bench.do(ReportMissing(key=key(2), by="anna"))
    assert (bench.state_of(1), bench.state_of(2)) == ("ready", "missing")
    with pytest.raises(RejectedError, match="stands on a wall"):
        bench.do(ReportMissing(key=key(1)))
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.wait(6.0)
    assert bench.order_of("o1").state == "collected"


def test_a_parcel_that_is_found_after_the_rest_was_fetched_is_fetched_too(bench: Bench) -> None:
    bench.order("o1", 1, 2)
    bench.stand(1)
    bench.do(ReportMissing(key=key(2)))
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.wait(20.0)
    assert bench.order_of("o1").state == "collected"
    bench.stand(2, 0.5)
    assert (bench.order_of("o1").state, bench.state_of(2)) == ("open", "ready")
    bench.scan(code_of("o1"))
    assert bench.looks() == {"t2": "take_a"}
    bench.lift(2)
    bench.wait(20.0)
    assert (bench.order_of("o1").state, bench.state_of(1)) == ("collected", "handed_over")


def test_cancelled_while_cued_is_dark_at_once(bench: Bench) -> None:
    bench.order("o1", 1, 2)
    bench.stand(1, 0.05)
    bench.stand(2, 0.4)
    bench.scan(code_of("o1"))
    bench.lift(2)
    bench.do(CancelOrder(order_id="o1", by="anna", reason="card stolen"))
    sent_s, cues = bench.cues["wall-1"][-1]
    assert (sent_s, cues.marks) == (bench.now_s, ())
    assert bench.session().reason == "cancelled"
    assert bench.session().state == "wrong", "what is in their hands must come back"
    bench.lift(1)
    assert len(bench.alarms()) == 2
    bench.wait(6.0)
    assert bench.events("parcel.handed_over") == []
    bench.scan(code_of("o1"))
    assert refused(bench) == "cancelled"
    assert bench.do(CancelOrder(order_id="o1")).repeated


def test_an_order_expires_and_its_parcels_go_back(bench: Bench) -> None:
    bench.order("o1", 1, deadline_s=bench.now_s + 30.0)
    bench.stand(1)
    bench.wait(31.0)
    assert (bench.order_of("o1").state, bench.state_of(1)) == ("expired", "stowed")
    bench.scan(code_of("o1"))
    assert refused(bench) == "order_expired"
    with pytest.raises(RejectedError, match="a deadline that lies ahead"):
        bench.do(ReleaseOrder(order_id="o1"))
    bench.do(ReleaseOrder(order_id="o1", deadline_s=bench.now_s + 100.0))
    bench.scan(code_of("o1"))
    assert bench.looks() == {"t1": "take_a"}


def test_who_is_at_the_wall_when_time_is_over_is_let_finish(bench: Bench) -> None:
    bench.order("o1", 1, deadline_s=bench.now_s + 5.0)
    bench.stand(1)
    bench.scan(code_of("o1"))
    bench.wait(6.0)
    assert bench.order_of("o1").state == "open"
    bench.lift(1)
    bench.wait(6.0)
    assert bench.order_of("o1").state == "collected"
    bench.scan(code_of("o1"))
    assert refused(bench) == "collected"


def test_orders_are_placed_once_and_labels_are_of_one_order(bench: Bench) -> None:
    bench.order("o1", 1)
    assert bench.order("o1", 1).repeated
    with pytest.raises(ConflictError, match="order o1 was placed before"):
        bench.order("o1", 1, code_sha256=sha("another code"))
    with pytest.raises(ConflictError, match="is of o1"):
        bench.order("o2", 1)
    with pytest.raises(ConflictError, match="a code of this order alone"):
        bench.order("o3", 5, code_sha256=digest_of(code_of("o1")))
    with pytest.raises(RejectedError, match="each label once"):
        bench.order("o4", 6, 6)
    assert bench.do(AddParcel(order_id="o1", parcel=OrderedParcel(label=sscc(1)))).repeated
    bench.do(AddParcel(order_id="o1", parcel=OrderedParcel(label=sscc(2))))
    assert bench.order_of("o1").parcels == [key(1), key(2)]
    with pytest.raises(RejectedError, match="expected an order of this store"):
        bench.do(AddParcel(order_id="o9", parcel=OrderedParcel(label=sscc(9))))


def test_a_parcel_that_stood_before_its_order_came_is_stowed(bench: Bench) -> None:
    bench.stand(1)
    bench.order("o1", 1)
    assert bench.state_of(1) == "ready"


def test_cues_are_repeated_and_rise(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan(code_of("o1"))
    begin = len(bench.cues["wall-1"])
    bench.wait(7.0)
    repeats = bench.cues["wall-1"][begin:]
    assert len(repeats) == 3
    gaps = [b[0] - a[0] for a, b in zip(bench.cues["wall-1"], repeats, strict=False)]
    assert all(gap > 0 for gap in gaps)
    revisions = [cues.revision for _, cues in bench.cues["wall-1"]]
    assert revisions == sorted(revisions)
    bench.do(CalibrateWall(wall_id="wall-1", by="anna"))
    assert bench.cues["wall-1"][-1][1].calibrate == 1
    assert bench.cues["wall-1"][-1][1].revision > revisions[-1]


def test_a_kiosks_scan_is_what_a_nodes_is(bench: Bench) -> None:
    with_phone(bench)
    code = bench.phone_code(TOKEN)
    judged = judge_pickup(KEYS, "tiny", code)
    assert judged is not None
    bench.do(
        ScanAtWall(
            wall_id="wall-1",
            code_sha256=digest_of(code),
            verdict=judged.verdict,
            holder=judged.holder,
            entry=judged.entry,
            until_s=judged.until_s,
        )
    )
    assert bench.cues["wall-1"][-1][0] == bench.now_s
    assert bench.looks() == {"t1": "take_a"}
    with pytest.raises(RejectedError, match=r"expected a wall of the store \(wall-1, wall-2\)"):
        bench.do(ScanAtWall(wall_id="wall-9", code_sha256=sha("x")))


def test_late_scans_open_nothing(bench: Bench) -> None:
    from contracts.wall_messages import WallScanned

    bench.order("o1", 1)
    bench.stand(1)
    late: Any = WallScanned(
        wall_id="wall-1", scanner_id="scan-1", code=code_of("o1"), t_s=bench.now_s - 60.0
    )
    bench.say(late)
    assert refused(bench) == "late"


def test_other_nodes_are_not_believed_about_a_wall(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    from contracts.wall_messages import ThingsSeen, WallScanned

    bench.say(ThingsSeen(wall_id="wall-1", t_s=bench.now_s, whole=True, things=()), "node-2")
    bench.say(
        WallScanned(wall_id="wall-1", scanner_id="scan-1", code=code_of("o1"), t_s=bench.now_s),
        "node-2",
    )
    assert bench.wall().sessions == []
    assert "t1" in bench.wall().things
