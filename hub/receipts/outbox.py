"""Receipts that wait to be sent by e-mail: in the database, with a bound, until sent or expired.

An address is kept only while its mail waits. It is overwritten when the mail was sent, refused for
good or too old, and never stands in the journal, the events, a log or a backup.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from hub.effects import us
from hub.errors import RejectedError
from hub.receipts.tables import mails as table
from hub.store.service import Store

__all__ = ["Letter", "check_address", "due", "enqueue", "settle", "state_of", "sweep", "try_later"]

WAITING_MAX = 1_000
A_VISIT_MAX = 5
WAIT_S_MAX = 24 * 3600.0
FIRST_WAIT_S = 30.0
BETWEEN_S_MAX = 3600.0
KNOWN_S = 24 * 3600.0
"""How long the outcome of a mail is known after its end, without its address."""
_BARRED = r"\s@<>\"(),:;\[\]\\\x00-\x1f\x7f"
_ADDRESS = re.compile(f"[^{_BARRED}]{{1,64}}@[^{_BARRED}]{{1,189}}")


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that is due. Its address is not shown by `repr`, so that no log can have it."""

    mail_id: str
    visit_id: str
    address: str
    tries: int

    def __repr__(self) -> str:
        return f"Letter({self.mail_id}, tries={self.tries})"


def check_address(address: str) -> str:
    """An e-mail address that can be written to; RejectedError without repeating what came."""
    address = address.strip()
    local, _, domain = address.rpartition("@")
    good = (
        _ADDRESS.fullmatch(address) is not None
        and len(address) <= 254
        and "." in domain.strip(".")
        and ".." not in address
        and not local.startswith(".")
        # A mail reads an encoded word as what it stands for: another address, or two lines.
        and "=?" not in address
    )
    if not good:
        raise RejectedError("expected one e-mail address such as name@example.org")
    return address


def enqueue(store: Store, mail_id: str, visit_id: str, address: str, now_s: float) -> None:
    """One more mail; the same `mail_id` again changes nothing. RejectedError if too many wait."""
    address = check_address(address)
    if store.select(select(table.c.mail_id).where(table.c.mail_id == mail_id)):
        return
    waiting = store.count(table, table.c.state == "waiting")
    if store.count(table, table.c.visit_id == visit_id) >= A_VISIT_MAX:
        raise RejectedError(f"expected at most {A_VISIT_MAX} mails a receipt and day")
    if waiting >= WAITING_MAX:
        raise RejectedError("too many mails wait to be sent; try again later")
    store.run(
        insert(table).values(
            mail_id=mail_id,
            visit_id=visit_id,
            address=address,
            state="waiting",
            tries=0,
            next_us=us(now_s),
            expires_us=us(now_s + WAIT_S_MAX),
        )
    )


def due(store: Store, now_s: float, most: int) -> list[Letter]:
    """What may be sent now, the oldest first."""
    rows = store.select(
        select(table)
        .where(table.c.state == "waiting", table.c.next_us <= us(now_s))
        .order_by(table.c.next_us, table.c.mail_id)
        .limit(most)
    )
    return [Letter(row["mail_id"], row["visit_id"], row["address"], row["tries"]) for row in rows]


def try_later(store: Store, letter: Letter, now_s: float) -> None:
    """It could not be sent now: again after a wait that doubles."""
    wait_s = min(FIRST_WAIT_S * 2.0 ** min(letter.tries, 20), BETWEEN_S_MAX)
    store.run(
        update(table)
        .where(table.c.mail_id == letter.mail_id)
        .values(tries=letter.tries + 1, next_us=us(now_s + wait_s))
    )


def settle(store: Store, mail_id: str, outcome: str, now_s: float) -> None:
    """It is over: the address is erased, the outcome is known for a while."""
    store.run(
        update(table)
        .where(table.c.mail_id == mail_id)
        .values(state=outcome, address=None, expires_us=us(now_s + KNOWN_S))
    )


def sweep(store: Store, now_s: float) -> None:
    """Gives up what waited too long, and forgets outcomes that are old."""
    late = table.c.expires_us <= us(now_s)
    store.run(delete(table).where(late, table.c.state != "waiting"))
    store.run(
        update(table)
        .where(late, table.c.state == "waiting")
        .values(state="expired", address=None, expires_us=us(now_s + KNOWN_S))
    )


def state_of(store: Store, visit_id: str) -> list[dict[str, Any]]:
    """How the mails of a visit stand, without their addresses."""
    return store.select(
        select(table.c.mail_id, table.c.state, table.c.tries)
        .where(table.c.visit_id == visit_id)
        .order_by(table.c.next_us)
    )
