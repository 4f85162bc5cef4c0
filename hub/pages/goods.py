"""The stock page's HTML: shelves, goods, alerts and finds, out of the hub's JSON. Pure functions.

`Goods` is what HubFeed.stock says, with the names and the currency of the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from hub.pages.words import age, clock, label, money

__all__ = ["Goods", "alert_key", "buyers_html"]

Json = Mapping[str, Any]
_WORDS = {"ok": "", "low": "low", "out": "empty", "over": "more than fits"}
_TONES = {"ok": "", "low": "amber", "out": "red", "over": "amber"}
_OFFERS = {"percent": "share off", "amount": "amount off", "n_for_m": "set", "bundle": "bundle"}
ALERT_WORDS = {
    "id": "An ID must be seen: {said}, from {age_min} on",
    "closed": "{who} has {said}, which is not for sale now",
    "recalled": "{who} has {said}, which was called back",
    "hand_back": "{who} must hand back {said}",
    "quarantined": "A node is not believed any more. {said}",
    "clear_shelf": "Take off the shelf, it was called back: {said}",
    "confirm": "Too many to be true? {said}",
}
SOON_S = 1.0


@dataclass(frozen=True, slots=True)
class Goods:
    """What the hub said last of shelves and goods."""

    stock: Json
    goods: Json
    alerts: Sequence[Json]
    currency: str

    # -- choices for forms ----------------------------------------------------------------

    @property
    def names(self) -> dict[str, str]:
        """GTIN to product name."""
        return {row["gtin"]: row["name"] for row in self.stock["products"]}

    @property
    def slots(self) -> dict[str, str]:
        """Slot to how staff call it."""
        return {row["slot_id"]: f"{row['slot_id']} · {row['name']}" for row in self.stock["slots"]}

    def slot(self, slot_id: str) -> Json:
        """One slot; KeyError if it is gone."""
        rows: dict[str, Json] = {row["slot_id"]: row for row in self.stock["slots"]}
        return rows[slot_id]

    def product(self, gtin: str) -> Json:
        """One product; KeyError if it is gone."""
        rows: dict[str, Json] = {row["gtin"]: row for row in self.stock["products"]}
        return rows[gtin]

    @property
    def sessions(self) -> list[Json]:
        """Rounds of restocking that go on."""
        return [row for row in self.stock["sessions"] if row["finished_s"] is None]

    def recall_of(self, gtin: str) -> Json | None:
        """The recall that keeps a product from being sold."""
        rows = [r for r in self.goods["recalls"] if r["gtin"] == gtin and r["lifted_s"] is None]
        return rows[-1] if rows else None

    # -- cards as (key, html, whether there is something to press) -------------------------

    def alert_cards(self) -> list[tuple[str, str, bool]]:
        """The strip of alerts; keys are places in `alerts`."""
        return [
            (
                alert_key(row),
                f'<p class="alert {row["tone"]}" role="alert">{escape(_alert(row))}</p>',
                row["kind"] in ("id", "hand_back", "quarantined", "confirm"),
            )
            for row in self.alerts
        ]

    def slot_cards(self) -> list[tuple[str, str, bool]]:
        """Slots with a bar of how full they are."""
        return [(row["slot_id"], _slot(row), True) for row in self.stock["slots"]]

    def product_cards(self) -> list[tuple[str, str, bool]]:
        """Products with price, pieces and what keeps them from being sold."""
        return [(row["gtin"], _product(row, self.currency), True) for row in self.stock["products"]]

    def offer_cards(self) -> list[tuple[str, str, bool]]:
        """Promotions that have not ended, the newest first."""
        now_s = float(self.stock["now_s"])
        rows = [
            row
            for row in self.goods["promotions"]
            if row["until_s"] is None or row["until_s"] > now_s
        ]
        return [(row["promotion_id"], _offer(row, self.names, now_s), True) for row in rows[::-1]]

    def recall_cards(self) -> list[tuple[str, str, bool]]:
        """What is called back, the newest first."""
        return [
            (
                row["recall_id"],
                f'<div class="pair"><b>{escape(row["name"])}</b>'
                f"{_flags([_recall_word(row)])}"
                f'</div><p class="quiet">{escape(_why(row))}</p>',
                True,
            )
            for row in self.goods["recalls"][::-1]
        ]

    def find_cards(self) -> list[tuple[str, str, bool]]:
        """What waits in the lost-and-found."""
        return [
            (
                row["find_id"],
                f'<p class="pair"><b>{row["quantity"]} × {escape(row["name"])}</b>'
                f'<span class="quiet">{escape(row["where"] or "no place given")}</span></p>',
                True,
            )
            for row in self.stock["finds"]
            if row["state"] == "waiting"
        ]

    def session_cards(self) -> list[tuple[str, str, bool]]:
        """Rounds of restocking with what was put where."""
        return [(row["session_id"], _session(row, self.names), True) for row in self.sessions]

    def misplaced_html(self) -> str:
        """Pieces that lie where they do not belong."""
        now_s = float(self.stock["now_s"])
        rows = "".join(
            f"<li><b>{row['quantity']} × {escape(row['name'])}</b> in {escape(row['slot_id'])}"
            f'<span class="quiet">{escape(_astray(row, now_s))}</span></li>'
            for row in self.stock["misplaced"]
        )
        if not rows:
            return '<p class="quiet">Everything is where it belongs.</p>'
        return f'<ul class="plain">{rows}</ul>'


def buyers_html(found: Json) -> str:
    """Receipts with a product that was called back."""
    rows = "".join(
        f"<li>{escape(clock(row['issued_us']))} · {escape(label(row['visit_id']))} · "
        f"{row['quantity']} pieces</li>"
        for row in found["receipts"]
    )
    more = found["count"] - len(found["receipts"])
    rest = f'<p class="quiet">and {more} before that</p>' if more > 0 else ""
    said = f"<p>{found['count']} receipts; each of them says so on the phone.</p>"
    return f'{said}<ul class="plain scroll">{rows}</ul>{rest}'


def alert_key(row: Json) -> str:
    """What makes an alert the same one as before."""
    parts = ("kind", "visit_id", "gtin", "device_id", "session_id", "move_id")
    return "|".join(str(row.get(name) or "") for name in parts)


def _alert(row: Json) -> str:
    facts = {"said": row["said"], "age_min": row.get("age_min"), "who": label(row["visit_id"])}
    return ALERT_WORDS.get(str(row["kind"]), "{said}").format(**facts)


def _slot(row: Json) -> str:
    share = min(1.0, row["on_hand"] / row["capacity"])
    look = _TONES[row["state"]]
    flags = [(_WORDS[row["state"]], look)]
    flags += [("called back", "red")] if row["recalled"] else []
    flags += [("closed", "amber")] if row["closed"] else []
    return (
        f'<div class="slot" data-slot="{escape(row["slot_id"])}"><div class="pair">'
        f"<span><b>{escape(row['name'])}</b> "
        f'<small class="quiet">{escape(row["slot_id"])}</small></span>{_flags(flags)}</div>'
        f'<div class="pair thin"><span class="bar fill {look}" role="img" '
        f'aria-label="{row["on_hand"]} of {row["capacity"]}"><i style="width:{100 * share:.0f}%">'
        f'</i></span><b class="chance">{row["on_hand"]} / {row["capacity"]}</b></div></div>'
    )


def _product(row: Json, currency: str) -> str:
    flags = [("called back", "red")] if row["recalled"] else []
    flags += [("closed", "amber")] if row["closed"] else []
    flags += [(f"from {row['age_min']}", "plain")] if row["age_min"] is not None else []
    facts = [
        f"{row['on_shelves']} on shelves",
        f"{row['in_carts']} in carts",
        f"{row['sold']} sold",
    ]
    if row["unaccounted"]:
        facts.append(f"{row['unaccounted']} missing")
    if row["found"]:
        facts.append(f"{row['found']} found")
    if row["removed"]:
        facts.append(f"{row['removed']} taken out")
    return (
        f'<div class="product" data-gtin="{escape(row["gtin"])}"><div class="pair">'
        f"<b>{escape(row['name'])}</b>{_flags(flags)}"
        f'<span class="money">{escape(money(row["price_minor"], currency))}</span></div>'
        f'<p class="quiet">{escape(" · ".join(facts))}</p></div>'
    )


def _offer(row: Json, names: Mapping[str, str], now_s: float) -> str:
    products = ", ".join(names.get(gtin, gtin) for gtin in row["products"])
    hours = ", ".join(f"{h['begin']} to {h['end']}" for h in row["hours"])
    facts = [_OFFERS[row["offer"]], products, *([hours] if hours else [])]
    facts += [f"at most {row['visit_max']} a visit"] if row["visit_max"] else []
    word = ("now", "plain") if row["active"] else ("not now", "amber")
    # A moment that has just begun is now: the hub's clock stands still between two inputs.
    if row["from_s"] > now_s + SOON_S:
        word = ("later", "amber")
    return (
        f'<div class="pair"><b>{escape(row["name"])}</b>{_flags([word])}</div>'
        f'<p class="quiet">{escape(" · ".join(facts))}</p>'
    )


def _recall_word(row: Json) -> tuple[str, str]:
    return ("called back", "red") if row["lifted_s"] is None else ("sold again", "plain")


def _why(row: Json) -> str:
    batch = f" · batch {row['batch']}" if row["batch"] else ""
    return f"{row['reason']}{batch} · bought within {row['days']} days"


def _session(row: Json, names: Mapping[str, str]) -> str:
    words = {"held": "waits for a second look", "dropped": "dropped", "done": ""}
    moves = "".join(
        f"<li>{move['quantity']:+d} × {escape(names.get(move['gtin'], move['gtin']))} in "
        f'{escape(move["slot_id"])} <span class="quiet">{words[move["state"]]}</span></li>'
        for move in row["moves"]
    )
    differs = "".join(
        f'<p class="note amber">{escape(names.get(gtin, gtin))} in {escape(slot)}: {told} told, '
        f"{seen} seen</p>"
        for slot, gtin, told, seen in row["differences"]
    )
    return f'<ul class="plain">{moves or "<li>nothing yet</li>"}</ul>{differs}'


def _astray(row: Json, now_s: float) -> str:
    home = ", ".join(row["home"]) or "no slot"
    since = "" if row["since_s"] is None else f", for {age(max(0.0, now_s - row['since_s']))}"
    reach = f", by reach {row['reach_id']}" if row["reach_id"] else ""
    return f" belongs to {home}{since}{reach}"


def _flags(flags: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f'<span class="word {look}">{escape(text)}</span>' for text, look in flags if text
    )
