"""Who taps a card, or is let in, must be seen at the gate: nobody shops on a stranger's card."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from auditor.ledger import audit
from contracts import messages as m
from hub.commands import EndVisit, OpenForTrack
from hub.errors import RejectedError
from hub.levels import LEVEL
from hub.views import claim_view
from hub.visits.atgate import TAP_AGAIN
from hub.wallet.fake import FakeGateway
from tests.hub.visits_kit import keys, let_in, of_kind, play, tap, visit_of, walk_in, walk_out

BREAD = "5901234123457"
GATE = (1.0, 0.4)


def reborn(day: Any, at_s: float, boot_id: str = "boot-2") -> None:
    """The floor's node died a while ago and lives again: nobody saw who came meanwhile."""
    day.floor = type(day.floor)("node-floor", boot_id)
    born = m.NodeBorn(software="test", config_revision=1, floor=True)
    day.say(day.floor, at_s, born)
    day.floor_watermark(at_s)


def in_sight(day: Any, shop: Any, until_s: float) -> None:
    """The floor sees nobody, and says so."""
    at_s = shop.now_s
    while at_s + 0.4 <= until_s:
        at_s += 0.4
        day.floor_watermark(at_s)
    play(shop, day, until_s)


@pytest.mark.parametrize("way", ["card", "desk"])
@pytest.mark.parametrize(("level", "taken"), [(LEVEL, False), (3, True)])
def test_a_tap_while_the_floor_is_blind_does_not_take_the_next_body(
    make_shop: Callable[..., Any], day: Any, way: str, level: int, taken: bool
) -> None:
    """Under the rules of before, who came in next shopped on the card of who had tapped."""
    with closing(FakeGateway()) as gateway:
        shop = make_shop(gateway=gateway)
        shop.hub.core.state.level = level
        in_sight(day, shop, 2.0)
        shop.now_s = 4.0
        made = tap(shop, "tap-1") if way == "card" else let_in(shop)
        reborn(day, 5.0)
        walk_in(day, 6.0, "stranger")
        in_sight(day, shop, 12.0)
        visit = visit_of(shop, made.visit_id)
        assert ("stranger" in visit.tracks) == taken
        if taken:
            return
        assert (visit.stage, visit.refusal) == ("refused", TAP_AGAIN)
        assert [e.data["reason"] for e in of_kind(shop, "entry.refused")] == [TAP_AGAIN]
        assert claim_view(shop.hub, made.visit_id)["refusal"] == TAP_AGAIN
        assert gateway.totals().held_minor == 0
        assert not shop.hub.core.state.asks
        assert {name: found for name, found in audit(shop.hub.export_json()).items() if found} == {}


def test_who_taps_again_comes_in(kept: Any, day: Any) -> None:
    in_sight(day, kept, 2.0)
    first = tap(kept, "tap-1")
    in_sight(day, kept, 4.0)
    assert visit_of(kept, first.visit_id).stage == "refused"
    day.step(4.2, "t1", *GATE, "born")
    play(kept, day, 4.4)
    second = tap(kept, "tap-2")
    walk_in(day, 4.6, "t1")
    play(kept, day, 6.0)
    assert visit_of(kept, second.visit_id).stage == "shopping"
    assert visit_of(kept, second.visit_id).tracks == ["t1"]
    again = tap(kept, "tap-1")
    assert (again.visit_id, again.repeated) == (first.visit_id, True), "the old tap stays refused"


@pytest.mark.parametrize("way", ["card", "desk"])
def test_nobody_taps_while_the_floor_is_silent(kept: Any, day: Any, way: str) -> None:
    in_sight(day, kept, 2.0)
    kept.now_s = 20.0
    before = kept.hub.digest()
    with pytest.raises(RejectedError, match="tap again in a moment"):
        _ = tap(kept, "tap-1") if way == "card" else let_in(kept)
    assert kept.hub.digest() == before


@pytest.mark.parametrize(("late_s", "stage"), [(0.6, "shopping"), (2.2, "refused")])
def test_who_steps_up_a_moment_after_the_tap_is_taken(
    kept: Any, day: Any, late_s: float, stage: str
) -> None:
    in_sight(day, kept, 2.0)
    made = tap(kept, "tap-1")
    walk_in(day, 2.0 + late_s, "t1")
    in_sight(day, kept, 5.0)
    assert visit_of(kept, made.visit_id).stage == stage


def test_who_was_seen_just_before_the_floor_died_is_asked_to_tap_again(kept: Any, day: Any) -> None:
    """The body of before will not move again: the visit would be lost at once."""
    day.step(2.0, "t1", *GATE, "born")
    play(kept, day, 2.2)
    made = tap(kept, "tap-1")
    reborn(day, 3.0)
    walk_in(day, 3.2, "t2")
    play(kept, day, 6.0)
    assert visit_of(kept, made.visit_id).stage == "refused"


def test_a_camera_that_was_blind_saw_nobody_come(kept: Any, day: Any) -> None:
    def outage(at_s: float, *, blind: bool) -> None:
        day.say(
            day.floor,
            at_s,
            m.SensorOutage(sensor_id="ceiling", kind="camera", bay_id=None, blind=blind, t_s=at_s),
        )

    in_sight(day, kept, 1.0)
    outage(1.2, blind=True)
    in_sight(day, kept, 2.0)
    made = tap(kept, "tap-1")
    outage(2.4, blind=False)
    walk_in(day, 2.6, "t1")
    in_sight(day, kept, 5.0)
    assert visit_of(kept, made.visit_id).stage == "refused"
    # Somebody it has seen from the beginning may tap.
    day.step(5.2, "t2", *GATE, "born")
    play(kept, day, 5.4)
    made = tap(kept, "tap-2")
    walk_in(day, 5.6, "t2")
    play(kept, day, 7.0)
    assert visit_of(kept, made.visit_id).tracks == ["t2"]


def _two_on_a_card(shop: Any, day: Any) -> str:
    """One is in, and the same card is tapped again though nobody stands there."""
    day.step(1.0, "t1", *GATE, "born")
    play(shop, day, 1.0)
    first = tap(shop, "tap-1")
    walk_in(day, 1.2, "t1")
    play(shop, day, 5.0)
    second = tap(shop, "tap-2")
    assert (second.visit_id, second.repeated) == (first.visit_id, False)
    return str(first.visit_id)


def test_one_more_on_a_card_who_is_not_seen_stays_out(kept: Any, day: Any) -> None:
    visit_id = _two_on_a_card(kept, day)
    for at_s in (5.4, 6.0, 6.6, 7.2):
        day.step(at_s, "t1", 1.1, 3.4)
    play(kept, day, 7.4)
    visit = visit_of(kept, visit_id)
    assert (visit.stage, visit.entered, visit.entries, visit.companions) == ("shopping", 1, 1, [])
    assert not visit.lost
    assert not visit.needs_review
    assert claim_view(kept.hub, visit_id)["refusal"] == TAP_AGAIN
    assert tap(kept, "tap-2").repeated, "asking how it stands lets nobody in"
    day.step(7.6, "t2", *GATE, "born")
    play(kept, day, 7.8)
    tap(kept, "tap-3")
    walk_in(day, 8.0, "t2")
    play(kept, day, 10.0)
    assert visit.tracks == ["t1", "t2"]
    assert claim_view(kept.hub, visit_id)["refusal"] == ""


def test_the_last_one_left_while_one_more_was_waited_for(kept: Any, day: Any) -> None:
    visit_id = _two_on_a_card(kept, day)
    walk_out(day, 5.2, "t1")
    in_sight(day, kept, 8.0)
    day.watermark(8.2)
    play(kept, day, 12.0)
    visit = visit_of(kept, visit_id)
    assert (visit.stage, visit.exit_kind, visit.lost) == ("final", "exit", False)
    assert visit.exited_s == pytest.approx(6.5, abs=0.3)


def test_a_tap_told_again_under_another_id_is_no_one_more(kept: Any, day: Any) -> None:
    day.step(1.0, "t1", *GATE, "born")
    play(kept, day, 1.0)
    first = tap(kept, "tap-1")
    assert tap(kept, "tap-2").repeated
    walk_in(day, 1.2, "t1")
    play(kept, day, 8.0)
    again = tap(kept, "tap-2")
    assert (again.visit_id, again.repeated) == (first.visit_id, True)
    assert visit_of(kept, first.visit_id).companions == []


def _scanned_then_blind(shop: Any, day: Any) -> str:
    """A code is read, and the floor tells of nobody after it."""
    visit_id = shop.open_visit("code-of-somebody", now_s=0.5)
    in_sight(day, shop, 1.0)
    day.scan(1.2, "code-of-somebody")
    play(shop, day, 1.4)
    return str(visit_id)


@pytest.mark.parametrize(("level", "taken"), [(LEVEL, False), (3, True)])
def test_who_comes_in_after_the_floor_is_back_is_not_who_scanned_before(
    make_shop: Callable[..., Any], day: Any, level: int, taken: bool
) -> None:
    shop = make_shop()
    shop.hub.core.state.level = level
    visit_id = _scanned_then_blind(shop, day)
    reborn(day, 2.0)
    day.floor_watermark(3.4)
    walk_in(day, 3.6, "stranger")
    in_sight(day, shop, 9.0)
    visit = visit_of(shop, visit_id)
    assert ("stranger" in visit.tracks) == taken
    assert visit.lost != taken


@pytest.mark.parametrize("level", [LEVEL, 3])
def test_who_was_inside_when_the_floor_came_back_is_who_scanned(
    make_shop: Callable[..., Any], day: Any, level: int
) -> None:
    shop = make_shop()
    shop.hub.core.state.level = level
    visit_id = _scanned_then_blind(shop, day)
    reborn(day, 2.2)
    day.step(2.4, "t1", 1.0, 1.6, "born")
    day.step(3.0, "t1", 1.1, 3.4)
    in_sight(day, shop, 9.0)
    assert visit_of(shop, visit_id).tracks == ["t1"]


def test_since_when_a_node_watches_survives_a_snapshot(
    make_shop: Callable[..., Any], day: Any
) -> None:
    shop = make_shop("watch.sqlite", snapshot_every=5)
    in_sight(day, shop, 12.0)
    boot = shop.hub.core.state.devices.all["node-floor"].boot
    assert boot.watching_s == pytest.approx(0.4)
    assert shop.hub.store.snapshot().position > 0
    before = shop.hub.core.dump()["devices"]
    shop.hub.close()
    again = make_shop("watch.sqlite")
    assert again.hub.core.dump()["devices"] == before
    assert again.hub.core.state.devices.all["node-floor"].boot.watching_s == boot.watching_s


# -- visits that staff end --------------------------------------------------------------------


def _ended(shop: Any, day: Any) -> str:
    """Staff end a visit; the floor has told of the gate only, and what came after is late."""
    day.step(1.0, "t1", *GATE, "born")
    play(shop, day, 1.0)
    made = tap(shop, "tap-1")
    day.step(1.4, "t1", 1.0, 0.8)
    play(shop, day, 4.0)
    shop.hub.command(
        EndVisit(visit_id=made.visit_id, by="carla", reason="went out by the back door"), shop.now_s
    )
    return str(made.visit_id)


@pytest.mark.parametrize(("level", "lines"), [(LEVEL, [BREAD]), (3, [])])
def test_a_visit_that_staff_ended_waits_for_late_news_of_the_floor(
    make_shop: Callable[..., Any], day: Any, level: int, lines: list[str]
) -> None:
    """Under the rules of before it settled at once, as if the shopper had been nowhere."""
    shop = make_shop()
    shop.hub.core.state.level = level
    visit_id = _ended(shop, day)
    play(shop, day, 5.0)
    visit = visit_of(shop, visit_id)
    assert visit.stage == ("left" if lines else "final")
    for at_s in (2.0, 2.6, 3.2, 4.4):
        # Told late: the messages were under way for seconds.
        point = m.TrackPoint(t_s=at_s, x_m=1.1, y_m=3.4, sd_m=0.1)
        segment = m.TrackSegment(track_id="t1", state="alive", points=(point,))
        day.say(day.floor, 5.2, m.FloorTracksMoved(t_s=at_s, segments=(segment,)))
    play(shop, day, 5.6)
    if lines:
        assert visit.stage == "left", "it was at a bay, whose node has not told yet"
    day.reach(2.4, "t1", BREAD)
    day.watermark(6.0)
    play(shop, day, 8.0)
    assert visit.stage == "final"
    assert [line.gtin for line in visit.lines] == lines
    assert not visit.needs_review


def test_a_visit_that_staff_ended_is_looked_at_if_somebody_unknown_was_inside(
    kept: Any, day: Any
) -> None:
    """The floor's node died: the shopper went on as somebody whom nobody knows."""
    visit_id = _ended(kept, day)
    reborn(day, 4.2)
    day.step(4.4, "t2", 1.1, 3.4, "born")
    day.watermark(6.0)
    play(kept, day, 8.0)
    visit = visit_of(kept, visit_id)
    assert (visit.stage, visit.needs_review) == ("final", False), "that one came after the end"
    kept.now_s = 10.0
    day.step(10.2, "t3", *GATE, "born")
    play(kept, day, 10.4)
    made = tap(kept, "tap-9", card="tok_ben_visa")
    day.step(10.8, "t3", 1.0, 0.8)
    play(kept, day, 11.0)
    reborn(day, 12.0, "boot-3")
    day.step(12.2, "t4", 1.1, 3.4, "born")
    play(kept, day, 13.0)
    end = EndVisit(visit_id=made.visit_id, by="carla", reason="went out by the back door")
    kept.hub.command(end, kept.now_s)
    day.watermark(15.0)
    in_sight(day, kept, 16.0)
    visit = visit_of(kept, made.visit_id)
    assert visit.stage == "final"
    assert visit.review_reasons == ["out of sight before staff ended it, and somebody was inside"]


@pytest.mark.parametrize(
    ("level", "ended_s", "given"), [(LEVEL, 7.0, False), (LEVEL, 5.4, True), (4, 7.0, True)]
)
def test_a_body_may_be_whom_staff_ended_after_it_began(
    make_shop: Callable[..., Any], day: Any, level: int, ended_s: float, given: bool
) -> None:
    """Under the rules of before, the other shopper paid for what that one took."""
    shop = make_shop()
    shop.hub.core.state.level = level
    found = []
    for name, card in (("t1", "tok_ann_visa"), ("t2", "tok_ben_visa")):
        begin_s = shop.now_s + 0.6
        day.step(begin_s, name, *GATE, "born")
        play(shop, day, begin_s)
        found.append(tap(shop, f"tap-{name}", card=card).visit_id)
        day.step(begin_s + 0.4, name, 1.0, 1.6)
        day.step(begin_s + 1.0, name, 1.6, 3.2)
        play(shop, day, begin_s + 1.0)
    ann, ben = (visit_of(shop, visit_id) for visit_id in found)
    day.step(5.0, "t1", 1.4, 3.2)
    day.step(5.0, "t2", 1.9, 3.2)
    reborn(day, 5.4)
    play(shop, day, min(ended_s, 5.4))
    day.step(5.8, "t3", 1.7, 3.2, "born")
    if ended_s > 5.8:
        play(shop, day, ended_s)
        assert (ann.tracks, ben.tracks) == (["t1"], ["t2"]), "it may be either of them"
    end = EndVisit(visit_id=ben.visit_id, by="carla", reason="went out by the back door")
    shop.hub.command(end, shop.now_s)
    day.step(8.0, "t3", 1.7, 3.2)
    day.watermark(9.0)
    play(shop, day, 9.0)
    assert (ann.tracks == ["t1", "t3"]) == given


# -- bodies that staff know -------------------------------------------------------------------


@pytest.mark.parametrize(("level", "refused"), [(LEVEL, True), (3, False)])
def test_a_body_at_the_gate_is_not_given_away_while_its_code_is_on_its_way(
    make_shop: Callable[..., Any], day: Any, level: int, refused: bool
) -> None:
    """Under the rules of before, the code then took the next body that came in."""
    shop = make_shop()
    shop.hub.core.state.level = level
    visit_id = shop.open_visit("code-of-somebody", now_s=0.5)
    day.step(1.0, "t1", *GATE, "born")
    play(shop, day, 1.2)
    opening = OpenForTrack(**keys("desk"), track_id="t1", by="carla", reason="no visit")
    if refused:
        before = shop.hub.digest()
        with pytest.raises(RejectedError, match="stands at entry"):
            shop.hub.command(opening, shop.now_s)
        assert shop.hub.digest() == before
    else:
        shop.hub.command(opening, shop.now_s)
    day.scan(1.3, "code-of-somebody")
    day.step(1.6, "t1", 1.1, 3.4)
    walk_in(day, 4.0, "stranger")
    play(shop, day, 9.0)
    assert visit_of(shop, visit_id).tracks == (["t1"] if refused else ["stranger"])
