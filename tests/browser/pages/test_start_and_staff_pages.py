"""The start page and the staff page in Chromium: a real hub, a real pages process, a script."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.browser.pages.conftest import until

MIRROR = "document.querySelector('iframe').contentDocument"


@pytest.fixture(scope="module", autouse=True)
def processes(store: Any) -> None:
    store.start_hub()
    store.start_pages()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    made = chromium.tab()
    made.size(1280, 800)
    yield made
    made.close()


def name_of(opened: dict[str, str]) -> str:
    """How the pages call a visit."""
    return opened["visit_id"][-4:].upper()


def pane(name: str) -> str:
    return f'[data-pane="{name}"]'


def test_the_start_page_shows_camera_belief_and_phone(tab: Any, store: Any, story: Any) -> None:
    tab.goto(f"{store.pages_url}/")
    tab.until_text("Waiting for the first shopper", pane("belief"))
    for name in ("camera", "belief", "phone"):
        box = tab.eval(
            f"document.querySelector({json.dumps(pane(name))}).getBoundingClientRect().toJSON()"
        )
        assert box["left"] >= 0
        assert box["right"] <= 1280
        assert box["bottom"] <= 800
    opened = store.visit()
    story.enter("anna", opened["code"])
    story.take("anna", "bay-a-3-l")
    tab.until_text("picked 1 × Kolibri Cola", pane("belief"))
    tab.until_text("€0.99", pane("belief"))
    tab.until(f"document.querySelector('.dot.followed')?.dataset.visit === '{opened['visit_id']}'")
    tab.until(f"{MIRROR}?.querySelector('#cart')?.innerText.includes('Kolibri Cola')")
    tab.until_text(f"Shopper {name_of(opened)}", ".crowd")
    assert "SORTIE:" not in tab.eval(f"{MIRROR}.documentElement.outerHTML")
    assert tab.eval("document.documentElement.scrollWidth <= innerWidth")
    story.leave("anna")
    tab.until(f"{MIRROR}?.querySelector('#receipt')?.innerText.includes('Kolibri Cola')")
    assert tab.faults == []


def test_a_cameras_picture_is_asked_for_and_shown(tab: Any, store: Any, story: Any) -> None:
    tab.goto(f"{store.pages_url}/staff")
    picture = store.picture("cam-a sees")
    done = threading.Event()

    def send() -> None:
        """The node sends pictures for as long as the test looks."""
        while not done.wait(0.2):
            if "cam-a" in story.shelf.tiles_wanted:
                assert store.send_tile("node-shelf", "cam-a", picture) == 204

    sender = threading.Thread(target=send)
    sender.start()
    try:
        tab.until(
            "[...document.querySelectorAll('.tile')].some((tile) =>"
            " tile.innerText.includes('cam-a') && tile.querySelector('img').naturalWidth === 320)"
        )
    finally:
        done.set()
        sender.join()
    assert httpx.get(f"{store.pages_url}/tiles/nobody.jpg").status_code == 404


def test_staff_see_dot_cart_feed_health_and_review(tab: Any, store: Any, story: Any) -> None:
    tab.size(1440, 1000)
    tab.goto(f"{store.pages_url}/staff")
    story.shelf.pulse("cam-a", waiting=3)
    opened = store.visit()
    dot = f'.dot[data-visit="{opened["visit_id"]}"]'
    story.enter("ben", opened["code"])
    tab.until(f"document.querySelector({json.dumps(dot)})")
    story.take("ben", "bay-c-2-l")
    cart = f'.cart[data-visit="{opened["visit_id"]}"]'
    tab.until_text("Terra Rossa Plum Tomatoes", cart)
    assert "€1.29" in tab.text(cart)
    tab.until_text("picked 1 × Terra Rossa Plum Tomatoes", pane("feed"))
    assert f"Shopper {name_of(opened)}" in tab.text(pane("feed"))
    tab.until_text("outbox: 3 waiting", pane("health"))
    # No password and no account: the page says that everyone here may do everything.
    assert "Open to this machine" in tab.text("header")
    assert "cam-a: 14.9 fps" in tab.text(pane("health"))
    story.take("ben", "bay-b-3-l", unsure=True)
    tab.until_text("checking 1 item", cart)
    tab.until_text("picked 1 × Lind Peppermint Tea", pane("review"))
    assert "picked 1 × Lind Camomile Tea" in tab.text(pane("review"))
    where = f"document.querySelector({json.dumps(dot)}).style.left"
    before = tab.eval(where)
    story.walk("ben", 5.0, 2.0)
    story.committed()
    tab.until(f"{where} !== {json.dumps(before)}")
    story.leave("ben")
    tab.until_text("final", cart)
    assert tab.faults == []


def test_a_refund_asks_first_and_is_made_once(tab: Any, store: Any, story: Any) -> None:
    tab.size(1440, 1000)
    tab.goto(f"{store.pages_url}/staff")
    opened = store.visit()
    story.enter("cleo", opened["code"])
    story.take("cleo", "bay-a-3-l", 2)
    story.leave("cleo")
    cart = f'.cart[data-visit="{opened["visit_id"]}"]'
    tab.until_text("final", cart)
    card = f"document.querySelector({json.dumps(cart)}).closest('.carded')"
    tab.until(f"{card}.querySelector('.give-back')")
    tab.until_text("charged to the wallet", pane("feed"))
    tab.eval(f"{card}.querySelector('.give-back').click()")
    tab.until_text("Kolibri Cola, €0.99 each, up to 2", ".refund")
    assert tab.eval("document.querySelector('.refund .confirm').disabled")
    tab.eval("document.querySelector('.refund .pieces input').focus()")
    tab.send("Input.insertText", text="1")
    tab.until_text("Give €0.99 back", ".refund .confirm")
    tab.eval("document.querySelector('.refund .confirm').click()")
    tab.until_text("corrected", cart)
    tab.until_text("given back €0.99", cart)
    receipt = store.phone(opened["token"])["receipt"]
    assert receipt["refunded"] == [{"line": 1, "quantity": 1}]


@contextmanager
def _at_the_gate(story: Any) -> Iterator[None]:
    """Somebody stands at the gate, and the floor tells of it as it happens."""
    told, gone = threading.Event(), threading.Event()
    story.people["erna"] = (1.0, 0.25)
    story.now_s = max(story.now_s, time.monotonic() - 2.0)

    def stand() -> None:
        while not gone.wait(0.05):
            if story.now_s + 0.5 < time.monotonic():
                story.walk("erna", 1.0, 0.25)
                told.set()

    thread = threading.Thread(target=stand)
    thread.start()
    try:
        # Stories before may have told of moments that are to come.
        assert told.wait(30.0)
        yield
    finally:
        gone.set()
        thread.join()


def test_staff_let_somebody_in_who_pays_at_the_desk(tab: Any, store: Any, story: Any) -> None:
    tab.goto(f"{store.pages_url}/staff")
    desk = pane("desk")
    tab.until_text("Let somebody in", desk)
    with _at_the_gate(story):
        story.committed()
        tab.click(f"{desk} .let-in")
        tab.until_text("Pays at the desk", ".let-in-card")
        tab.click(".let-in-card .go")
        tab.until("document.body.innerText.includes('The receipt is at /phone/#')")
        tab.until_text("was let in by staff: no phone", pane("feed"))
        until(lambda: any(name.endswith("-erna") for name in story._bound()), "erna to be bound")
    assert tab.faults == []


def test_pages_say_when_the_hub_is_away_and_go_on(tab: Any, store: Any) -> None:
    tab.goto(f"{store.pages_url}/staff")
    tab.until("document.querySelector('.banner').innerText === ''")
    store.end("hub")
    tab.until_text("no answer from the hub", ".banner")
    store.start_hub()
    tab.until("document.querySelector('.banner').innerText === ''")
    tab.until_text("connected", pane("health"))


def test_other_hosts_names_are_refused(store: Any) -> None:
    answer = httpx.get(f"{store.pages_url}/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
