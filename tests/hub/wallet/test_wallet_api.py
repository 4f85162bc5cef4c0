"""Wallets over HTTP: the owner's page, a visit's tip and debt, staff's cards and waivers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.api.app import create_app
from hub.api.wallets import code_sha256
from hub.driver import Driver
from hub.settings import HubSettings
from tests.hub.bearing import Mine, bearing
from tests.hub.test_hub_api import Client
from tests.hub.wallet.till import BREAD, Till

PASSWORD = "correct horse battery"
STRANGER = "x" * 43


class Counter:
    """The hub's HTTP interface on a till."""

    def __init__(self, till: Till, password: str | None = None) -> None:
        self.till = till
        driver = Driver(till.hub, lambda: till.now_s)
        settings: dict[str, Any] = {"store_file": Path("x")}
        if password is not None:
            settings["staff_password"] = password
        app = create_app(driver, HubSettings(**settings))
        till.closing.append(app.state.accounts.store.close)
        self.client = Client(app)

    def open(self) -> tuple[Mine, str]:
        """A wallet: how its owner asks, and its token."""
        token = self.client.post("/api/v1/wallets").json()["token"]
        return Mine(self.client, "wallets", token), token

    def card(self, amount_minor: int, **more: Any) -> dict[str, Any]:
        """A card issued by staff."""
        answer = self.client.post(
            "/api/v1/staff/gift-cards", json={"amount_minor": amount_minor, **more}
        )
        assert answer.status_code == 201
        made: dict[str, Any] = answer.json()
        return made

    def visit(self, token: str | None = None) -> tuple[Mine, dict[str, Any]]:
        """A visit: how its phone asks, and what was opened."""
        body = {} if token is None else {"wallet": token}
        opened = self.client.post("/api/v1/phones/visits", json=body).json()
        return Mine(self.client, "phones", opened["token"]), opened


@pytest.fixture
def counter(make_till: Callable[..., Till]) -> Counter:
    return Counter(make_till(tip_minor_max=500))


def test_a_wallet_from_nothing_to_a_visit(counter: Counter) -> None:
    wallet, token = counter.open()
    seen = wallet.get().json()
    assert (seen["balance_minor"], seen["order"], seen["cards"]) == (0, ["card"], [])
    wish = {"topup_id": "t1", "amount_minor": 2500}
    assert wallet.post("/topups", json=wish).json()["amount_minor"] == 2500
    assert wallet.post("/topups", json=wish).json()["repeated"]
    assert wallet.post("/topups", json={**wish, "amount_minor": 1}).status_code == 409
    seen = wallet.get().json()
    assert (seen["balance_minor"], seen["order"]) == (2500, ["stored", "card"])
    phone, opened = counter.visit(token)
    counter.till.enter(opened["code"])
    seen = wallet.get().json()
    assert (seen["free_minor"], seen["held_minor"]) == (500, 2000)
    assert [row["held_minor"] for row in seen["visits"]] == [2000]
    counter.till.take(opened["code"], BREAD, 2)
    counter.till.leave(opened["code"])
    money = phone.get().json()["money"]
    assert [(s["source"], s["captured_minor"]) for s in money["sources"]] == [("stored", 498)]
    assert money["wallet"]
    seen = wallet.get().json()
    assert [row["kind"] for row in seen["movements"]] == ["visit", "topup"]
    assert wallet.get().headers["cache-control"] == "no-store"


def test_a_wallet_is_nobody_elses(counter: Counter) -> None:
    wallet, token = counter.open()
    payer = wallet.get().json()["payer"]
    digest = counter.till.hub.digest()
    ask = counter.client.request
    for other in (STRANGER, payer + "x" * 20):
        wrong = Mine(counter.client, "wallets", other)
        assert wrong.get().status_code == 404
        assert wrong.get("/events").status_code == 404
        assert wrong.ask("PUT", "/order", json={"order": ["card"]}).status_code == 404
        wish = {"topup_id": "t", "amount_minor": 100}
        assert wrong.post("/topups", json=wish).status_code == 404
        pay = {"pay_id": "p", "visit_id": "v-1"}
        assert wrong.post("/debts", json=pay).status_code == 404
    named = ask("POST", "/api/v1/phones/visits", json={"payer": payer})
    assert named.status_code == 422
    assert "secret" in named.json()["detail"]
    assert ask("POST", "/api/v1/phones/visits", json={"wallet": STRANGER}).status_code == 404
    assert counter.till.hub.digest() == digest
    kept = str(counter.till.hub.core.dump()) + str(counter.till.hub.export_json())
    assert token not in kept


def test_other_sites_pages_move_no_money(counter: Counter) -> None:
    evil = {"Origin": "https://evil.example", **bearing(counter.open()[1])}
    for method, path, body in (
        ("POST", "/api/v1/wallets", {}),
        ("POST", "/api/v1/wallets/me/topups", {"topup_id": "t", "amount_minor": 100}),
        ("PUT", "/api/v1/wallets/me/order", {"order": ["card"]}),
        ("POST", "/api/v1/wallets/me/cards", {"code": "ABCDEFGH"}),
        ("POST", "/api/v1/wallets/me/debts", {"pay_id": "p", "visit_id": "v"}),
        ("POST", "/api/v1/phones/me/tip", {"tip_id": "t", "amount_minor": 1}),
        ("POST", "/api/v1/phones/me/debt", {"pay_id": "p"}),
        ("POST", "/api/v1/staff/gift-cards", {"amount_minor": 100}),
    ):
        assert counter.client.request(method, path, json=body, headers=evil).status_code == 403


def test_a_card_from_staff_to_balance(counter: Counter) -> None:
    wallet, _token = counter.open()
    made = counter.card(1500)
    assert made["code"] not in str(counter.till.hub.core.dump())
    assert code_sha256(made["code"]) == code_sha256(made["code"].lower().replace("-", " "))
    client = counter.client
    took = wallet.post("/cards", json={"code": made["code"].lower()})
    assert took.json()["amount_minor"] == 1500
    other, _ = counter.open()
    assert other.post("/cards", json={"code": made["code"]}).status_code == 409
    second = counter.card(700)
    body = {"code": second["code"], "redeem": False}
    assert wallet.post("/cards", json=body).status_code == 200
    seen = wallet.get().json()
    assert seen["order"] == [f"gift:{second['card_id']}", "stored", "card"]
    order = {"order": ["stored", f"gift:{second['card_id']}"]}
    assert wallet.ask("PUT", "/order", json=order).status_code == 200
    assert wallet.get().json()["order"] == order["order"]
    path = f"/api/v1/staff/gift-cards/{second['card_id']}"
    assert client.put(path, json={"blocked": True}).status_code == 200
    cards = client.get("/api/v1/staff/gift-cards").json()
    assert [(card["blocked"], card["redeemed"]) for card in cards] == [(True, False), (False, True)]
    assert client.put("/api/v1/staff/gift-cards/g-none", json={"blocked": True}).status_code == 404


def test_guessing_codes_is_slowed(counter: Counter) -> None:
    wallet, _token = counter.open()
    for _ in range(10):
        answer = wallet.post("/cards", json={"code": "GUESSGUESS"})
        assert answer.status_code == 404
    made = counter.card(100)
    answer = wallet.post("/cards", json={"code": made["code"]})
    assert answer.status_code == 429


def test_a_guest_pays_with_a_card_and_tips(counter: Counter) -> None:
    made = counter.card(2500)
    phone, opened = counter.visit()
    assert phone.post("/card", json={"code": made["code"]}).status_code == 200
    counter.till.shop(opened["code"], 1)
    seen = phone.get().json()["money"]
    assert (seen["tip_minor_max"], seen["tip_paid_minor"]) == (500, 0)
    tip = {"tip_id": "t", "amount_minor": 100}
    assert phone.post("/tip", json=tip).status_code == 200
    assert phone.post("/tip", json=tip).json()["repeated"]
    late = {"tip_id": "u", "amount_minor": 100}
    assert phone.post("/tip", json=late).status_code == 409
    seen = phone.get().json()["money"]
    assert (seen["tip_minor_max"], seen["tip_paid_minor"]) == (0, 100)


def test_a_debt_is_seen_paid_and_waived(make_till: Callable[..., Till]) -> None:
    counter = Counter(make_till(debt_block_minor=300))
    wallet, token = counter.open()
    client = counter.client
    opened = []
    for _ in range(2):
        opened.append(counter.visit(token))
        counter.till.shop(opened[-1][1]["code"], 9, BREAD)
    seen = wallet.get().json()
    assert seen["debt_minor"] == 482
    first, second = (row["visit_id"] for row in seen["debts"])
    assert opened[0][0].get().json()["money"]["debt_minor"] == 241
    pay = {"pay_id": "p", "visit_id": first}
    assert wallet.post("/debts", json={**pay, "source": "stored"}).status_code == 422
    assert wallet.post("/debts", json=pay).json()["amount_minor"] == 241
    staff = client.get(f"/api/v1/staff/wallets/{seen['payer']}").json()
    assert (staff["debt_minor"], staff["wallet"]) == (241, True)
    waive = {"visit_id": second, "waive_id": "w", "reason": "goodwill"}
    assert client.post("/api/v1/staff/debts/waive", json=waive).json()["amount_minor"] == 241
    assert wallet.get().json()["debt_minor"] == 0
    assert opened[0][0].post("/debt", json={"pay_id": "q"}).status_code == 422
    assert client.get("/api/v1/staff/wallets/nobody").status_code == 404


def test_staff_see_what_a_payer_without_a_wallet_owes(counter: Counter) -> None:
    counter.till.visit("code-one-1", payer="anna")
    counter.till.shop("code-one-1", 9, BREAD)
    seen = counter.client.get("/api/v1/staff/wallets/anna").json()
    assert (seen["wallet"], seen["debt_minor"], len(seen["debts"])) == (False, 241, 1)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/staff/gift-cards"),
        ("GET", "/api/v1/staff/gift-cards"),
        ("PUT", "/api/v1/staff/gift-cards/g-1"),
        ("POST", "/api/v1/staff/debts/waive"),
        ("GET", "/api/v1/staff/wallets/anna"),
    ],
)
def test_staffs_part_needs_the_password(
    make_till: Callable[..., Till], method: str, path: str
) -> None:
    counter = Counter(make_till(), PASSWORD)
    digest = counter.till.hub.digest()
    assert counter.client.request(method, path, json={}).status_code == 401
    assert counter.till.hub.digest() == digest


def test_no_secret_and_no_code_is_in_the_database(
    make_till: Callable[..., Till], tmp_path: Path
) -> None:
    counter = Counter(make_till(url=f"sqlite:///{tmp_path / 'hub.sqlite'}"))
    wallet, token = counter.open()
    code = counter.card(500)["code"]
    wallet.post("/cards", json={"code": code})
    phone, _opened = counter.visit(token)
    counter.till.hub.export_json()
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert b"open_wallet" in kept
    for secret in (token, code, code.replace("-", ""), phone.token):
        assert secret.encode() not in kept
