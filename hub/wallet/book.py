"""What an adapter remembers of a real gateway: who a payer is there, and what a hold is called.

Ids only; a card never comes here. `MemoryBook` forgets with its process, `SqlBook` keeps both in
the hub's own database, so that whichever hub owns the store finds them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Select, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from hub.errors import StoreError, StoreWriteError
from hub.store.database import open_engine, short
from hub.wallet.tables import gateway_intents, gateway_payers

__all__ = ["Card", "GatewayBook", "MemoryBook", "SqlBook"]


@dataclass(frozen=True, slots=True)
class Card:
    """A payer's saved card, by the gateway's ids of the customer and the payment method."""

    customer_id: str
    method_id: str


class GatewayBook(Protocol):
    """Where the adapter looks ids up. StoreError when it cannot be read or written."""

    def card(self, payer: str) -> Card | None:
        """The payer's saved card."""
        ...

    def save_card(self, payer: str, card: Card) -> None:
        """From now on this card pays for the payer."""
        ...

    def intent(self, hold_key: str) -> tuple[bool, str | None]:
        """Whether a hold was ever asked under this key, and its id if an answer came."""
        ...

    def save_intent(self, hold_key: str, intent_id: str | None) -> None:
        """The hold is about to be asked (None), or has this id."""
        ...


class MemoryBook:
    """A book for tests and for hubs in memory."""

    def __init__(self) -> None:
        self._cards: dict[str, Card] = {}
        self._intents: dict[str, str | None] = {}

    def card(self, payer: str) -> Card | None:
        """The payer's saved card."""
        return self._cards.get(payer)

    def save_card(self, payer: str, card: Card) -> None:
        """From now on this card pays for the payer."""
        self._cards[payer] = card

    def intent(self, hold_key: str) -> tuple[bool, str | None]:
        """Whether it was asked, and its id."""
        return hold_key in self._intents, self._intents.get(hold_key)

    def save_intent(self, hold_key: str, intent_id: str | None) -> None:
        """The hold is about to be asked, or has this id."""
        self._intents[hold_key] = intent_id


class SqlBook:
    """The book in the hub's database, on connections of its own. The schema must be there."""

    def __init__(self, url: str, *, now: Callable[[], float] = time.time) -> None:
        self._engine = open_engine(url)
        self._now = now
        # Of several that ask the gateway one at a time waits for the hub's own writer.
        self._writing = threading.Lock()

    def close(self) -> None:
        """Closes its connections."""
        self._engine.dispose()

    def card(self, payer: str) -> Card | None:
        """The payer's saved card."""
        found = self._one(
            select(gateway_payers.c.customer_id, gateway_payers.c.method_id).where(
                gateway_payers.c.payer == payer
            )
        )
        return None if found is None else Card(found[0], found[1])

    def save_card(self, payer: str, card: Card) -> None:
        """From now on this card pays for the payer."""
        self._save(
            gateway_payers,
            {
                "payer": payer,
                "customer_id": card.customer_id,
                "method_id": card.method_id,
                "changed_us": round(self._now() * 1e6),
            },
        )

    def intent(self, hold_key: str) -> tuple[bool, str | None]:
        """Whether it was asked, and its id."""
        found = self._one(
            select(gateway_intents.c.intent_id).where(gateway_intents.c.hold_key == hold_key)
        )
        return found is not None, None if found is None else found[0]

    def save_intent(self, hold_key: str, intent_id: str | None) -> None:
        """The hold is about to be asked, or has this id."""
        self._save(
            gateway_intents,
            {
                "hold_key": hold_key,
                "intent_id": intent_id,
                "asked_us": round(self._now() * 1e6),
            },
        )

    def _one(self, statement: Select[Any]) -> tuple[str, ...] | None:
        try:
            with self._engine.connect().execution_options(reading=True) as connection:
                row = connection.execute(statement).first()
        except SQLAlchemyError as error:
            raise StoreError(f"the gateway's ids cannot be read: {short(error)}") from error
        return None if row is None else tuple(row)

    def _save(self, table: Table, row: dict[str, object]) -> None:
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(table).values(**row)
        key = next(iter(row))
        others = {name: statement.excluded[name] for name in row if name != key}
        try:
            with self._writing, self._engine.begin() as connection:
                connection.execute(
                    statement.on_conflict_do_update(index_elements=[key], set_=others)
                )
        except SQLAlchemyError as error:
            raise StoreWriteError(f"the gateway's ids were not stored: {short(error)}") from error
