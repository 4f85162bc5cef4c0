"""The audit log: who did what, when, from where and with what outcome, in a hash chain of its own.

A row's hash is taken as hub.chain says, of {number, at_us, who, action, target, origin, outcome}.
Addresses are shortened to their network before they are written.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from hub.accounts.store import AccountStore
from hub.accounts.tables import audit_log
from hub.chain import GENESIS, link

__all__ = ["Entry", "append", "broken_row", "entries", "network_of"]

FIELDS = ("number", "at_us", "who", "action", "target", "origin", "outcome")
TEXT_MAX = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """Something somebody did, or was refused."""

    who: str
    action: str
    target: str = ""
    origin: str = ""
    outcome: str = "done"


def append(store: AccountStore, entry: Entry, at_us: int) -> int:
    """Writes an entry after the last one; its number."""
    with store.write(numbered=True) as connection:
        newest = select(audit_log.c.number, audit_log.c.hash).order_by(audit_log.c.number.desc())
        last = connection.execute(newest.limit(1)).first()
        number, previous = (0, GENESIS) if last is None else (int(last[0]), str(last[1]))
        row: dict[str, Any] = {
            "number": number + 1,
            "at_us": at_us,
            "who": entry.who[:TEXT_MAX],
            "action": entry.action[:TEXT_MAX],
            "target": entry.target[:TEXT_MAX],
            "origin": entry.origin[:TEXT_MAX],
            "outcome": entry.outcome[:TEXT_MAX],
        }
        digest = link(previous, row)
        connection.execute(insert(audit_log), [{**row, "previous_hash": previous, "hash": digest}])
    return number + 1


def entries(store: AccountStore, *, before: int | None = None, limit: int) -> list[dict[str, Any]]:
    """The newest entries before a number, the newest first."""
    statement = select(audit_log).order_by(audit_log.c.number.desc()).limit(limit)
    if before is not None:
        statement = statement.where(audit_log.c.number < before)
    return store.read(statement)


def broken_row(rows: Iterator[dict[str, Any]]) -> str | None:
    """Follows the chain; a sentence that names the first row that does not fit, or None."""
    previous = GENESIS
    for number, row in enumerate(rows, 1):
        expected = link(previous, {name: row[name] for name in FIELDS})
        if row["number"] != number or row["previous_hash"] != previous or row["hash"] != expected:
            return (
                f"audit_log row {number}: expected hash {expected}, the row has number "
                f"{row['number']} and hash {row['hash']}; it was changed after it was written"
            )
        previous = row["hash"]
    return None


def network_of(host: str) -> str:
    """An address without the part that tells one household from another."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    if address.is_loopback:
        return "this machine"
    bits = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
