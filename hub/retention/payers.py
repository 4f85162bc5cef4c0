"""Numbers for payers: what is written for good knows a payer by a number that means nothing.

`payers` joins number and name. A command's payer is exchanged before the core sees it, and back
when the gateway is asked; when the name's time is up its row goes, and with it all that joined the
ledger and the events to a person. The same name then gets another number.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TypeVar

from sqlalchemy import select

from hub.command import Command
from hub.store import tables as t
from hub.store.rows import Rows
from hub.store.service import Store
from hub.visits.commands import TapCard
from hub.visits.taps import CARD_PREFIX

__all__ = ["PREFIX", "Payers"]

Asked = TypeVar("Asked", bound=Command)
PREFIX = "p-"
KNOWN_MAX = 10_000
USED_STEP_US = 86_400 * 1_000_000
"""A name's last use is written at most once a day."""


class Payers:
    """The exchange, with the latest names in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def number(self, name: str, rows: Rows, at_us: int) -> str:
        """The number of a name, a new one if it has none; `rows` gets what is to be stored."""
        number, used_us = self._known.get(name) or self._stored(name) or ("", 0)
        if not number:
            number = PREFIX + secrets.token_hex(10)
        if at_us >= used_us + USED_STEP_US or not used_us:
            used_us = at_us
            rows.upsert(t.payers, {"payer_id": number, "name": name, "used_us": used_us})
        self._known[name] = (number, used_us)
        self._known.move_to_end(name)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return number

    def exchanged(self, command: Asked, rows: Rows, at_us: int) -> Asked:
        """A command with a number in the place of its payer's name, if it names one. The token of
        a card that was tapped is such a name too."""
        if isinstance(command, TapCard):
            number = self.number(CARD_PREFIX + command.card, rows, at_us)
            return command.model_copy(update={"card": number})
        payer = getattr(command, "payer", None)
        if not isinstance(payer, str):
            return command
        return command.model_copy(update={"payer": self.number(payer, rows, at_us)})

    def name(self, number: str) -> str:
        """The name behind a number; the number itself once that is forgotten."""
        plain = number.removeprefix(CARD_PREFIX)
        if not plain.startswith(PREFIX):
            return number
        found = self._store.select(select(t.payers.c.name).where(t.payers.c.payer_id == plain))
        return str(found[0]["name"]) if found else number

    def forget_all(self) -> None:
        """Reads from the database again: rows were erased, or a commit failed."""
        self._known.clear()

    def _stored(self, name: str) -> tuple[str, int] | None:
        found = self._store.select(select(t.payers).where(t.payers.c.name == name))
        return (found[0]["payer_id"], found[0]["used_us"]) if found else None
