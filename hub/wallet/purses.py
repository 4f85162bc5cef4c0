"""Wallets that shoppers keep with the store, gift cards, and payments that belong to no visit.

A wallet is opened with a secret that only its phone knows; the hub keeps the SHA-256. Its payer's
name is made of that hash, so that nobody can take another's name, and a visit on it is opened with
the secret only. Payers without a wallet have a name and nothing else, as ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hub.errors import UnknownWalletError

__all__ = [
    "IDS_KEPT",
    "MOVEMENTS_KEPT",
    "GiftCard",
    "Payment",
    "Purse",
    "Purses",
    "TabRun",
    "payer_of",
]

MOVEMENTS_KEPT = 20
"""Latest movements shown on a wallet's page; all of them are in the ledger."""
IDS_KEPT = 50
"""Latest ids of commands a wallet remembers, so that a repeated one does nothing."""
CARDS_MAX = 10
"""Gift cards on one wallet."""


def payer_of(secret_sha256: str) -> str:
    """The payer of a wallet, from the SHA-256 of its secret."""
    return "w-" + hashlib.sha256(secret_sha256.encode()).hexdigest()[:24]


@dataclass(slots=True)
class TabRun:
    """Small charges of one wallet that wait to be captured together, by visit."""

    since_s: float
    visits: dict[str, int] = field(default_factory=dict)

    @property
    def amount_minor(self) -> int:
        """All of it."""
        return sum(self.visits.values())


@dataclass(slots=True)
class Purse:
    """One wallet. `order` lists its sources as they are used: "card", "stored", "gift:CARD"."""

    payer: str
    secret_sha256: str
    opened_s: float
    order: list[str] = field(default_factory=lambda: ["card"])
    cards: list[str] = field(default_factory=list)
    payments: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    movements: list[dict[str, Any]] = field(default_factory=list)
    debts: dict[str, int] = field(default_factory=dict)
    tab: TabRun | None = None

    def remember(self, name: str, content: str) -> None:
        """An id of a command and what it asked for; the oldest is forgotten."""
        self.ids[name] = content
        while len(self.ids) > IDS_KEPT:
            del self.ids[next(iter(self.ids))]

    def moved(self, at_s: float, kind: str, amount_minor: int, **more: object) -> None:
        """Something for the list of latest movements; money that came in is positive."""
        self.movements.append({"at_s": at_s, "kind": kind, "amount_minor": amount_minor, **more})
        del self.movements[:-MOVEMENTS_KEPT]


@dataclass(slots=True)
class GiftCard:
    """A card of a fixed amount. Whoever knows its code may spend it, until a wallet claims it."""

    card_id: str
    code_sha256: str
    amount_minor: int
    how: str
    issued_s: float
    expires_s: float | None = None
    blocked: bool = False
    payer: str | None = None
    redeemed: bool = False

    @property
    def account(self) -> str:
        """Its account in the ledger."""
        return f"gift:{self.card_id}"

    def refusal(self, now_s: float) -> str:
        """Why it cannot be spent now; empty if it can."""
        if self.blocked:
            return "the card is blocked; ask the store"
        if self.expires_s is not None and now_s >= self.expires_s:
            return "the card has expired"
        return ""


@dataclass(slots=True)
class Payment:
    """A hold and its capture at the gateway for no single visit. `key` is the pending transaction
    and the hold's key."""

    key: str
    payer: str
    purpose: Literal["topup", "tab"]
    amount_minor: int
    visits: dict[str, int] = field(default_factory=dict)


class Purses:
    """All wallets and gift cards, and the payments under way."""

    def __init__(self) -> None:
        self.all: dict[str, Purse] = {}
        self.by_secret: dict[str, str] = {}
        self.cards: dict[str, GiftCard] = {}
        self.by_code: dict[str, str] = {}
        self.payments: dict[str, Payment] = {}
        self.visit_cards: dict[str, list[str]] = {}
        self.tabs: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self.all or self.cards or self.payments or self.visit_cards)

    def add(self, purse: Purse) -> None:
        """A new wallet."""
        self.all[purse.payer] = purse
        self.by_secret[purse.secret_sha256] = purse.payer

    def of_secret(self, secret_sha256: str) -> Purse:
        """The wallet whose secret this is; UnknownWalletError for any other."""
        payer = self.by_secret.get(secret_sha256)
        if payer is None:
            raise UnknownWalletError("expected the secret of a wallet, got one that is unknown")
        return self.all[payer]

    def coming_minor(self, payer: str) -> int:
        """What is on its way onto a stored balance."""
        return sum(
            payment.amount_minor
            for payment in self.payments.values()
            if payment.payer == payer and payment.purpose == "topup"
        )

    def issue(self, card: GiftCard) -> None:
        """A new card."""
        self.cards[card.card_id] = card
        self.by_code[card.code_sha256] = card.card_id

    def add_to_tab(self, payer: str, visit_id: str, amount_minor: int, now_s: float) -> None:
        """A visit's small charge waits."""
        purse = self.all[payer]
        if purse.tab is None:
            purse.tab = TabRun(now_s)
            self.tabs[payer] = None
        purse.tab.visits[visit_id] = purse.tab.visits.get(visit_id, 0) + amount_minor

    def off_tab(self, payer: str, visit_id: str, amount_minor: int) -> None:
        """A part of it was given back."""
        purse = self.all[payer]
        if purse.tab is None or visit_id not in purse.tab.visits:
            return
        purse.tab.visits[visit_id] -= amount_minor
        if not purse.tab.visits[visit_id]:
            del purse.tab.visits[visit_id]
        if not purse.tab.visits:
            self.close_tab(payer)

    def close_tab(self, payer: str) -> TabRun:
        """The tab as it is, to be captured; the next charge opens another."""
        purse = self.all[payer]
        run, purse.tab = purse.tab or TabRun(0.0), None
        self.tabs.pop(payer, None)
        return run

    def capturing(self, visit_id: str) -> bool:
        """Whether a visit's share of a tab is being captured right now."""
        return any(visit_id in payment.visits for payment in self.payments.values())

    def on_tab(self, payer: str, visit_id: str) -> bool:
        """Whether a visit waits on its payer's tab."""
        purse = self.all.get(payer)
        tab = None if purse is None else purse.tab
        return (tab is not None and visit_id in tab.visits) or self.capturing(visit_id)

    def dump(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "wallets": [asdict(purse) for _payer, purse in sorted(self.all.items())],
            "cards": [asdict(card) for _card, card in sorted(self.cards.items())],
            "payments": [asdict(payment) for _key, payment in sorted(self.payments.items())],
            "visit_cards": dict(sorted(self.visit_cards.items())),
        }

    @classmethod
    def load(cls, row: Mapping[str, Any]) -> Purses:
        """What `dump` described."""
        purses = cls()
        for values in row.get("wallets", ()):
            tab = values["tab"]
            purses.add(Purse(**{**values, "tab": None if tab is None else TabRun(**tab)}))
            if tab is not None:
                purses.tabs[values["payer"]] = None
        for values in row.get("cards", ()):
            purses.issue(GiftCard(**values))
        purses.payments = {values["key"]: Payment(**values) for values in row.get("payments", ())}
        purses.visit_cards = {
            visit_id: list(cards) for visit_id, cards in row.get("visit_cards", {}).items()
        }
        return purses
