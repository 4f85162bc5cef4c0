"""Entries over HTTP: terminals, the desk, badges, groups; and who is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.hub.bearing import Mine, bearing
from tests.hub.test_hub_api import PASSWORD, Site

BREAD = "5901234123457"
TAP = {"tap_id": "1", "gate_id": "entry", "card": "tok_ann_visa"}
NODE = {"authorization": "Bearer tok"}
TAPS = "/api/v1/terminals/node-shelf/taps"


@pytest.fixture
def site(make_shop: Callable[..., Any]) -> Site:
    return Site(make_shop())


def test_a_tap_from_its_claim_to_the_receipt(site: Site, day: Any) -> None:
    day.step(1.0, "t1", 1.0, 0.3, "born")
    site.play(day.script, 1.0)
    day.script.clear()
    answer = site.client.post(TAPS, json=TAP, headers=NODE)
    assert answer.status_code == 200
    made = answer.json()
    assert made["stage"] in ("entering", "binding", "shopping")
    assert len(made["claim"]) == 20
    assert site.client.post(TAPS, json=TAP, headers=NODE).json()["claim"] == made["claim"]
    day.step(1.4, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    day.reach(2.1, "t1", BREAD)
    day.step(3.5, "t1", 5.0, 1.2)
    day.step(4.0, "t1", 5.0, 0.1)
    day.watermark(6.0)
    site.play(day.script, 9.0)
    receipt = site.client.get("/api/v1/phones/me", headers=bearing(made["claim"])).json()
    assert (receipt["stage"], receipt["total_minor"], receipt["code"]) == ("final", 249, None)
    claim = site.client.get(f"/api/v1/staff/visits/{made['visit_id']}/claim").json()
    assert claim["claim"] == made["claim"]
    assert site.client.get("/api/v1/phones/" + "A" * 20).status_code == 404


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (TAP, {}, 403),
        (TAP, {"authorization": "Bearer wrong"}, 403),
        (TAP, {**NODE, "origin": "https://evil.example"}, 403),
        ({**TAP, "card": "4111111111111111"}, NODE, 422),
        ({**TAP, "gate_id": "exit"}, NODE, 422),
        ({**TAP, "amount": 1}, NODE, 422),
    ],
)
def test_taps_that_are_refused(
    site: Site, body: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    before = site.driver.hub.digest()
    assert site.client.post(TAPS, json=body, headers=headers).status_code == status
    assert site.driver.hub.digest() == before


def test_the_desk_lets_in_takes_payment_and_ends(site: Site, day: Any) -> None:
    day.step(1.0, "t1", 1.0, 0.3, "born")
    site.play(day.script, 1.0)
    day.script.clear()
    entry = {"gate_id": "entry", "by": "carla", "reason": "no phone"}
    made = site.client.post("/api/v1/staff/entries", json=entry)
    assert made.status_code == 201
    visit_id = made.json()["visit_id"]
    day.step(1.4, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    day.reach(2.1, "t1", BREAD)
    site.play(day.script, 4.0)
    day.script.clear()
    url = f"/api/v1/staff/visits/{visit_id}"
    ended = site.client.post(f"{url}/end", json={"by": "carla", "reason": "back door"})
    assert ended.status_code == 200
    day.floor_watermark(6.0)
    day.watermark(6.0)
    site.play(day.script, 9.0)
    pay = {"payment_id": "p1", "method": "cash", "amount_minor": 249, "by": "carla"}
    assert site.client.post(f"{url}/payments", json=pay).json()["repeated"] is False
    assert site.client.post(f"{url}/payments", json=pay).json()["repeated"] is True
    other = {**pay, "amount_minor": 1}
    assert site.client.post(f"{url}/payments", json=other).status_code == 409
    assert site.client.post(f"{url}/payments", json={**pay, "method": "sun"}).status_code == 422
    shown = site.client.get("/api/v1/phones/me", headers=bearing(made.json()["claim"])).json()
    assert shown["receipt"]["debt_minor"] == 0


def test_bodies_and_badges(site: Site, day: Any) -> None:
    day.step(1.0, "t1", 1.0, 0.3, "born")
    for step in range(18):
        day.step(1.5 + 0.5 * step, "t1", 2.0, 3.4)
    site.play(day.script, 11.0)
    (told,) = site.client.get("/api/v1/staff/state").json()["tagged_along"]
    assert (told["track_id"], told["gate_id"]) == ("t1", "entry")
    body = {"who": "staff", "by": "carla", "reason": "delivers bread"}
    made = site.client.post("/api/v1/staff/tracks/t1/visit", json=body)
    assert (made.status_code, made.json()["stage"]) == (201, "shopping")
    visit_id = made.json()["visit_id"]
    assert site.client.post("/api/v1/staff/tracks/t1/visit", json=body).status_code == 409
    again = {"visit_id": visit_id, "by": "carla"}
    assert site.client.post("/api/v1/staff/tracks/t1/assign", json=again).json()["repeated"]
    assert site.client.post("/api/v1/staff/tracks/t8/assign", json=again).status_code == 422
    badge = site.client.post("/api/v1/staff/badges", json={"holder": "sam", "by": "boss"})
    assert badge.json()["code"].startswith("SORTIE-STAFF:")
    assert badge.json()["code"] not in str(site.driver.hub.core.dump())
    revoked = site.client.post("/api/v1/staff/badges/revoke", json={"holder": "sam"})
    assert revoked.status_code == 200
    assert (
        site.client.post("/api/v1/staff/badges/revoke", json={"holder": "sam"}).status_code == 409
    )


def test_a_phone_sizes_its_group(site: Site) -> None:
    opened = site.client.post("/api/v1/phones/visits", json={"entries": 2}).json()
    phone = Mine(site.client, "phones", opened["token"])
    assert phone.get().json()["entries"] == 2
    assert phone.post("/group", json={"entries": 4}).status_code == 200
    assert phone.get().json()["entries"] == 4
    assert phone.post("/group", json={"entries": 0}).status_code == 422
    assert phone.post("/group", json={"entries": 21}).status_code == 422
    evil = {"origin": "https://evil.example"}
    assert phone.post("/group", json={"entries": 2}, headers=evil).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "entries",
        "tracks/t1/visit",
        "tracks/t1/assign",
        "visits/v-1/end",
        "visits/v-1/payments",
        "badges",
        "badges/revoke",
    ],
)
def test_strangers_do_nothing_of_it(make_shop: Callable[..., Any], path: str) -> None:
    site = Site(make_shop(), PASSWORD)
    before = site.driver.hub.digest()
    assert site.client.post(f"/api/v1/staff/{path}", json={}).status_code == 401
    assert site.driver.hub.digest() == before
