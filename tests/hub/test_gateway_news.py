"""What the gateway says by itself: signed, fresh, once, and journaled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from hub import commands as c
from hub.api.app import create_app
from hub.driver import Driver
from hub.errors import RejectedError
from hub.rules import Rules
from hub.settings import HubSettings
from hub.store.verify import verify
from hub.wallet.book import Card, MemoryBook
from hub.wallet.stripe import StripeGateway
from hub.wallet.stripe_news import CardSaved, IntentOf, check_signature, read_news
from tests.hub.bearing import bearing
from tests.hub.stripe_double import KEY, StripeDouble
from tests.hub.test_hub_api import Client

COLA = "4006381333931"
SECRET = "whsec_test_secret"
NOW_S = 1_800_000_000.0


def _body(kind: str, item: dict[str, Any], *, live: bool = False) -> bytes:
    event = {"id": "evt_1", "type": kind, "livemode": live, "data": {"object": item}}
    return json.dumps(event).encode()


def _signature(body: bytes, at_s: float = NOW_S, secret: str = SECRET) -> str:
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at_s)))


def _canceled(hold_key: str, reason: str | None = "automatic", store: str = "tiny") -> bytes:
    item = {
        "id": "pi_000001", "amount": 2000, "currency": "eur", "cancellation_reason": reason,
        "metadata": {"sortie_key": hold_key, "sortie_store": store, "sortie_payer": "p"},
    }  # fmt: skip
    return _body("payment_intent.canceled", item)


# -- is it Stripe ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (None, "Stripe-Signature"),
        ("", "Stripe-Signature"),
        ("t=1", "Stripe-Signature"),
        ("t=x,v1=00", "Stripe-Signature"),
        ("v1=00", "Stripe-Signature"),
        (_signature(b"{}", secret="whsec_another_one"), "Stripe-Signature"),
        (_signature(b'{"a": 1}'), "Stripe-Signature"),
        (_signature(b"{}", NOW_S - 301), "another time"),
        (_signature(b"{}", NOW_S + 301), "another time"),
    ],
)
def test_a_body_that_is_not_stripes_is_refused(header: str | None, why: str) -> None:
    with pytest.raises(RejectedError, match=why):
        check_signature(b"{}", header, secret=SECRET, now_s=NOW_S)


def test_a_signed_fresh_body_is_believed() -> None:
    check_signature(b"{}", _signature(b"{}", NOW_S - 299), secret=SECRET, now_s=NOW_S)
    with pytest.raises(RejectedError):
        check_signature(b"\xff", _signature(b"{}"), secret=SECRET, now_s=NOW_S)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"type": 1}', _body("payment_intent.canceled", {}),
     _body("charge.dispute.created", {"payment_intent": "pi_1"}),
     _body("setup_intent.succeeded", {"metadata": None})],
)  # fmt: skip
def test_a_body_without_what_it_should_hold(body: bytes) -> None:
    with pytest.raises(RejectedError, match="expected"):
        read_news(body, store_id="tiny", live=False)


def test_live_and_test_do_not_mix() -> None:
    with pytest.raises(RejectedError, match="modes"):
        read_news(_body("x", {}, live=True), store_id="tiny", live=False)


def test_what_events_mean() -> None:
    news = read_news(_canceled("v-1:hold"), store_id="tiny", live=False)
    assert isinstance(news, c.GatewayTold)
    assert (news.fact, news.visit_id, news.amount_minor) == ("hold_gone", "v-1", 2000)
    ours = _canceled("v-1:hold", "abandoned")
    assert read_news(ours, store_id="tiny", live=False) is None, "the hub let it go itself"
    assert read_news(_canceled("v-1:hold", store="x"), store_id="tiny", live=False) is None
    assert read_news(_body("invoice.paid", {}), store_id="tiny", live=False) is None
    dispute = {"id": "dp_1", "amount": 119, "reason": "fraudulent", "payment_intent": "pi_1"}
    made = read_news(_body("charge.dispute.created", dispute), store_id="tiny", live=False)
    assert made == IntentOf("pi_1", "dp_1:disputed", "disputed", 119, "fraudulent", "dp_1")
    closed = _body("charge.dispute.closed", {**dispute, "status": "lost"})
    lost = read_news(closed, store_id="tiny", live=False)
    assert isinstance(lost, IntentOf)
    assert lost.fact == "dispute_lost"
    warned = _body("charge.dispute.closed", {**dispute, "status": "warning_closed"})
    asked_only = read_news(warned, store_id="tiny", live=False)
    assert isinstance(asked_only, IntentOf)
    assert asked_only.fact == "dispute_won", "the bank only asked"
    refund = {"id": "re_1", "amount": 50, "status": "failed", "payment_intent": "pi_1"}
    failed = read_news(_body("refund.failed", refund), store_id="tiny", live=False)
    assert failed == IntentOf("pi_1", "re_1:failed", "refund_failed", 50, "")
    named = {**refund, "metadata": {"sortie_key": "v-1:refund:1"}}
    key_told = read_news(_body("refund.failed", named), store_id="tiny", live=False)
    assert isinstance(key_told, IntentOf)
    assert key_told.refund_key == "v-1:refund:1"
    off = _body("refund.updated", {**refund, "status": "canceled"})
    assert read_news(off, store_id="tiny", live=False) == failed, "somebody took it back at Stripe"
    well = _body("refund.updated", {**refund, "status": "succeeded"})
    assert read_news(well, store_id="tiny", live=False) is None
    setup = {
        "customer": "cus_1", "payment_method": "pm_1",
        "metadata": {"sortie_store": "tiny", "sortie_payer": "p"},
    }  # fmt: skip
    saved = read_news(_body("setup_intent.succeeded", setup), store_id="tiny", live=False)
    assert saved == CardSaved("p", "cus_1", "pm_1")


# -- what the hub does with it --------------------------------------------------------------------


def _told(visit_id: str, fact: Any, fact_id: str = "f-1") -> c.GatewayTold:
    return c.GatewayTold(
        fact_id=fact_id, fact=fact, visit_id=visit_id, hold_key=f"{visit_id}:hold", amount_minor=119
    )


def _kinds(shop: Any) -> list[str]:
    return [row["kind"] for row in shop.hub.export_json()["events"]]


def test_a_hold_that_is_gone_expires_and_the_charge_becomes_a_debt(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 3.0)
    reply = shop.hub.command(_told(visit_id, "hold_gone"), shop.now_s)
    assert not reply.repeated
    assert shop.hub.core.state.wallets.accounts[visit_id].state == "expired"
    digest = shop.hub.digest()
    assert shop.hub.command(_told(visit_id, "hold_gone"), shop.now_s).repeated
    assert shop.hub.digest() == digest, "told again, nothing changed"
    shop.play([row for row in day.script if row[0] > 3.0], 12.0)
    account = shop.hub.core.state.wallets.accounts[visit_id]
    assert (account.charged_minor, account.debt_minor) == (0, 119)
    assert _kinds(shop).count("hold.voided") == 1


def test_a_hold_told_gone_while_it_is_captured_waits_for_the_answer(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 12.0)
    before = shop.hub.core.state.wallets.dump()
    shop.hub.command(_told(visit_id, "hold_gone"), shop.now_s)
    assert shop.hub.core.state.wallets.dump() == before
    assert "gateway.hold_gone" in _kinds(shop)


@pytest.mark.parametrize(
    ("fact", "review"),
    [("disputed", True), ("dispute_lost", True), ("refund_failed", True), ("dispute_won", False)],
)
def test_facts_are_written_down_and_money_stays(
    shop: Any, day: Any, fact: str, review: bool
) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 12.0)
    before = shop.hub.core.state.wallets.dump()
    shop.hub.command(_told(visit_id, fact), shop.now_s)
    assert shop.hub.core.state.wallets.dump() == before
    assert _kinds(shop)[-1] == f"gateway.{fact}"
    assert shop.hub.core.state.visits[visit_id].needs_review is review


def test_a_fact_about_a_visit_nobody_knows_is_only_logged(shop: Any) -> None:
    shop.hub.command(_told("v-unknown", "disputed"), 1.0)
    last = shop.hub.export_json()["events"][-1]
    assert (last["kind"], last["visit_id"]) == ("gateway.disputed", None)


def test_a_visit_of_the_past_is_recalled(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop("hub.sqlite", rules=Rules(visits_final_kept=1))
    first = shop.open_visit("code-one")
    shop.open_visit("code-two")
    shop.open_visit("code-three")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    day.shop(8.0, "t2", "code-two", [(COLA, True)])
    day.shop(15.0, "t3", "code-three", [(COLA, True)])
    shop.play(day.script, 27.0)
    assert first not in shop.hub.core.state.visits
    shop.hub.command(_told(first, "disputed"), shop.now_s)
    assert shop.hub.core.state.visits[first].needs_review


@pytest.mark.parametrize("snapshot_every", [1, 20_000])
def test_replay_gives_the_same_hub(
    make_shop: Callable[..., Any], day: Any, tmp_path: Path, attributor: Any, snapshot_every: int
) -> None:
    shop = make_shop("hub.sqlite", snapshot_every=snapshot_every)
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 12.0)
    shop.hub.command(_told(visit_id, "disputed"), shop.now_s)
    shop.hub.tick(shop.now_s)
    wallets = shop.hub.core.state.wallets.dump()
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest
    shop.hub.close()
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    assert verify(url, attributor, Rules(clock_wait_s=0.0)).findings == ()
    again = make_shop("hub.sqlite")
    assert again.hub.core.state.told == {"f-1": "disputed"}
    assert again.hub.core.state.wallets.dump() == wallets
    assert again.hub.command(_told(visit_id, "disputed"), 60.0).repeated


# -- over HTTP ------------------------------------------------------------------------------------


class Till:
    """The application with Stripe's double behind it."""

    def __init__(self, shop: Any, double: StripeDouble, gateway: StripeGateway) -> None:
        self.double, self.gateway, self.hub = double, gateway, shop.hub
        self.now_s = NOW_S
        self.driver = Driver(shop.hub, lambda: self.now_s)
        values: dict[str, Any] = {
            "store_file": Path("x"), "gateway": "stripe", "stripe_secret_key": KEY,
            "stripe_webhook_secret": SECRET, "staff_password": "correct horse battery",
        }  # fmt: skip
        self.client = Client(create_app(self.driver, HubSettings(**values)))

    def tell(self, body: bytes, signature: str | None = None) -> Any:
        headers = {"stripe-signature": signature or _signature(body)}
        return self.client.post("/api/v1/gateway/stripe", content=body, headers=headers)


@pytest.fixture
def till(make_shop: Callable[..., Any]) -> Iterator[Till]:
    double = StripeDouble()
    double.start()
    book = MemoryBook()
    book.save_card("p", Card("cus_p", "pm_good"))
    gateway = StripeGateway(
        KEY, store_id="tiny", currency="EUR", book=book, api_base=double.url, timeout_s=5.0
    )
    yield Till(make_shop(gateway=gateway), double, gateway)
    gateway.close()
    double.stop()


def test_a_webhook_becomes_a_fact_once(till: Till) -> None:
    body = _canceled("v-9:hold")
    assert till.tell(body).json() == {"used": True}
    assert till.tell(body).json() == {"used": False}
    kinds = [row["kind"] for row in till.hub.export_json()["events"]]
    assert kinds.count("gateway.hold_gone") == 1
    assert till.tell(_body("invoice.paid", {})).json() == {"used": False}


def test_a_forged_webhook_changes_nothing(till: Till) -> None:
    before = till.hub.digest()
    body = _canceled("v-9:hold")
    forged = till.tell(body, _signature(body, secret="whsec_another_one"))
    assert forged.status_code == 400
    assert till.tell(body, _signature(body, NOW_S - 4_000)).status_code == 400
    huge = b" " * 300_000
    assert till.tell(huge, "t=1,v1=0").status_code == 413
    assert till.hub.digest() == before
    assert till.hub.live.counts["webhooks_refused"] == 2


def test_a_dispute_names_the_visit_through_stripe(till: Till) -> None:
    from hub.wallet.gateway import GatewayRequest

    till.gateway.ask(GatewayRequest("v-5:hold", "hold", "v-5:hold", "p", 500, "EUR"))
    dispute = {
        "id": "dp_1", "amount": 119, "reason": "fraudulent", "payment_intent": "pi_000001",
    }  # fmt: skip
    body = _body("charge.dispute.created", dispute)
    till.double.fault("GET .*/payment_intents/", "drop_before")
    assert till.tell(body).status_code == 503, "Stripe tells it again"
    assert till.tell(body).json() == {"used": True}
    last = till.hub.export_json()["events"][-1]
    assert (last["kind"], last["data"]["hold_key"]) == ("gateway.disputed", "v-5:hold")


def test_a_card_is_saved_on_stripes_own_page(till: Till) -> None:
    opened = till.client.post("/api/v1/phones/visits").json()
    payer = f"guest-{opened['visit_id']}"
    page = till.client.post("/api/v1/phones/me/saved-card", headers=bearing(opened["token"]))
    assert page.status_code == 200
    assert page.json()["url"].startswith("https://checkout.stripe.test/")
    (setup,) = till.double.setups.values()
    assert setup["metadata"] == {"sortie_store": "tiny", "sortie_payer": payer}
    done = {**setup, "payment_method": "pm_good"}
    till.tell(_body("setup_intent.succeeded", done))
    assert till.gateway.book.card(payer) == Card(setup["customer"], "pm_good")
    text = json.dumps(till.hub.export_json())
    assert "pm_good" not in text
    assert SECRET not in text
    unknown = till.client.post("/api/v1/phones/abcdefghijklmnopqrstuvwx/saved-card")
    assert unknown.status_code == 404


def test_nobody_saves_a_card_for_a_name_that_others_may_say(till: Till) -> None:
    visits = "/api/v1/phones/visits"
    token = till.client.post(visits, json={"payer": "ann"}).json()["token"]
    refused = till.client.post("/api/v1/phones/me/saved-card", headers=bearing(token))
    assert refused.status_code == 409
    assert till.double.seen == []
    assert till.client.post(visits, json={"payer": "guest-v-1"}).status_code == 422


def test_staff_set_a_card_by_its_ids(till: Till) -> None:
    url = "/api/v1/staff/payers/ann/card"
    ids = {"customer_id": "cus_1", "method_id": "pm_1"}
    assert till.client.put(url, json=ids).status_code == 401
    login = {"password": "correct horse battery"}
    entered = till.client.post("/api/v1/staff/login", json=login)
    assert entered.status_code == 204
    assert till.client.put(url, json=ids).status_code == 403, "no page of this site asks"
    own = {"X-CSRF-Token": entered.headers["X-CSRF-Token"]}
    assert till.client.put(url, json=ids, headers=own).status_code == 204
    assert till.gateway.book.card("ann") == Card("cus_1", "pm_1")
    card_number = {"customer_id": "4242424242424242", "method_id": "pm_1"}
    assert till.client.put(url, json=card_number, headers=own).status_code == 422


def test_a_hub_without_stripe_has_no_such_doors(make_shop: Callable[..., Any]) -> None:
    driver = Driver(make_shop().hub, lambda: 1.0)
    client = Client(create_app(driver, HubSettings(store_file=Path("x"))))
    assert client.post("/api/v1/gateway/stripe", content=b"{}").status_code == 404
    token = client.post("/api/v1/phones/visits").json()["token"]
    assert client.post("/api/v1/phones/me/saved-card", headers=bearing(token)).status_code == 404
    ids = {"customer_id": "cus_1", "method_id": "pm_1"}
    assert client.put("/api/v1/staff/payers/p/card", json=ids).status_code == 404


def test_reports_over_http(till: Till, day: Any) -> None:
    login = {"password": "correct horse battery"}
    assert till.client.get("/api/v1/staff/reports/vat?day=2026-01-01").status_code == 401
    till.client.post("/api/v1/staff/login", json=login)
    report = till.client.get("/api/v1/staff/reports/vat?day=2026-01-01").json()
    assert report["rates"] == []
    page = till.client.get("/api/v1/staff/reports/vat.html?day=2026-01")
    assert "Nothing was sold" in page.text
    for wrong in ("", "today", "2026-99", "2026-02-30"):
        assert till.client.get(f"/api/v1/staff/reports/vat?day={wrong}").status_code == 422
    agreed = till.client.get("/api/v1/staff/reports/reconciliation").json()
    assert (agreed["agrees"], agreed["compared"]) == (True, 0)
    till.double.fault("GET .*/refunds", "drop_before")
    assert till.client.get("/api/v1/staff/reports/reconciliation").status_code == 503
    assert till.client.get("/api/v1/staff/fiscal").json() == {
        "entries": 0,
        "kept": False,
        "fault": None,
    }
