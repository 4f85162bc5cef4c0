"""What a step of the core leaves behind: events, money, questions to the gateway, changed rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub.chain import GENESIS, link
from hub.wallet.gateway import GatewayRequest
from hub.wallet.model import Transaction

if TYPE_CHECKING:
    from hub.parcels.model import Order, Parcel
    from hub.visits.model import Visit
    from hub.wallet.account import Account

__all__ = ["Attempt", "Effects", "EventLog", "LogEvent", "us"]


def us(seconds: float) -> int:
    """Seconds to whole microseconds, the unit of stored times."""
    return round(seconds * 1_000_000)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that happened. `data` holds strings, integers, booleans and lists of them."""

    number: int
    at_us: int
    kind: str
    visit_id: str | None
    data: Mapping[str, object]
    previous_hash: str
    hash: str

    def row(self) -> dict[str, object]:
        """What the hash is taken of."""
        return {
            "number": self.number,
            "at_us": self.at_us,
            "kind": self.kind,
            "visit_id": self.visit_id,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a question to the gateway stands; `outcome` is None until an answer settled it."""

    request: GatewayRequest
    visit_id: str
    tries: int
    outcome: str | None


@dataclass(slots=True)
class Effects:
    """What is to be stored, and then done, after one or several steps."""

    events: list[LogEvent] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    asks: list[GatewayRequest] = field(default_factory=list)
    visits: set[str] = field(default_factory=set)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)
    stock: set[tuple[str, str]] = field(default_factory=set)
    prices: list[tuple[str, int, int]] = field(default_factory=list)
    planogram: set[str] = field(default_factory=set)
    clocks: set[tuple[str, str]] = field(default_factory=set)
    purses: set[str] = field(default_factory=set)
    cards: set[str] = field(default_factory=set)
    chargebacks: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    """Visits that decisions name: pages show something else of them, the database does not."""
    orders: set[str] = field(default_factory=set)
    """Orders that changed, or a parcel of theirs: their rows are written anew."""
    walls: set[str] = field(default_factory=set)
    """Walls of which pages show something else; the database keeps none of it."""
    left_visits: dict[str, tuple[Visit, Account | None]] = field(default_factory=dict)
    """Visits that changed and left memory in one step, with their money: as they are stored."""
    left_orders: dict[str, tuple[Order, list[Parcel]]] = field(default_factory=dict)
    """The same of orders."""

    def __bool__(self) -> bool:
        return bool(
            self.events
            or self.transactions
            or self.asks
            or self.visits
            or self.attempts
            or self.receipts
            or self.stock
            or self.prices
            or self.planogram
            or self.purses
            or self.cards
            or self.chargebacks
            or self.orders
        )


NOTHING = Effects()
"""What most messages leave behind; nobody adds to it."""


class EventLog:
    """Numbers and chains the events."""

    def __init__(self, number: int = 0, head: str = GENESIS) -> None:
        self.number = number
        self.head = head

    def append(
        self, *, at_s: float, kind: str, visit_id: str | None, data: Mapping[str, object]
    ) -> LogEvent:
        """The next event of the log."""
        number, at_us, before = self.number + 1, us(at_s), self.head
        row = {"number": number, "at_us": at_us, "kind": kind, "visit_id": visit_id, "data": data}
        self.number, self.head = number, link(before, row)
        return LogEvent(number, at_us, kind, visit_id, data, before, self.head)
