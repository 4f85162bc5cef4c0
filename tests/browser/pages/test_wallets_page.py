"""The staff's wallets page in Chromium, against a real hub: a card, a block, a payer, a refund."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hub.wallet.fake import FakeGateway
from tests.browser.pages.conftest import until

CODE = "document.querySelector('.issued code').innerText"


@pytest.fixture(scope="module", autouse=True)
def processes(store: Any) -> None:
    store.start_hub()
    store.start_pages()


def fill(desk: Any, selector: str, text: str) -> None:
    """Types into a field as Vue hears it."""
    desk.until(f'document.querySelector("{selector} input")')
    desk.eval(
        f'(() => {{ const field = document.querySelector("{selector} input");'
        f"field.value = {text!r}; field.dispatchEvent(new Event('input')); }})()"
    )


def press(desk: Any, words: str) -> None:
    """Presses the button that says this."""
    found = f"[...document.querySelectorAll('button')].find((b) => b.innerText === {words!r})"
    desk.until(found)
    desk.eval(f"{found}.click()")


def test_a_card_is_issued_shown_once_and_blocked(desk: Any, store: Any) -> None:
    desk.goto(f"{store.pages_url}/staff/wallets")
    desk.until_text("No card was issued yet", "[data-pane='gift-cards']")
    desk.click(".issue")
    fill(desk, ".amount", "12,50")
    press(desk, "Issue")
    desk.until_text("not shown again", ".issued")
    code = desk.eval(CODE)
    assert len(code.split("-")) == 4
    press(desk, "I have it")
    desk.until_text("€12.50", "[data-card]")
    desk.until("!document.querySelector('.issued')")
    assert code not in desk.eval("document.documentElement.innerHTML")
    press(desk, "Block or unblock…")
    press(desk, "Block")
    desk.until_text("blocked", "[data-card] .word")
    cards = httpx.get(f"{store.hub_url}/api/v1/staff/gift-cards").json()
    assert [(row["amount_minor"], row["blocked"]) for row in cards] == [(1250, True)]
    assert desk.eval("document.documentElement.scrollWidth <= innerWidth")
    assert desk.faults == []


def test_a_payer_is_looked_up(desk: Any, store: Any) -> None:
    opened = httpx.post(f"{store.hub_url}/api/v1/wallets").raise_for_status().json()
    desk.goto(f"{store.pages_url}/staff/wallets")
    fill(desk, ".payer-name", "nobody-known")
    press(desk, "Look up")
    desk.until_text("expected a payer the hub knows", "[data-pane='payer']")
    fill(desk, ".payer-name", opened["payer"])
    press(desk, "Look up")
    desk.until_text("has a wallet", "[data-pane='payer']")
    desk.until_text("€0.00", "[data-pane='payer']")
    assert opened["token"] not in desk.eval("document.documentElement.innerHTML")


def test_a_refund_that_was_refused_is_settled_by_hand(desk: Any, store: Any, story: Any) -> None:
    desk.goto(f"{store.pages_url}/staff/wallets")
    desk.until_text("Nobody owes anything.", "[data-pane='debts']")
    desk.until_text("No payment was disputed.", "[data-pane='chargebacks']")
    desk.until_text("No refund waits.", "[data-pane='refunds']")
    opened = store.visit()
    story.enter("anna", opened["code"])
    story.take("anna", store.layout.slots[0].slot_id)
    story.leave("anna")
    until(lambda: store.phone(opened["token"])["stage"] == "final", "the visit to be settled")
    until(lambda: _captured(store), "the charge to be captured")
    # The gateway refuses to pay back what is disputed at the bank.
    gateway = FakeGateway(str(store.folder / "gateway.sqlite"))
    assert gateway.dispute("dp_1", f"{opened['visit_id']}:hold", 1) == 1
    gateway.close()
    store.refund(opened["visit_id"], line=1, quantity=1)
    desk.until_text("the gateway said no", "[data-pane='refunds']")
    desk.goto(f"{store.pages_url}/money")
    desk.until_text("to pay back")
    desk.goto(f"{store.pages_url}/staff/wallets")
    press(desk, "Try again")
    desk.until_text("the gateway said no", "[data-pane='refunds']")
    press(desk, "Settle by hand…")
    press(desk, "Book it")
    fill(desk, ".reason", "in cash at the desk")
    press(desk, "Book it")
    desk.until_text("No refund waits.", "[data-pane='refunds']")
    assert desk.eval("document.documentElement.scrollWidth <= innerWidth")
    assert desk.faults == []


def _captured(store: Any) -> bool:
    gateway = FakeGateway(str(store.folder / "gateway.sqlite"))
    captured = gateway.totals().captured_minor
    gateway.close()
    return captured > 0


@pytest.mark.parametrize(
    "path", ["/", "/staff", "/stock", "/staff/walls", "/staff/review", "/money"]
)
def test_every_page_leads_to_all_others(desk: Any, store: Any, path: str) -> None:
    desk.goto(f"{store.pages_url}{path}")
    for there in (
        "/staff",
        "/stock",
        "/staff/walls",
        "/staff/review",
        "/staff/disputes",
        "/staff/wallets",
        "/money",
    ):
        desk.until(f"document.querySelector(\"nav a[href='{there}']\")")
    if path == "/":
        desk.until("document.querySelector(\"a[href$='/exit/gate-out']\")")
        desk.until("document.querySelector(\"a[href$='/phone/wallet.html']\")")
