"""Stripe's adapter where Stripe is not like the in-house gateway: errors, keys, currencies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from hub.errors import GatewaySetupError, GatewayTimeoutError, StoreError
from hub.store.service import Store
from hub.wallet.book import Card, MemoryBook, SqlBook
from hub.wallet.gateway import AskKind, GatewayRequest
from hub.wallet.stripe import StripeGateway
from hub.wallet.stripe_terms import from_stripe, idempotency, to_stripe
from tests.hub.stripe_double import KEY, StripeDouble

COLA = "4006381333931"
HOLD = "v-1:hold"


@pytest.fixture
def double() -> Iterator[StripeDouble]:
    made = StripeDouble()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def open_gateway(double: StripeDouble) -> Iterator[Callable[..., StripeGateway]]:
    opened: list[StripeGateway] = []

    def made(**more: Any) -> StripeGateway:
        book = more.pop("book", None) or MemoryBook()
        for name in ("p", "poor", "asks", "nobody"):
            method = {"p": "pm_good"}.get(name, f"pm_{name}")
            book.save_card(name, Card("cus_gone" if name == "nobody" else "cus_p", method))
        values = {"store_id": "tiny", "currency": "EUR", "api_base": double.url, "timeout_s": 5.0}
        gateway = StripeGateway(more.pop("key", KEY), book=book, **{**values, **more})
        opened.append(gateway)
        return gateway

    yield made
    for gateway in opened:
        gateway.close()


@pytest.fixture
def gateway(open_gateway: Callable[..., StripeGateway]) -> StripeGateway:
    return open_gateway()


def _ask(
    kind: AskKind, key: str, amount: int = 500, payer: str = "p", currency: str = "EUR"
) -> GatewayRequest:
    return GatewayRequest(key, kind, HOLD, payer, amount, currency)


def test_a_hold_is_made_then_confirmed_off_session(
    gateway: StripeGateway, double: StripeDouble
) -> None:
    assert gateway.ask(_ask("hold", HOLD)).outcome == "approved"
    (create,) = double.posts("/payment_intents")
    (confirm,) = double.posts("/confirm")
    assert create[2]["capture_method"] == "manual"
    assert create[2]["metadata"] == {
        "sortie_key": HOLD, "sortie_store": "tiny", "sortie_payer": "p",
    }  # fmt: skip
    assert confirm[2] == {"off_session": "true"}
    gateway.ask(_ask("capture", "c", 300))
    gateway.ask(_ask("refund", "r", 100))
    keys = [row[3] for row in double.seen if row[0] == "POST"]
    assert keys == [f"sortie:tiny:{name}" for name in (HOLD, f"{HOLD}:confirm", "c", "r")]


@pytest.mark.parametrize(
    ("payer", "reason"),
    [
        ("poor", "card declined: insufficient funds"),
        ("asks", "the bank wants the shopper's approval; save the card again"),
        ("stranger", "no card is saved for this payer"),
        ("nobody", "refused: resource_missing"),
    ],
)
def test_a_decline_has_a_clean_reason(gateway: StripeGateway, payer: str, reason: str) -> None:
    answer = gateway.ask(_ask("hold", HOLD, payer=payer))
    assert (answer.outcome, answer.reason) == ("declined", reason)
    assert gateway.ask(_ask("hold", HOLD, payer=payer)).outcome == "declined"
    assert gateway.totals().holds_open == 0


@pytest.mark.parametrize("kind", ["hold", "capture", "void", "refund"])
@pytest.mark.parametrize("fault", ["500_before", "500_after", "429", "in_use", "garbage"])
def test_an_error_of_stripes_own_moves_money_once(
    gateway: StripeGateway, double: StripeDouble, kind: AskKind, fault: Any
) -> None:
    """Stripe repeats a stored error 500 under the key; after 500_after it was done all the same."""
    if kind != "hold":
        gateway.ask(_ask("hold", HOLD))
    if kind == "refund":
        gateway.ask(_ask("capture", "c", 400))
    where = {"hold": "/confirm", "capture": "/capture", "void": "/cancel", "refund": "POST .*refun"}
    double.fault(where[kind], fault)
    key, amount = (HOLD, 500) if kind == "hold" else ("again", 200)
    try:
        outcome = gateway.ask(_ask(kind, key, amount)).outcome
    except GatewayTimeoutError:
        assert fault != "500_after", "what is done is seen at once"
        if fault == "500_before":
            # The stored error stands until Stripe forgets the key.
            with pytest.raises(GatewayTimeoutError):
                gateway.ask(_ask(kind, key, amount))
            double.forget_keys()
        outcome = gateway.ask(_ask(kind, key, amount)).outcome
    assert outcome == "approved"
    totals = gateway.totals()
    assert totals.captured_minor == {"capture": 200, "refund": 400}.get(kind, 0)
    assert totals.refunded_minor == (200 if kind == "refund" else 0)
    assert totals.holds_open == (1 if kind == "hold" else 0)


@pytest.mark.parametrize("kind", ["hold", "capture", "void", "refund"])
def test_asked_again_after_stripe_forgot_the_key(
    gateway: StripeGateway, double: StripeDouble, kind: AskKind
) -> None:
    """A hub that was away for days asks again under a key that Stripe no longer knows."""
    if kind != "hold":
        gateway.ask(_ask("hold", HOLD))
    if kind == "refund":
        gateway.ask(_ask("capture", "c", 400))
    where = {"hold": "/confirm", "capture": "/capture", "void": "/cancel", "refund": "POST .*refun"}
    double.fault(where[kind], "drop_after")
    key, amount = (HOLD, 500) if kind == "hold" else ("again", 200)
    with pytest.raises(GatewayTimeoutError):
        gateway.ask(_ask(kind, key, amount))
    double.forget_keys()
    assert gateway.ask(_ask(kind, key, amount)).outcome == "approved"
    if kind != "void":
        other = gateway.ask(_ask(kind, key, amount + 1)).outcome
        assert other == "conflict"
    assert len(list(gateway.holds())) == 1
    assert gateway.totals().refunded_minor == (200 if kind == "refund" else 0)


def test_a_hold_is_found_by_our_key_when_its_id_was_lost(
    open_gateway: Callable[..., StripeGateway], double: StripeDouble
) -> None:
    open_gateway().ask(_ask("hold", HOLD))
    fresh = open_gateway()
    assert fresh.ask(_ask("capture", "c", 200)).outcome == "approved"
    assert len(double.posts("/payment_intents")) == 1


def test_a_void_uses_the_key_up_so_that_the_hold_cannot_come_later(
    gateway: StripeGateway, double: StripeDouble
) -> None:
    double.fault("POST .*/payment_intents$", "drop_before")
    with pytest.raises(GatewayTimeoutError):
        gateway.ask(_ask("hold", HOLD))
    assert gateway.ask(_ask("void", "v")).outcome == "approved"
    assert double.posts("/confirm") == [], "no card was touched"
    (intent,) = double.intents.values()
    assert intent["status"] == "canceled"
    assert gateway.ask(_ask("hold", HOLD)).outcome == "expired"
    assert gateway.totals().holds_open == 0


@pytest.mark.parametrize("kind", ["hold", "capture", "void", "refund"])
def test_a_wrong_key_is_loud_and_no_decline(
    open_gateway: Callable[..., StripeGateway], kind: AskKind
) -> None:
    book = MemoryBook()
    open_gateway(book=book).ask(_ask("hold", HOLD))
    broken = open_gateway(key="sk_test_other", book=book)
    with pytest.raises(GatewaySetupError, match="SORTIE_HUB_STRIPE_SECRET_KEY"):
        broken.ask(_ask(kind, HOLD if kind == "hold" else "x", 500))


def test_a_server_that_is_not_stripe_is_loud(
    open_gateway: Callable[..., StripeGateway], double: StripeDouble
) -> None:
    gateway = open_gateway(api_base=f"{double.url}/elsewhere")
    with pytest.raises(GatewaySetupError, match="does not understand"):
        gateway.ask(_ask("hold", HOLD))


def test_nobody_there(open_gateway: Callable[..., StripeGateway]) -> None:
    gateway = open_gateway(api_base="http://127.0.0.1:9")
    with pytest.raises(GatewayTimeoutError):
        gateway.ask(_ask("hold", HOLD))
    with pytest.raises(GatewayTimeoutError):
        gateway.totals()


def test_other_currencies_and_kinds(gateway: StripeGateway, double: StripeDouble) -> None:
    answer = gateway.ask(_ask("hold", HOLD, currency="USD"))
    assert (answer.outcome, answer.reason) == ("declined", "expected EUR, got USD")
    assert double.seen == []
    song: Any = "song"
    with pytest.raises(GatewaySetupError, match="song"):
        gateway.ask(_ask(song, "s"))


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [("EUR", 740, 740), ("JPY", 740, 740), ("ISK", 740, 74000), ("UGX", 5, 500)],
)
def test_amounts_are_in_the_currencys_units(
    open_gateway: Callable[..., StripeGateway],
    double: StripeDouble,
    currency: str,
    ours: int,
    theirs: int,
) -> None:
    assert (to_stripe(ours, currency), from_stripe(theirs, currency)) == (
        ours * theirs // ours,
        ours,
    )
    gateway = open_gateway(currency=currency)
    assert gateway.ask(_ask("hold", HOLD, ours, currency=currency)).outcome == "approved"
    (intent,) = double.intents.values()
    assert (intent["amount"], intent["currency"]) == (theirs, currency.lower())
    assert gateway.ask(_ask("capture", "c", ours, currency=currency)).outcome == "approved"
    assert gateway.totals().captured_minor == ours


@pytest.mark.parametrize("currency", ["KWD", "BHD", "MGA"])
def test_currencies_that_stripe_takes_in_steps_are_refused(
    open_gateway: Callable[..., StripeGateway], currency: str
) -> None:
    with pytest.raises(GatewaySetupError, match=currency):
        open_gateway(currency=currency)
    with pytest.raises(GatewaySetupError):
        from_stripe(150, "ISK")


def test_totals_read_every_page_and_no_other_store(
    open_gateway: Callable[..., StripeGateway], double: StripeDouble
) -> None:
    gateway, other = open_gateway(), open_gateway(store_id="other")
    for number in range(205):
        key = f"v-{number}:hold"
        gateway.ask(GatewayRequest(key, "hold", key, "p", 100, "EUR"))
    other.ask(_ask("hold", HOLD, 7_000))
    assert gateway.totals().held_minor == 20_500
    assert other.totals().held_minor == 7_000
    pages = [row for row in double.seen if row[:2] == ("GET", "/v1/payment_intents")]
    assert len(pages) == 6


@pytest.mark.parametrize("releases", [True, False])
def test_what_was_never_captured_is_no_refund(
    gateway: StripeGateway, double: StripeDouble, releases: bool
) -> None:
    double.releases_as_refunds = releases
    gateway.ask(_ask("hold", HOLD))
    gateway.ask(_ask("capture", "c", 300))
    assert gateway.totals().refunded_minor == 0
    gateway.ask(_ask("refund", "r", 200))
    assert gateway.totals().refunded_minor == 200
    double.refunds["re_x"] = {
        "id": "re_x", "object": "refund", "amount": 50, "payment_intent": "pi_000001",
        "status": "succeeded", "reason": "requested_by_customer", "metadata": {},
    }  # fmt: skip
    assert gateway.totals().refunded_minor == 250, "a refund by hand at Stripe counts"
    double.refunds["re_x"]["status"] = "failed"
    assert gateway.totals().refunded_minor == 200


def test_a_failed_refund_is_declined(gateway: StripeGateway, double: StripeDouble) -> None:
    gateway.ask(_ask("hold", HOLD))
    gateway.ask(_ask("capture", "c", 300))
    gateway.ask(_ask("refund", "r", 200))
    next(r for r in double.refunds.values() if r["metadata"])["status"] = "failed"
    double.forget_keys()
    assert gateway.ask(_ask("refund", "r", 200)).outcome == "declined"


def test_keys_fit_what_stripe_takes() -> None:
    assert idempotency("demo", "v:hold") == "sortie:demo:v:hold"
    long = idempotency("demo", "x" * 300)
    assert len(long) <= 255
    assert long != idempotency("demo", "x" * 301)


def test_the_library_does_not_retry_by_itself(gateway: StripeGateway, double: StripeDouble) -> None:
    double.fault("POST .*/payment_intents$", "drop_before")
    with pytest.raises(GatewayTimeoutError):
        gateway.ask(_ask("hold", HOLD))
    assert len(double.posts("/payment_intents")) == 1
    assert isinstance(gateway.client, stripe.StripeClient)


def test_the_book_keeps_ids_in_the_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    Store(url).close()
    book = SqlBook(url, now=lambda: 5.0)
    assert book.card("p") is None
    assert book.intent("k") == (False, None)
    book.save_card("p", Card("cus_1", "pm_1"))
    book.save_card("p", Card("cus_1", "pm_2"))
    book.save_intent("k", None)
    assert book.intent("k") == (True, None)
    book.save_intent("k", "pi_1")
    book.close()
    again = SqlBook(url)
    assert again.card("p") == Card("cus_1", "pm_2")
    assert again.intent("k") == (True, "pi_1")
    again.close()
    empty = SqlBook(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    with pytest.raises(StoreError, match="cannot be read"):
        empty.card("p")
    with pytest.raises(StoreError, match="not stored"):
        empty.save_card("p", Card("a", "b"))
    empty.close()


@pytest.mark.parametrize("where", ["/payment_intents$", "/confirm", "/capture"])
def test_an_answer_that_is_too_slow(
    open_gateway: Callable[..., StripeGateway], double: StripeDouble, where: str
) -> None:
    gateway = open_gateway(timeout_s=0.2)
    hold, capture = _ask("hold", HOLD), _ask("capture", "c", 300)
    asked = capture if where == "/capture" else hold
    if asked is capture:
        gateway.ask(hold)
    double.fault(f"POST .*{where}", "stall")
    with pytest.raises(GatewayTimeoutError):
        gateway.ask(asked)
    assert gateway.ask(asked).outcome == "approved"
    assert len(double.intents) == 1


def test_a_hub_killed_between_gateway_and_ledger_charges_once(
    make_shop: Callable[..., Any],
    open_gateway: Callable[..., StripeGateway],
    double: StripeDouble,
    day: Any,
) -> None:
    gateway = open_gateway()
    shop = make_shop("hub.sqlite", gateway=gateway, ask_inline=False)

    def answer(*, keep: bool) -> list[str]:
        asked = []
        while shop.hub.asks:
            request = shop.hub.asks.popleft()
            asked.append(request.kind)
            told = shop.hub.ask_gateway(request)
            if keep:
                shop.hub.command(told, shop.now_s)
        return asked

    shop.open_visit("code-one", payer="p")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play([row for row in day.script if row[0] < 1.4], 1.4)
    assert answer(keep=True) == ["hold"]
    shop.play([row for row in day.script if row[0] >= 1.4], 9.0)
    assert answer(keep=False) == ["capture"], "Stripe has it, the hub does not know"
    now_s = shop.now_s
    shop.hub.close()
    shop = make_shop("hub.sqlite", gateway=gateway, ask_inline=False)
    shop.now_s = now_s
    shop.hub.recover()
    assert answer(keep=True) == ["capture"]
    (intent,) = double.intents.values()
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 119)
    assert shop.hub.core.state.wallets.ledger.posted("clearing") == 119
    assert gateway.totals().captured_minor == 119


def test_a_visit_is_paid_through_stripe(
    make_shop: Callable[..., Any],
    open_gateway: Callable[..., StripeGateway],
    double: StripeDouble,
    day: Any,
) -> None:
    gateway = open_gateway()
    shop = make_shop("hub.sqlite", gateway=gateway)
    double.fault("/confirm", "drop_after")
    double.fault("/capture", "500_after")
    visit_id = shop.open_visit("code-one", payer="p")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 12.0)
    (intent,) = double.intents.values()
    assert intent["metadata"]["sortie_key"] == f"{visit_id}:hold"
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 119)
    assert shop.hub.core.state.wallets.ledger.posted("clearing") == 119
    assert shop.hub.export_json()["gateway"] is None, "nobody waits for a far gateway's lists"


def test_a_wrong_key_refuses_no_shopper_silently(
    make_shop: Callable[..., Any], open_gateway: Callable[..., StripeGateway], day: Any
) -> None:
    shop = make_shop(gateway=open_gateway(key="sk_test_other"))
    shop.open_visit("code-one", payer="p")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 3.0)
    assert shop.hub.live.counts["gateway_setup_errors"] >= 1
    assert "SORTIE_HUB_STRIPE_SECRET_KEY" in shop.hub.gateway_fault
    (visit,) = shop.hub.core.state.visits.values()
    assert visit.stage == "entering", "it is asked again, not declined"
