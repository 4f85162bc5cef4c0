"""What the pages need of the hub beyond its own interface: the floor plan, and phones mirrored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.api.app import create_app
from hub.driver import Driver
from hub.errors import UnknownVisitError
from hub.settings import HubSettings
from hub.views import layout_view, mirror_view, staff_view

COLA = "4006381333931"
PATHS = ("/api/v1/staff/layout", "/api/v1/staff/visits/v-1/phone")


def ask(shop: Any, path: str, **settings: Any) -> httpx.Response:
    """One request to the hub's application in this process."""
    driver = Driver(shop.hub, lambda: 1.0)
    app = create_app(driver, HubSettings(store_file=Path("x"), **settings))

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get(path)

    return asyncio.run(get())


def test_the_layout_has_what_a_floor_plan_needs(shop: Any) -> None:
    layout = layout_view(shop.hub)
    assert layout["floor"]["width_m"] == 6.0
    assert layout["bays"][0]["origin_m"] == [0.6, 4.05]
    assert [gate["kind"] for gate in layout["gates"]] == ["entry", "exit"]
    assert layout["slots"][0] == {"slot_id": "s1", "bay_id": "bay-a"}
    assert layout["products"][COLA] == "Cola"


def test_a_mirrored_phone_keeps_its_entry_code(shop: Any) -> None:
    visit_id = shop.open_visit("SECRET-CODE")
    mirrored = mirror_view(shop.hub, visit_id)
    assert mirrored["state"] == "reserved, not charged"
    assert "SECRET-CODE" not in str(mirrored)
    with pytest.raises(UnknownVisitError):
        mirror_view(shop.hub, "v-nobody")


def test_a_hand_in_the_shelf_is_told_until_it_is_decided(shop: Any, day: Any) -> None:
    shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 2.3)
    reach = staff_view(shop.hub, 2.3)["reaches"][0]
    assert (reach["bay_id"], reach["closed"]) == ("bay-a", False)
    shop.play([row for row in day.script if row[0] > 2.3], 6.0)
    seen = staff_view(shop.hub, 6.0)
    assert seen["reaches"] == []
    assert seen["log_number"] == len(shop.hub.export_json()["events"])


@pytest.mark.parametrize("path", PATHS)
def test_only_staff_see_them(make_shop: Callable[..., Any], path: str) -> None:
    assert ask(make_shop(), path, staff_password="correct horse battery").status_code == 401
    assert ask(make_shop(), path).status_code == (200 if path.endswith("layout") else 404)


def test_the_phone_is_served_with_a_policy(shop: Any) -> None:
    answer = ask(shop, "/phone/")
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert ask(shop, "/phone/view.js").headers["content-type"].startswith("text/javascript")
    assert ask(shop, "/phone/../__init__.py").status_code == 404
