"""The money page: what the hub's reports say, and what is said where one is missing."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.applications import Starlette

from hub.pages.feed import HubFeed
from hub.pages.money import add_money, money_page
from hub.pages.settings import PagesSettings

AMOUNTS = {"gross_minor": 238, "net_minor": 200, "vat_minor": 38}
ROW = {"rate": "0.1900", "sales": AMOUNTS, "refunds": dict.fromkeys(AMOUNTS, 0), "due": AMOUNTS}
VAT = {
    "currency": "EUR", "zone": "UTC", "sales": 1, "refunds": 0, "rates": [ROW],
    "total": {**ROW, "rate": "total"},
}  # fmt: skip
AGREED: dict[str, Any] = {
    "currency": "EUR", "compared": 3, "clearing_minor": 238, "on_its_way": [], "differences": [],
}  # fmt: skip
FISCAL = {
    "entries": 4, "day": "2026-03-31", "perpetual_sales_minor": 238, "currency": "EUR",
    "public_key": "ab" * 32, "fault": None,
}  # fmt: skip

NOTHING: list[tuple[Any, str]] = [({"items": [], "next": None}, "")] * 3


def test_a_page_with_everything() -> None:
    page = money_page("2026-03-31", (VAT, ""), (AGREED, ""), (FISCAL, ""), NOTHING)
    assert "Nobody owes anything" in page
    assert "<td>2.38</td>" in page
    assert "Books and gateway agree" in page
    assert "4 entries" in page
    assert "alert" not in page


def test_differences_and_faults_are_shown_and_escaped() -> None:
    difference = {
        "visit_id": "<script>", "hold_key": "v", "what": "captured", "believed": "0.00",
        "gateway": "1.19", "fix": "refund 1.19 at the gateway",
    }  # fmt: skip
    report = {**AGREED, "differences": [difference], "on_its_way": [{}]}
    behind = {**FISCAL, "fault": "ledger_transactions row 3"}
    page = money_page("2026", (None, "no <b>"), (report, ""), (behind, ""), [(None, "no <i>")] * 3)
    assert "no &lt;i&gt;" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "no &lt;b&gt;" in page
    assert "refund 1.19 at the gateway" in page
    assert "1 questions are on their way" in page
    assert "It is behind: ledger_transactions row 3" in page
    empty = money_page("2026", (VAT, ""), (AGREED, ""), ({"entries": 0}, ""), NOTHING)
    assert "No fiscal journal is kept" in empty


def test_the_route_asks_the_hub_for_the_day() -> None:
    asked: list[str] = []

    def hub(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url.raw_path.decode()))
        if request.url.path.endswith("/reconciliation"):
            return httpx.Response(503, json={"detail": "Stripe gave no answer"})
        if request.url.path.endswith(("/debts", "/chargebacks", "/waiting")):
            return httpx.Response(200, json={"items": [], "next": None})
        body = VAT if request.url.path.endswith("/vat") else FISCAL
        return httpx.Response(200, json=body)

    async def run() -> list[str]:
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(hub), base_url="http://hub.test"
        ) as client:
            app = Starlette()
            settings = PagesSettings(hub_url="http://hub.test")
            add_money(app, HubFeed(client, settings, now=lambda: 0.0), lambda: "2026-03-31")
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://pages") as browser:
                return [
                    (await browser.get(url)).text
                    for url in ("/money", "/money?day=2026-02", "/money?day=%3Cscript%3E")
                ]

    first, month, odd = asyncio.run(run())
    assert "VAT 2026-03-31" in first
    assert "Stripe gave no answer" in first
    assert "VAT 2026-02<" in month
    assert "VAT 2026-03-31" in odd, "what is no day is today"
    assert "/api/v1/staff/reports/vat?day=2026-02" in asked
