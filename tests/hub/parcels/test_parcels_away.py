"""Light waits for who has gone: dark at once, lit when they come back, over in the end."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import pytest

from hub.commands import AddBadge
from hub.levels import NEXT_IN_LINE_LEVEL, YIELDS_LEVEL
from hub.parcels.attending import (
    AWAY_BEFORE_S,
    AWAY_S,
    CAME_S,
    ON_THE_WAY_S,
    STAYED_S,
    attended,
    followed,
    gone_for_good,
    unattended,
)
from hub.parcels.commands import LoadRoute, MoveRoute, RouteStop
from hub.parcels.model import Parcels
from hub.parcels.sessions import IDLE_S
from hub.parcels.views import kiosk_view, wall_view
from hub.store.verify import verify
from tests.hub.parcels.wall_kit import Bench, code_of, key, sha

SHINES = {"t1": "take_a", "t2": "take_a", "t9": "not_this"}


def scanned(bench: Bench) -> None:
    """An order of two parcels beside a stranger's; its customer scans, and is not seen yet."""
    bench.order("o1", 1, 2)
    bench.order("o9", 9)
    for place, number in enumerate((1, 2, 9)):
        bench.stand(number, 0.05 + 0.25 * place)
    bench.go()
    bench.scan(code_of("o1"))


def served(bench: Bench) -> None:
    """And comes."""
    scanned(bench)
    bench.wait(1.0)
    bench.come()
    bench.wait(CAME_S)
    assert bench.looks() == SHINES


def test_who_goes_leaves_a_dark_wall_and_finds_it_lit_again(bench: Bench) -> None:
    served(bench)
    bench.wait(3.0)
    bench.go()
    assert bench.looks() == {}
    assert [one.session_id for one in bench.wall().live()] == [bench.session().session_id]
    bench.wait(AWAY_S - 1.0)
    bench.come()
    assert bench.looks() == SHINES
    bench.wait(AWAY_S + 1.0)
    assert bench.looks() == SHINES


def test_who_stays_away_is_let_go_and_what_is_left_waits(bench: Bench) -> None:
    served(bench)
    bench.lift(1)
    bench.wait(6.0)
    bench.go()
    bench.wait(AWAY_S - 0.4)
    assert bench.session().live
    bench.wait(0.6)
    assert (bench.session().state, bench.session().left) == ("ended", [key(2)])
    assert (bench.state_of(1), bench.state_of(2)) == ("handed_over", "ready")
    bench.come()
    assert bench.looks() == {}


def test_going_anew_begins_a_time_of_its_own(bench: Bench) -> None:
    served(bench)
    for _ in range(4):
        bench.go()
        bench.wait(AWAY_S - 1.0)
        bench.come()
        bench.wait(1.0)
    bench.go()
    bench.wait(AWAY_S - 1.0)
    bench.go()
    assert bench.session().live
    bench.wait(1.2)
    assert not bench.session().live


def test_what_moves_while_nobody_is_seen_keeps_the_session(bench: Bench) -> None:
    served(bench)
    bench.go()
    bench.wait(AWAY_S - 1.0)
    bench.lift(1)
    bench.wait(AWAY_S - 1.0)
    assert bench.session().live
    assert bench.looks() == {}
    bench.wait(1.2)
    assert not bench.session().live


def test_light_waits_for_nobody_before_they_have_come(bench: Bench) -> None:
    scanned(bench)
    bench.wait(IDLE_S - 1.0)
    assert bench.looks() == SHINES
    bench.wait(1.2)
    assert bench.session().state == "ended"


def test_a_node_that_tells_nothing_leaves_it_to_the_time(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan(code_of("o1"))
    bench.wait(IDLE_S - 1.0)
    assert bench.looks() == {"t1": "take_a"}
    bench.wait(1.2)
    assert bench.session().state == "ended"


def test_a_passer_by_is_not_whoever_scanned(bench: Bench) -> None:
    bench.come()
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan(code_of("o1"))
    bench.wait(STAYED_S - 1.0)
    bench.come()
    bench.go()
    assert bench.looks() == {"t1": "take_a"}


def test_who_goes_by_after_the_scan_is_not_whoever_scanned(bench: Bench) -> None:
    scanned(bench)
    bench.wait(1.0)
    bench.come()
    bench.wait(CAME_S - 0.4)
    bench.go()
    assert bench.looks() == SHINES


def test_older_databases_go_by_their_own_times(bench: Bench) -> None:
    scanned(bench)
    wall, session = copy.deepcopy(bench.wall()), copy.deepcopy(bench.session())
    wall.sessions = [session]
    before = NEXT_IN_LINE_LEVEL - 1
    attended(wall, bench.now_s, before)
    assert session.met
    gone_s = bench.now_s + 5.0
    unattended(wall, gone_s)
    assert not gone_for_good(wall, session, gone_s + AWAY_BEFORE_S - 0.1, before)
    assert gone_for_good(wall, session, gone_s + AWAY_BEFORE_S, before)
    assert gone_for_good(wall, session, gone_s + AWAY_S, NEXT_IN_LINE_LEVEL)


def test_who_scans_where_they_are_seen_is_known_by_staying(bench: Bench) -> None:
    bench.come()
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan(code_of("o1"))
    bench.wait(STAYED_S + 0.4)
    bench.go()
    assert bench.looks() == {}


def test_who_scans_after_everybody_went_came_after_them(bench: Bench) -> None:
    served(bench)
    bench.go()
    bench.wait(AWAY_S - 1.0)
    bench.come()
    assert bench.looks() == SHINES, "they may have come back"
    bench.scan(code_of("o9"))
    assert bench.looks() == {"t9": "take_a", "t2": "not_this"}
    assert [one.state for one in bench.wall().sessions] == ["ended", "showing"]


def test_older_databases_know_nobody_who_came_after_them(bench: Bench) -> None:
    served(bench)
    bench.go()
    bench.wait(AWAY_S - 1.0)
    bench.come()
    assert followed(bench.wall(), bench.session(), YIELDS_LEVEL)
    assert not followed(bench.wall(), bench.session(), YIELDS_LEVEL - 1)


def test_who_came_back_and_took_something_is_still_there(bench: Bench) -> None:
    served(bench)
    bench.go()
    bench.wait(AWAY_S - 1.0)
    bench.come()
    bench.lift(1)
    bench.scan(code_of("o9"))
    assert bench.looks() == {"t2": "take_a", "t9": "take_b"}


def two(bench: Bench) -> None:
    """Two customers scan beside each other; the one who came first takes theirs and both go."""
    bench.order("o1", 1)
    bench.order("o2", 2)
    bench.stand(1)
    bench.stand(2, 0.5)
    bench.come()
    bench.scan(code_of("o1"))
    bench.scan(code_of("o2"))
    bench.wait(4.0)
    bench.lift(1)
    bench.wait(2.0)
    bench.go()


def test_of_two_customers_who_took_nothing_has_gone_with_the_other(bench: Bench) -> None:
    two(bench)
    assert bench.looks() == {"t2": "take_b"}, "they may be on their way from the scanner"
    bench.wait(ON_THE_WAY_S - 8.0)
    assert bench.looks() == {"t2": "take_b"}
    bench.wait(2.0)
    assert (bench.looks(), bench.state_of(2)) == ({}, "ready")
    bench.come()
    assert bench.looks() == {}


def test_who_scans_after_all_have_gone_is_waited_for(bench: Bench) -> None:
    two(bench)
    bench.order("o3", 3)
    bench.stand(3, 0.9)
    bench.scan(code_of("o2"))
    bench.scan(code_of("o3"))
    bench.wait(ON_THE_WAY_S + 1.0)
    assert bench.looks() == {"t2": "take_b", "t3": "take_a"}


def test_who_took_something_was_there(bench: Bench) -> None:
    bench.come()
    bench.order("o1", 1, 2)
    bench.stand(1)
    bench.stand(2, 0.5)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.go()
    assert bench.looks() == {}


def test_a_second_scan_shines_again(bench: Bench) -> None:
    """The scanner may be where no camera sees who stands there."""
    served(bench)
    bench.go()
    assert bench.looks() == {}
    bench.wait(2.0)
    bench.scan(code_of("o1"))
    assert bench.looks() == SHINES
    bench.wait(AWAY_S + 1.0)
    assert bench.looks() == SHINES


# -- two at once --------------------------------------------------------------------------


def test_of_two_only_who_surely_was_there_is_away(bench: Bench) -> None:
    served(bench)
    bench.scan(code_of("o9"))
    first, second = bench.wall().live()
    bench.go()
    # The second may stand at the scanner all the time.
    assert bench.looks() == {"t9": "take_b", "t2": "not_this"}
    bench.wait(AWAY_S + 0.2)
    assert (first.live, second.live) == (False, True)


def test_of_two_who_scanned_before_anybody_came_neither_is_known(bench: Bench) -> None:
    scanned(bench)
    bench.scan(code_of("o9"))
    bench.come()
    bench.go()
    assert bench.looks() == {"t1": "take_a", "t2": "take_a", "t9": "take_b"}
    bench.come()
    bench.lift(9)
    bench.lift(1)
    bench.wait(6.0)
    bench.go()
    assert bench.looks() == {}


def test_who_scans_after_somebody_went_takes_their_place(bench: Bench) -> None:
    served(bench)
    bench.wait(6.0)
    bench.go()
    bench.wait(2.0)
    bench.scan(code_of("o9"))
    first, second = bench.wall().sessions
    assert (first.state, first.left) == ("ended", [key(1), key(2)])
    assert second.look == "take_a"
    bench.come()
    assert bench.looks() == {"t9": "take_a", "t2": "not_this"}


# -- who else is there, and who says so ---------------------------------------------------


def test_a_stop_of_a_route_shines_whoever_goes(bench: Bench) -> None:
    bench.order("o1", 1, 2)
    bench.stand(1)
    bench.stand(2, 0.5)
    stop = RouteStop(name="A", orders=("o1",))
    bench.do(LoadRoute(route_id="r1", wall_id="wall-1", stops=(stop,)))
    bench.do(MoveRoute(route_id="r1", at=-1))
    bench.come()
    bench.lift(2)
    bench.go()
    bench.wait(AWAY_S + 1.0)
    assert bench.looks() == {"t1": "take_a"}


def test_staff_are_shown_things_whoever_goes(bench: Bench) -> None:
    bench.do(AddBadge(badge_sha256=sha("SORTIE-STAFF:BO"), holder="bo", by="staff"))
    bench.tell(bench.thing("n1", None))
    bench.scan("SORTIE-STAFF:BO")
    bench.come()
    bench.go()
    bench.wait(AWAY_S + 1.0)
    assert bench.looks() == {"n1": "look"}


def test_while_staff_are_there_nobody_knows_who_went(bench: Bench) -> None:
    bench.do(AddBadge(badge_sha256=sha("SORTIE-STAFF:BO"), holder="bo", by="staff"))
    bench.scan("SORTIE-STAFF:BO")
    scanned(bench)
    bench.come()
    bench.go()
    assert bench.looks()["t1"] == "take_a"


def test_nobody_is_missed_while_a_camera_is_blind(bench: Bench) -> None:
    served(bench)
    bench.go()
    bench.outage(blind=True)
    bench.wait(AWAY_S + 1.0)
    assert bench.session().live
    bench.outage(blind=False)
    bench.wait(AWAY_S - 1.0)
    assert bench.session().live, "whoever came meanwhile has a moment"
    bench.wait(1.2)
    assert not bench.session().live


def test_a_node_that_begins_anew_knows_of_nobody(bench: Bench) -> None:
    served(bench)
    bench.go()
    bench.born("node-1", "wall-1", "boot-2")
    bench.stand(1, 0.05)
    bench.stand(2, 0.3)
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}
    bench.go()
    assert bench.looks() == {}


def test_another_node_is_not_believed(bench: Bench) -> None:
    served(bench)
    bench.go()
    bench.come(node="node-2")
    assert bench.looks() == {}


# -- what is kept, and what is said -------------------------------------------------------


def test_it_is_kept_and_a_hub_that_knew_nothing_of_it_is_taken_up(bench: Bench) -> None:
    served(bench)
    bench.go()
    dumped = json.loads(json.dumps(bench.room.dump()))
    (row,) = [one for one in dumped["walls"] if one["wall_id"] == "wall-1"]
    wall = Parcels.load(dumped).walls["wall-1"]
    assert wall.nobody_s == bench.now_s
    assert wall.sessions[-1].met
    del row["nobody_s"], row["sessions"][-1]["met"]
    old = Parcels.load(dumped).walls["wall-1"]
    assert (old.somebody, old.nobody_s, old.sessions[-1].met) == (False, None, False)


def test_the_database_agrees(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    served(bench)
    bench.go()
    bench.wait(1.0)
    bench.hub._commit()
    assert verify(bench.url, bench.hub.core.state.factory).findings == ()


@pytest.mark.parametrize("taken", [False, True])
def test_pages_say_that_the_light_waits(bench: Bench, *, taken: bool) -> None:
    served(bench)
    if taken:
        bench.lift(1)
    state = bench.hub.core.state
    assert not kiosk_view(state, "wall-1")["sessions"][-1]["away"]
    bench.go()
    shown = kiosk_view(state, "wall-1")
    assert shown["sessions"][-1]["away"]
    assert shown["words"] == "The light waits for you. Please step up to the wall."
    staff = wall_view(state, "wall-1", bench.now_s)
    assert (staff["somebody"], staff["nobody_s"]) == (False, bench.now_s)
