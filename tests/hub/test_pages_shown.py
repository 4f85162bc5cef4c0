"""View models: the hub's JSON in, what the pages show out. The hub here is a real one."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from hub import commands as c
from hub.pages import markup
from hub.pages.follow import CAMERA_HELD_S, NOBODY, VISIT_HELD_S, follow
from hub.pages.shown import (
    Snapshot,
    belief,
    carts,
    counters,
    facts,
    feed_rows,
    front_distance_m,
    near_bay,
    people,
    refundable,
)
from hub.pages.words import Palette
from hub.review.service import review_list
from hub.views import layout_view, mirror_view, staff_view

COLA, BREAD = "4006381333931", "5901234123457"


def snapshot(shop: Any) -> Snapshot:
    """What the pages would have asked this hub for."""
    state = staff_view(shop.hub, shop.now_s)
    return Snapshot(
        state={**state, "alarm": None, "broker": True, "dropped": 0},
        layout=layout_view(shop.hub),
        events=tuple(shop.hub.export_json()["events"]),
        review=tuple(review_list(shop.hub.core.state)),
        connected=True,
    )


@pytest.fixture
def inside(shop: Any, day: Any) -> Any:
    """A shopper before the shelf who took a cola, and something that may be bread."""
    shop.visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(1.5, "t1", 1.1, 3.4)
    day.reach(1.6, "t1", COLA)
    day.reach(2.6, "t1", BREAD, sure=False)
    day.step(3.4, "t1", 1.1, 3.4)
    shop.play(day.script, 4.0)
    return shop


def test_a_dot_stands_where_its_shopper_does(inside: Any) -> None:
    shot = snapshot(inside)
    person = people(shot, Palette())[0]
    assert person.visit_id == inside.visit_id
    assert person.label == inside.visit_id[-4:].upper()
    assert (round(person.left, 3), round(person.top, 3)) == (
        round(1.1 / 6.0, 3),
        round(1.0 - 3.4 / 4.5, 3),
    )


def test_a_cart_has_prices_chances_and_the_state_in_its_words(inside: Any) -> None:
    cart = carts(snapshot(inside), Palette())[0]
    assert cart.word == "checking 1 item"
    assert cart.tone == "amber"
    assert [(line.quantity, line.name, line.total, line.chance) for line in cart.lines] == [
        (1, "Cola", "€1.19", 0.99)
    ]
    assert cart.total == "€1.19"
    assert ("checking 1: free unless it becomes clear", "amber") in cart.notes


def test_belief_tells_what_may_have_happened_with_its_alternatives(inside: Any) -> None:
    believed = belief(snapshot(inside), inside.visit_id, Palette())
    assert believed is not None
    assert believed.doing == "Standing at bay a."
    unsure, sure = believed.acts
    assert (sure.said, sure.certain, sure.others) == ("picked 1 × Cola", True, ())
    assert unsure.said == "may have picked 1 × Bread"
    assert unsure.others == (("picked 1 × Bread", 0.6), ("took nothing", 0.4))


def test_the_feed_is_newest_first_and_names_only_shoppers(inside: Any) -> None:
    rows = feed_rows(snapshot(inside), Palette())
    assert [row.number for row in rows] == sorted((row.number for row in rows), reverse=True)
    by_text = {row.said: row for row in rows}
    assert by_text["picked 1 × Cola (0.99)"].who == f"Shopper {inside.visit_id[-4:].upper()}"
    assert by_text["node-shelf started"].who == ""


def test_counters_count(inside: Any) -> None:
    numbers = {fact.name: fact.said for fact in counters(snapshot(inside))}
    assert numbers["in the store"] == "1"
    assert numbers["to review"] == "1"
    assert numbers["dead letters"] == "0"


def test_a_receipt_can_be_given_back_once(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (COLA, True)])
    shop.play(day.script, 20.0)
    assert refundable(mirror_view(shop.hub, visit_id)) == [(1, "Cola", 2, 119)]
    lines = (c.RefundLine(line=1, quantity=1),)
    shop.hub.command(c.RefundVisit(refund_id="r", visit_id=visit_id, lines=lines), 21.0)
    assert refundable(mirror_view(shop.hub, visit_id)) == [(1, "Cola", 1, 119)]
    cart = carts(snapshot(shop), Palette())[0]
    assert (cart.word, cart.open) == ("corrected", False)
    assert ("given back €1.19", "good") in cart.notes


def test_before_its_receipt_nothing_can_be_given_back(inside: Any) -> None:
    assert refundable(mirror_view(inside.hub, inside.visit_id)) == []


def test_health_says_what_is_wrong() -> None:
    camera = {"camera_id": "cam-a", "ok": True, "last_frame_age_s": 9.0, "fps": 0.0, "dropped": 3}
    node = {
        "device_id": "node-shelf",
        "boot_id": "b",
        "alive": True,
        "heard_s_ago": 0.4,
        "behind_gap": 2,
        "health": {
            "cameras": [camera],
            "plates_age_s": 0.1,
            "outbox_waiting": 7,
            "outbox_full": True,
            "cpu_share": 0.5,
        },
    }
    down = {**node, "device_id": "node-floor", "alive": False, "health": None}
    blind = {"device_id": "node-shelf", "sensor_id": "cam-a", "kind": "camera"}
    state: dict[str, Any] = {
        "alarm": "disk full",
        "halted": None,
        "broker": False,
        "devices": [node, down],
        "blind": [blind],
    }
    rows = facts(Snapshot(state=state, connected=True))
    said = {row.name: (row.said, row.tone) for row in rows}
    assert said["Hub"] == ("halted: disk full", "red")
    assert said["Broker"][1] == "red"
    assert said["node-shelf"] == ("heard 0.4 s ago", "red")
    assert said["node-floor"] == ("down", "red")
    assert said["cam-a"][1] == "red"
    details = next(row.details for row in rows if row.name == "node-shelf")
    assert details == (
        "cam-a: 0.0 fps, last frame 9 s · no picture",
        "plates: last reading 0.1 s",
        "outbox: 7 waiting, FULL",
        "CPU 50%",
        "2 messages wait behind a gap",
    )


def test_without_a_hub_the_pages_say_so() -> None:
    shot = Snapshot(fault="no answer from the hub at http://x")
    assert facts(shot)[0].said == "no answer from the hub at http://x"
    assert (people(shot, Palette()), carts(shot, Palette()), counters(shot)) == ([], [], [])
    assert belief(shot, None, Palette()) is None


# ---------------------------------------------------------------------------- following


def test_the_newest_activity_is_followed_but_not_at_once(inside: Any) -> None:
    shot = snapshot(inside)
    first = follow(NOBODY, shot, 100.0)
    assert first.visit_id == inside.visit_id
    event = {"kind": "decision.made", "visit_id": "v-other", "data": {}}
    other = {**shot.visits[0], "visit_id": "v-other"}
    assert shot.state is not None
    later = replace(
        shot,
        events=(*shot.events, event),
        state={**shot.state, "visits": [*shot.visits, other]},
    )
    assert follow(first, later, 100.0 + VISIT_HELD_S / 2).visit_id == inside.visit_id
    assert follow(first, later, 100.0 + VISIT_HELD_S).visit_id == "v-other"
    assert follow(first, later, 200.0, pinned=inside.visit_id).visit_id == inside.visit_id
    assert follow(first, later, 200.0, pinned="v-gone").visit_id == "v-other"


def _camera(name: str, role: str, bay_id: str | None, x_m: float, y_m: float) -> dict[str, Any]:
    return {"camera_id": name, "role": role, "bay_id": bay_id, "position_m": [x_m, y_m, 3.0]}


def test_the_camera_is_the_bays_at_the_shelf_and_the_nearest_ceiling_between(
    inside: Any,
) -> None:
    shot = snapshot(inside)
    assert shot.layout is not None
    assert shot.state is not None
    cameras = [
        _camera("shelf", "shelf", "bay-a", 1.1, 3.5),
        _camera("near", "ceiling", None, 1.5, 1.0),
        _camera("far", "ceiling", None, 4.5, 1.0),
    ]
    state = shot.state
    shot = replace(shot, layout={**shot.layout, "cameras": cameras})
    at_shelf = follow(NOBODY, shot, 100.0)
    assert at_shelf.camera_id == "shelf"
    walking = {**shot.visits[0], "at_m": [1.0, 0.5]}
    moved = replace(shot, state={**state, "visits": [walking]})
    assert follow(at_shelf, moved, 100.0 + CAMERA_HELD_S / 2).camera_id == "shelf"
    assert follow(at_shelf, moved, 100.0 + CAMERA_HELD_S).camera_id == "near"


def test_distance_to_a_bays_front() -> None:
    bay = {"origin_m": [0.6, 4.05], "facing_deg": -90, "width_m": 1.0}
    assert front_distance_m(bay, (1.1, 3.55)) == pytest.approx(0.5)
    assert front_distance_m(bay, (2.6, 4.05)) == pytest.approx(1.0)
    shot = Snapshot(layout={"bays": [{**bay, "bay_id": "bay-a"}]})
    assert near_bay(shot, (1.1, 3.2)) == "bay-a"
    assert near_bay(shot, (1.1, 1.0)) is None
    assert near_bay(shot, None) is None


# ---------------------------------------------------------------------------- markup


class Tags(HTMLParser):
    """All tags and texts of a piece of HTML, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_no_name_becomes_markup(inside: Any) -> None:
    evil = "<script>alert(1)</script>"
    shot = snapshot(inside)
    assert shot.layout is not None
    assert shot.state is not None
    lines = [{**line, "name": evil} for line in shot.visits[0]["lines"]]
    visit = {**shot.visits[0], "lines": lines, "reasons": [evil], "refusal": evil}
    shot = replace(
        shot,
        layout={**shot.layout, "products": dict.fromkeys(shot.layout["products"], evil)},
        state={**shot.state, "visits": [visit]},
        events=tuple({**e, "data": {**e["data"], "why": evil}} for e in shot.events),
    )
    palette = Palette()
    believed = belief(shot, inside.visit_id, palette)
    assert believed is not None
    shown = [
        markup.carts_html(carts(shot, palette)),
        markup.acts_html(believed),
        markup.feed_html(feed_rows(shot, palette)),
        markup.facts_html(facts(shot)),
        markup.counters_html(counters(shot)),
        *(markup.review_html(row, shot) for row in shot.review),
    ]
    for html in shown:
        tags = Tags(html)
        assert "script" not in tags.names
        assert tags.open == []
    assert any(evil in text for html in shown for text in Tags(html).texts)


def test_the_plan_draws_bays_gates_and_marks_open_reaches(inside: Any) -> None:
    shot = snapshot(inside)
    assert shot.layout is not None
    assert shot.state is not None
    calm = markup.plan_svg(shot.layout, {**shot.state, "reaches": []})
    busy = markup.plan_svg(shot.layout, {**shot.state, "reaches": [{"bay_id": "bay-a"}]})
    assert "reaching" not in calm
    assert "bay reaching" in busy
    assert 'points="60,45 160,45 160,5 60,5"' in calm
    assert Tags(calm).texts == ["in", "out", "bay a"]
