"""Gift cards and payers as staff see them: the hub's JSON in, HTML out; all text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from hub.pages.words import label, money

__all__ = ["card_html", "debts", "end_of_day_s", "issued_html", "minor_of", "payer_html"]


def minor_of(text: str, places: int = 2) -> int | None:
    """An amount as somebody types it, in minor units; None if it is no amount above nothing.

    >>> minor_of("20"), minor_of(" 7,5 "), minor_of("0.05"), minor_of("1.234"), minor_of("-3")
    (2000, 750, 5, None, None)
    """
    whole, _, rest = text.strip().replace(",", ".").partition(".")
    if not (whole + rest).isascii() or not (whole + rest).isdigit() or len(rest) > places:
        return None
    minor = int(whole or "0") * 10**places + int(rest.ljust(places, "0") or "0")
    return minor or None


def end_of_day_s(text: str) -> float | None:
    """The last second (UTC) of a day given as YYYY-MM-DD, in hub seconds; ValueError if it is
    none, None for no day at all.

    >>> end_of_day_s(""), end_of_day_s("2026-01-01")
    (None, 1767311999.0)
    """
    if not text.strip():
        return None
    day = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    return day.timestamp() + 86_399.0


def card_html(card: Mapping[str, Any], currency: str) -> str:
    """One gift card: what is left of it and why it may not pay. Its code is known to nobody."""
    left, whole = card["left_minor"], card["amount_minor"]
    word = _state(card)
    tone = {"good": "", "blocked": " red", "expired": " amber"}.get(word, "")
    facts = [f"issued {_day(card['issued_s'])}", str(card["how"])]
    if card["expires_s"] is not None:
        facts.append(f"until {_day(card['expires_s'])}")
    if card["payer"]:
        facts.append(f"in the wallet of {card['payer']}")
    return (
        f'<div data-card="{escape(card["card_id"], quote=True)}"><h3 class="pair">'
        f'{escape(card["card_id"])}<span class="word{tone}">{escape(word)}</span></h3>'
        f'<p class="pair"><span class="quiet">{escape(" · ".join(facts))}</span>'
        f'<b class="money">{escape(money(left, currency))}'
        f"{'' if left == whole else escape(' of ' + money(whole, currency))}</b></p></div>"
    )


def issued_html(issued: Mapping[str, Any], currency: str) -> str:
    """A new card with its code, which nobody can look up again."""
    return (
        f"<p>A card of {escape(money(issued['amount_minor'], currency))}, "
        f"{escape(issued['card_id'])}.</p>"
        f'<p class="code"><code>{escape(issued["code"])}</code></p>'
        "<p>Write it down or print it now: this code is not shown again, and not kept.</p>"
    )


def debts(payer: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Visits that are not paid, and what they owe."""
    return [(row["visit_id"], row["amount_minor"]) for row in payer["debts"]]


def payer_html(payer: Mapping[str, Any]) -> str:
    """A payer: with a wallet its money and sources, and what is owed in any case."""
    currency = str(payer["currency"])
    rows = []
    if payer["wallet"]:
        rows += [
            ("balance", money(payer["balance_minor"], currency)),
            ("held for visits", money(payer["held_minor"], currency)),
            ("on the tab", money(payer["tab_minor"], currency)),
            ("pays in this order", ", ".join(payer["order"])),
        ]
    rows.append(("debt", money(payer["debt_minor"], currency)))
    if any(one["keeps_out"] for one in payer.get("disputes", ())):
        rows.append(("at the gate", "not let in: a payment is disputed at the bank"))
    listed = "".join(
        f'<li class="pair"><span>{escape(name)}</span><b>{escape(value)}</b></li>'
        for name, value in rows
    )
    now = "".join(
        f'<li class="pair"><span>{escape(label(row["visit_id"]))} · {escape(row["stage"])}</span>'
        f"<b>{escape(money(row['held_minor'], currency))} held</b></li>"
        for row in payer["visits"]
    )
    kind = "has a wallet" if payer["wallet"] else "pays by card, without a wallet"
    return (
        f'<h3>{escape(payer["payer"])}</h3><p class="quiet">{kind}</p>'
        f'<ul class="plain waiting">{listed}{now}</ul>'
    )


def _state(card: Mapping[str, Any]) -> str:
    if card["blocked"]:
        return "blocked"
    if card["redeemed"]:
        return "turned into balance"
    if card["refusal"]:
        return "expired"
    return "good" if card["left_minor"] else "used up"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
