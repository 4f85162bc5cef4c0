"""Certificates and API keys that end by themselves are told of in time, and nobody is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.accounts.store import AccountStore
from hub.endings import endings, warned
from hub.errors import StoreError
from sortie.certificates import Authority
from tests.hub.doors import Door

DAY_S = 86_400.0


@pytest.fixture
def door(make_shop: Callable[..., Any], tmp_path: Path) -> Door:
    made = Door(make_shop())
    authority = Authority(tmp_path, datetime.fromtimestamp(made.now_s, UTC))
    authority.make("tiny")
    certificate, _key = authority.client("hub", days=100)
    files = {"mqtt_tls_ca": tmp_path / "ca.crt", "mqtt_tls_cert": certificate}
    return Door(make_shop(), **files)


def test_readiness_warns_of_what_ends_within_a_month(door: Door) -> None:
    browser = door.browser()
    assert browser.get("/readyz").json()["warnings"] == []
    door.now_s += 80 * DAY_S
    (told,) = browser.get("/readyz").json()["warnings"]
    assert told.startswith("the hub's certificate for the broker ends in ")
    assert told.endswith("make a new one with sortie devices")
    door.now_s += 30 * DAY_S
    assert "is over" in browser.get("/readyz").json()["warnings"][0]


def test_a_key_is_warned_of_until_it_ends_and_nobody_is_named(door: Door) -> None:
    made = {}
    for label, days in (("till of ada", 10.0), ("for ever", None), ("withdrawn", 9.0)):
        ends_s = None if days is None else door.now_s + days * DAY_S
        key, _text = door.accounts.new_key(label, ("metrics",), "x", ends_s, door.now_s)
        made[label] = key.key_id
    door.accounts.revoke_key(made["withdrawn"], door.now_s)
    door.now_s += 3600.0
    found = endings(door.settings, door.accounts.store, door.now_s)
    name = f"key:{made['till of ada']}"
    assert found[name] == pytest.approx(10 * DAY_S - 3600.0)
    assert [one for one in found if one.startswith("key:")] == [name]
    (told,) = warned(found)
    assert told == "an API key ends in 9 days; make a new one at /people"
    assert f'sortie_hub_ends_seconds{{what="{name}"}}' in door.key("metrics").get("/metrics").text
    door.now_s += 11 * DAY_S
    assert warned(endings(door.settings, door.accounts.store, door.now_s)) == []


def test_a_file_that_is_no_certificate_is_no_news(door: Door, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    assert list(endings(door.settings, door.accounts.store, door.now_s)) == ["certificate"]


def test_readiness_and_metrics_are_told_without_a_database(
    make_shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(make_shop(), metrics_open=True, staff_password="a-long-pass-word")

    def away(*_: Any) -> list[dict[str, Any]]:
        raise StoreError("the database cannot be read")

    monkeypatch.setattr(AccountStore, "read", away)
    browser = door.browser()
    told = browser.get("/readyz").json()
    assert (set(told["checks"]), told["warnings"]) == (
        {"replayed", "database", "lease", "broker"},
        [],
    )
    answer = browser.get("/metrics")
    assert (answer.status_code, "sortie_hub_ready" in answer.text) == (200, True)
