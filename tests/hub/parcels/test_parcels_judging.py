"""Who took what: each row of hub.parcels.judging, and what a wall shows meanwhile."""

from __future__ import annotations

from contextlib import closing

import pytest

from contracts.wall_messages import ThingsSeen
from hub.levels import STILL_THERE_LEVEL
from hub.parcels.commands import AddParcel, ClearAlarm, OrderedParcel
from hub.parcels.judging import HANDOVER_S, IN_HAND_S_MAX
from hub.parcels.sessions import IDLE_S
from hub.visits.commands import AddBadge
from tests.hub.parcels.wall_kit import Bench, code_of, key, sha, sscc


def three(bench: Bench) -> None:
    """Two parcels of o1 and one of o2 stand, and o1's customer has scanned."""
    bench.order("o1", 1, 2)
    bench.order("o2", 3)
    for number, u in ((1, 0.05), (2, 0.35), (3, 0.65)):
        bench.stand(number, u)
    bench.wait(1.0)
    bench.scan(code_of("o1"))


def taken_and_there(bench: Bench) -> None:
    """The one parcel of o1 is taken by who is still before the wall."""
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan(code_of("o1"))
    bench.come()
    bench.lift(1)


def test_a_parcel_is_taken_the_moment_it_is_lifted(bench: Bench) -> None:
    three(bench)
    bench.lift(1, gone=False)
    assert (bench.state_of(1), bench.session().state) == ("taken", "taken")
    assert bench.looks() == {"t2": "take_a", "t3": "not_this"}


def test_a_parcel_put_back_is_shown_again(bench: Bench) -> None:
    three(bench)
    bench.lift(1)
    bench.wait(1.0)
    bench.stand(1, 0.05)
    assert (bench.state_of(1), bench.session().state) == ("cued", "showing")
    assert bench.looks()["t1"] == "take_a"
    bench.wait(6.0)
    assert bench.state_of(1) == "cued"
    assert bench.events("parcel.handed_over") == []


def test_a_parcel_put_back_elsewhere_is_shown_there(bench: Bench) -> None:
    three(bench)
    bench.lift(1)
    bench.stand(1, 0.4, 0.85, thing_id="t9")
    assert bench.looks()["t9"] == "take_a"
    assert "t1" not in bench.looks()


def test_a_wrong_parcel_alarms_within_the_same_message_and_is_mended(bench: Bench) -> None:
    three(bench)
    bench.lift(3, gone=False)
    assert bench.session().state == "wrong"
    assert bench.alarms() == ["wrong_taken"]
    assert bench.looks()["area:wrong"] == "wrong"
    assert bench.looks()["t1"] == "take_a", "their own parcels go on shining"
    bench.wait(2.0)
    bench.stand(3, 0.65)
    assert (bench.session().state, bench.alarms()) == ("showing", [])
    assert bench.state_of(3) == "ready"
    assert "area:wrong" not in bench.looks()


def test_a_wrong_parcel_that_stays_away_is_for_staff_to_say(bench: Bench) -> None:
    three(bench)
    bench.lift(3)
    bench.wait(IDLE_S + 1.0)
    assert bench.session().state == "ended"
    assert bench.state_of(3) == "taken"
    (number,) = bench.wall().alarms
    bench.do(ClearAlarm(wall_id="wall-1", number=number, outcome="missing"))
    assert (bench.state_of(3), bench.alarms()) == ("missing", [])
    assert bench.do(ClearAlarm(wall_id="wall-1", number=number)).repeated
    bench.stand(3, 0.65)
    assert bench.state_of(3) == "ready", "a parcel that is found counts again"


def test_what_a_customer_brought_along_is_theirs(bench: Bench) -> None:
    three(bench)
    bench.tell(bench.thing("own", None, "stands", 0.1, 0.85))
    bench.wait(9.0)
    bench.tell(bench.thing("own", None, "moves", 0.1, 0.85))
    bench.tell(bench.thing("own", None, "stands", 0.4, 0.85))
    bench.wait(9.0)
    bench.tell(bench.thing("own", None, "gone", 0.4, 0.85))
    assert (bench.session().state, bench.alarms()) == ("showing", [])


def test_a_box_without_a_label_is_wrong_too_and_mended_by_another_name(bench: Bench) -> None:
    bench.tell(bench.thing("box", None, "stands", 0.1, 0.85))
    three(bench)
    bench.wait(4.0)
    bench.tell(bench.thing("box", None, "moves", 0.1, 0.85))
    assert (bench.session().state, bench.alarms()) == ("wrong", ["wrong_taken"])
    bench.tell(bench.thing("box", None, "gone", 0.1, 0.85))
    bench.tell(bench.thing("box-2", None, "stands", 0.1, 0.85))
    assert (bench.session().state, bench.alarms()) == ("showing", [])


def test_a_hand_that_was_a_thing_for_a_moment_alarms_nobody(bench: Bench) -> None:
    three(bench)
    bench.tell(bench.thing("hand", None, "stands", 0.1, 0.85))
    bench.wait(0.6)
    bench.tell(bench.thing("hand", None, "gone", 0.1, 0.85))
    assert (bench.session().state, bench.alarms()) == ("showing", [])


@pytest.mark.parametrize(
    ("u", "later_s", "alarms"),
    [
        (0.2, 0.4, []),
        (0.2, 1.5, ["wrong_taken"]),
        (0.8, 0.4, ["wrong_taken"]),
    ],
    ids=["at it", "at it, but later", "far from it"],
)
def test_what_goes_with_a_parcel_it_stood_at_is_its_side_or_its_shadow(
    bench: Bench, u: float, later_s: float, alarms: list[str]
) -> None:
    bench.tell(bench.thing("shade", None, "stands", u, 0.7))
    three(bench)
    bench.wait(4.0)
    bench.lift(1, gone=False)
    bench.wait(later_s)
    bench.tell(bench.thing("shade", None, "gone", u, 0.7))
    assert bench.alarms() == alarms
    assert bench.state_of(1) == "taken"


def test_what_is_hidden_is_not_taken(bench: Bench) -> None:
    three(bench)
    bench.stand(3, 0.65, hidden=True)
    bench.stand(1, 0.05, hidden=True)
    assert (bench.session().state, bench.alarms()) == ("showing", [])
    assert bench.state_of(1) == "cued"


def test_what_only_passes_by_is_nobodys_taking(bench: Bench) -> None:
    three(bench)
    bench.tell(bench.thing("bag", None, "moves"))
    bench.tell(bench.thing("bag", None, "gone"))
    assert (bench.session().state, bench.alarms()) == ("showing", [])


def test_taken_with_nobody_there(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.wait(1.0)
    bench.lift(1)
    assert bench.alarms() == ["taken_by_nobody"]
    assert bench.state_of(1) == "taken"
    assert bench.events("parcel.handed_over") == []
    bench.stand(1)
    assert (bench.alarms(), bench.state_of(1)) == ([], "ready")


def test_left_behind(bench: Bench) -> None:
    three(bench)
    bench.lift(1)
    bench.wait(IDLE_S + 1.0)
    assert bench.session().state == "ended"
    assert bench.session().left == [key(2)]
    assert (bench.state_of(1), bench.state_of(2)) == ("handed_over", "ready")
    assert bench.looks() == {}
    assert bench.order_of("o1").state == "open"
    assert bench.events("pickup.ended")[-1]["data"]["left"] == [key(2)]


def test_staff_move_what_they_like(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.do(AddBadge(badge_sha256=sha("SORTIE-STAFF:ANNA"), holder="anna", by="staff"))
    bench.scan("SORTIE-STAFF:ANNA")
    assert bench.session().who == "staff"
    bench.lift(1)
    bench.wait(1.0)
    assert (bench.alarms(), bench.state_of(1)) == ([], "ready")
    bench.stand(1, 0.5)
    bench.scan("SORTIE-STAFF:ANNA")
    assert bench.wall().live() == []
    bench.lift(1)
    assert bench.alarms() == ["taken_by_nobody"]


def test_a_blind_wall_hands_nothing_over_by_itself(bench: Bench) -> None:
    three(bench)
    bench.lift(1, gone=False)
    bench.outage(blind=True)
    assert bench.session().reason == "blind"
    assert bench.looks() == {}, "nothing shines where nobody looks"
    bench.wait(IDLE_S + 1.0)
    assert bench.session().state == "ended"
    assert (bench.state_of(1), bench.alarms()) == ("taken", ["handover_unseen"])
    bench.outage(blind=False)
    bench.wait(5.0)
    assert bench.state_of(1) == "taken", "what was not seen stays for staff to say"
    (number,) = bench.wall().alarms
    bench.do(ClearAlarm(wall_id="wall-1", number=number, outcome="handed_over", by="anna"))
    assert bench.state_of(1) == "handed_over"
    assert bench.events("parcel.handed_over")[0]["data"]["by"] == "anna"


def test_a_wall_that_is_blind_serves_nobody(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.outage(blind=True)
    bench.scan(code_of("o1"))
    assert (bench.session().state, bench.session().reason) == ("refused", "blind")
    assert bench.state_of(1) == "ready"


def test_a_node_that_begins_anew_has_taken_nothing(bench: Bench) -> None:
    three(bench)
    bench.born(boot="boot-2")
    assert (bench.session().state, bench.alarms(), bench.looks()) == ("showing", [], {})
    bench.tell(
        bench.thing("n1", None, "stands", 0.05),
        bench.thing("n2", "00340123450000000024", "stands", 0.35),
        whole=True,
    )
    assert bench.looks()["n2"] == "take_a"
    assert bench.looks().get("n1") != "take_a", "what is not read again is unknown"
    bench.stand(1, 0.05, thing_id="n1")
    assert bench.looks()["n1"] == "take_a"


def test_a_handed_over_parcel_that_stands_again_is_told(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.wait(8.0)
    assert bench.state_of(1) == "handed_over"
    bench.stand(1)
    assert (bench.alarms(), bench.looks()) == (["stands_again"], {})


def test_who_is_still_there_may_put_back_what_they_took(bench: Bench) -> None:
    taken_and_there(bench)
    assert bench.session().state == "done"
    bench.wait(8.0)
    bench.stand(1, 0.4, 0.85)
    assert (bench.state_of(1), bench.alarms()) == ("cued", [])
    assert bench.looks() == {"t1": "take_a"}
    bench.lift(1)
    bench.wait(IN_HAND_S_MAX - 0.6)
    assert bench.events("parcel.handed_over") == []
    bench.wait(0.4)
    assert bench.state_of(1) == "handed_over", "however long somebody stands there"
    assert not bench.session().live


def test_who_went_with_it_has_it(bench: Bench) -> None:
    taken_and_there(bench)
    bench.wait(5.0)
    bench.go()
    bench.wait(0.2)
    assert bench.state_of(1) == "handed_over"


def test_who_has_everything_gives_way_to_who_scans(bench: Bench) -> None:
    bench.order("o2", 2)
    bench.stand(2, 0.4)
    taken_and_there(bench)
    bench.wait(HANDOVER_S + 0.2)
    assert bench.state_of(1) == "taken"
    bench.scan(code_of("o2"))
    assert bench.state_of(1) == "handed_over"
    assert bench.order_of("o1").state == "collected"
    assert [one.look for one in bench.wall().live()] == ["take_a"]


def told_late(bench: Bench, number: int, before_s: float) -> None:
    """The node was cut off: what it told of a parcel that was lifted comes only now."""
    lifted = bench.thing(f"t{number}", f"00{sscc(number)}", "moves")
    t_s = bench.now_s - before_s
    lifted = lifted.model_copy(update={"since_s": t_s})
    bench.say(ThingsSeen(wall_id="wall-1", t_s=t_s, things=(lifted,)))


def test_what_was_lifted_before_the_scan_is_not_charged_to_who_scanned(bench: Bench) -> None:
    bench.order("o1", 1, 2, due=300)
    bench.stand(1, 0.05)
    bench.stand(2, 0.5)
    bench.wait(60.0)
    bench.scan(code_of("o1"))
    bench.wait(5.0)
    told_late(bench, 1, 40.0)
    assert (bench.alarms(), bench.session().wrong) == (["taken_by_nobody"], [])
    assert bench.looks() == {"t2": "take_a"}
    bench.lift(2)
    bench.wait(20.0)
    assert bench.gateway.totals().captured_minor == 300
    assert (bench.state_of(1), bench.state_of(2)) == ("taken", "handed_over")


def test_who_finds_their_parcel_gone_is_sent_to_staff(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.wait(60.0)
    bench.scan(code_of("o1"))
    bench.wait(5.0)
    told_late(bench, 1, 40.0)
    assert (bench.session().state, bench.session().reason) == ("ended", "blind")
    assert bench.alarms() == ["taken_by_nobody"]


def test_who_lifted_while_the_scan_was_on_its_way_is_whoever_scanned(bench: Bench) -> None:
    three(bench)
    told_late(bench, 1, 1.5)
    assert (bench.state_of(1), bench.alarms()) == ("taken", [])
    told_late(bench, 3, 40.0)
    assert (bench.alarms(), bench.session().wrong) == (["taken_by_nobody"], [])


def test_an_old_journal_hands_over_after_the_old_time() -> None:
    bench = Bench()
    with closing(bench.hub):
        bench.hub.core.state.level = STILL_THERE_LEVEL - 1
        taken_and_there(bench)
        bench.wait(5.0)
        assert bench.state_of(1) == "handed_over"


@pytest.mark.parametrize("label", ["00340123450000000017", "340123450000000017"])
def test_a_duplicate_label_shines_nowhere(bench: Bench, label: str) -> None:
    three(bench)
    bench.tell(bench.thing("fake", label, "stands", 0.4, 0.85))
    assert bench.looks() == {"t2": "take_a", "t1": "not_this", "t3": "not_this", "fake": "not_this"}
    assert bench.alarms() == ["duplicate_label"]
    bench.tell(bench.thing("fake", label, "moves", 0.4, 0.85))
    assert bench.session().state == "wrong", "nobody knows which of the two it is"
    bench.tell(bench.thing("fake", label, "gone", 0.4, 0.85))
    assert "duplicate_label" not in bench.alarms(), "it was there for a moment only"
    assert bench.looks()["t1"] == "take_a"


def test_of_two_twins_the_one_that_is_left_is_for_staff(bench: Bench) -> None:
    three(bench)
    bench.tell(bench.thing("fake", "00340123450000000017", "stands", 0.4, 0.85))
    bench.wait(5.0)
    bench.tell(bench.thing("fake", "00340123450000000017", "gone", 0.4, 0.85))
    assert (bench.state_of(1), bench.looks()["t1"]) == ("cued", "not_this")
    twins = [n for n, one in bench.wall().alarms.items() if one.kind == "duplicate_label"]
    bench.do(ClearAlarm(wall_id="wall-1", number=twins[0], by="anna"))
    assert bench.looks()["t1"] == "take_a"
    (missed,) = bench.wall().alarms
    bench.do(ClearAlarm(wall_id="wall-1", number=missed, by="anna"))
    assert (bench.session().state, bench.alarms()) == ("showing", [])


def test_a_duplicate_on_another_wall_counts_too(bench: Bench) -> None:
    three(bench)
    bench.stand(1, wall_id="wall-2", thing_id="far")
    assert "t1" not in bench.looks() or bench.looks()["t1"] != "take_a"
    assert bench.alarms("wall-2") == ["duplicate_label"]
    bench.stand(1, 0.05, twins=("t8",))
    assert bench.looks().get("t1") != "take_a"


def test_labels_of_nobody_never_shine(bench: Bench) -> None:
    three(bench)
    bench.tell(
        bench.thing("other", "00340123459999999995", "stands", 0.1, 0.85),
        bench.thing("odd", "not a label of ours", "stands", 0.4, 0.85),
        bench.thing("bad", "00340123450000000018", "stands", 0.7, 0.85),
    )
    green = {name for name, look in bench.looks().items() if look in ("take_a", "take_b")}
    assert green == {"t1", "t2"}


def test_a_contested_label_counts_as_unread(bench: Bench) -> None:
    three(bench)
    bench.stand(1, 0.05, contested=True)
    assert bench.looks()["t1"] == "not_this"
    bench.stand(1, 0.05)
    assert bench.looks()["t1"] == "take_a"


def test_who_scans_again_after_the_camera_was_blind_is_served_anew(bench: Bench) -> None:
    three(bench)
    bench.lift(1, gone=False)
    bench.outage(blind=True)
    bench.wait(2.0)
    bench.outage(blind=False)
    assert bench.looks() == {}
    bench.scan(code_of("o1"))
    assert bench.looks() == {"t2": "take_a", "t3": "not_this"}
    assert (bench.state_of(1), bench.alarms()) == ("taken", ["handover_unseen"])


def test_a_parcel_that_is_stowed_while_its_customer_waits_is_shown(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1, 0.05)
    bench.scan(code_of("o1"))
    bench.do(AddParcel(order_id="o1", parcel=OrderedParcel(label=sscc(2))))
    bench.stand(2, 0.4)
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}


def test_nobody_is_served_for_ever(bench: Bench) -> None:
    three(bench)
    for _ in range(30):
        bench.wait(31.0)
        bench.tell(bench.thing("x", None, "stands", 0.1, 0.85))
        bench.tell(bench.thing("x", None, "gone", 0.1, 0.85))
    assert bench.wall().live() == []


def test_twins_that_came_together_shine_for_nobody(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.tell(
        bench.thing("a", "00340123450000000017", "stands", 0.1),
        bench.thing("b", "00340123450000000017", "stands", 0.5),
        whole=True,
    )
    assert (bench.state_of(1), bench.alarms()) == ("ready", ["duplicate_label"])
    bench.scan(code_of("o1"))
    assert "take_a" not in bench.looks().values()


def test_a_parcel_that_was_doubled_for_a_moment_is_stowed(bench: Bench) -> None:
    bench.tell(
        bench.thing("a", "00340123450000000017", "stands", 0.1),
        bench.thing("b", "00340123450000000017", "stands", 0.5),
        whole=True,
    )
    bench.order("o1", 1)
    assert (bench.state_of(1), bench.alarms()) == ("expected", ["duplicate_label"])
    bench.wait(0.4)
    bench.tell(bench.thing("b", "00340123450000000017", "gone", 0.5))
    assert (bench.state_of(1), bench.alarms()) == ("ready", [])
