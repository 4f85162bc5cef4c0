"""Who owes, what banks were asked about and refunds that wait, over HTTP and on the pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub import commands as c
from hub.api.app import create_app
from hub.api.auth import Needs
from hub.api.openapi import needs_of, routes_of
from hub.driver import Driver
from hub.pages.back_office import BackOffice
from hub.pages.owing import debtor_html, dispute_html, money_that_waits, refund_html
from hub.settings import HubSettings
from tests.hub.wallet.test_wallet_api import Counter
from tests.hub.wallet.till import PRICES, Till

COLA_MINOR = next(iter(PRICES.values()))
STAFF = "/api/v1/staff"


def _indebted(till: Till, payer: str, count: int = 3) -> str:
    """A visit of which a piece is paid and the others are not."""
    visit_id = till.visit(f"code-{payer}-{till.numbers}", payer=payer)
    till.shop(f"code-{payer}-{till.numbers}", count)
    till.numbers += 1
    return visit_id


@pytest.fixture
def till(make_till: Callable[..., Till]) -> Till:
    return make_till(hold_minor=COLA_MINOR, debt_block_minor=2 * COLA_MINOR)


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest) -> Till:
    """A till on each kind of database, which goes when the till is closed."""
    url = "sqlite:///:memory:"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")("owed")
    make_till: Callable[..., Till] = request.getfixturevalue("make_till")
    return make_till(url=url, hold_minor=COLA_MINOR, debt_block_minor=2 * COLA_MINOR)


def test_debtors_come_in_pages_the_oldest_first(stored: Till) -> None:
    till = stored
    client = Counter(till).client
    visits = {payer: _indebted(till, payer, 2) for payer in ("ann", "bob", "cat")}
    again = _indebted(till, "ann", 3)
    _indebted(till, "dan", 1)
    page = client.get(f"{STAFF}/debts?limit=2").json()
    assert [row["payer"] for row in page["items"]] == ["ann", "bob"]
    ann = page["items"][0]
    assert (ann["debt_minor"], ann["visits_count"]) == (3 * COLA_MINOR, 2)
    assert ann["blocks"] == ["entry"], "more than the store lets anybody owe"
    assert [row["visit_id"] for row in ann["visits"]] == [visits["ann"], again]
    assert ann["visits"][0]["amount_minor"] == COLA_MINOR
    assert page["items"][1]["blocks"] == []
    rest = client.get(f"{STAFF}/debts?limit=2&cursor={page['next']}").json()
    assert [row["payer"] for row in rest["items"]] == ["cat"], "dan owes nothing"
    assert rest["next"] is None
    till.do(c.WaiveDebt(visit_id=visits["bob"], waive_id="w", reason="mild"))
    till.do(
        c.SettleAtDesk(
            payment_id="p", visit_id=visits["cat"], method="cash", amount_minor=COLA_MINOR,
            by="mia",
        )
    )  # fmt: skip
    left = client.get(f"{STAFF}/debts").json()
    assert [row["payer"] for row in left["items"]] == ["ann"]
    assert client.get(f"{STAFF}/debts?cursor=nonsense").status_code == 422


def test_a_debt_that_is_not_in_memory_is_found_and_paid(till: Till) -> None:
    client = Counter(till).client
    visit_id = _indebted(till, "ann", 2)
    state = till.hub.core.state
    del state.visits[visit_id], state.wallets.accounts[visit_id]
    (row,) = client.get(f"{STAFF}/debts").json()["items"]
    assert row["visits"][0]["visit_id"] == visit_id
    seen = client.get(f"{STAFF}/wallets/ann").json()
    assert seen["debts"] == [{"visit_id": visit_id, "amount_minor": COLA_MINOR}]
    till.hub.recover()
    paid = client.post(
        f"{STAFF}/visits/{visit_id}/payments",
        json={"payment_id": "p", "method": "card", "amount_minor": COLA_MINOR},
    )
    assert paid.status_code == 200
    assert client.get(f"{STAFF}/debts").json()["items"] == []


def test_desk_payers_are_found_by_their_names(till: Till) -> None:
    client = Counter(till).client
    till.day.step(till.now_s, "desk", 1.0, 0.3, "born")
    till.play()
    till.do(
        c.LetIn(
            gate_id="entry", who="shopper", by="mia", reason="no phone", visit_key="ab12cd34ef" * 2,
            token_sha256="cd" * 32,
        )
    )  # fmt: skip
    payer = "counter:v-" + "ab12cd34ef" * 2
    till.day.step(till.now_s + 0.2, "desk", 1.0, 0.8)
    till.play()
    till.take("desk", count=1)
    till.leave("desk")
    (row,) = client.get(f"{STAFF}/debts").json()["items"]
    assert row["payer"] == payer
    assert client.get(f"{STAFF}/wallets/{payer}").json()["debt_minor"] == COLA_MINOR


def _disputed(till: Till, visit_id: str, fact: Any = "dispute_withdrawn") -> None:
    till.gateway.dispute("dp_1", f"{visit_id}:hold", COLA_MINOR)
    till.do(
        c.GatewayTold(
            fact_id=f"dp_1:{fact}", fact=fact, visit_id=visit_id, hold_key=f"{visit_id}:hold",
            amount_minor=COLA_MINOR, dispute_id="dp_1", reason="fraudulent\x00",
        )
    )  # fmt: skip


def test_disputes_are_listed_and_decided(stored: Till) -> None:
    till = stored
    client = Counter(till).client
    visit_id = _indebted(till, "ann", 1)
    _disputed(till, visit_id)
    (row,) = client.get(f"{STAFF}/chargebacks").json()["items"]
    assert (row["dispute_id"], row["state"], row["payer"]) == ("dp_1", "open", "ann")
    assert (row["withdrawn_minor"], row["keeps_out"]) == (COLA_MINOR, True)
    assert client.get(f"{STAFF}/wallets/ann").json()["disputes"][0]["keeps_out"]
    url = f"{STAFF}/chargebacks/dp_1/decide"
    assert client.post(url, json={"let_in": True, "reason": "a mix-up"}).status_code == 200
    assert client.post(url, json={"let_in": True}).json()["repeated"]
    (row,) = client.get(f"{STAFF}/chargebacks").json()["items"]
    assert (row["keeps_out"], row["decision"], row["by"]) == (False, "let_in", "staff")
    unknown = client.post(f"{STAFF}/chargebacks/dp_2/decide", json={"let_in": True})
    assert unknown.status_code == 422


def test_refunds_that_wait_are_listed_tried_and_settled(make_till: Callable[..., Till]) -> None:
    faults = {"refund": "declined"}
    till = make_till(faults=lambda request, _times: faults.get(request.kind, "none"))
    client = Counter(till).client
    visit_id = till.visit("code-one", payer="ann")
    till.shop("code-one", 3)
    for name in ("r1", "r2", "r3"):
        till.refund(visit_id, name=name)
    first = client.get(f"{STAFF}/refunds/waiting?limit=2").json()
    second = client.get(f"{STAFF}/refunds/waiting?limit=2&cursor={first['next']}").json()
    keys = [row["key"] for row in (*first["items"], *second["items"])]
    assert keys == [f"{visit_id}:refund:{number}" for number in (1, 2, 3)]
    assert {row["state"] for row in first["items"]} == {"refused"}
    again = {"visit_id": visit_id, "refund_key": keys[0], "retry_id": "t1"}
    faults.clear()
    assert client.post(f"{STAFF}/refunds/again", json=again).json()["amount_minor"] == COLA_MINOR
    assert client.post(f"{STAFF}/refunds/again", json=again).json()["repeated"]
    settle = {"visit_id": visit_id, "refund_key": keys[1], "settle_id": "s1", "how": "cash"}
    assert client.post(f"{STAFF}/refunds/settle", json=settle).status_code == 422, "no reason"
    settle["reason"] = "the till"
    assert client.post(f"{STAFF}/refunds/settle", json=settle).status_code == 200
    assert client.post(f"{STAFF}/refunds/settle", json=settle).json()["repeated"]
    left = client.get(f"{STAFF}/refunds/waiting").json()["items"]
    assert [row["key"] for row in left] == [keys[2]]
    assert till.posted("clearing") == 2 * COLA_MINOR
    log = client.get("/api/v1/staff/audit").json()
    assert any("/refunds/settle" in json.dumps(row) for row in log["items"])


def test_who_may_see_it_and_who_may_act(till: Till) -> None:
    app = create_app(Driver(till.hub, lambda: till.now_s), HubSettings(store_file=Path("x")))
    roles = {
        (method, str(route.path).removeprefix(STAFF)): (needs.role, needs.scope)
        for route in routes_of(app)
        for method in route.methods or ()
        if isinstance(needs := needs_of(route), Needs)
    }
    for path in ("/debts", "/chargebacks", "/refunds/waiting"):
        assert roles["GET", path] == ("clerk", None), "payers are named: no key opens it"
    for path in ("/chargebacks/{dispute_id}/decide", "/refunds/again", "/refunds/settle"):
        assert roles["POST", path] == ("manager", None)


# -- the pages ------------------------------------------------------------------------------------

DEBTOR = {
    "payer": "<ann>", "currency": "EUR", "debt_minor": 357, "since_us": 0, "wallet": False,
    "blocks": ["entry"], "visits": [{"visit_id": "v-abcd", "amount_minor": 119, "since_us": 0}],
    "visits_count": 3,
}  # fmt: skip
DISPUTE = {
    "dispute_id": "dp_1", "visit_id": "v-abcd", "payer": "<ann>", "currency": "EUR",
    "amount_minor": 238, "reason": "<fraud>", "state": "lost", "withdrawn_minor": 238,
    "returned_minor": 0, "fee_minor": 1500, "lost_minor": 238, "owed_minor": 0, "keeps_out": True,
    "decision": "", "by": "", "opened_us": 0, "changed_us": 0,
}  # fmt: skip
REFUND = {
    "key": "v-abcd:refund:1", "visit_id": "v-abcd", "payer": "<ann>", "currency": "EUR",
    "amount_minor": 119, "state": "unanswered", "reason": "timeout", "rounds": 1, "since_us": 0,
    "again_us": 900_000_000,
}  # fmt: skip


def test_rows_say_what_is_owed_and_why() -> None:
    html = debtor_html(DEBTOR)
    for words in ("&lt;ann&gt;", "€3.57 owed", "Shopper ABCD €1.19 and 2 more", "is not let in"):
        assert words in html
    html = dispute_html(DISPUTE)
    for words in ("&lt;fraud&gt;", ">lost<", "fee €15.00", "the payer is not let in"):
        assert words in html
    let_in = dispute_html({**DISPUTE, "keeps_out": False, "decision": "let_in", "by": "mia"})
    assert "let in again by mia" in let_in
    html = refund_html(REFUND)
    assert "asks again at 1970-01-01 00:15 UTC" in html
    assert "asks no more by itself" in refund_html({**REFUND, "again_us": None})


def test_the_money_page_shows_the_first_rows_of_each() -> None:
    none: dict[str, Any] = {"items": [], "next": None}
    html = money_that_waits(none, none, none)
    for words in ("Nobody owes", "No payment was disputed", "No refund waits", "/staff/wallets"):
        assert words in html
    many = {"items": [REFUND] * 25, "next": None}
    html = money_that_waits({"items": [DEBTOR], "next": "x"}, none, many)
    assert html.count("There are more") == 2
    assert html.count("to pay back") == 20


def test_the_page_asks_and_tells_the_hub() -> None:
    heard: list[tuple[str, str]] = []

    def hub(request: httpx.Request) -> httpx.Response:
        heard.append((request.method, request.url.raw_path.decode()))
        return httpx.Response(200, json={"items": [], "next": None})

    async def run() -> None:
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(hub), base_url="http://hub.test"
        ) as client:
            desk = BackOffice(client, "a-session")
            assert await desk.page("/debts?limit=20") == {"items": [], "next": None}
            assert await desk.decide_chargeback("dp_1", {"let_in": True}) == (True, "")
            assert await desk.retry_refund({}) == (True, "")
            assert await desk.settle_refund({}) == (True, "")
            assert await desk.pay_at_desk("v-1", {}) == (True, "")

    asyncio.run(run())
    assert heard == [
        ("GET", f"{STAFF}/debts?limit=20"),
        ("POST", f"{STAFF}/chargebacks/dp_1/decide"),
        ("POST", f"{STAFF}/refunds/again"),
        ("POST", f"{STAFF}/refunds/settle"),
        ("POST", f"{STAFF}/visits/v-1/payments"),
    ]
