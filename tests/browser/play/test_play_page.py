"""The play page in Chromium: a real seat in a small world, a hub that says what the test wants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from store_sim import player_commands as c
from tests.sortie.play.play_rig import PlayRig, until
from tests.store_sim.player_kit import Phone

COLA_LINE = {
    "line": 1, "gtin": "2000000013015", "name": "Kolibri Cola", "quantity": 1,
    "unit_price_minor": 99, "total_minor": 99,
}  # fmt: skip
WORLD = (
    "fetch('api/state?seat=' + sessionStorage.getItem('sortie.play.seat')).then((a) => a.json())"
)
KEYS = {"ArrowRight": 39, "ArrowUp": 38, "Escape": 27, "x": 88}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PlayRig]:
    made = PlayRig(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    made = chromium.tab()
    made.size(1280, 900)
    yield made
    made.close()


def key(tab: Any, kind: str, name: str) -> None:
    """A key goes down or up."""
    tab.send(
        "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=KEYS[name]
    )


def touch(tab: Any) -> None:
    """Somebody is there: no tour begins by itself any more."""
    key(tab, "keyDown", "Escape")
    key(tab, "keyUp", "Escape")


def open_page(tab: Any, rig: PlayRig) -> None:
    """The page, with somebody before it."""
    tab.goto(f"{rig.url}/play/")
    touch(tab)
    tab.until("document.querySelector('#plan svg')")


def come_in(tab: Any, rig: PlayRig) -> None:
    """Comes in by the button."""
    open_page(tab, rig)
    tab.click("#come-in")
    tab.until("document.querySelector('#walk-out')")


def asked(rig: PlayRig, kind: type[Any]) -> list[Any]:
    """Commands of a kind that reached the world."""
    return [command for _seat, command, _tour in rig.heard if isinstance(command, kind)]


def me(rig: PlayRig) -> Any:
    """The avatar, as the world has it."""
    return next((one for one in rig.table.world.scene().bodies), None)


def test_a_visit_by_keys_and_clicks(tab: Any, rig: PlayRig) -> None:
    come_in(tab, rig)
    assert tab.text("#doing") == "You are standing."
    tab.until("document.querySelector('#phone').contentDocument?.querySelector('#view h1')")
    x0 = float(me(rig).joints_m[0, 0])
    key(tab, "keyDown", "ArrowRight")
    until(lambda: float(me(rig).joints_m[0, 0]) > x0 + 0.5, "the avatar to walk")
    key(tab, "keyUp", "ArrowRight")
    until(lambda: asked(rig, c.Steer)[-1].dx == 0, "the key to be let go")
    tab.click("#goto-bay-a")
    tab.until_text("bay a", "#shelf-title")
    tab.until_text("Kolibri Cola", "#shelf")
    tab.click("#slot-bay-a-3-l")
    tab.until_text("Kolibri Cola", "#hands")
    rig.hub.decide("r1")
    tab.until_text("picked 1 × Kolibri Cola", "#belief")
    tab.until_text("97 %", "#belief")
    tab.click("#hands button")
    tab.until_text("nothing", "#hands")
    tab.click("#walk-out")
    tab.until_text("Out of the store", "#doing")
    tab.until("document.querySelector('#come-in')")
    assert tab.faults == []


def test_a_click_on_the_plan_walks_there(tab: Any, rig: PlayRig) -> None:
    come_in(tab, rig)
    box = tab.eval("document.querySelector('#plan svg').getBoundingClientRect().toJSON()")
    x, y = box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.6
    for kind in ("mousePressed", "mouseReleased"):
        tab.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    until(lambda: asked(rig, c.Go), "the click to arrive")
    assert asked(rig, c.Go)[0].x_m == pytest.approx(3.0, abs=0.05)
    assert asked(rig, c.Go)[0].y_m == pytest.approx(1.8, abs=0.05)
    tab.eval(
        "document.querySelector('[data-bay=\"bay-c\"] polygon')"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    tab.until_text("bay c", "#shelf-title")


def test_the_receipt_says_what_is_free_and_replays_each_line(tab: Any, rig: PlayRig) -> None:
    come_in(tab, rig)
    rig.hub.lines = [COLA_LINE]
    rig.hub.decide("r1")
    rig.hub.decide(
        "r2",
        gtin="2000000023014",
        certain=False,
        probability="0.620000",
        alternatives=[[Phone.visit_id, None, 0, "0.38"]],
    )
    tab.until_text("not sure: free", "#belief")
    tab.until_text("38 %", "#belief .others")
    rgb = rig.table.world.scene()
    frame = _noise()
    for step in range(20):
        t_s = rig.hub.now_s - 1000.0 - 1.0 + step * 0.15
        rig.page._clips.keep("cam-a", frame, rgb, t_s)
    tab.click("#walk-out")
    tab.until_text("Out of the store", "#doing")
    rig.hub.reasons = ["1 unclear reaches"]
    rig.hub.stage = "final"
    tab.until_text("1 × Kolibri Cola", "#replay")
    tab.until_text("We weren't sure, so it is free.", "#replay")
    phone = "document.querySelector('#phone').contentDocument"
    tab.until(f"{phone}?.querySelector('#free')?.innerText.includes(\"We weren't sure\")")
    tab.click("#replay-r1-0")
    tab.until("document.querySelector('.clip:not([hidden]) img')?.naturalWidth === 384")
    before = tab.eval("document.querySelector('.clip:not([hidden]) img').dataset.frame")
    tab.until(
        f"document.querySelector('.clip:not([hidden]) img').dataset.frame !== {json.dumps(before)}"
    )
    assert "cam-a" in tab.text(".clip:not([hidden]) figcaption")
    assert tab.faults == []


def _noise() -> Any:
    import numpy as np

    return np.random.default_rng(1).integers(0, 255, (540, 960, 3), dtype=np.uint8)


def test_tricks_that_spoil_devices_are_switched_on_and_off(tab: Any, rig: PlayRig) -> None:
    come_in(tab, rig)
    assert tab.text("#trick-cover").endswith("Walk up to a shelf first.")
    tab.click("#goto-bay-b")
    tab.until("document.querySelector('#trick-cover:not([aria-disabled])')")
    tab.click("#trick-cover")
    tab.until_text("Cam-b is covered for", "#trouble")
    assert tab.eval("document.querySelector('#trick-cover').getAttribute('aria-pressed')") == "true"
    tab.click("#trick-unplug")
    tab.until_text("the plates of bay b are unplugged", "#trouble")
    tab.until("document.querySelector('[data-bay=\"bay-b\"]').classList.contains('spoiled')")
    tab.until_text("Uncover the camera", "#trick-cover")
    tab.click("#trick-cover")
    tab.until("document.querySelector('#trouble').hidden")
    rig.hub.blind = [{"device_id": "node-shelf", "sensor_id": "cam-b", "kind": "camera"}]
    tab.until_text("Blind: cam-b. What cannot be judged is free.", "#belief")


def test_the_broker_is_killed_and_nothing_is_lost(tab: Any, rig: PlayRig) -> None:
    open_page(tab, rig)
    tab.until("document.querySelector('#trick-kill:not([aria-disabled])')")
    tab.click("#trick-kill")
    until(rig.kill_file.exists, "the demo to be asked")
    rig.hub.broker = False
    tab.until_text("The broker is down for", "#trouble")
    rig.hub.broker = True
    tab.until_text("every message has arrived, none was lost", "#trouble")
    tab.click("#trick-kill")
    tab.until_text("A moment ago; wait a little.", "#said")


def test_the_tour_plays_by_itself_and_ends_at_a_touch(tab: Any, rig: PlayRig) -> None:
    tab.goto(f"{rig.url}/play/")
    tab.until("!document.querySelector('#caption').hidden")
    assert "reserved, nothing is charged" in tab.text("#caption-text")
    tab.until_text("A hand takes Kolibri Cola", "#caption-text")
    tab.until_text("Kolibri Cola", "#hands")
    assert all(tour for _seat, _command, tour in rig.heard)
    key(tab, "keyDown", "x")
    key(tab, "keyUp", "x")
    tab.until("document.querySelector('#caption').hidden")
    tab.until("document.querySelector('#walk-out')")
    until(lambda: asked(rig, c.TakeOver), "the taking over to arrive")
    assert rig.heard[-1][2] is False
    tab.until_text("The avatar is yours.", "#said")
    assert tab.faults == []


def test_the_tour_comes_to_its_receipt(tab: Any, rig: PlayRig) -> None:
    # Captions are held for reading by the page's clock, which runs faster here.
    tab.send("Page.addScriptToEvaluateOnNewDocument", source=FASTER)
    tab.goto(f"{rig.url}/play/")
    tab.until_text("Out of the door", "#caption-text")
    spoiled = [(one.kind, one.when) for one in asked(rig, c.Spoil)]
    assert spoiled
    assert all(when != "now" for _kind, when in spoiled)
    rig.hub.lines = [COLA_LINE]
    rig.hub.decide("r1")
    rig.hub.stage = "final"
    tab.until_text("One receipt.", "#caption-text")
    tab.until("document.querySelector('.clip:not([hidden])')")


def test_another_window_watches_and_may_take_over_from_a_tour(
    tab: Any, chromium: Any, rig: PlayRig
) -> None:
    tab.goto(f"{rig.url}/play/")
    tab.until_text("A hand takes", "#caption-text")
    other = chromium.tab()
    try:
        open_page(other, rig)
        other.until_text("The tour in another window has the avatar.", "#doing")
        assert other.eval("document.querySelector('#tour').disabled")
        other.click("#take-it")
        other.until("document.querySelector('#walk-out')")
    finally:
        other.close()


def test_two_windows_cannot_be_the_shopper_at_once(tab: Any, chromium: Any, rig: PlayRig) -> None:
    come_in(tab, rig)
    answer = httpx.post(
        f"{rig.url}/play/api/command", json={"seat": "x", "command": {"act": "take_over"}}
    )
    assert answer.status_code == 423
    other = chromium.tab()
    try:
        open_page(other, rig)
        other.until_text("Another window has the avatar. You are watching.", "#doing")
        assert other.eval("document.querySelector('#come-in, #walk-out')") is None
    finally:
        other.close()


def test_a_store_that_goes_away_is_said_and_the_page_stays(tab: Any, rig: PlayRig) -> None:
    come_in(tab, rig)
    rig.door_shut()
    tab.until_text("The simulated store is not there yet: the store does not answer.", "#banner")
    tab.click("#walk-out")
    tab.until_text("the store does not answer", "#said")


@pytest.mark.parametrize(("width", "phone"), [(1280, False), (390, True)])
def test_it_fits_and_can_be_read_by_all(tab: Any, rig: PlayRig, width: int, phone: bool) -> None:
    tab.size(width, 844, phone=phone)
    come_in(tab, rig)
    tab.click("#goto-bay-b")
    tab.until_text("Lind Peppermint Tea", "#shelf")
    assert tab.eval("document.documentElement.scrollWidth <= innerWidth")
    assert tab.eval("[...document.images].every((image) => image.hasAttribute('alt'))")
    assert tab.eval(
        "[...document.querySelectorAll('button, a')].every((one) =>"
        " (one.getAttribute('aria-label') ?? one.innerText).trim() !== '')"
    )
    label = tab.eval("document.querySelector('#slot-bay-b-3-l').getAttribute('aria-label')")
    assert label == "Take one Lind Peppermint Tea, 25 bags, €2.49; 12 left"
    if phone:
        low = (
            "[...document.querySelectorAll('button, a.button')]"
            ".filter((one) => one.offsetHeight && one.offsetHeight < 40).length"
        )
        assert tab.eval(low) == 0


@pytest.mark.parametrize("dark", [False, True])
def test_texts_have_contrast(tab: Any, rig: PlayRig, dark: bool) -> None:
    tab.size(1280, 900, dark=dark)
    open_page(tab, rig)
    pairs = (
        "ink/ground ink/card soft/card soft/ground soft/sunk on-accent/accent accent/tint "
        "amber/amber-tint red/red-tint ground/ink accent/card bay-ink/bay"
    )
    ratios = tab.contrasts(pairs)
    assert [pair for pair, ratio in ratios if ratio < 4.5] == []


FASTER = """
const slow = performance.now.bind(performance);
performance.now = () => 6 * slow();
"""
