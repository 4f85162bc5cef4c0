"""Tokens of visits and wallets: no address has one, and whoever comes without one is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.accounts.audit import entries
from hub.api.hardening import REFUSALS_MAX
from tests.hub.bearing import bearing
from tests.hub.doors import Door


@pytest.fixture
def door(make_shop: Callable[..., Any]) -> Door:
    return Door(make_shop(), staff_accounts=True)


def test_an_answer_repeats_no_secret_from_an_address(door: Door) -> None:
    phone = door.browser()
    token = phone.post("/api/v1/phones/visits").json()["token"]
    for path in (
        f"/api/v1/phones/{token}",
        f"/api/v1/phones/{token}/receipt.pdf",
        f"/api/v1/wallets/{token}/cards",
        f"/receipt/{token}",
        f"/receipt/v-1.{token}/pdf",
    ):
        for answer in (phone.get(path), phone.post(path)):
            assert answer.status_code in (404, 405), path
            assert token not in answer.text
    assert phone.get("/api/v1/visits/v-none").json()["instance"] == "/api/v1/visits/v-none"


def test_refusals_of_phones_are_counted_and_written(door: Door) -> None:
    phone = door.browser(host="192.0.2.17")
    token = phone.post("/api/v1/phones/visits").json()["token"]
    guess = "x" * 32
    assert phone.get("/api/v1/phones/me", headers=bearing(token)).status_code == 200
    assert phone.post("/api/v1/phones/me/code", headers=bearing(token)).status_code == 200
    assert door.audit() == [], "what a phone may is no affair of the audit log's"
    assert phone.get("/api/v1/phones/me").status_code == 401
    assert phone.get("/api/v1/wallets/me", headers=bearing(guess)).status_code == 404
    tip = {"tip_id": "t", "amount_minor": 1}
    assert phone.post("/api/v1/phones/me/tip", headers=bearing(guess), json=tip).status_code == 404
    away = {**bearing(token), "Origin": "https://evil.example"}
    assert phone.post("/api/v1/phones/me/code", headers=away).status_code == 403
    assert door.audit() == [
        ("a phone", "POST /api/v1/phones/me/code", "refused 403"),
        ("a phone", "POST /api/v1/phones/me/tip", "refused 404"),
        ("a phone", "GET /api/v1/wallets/me", "refused 404"),
        ("a phone", "GET /api/v1/phones/me", "refused 401"),
    ]
    kept = str(entries(door.accounts.store, limit=200))
    assert "192.0.2.0/24" in kept
    assert token not in kept
    assert guess not in kept
    assert door.hub.live.counts["phones_refused"] == 4


def test_a_phone_that_guesses_all_day_does_not_fill_the_log(door: Door) -> None:
    phone = door.browser(host="192.0.2.17")
    for n in range(REFUSALS_MAX + 5):
        answer = phone.get("/api/v1/phones/me", headers=bearing(f"{n:032d}"))
        assert answer.status_code == 404
    assert len(door.audit()) == REFUSALS_MAX
    assert door.hub.live.counts["phones_refused"] == REFUSALS_MAX + 5
    assert door.hub.live.counts["audit_refusals_dropped"] == 5
