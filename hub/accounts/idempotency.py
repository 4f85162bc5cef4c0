"""Idempotency keys: the same request under the same key is done once and answered the same.

`claim` before the work, `finish` after it. A process that dies between the two leaves a claim that
another try may take over after CLAIM_S; what it then does again is the same command under the same
key, which the hub's core knows and does not do twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from hub.accounts.store import AccountStore
from hub.accounts.tables import idempotency_keys as table
from hub.errors import ConflictError, RejectedError

__all__ = [
    "CLAIM_S",
    "KEPT_S",
    "Claim",
    "InProgressError",
    "Kept",
    "KeyReusedError",
    "claim",
    "finish",
    "release",
]

CLAIM_S = 60.0
KEPT_S = 3 * 86_400.0


class InProgressError(ConflictError):
    """The first request under this key is not over yet."""


class KeyReusedError(RejectedError):
    """The key was used for another request."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's key for one request."""

    owner: str
    key: str
    fingerprint: str

    @property
    def command_key(self) -> str:
        """What the hub's core knows the work by: unlike for two owners of one key."""
        return hashlib.sha256(f"{self.owner}\n{self.key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer that was given."""

    status: int
    media_type: str
    answer: str


def claim(store: AccountStore, asked: Claim, now_us: int) -> Kept | None:
    """Takes a key for a request; the answer if it was done already. KeyReusedError,
    InProgressError."""
    where = (table.c.owner == asked.owner, table.c.key == asked.key)
    with store.write(numbered=True) as connection:
        connection.execute(delete(table).where(table.c.claimed_us < now_us - round(KEPT_S * 1e6)))
        row = connection.execute(select(table).where(*where)).mappings().first()
        if row is None:
            connection.execute(
                insert(table),
                [
                    {
                        "owner": asked.owner,
                        "key": asked.key,
                        "fingerprint": asked.fingerprint,
                        "claimed_us": now_us,
                    }
                ],
            )
            return None
        if row["fingerprint"] != asked.fingerprint:
            raise KeyReusedError(
                "expected the request this Idempotency-Key was first used for, got another; "
                "take a new key"
            )
        if row["status"] is not None:
            return Kept(row["status"], row["media_type"], row["answer"])
        if now_us - row["claimed_us"] < CLAIM_S * 1e6:
            raise InProgressError(
                "the first request under this Idempotency-Key is not over; ask again in a moment"
            )
        connection.execute(update(table).where(*where).values(claimed_us=now_us))
    return None


def finish(store: AccountStore, done: Claim, kept: Kept) -> None:
    """Keeps the answer."""
    where = (table.c.owner == done.owner, table.c.key == done.key)
    with store.write() as connection:
        connection.execute(
            update(table)
            .where(*where)
            .values(status=kept.status, media_type=kept.media_type, answer=kept.answer)
        )


def release(store: AccountStore, undone: Claim) -> None:
    """Gives the key back: nothing was done."""
    where = (table.c.owner == undone.owner, table.c.key == undone.key)
    with store.write() as connection:
        connection.execute(delete(table).where(*where, table.c.status.is_(None)))
