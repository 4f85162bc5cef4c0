"""The ledger's rules, and money's way through hold, charge, capture and refund."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ConflictError, LedgerError, RejectedError
from hub.wallet.model import Entry, Ledger, Transaction
from hub.wallet.service import ChargeLine, Wallets, vat_minor


def _post(ledger: Ledger, *amounts: int) -> Transaction:
    names = ["clearing", "debt:p", "revenue:0.1900", "vat:0.1900"]
    return ledger.write(
        tx_id=f"t{ledger.number}",
        at_us=0,
        phase="posted",
        kind="test",
        visit_id="v",
        entries=[Entry(name, amount) for name, amount in zip(names, amounts, strict=False)],
    )


@pytest.mark.parametrize(
    "amounts", [(1, 1), (5,), (), (0, 0), (10**13, -(10**13)), (3, -2), (1.5, -1.5), (True, -1)]
)
def test_what_does_not_balance_is_refused_and_changes_nothing(amounts: tuple[int, ...]) -> None:
    ledger = Ledger("EUR")
    _post(ledger, 7, -7)
    before = ledger.dump()
    with pytest.raises(LedgerError):
        _post(ledger, *amounts)
    assert ledger.dump() == before


def test_a_pending_transaction_resolves_once() -> None:
    wallets = Wallets(Ledger("EUR"))
    wallets.ask_hold("v", "p", 1000)
    wallets.place_hold("v", at_us=1)
    wallets.void_hold("v", at_us=2)
    with pytest.raises(ConflictError):
        wallets.void_hold("v", at_us=3)
    with pytest.raises(LedgerError):
        wallets.ledger.write(
            tx_id="again",
            at_us=4,
            phase="void",
            kind="x",
            visit_id="v",
            entries=(),
            resolves="v:hold",
        )


def test_a_wallet_never_falls_under_its_floor() -> None:
    ledger = Ledger("EUR")
    with pytest.raises(LedgerError, match="wallet:p"):
        ledger.write(
            tx_id="t",
            at_us=0,
            phase="posted",
            kind="charge",
            visit_id="v",
            entries=[Entry("wallet:p", 1), Entry("revenue:0.1900", -1)],
        )


def _line(number: int, quantity: int, price: int, rate: str = "0.1900") -> ChargeLine:
    return ChargeLine(number, f"g{number}", quantity, price, rate)


def test_above_the_hold_the_rest_is_a_debt() -> None:
    wallets = Wallets(Ledger("EUR"))
    wallets.ask_hold("v", "p", 500)
    wallets.place_hold("v", at_us=1)
    wallets.charge("v", [_line(1, 2, 400)], at_us=2)
    wallets.capture("v", at_us=3)
    ledger = wallets.ledger
    assert ledger.posted("clearing") == 500
    assert ledger.posted("debt:p") == 300
    assert ledger.available("p") == 0
    assert -ledger.posted("revenue:0.1900") - ledger.posted("vat:0.1900") == 800
    assert -ledger.posted("vat:0.1900") == vat_minor(800, "0.1900", "EUR") == 128


def test_a_visit_is_settled_once() -> None:
    wallets = Wallets(Ledger("EUR"))
    wallets.ask_hold("v", "p", 500)
    wallets.place_hold("v", at_us=1)
    wallets.charge("v", [_line(1, 1, 100)], at_us=2)
    before = wallets.dump()
    with pytest.raises(ConflictError):
        wallets.charge("v", [_line(1, 1, 100)], at_us=3)
    with pytest.raises(LedgerError):
        wallets.void_hold("v", at_us=3)
    assert wallets.dump() == before


def test_a_capture_that_fails_leaves_a_debt_and_no_hold() -> None:
    wallets = Wallets(Ledger("EUR"))
    wallets.ask_hold("v", "p", 500)
    wallets.place_hold("v", at_us=1)
    wallets.charge("v", [_line(1, 1, 100)], at_us=2)
    wallets.capture_failed("v", at_us=3)
    assert wallets.ledger.posted("debt:p") == 100
    assert wallets.ledger.posted("clearing") == wallets.ledger.pending("clearing") == 0
    assert wallets.account("v").debt_minor == 100


def test_refunds_never_exceed_what_was_paid() -> None:
    wallets = Wallets(Ledger("EUR"))
    wallets.ask_hold("v", "p", 500)
    wallets.place_hold("v", at_us=1)
    wallets.charge("v", [_line(1, 3, 100)], at_us=2)
    with pytest.raises(RejectedError, match="captured"):
        wallets.refund("v", [_line(1, 1, 100)], [_line(1, 3, 100)], at_us=3)
    wallets.capture("v", at_us=3)
    wallets.refund("v", [_line(1, 2, 100)], [_line(1, 3, 100)], at_us=4)
    with pytest.raises(ConflictError):
        wallets.refund("v", [_line(1, 1, 100)], [_line(1, 1, 100)], at_us=5)
    wallets.refund_paid("v", at_us=5)
    with pytest.raises(RejectedError):
        wallets.refund("v", [_line(1, 2, 100)], [_line(1, 2, 100)], at_us=6)
    assert wallets.ledger.posted("clearing") == 100


_LINES = st.lists(
    st.tuples(st.integers(1, 9), st.integers(0, 5_000), st.sampled_from(["0.1900", "0.0700"])),
    max_size=6,
)


@given(
    hold=st.integers(1, 20_000),
    bought=_LINES,
    captured=st.booleans(),
    cuts=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=8),
)
def test_money_stays_whole_whatever_happens(
    hold: int,
    bought: list[tuple[int, int, str]],
    captured: bool,
    cuts: list[tuple[int, int]],
) -> None:
    """Balances equal the replay of their entries, and clearing equals captures less refunds."""
    wallets = Wallets(Ledger("EUR"))
    lines = [_line(n + 1, q, price, rate) for n, (q, price, rate) in enumerate(bought)]
    wallets.ask_hold("v", "p", hold)
    written = [wallets.place_hold("v", at_us=1), wallets.charge("v", lines, at_us=2)]
    account = wallets.account("v")
    assert account.charged_minor <= account.hold_minor
    if account.charged_minor:
        step = wallets.capture if captured else wallets.capture_failed
        written.append(step("v", at_us=3))
    else:
        written.append(wallets.void_hold("v", at_us=3))
    left = {line.line: line.quantity for line in lines}
    paid_back = 0
    for index, quantity in cuts:
        line = lines[index] if index < len(lines) else None
        if line is None or quantity > left[line.line] or line.unit_price_minor == 0:
            continue
        before = _line(line.line, left[line.line], line.unit_price_minor, line.vat_rate)
        back = _line(line.line, quantity, line.unit_price_minor, line.vat_rate)
        transaction, shares = wallets.refund("v", [back], [before], at_us=4)
        paying = sum(amount for _leg, amount in shares)
        written.append(transaction)
        left[line.line] -= quantity
        if paying:
            written.append(wallets.refund_paid("v", at_us=5))
            paid_back += paying
    ledger = wallets.ledger
    replayed: dict[str, int] = {}
    for item in written:
        if item is not None and item.phase == "posted":
            assert sum(entry.amount_minor for entry in item.entries) == 0
            for entry in item.entries:
                replayed[entry.account] = replayed.get(entry.account, 0) + entry.amount_minor
    assert {name: amount for name, amount in replayed.items() if amount} == ledger.balances()
    assert ledger.available("p") == 0
    assert ledger.pending("clearing") == 0
    assert ledger.posted("clearing") == account.captured_minor - paid_back >= 0
    unrefunded = sum(line.unit_price_minor * left[line.line] for line in lines)
    sales = sum(v for k, v in ledger.balances().items() if k.startswith(("revenue", "vat")))
    assert -sales == unrefunded
    assert ledger.posted("debt:p") == account.debt_minor
    assert Ledger.load(ledger.dump()).dump() == ledger.dump()


def test_a_ledger_does_not_grow_with_the_payers_it_is_done_with() -> None:
    ledger = Ledger("EUR")
    for number in range(50):
        for step, entries in enumerate(
            (
                (Entry("clearing", 500), Entry(f"wallet:p{number}", -500)),
                (Entry(f"wallet:p{number}", 119), Entry("revenue:0.0000", -119)),
                (Entry("clearing", 119), Entry(f"wallet:p{number}", -119)),
            )
        ):
            ledger.write(
                tx_id=f"{number}-{step}",
                at_us=number,
                phase="posted" if step else "pending",
                kind="test",
                visit_id="v",
                entries=entries,
                resolves=f"{number}-0" if step == 2 else None,
            )
    assert ledger.balances() == {"clearing": 50 * 119, "revenue:0.0000": -50 * 119}
    assert (ledger._pending, ledger._pending_sums, ledger._pending_debits) == ({}, {}, {})


def test_a_ledger_takes_up_what_was_written_with_every_payer_in_it() -> None:
    old = {
        "currency": "EUR",
        "number": 3,
        "head": "f" * 64,
        "posted": {"clearing": 119, "revenue:0.0000": -119, "wallet:p1": 0},
        "pending": {},
    }
    ledger = Ledger.load(old)
    assert ledger.dump()["posted"] == {"clearing": 119, "revenue:0.0000": -119}
    assert (ledger.posted("wallet:p1"), ledger.available("p1")) == (0, 0)
