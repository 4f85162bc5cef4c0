"""Each check of wallets finds what it is for, and nothing in books that are in order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from auditor.ledger import audit
from hub import commands as c
from tests.hub.wallet.till import BREAD, Till, sha

Document = dict[str, Any]


@pytest.fixture(scope="module")
def books() -> Iterator[Document]:
    """A day with a split, a refund, a debt, a tab, a tip and cards."""
    till = Till(tab_visit_minor_max=150, tip_minor_max=500)
    till.open_wallet("s1")
    till.gift("card-a", 300)
    till.gift("card-b", 700)
    till.claim("s1", "card-a")
    till.redeem("s1", "card-b")
    till.top_up("s1", 500)
    order = ("gift:card-a", "stored", "card")
    till.do(c.SetOrder(wallet_sha256=sha("s1"), order=order))
    visit = till.visit("code-one-1", secret="s1")
    till.shop("code-one-1", 7, BREAD)
    till.refund(visit)
    till.visit("code-two-2", secret="s1")
    till.shop("code-two-2", 1)
    till.visit("code-three", payer="anna")
    till.shop("code-three", 9, BREAD)
    till.tip("code-three", 100)
    yield till.hub.export_json()
    till.close()


def _funding(document: Document, **wanted: str) -> Document:
    rows: list[Document] = document["funding"]
    return next(row for row in rows if all(row[k] == v for k, v in wanted.items()))


def _transaction(document: Document, kind: str) -> Document:
    rows: list[Document] = document["transactions"]
    return next(row for row in rows if row["kind"] == kind)


def _overdraw(document: Document) -> None:
    row = _transaction(document, "gift_redeemed")
    row["entries"] = [[account, 2 * amount] for account, amount in row["entries"]]


def _spend_what_is_reserved(document: Document) -> None:
    """A second visit reserves what the first has reserved already."""
    rows = document["transactions"]
    index = next(i for i, row in enumerate(rows) if row["kind"] == "reserve")
    again = {**rows[index], "tx_id": "again"}
    document["transactions"] = [*rows[: index + 1], again, *rows[index + 1 :]]


def _take_more_than_held(document: Document) -> None:
    row = next(
        row
        for row in document["transactions"]
        if row["kind"] == "capture" and row["entries"][0][0].startswith("gift:")
    )
    row["entries"] = [
        [account, amount + (1 if amount > 0 else -1)] for account, amount in row["entries"]
    ]


def _resolve_twice(document: Document) -> None:
    row = _transaction(document, "capture")
    document["transactions"].append({**row, "tx_id": "again"})


def _write_twice(document: Document) -> None:
    document["transactions"].append(dict(_transaction(document, "charge")))


def _set(part: str, **values: Any) -> Callable[[Document], None]:
    return lambda document: document[part][0].update(values)


def _change(name: str, by: int, **wanted: str) -> Callable[[Document], None]:
    def broken(document: Document) -> None:
        _funding(document, **wanted)[name] += by

    return broken


def _leave_open(document: Document) -> None:
    _funding(document, source="gift")["state"] = "held"


def _forget_debt(document: Document) -> None:
    next(row for row in document["visits"] if row["debt_minor"])["debt_minor"] = 0


def _refund_too_much(document: Document) -> None:
    row = next(r for r in document["gateway_attempts"] if r["kind"] == "capture")
    document["gateway_attempts"].append(
        {**row, "key": "x", "kind": "refund", "amount_minor": row["amount_minor"] + 1}
    )


def test_books_in_order(books: Document) -> None:
    assert {name: rows for name, rows in audit(books).items() if rows} == {}
    assert {row["purpose"] for row in books["funding"]} >= {"entry", "tip"}
    assert "tabbed" in {row["state"] for row in books["funding"]}


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        ("balances above zero", _overdraw),
        ("balances above zero", _spend_what_is_reserved),
        ("pending transfers end once", _resolve_twice),
        ("pending transfers end once", _write_twice),
        ("pending transfers end once", _take_more_than_held),
        ("sources add up", _change("captured_minor", 1, source="gift")),
        ("sources add up", _change("refunded_minor", 10_000, source="card")),
        ("sources add up", _leave_open),
        ("debts and tabs replay", _forget_debt),
        ("debts and tabs replay", _change("charged_minor", 1, state="tabbed")),
        ("wallets show their entries", _set("wallets", stored_minor=1)),
        ("wallets show their entries", _set("wallets", debt_minor=7)),
        ("wallets show their entries", _set("gift_cards", left_minor=301)),
        ("tips are given", _change("captured_minor", -1, purpose="tip")),
        ("refunds within captures", _refund_too_much),
    ],
)
def test_what_is_broken_is_found(
    books: Document, check: str, broken: Callable[[Document], None]
) -> None:
    document = copy.deepcopy(books)
    broken(document)
    assert audit(document)[check] != []


def test_exports_of_before_there_were_wallets_are_read(books: Document) -> None:
    document = copy.deepcopy(books)
    for part in ("funding", "wallets", "gift_cards"):
        del document[part]
    document["transactions"] = []
    for visit in document["visits"]:
        visit["debt_minor"] = 0
    findings = audit(document)
    for check in ("balances above zero", "sources add up", "debts and tabs replay"):
        assert findings[check] == []
