"""A lease as PostgreSQL's is, in memory: whoever took it last may write, all others are fenced off.

The file lock that a hub on SQLite takes is the kernel's and ends with the process; here several
hubs live in one process, and one of them is to wake up late and find the store taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from hub.errors import LeaseLostError

__all__ = ["TurnLease", "Turns"]


@dataclass(slots=True)
class Turns:
    """How often the store changed hands, and how often somebody was stopped for it."""

    epoch: int = 0
    fenced: int = 0


class TurnLease:
    """One hub's lease; `take` ends everybody else's, as when theirs has run out."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.epoch = 0

    @property
    def held(self) -> bool:
        """Whether nobody has taken it since."""
        return self.epoch == self._turns.epoch

    def take(self) -> bool:
        """Takes it."""
        self._turns.epoch += 1
        self.epoch = self._turns.epoch
        return True

    def renew(self) -> None:
        """Keeps it; LeaseLostError if another hub has it."""
        if not self.held:
            raise LeaseLostError("expected to hold the store's lease, another hub has it")

    def fence(self, connection: Connection) -> None:
        """In a transaction: LeaseLostError unless it may be committed."""
        if not self.held:
            self._turns.fenced += 1
            raise LeaseLostError("expected to hold the store's lease, another hub has it")

    def release(self) -> None:
        """Whoever wants it takes it anyway."""
