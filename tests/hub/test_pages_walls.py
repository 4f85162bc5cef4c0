"""The view models of pick-up walls: drawings and cards of what a real hub says."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from contracts import messages as m
from contracts.wall_messages import MarkSeen, MarksJudged, ProjectionJudged
from hub.pages.markup import facts_html, ways_html
from hub.pages.walls_shown import WallShown, legend_html, order_cards, parcel_cards, route_html
from hub.pages.walls_svg import forms_svg, look_svg
from hub.pages.walls_words import (
    ALARM_TONES,
    LOOKS,
    ORDER_STATES,
    PARCEL_STATES,
    alarm_words,
    session_words,
)
from hub.parcels.commands import CancelOrder, LoadRoute, MoveRoute, RouteStop, StowParcel
from hub.parcels.model import AlarmKind, OrderState, ParcelState, Refusal, SessionState
from hub.parcels.views import order_view, parcel_view, route_view, wall_view
from tests.hub.parcels.wall_kit import Bench, code_of, key, sscc


@pytest.fixture
def bench() -> Bench:
    return Bench()


def shown(bench: Bench) -> WallShown:
    """What the page would have asked this hub for."""
    view = wall_view(bench.hub.core.state, "wall-1", bench.now_s)
    return WallShown({**view, "node_heard": True, "node_dead": False})


def text(html: str) -> str:
    """What is to be read in HTML."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def drawn(bench: Bench, thing_id: str) -> str:
    """One thing's part of the drawing."""
    svg = shown(bench).drawing()
    found = re.search(
        rf'<g class="[^"]*" data-thing="{thing_id}">.*?(?=<g class="thing|</svg>)', svg
    )
    assert found is not None, svg
    return found.group(0)


def judge(bench: Bench, state: Any, reason: str = "") -> None:
    """The node says what became of all marks."""
    wall = bench.wall()
    marks = tuple(
        MarkSeen(mark_id=one.mark_id, state=state, since_s=bench.now_s, reason=reason)
        for one in wall.marks
    )
    bench.say(MarksJudged(wall_id="wall-1", t_s=bench.now_s, revision=wall.revision, marks=marks))


def test_things_are_drawn_to_scale_where_they_stand(bench: Bench) -> None:
    bench.order("web-4F2K", 1)
    bench.stand(1, u=0.3, z=0.5)
    svg = shown(bench).drawing()
    # 1.2 m high: the lower edge at 0.5 m is 700 mm under the top, the box is 200 by 150.
    assert 'points="300,700 500,700 500,550 300,550"' in svg
    thing = drawn(bench, "t1")
    assert text(thing).endswith(f"…{sscc(1)[-4:]} 4F2K")
    assert f"{key(1)}, stands, order web-4F2K, ready, seen 0.0 s ago" in thing
    assert 'class="mark' not in thing
    assert 'aria-label="1 things on the wall, 0 of them lit"' in svg


def test_a_mark_is_drawn_as_its_look_with_what_became_of_it(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.stand(2, u=0.35)
    bench.scan(code_of("o1"))
    assert 'data-look="take_a" data-state="asked"' in drawn(bench, "t1")
    judge(bench, "seen")
    assert 'data-look="take_a" data-state="seen"' in drawn(bench, "t1")
    # The ring is laid on the face, which is 200 by 150 mm about (200, 625).
    assert 'href="#look-take_a"' in drawn(bench, "t1")
    assert 'transform="matrix(1.840 0.000 0.000 -1.380 200.000 625.000)"' in drawn(bench, "t1")
    assert 'data-look="not_this"' in drawn(bench, "t2")
    judge(bench, "withheld", "projector <off>")
    withheld = drawn(bench, "t1")
    assert 'data-state="withheld"' in withheld
    assert "projector &lt;off&gt;" in withheld
    assert "0 of them lit" in shown(bench).drawing()


def test_a_mark_is_drawn_where_the_node_has_it_that_it_belongs(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1, mark_m=((0.1, 0.5), (0.2, 0.5), (0.2, 0.65), (0.1, 0.65)))
    bench.scan(code_of("o1"))
    # About (150, 625), half as wide as the box.
    assert 'transform="matrix(0.920 0.000 0.000 -1.380 150.000 625.000)"' in drawn(bench, "t1")
    assert '<polygon points="100,700 300,700 300,550 100,550"/>' in drawn(bench, "t1")


def test_what_is_unknown_strange_or_twice_is_drawn_as_such(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.tell(
        bench.thing("n1", None, u=0.4),
        bench.thing("n2", "SOME<ONE>ELSES", u=0.6),
        bench.thing("n3", f"00{sscc(1)}", u=0.8),
        bench.thing("n4", None, "moves", u=0.4, z=0.86),
        bench.thing("n5", None, u=0.6, z=0.86, hidden=True),
    )
    looks = {name: drawn(bench, name).split('"')[1] for name in ("n1", "n2", "n3", "n4", "n5")}
    assert looks == {
        "n1": "thing unknown",
        "n2": "thing strange",
        "n3": "thing twin",
        "n4": "thing moves unknown",
        "n5": "thing hidden unknown",
    }
    assert "ONE&gt;ELSES" in drawn(bench, "n2")
    assert "another has the same label" in drawn(bench, "t1")
    assert ALARM_TONES["duplicate_label"] == "amber"
    (card,) = shown(bench).alarm_cards()
    assert text(card[1]) == (
        f"Two things carry the label of Parcel …{sscc(1)[-4:]}. Neither is shown to anybody. "
        "0.0 s ago"
    )


def test_who_is_there_has_a_symbol_and_what_was_taken(bench: Bench) -> None:
    bench.order("web-4F2K", 1, 2)
    bench.order("o2", 3)
    for number, u in ((1, 0.0), (2, 0.25), (3, 0.5)):
        bench.stand(number, u=u)
    bench.scan(code_of("web-4F2K"))
    bench.lift(1)
    bench.lift(3)
    (card,) = shown(bench).session_cards()
    assert "#look-take_a" in card[1]
    assert text(card[1]) == (
        f"Somebody · order 4F2K took a wrong one …{sscc(1)[-4:]} taken …{sscc(2)[-4:]} waits "
        f"…{sscc(3)[-4:]} not theirs"
    )
    (alarm,) = shown(bench).alarm_cards()
    assert "The wrong parcel was taken" in alarm[1]
    assert 'data-look="wrong"' in shown(bench).drawing()


def test_a_place_for_a_parcel_is_drawn_dashed(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.do(StowParcel(key=key(1), wall_id="wall-1", by="ann"))
    view = shown(bench)
    assert 'data-look="place" data-state="asked"' in view.drawing()
    (card,) = view.session_cards()
    assert text(card[1]) == f"Staff works here …{sscc(1)[-4:]} is being stowed"


def test_light_and_sight_are_said_with_their_reasons(bench: Bench) -> None:
    def facts() -> str:
        return text(facts_html(shown(bench).facts()))

    assert "beam-1 nothing heard of it: dark" in facts()
    assert "eye-1 sees" in facts()
    judged = ProjectionJudged(
        wall_id="wall-1", projector_id="beam-1", t_s=bench.now_s, state="off", residual_mm=23.4,
        reason="bumped",
    )  # fmt: skip
    bench.say(judged)
    assert "out of bounds: dark until it is calibrated (23.4 mm); bumped" in facts()
    (alarm,) = shown(bench).alarm_cards()
    assert "Projector beam-1 does not show what it should" in alarm[1]
    bench.say(judged.model_copy(update={"state": "true", "residual_mm": 1.25, "reason": ""}))
    assert "hits what it aims at, within 1.2 mm" in facts()
    assert shown(bench).alarm_cards() == []
    bench.say(
        m.SensorOutage(
            sensor_id="eye-1", kind="camera", bay_id=None, wall_id="wall-1", blind=True,
            t_s=bench.now_s, reason="covered",
        )
    )  # fmt: skip
    assert "eye-1 blocked: covered" in facts()
    bench.say(m.NodeBorn(software="t", config_revision=1, walls=("wall-1",)))
    view = dict(shown(bench).view)
    assert "Node has not told yet what stands here" in facts()
    dead = WallShown({**view, "node_dead": True})
    assert "Node does not answer" in text(facts_html(dead.facts()))


def test_orders_whose_time_runs_out_come_first(bench: Bench) -> None:
    bench.order("later", 1, deadline_s=bench.now_s + 90_000)
    bench.order("soon", 2, deadline_s=bench.now_s + 7_000)
    bench.order("never", 3)
    bench.order("off", 4)
    bench.do(CancelOrder(order_id="off"))
    bench.stand(2)
    rows = [order_view(bench.hub.core.state, one) for one in bench.room.orders.values()]
    cards = {name: text(html) for name, html, _ in order_cards(rows, bench.now_s)}
    assert list(cards) == ["soon", "later", "never", "off"]
    assert cards["soon"] == "soon open 1 parcel, 1 ready · 1 h left"
    assert cards["later"].endswith("· 25 h left")
    assert cards["never"].endswith("· no deadline")
    assert cards["off"].startswith("off cancelled")


def test_a_parcel_says_where_it_is_and_what_is_due(bench: Bench) -> None:
    bench.order("o1", 1, due=250)
    bench.stand(1)
    rows = [parcel_view(bench.hub.core.state, bench.parcel(1))]
    ((name, html, dressed),) = parcel_cards(rows, "EUR")
    assert (name, dressed) == (key(1), True)
    assert text(html) == f"…{sscc(1)[-4:]} ready order o1 · wall-1 · €2.50 due"
    gone = [{**rows[0], "state": "handed_over"}]
    assert parcel_cards(gone, "EUR")[0][2] is False


def test_a_route_says_where_the_van_is_and_what_was_left(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.order("o2", 2)
    bench.stand(1)
    bench.stand(2, u=0.5)
    stops = (RouteStop(name="Anna & Co", orders=("o1",)), RouteStop(name="Harbour", orders=("o2",)))
    bench.do(LoadRoute(route_id="tour", wall_id="wall-1", stops=stops))
    bench.do(MoveRoute(route_id="tour", at=-1))
    bench.do(MoveRoute(route_id="tour", at=0))
    html = route_html(route_view(bench.hub.core.state, bench.room.routes["tour"]))
    assert text(html) == "tour 1. Anna &amp; Co 1 left behind 2. Harbour"
    assert '<li class="here"><span>2.' in html


def test_every_state_alarm_and_refusal_has_words() -> None:
    assert set(PARCEL_STATES) == set(get_args(ParcelState))
    assert set(ORDER_STATES) == set(get_args(OrderState))
    for kind in get_args(AlarmKind):
        said = alarm_words({"kind": kind, "key": key(1), "thing_id": "t"})
        assert kind in ALARM_TONES
        assert said.endswith((".", "!"))
    row = {"who": "customer", "paying": [], "reason": "", "state": "showing", "away": False}
    for state in get_args(SessionState):
        assert session_words({**row, "state": state})[0] != state or state == "refused"
    for reason in get_args(Refusal):
        said, _ = session_words({**row, "state": "refused", "reason": reason})
        assert said == "refused" if not reason else reason != said.removeprefix("refused: ")
    assert session_words({**row, "paying": ["o1"]})[0] == "the payment is asked for"
    waits = session_words({**row, "state": "taken", "away": True})
    assert waits == ("has taken some; nobody is there, the light waits", "amber")
    assert session_words({**row, "state": "done", "away": True})[0] == "has everything"


def test_every_look_has_a_form_and_words() -> None:
    forms = forms_svg()
    assert all(f'id="look-{look}"' in forms for look in LOOKS)
    assert text(legend_html()).count(":") == len(LOOKS) + 1
    assert 'aria-label="&lt;b&gt;"' in look_svg("take_a", "<b>")


def test_pages_of_walls_are_linked_where_there_are_walls() -> None:
    links = ways_html("http://hub", [], ["wall-1"])
    assert 'href="http://hub/kiosk/wall-1"' in links
    assert 'href="http://hub/phone/parcels.html"' in links
    assert "parcels.html" not in ways_html("http://hub", [])
