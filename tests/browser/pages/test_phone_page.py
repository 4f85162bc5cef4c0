"""The phone's page in Chromium, against a real hub and nodes with a script."""

from __future__ import annotations

from typing import Any

import pytest

TOKEN = "localStorage.getItem('sortie.visit')"


@pytest.fixture(scope="module", autouse=True)
def hub(store: Any) -> None:
    store.start_hub()


def begin(phone: Any, store: Any) -> str:
    """Starts a visit by its button; returns its entry code."""
    phone.goto(f"{store.hub_url}/phone/")
    phone.eval("localStorage.clear()")
    phone.goto(f"{store.hub_url}/phone/?again")
    phone.click("#begin")
    phone.until("document.querySelector('#qr')?.naturalWidth > 0")
    code: str = store.phone(phone.eval(TOKEN))["code"]
    return code


def fits(phone: Any) -> bool:
    """Nothing reaches beyond the window's width."""
    return bool(phone.eval("document.documentElement.scrollWidth <= innerWidth"))


def test_from_the_code_over_the_cart_to_the_receipt(phone: Any, store: Any, story: Any) -> None:
    code = begin(phone, store)
    assert phone.text("#word") == "reserved, not charged"
    assert "€50.00 are reserved, not charged" in phone.text("main")
    assert fits(phone)
    story.enter("anna", code)
    phone.until_text("shopping", "#word")
    phone.until_text("Nothing in it yet", "#empty")
    story.take("anna", "bay-a-3-l")
    phone.until_text("Kolibri Cola", "#cart")
    assert phone.text("#total") == "€0.99"
    story.take("anna", "bay-b-1-l", 2)
    phone.until_text("2×", "#cart")
    phone.until_text("€7.57", "#total")
    story.take("anna", "bay-a-3-l", -1)
    phone.until("!document.querySelector('#cart').innerText.includes('Cola')")
    phone.until_text("Kolibri Cola taken out", "#said")
    assert fits(phone)
    story.leave("anna")
    phone.until_text("final", "#word")
    phone.until_text("Charged to your wallet")
    assert "Morgenfeld Honey Flakes" in phone.text("#receipt")
    assert phone.text("#total") == "€6.58"
    vat = phone.text("#vat tbody").split("\t")
    assert vat == ["7 %", "€6.15", "€0.43", "€6.58"]
    assert fits(phone)
    assert phone.faults == []


def test_a_group_comes_in_on_one_wallet(phone: Any, store: Any, story: Any) -> None:
    begin(phone, store)
    assert phone.text("#people") == "Just me"
    assert "changes by itself" in phone.text("#left")
    phone.eval("document.getElementById('more').focus()")
    phone.click("#more")
    phone.until_text("2 people, on my wallet", "#people")
    assert phone.eval("document.activeElement.id") == "more"
    assert fits(phone)
    first = store.phone(phone.eval(TOKEN))["code"]
    shown = phone.eval("document.querySelector('#qr').src")
    story.enter("gil", first)
    # The code of the next one stands where the first one's was.
    phone.until_text("Next one in: 2 of 2")
    phone.until(f"document.querySelector('#qr')?.src !== {shown!r}")
    second = store.phone(phone.eval(TOKEN))["code"]
    assert second != first
    story.enter("hal", second)
    phone.until("!document.querySelector('#qr')")
    story.take("hal", "bay-a-3-l")
    phone.until_text("Kolibri Cola", "#cart")
    story.leave("gil")
    assert phone.text("#word") == "shopping"
    story.leave("hal")
    phone.until_text("final", "#word")
    assert phone.text("#total") == "€0.99"
    assert phone.faults == []


def test_what_the_store_was_not_sure_of_is_free(phone: Any, store: Any, story: Any) -> None:
    story.enter("ben", begin(phone, store))
    story.take("ben", "bay-b-3-l", unsure=True)
    phone.until_text("checking 1 item", "#word")
    assert "If we cannot be sure, it is free." in phone.text("#unclear")
    story.leave("ben")
    phone.until_text("We weren't sure, so it is free", "#free")
    assert phone.text("#total") == "€0.00"


def test_a_correction_shows_what_was_given_back(phone: Any, store: Any, story: Any) -> None:
    story.enter("cleo", begin(phone, store))
    story.take("cleo", "bay-c-2-l")
    phone.until_text("Plum Tomatoes", "#cart")
    story.leave("cleo")
    phone.until_text("Charged to your wallet")
    visit_id = store.phone(phone.eval(TOKEN))["visit_id"]
    store.refund(visit_id, line=1, quantity=1)
    phone.until_text("corrected", "#word")
    assert phone.text("#given-back") == "-€1.29"
    assert phone.text("#total") == "€0.00"


def test_the_cart_comes_back_after_the_hub_restarts(phone: Any, store: Any, story: Any) -> None:
    story.enter("dora", begin(phone, store))
    story.take("dora", "bay-a-3-l")
    phone.until_text("Kolibri Cola", "#cart")
    store.end("hub")
    phone.until_text("No connection to the store", "#link")
    assert "Kolibri Cola" in phone.text("#cart")
    store.start_hub()
    phone.until("document.querySelector('#link').hidden")
    assert "Kolibri Cola" in phone.text("#cart")
    story.take("dora", "bay-c-2-l")
    phone.until_text("Plum Tomatoes", "#cart")


def test_a_link_with_a_token_shows_that_visit_and_starts_none(phone: Any, store: Any) -> None:
    opened = store.visit()
    phone.goto(f"{store.hub_url}/phone/#{opened['token']}")
    phone.until("document.querySelector('#qr')?.naturalWidth > 0")
    assert phone.eval(TOKEN) in (None, "")
    assert phone.eval("document.querySelector('#begin, #again, #renew')") is None


def test_an_unknown_token_is_said_to_be_unknown(phone: Any, store: Any) -> None:
    phone.goto(f"{store.hub_url}/phone/#{'x' * 32}")
    phone.until_text("No such visit")


@pytest.mark.parametrize("dark", [False, True])
def test_texts_have_contrast_and_pictures_have_words(phone: Any, store: Any, dark: bool) -> None:
    phone.size(360, 740, dark=dark, phone=True)
    begin(phone, store)
    pairs = "ink/ground ink/card soft/card soft/ground on-accent/accent accent/tint amber/amber-tint red/red-tint"  # noqa: E501 - one list
    ratios = phone.contrasts(pairs)
    assert [pair for pair, ratio in ratios if ratio < 4.5] == []
    assert phone.eval("[...document.images].every((image) => image.hasAttribute('alt'))")
    small = "[...document.querySelectorAll('button, summary')].filter((b) => b.offsetHeight < 44)"
    assert phone.eval(f"{small}.length") == 0
    assert phone.eval("document.querySelector('#word').getAttribute('aria-live')") == "polite"


UNANSWERED = """import('/phone/live.js').then(({ follow }) => new Promise((done) => {
  const ask = window.fetch;
  const links = [];
  let asked = 0;
  window.fetch = (_url, { signal }) => new Promise((_, no) => {
    signal.addEventListener('abort', () => no(new DOMException('', 'AbortError')));
    asked += 1;
    if (asked < 2) return;
    window.fetch = ask;
    followed.close();
    done(links);
  });
  const followed = follow('/x', {
    silent_ms: 50, state: () => undefined, gone: () => undefined, link: (up) => links.push(up),
  });
  setTimeout(() => done('it was never asked again'), 10000);
}))"""


def test_a_store_that_never_begins_to_answer_is_asked_again(phone: Any, store: Any) -> None:
    """It takes the question and hangs: who looks is told, and is not left waiting for good."""
    phone.goto(f"{store.hub_url}/phone/")
    assert phone.eval(UNANSWERED) == [False]
