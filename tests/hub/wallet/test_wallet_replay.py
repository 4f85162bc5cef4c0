"""A journal of before there were wallets leads to the very same events, entries and records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from contracts.envelope import Envelope
from contracts.store_file import parse_store_file
from hub import commands as c
from hub.commands import COMMAND, Tick
from hub.core import HubCore
from hub.rules import Rules
from hub.store.verify import verify
from hub.wallet.account import Account
from hub.wallet.rows import funding_rows, hold_row
from hub.wallet.service import Wallets
from hub.wallet.views import wallet_view
from tests.hub.conftest import STORE, NearestAttributor
from tests.hub.wallet.till import BREAD, Till, sha

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
    kept = before["wallets"]
    # Accounts that came back to nothing are not kept any more.
    posted = {name: sum_minor for name, sum_minor in kept["ledger"]["posted"].items() if sum_minor}
    now = {**kept, "ledger": {**kept["ledger"], "posted": posted}}
    assert posted != kept["ledger"]["posted"]
    assert json.loads(json.dumps(wallets.dump())) == now
    assert Wallets.load(before["wallets"]).dump() == now
    holds = [hold_row(account, "EUR") for account in wallets.accounts.values()]
    assert sorted(holds, key=lambda row: str(row["visit_id"])) == before["holds"]
    for visit_id, row in before["accounts"].items():
        if row is None:
            continue
        account = Account.load(row)
        assert account.dump() == row
        assert account == wallets.account(visit_id)
        assert list(funding_rows(account, "EUR")) == []


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    """A hub in a file with a snapshot, wallets, cards and an open tab; then more happened."""
    made = Till(
        url=f"sqlite:///{tmp_path / 'hub.sqlite'}",
        snapshot_every=1,
        tab_visit_minor_max=150,
        tip_minor_max=500,
    )
    made.open_wallet("s1")
    made.gift("card-a", 300)
    made.gift("card-b", 300)
    made.claim("s1", "card-a")
    made.top_up("s1", 500)
    order = ("gift:card-a", "stored", "card")
    made.do(c.SetOrder(wallet_sha256=sha("s1"), order=order))
    visit = made.visit("code-one-1", secret="s1")
    made.shop("code-one-1", 7, BREAD)
    made.visit("code-two-2", secret="s1")
    made.shop("code-two-2", 1)
    made.hub.tick(made.now_s + 1.0)
    snapshot = made.hub.store.snapshot()
    assert snapshot is not None
    assert json.loads(snapshot.state)["core"]["wallets"]["purses"]["wallets"]
    made.redeem("s1", "card-b")
    made.refund(visit)
    yield made
    made.close()


def test_a_snapshot_keeps_wallets_cards_and_tabs(till: Till) -> None:
    digest, shown = till.hub.digest(), wallet_view(till.hub.core.state, sha("s1"))
    till.hub.close()
    till.hub = till.reopened()
    assert till.hub.digest() == digest
    assert wallet_view(till.hub.core.state, sha("s1")) == shown
    assert shown["tab_minor"] == 119


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE wallets SET stored_minor = stored_minor + 1", "wallets row"),
        ("UPDATE gift_cards SET blocked = 1 WHERE card_id = 'card-a'", "gift_cards row card-a"),
        ("UPDATE funding SET captured_minor = 1 WHERE source = 'stored'", "funding row"),
        ("DELETE FROM gift_cards WHERE card_id = 'card-b'", "gift_cards row card-b"),
    ],
)
def test_a_row_of_a_wallet_edited_by_hand_is_named(till: Till, sql: str, named: str) -> None:
    assert verify(till.url, NearestAttributor, till.hub.core.state.rules).findings == ()
    engine = create_engine(till.url)
    with engine.begin() as connection:
        connection.execute(text(sql))
    engine.dispose()
    findings = verify(till.url, NearestAttributor, till.hub.core.state.rules).findings
    assert any(finding.startswith(named) for finding in findings)
