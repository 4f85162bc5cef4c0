"""Who owes, disputes at banks, refunds that wait: the hub's JSON in, HTML out, all escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from hub.pages.words import label, money

__all__ = ["debtor_html", "dispute_html", "money_that_waits", "refund_html"]

Json = Mapping[str, Any]
_BLOCKS = {"entry": "is not let in", "tab": "has no tab"}
_STATES = {"open": "the bank decides", "won": "won", "lost": "lost"}
_REFUNDS = {
    "asked": "the gateway is being asked",
    "unanswered": "the gateway never answered",
    "refused": "the gateway said no",
}
ROWS_MAX = 20


def debtor_html(row: Json) -> str:
    """A payer who owes: how much, since when, for which visits, and what that blocks."""
    currency = str(row["currency"])
    visits = ", ".join(
        f"{label(one['visit_id'])} {money(one['amount_minor'], currency)}" for one in row["visits"]
    )
    more = row["visits_count"] - len(row["visits"])
    words = [f"since {_day(row['since_us'])}", visits + (f" and {more} more" if more else "")]
    words += [_BLOCKS.get(name, name) for name in row["blocks"]]
    return (
        f'<h3 class="pair">{escape(row["payer"])}'
        f"<b>{escape(money(row['debt_minor'], currency))} owed</b></h3>"
        f'<p class="quiet">{escape(" · ".join(words))}</p>'
    )


def dispute_html(row: Json) -> str:
    """A payment that is disputed at the bank: what the bank has, and whether its payer waits."""
    currency = str(row["currency"])
    taken = max(0, row["withdrawn_minor"] - row["returned_minor"])
    words = [f"since {_day(row['opened_us'])}"]
    if row["visit_id"]:
        words.append(label(row["visit_id"]))
    if row["payer"]:
        words.append(f"payer {row['payer']}")
    if row["reason"]:
        words.append(str(row["reason"]))
    words.append(f"the bank has {money(taken, currency)}")
    if row["fee_minor"]:
        words.append(f"fee {money(row['fee_minor'], currency)}")
    if row["keeps_out"]:
        words.append("the payer is not let in")
    elif row["decision"]:
        words.append(f"let in again by {row['by']}")
    state = str(row["state"])
    tone = {"lost": " red", "open": " amber"}.get(state, "")
    return (
        f'<h3 class="pair">{escape(money(row["amount_minor"], currency))}'
        f'<span class="word{tone}">{escape(_STATES.get(state, state))}</span></h3>'
        f'<p class="quiet">{escape(" · ".join(words))}</p>'
    )


def refund_html(row: Json) -> str:
    """A refund that the gateway has not paid, why, and when it is asked again."""
    state = str(row["state"])
    words = [_REFUNDS.get(state, state), f"since {_day(row['since_us'])}"]
    if row["again_us"] is not None:
        words.append(f"the hub asks again at {_moment(row['again_us'])}")
    elif row["state"] == "unanswered":
        words.append("the hub asks no more by itself")
    return (
        f'<h3 class="pair">{escape(label(row["visit_id"]))}'
        f"<b>{escape(money(row['amount_minor'], str(row['currency'])))} to pay back</b></h3>"
        f'<p class="quiet">{escape(" · ".join(words))}</p>'
    )


def money_that_waits(debts: Json, disputes: Json, refunds: Json) -> str:
    """The same for the money page, which is read and printed: the first rows of three lists."""
    parts = [
        ("Who owes", debts, debtor_html, "Nobody owes anything."),
        ("Disputes at the bank", disputes, dispute_html, "No payment was disputed."),
        ("Refunds that wait", refunds, refund_html, "No refund waits."),
    ]
    shown = []
    for title, page, html, none in parts:
        rows = list(page["items"])[:ROWS_MAX]
        more = page["next"] is not None or len(page["items"]) > ROWS_MAX
        shown.append(
            f"<h3>{title}</h3>"
            + ("".join(map(html, rows)) if rows else f'<p class="quiet">{none}</p>')
            + ('<p class="quiet">There are more.</p>' if more else "")
        )
    return "".join(shown) + '<p><a class="button quiet" href="/staff/wallets">Act on them</a></p>'


def _day(at_us: int | None) -> str:
    return "long ago" if at_us is None else _at(at_us).strftime("%Y-%m-%d")


def _moment(at_us: int) -> str:
    return _at(at_us).strftime("%Y-%m-%d %H:%M UTC")


def _at(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)
