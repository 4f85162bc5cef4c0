"""The wallet's page in Chromium, against a real hub: opened, topped up, ordered, spent."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.hub.bearing import bearing

WALLET = "localStorage.getItem('sortie.wallet')"
TOKEN = "localStorage.getItem('sortie.visit')"
PAIRS = "ink/card soft/card accent/card on-accent/accent red/red-tint"


@pytest.fixture(scope="module", autouse=True)
def hub(store: Any) -> None:
    store.start_hub()


def open_wallet(phone: Any, store: Any) -> None:
    """A wallet by its button."""
    phone.goto(f"{store.hub_url}/phone/wallet.html")
    phone.eval("localStorage.clear()")
    phone.goto(f"{store.hub_url}/phone/wallet.html?again")
    phone.click("#open")
    phone.until_text("€0.00", "#balance")


def issue(store: Any, amount_minor: int) -> str:
    """A gift card's code, from staff."""
    url = f"{store.hub_url}/api/v1/staff/gift-cards"
    answer = httpx.post(url, json={"amount_minor": amount_minor})
    code: str = answer.raise_for_status().json()["code"]
    return code


def add_card(phone: Any, code: str, button: str) -> None:
    """Types a code and presses a button."""
    phone.eval(f"document.querySelector('#code').value = {code!r}")
    phone.click(button)


def fits(phone: Any) -> bool:
    """Nothing reaches beyond the window's width."""
    return bool(phone.eval("document.documentElement.scrollWidth <= innerWidth"))


def test_from_an_empty_wallet_to_a_visit_it_paid(phone: Any, store: Any, story: Any) -> None:
    open_wallet(phone, store)
    assert len(phone.eval(WALLET)) >= 40
    phone.click("#top-5000")
    phone.until_text("€50.00", "#balance")
    phone.until_text("Topped up", "#moves")
    add_card(phone, issue(store, 200).lower(), "#claim")
    phone.until("document.querySelectorAll('#order li')[0].innerText.includes('Gift card')")
    assert fits(phone)
    phone.goto(f"{store.hub_url}/phone/")
    phone.click("#begin")
    phone.until("document.querySelector('#qr')?.naturalWidth > 0")
    code = store.phone(phone.eval(TOKEN))["code"]
    story.enter("anna", code)
    story.take("anna", "bay-b-1-l")
    phone.until_text("€3.29", "#total")
    story.leave("anna")
    phone.until_text("€2.00 from a gift card · €1.29 from your balance", "#split")
    phone.click("#tip-100")
    phone.until_text("Thank you for the tip: €1.00", "#tipped")
    assert fits(phone)
    phone.goto(f"{store.hub_url}/phone/wallet.html")
    phone.until_text("€47.71", "#balance")
    assert [line for line in phone.text("#moves").splitlines() if line in ("Visit", "Tip")]
    assert phone.faults == []


def test_the_order_is_the_shoppers(phone: Any, store: Any) -> None:
    open_wallet(phone, store)
    add_card(phone, issue(store, 1234), "#redeem")
    phone.until_text("€12.34", "#balance")
    phone.until_text("The gift card is on your balance", "#told")
    phone.click("#up-card")
    phone.until("document.querySelector('#order li').dataset.source === 'card'")
    phone.click("#off-stored")
    phone.until("document.querySelector('#order li.off')?.dataset.source === 'stored'")
    url, mine = f"{store.hub_url}/api/v1/wallets/me", bearing(phone.eval(WALLET))
    assert httpx.get(url, headers=mine).json()["order"] == ["card"]


def test_a_guest_pays_one_visit_with_a_card(phone: Any, store: Any, story: Any) -> None:
    phone.goto(f"{store.hub_url}/phone/")
    phone.eval("localStorage.clear()")
    phone.goto(f"{store.hub_url}/phone/?again")
    phone.click("#begin")
    phone.until("document.querySelector('#qr')?.naturalWidth > 0")
    phone.eval("document.querySelector('details').open = true")
    phone.eval(f"document.querySelector('#gift-code').value = {issue(store, 6000)!r}")
    phone.click("#gift-use")
    phone.until_text("It pays first", "#gift-told")
    story.enter("gus", store.phone(phone.eval(TOKEN))["code"])
    story.take("gus", "bay-b-1-l")
    phone.until_text("€3.29", "#total")
    story.leave("gus")
    phone.until_text("€3.29 from a gift card", "#split")
    assert phone.faults == []


def test_a_wrong_code_is_told_and_changes_nothing(phone: Any, store: Any) -> None:
    open_wallet(phone, store)
    add_card(phone, "ABCD-EFGH-JKLM-NPQR", "#redeem")
    phone.until_text("code of a gift card", "#told")
    assert phone.text("#balance") == "€0.00"


def test_a_key_of_another_store_is_kept_until_it_is_removed(phone: Any, store: Any) -> None:
    phone.goto(f"{store.hub_url}/phone/wallet.html")
    phone.eval(f"localStorage.setItem('sortie.wallet', '{'x' * 43}')")
    phone.goto(f"{store.hub_url}/phone/wallet.html?again")
    phone.until_text("No such wallet")
    assert phone.eval(WALLET) == "x" * 43
    phone.click("#forget")
    phone.until("document.querySelector('#open')")
    assert phone.eval(WALLET) is None


@pytest.mark.parametrize("dark", [False, True])
def test_it_can_be_read(phone: Any, store: Any, dark: bool) -> None:
    open_wallet(phone, store)
    phone.size(360, 740, phone=True, dark=dark)
    assert [pair for pair, contrast in phone.contrasts(PAIRS) if contrast < 4.5] == []
    phone.size(320, 600, phone=True, dark=dark)
    assert fits(phone)
