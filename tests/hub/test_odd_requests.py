"""Requests that no browser sends: refused in a sentence, and none of them unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.api.streams import PHONES_MAX, STREAMS_MAX
from hub.driver import Driver
from tests.hub.doors import COLA, Door

STOCK = "/api/v1/staff/stock"
PIECES = {"slot_id": "s1", "gtin": COLA, "quantity": 4}


@pytest.fixture
def door(make_shop: Callable[..., Any]) -> Door:
    made = Door(make_shop(), staff_accounts=True)
    made.staff()
    return made


@pytest.mark.parametrize("origin", ["http://[x", "http://a]b", "http://[::1"])
def test_an_origin_that_cannot_be_read_is_another_site(door: Door, origin: str) -> None:
    clerk, phone, before = door.browser("clerk"), door.browser(own=False), door.state()
    for browser, url, body in ((clerk, STOCK, PIECES), (phone, "/api/v1/phones/visits", {})):
        answer = browser.post(url, json=body, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")
    assert door.state() == before


def test_what_failed_is_in_the_audit_log_and_answered_as_all_else(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command may have been done before something broke: who asked for it must be known."""
    clerk, command = door.browser("clerk"), Driver.command

    def broken(driver: Driver, asked: Any) -> Any:
        command(driver, asked)
        raise ZeroDivisionError

    monkeypatch.setattr(Driver, "command", broken)
    answer = clerk.post(STOCK, json=PIECES)
    assert (answer.status_code, answer.json()["type"]) == (
        500,
        "urn:sortie:problem:internal-server-error",
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert door.audit()[0] == ("clerk", f"POST {STOCK}", "failed")


def test_a_leftover_cookie_does_not_spoil_the_csrf_token(door: Door) -> None:
    """Over https another cookie counts than over http; one of before may still be there."""
    browser = door.browser(scheme="https")
    assert browser.login("clerk").status_code == 204
    browser.cookies.set("sortie_staff", "of-before")
    browser.own = False
    csrf = browser.get("/api/v1/staff/me").json()["csrf"]
    assert browser.post(STOCK, json=PIECES, headers={"X-CSRF-Token": csrf}).status_code == 200


def test_phones_leave_room_for_the_streams_of_staff(door: Door) -> None:
    """Anybody may open a visit, and as many streams of it as there are: others must find room."""
    phone = door.browser()
    token = phone.post("/api/v1/phones/visits").json()["token"]
    phone.headers = {"Authorization": f"Bearer {token}"}
    clerk = door.browser("clerk")
    door.app.state.streams.open = PHONES_MAX
    assert phone.get("/api/v1/phones/me/events").status_code == 503
    assert clerk.get("/api/v1/staff/live").status_code == 200
    door.app.state.streams.open = STREAMS_MAX
    assert clerk.get("/api/v1/staff/live").status_code == 503
