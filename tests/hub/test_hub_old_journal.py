"""A journal that an earlier version wrote leads to the same events, the same ledger, the same
state: a shelf emptied, a refund, a delivery and a price, before there were offers and recalls."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from contracts.envelope import Envelope
from contracts.store_file import StoreFile
from hub.chain import canonical
from hub.commands import COMMAND, Tick
from hub.core import HubCore
from hub.rules import Rules

OLD = Path(__file__).parent / "fixtures" / "journal_of_the_first_schema.json"


def test_an_old_journal_leads_to_what_it_led_to(layout: StoreFile, attributor: Any) -> None:
    old = json.loads(OLD.read_text(encoding="utf-8"))
    core = HubCore(layout, attributor, Rules(clock_wait_s=0.0))
    used: set[str] = set()
    for entry in old["journal"]:
        now_s = entry["at_us"] / 1e6
        if entry["source"] == "inbox":
            effects = core.handle(Envelope.model_validate(entry["payload"]), now_s)
        else:
            command = COMMAND.validate_python(entry["payload"])
            if isinstance(command, Tick):
                effects = core.tick(now_s)
            else:
                _, effects = core.command(command, now_s)
        for transaction in effects.transactions:
            if transaction.phase == "posted":
                used.update(posted.account for posted in transaction.entries)
    log, ledger = core.state.log, core.state.wallets.ledger
    assert [[log.number, log.head], [ledger.number, ledger.head]] == old["heads"]
    assert _digest_with_empty_accounts(core, used) == old["digest"]


def _digest_with_empty_accounts(core: HubCore, used: set[str]) -> str:
    """The digest as it was while accounts were kept that had come back to nothing."""
    dumped = core.dump()
    kept = dumped["wallets"]["ledger"]
    kept["posted"] = dict(sorted({**dict.fromkeys(used, 0), **kept["posted"]}.items()))
    return hashlib.sha256(canonical(dumped).encode()).hexdigest()
