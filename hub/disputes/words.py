"""A shopper's own words to a dispute: kept for staff to read, erased once they are not needed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.disputes.tables import dispute_words as table
from hub.effects import us
from hub.store.rows import printable
from hub.store.service import Store

__all__ = ["WORDS_KEPT_S", "WORDS_MAX", "keep_words", "sweep_words", "words_of"]

WORDS_MAX = 200
WORDS_KEPT_S = 60 * 86_400.0
WORDS_A_READ = 500


def keep_words(store: Store, dispute_id: str, words: str, now_s: float) -> None:
    """Keeps what was written, the first time."""
    if not words.strip():
        return
    dialect: Any = postgresql if store.dialect == "postgresql" else sqlite
    row = {
        "dispute_id": dispute_id,
        "words": printable(words.strip()[:WORDS_MAX]),
        "expires_us": us(now_s + WORDS_KEPT_S),
    }
    store.run(dialect.insert(table).values(row).on_conflict_do_nothing())


def words_of(store: Store, dispute_ids: list[str]) -> dict[str, str]:
    """Dispute to words, of those that have any."""
    if not dispute_ids:
        return {}
    rows = store.select(select(table).where(table.c.dispute_id.in_(dispute_ids[:WORDS_A_READ])))
    return {row["dispute_id"]: row["words"] for row in rows}


def sweep_words(store: Store, now_s: float) -> None:
    """Erases what is too old; overwritten first, so that no free page keeps it."""
    old = table.c.expires_us <= us(now_s)
    if store.run(update(table).where(old).values(words="")):
        store.run(delete(table).where(old))
