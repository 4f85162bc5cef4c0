"""The play page's server: what it passes on, what it refuses, what it says when others are away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sortie.errors import UsageError
from sortie.play.settings import load_play_settings
from tests.hub.bearing import bearing
from tests.sortie.play.play_rig import PlayRig, until
from tests.store_sim.player_kit import Phone

SEAT = "a-page"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayRig]:
    made = PlayRig(tmp_path_factory.mktemp("play"))
    yield made
    made.close()


@pytest.fixture
def page(rig: PlayRig) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=rig.url, trust_env=False, timeout=20) as client:
        yield client


def state(page: httpx.Client) -> dict[str, Any]:
    """Everything the page shows."""
    seen: dict[str, Any] = page.get("/play/api/state", params={"seat": SEAT}).json()
    return seen


def command(page: httpx.Client, seat: str = SEAT, **asked: Any) -> httpx.Response:
    """A command of the page."""
    return page.post("/play/api/command", json={"seat": seat, "command": asked})


def test_the_page_is_served_with_a_policy(page: httpx.Client) -> None:
    answer = page.get("/play", follow_redirects=True)
    assert "Be the shopper, and trick it" in answer.text
    assert "frame-src 'self'" in answer.headers["content-security-policy"]
    script = page.get("/play/main.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert page.get("/phone/view.js").status_code == 200
    assert page.get("/play/../settings.py").status_code == 404


def test_a_visit_is_led_and_seen_with_the_hubs_belief(page: httpx.Client, rig: PlayRig) -> None:
    until(lambda: state(page)["world"] is not None, "the world to be seen")
    assert command(page, act="enter").status_code == 200
    inside = until(
        lambda: (seen := state(page))["world"]["you"]["stage"] == "inside" and seen, "to be inside"
    )
    assert inside["world"]["mine"]
    rig.hub.decide("r1")
    believed = until(lambda: (seen := state(page))["moments"] and seen, "the hub's decision")
    assert believed["belief"]["acts"][0]["said"] == "picked 1 × Kolibri Cola"
    assert believed["moments"][0]["chance"] == 0.97
    assert believed["hub"]["connected"]
    clip = page.get("/play/api/clip", params={"t_s": believed["moments"][0]["t_s"]})
    assert clip.json() == {"camera_id": None, "frames": []}


def test_what_the_store_refuses_is_passed_on_in_its_words(page: httpx.Client) -> None:
    answer = command(page, act="fly")
    assert answer.status_code == 422
    assert "Input tag 'fly'" in answer.json()["detail"]
    assert page.post("/play/api/command", content=b"{").status_code == 422
    assert page.post("/play/api/command", content=b" " * 10_001).status_code == 413
    assert command(page, seat="x" * 100, act="stop").status_code == 422


@pytest.mark.parametrize("path", ["/play/api/command", "/play/api/broker/kill"])
def test_other_sites_and_names_are_kept_out(page: httpx.Client, rig: PlayRig, path: str) -> None:
    evil = {"origin": "http://evil.example"}
    assert page.post(path, json={}, headers=evil).status_code == 403
    assert page.get("/play/api/state", headers={"host": "evil.example"}).status_code == 400
    assert not rig.kill_file.exists()


def test_the_phone_stands_on_this_origin_and_starts_nothing(page: httpx.Client) -> None:
    shown = page.get("/api/v1/phones/me", headers=bearing(Phone.token))
    assert shown.json()["visit_id"] == Phone.visit_id
    with page.stream("GET", "/api/v1/phones/me/events", headers=bearing(Phone.token)) as stream:
        assert next(stream.iter_lines()) == "event: visit"
    assert page.post("/api/v1/phones/me", headers=bearing(Phone.token)).status_code == 405
    assert page.get("/api/v1/phones/..%2f..%2fstaff").status_code == 404
    assert page.get("/api/v1/phones/me").status_code == 401
    assert page.get("/api/v1/phones/me", headers=bearing("short")).status_code == 401


def test_pictures_of_cameras_are_asked_for_and_passed_on(page: httpx.Client, rig: PlayRig) -> None:
    until(lambda: page.get("/play/tiles/cam-a.jpg").status_code == 200, "the layout")
    answer = page.get("/play/tiles/cam-a.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "cam-a" in rig.hub.watched
    assert page.get("/play/tiles/nobody.jpg").status_code == 404


@pytest.mark.parametrize("t_s", ["", "soon"])
def test_a_moment_that_is_none_is_refused(page: httpx.Client, t_s: str) -> None:
    assert page.get("/play/api/clip", params={"t_s": t_s}).status_code == 422


def test_the_broker_is_killed_once_and_followed(page: httpx.Client, rig: PlayRig) -> None:
    until(lambda: state(page)["broker"]["phase"] == "up", "the broker to be up")
    assert page.post("/play/api/broker/kill").json()["phase"] == "asked"
    assert rig.kill_file.exists()
    again = page.post("/play/api/broker/kill")
    assert (again.status_code, "a moment ago" in again.json()["detail"]) == (409, True)
    rig.hub.broker = False
    until(lambda: state(page)["broker"]["phase"] == "down", "the fall to be seen")
    rig.hub.broker = True
    seen = until(
        lambda: (one := state(page)["broker"])["phase"] == "whole" and one, "all to have arrived"
    )
    assert seen["away_s"] >= 0.0
    assert not seen["may_kill"]


def test_a_store_that_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    rig = PlayRig(tmp_path)
    try:
        rig.door_shut()
        with httpx.Client(base_url=rig.url, trust_env=False, timeout=20) as page:
            seen = state(page)
            assert seen["world"] is None
            assert seen["fault"] == "the store does not answer"
            assert command(page, act="enter").status_code == 503
            assert page.get("/play/api/layout").status_code == 503
    finally:
        rig.close()


def test_settings_are_named_where_they_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "PORT": "1234",
        "HUB_URL": "http://127.0.0.1:1",
        "PAGES_URL": "http://127.0.0.1:2",
        "STORE_URL": "http://127.0.0.1:3",
        "STORE_TOKEN": "x" * 20,
        "KILL_FILE": "kill",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"SORTIE_PLAY_{name}", value)
    assert load_play_settings().port == 1234
    monkeypatch.setenv("SORTIE_PLAY_HUB_URL", "http://elsewhere.example")
    with pytest.raises(UsageError, match="SORTIE_PLAY_HUB_URL: "):
        load_play_settings()
    monkeypatch.setenv("SORTIE_PLAY_HUB_URL", values["HUB_URL"])
    monkeypatch.delenv("SORTIE_PLAY_STORE_TOKEN")
    with pytest.raises(UsageError, match="SORTIE_PLAY_STORE_TOKEN: Field required"):
        load_play_settings()
