"""The play page in the running demo: reached from the start page, and it kills the broker."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.hub.bearing import bearing
from tests.sortie.test_demo import Demo

SEAT = "the-test"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path)
    yield made
    made.close()


def test_the_start_page_leads_to_it_and_a_killed_broker_comes_back(demo: Demo) -> None:
    demo.until_open()
    demo.until(lambda: "doors open" in demo.said, "the doors")
    demo.note()
    with httpx.Client(trust_env=False, timeout=30, follow_redirects=True) as client:
        start = client.get(f"http://127.0.0.1:{demo.port}/")
        assert "Be the shopper" in start.text
        page = client.get(f"http://127.0.0.1:{demo.port}/play")
        assert "Be the shopper, and trick it" in page.text
        root = str(page.url).rstrip("/")

        def state() -> dict[str, Any]:
            seen: dict[str, Any] = client.get(f"{root}/api/state", params={"seat": SEAT}).json()
            return seen

        demo.until(lambda: state()["world"] is not None, "the store to be seen")
        demo.until(lambda: state()["broker"]["may_kill"], "a broker that may be killed")
        before = demo.child("mosquitto").pid
        assert client.post(f"{root}/api/broker/kill").status_code == 200
        demo.until(lambda: state()["broker"]["phase"] == "whole", "all to have arrived")
        demo.note()
        assert demo.child("mosquitto").pid != before
        assert "broker ended with status -9; starting it again" in demo.said
        _come_in(client, root, demo, state)
    demo.signal(signal.SIGTERM)
    assert demo.end() == 0
    assert not re.search(r"killed$", demo.said, re.MULTILINE)
    demo.leaves_nothing()


def _come_in(client: httpx.Client, root: str, demo: Demo, state: Any) -> None:
    """Somebody comes in, and the phone of that visit stands on the page's own origin."""
    command = {"seat": SEAT, "command": {"act": "enter"}}
    assert client.post(f"{root}/api/command", json=command).status_code == 200
    demo.until(lambda: state()["hub"]["stage"] == "shopping", "the hub to know the visit")
    token = state()["world"]["you"]["phone"]["token"]
    origin = root.removesuffix("/play")
    phone = client.get(f"{origin}/api/v1/phones/me", headers=bearing(token)).json()
    assert phone["stage"] == "shopping"
