"""VAT of a day beside the ledger's accounts, and what the gateway says beside the books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.commands import RefundLine, RefundVisit
from hub.errors import RejectedError
from hub.reports.books import Booked, booked
from hub.reports.period import day_of, period_of
from hub.reports.reconcile import beliefs, reconcile, settled_meanwhile
from hub.reports.service import books_of, compare, vat_of
from hub.reports.vat import amount_text, vat_document, vat_page, vat_report
from hub.rules import Rules
from hub.wallet.fake import FakeGateway
from hub.wallet.gateway import GatewayHold, GatewayTotals
from hub.wallet.model import Ledger
from hub.wallet.service import ChargeLine, Wallets

COLA, BREAD = "4006381333931", "5901234123457"
PARIS = ZoneInfo("Europe/Paris")


def _sold(shop: Any, day: Any) -> str:
    visit_id = str(shop.open_visit("code-one"))
    shop.open_visit("code-two")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True), (COLA, True)])
    day.shop(8.0, "t2", "code-two", [(BREAD, True)])
    shop.play(day.script, 20.0)
    return visit_id


def _refund(shop: Any, visit_id: str, name: str, quantity: int) -> None:
    lines = (RefundLine(line=1, quantity=quantity),)
    command = RefundVisit(refund_id=name, visit_id=visit_id, lines=lines)
    shop.hub.command(command, shop.now_s)


def test_vat_of_a_day_is_what_the_accounts_say(shop: Any, day: Any) -> None:
    visit_id = _sold(shop, day)
    _refund(shop, visit_id, "r1", 1)
    report = vat_of(shop.hub.store, shop.hub.core.state.store, "1970-01-01")
    ledger = shop.hub.core.state.wallets.ledger
    for row in report.rates:
        assert row.due.net_minor == -ledger.posted(f"revenue:{row.rate}")
        assert row.due.vat_minor == -ledger.posted(f"vat:{row.rate}")
        assert row.sales.gross_minor == row.sales.net_minor + row.sales.vat_minor
    by_rate = {row.rate: row for row in report.rates}
    assert by_rate["0.1900"].sales.gross_minor == 2 * 119
    assert by_rate["0.1900"].refunds.gross_minor == 119
    assert by_rate["0.1900"].due.vat_minor == 19
    assert by_rate["0.0700"].sales.gross_minor == 2 * 249
    assert by_rate["0.0700"].sales.vat_minor == 2 * 16
    assert (report.sales, report.refunds) == (2, 1)
    assert report.total.due.gross_minor == 2 * 119 + 2 * 249 - 119
    empty = vat_of(shop.hub.store, shop.hub.core.state.store, "1970-01-02")
    assert (empty.rates, empty.total.due.gross_minor) == ((), 0)
    month = vat_of(shop.hub.store, shop.hub.core.state.store, "1970-01")
    assert month.total == report.total


@pytest.mark.parametrize(("month", "hours"), [("2026-03", 743), ("2026-10", 745)])
def test_days_sum_to_the_whole_whatever_the_zone(month: str, hours: int) -> None:
    """Sales every hour over a change of the clock: each is in one day, none in two."""
    hour_us = 3_600_000_000
    whole = period_of(month, PARIS)
    sales = [
        Booked(n, f"t{n}", whole.begins_us + n * hour_us, "posted", "charge", "v", "EUR", "",
               (("wallet:p", 119), ("revenue:0.1900", -100), ("vat:0.1900", -19)))
        for n in range(-24, 780)
    ]  # fmt: skip
    counts = []
    for one in whole.days:
        period = period_of(one.isoformat(), PARIS)
        counts.append(vat_report(sales, period, store_id="s", currency="EUR").sales)
    assert sum(counts) == hours
    assert vat_report(sales, whole, store_id="s", currency="EUR").sales == hours
    assert day_of(period_of("2026-07-01", PARIS).begins_us - 1, PARIS).isoformat() == "2026-06-30"


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5), st.integers(0, 999), st.sampled_from(["0.0000", "0.0550", "0.2000"])
        ),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_any_sales_and_refunds_sum_to_the_accounts(
    rows: list[tuple[int, int, str]], data: st.DataObject
) -> None:
    wallets = Wallets(Ledger("EUR"))
    wallets.ask_hold("v", "p", 10**6)
    made = [wallets.place_hold("v", at_us=1)]
    lines = [ChargeLine(n, "g", q, price, rate) for n, (q, price, rate) in enumerate(rows, 1)]
    charge = wallets.charge("v", lines, at_us=2)
    if charge is None:
        return
    made += [charge, wallets.capture("v", at_us=3)]
    line = data.draw(st.sampled_from([line for line in lines if line.gross_minor]))
    back = replace(line, quantity=data.draw(st.integers(1, line.quantity)))
    made.append(wallets.refund("v", [back], [line], at_us=4)[0])
    books = [
        Booked(t.number, t.tx_id, t.at_us, t.phase, t.kind, t.visit_id, t.currency, t.hash,
               tuple((e.account, e.amount_minor) for e in t.entries))
        for t in made
    ]  # fmt: skip
    report = vat_report(books, period_of("1970", UTC), store_id="s", currency="EUR")
    assert report.total.refunds.gross_minor == back.gross_minor
    assert report.total.sales.gross_minor == sum(line.gross_minor for line in lines)
    for row in report.rates:
        assert row.due.net_minor == -wallets.ledger.posted(f"revenue:{row.rate}")
        assert row.due.vat_minor == -wallets.ledger.posted(f"vat:{row.rate}")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13", "2026-02-30", "26-01-01", "2026-1-1"])
def test_what_is_no_day(text: str) -> None:
    with pytest.raises(RejectedError, match="expected a day"):
        period_of(text, UTC)


def test_a_report_counts_nothing_that_is_not_posted() -> None:
    entries = (("wallet:p", 5), ("revenue:0.0700", -5))
    row = Booked(1, "t", 5, "pending", "charge", "v", "EUR", "", entries)
    period = period_of("1970", UTC)
    assert vat_report([row], period, store_id="s", currency="EUR").sales == 0
    posted = replace(row, phase="posted")
    assert vat_report([posted], period, store_id="s", currency="EUR").sales == 1
    outside = replace(posted, at_us=period.ends_us)
    assert vat_report([outside], period, store_id="s", currency="EUR").sales == 0


def test_the_page_shows_the_amounts_and_no_markup_of_ours(shop: Any, day: Any) -> None:
    _sold(shop, day)
    report = vat_of(shop.hub.store, shop.hub.core.state.store, "1970-01-01")
    page = vat_page(report, name="<b>Tiny</b> & Co")
    assert "&lt;b&gt;Tiny" in page
    assert "<b>" not in page
    assert "<td>4.98</td>" in page
    assert "19 %" in page
    assert amount_text(498, "JPY") == "498"
    assert vat_document(report)["rates"][0]["sales"]["gross_minor"] == 498


def test_books_and_gateway_agree_after_a_day(shop: Any, day: Any) -> None:
    visit_id = _sold(shop, day)
    _refund(shop, visit_id, "r1", 1)
    report = compare(lambda: books_of(shop.hub.store), shop.hub.gateway, "EUR")
    assert report.differences == ()
    assert report.on_its_way == ()
    assert (report.compared, report.listed) == (2, True)
    assert report.clearing_minor == 2 * 119 + 2 * 249 - 119


def test_a_capture_that_came_through_without_an_answer(
    make_shop: Callable[..., Any], day: Any
) -> None:
    """The gateway took the money, said nothing to anything for long, and the books carry a debt."""
    gateway = FakeGateway(faults=lambda r, _t: "none" if r.kind == "hold" else "lost")
    shop = make_shop(gateway=gateway, rules=Rules(gateway_tries_max=1))
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 12.0)
    report = compare(lambda: books_of(shop.hub.store), gateway, "EUR")
    (found,) = report.differences
    assert (found.visit_id, found.what) == (visit_id, "captured")
    assert (found.believed, found.gateway) == ("0.00", "1.19")
    assert "refund 1.19 at the gateway" in found.fix
    gateway.close()


def test_a_question_without_an_answer_is_on_its_way(
    make_shop: Callable[..., Any], day: Any
) -> None:
    gateway = FakeGateway(faults=lambda r, _t: "lost" if r.kind == "capture" else "none")
    shop = make_shop(gateway=gateway)
    shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 8.0)
    report = compare(lambda: books_of(shop.hub.store), gateway, "EUR")
    assert report.differences == ()
    assert [belief.waiting for belief in report.on_its_way] == [
        (f"{report.on_its_way[0].visit_id}:capture",)
    ]
    gateway.close()


HOLD = {
    "key": "v:hold", "visit_id": "v", "kind": "hold", "hold_key": "v:hold", "payer": "p",
    "amount_minor": 500, "currency": "EUR", "outcome": "approved",
}  # fmt: skip
CAPTURE = {**HOLD, "key": "v:capture", "kind": "capture", "amount_minor": 300}
REFUND = {**HOLD, "key": "v:refund:1", "kind": "refund", "amount_minor": 100}
VOID = {**HOLD, "key": "v:void", "kind": "void"}
THERE = GatewayHold("v:hold", "p", "EUR", 500, "captured", 300, 100)


@pytest.mark.parametrize(
    ("rows", "hold", "what"),
    [
        ([HOLD, CAPTURE, REFUND], THERE, None),
        ([HOLD, CAPTURE], THERE, "refunded"),
        ([HOLD, CAPTURE, REFUND], replace(THERE, refunded_minor=0), "refunded"),
        ([HOLD, CAPTURE, REFUND], replace(THERE, captured_minor=200), "captured"),
        ([HOLD, CAPTURE, REFUND], replace(THERE, currency="USD"), "currency"),
        ([HOLD, CAPTURE, REFUND], None, "unknown at the gateway"),
        ([], THERE, "unknown in the books"),
        ([], replace(THERE, state="voided", captured_minor=0, refunded_minor=0), None),
        ([HOLD], GatewayHold("v:hold", "p", "EUR", 500, "voided", 0, 0), "hold gone"),
        ([HOLD], GatewayHold("v:hold", "p", "EUR", 400, "held", 0, 0), "amount held"),
        ([HOLD, VOID], GatewayHold("v:hold", "p", "EUR", 500, "held", 0, 0), "hold still open"),
        ([{**HOLD, "outcome": "declined"}], None, None),
        ([HOLD, {**HOLD, "kind": "song", "key": "v:song"}, CAPTURE, REFUND], THERE, None),
    ],
)
def test_each_difference_has_a_name_and_a_fix(
    rows: list[dict[str, Any]], hold: GatewayHold | None, what: str | None
) -> None:
    captured = 0 if hold is None else hold.captured_minor
    refunded = 0 if hold is None else hold.refunded_minor
    report = reconcile(
        beliefs(rows, ()),
        [] if hold is None else [hold],
        GatewayTotals(captured, refunded, 0, 0),
        clearing_minor=captured - refunded,
        currency="EUR",
    )
    assert [row.what for row in report.differences] == ([] if what is None else [what])
    assert all(row.fix and row.visit_id == "v" for row in report.differences)


def test_a_hold_the_gateway_let_go_is_no_difference_once_it_said_so() -> None:
    hold = GatewayHold("v:hold", "p", "EUR", 500, "expired", 0, 0)
    report = reconcile(
        beliefs([HOLD], ["v:hold"]), [hold], GatewayTotals(0, 0, 0, 0),
        clearing_minor=0, currency="EUR",
    )  # fmt: skip
    assert report.differences == ()


def test_totals_alone_are_compared_where_holds_cannot_be_listed() -> None:
    totals = GatewayTotals(300, 0, 0, 0)
    report = reconcile({}, None, totals, clearing_minor=200, currency="EUR")
    assert [row.what for row in report.differences] == ["totals"]
    assert not report.listed


def test_what_moved_while_the_gateway_was_read_is_compared_another_time() -> None:
    before, after = beliefs([HOLD], ()), beliefs([HOLD, CAPTURE], ())
    assert settled_meanwhile(before, after) == set()
    report = reconcile(
        after,
        [GatewayHold("v:hold", "p", "EUR", 500, "held", 0, 0)],
        GatewayTotals(0, 0, 500, 1),
        clearing_minor=300,
        currency="EUR",
        steady=settled_meanwhile(before, after),
    )
    assert report.differences == ()
    assert [belief.hold_key for belief in report.on_its_way] == ["v:hold"]


def test_transactions_come_in_pages(shop: Any, day: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _sold(shop, day)
    whole = list(booked(shop.hub.store))
    monkeypatch.setattr("hub.reports.books.CHUNK", 2)
    assert list(booked(shop.hub.store)) == whole
    assert len(whole) > 4
    assert sum(amount for item in whole for _account, amount in item.entries) == 0
