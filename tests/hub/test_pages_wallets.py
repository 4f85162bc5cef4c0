"""What the wallets page shows and what it asks of the hub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from hub.pages.back_office import BackOffice
from hub.pages.purses import card_html, debts, end_of_day_s, issued_html, minor_of, payer_html
from tests.hub.doors import Door

CARD = {
    "card_id": "g-1<", "amount_minor": 2000, "left_minor": 1250, "free_minor": 1250, "how": "sold",
    "issued_s": 0.0, "expires_s": None, "blocked": False, "redeemed": False, "payer": None,
    "refusal": "",
}  # fmt: skip
PAYER = {
    "payer": "<anna>", "wallet": False, "currency": "EUR", "debt_minor": 119,
    "debts": [{"visit_id": "v-1", "amount_minor": 119}], "visits": [],
}  # fmt: skip
PURSE = {
    **PAYER, "wallet": True, "balance_minor": 700, "held_minor": 300, "tab_minor": 0,
    "order": ["stored", "card"],
    "visits": [{"visit_id": "v-abcd", "stage": "shopping", "held_minor": 300, "sources": []}],
}  # fmt: skip


@pytest.mark.parametrize("text", ["", "0", "-1", "1.234", "1e3", "²", "1.2.3", "a"])
def test_what_is_no_amount_is_none(text: str) -> None:
    assert minor_of(text) is None


def test_amounts_follow_the_currency() -> None:
    assert minor_of("300", 0) == 300
    assert minor_of("3.5", 0) is None
    assert minor_of("1.234", 3) == 1234


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="out of range"):
        end_of_day_s("2026-02-30")


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "good"),
        ({"blocked": True, "refusal": "the card is blocked; ask the store"}, "blocked"),
        ({"redeemed": True, "left_minor": 0}, "turned into balance"),
        ({"expires_s": 86_400.0, "refusal": "the card has expired"}, "expired"),
        ({"left_minor": 0}, "used up"),
    ],
)
def test_a_card_says_how_it_stands(more: dict[str, Any], word: str) -> None:
    html = card_html({**CARD, **more}, "EUR")
    assert f">{word}</span>" in html
    assert "of €20.00" in html
    assert "g-1&lt;" in html
    assert "g-1<" not in html


def test_a_code_is_shown_with_the_word_that_it_is_shown_once() -> None:
    issued = {"card_id": "g-1", "code": "ABCD-EFGH", "amount_minor": 2000}
    html = issued_html(issued, "EUR")
    assert "ABCD-EFGH" in html
    assert "not shown again" in html


def test_a_payer_with_and_without_a_wallet() -> None:
    html = payer_html(PAYER)
    assert "&lt;anna&gt;" in html
    assert "without a wallet" in html
    assert "€1.19" in html
    assert debts(PAYER) == [("v-1", 119)]
    html = payer_html(PURSE)
    assert "stored, card" in html
    assert "€7.00" in html
    assert "€3.00 held" in html


def _asked(
    answer: Callable[[httpx.Request], httpx.Response], what: Callable[[BackOffice], Any]
) -> Any:
    async def run() -> Any:
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(answer), base_url="http://hub.test"
        ) as client:
            return await what(BackOffice(client, "a-session"))

    return asyncio.run(run())


def test_the_hub_is_asked_as_who_is_signed_in() -> None:
    heard: list[tuple[str, str, Any]] = []

    def hub(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer a-session"
        heard.append((request.method, request.url.path, json.loads(request.content or b"null")))
        if request.method == "GET":
            return httpx.Response(200, json=[CARD])
        return httpx.Response(201, json={"card_id": "g-2", "code": "X", "amount_minor": 5})

    assert _asked(hub, lambda desk: desk.gift_cards()) == [CARD]
    assert _asked(hub, lambda desk: desk.issue_card({"amount_minor": 5}, "w"))[0]["code"] == "X"
    assert _asked(hub, lambda desk: desk.block_card("g-2", blocked=True)) == (True, "")
    assert _asked(hub, lambda desk: desk.waive({"visit_id": "v"})) == (True, "")
    assert heard == [
        ("GET", "/api/v1/staff/gift-cards", None),
        ("POST", "/api/v1/staff/gift-cards", {"amount_minor": 5}),
        ("PUT", "/api/v1/staff/gift-cards/g-2", {"blocked": True}),
        ("POST", "/api/v1/staff/debts/waive", {"visit_id": "v"}),
    ]


def test_a_refusal_and_a_silent_hub_are_said() -> None:
    def refuses(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"detail": "expected the role manager, got clerk"})

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody", request=request)

    assert _asked(refuses, lambda d: d.issue_card({}, "w")) == (
        None,
        "expected the role manager, got clerk",
    )
    assert _asked(refuses, lambda d: d.block_card("g", blocked=False))[1].startswith("expected")
    issued, why = _asked(silent, lambda d: d.issue_card({}, "w"))
    assert issued is None
    assert "try again, it makes one card only" in why
    assert _asked(silent, lambda d: d.gift_cards()) is None


def test_who_asks_again_for_a_gift_card_gets_the_same_one(make_shop: Callable[..., Any]) -> None:
    """The first answer is lost; the card of it would be worth nothing without its code."""
    door = Door(make_shop("hub.sqlite"), staff_accounts=True)
    door.staff()
    manager = door.browser("manager")
    lost: list[Any] = []

    def hub(request: httpx.Request) -> httpx.Response:
        key = {"Idempotency-Key": request.headers["idempotency-key"]}
        body = json.loads(request.content)
        with ThreadPoolExecutor(1) as beside:  # Both run a loop of their own.
            answer = beside.submit(
                lambda: manager.post(request.url.path, json=body, headers=key)
            ).result()
        if not lost:
            lost.append(answer.json())
            raise httpx.ReadError("gone", request=request)
        return httpx.Response(answer.status_code, content=answer.content)

    wish = {"amount_minor": 500, "how": "sold"}
    assert _asked(hub, lambda desk: desk.issue_card(wish, "w"))[0] is None
    assert _asked(hub, lambda desk: desk.issue_card(wish, "w"))[0] == lost[0]
    other = _asked(hub, lambda desk: desk.issue_card({**wish, "amount_minor": 600}, "w"))[0]
    assert other["card_id"] != lost[0]["card_id"]
    assert len(door.hub.core.state.wallets.purses.cards) == 2
