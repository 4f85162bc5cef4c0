"""The fiscal journal's rules: entries, running totals, closings. Pure; signing is done outside.

Every sale is a `ticket`, everything taken back a `correction`; a `closing` ends a day, a month or
a year; `technical` entries tell what happened to the journal itself. An entry names the ledger's
transaction it comes from (its `source`), so that it is made once however often it is asked for.
Its body ends with the running totals after it:

    "totals": {"perpetual": C, "year": C, "month": C, "day": C}
    C = {"tickets", "corrections", "sales_minor", "refunds_minor", "rates": {rate: [net, vat]}}

`sales_minor` of the perpetual counter never falls and is never set back. The hash of an entry is
that of hub.chain over {number, source, kind, at_us, day, body}; its signature is Ed25519 over the
hash's 64 characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal, Protocol

from hub.chain import GENESIS, link
from hub.errors import FiscalError

__all__ = [
    "LEVELS",
    "Closing",
    "Draft",
    "Entry",
    "FiscalProfile",
    "Kind",
    "Signer",
    "State",
    "advanced",
    "begun",
    "days_between",
    "intact",
    "next_entry",
    "resumed",
    "signed",
]

Kind = Literal["ticket", "correction", "closing", "technical"]
LEVELS = ("day", "month", "year")
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an entry that was edited may come to."""
Totals = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry to be: all but its place in the chain. `day` is the store day, YYYY-MM-DD."""

    source: str
    kind: Kind
    at_us: int
    day: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the journal."""

    number: int
    source: str
    kind: str
    at_us: int
    day: str
    body: Mapping[str, Any]
    previous_hash: str
    hash: str
    signature: str

    def row(self) -> dict[str, object]:
        """What the hash is taken of."""
        names = ("number", "source", "kind", "at_us", "day", "body")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Closing:
    """A period that is over: its level, and its name such as 2026-03-31, 2026-03 or 2026."""

    level: str
    period: str


@dataclass(frozen=True, slots=True)
class State:
    """Where the journal stands: its last entry, the day that is open, the totals."""

    number: int
    head: str
    day: str | None
    totals: Totals


class FiscalProfile(Protocol):
    """What one country asks of the journal."""

    name: str

    def closings(self, day: date) -> tuple[Closing, ...]:
        """The closings that are made when a day is over, in their order."""
        ...

    def notice(self) -> str:
        """What the archive says of itself to whoever opens it."""
        ...


class Signer(Protocol):
    """A key outside the database."""

    public_key: str

    def sign(self, text: str) -> str:
        """The signature of a text, in hexadecimal."""
        ...


def begun() -> State:
    """A journal without entries."""
    return State(0, GENESIS, None, {level: _counter() for level in ("perpetual", *LEVELS)})


def advanced(state: State, draft: Draft) -> State:
    """The state after an entry. FiscalError if the entry may not follow: a day that is closed,
    days that were not closed, or a closing that does not say what was counted."""
    if state.day is not None and draft.day != state.day:
        raise FiscalError(f"expected an entry of {state.day}, the open day, got {draft.day}")
    totals = deepcopy(state.totals)
    day = draft.day
    if draft.kind in ("ticket", "correction"):
        for counter in totals.values():
            _count(counter, draft)
    elif draft.kind == "closing":
        level = str(draft.body["level"])
        if dict(draft.body["closed"]) != totals[level]:
            raise FiscalError(
                f"expected the closing of {draft.body['period']} to say {totals[level]}, it says "
                f"{draft.body['closed']}"
            )
        totals[level] = _counter()
    if draft.body.get("ends_day"):
        day = (date.fromisoformat(draft.day) + timedelta(days=1)).isoformat()
    return replace(state, day=day, totals=totals)


def next_entry(state: State, draft: Draft, sign: Callable[[str], str]) -> tuple[Entry, State]:
    """Chains and signs a draft; returns the entry and the state after it."""
    after = advanced(state, draft)
    body = {**draft.body, "totals": after.totals}
    number = state.number + 1
    bare = Entry(number, draft.source, draft.kind, draft.at_us, draft.day, body, state.head, "", "")
    digest = link(state.head, bare.row())
    entry = replace(bare, hash=digest, signature=sign(digest))
    return entry, replace(after, number=number, head=digest)


def signed(
    entry: Entry, state: State, public_key: str, valid: Callable[[str, str, str], bool]
) -> tuple[State, tuple[str, ...]]:
    """Follows one stored entry: the state after it, and what is wrong with it, a sentence each.
    `valid` says whether a key's signature fits a text: valid(public_key, text, signature)."""
    faults = []
    where = f"entry {entry.number} ({entry.source})"
    if entry.number != state.number + 1:
        faults.append(f"{where}: expected number {state.number + 1}; entries are missing")
    if entry.previous_hash != state.head:
        faults.append(f"{where}: does not follow the entry before it")
    if link(entry.previous_hash, entry.row()) != entry.hash:
        faults.append(f"{where}: does not fit its hash; it was edited")
    if not valid(public_key, entry.hash, entry.signature):
        faults.append(f"{where}: the signature is not of the journal's key")
    after = state
    try:
        body = {name: value for name, value in entry.body.items() if name != "totals"}
        kind: Any = entry.kind
        after = advanced(state, Draft(entry.source, kind, entry.at_us, entry.day, body))
        if entry.body["totals"] != after.totals:
            faults.append(f"{where}: its totals are not the sum of what came before")
    except UNREADABLE as error:
        faults.append(f"{where}: {error!r}")
    except FiscalError as error:
        faults.append(f"{where}: {error}")
    if faults:
        # What follows is judged from what this entry says, so that one fault is told once.
        with suppress(*UNREADABLE):
            after = resumed(entry)
    return replace(after, number=entry.number, head=entry.hash), tuple(faults)


def resumed(entry: Entry) -> State:
    """The state after a stored entry, by what it says itself."""
    day = entry.day
    if entry.body.get("ends_day"):
        day = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    totals = deepcopy(dict(entry.body["totals"]))
    return State(entry.number, entry.hash, day, totals)


def intact(entry: Entry) -> Entry:
    """The entry, if it fits its hash; FiscalError if it was edited."""
    if link(entry.previous_hash, entry.row()) != entry.hash:
        raise FiscalError(
            f"expected entry {entry.number} of the journal as it was signed, it was edited; run "
            "`sortie hub fiscal check`"
        )
    return entry


def days_between(first: str, after: date) -> Iterator[date]:
    """Days from one up to, but not with, another."""
    day = date.fromisoformat(first)
    while day < after:
        yield day
        day += timedelta(days=1)


def _counter() -> dict[str, Any]:
    return {"tickets": 0, "corrections": 0, "sales_minor": 0, "refunds_minor": 0, "rates": {}}


def _count(counter: dict[str, Any], draft: Draft) -> None:
    sale = draft.kind == "ticket"
    sign = 1 if sale else -1
    counter["tickets" if sale else "corrections"] += 1
    counter["sales_minor" if sale else "refunds_minor"] += draft.body["gross_minor"]
    for rate, (net, vat) in draft.body["rates"].items():
        before = counter["rates"].get(rate, [0, 0])
        counter["rates"][rate] = [before[0] + sign * net, before[1] + sign * vat]
