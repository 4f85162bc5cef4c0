"""The stock page, and what it does to a phone, in Chromium: a real hub and pages process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

COLA = "2000000013015"


@pytest.fixture(scope="module", autouse=True)
def processes(store: Any) -> None:
    store.start_hub()
    store.start_pages()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    made = chromium.tab()
    made.size(1440, 1000)
    yield made
    made.close()


def pane(name: str) -> str:
    return f'[data-pane="{name}"]'


def order(store: Any, path: str, **body: Any) -> None:
    """What another member of staff does."""
    answer = httpx.post(f"{store.hub_url}/api/v1/staff/{path}", json=body)
    assert answer.status_code == 200, answer.text


def test_shelves_offers_and_restocking(tab: Any, store: Any) -> None:
    tab.goto(f"{store.pages_url}/stock")
    slot = '[data-slot="bay-a-3-l"]'
    tab.until_text("Kolibri Cola", slot)
    assert tab.eval("document.documentElement.scrollWidth <= innerWidth")
    tab.press(pane("restocking"), "Start restocking")
    tab.until_text("nothing yet", pane("restocking"))
    order(
        store, "promotions", promotion_id="p1", offer="percent", name="Ten off", gtins=[COLA],
        percent_bp=1000,
    )  # fmt: skip
    tab.until_text("Ten off", pane("offers"))
    before = tab.text(slot)
    order(store, "counts", count_id="c1", slot_id="bay-a-3-l", gtin=COLA, counted=0)
    tab.until_text("empty", slot)
    assert tab.text(slot) != before
    tab.press(pane("restocking"), "Finish")
    tab.until("!document.querySelector('.sessions .carded')")
    tab.press(pane("offers"), "End")
    tab.until("!document.querySelector('.offers .carded')")
    order(store, "counts", count_id="c2", slot_id="bay-a-3-l", gtin=COLA, counted=6)
    assert tab.faults == []


def test_a_count_is_booked_by_its_form(tab: Any, store: Any) -> None:
    tab.goto(f"{store.pages_url}/stock")
    card = "document.querySelector('[data-slot=\"bay-a-3-l\"]')"
    tab.until(card)
    tab.eval(f"{card}.closest('.carded').querySelector('button').click()")
    tab.until_text("in bay-a-3-l", ".form")
    tab.eval("document.querySelector('.form input[type=number]').select()")
    tab.send("Input.insertText", text="2")
    tab.press(".form", "Book the count")
    tab.until_text("2 / ", '[data-slot="bay-a-3-l"]')
    order(store, "counts", count_id="c3", slot_id="bay-a-3-l", gtin=COLA, counted=6)
    assert tab.faults == []


def test_an_id_is_asked_for_on_the_phone_and_confirmed_by_staff(
    tab: Any, phone: Any, store: Any, story: Any
) -> None:
    order(store, "age-limits", gtin=COLA, age_min=18)
    tab.goto(f"{store.pages_url}/stock")
    phone.goto(f"{store.hub_url}/phone/")
    phone.eval("localStorage.clear()")
    phone.goto(f"{store.hub_url}/phone/?again")
    phone.click("#begin")
    phone.until("document.querySelector('#qr')?.naturalWidth > 0")
    token = phone.eval("localStorage.getItem('sortie.visit')")
    story.enter("dora", store.phone(token)["code"])
    story.take("dora", "bay-a-3-l")
    phone.until_text("Kolibri Cola is sold from 18 on", ".notice")
    tab.press(pane("alerts"), "Old enough")
    phone.until("!document.querySelector('.notice')")
    order(store, "recalls", recall_id="r1", gtin=COLA, reason="glass in it", batch="L-7")
    phone.until_text("was called back: glass in it (batch L-7)", ".notice")
    tab.until_text("which was called back", pane("alerts"))
    story.leave("dora")
    phone.until_text("Please hand it back", ".notice")
    assert phone.text("#total") == "€0.00"
    tab.until_text("glass in it", pane("recalls"))
    tab.press(pane("recalls"), "Who bought it…")
    tab.until_text("0 receipts", ".form")
    tab.press(".form", "Close")
    tab.press(pane("alerts"), "Handed back")
    tab.until_text("1 × Kolibri Cola", pane("finds"))
    phone.until("!document.querySelector('.notice')")
    order(store, "recalls/lift", recall_id="r1")
    order(store, "age-limits", gtin=COLA, age_min=None)
    assert tab.faults == []
    assert phone.faults == []


def test_rules_are_set_by_their_form_and_an_empty_offer_is_refused(tab: Any, store: Any) -> None:
    tab.goto(f"{store.pages_url}/stock")
    tab.press("header", "Rules…")
    tab.until_text("Rules for goods", ".form")
    tab.eval("document.querySelectorAll('.form input[type=number]')[1].select()")
    tab.send("Input.insertText", text="777")
    tab.press(".form", "Save")
    tab.until("!document.querySelector('.form')")
    said = httpx.get(f"{store.hub_url}/api/v1/staff/stock").json()["policy"]
    assert (said["pieces_per_minute_max"], said["watch_stock"]) == (777, True)
    tab.press(pane("offers"), "New offer…")
    tab.until_text("What shoppers read", ".form")
    tab.press(".form", "Add the offer")
    # Nothing is filled in: the hub's words are shown, and the form stays.
    tab.until("document.querySelector('.q-notification')")
    assert tab.eval("!!document.querySelector('.form')")
    tab.press(".form", "Cancel")
    assert tab.faults == []


CART = {
    "stage": "shopping", "currency": "EUR", "hold_minor": 5000, "unclear": 0,
    "total_minor": 178, "saved_minor": 20,
    "lines": [
        {
            "line": 1, "gtin": COLA, "name": "Kolibri Cola", "quantity": 2, "unit_price_minor": 99,
            "total_minor": 178, "discount_minor": 20, "offers": ["Ten <b>cents</b> off"],
        }
    ],
    "notices": [
        {"kind": "closed", "name": "Beer", "quantity": 1, "reason": ""},
        {"kind": "recalled_bought", "name": "Tea", "quantity": 1, "reason": "glass", "batch": "L1"},
        {"kind": "of a later version", "name": "Tea", "quantity": 1},
    ],
}  # fmt: skip
RECEIPT = {
    **CART, "stage": "final", "disputes": [],
    "receipt": {
        "store": "Tiny", "settled_s": 0, "refunded": [{"line": 1, "quantity": 1}],
        "refunded_minor": 89, "total_minor": 178, "captured_minor": 178, "debt_minor": 0,
        "paid": True, "vat": [], "not_charged": 0,
    },
}  # fmt: skip


def test_what_an_offer_saves_is_on_the_phone(phone: Any, store: Any) -> None:
    """The scripted nodes tell of the past, before any offer: the view is given its states."""
    phone.goto(f"{store.hub_url}/phone/")
    for state, told in ((CART, "€0.20"), (RECEIPT, "1 item given back: −€0.89")):
        phone.eval(
            "import('/phone/view.js').then((view) => {"
            f"  const made = view.viewOf({json.dumps(state)}, {{ now_s: 0, seen: new Set() }});"
            "  const box = document.createElement('div');"
            "  box.id = 'drawn'; box.append(...made.flat().filter((one) => one));"
            "  document.querySelector('#drawn')?.remove(); document.body.append(box); })"
        )
        phone.until_text(told, "#drawn")
        text = phone.text("#drawn")
        assert "Ten <b>cents</b> off: −€0.20" in text
        assert "Saved" in text
        assert "Beer is not for sale now. Please put it back; it is not charged." in text
        assert "Tea was called back: glass (batch L1). Do not use it" in text
        assert len(text.split("Tea")) == 2
        assert phone.eval("document.documentElement.scrollWidth <= innerWidth")
    assert phone.faults == []
