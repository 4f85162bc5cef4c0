"""A journal of before there were wallets leads to the very same events, entries and records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import Envelope
from contracts.store_file import parse_store_file
from hub.commands import COMMAND, Tick
from hub.core import HubCore
from hub.rules import Rules
from hub.wallet.account import Account
from hub.wallet.rows import funding_rows, hold_row
from hub.wallet.service import Wallets
from tests.hub.conftest import STORE, NearestAttributor

BEFORE = Path(__file__).parent / "fixtures" / "journal-before-wallets.json"


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    """Rows (time, source, payload) of the journal, and what they led to: a day with refunds, a
    decline, lost answers, a debt above the hold and a hold that ran out."""
    document: dict[str, Any] = json.loads(BEFORE.read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def core(before: dict[str, Any]) -> HubCore:
    """The core that this version makes of it."""
    made = HubCore(
        parse_store_file(STORE, name="tiny.yaml"), NearestAttributor, Rules(clock_wait_s=0.0)
    )
    for at_us, source, payload in before["rows"]:
        if source == "inbox":
            made.handle(Envelope.model_validate_json(payload), at_us / 1e6)
            continue
        command = COMMAND.validate_json(payload)
        if isinstance(command, Tick):
            made.tick(at_us / 1e6)
        else:
            made.command(command, at_us / 1e6)
    return made


def test_the_same_events_and_entries(before: dict[str, Any], core: HubCore) -> None:
    log, ledger = core.state.log, core.state.wallets.ledger
    assert [log.number, log.head] == before["events"]
    assert [ledger.number, ledger.head] == before["transactions"]


def test_the_same_snapshot_and_records(before: dict[str, Any], core: HubCore) -> None:
    wallets = core.state.wallets
    assert json.loads(json.dumps(wallets.dump())) == before["wallets"]
    assert Wallets.load(before["wallets"]).dump() == before["wallets"]
    holds = [hold_row(account, "EUR") for account in wallets.accounts.values()]
    assert sorted(holds, key=lambda row: str(row["visit_id"])) == before["holds"]
    for visit_id, row in before["accounts"].items():
        if row is None:
            continue
        account = Account.load(row)
        assert account.dump() == row
        assert account == wallets.account(visit_id)
        assert list(funding_rows(account, "EUR")) == []
