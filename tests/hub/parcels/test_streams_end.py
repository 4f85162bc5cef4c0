"""Streams end with what let them in: a key that runs out, the session of who watches a kiosk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.hub.doors import Door
from tests.hub.parcels.test_parcels_api import Scene
from tests.hub.parcels.wall_kit import Bench


def watched(door: Door, monkeypatch: pytest.MonkeyPatch, over: Callable[[], None]) -> list[bool]:
    """Lets streams run; what lets them in is over after the first look at it."""
    monkeypatch.setattr("hub.api.streams.POLL_S", 0.001)
    monkeypatch.setattr("hub.api.streams.PAUSE_OWN_S", 0.001)
    monkeypatch.setattr("hub.api.streams.POLL_OWN_S", 0.001)
    monkeypatch.setattr("hub.api.streams.STILL_S", 0.002)
    seen: list[bool] = []
    # A stream that never asks would never end.
    looks = iter(range(500))
    door.app.state.streams.ended = lambda: next(looks, None) is None
    truth = door.accounts.still

    def still(who: Any, now_s: float) -> bool:
        seen.append(truth(who, now_s))
        over()
        return seen[-1]

    monkeypatch.setattr(door.accounts, "still", still)
    return seen


def test_a_stream_ends_when_its_key_runs_out(
    make_shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(make_shop(), staff_accounts=True)
    door.staff()
    ends_s = door.now_s + 60.0
    _, text = door.accounts.new_key("till", ("read:visits",), "admin", ends_s, door.now_s)

    def over() -> None:
        door.now_s = ends_s

    seen = watched(door, monkeypatch, over)
    system = door.browser(own=False)
    bearer = {"Authorization": f"Bearer {text}"}
    assert system.get("/api/v1/staff/live", headers=bearer).status_code == 200
    assert seen == [True, False]
    assert system.get("/api/v1/visits", headers=bearer).status_code == 403


def test_a_kiosk_that_staff_opened_ends_with_their_session(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Scene(make_bench()).door
    clerk = door.browser("clerk")

    def over() -> None:
        door.accounts.store.end_sessions(name="clerk")

    seen = watched(door, monkeypatch, over)
    answer = clerk.get("/api/v1/walls/wall-1/kiosk/live")
    assert answer.text.startswith("event: kiosk")
    assert seen == [True, False]
    assert clerk.get("/api/v1/walls/wall-1/kiosk").status_code == 401
