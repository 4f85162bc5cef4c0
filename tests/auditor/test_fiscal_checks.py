"""The auditor's checks of the fiscal journal and of VAT: each finds what it is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auditor.ed25519 import Q, is_signed
from auditor.ledger import audit
from contracts.store_file import load_store_file
from hub.attribution.engine import Engine
from hub.commands import ChangePrice
from hub.fiscal.france import France
from hub.fiscal.journal import FiscalJournal
from hub.fiscal.keys import make_key
from hub.service import Hub
from hub.wallet.service import ChargeLine
from sortie.day import demo_store_path


def _export(tmp_path: Any) -> dict[str, Any]:
    """A hub's export with two sales that were written straight into the ledger."""
    layout = load_store_file(demo_store_path())
    hub = Hub.open(layout, attributor=Engine)
    hub.start(0.0)
    wallets = hub.core.state.wallets
    effects = hub.core.state.effects
    for number in (1, 2):
        wallets.ask_hold(f"v-{number}", "p", 2_000)
        effects.transactions.append(wallets.place_hold(f"v-{number}", at_us=number))
        line = ChargeLine(1, layout.products[0].gtin, number, 119, "0.1900")
        made = wallets.charge(f"v-{number}", [line], at_us=number + 2)
        assert made is not None
        effects.transactions.append(made)
    hub.command(ChangePrice(gtin=layout.products[0].gtin, price_minor=120), 10.0)
    journal = FiscalJournal(hub.store, layout, make_key(tmp_path / "key"), France())
    assert journal.catch_up(10_000_000) == 3
    assert journal.change_key(make_key(tmp_path / "second"), 10_000_000, reason="")
    assert journal.note("technical:test", "noted", 10_000_000)
    export = hub.export_json()
    hub.close()
    return export


def _findings(export: dict[str, Any], name: str) -> list[str]:
    return audit(export)[name]


def _edit_body(export: dict[str, Any]) -> None:
    export["fiscal"][1]["body"]["gross_minor"] = 1


def _drop(export: dict[str, Any]) -> None:
    del export["fiscal"][1]


def _twice(export: dict[str, Any]) -> None:
    export["fiscal"].append(export["fiscal"][1])


def _other_key(export: dict[str, Any]) -> None:
    export["fiscal"][0]["body"]["public_key"] = "ab" * 32


def _hand_over(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(export: dict[str, Any]) -> None:
        export["fiscal"][3]["body"][name] = value

    return change


def _unsigned(row: int) -> Callable[[dict[str, Any]], None]:
    def change(export: dict[str, Any]) -> None:
        export["fiscal"][row]["signature"] = "00" * 64

    return change


def _less_sold(export: dict[str, Any]) -> None:
    export["fiscal"][2]["body"]["totals"]["perpetual"]["sales_minor"] -= 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (_edit_body, "fiscal entries chained"),
        (_edit_body, "fiscal journal complete"),
        (_drop, "fiscal entries chained"),
        (_drop, "fiscal journal complete"),
        (_twice, "fiscal journal complete"),
        (_less_sold, "fiscal journal complete"),
        (_other_key, "fiscal keys hand over"),
        (_hand_over("public_key", "ab" * 32), "fiscal keys hand over"),
        (_hand_over("fingerprint", "ab" * 32), "fiscal keys hand over"),
        (_hand_over("proof", "ab" * 64), "fiscal keys hand over"),
        (_unsigned(0), "fiscal keys hand over"),
        (_unsigned(3), "fiscal keys hand over"),
        (_unsigned(4), "fiscal keys hand over"),
    ],
)
def test_each_fiscal_check_can_fail(
    tmp_path: Any, change: Callable[[dict[str, Any]], None], name: str
) -> None:
    export = _export(tmp_path)
    assert _findings(export, name) == []
    change(export)
    assert _findings(export, name) != []


def test_signatures_are_those_of_the_library() -> None:
    """RFC 8032 beside an implementation that others use; and what is no signature is none."""
    for number in range(20):
        key = Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))
        public, text = key.public_key().public_bytes_raw().hex(), f"text {number}"
        mark = key.sign(text.encode()).hex()
        assert is_signed(public, text, mark)
        assert not is_signed(public, text + "x", mark)
        assert not is_signed(public, text, mark[:-2] + ("00" if mark[-2:] != "00" else "01"))
        assert not is_signed("ab" * 32, text, mark)
    for odd in ("", "zz", "ff" * 32, "00" * 31):
        assert not is_signed(odd, "x", mark)
        assert not is_signed(public, "x", odd)
    # The same point with a number that is too large is another text of the signature.
    s = int.from_bytes(bytes.fromhex(mark)[32:], "little") + Q
    assert not is_signed(public, text, mark[:64] + s.to_bytes(32, "little").hex())


def test_older_exports_have_no_journal(tmp_path: Any) -> None:
    export = _export(tmp_path)
    del export["fiscal"]
    found = audit(export)
    assert found["fiscal entries chained"] == found["fiscal journal complete"] == []


def test_a_receipt_with_another_vat_is_found(tmp_path: Any) -> None:
    export = _export(tmp_path)
    receipt = {
        "visit_id": "v-1", "issued_us": 1, "currency": "EUR", "total_minor": 119,
        "vat_minor": 19, "charged_minor": 119, "debt_minor": 0, "lines": [],
    }  # fmt: skip
    export["receipts"] = [receipt]
    assert _findings(export, "VAT of receipts booked") == []
    receipt["vat_minor"] = 18
    assert _findings(export, "VAT of receipts booked") != []


@pytest.mark.parametrize(
    ("part", "name", "edited"),
    [("transactions", "entries", [["vat:0.1900"]]), ("fiscal", "body", {})],
)
def test_a_row_that_was_emptied_is_named_and_stops_no_other_check(
    tmp_path: Any, part: str, name: str, edited: Any
) -> None:
    export = _export(tmp_path)
    row = export[part][1]
    row[name] = edited
    found = audit(export)
    chains = [*found["hash chains hold"], *found["fiscal entries chained"]]
    assert any(f"{part} {row['number']}: the row does not fit" in words for words in chains)
    assert found["messages took effect once"] == []
