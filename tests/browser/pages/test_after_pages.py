"""The time after the exit in Chromium: dispute, review by keys, receipt to print, the gate's
display; on a real hub with nodes of a script."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

SCREEN = "a-screen-of-the-tests"


@pytest.fixture(scope="module", autouse=True)
def processes(store: Any) -> None:
    store.start_hub(
        SCREEN_TOKENS=f'{{"gate-out": "{SCREEN}"}}', RECEIPT_SELLER="Demo Store\\n1 Main Street"
    )
    store.start_pages()


NO_DATABASE = """(() => {
  const ask = window.fetch;
  window.refused = 0;
  window.fetch = (url, more = {}) => {
    if (!String(url).endsWith('/disputes') || more.method) return ask(url, more);
    window.refused += 1;
    window.fetch = ask;
    return Promise.resolve(new Response('{"detail": "it cannot be read"}', { status: 503 }));
  };
})()"""
"""The next question for a visit's disputes is answered as by a hub whose database is away."""


def fits(tab: Any) -> bool:
    return bool(tab.eval("document.documentElement.scrollWidth <= innerWidth"))


def press(tab: Any, key: str) -> None:
    """One key, as somebody at the keyboard does."""
    for kind in ("keyDown", "keyUp"):
        tab.send("Input.dispatchKeyEvent", type=kind, key=key, text=key, code=f"Key{key.upper()}")


def test_one_tap_disputes_and_staff_give_it_back(
    phone: Any, desk: Any, store: Any, story: Any
) -> None:
    opened = store.visit()
    story.enter("anna", opened["code"])
    jpeg = store.picture("before, during, after")
    strip = story.strip(jpeg)
    story.take("anna", "bay-a-3-l", evidence=(strip,))
    story.leave("anna")
    phone.goto(f"{store.hub_url}/phone/#{opened['token']}")
    phone.until_text("Your receipt", "h1")
    phone.until_text("Something is wrong?", "#wrong")
    phone.eval("document.querySelector('#wrong').open = true")
    phone.eval("document.querySelector('#dispute-words').value = 'I <b>put it back</b>'")
    phone.eval(NO_DATABASE)
    phone.click("#wrong-1")
    phone.until_text("our staff look at it", "#disputes")
    phone.until("window.refused > 0")
    assert phone.eval("document.querySelector('#wrong') === null"), "nothing else is disputable"
    assert fits(phone)
    desk.goto(f"{store.pages_url}/staff/disputes")
    card = f"[data-dispute^='{opened['visit_id']}']"
    desk.until_text("Kolibri Cola", card)
    desk.until_text("I <b>put it back</b>", card)
    desk.until_text("picked 1 × Kolibri Cola", card)
    store.send_evidence(strip, jpeg)
    desk.until(f'document.querySelector("{card} img")?.naturalWidth === 320')
    assert fits(desk)
    desk.click(".yes")
    desk.until_text("given back by staff", card)
    phone.until("document.querySelector('#disputes img')?.naturalWidth === 320")
    phone.until_text("given back", "#disputes")
    phone.until_text("corrected", "#word")
    assert phone.text("#total") == "€0.00"
    assert phone.faults == []
    assert desk.faults == []


def test_a_review_is_decided_with_one_key(phone: Any, desk: Any, store: Any, story: Any) -> None:
    url = f"{store.hub_url}/api/v1/staff/aftercare"
    httpx.post(url, json={"review_wait_s": 900}).raise_for_status()
    opened = store.visit()
    story.enter("ben", opened["code"])
    jpeg = store.picture("a hand at the shelf")
    strip = story.strip(jpeg)
    story.take("ben", "bay-b-2-l", unsure=True, evidence=(strip,))
    story.leave("ben")
    phone.goto(f"{store.hub_url}/phone/#{opened['token']}")
    phone.until_text("Our staff look at it", "#in-review")
    desk.goto(f"{store.pages_url}/staff/review")
    desk.until_text("may have picked", "[data-pane=task]")
    desk.until_text("free in", "#left")
    assert desk.eval("document.querySelectorAll('.candidates kbd').length") >= 3
    store.send_evidence(strip, jpeg)
    desk.until("document.querySelector('.task img')?.naturalWidth === 320")
    said = desk.text(".candidates li span")
    assert fits(desk)
    press(desk, "j")
    desk.until_text("Nothing to decide", "[data-pane=task]")
    phone.until_text("Your receipt", "h1")
    assert said.rpartition("× ")[2] in phone.text("#receipt")
    httpx.post(url, json={"review_wait_s": 0}).raise_for_status()
    assert desk.faults == []


def test_the_receipt_to_print(phone: Any, store: Any, story: Any) -> None:
    opened = store.visit()
    story.enter("cleo", opened["code"])
    story.take("cleo", "bay-a-3-l", 2)
    story.leave("cleo")
    phone.goto(f"{store.hub_url}/phone/#{opened['token']}")
    phone.until("document.querySelector('#print')?.href")
    phone.goto(phone.eval("document.querySelector('#print').href"))
    phone.until_text("2 × Kolibri Cola", "#lines")
    phone.until_text("Demo Store\n1 Main Street", "address")
    assert phone.text("#total") == "EUR 1.98"
    assert fits(phone)
    phone.send("Emulation.setEmulatedMedia", media="print")
    assert phone.eval("getComputedStyle(document.querySelector('.links')).display") == "none"
    assert phone.faults == []


def test_the_display_at_the_gate(desk: Any, phone: Any, store: Any, story: Any) -> None:
    desk.goto(f"{store.hub_url}/exit/gate-out#{SCREEN}")
    desk.until_text("Just walk out", "#signs")
    opened = store.visit()
    story.enter("dora", opened["code"])
    story.take("dora", "bay-a-3-l", 3)
    # The display is for those who leave now: the story's time catches up.
    story.now_s = max(story.now_s, time.monotonic() - 9.0)
    story.leave("dora")
    desk.until_text("3 items, 2.97", "#signs")
    desk.until_text("thank you", "#signs")
    phone.goto(f"{store.hub_url}/phone/#{opened['token']}")
    phone.until("document.querySelector('#mark svg')")
    mark = "document.querySelector('svg.mark').getAttribute('aria-label')"
    assert desk.eval(mark) == phone.eval(mark)
    big = desk.eval("parseFloat(getComputedStyle(document.querySelector('.sign b')).fontSize)")
    assert big > 0.1 * 800, "read from three metres"
    assert opened["visit_id"][-4:].upper() not in desk.text()
    assert fits(desk)
    desk.until_text("Just walk out", "#signs")
    assert desk.faults == []


def test_a_display_without_its_token_shows_nothing(desk: Any, store: Any) -> None:
    desk.goto(f"{store.hub_url}/exit/gate-out#wrong")
    desk.until_text("no connection", "#link")
