"""What is due at pick-up: held before it shines, charged for what was handed over, given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.commands import ChangePrice, RefundLine, RefundVisit
from hub.disputes.words import keep_words, words_of
from hub.errors import ConflictError, RejectedError
from hub.parcels.codes import digest_of
from hub.parcels.commands import (
    AddParcel,
    ClearAlarm,
    OrderedItem,
    OrderedParcel,
    PlaceOrder,
    ReturnGoods,
)
from hub.parcels.sessions import IDLE_S
from hub.parcels.stored import contact_of, keep_contact
from hub.rules import Rules
from hub.wallet.commands import OpenWallet, SetOrder, TopUp
from hub.wallet.fake import FakeGateway, Fault
from hub.wallet.gateway import GatewayRequest
from tests.hub.parcels.wall_kit import (
    BREAD,
    COLA,
    Bench,
    code_of,
    key,
    sha,
    sscc,
    store_document,
)

Make = Callable[..., Bench]


def paid_order(bench: Bench) -> None:
    """o1: two parcels, 300 each; both stand."""
    bench.order("o1", 1, 2, due=300)
    bench.stand(1, 0.05)
    bench.stand(2, 0.4)


def visit(bench: Bench) -> Any:
    (found,) = (one for one in bench.hub.core.state.visits.values() if one.stage != "expired")
    return found


def balance(bench: Bench, account: str) -> int:
    return int(bench.hub.core.state.wallets.ledger.posted(account))


def test_paid_at_the_wall_with_vat_and_a_receipt(bench: Bench) -> None:
    paid_order(bench)
    bench.scan(code_of("o1"))
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}
    assert bench.gateway.totals().held_minor == 600
    bench.lift(1)
    bench.lift(2)
    bench.wait(6.0)
    assert bench.gateway.totals().captured_minor == 600
    (receipt,) = bench.hub.export_json()["receipts"]
    assert (receipt["total_minor"], receipt["number"]) == (600, 1)
    assert [line["reaches"] for line in receipt["lines"]] == [
        [f"parcel:{key(1)}"], [f"parcel:{key(2)}"],
    ]  # fmt: skip
    assert (balance(bench, "clearing"), balance(bench, "vat:0.1900")) == (600, -96)


def test_what_is_left_behind_is_not_charged(bench: Bench) -> None:
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.wait(IDLE_S + 1.0)
    assert bench.gateway.totals().captured_minor == 300
    assert bench.gateway.totals().holds_open == 0
    bench.scan(code_of("o1"))
    assert bench.gateway.totals().held_minor == 300
    bench.lift(2)
    bench.wait(6.0)
    assert bench.gateway.totals().captured_minor == 600
    assert len(bench.hub.export_json()["receipts"]) == 2


def test_nothing_taken_costs_nothing(bench: Bench) -> None:
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.wait(IDLE_S + 1.0)
    assert bench.gateway.totals().captured_minor == 0
    assert bench.gateway.totals().holds_open == 0
    assert bench.hub.export_json()["receipts"] == []
    assert bench.state_of(1) == "ready"


def test_a_declined_card_sees_nothing_green(bench: Bench) -> None:
    bench.order("o1", 1, due=300, payer="declined-anna")
    bench.stand(1)
    bench.scan(code_of("o1"))
    assert (bench.session().state, bench.session().reason) == ("refused", "unpaid")
    assert bench.looks() == {}
    assert bench.state_of(1) == "ready"
    bench.lift(1)
    assert bench.alarms() == ["taken_by_nobody"]


def test_an_order_that_is_paid_is_shown_though_another_is_declined(bench: Bench) -> None:
    bench.order("o1", 1, due=300, payer="declined-anna", token_sha256=sha("phone"))
    bench.order("o2", 2, token_sha256=sha("phone"))
    bench.stand(1, 0.05)
    bench.stand(2, 0.5)
    bench.scan(bench.phone_code("phone"))
    assert bench.looks() == {"t2": "take_a", "t1": "not_this"}
    assert bench.session().unpaid == ["o1"]
    bench.lift(1)
    assert (bench.session().state, bench.alarms()) == ("wrong", ["unpaid_taken"])


def faulty(kind: str, fault: Fault, times: int) -> FakeGateway:
    def plan(request: GatewayRequest, asked: int) -> Fault:
        return fault if request.kind == kind and asked < times else "none"

    return FakeGateway(faults=plan)


@pytest.mark.parametrize("fault", ["timeout", "lost"])
def test_nothing_shines_before_the_answer_is_there(make_bench: Make, fault: Fault) -> None:
    bench = make_bench(gateway=faulty("hold", fault, 2))
    paid_order(bench)
    bench.scan(code_of("o1"))
    assert (bench.session().state, bench.looks()) == ("reading", {})
    bench.lift(1)
    assert bench.session().state == "wrong"
    bench.stand(1, 0.05)
    bench.wait(5.0)
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}
    bench.lift(1)
    bench.lift(2)
    bench.wait(6.0)
    assert bench.gateway.totals().captured_minor == 600


def test_a_gateway_that_never_answers_sends_to_the_desk(make_bench: Make) -> None:
    bench = make_bench(gateway=faulty("hold", "lost", 99))
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.wait(30.0)
    assert bench.events("pickup.unpaid")
    assert bench.gateway.totals().holds_open == 0, "what it held after all is let go"
    assert bench.looks() == {}


def test_an_answer_after_the_customer_left_holds_nothing(make_bench: Make) -> None:
    bench = make_bench(
        gateway=faulty("hold", "timeout", 3),
    )
    bench.rules = bench.rules.model_copy(update={"gateway_backoff_s": 20.0})
    bench.hub.core.state.rules = bench.rules
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.wait(IDLE_S + 1.0)
    assert bench.wall().live() == []
    bench.wait(120.0)
    assert bench.gateway.totals().holds_open == 0
    assert bench.gateway.totals().captured_minor == 0
    assert bench.hub.core.state.open_visits() == []
    bench.hub.core.state.rules = type(bench.rules)()


def test_a_capture_that_cannot_be_had_is_owed(make_bench: Make) -> None:
    bench = make_bench(gateway=faulty("capture", "expired", 99))
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.lift(2)
    bench.wait(6.0)
    assert balance(bench, "debt:guest-o-o1") == 600


def test_a_wallets_balance_pays(bench: Bench) -> None:
    secret = sha("wallet-secret-of-anna")
    payer = bench.do(OpenWallet(wallet_sha256=secret)).payer
    bench.do(TopUp(wallet_sha256=secret, topup_id="t1", amount_minor=1_000))
    bench.do(SetOrder(wallet_sha256=secret, order=("stored", "card")))
    with pytest.raises(RejectedError, match="the wallet's secret"):
        bench.order("o0", 9, due=300, payer=payer)
    bench.order("o1", 1, due=300, wallet_sha256=secret)
    bench.stand(1)
    bench.scan(bench.phone_code("wallet-secret-of-anna"))
    assert bench.looks() == {"t1": "take_a"}
    bench.lift(1)
    bench.wait(6.0)
    assert balance(bench, f"stored:{payer}") == -700


def test_goods_come_back_and_money_with_them(bench: Bench) -> None:
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.lift(2)
    bench.wait(6.0)
    back = ReturnGoods(return_id="r1", order_id="o1", keys=(key(1),), by="anna")
    assert bench.do(back).amount_minor == 300
    assert bench.do(back).repeated
    assert bench.gateway.totals().refunded_minor == 300
    assert (balance(bench, "clearing"), balance(bench, "vat:0.1900")) == (300, -48)
    assert bench.state_of(1) == "returned"
    with pytest.raises(ConflictError, match="made before with other parcels"):
        bench.do(ReturnGoods(return_id="r1", order_id="o1", keys=(key(2),)))
    with pytest.raises(RejectedError, match=r"is returned"):
        bench.do(ReturnGoods(return_id="r2", order_id="o1", keys=(key(1), key(2))))
    bench.do(ReturnGoods(return_id="r3", order_id="o1", keys=(key(2),), refund=False))
    assert bench.gateway.totals().refunded_minor == 300


def test_goods_of_two_sales_come_back_together_or_not_at_all(make_bench: Make) -> None:
    """The capture of the second one is not answered yet: then nothing of the first is given back
    either, now or by what is stored with the next command."""
    silent: list[str] = []

    def faults(request: GatewayRequest, _times: int) -> Fault:
        return "timeout" if request.kind in silent else "none"

    bench = make_bench(gateway=FakeGateway(faults=faults))
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.wait(IDLE_S + 1.0)
    bench.scan(code_of("o1"))
    bench.lift(2)
    silent.append("capture")
    bench.wait(6.0)
    sales = [one.visit_id for one in bench.hub.core.state.visits.values() if one.lines]
    assert sales == sorted(sales), "the one that is answered is given back first"
    digest = bench.hub.digest()
    back = ReturnGoods(return_id="r1", order_id="o1", keys=(key(1), key(2)))
    with pytest.raises(RejectedError, match="settled and captured"):
        bench.do(back)
    assert bench.hub.digest() == digest
    silent.clear()
    bench.wait(10.0)
    assert bench.do(back).amount_minor == 600


def test_what_was_free_comes_back_when_the_rest_was_given_back_before(bench: Bench) -> None:
    """Nothing is left to give back, and the return is none the less one."""
    present = (
        OrderedItem(gtin=COLA, unit_price_minor=300, vat_rate="0.19"),
        OrderedItem(gtin=BREAD, unit_price_minor=0, vat_rate="0.07"),
    )
    parcel = OrderedParcel(label=sscc(1), due_minor=300, items=present)
    bench.do(PlaceOrder(order_id="o1", parcels=(parcel,), code_sha256=digest_of(code_of("o1"))))
    bench.stand(1, 0.05)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.wait(6.0)
    bench.do(
        RefundVisit(
            refund_id="r", visit_id=visit(bench).visit_id, lines=(RefundLine(line=1, quantity=1),)
        )
    )
    reply = bench.do(ReturnGoods(return_id="r1", order_id="o1", keys=(key(1),)))
    assert (reply.amount_minor, bench.state_of(1)) == (0, "returned")


def test_a_name_that_no_database_takes_stops_no_receipt(
    postgres_url: Callable[[str], str],
) -> None:
    """The shop's system names what it sends; PostgreSQL has no text with a NUL in it."""
    bench = Bench(url=postgres_url("names"))
    item = OrderedItem(gtin=COLA, unit_price_minor=300, vat_rate="0.19", name="Ju\0ice")
    parcel = OrderedParcel(label=sscc(1), due_minor=300, items=(item,))
    bench.do(PlaceOrder(order_id="o1", parcels=(parcel,), code_sha256=digest_of(code_of("o1"))))
    bench.stand(1, 0.05)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.wait(6.0)
    (receipt,) = bench.hub.export_json()["receipts"]
    assert (receipt["total_minor"], receipt["lines"][0]["gtin"]) == (300, COLA)
    keep_contact(bench.hub.store, "o1", "An\0na", "1", bench.now_s)
    assert contact_of(bench.hub.store, "o1") == {"name": "An\ufffdna", "phone": "1"}
    keep_words(bench.hub.store, "d1", "not \0mine", bench.now_s)
    assert words_of(bench.hub.store, ["d1"]) == {"d1": "not \ufffdmine"}
    bench.hub.close()


def test_a_return_of_a_sale_that_is_not_in_memory(make_bench: Make) -> None:
    bench = make_bench(rules=Rules(visits_final_kept=1))
    for number in (1, 2, 3):
        bench.order(f"o{number}", number, due=300)
        bench.stand(number)
        bench.scan(code_of(f"o{number}"))
        bench.lift(number)
        bench.wait(6.0)
    assert bench.parcel(1).visit_id not in bench.hub.core.state.visits
    reply = bench.do(ReturnGoods(return_id="r1", order_id="o1", keys=(key(1),)))
    assert reply.amount_minor == 300


def test_what_nobody_saw_go_is_charged_when_staff_say_so(bench: Bench) -> None:
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.lift(1, gone=False)
    bench.outage(blind=True)
    bench.wait(IDLE_S + 20.0)
    assert bench.gateway.totals().captured_minor == 0
    assert bench.gateway.totals().holds_open == 1
    (number,) = bench.wall().alarms
    bench.do(ClearAlarm(wall_id="wall-1", number=number, outcome="handed_over", by="anna"))
    assert bench.gateway.totals().captured_minor == 300


def test_what_nobody_ever_answers_is_missing_and_free(bench: Bench) -> None:
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.lift(1, gone=False)
    bench.outage(blind=True)
    bench.wait(IDLE_S + 20.0)
    bench.now_s += 12 * 3600.0
    bench.wait(1.0)
    assert (bench.state_of(1), bench.alarms()) == ("missing", [])
    assert bench.gateway.totals().holds_open == 0
    assert bench.hub.core.state.open_visits() == []


def test_a_parcel_put_back_after_the_answer_is_shown(make_bench: Make) -> None:
    bench = make_bench(gateway=faulty("hold", "timeout", 1))
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.wait(5.0)
    assert bench.looks()["t2"] == "take_a"
    bench.stand(1, 0.05)
    assert bench.looks() == {"t1": "take_a", "t2": "take_a"}


def test_what_nobody_saw_go_and_was_put_back_costs_nothing(bench: Bench) -> None:
    paid_order(bench)
    bench.scan(code_of("o1"))
    bench.lift(1, gone=False)
    for blind in (True, False):
        bench.outage(blind=blind)
        bench.wait(IDLE_S + 20.0)
    bench.stand(1, 0.05)
    assert (bench.state_of(1), bench.alarms()) == ("ready", [])
    assert bench.gateway.totals().holds_open == 0


@pytest.mark.parametrize(
    ("parcel", "says"),
    [
        (OrderedParcel(label=sscc(1), due_minor=100), "expected items, or a vat_rate"),
        (
            OrderedParcel(label=sscc(1), due_minor=100, items=(OrderedItem(gtin=COLA),)),
            "expected unit_price_minor and vat_rate",
        ),
        (
            OrderedParcel(
                label=sscc(1),
                due_minor=100,
                items=(OrderedItem(gtin=BREAD, unit_price_minor=40, vat_rate="0.07", quantity=2),),
            ),
            "expected items that cost 100 together, they cost 80",
        ),
    ],
)
def test_amounts_that_do_not_add_up(bench: Bench, parcel: OrderedParcel, says: str) -> None:
    with pytest.raises(RejectedError, match=says):
        bench.do(PlaceOrder(order_id="o1", code_sha256=sha("x"), parcels=(parcel,)))
    assert bench.room.orders == {}


def test_the_same_order_again_after_a_price_changed(make_bench: Make) -> None:
    cola = {
        "gtin": COLA, "name": "Cola", "brand": "Fizz", "size_label": "330 ml", "weight_g": 350,
        "weight_sd_g": 2, "price_minor": 119, "vat": "full",
        "packaging": {"shape": "can", "width_m": 0.07, "depth_m": 0.07, "height_m": 0.12,
                      "base_rgb": [1, 2, 3], "accent_rgb": [4, 5, 6]},
    }  # fmt: skip
    bench = make_bench(document=store_document(products=[cola]))
    paid = OrderedParcel(label=sscc(1), due_minor=238, items=(OrderedItem(gtin=COLA, quantity=2),))
    free = OrderedParcel(label=sscc(2), items=(OrderedItem(gtin=COLA),))
    order = PlaceOrder(order_id="o1", code_sha256=sha("x"), parcels=(paid, free))
    bench.do(order)
    bench.do(ChangePrice(gtin=COLA, price_minor=150))
    assert bench.do(order).repeated
    assert bench.do(AddParcel(order_id="o1", parcel=paid)).repeated
    assert bench.parcel(1).items[0].unit_price_minor == 119
    for other in (
        paid.model_copy(update={"due_minor": 300}),
        paid.model_copy(update={"items": (OrderedItem(gtin=COLA, quantity=3),)}),
        paid.model_copy(update={"items": (OrderedItem(gtin=COLA, quantity=2, vat_rate="0.07"),)}),
        paid.model_copy(update={"items": ()}),
    ):
        with pytest.raises(ConflictError, match="other content"):
            bench.do(order.model_copy(update={"parcels": (other, free)}))
        with pytest.raises(ConflictError, match="other content"):
            bench.do(AddParcel(order_id="o1", parcel=other))


def test_one_amount_for_a_parcel_without_items(bench: Bench) -> None:
    parcel = OrderedParcel(label=sscc(1), vat_rate="0.07")
    bench.do(
        PlaceOrder(order_id="o1", code_sha256=sha("code-0001"), due_minor=107, parcels=(parcel,))
    )
    assert bench.parcel(1).due_minor == 107
    two = (OrderedParcel(label=sscc(2)), OrderedParcel(label=sscc(3)))
    with pytest.raises(RejectedError, match="due_minor: expected what the parcels cost together"):
        bench.do(PlaceOrder(order_id="o2", code_sha256=sha("y"), due_minor=5, parcels=two))
    bench.stand(1)
    bench.scan("code-0001")
    bench.lift(1)
    bench.wait(6.0)
    assert balance(bench, "vat:0.0700") == -7


def test_an_order_that_left_memory_takes_goods_back_all_the_same(make_bench: Make) -> None:
    bench = make_bench(rules=Rules(orders_closed_kept=0))
    bench.order("o1", 1, due=300)
    bench.stand(1)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.wait(20.0)
    bench.order("o2", 2)
    bench.stand(2)
    bench.scan(code_of("o2"))
    bench.wait(1.0)
    assert list(bench.room.orders) == ["o2"]
    back = ReturnGoods(return_id="r1", order_id="o1", keys=(key(1),))
    assert bench.do(back).amount_minor == 300
    assert bench.do(back).repeated
