"""Stowing, and the stops of a van."""

from __future__ import annotations

import pytest

from contracts.wall import Wall as Layout
from hub.errors import ConflictError, RejectedError
from hub.parcels import routes
from hub.parcels.commands import LoadRoute, MoveRoute, OrderedParcel, PlaceOrder, RouteStop
from hub.parcels.commands import StowParcel as Stow
from hub.parcels.model import Seen, Wall
from hub.parcels.stowing import space_for
from hub.parcels.words import session_words
from hub.visits.commands import AddBadge
from tests.contracts.test_wall import wall as wall_document
from tests.hub.parcels.wall_kit import Bench, code_of, key, sha, sscc

LAYOUT = Layout.model_validate(wall_document())


def filled(*spans: tuple[float, float, float]) -> Wall:
    """A wall with things at (u0, u1, z)."""
    wall = Wall("wall-1")
    for place, (u0, u1, z) in enumerate(spans):
        outline = ((u0, z), (u1, z), (u1, z + 0.15), (u0, z + 0.15))
        wall.things[f"t{place}"] = Seen(f"t{place}", "stands", outline, 0.0, 0.0)
    return wall


def test_the_smallest_gap_that_fits_is_taken() -> None:
    wall = filled((0.0, 0.3, 0.5), (0.55, 1.0, 0.5), (0.5, 0.6, 0.85))
    found = space_for(LAYOUT, wall, (0.2, 0.2))
    assert found is not None
    assert found[0][0] == pytest.approx(0.32)
    assert found[0][1] == 0.5
    wide = space_for(LAYOUT, wall, (0.35, 0.2))
    assert wide is not None
    assert wide[0][1] == 0.85
    assert space_for(LAYOUT, wall, (0.2, 0.31)) is None, "higher than the boards leave free"
    assert space_for(LAYOUT, wall, (0.6, 0.2)) is None


def test_a_place_overlaps_nothing() -> None:
    for width in (0.1, 0.2, 0.3, 0.45):
        wall = filled((0.1, 0.3, 0.5), (0.4, 0.7, 0.5), (0.0, 0.5, 0.85))
        found = space_for(LAYOUT, wall, (width, 0.2))
        if found is None:
            continue
        u0, u1, z = found[0][0], found[1][0], found[0][1]
        assert u0 >= 0.0
        assert u1 <= LAYOUT.width_m
        for thing in wall.things.values():
            (left, low), (right, _), *_ = thing.outline_m
            assert right <= u0 or left >= u1 or low != z


def test_hooks_take_what_no_board_does() -> None:
    document = wall_document(
        boards=[], hooks=[{"hook_id": "h1", "u_m": 0.3, "z_m": 1.0},
                          {"hook_id": "h2", "u_m": 0.7, "z_m": 1.0}],
    )  # fmt: skip
    layout = Layout.model_validate(document)
    wall = filled((0.2, 0.4, 0.85))
    found = space_for(layout, wall, (0.2, 0.3))
    assert found is not None
    assert found[0][0] == pytest.approx(0.6)


def test_a_parcel_is_stowed_where_light_says(bench: Bench) -> None:
    bench.order("o1", 1, 2)
    bench.do(Stow(key=key(1), wall_id="wall-1", by="anna"))
    assert bench.looks() == {"area:place": "place"}
    bench.stand(1)
    assert bench.looks() == {}
    assert bench.state_of(1) == "stowed"
    with pytest.raises(RejectedError, match="stands here"):
        bench.do(Stow(key=key(1), wall_id="wall-1"))
    with pytest.raises(RejectedError, match="expected a parcel of an order"):
        bench.do(Stow(key=key(9), wall_id="wall-1"))
    bench.wait(200.0)
    assert bench.wall().sessions == []


def test_a_badge_and_a_scanned_label_do_the_same(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.do(AddBadge(badge_sha256=sha("SORTIE-STAFF:BO"), holder="bo", by="staff"))
    bench.scan(f"https://id.gs1.org/00/{sscc(1)}")
    assert bench.session().state == "refused", "a label alone opens nothing"
    bench.scan("SORTIE-STAFF:BO")
    bench.scan(f"https://id.gs1.org/00/{sscc(1)}")
    assert bench.looks() == {"area:place": "place"}
    bench.stand(1)
    assert bench.state_of(1) == "ready"


def test_a_full_wall_says_so_and_changes_nothing(bench: Bench) -> None:
    size = OrderedParcel(label=sscc(1), size_m=(1.5, 0.2))
    bench.do(PlaceOrder(order_id="o1", code_sha256=sha("x"), parcels=(size,)))
    with pytest.raises(RejectedError, match="expected space"):
        bench.do(Stow(key=key(1), wall_id="wall-1"))
    assert bench.wall().sessions == []


def test_staff_see_what_is_odd(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.tell(bench.thing("x", None, "stands", 0.5))
    bench.do(AddBadge(badge_sha256=sha("SORTIE-STAFF:BO"), holder="bo", by="staff"))
    bench.scan("SORTIE-STAFF:BO")
    assert bench.looks() == {"x": "look"}


def van(bench: Bench) -> None:
    for number, u in ((1, 0.05), (2, 0.3), (3, 0.55), (4, 0.8)):
        bench.order(f"o{number}", number)
        bench.stand(number, u)
    bench.do(
        LoadRoute(
            route_id="r1",
            wall_id="wall-1",
            stops=(
                RouteStop(name="First Street 1", orders=("o1", "o2")),
                RouteStop(name="Second Street 2", labels=(sscc(3),)),
            ),
        )
    )


def go(bench: Bench, at: int, *, back: bool = False) -> None:
    bench.do(MoveRoute(route_id="r1", at=at, back=back))


def test_each_stop_shows_its_parcels_and_nothing_else(bench: Bench) -> None:
    van(bench)
    assert bench.looks() == {}
    go(bench, -1)
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}
    bench.lift(1)
    bench.lift(2)
    bench.wait(6.0)
    assert bench.state_of(1) == bench.state_of(2) == "handed_over"
    go(bench, 0)
    assert bench.looks() == {"t3": "take_a"}
    bench.lift(4)
    assert (bench.session().state, bench.alarms()) == ("wrong", ["wrong_taken"])
    bench.stand(4, 0.8)
    bench.lift(3)
    go(bench, 1)
    assert bench.state_of(3) == "handed_over"
    assert bench.looks() == {}
    assert bench.room.routes["r1"].at == 2


def test_what_is_left_behind_is_told_when_driving_on(bench: Bench) -> None:
    van(bench)
    go(bench, -1)
    bench.lift(1)
    go(bench, 0)
    assert bench.room.routes["r1"].left == {0: [key(2)]}
    assert bench.events("route.moved")[-1]["data"]["left"] == [key(2)]
    assert bench.session().keys == [key(3)]
    go(bench, 1, back=True)
    assert bench.looks() == {"t2": "take_a"}
    with pytest.raises(ConflictError, match="the van at stop 2"):
        go(bench, 1)


def test_a_tap_that_comes_twice_moves_once(bench: Bench) -> None:
    van(bench)
    go(bench, -1)
    assert bench.do(MoveRoute(route_id="r1", at=-1)).repeated
    assert bench.room.routes["r1"].at == 0
    with pytest.raises(RejectedError, match="expected a route"):
        bench.do(MoveRoute(route_id="r9", at=-1))


def test_a_van_waits_at_its_stop(bench: Bench) -> None:
    van(bench)
    go(bench, -1)
    bench.wait(600.0)
    assert bench.session().live
    assert not bench.hub.core.busy, "a day at the wheel is no day of ticks"
    assert bench.hub.compact(bench.now_s)
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}
    bench.lift(1)
    assert bench.hub.core.busy


def test_a_van_waits_at_its_stop_also_when_time_is_over(bench: Bench) -> None:
    bench.order("o1", 1, deadline_s=bench.now_s + 10.0)
    bench.stand(1)
    stops = (RouteStop(name="First Street 1", orders=("o1",)),)
    bench.do(LoadRoute(route_id="r1", wall_id="wall-1", stops=stops))
    go(bench, -1)
    bench.wait(20.0)
    assert not bench.hub.core.due(bench.now_s), "a day at the wheel is no day of ticks"
    assert bench.looks() == {"t1": "take_a"}
    go(bench, 0)
    bench.wait(1.0)
    assert (bench.order_of("o1").state, bench.state_of(1)) == ("expired", "stowed")


def test_two_routes_at_once_shine_nowhere(bench: Bench) -> None:
    van(bench)
    bench.do(
        LoadRoute(route_id="r2", wall_id="wall-1", stops=(RouteStop(name="Third", orders=("o4",)),))
    )
    go(bench, -1)
    before = bench.hub.digest()
    with pytest.raises(ConflictError, match="r1 is under way at wall-1 and not all was given"):
        bench.do(MoveRoute(route_id="r2", at=-1))
    assert bench.hub.digest() == before
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}
    go(bench, 0)
    bench.lift(3)
    bench.do(MoveRoute(route_id="r2", at=-1))
    assert bench.state_of(3) == "handed_over"
    assert bench.looks() == {"t4": "take_a"}
    go(bench, 1)
    assert bench.looks() == {"t4": "take_a"}


def test_a_stop_shines_again_when_its_camera_sees_again(bench: Bench) -> None:
    van(bench)
    go(bench, -1)
    bench.lift(1)
    bench.outage(blind=True)
    bench.wait(1.0)
    assert bench.looks() == {}
    bench.outage(blind=False)
    assert bench.looks() == {"t2": "take_a"}
    assert bench.alarms() == ["handover_unseen"]
    bench.stand(1, 0.05)
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}
    bench.lift(2)
    bench.wait(6.0)
    assert bench.state_of(2) == "handed_over"
    go(bench, 0)
    assert bench.looks() == {"t3": "take_a"}


def test_a_route_that_is_under_way_is_not_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "ROUTES_MAX", 2)
    van(bench)
    go(bench, -1)
    for name in ("r2", "r3", "r4"):
        stops = (RouteStop(name="Third", orders=("o4",)),)
        bench.do(LoadRoute(route_id=name, wall_id="wall-1", stops=stops))
    assert list(bench.room.routes) == ["r1", "r4"]
    go(bench, 0)
    assert bench.looks() == {"t3": "take_a"}


def test_routes_with_faults_say_which_stop(bench: Bench) -> None:
    van(bench)
    with pytest.raises(RejectedError) as told:
        bench.do(
            LoadRoute(
                route_id="r2",
                wall_id="wall-1",
                stops=(
                    RouteStop(name="A", orders=("o1",)),
                    RouteStop(name="B", orders=("o9",)),
                    RouteStop(name="C"),
                    RouteStop(name="D", labels=(sscc(1),)),
                    RouteStop(name="E", labels=("nothing",)),
                ),
            )
        )
    said = str(told.value)
    for words in (
        "stop 2 (B): expected an order of this store, got o9",
        "stop 3 (C): expected an order or a label, got neither",
        f"stop 4 (D): {sscc(1)} is at stop 1 already",
        "stop 5 (E): expected a parcel of an order here, got 'nothing'",
    ):
        assert words in said
    assert "r2" not in bench.room.routes
    with pytest.raises(RejectedError, match="expected a wall of the store"):
        bench.do(
            LoadRoute(route_id="r2", wall_id="van", stops=(RouteStop(name="A", orders=("o1",)),))
        )


def test_every_state_has_words_for_those_who_stand_there(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.scan(code_of("o1"))
    said = session_words(bench.session(), parcels=1, taken=0)
    assert said == "Take the 1 parcel with the green ring."
