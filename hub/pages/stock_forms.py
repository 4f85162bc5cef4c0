"""The stock page's forms: one dialog each, which asks the hub once and says what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from html import escape
from typing import Any

from nicegui import ui

from hub.pages.feed import HubFeed
from hub.pages.goods import Goods, buyers_html
from hub.pages.panes import Pane, answers, dialog_over

__all__ = ["StockForms"]

OFFERS = {
    "percent": "A share off each piece",
    "amount": "An amount off each piece",
    "n_for_m": "So many for the price of fewer",
    "bundle": "One of each for one price",
}
AGES = {"hand_back": "do not sell, hand back", "sell": "sell, and look at it"}
PRICE_PLACES = 100


class StockForms:
    """Dialogs over one page. `goods` gives what the hub said last; `token` is the session of who
    looks at the page, as whom the hub is asked."""

    def __init__(self, feed: HubFeed, goods: Callable[[], Goods | None], token: str = "") -> None:
        self._token = token
        self._feed = feed
        self._goods = goods

    async def order(self, path: str, body: Mapping[str, Any], done: str) -> bool:
        """Asks the hub, and tells what came of it."""
        well, words = await self._feed.order(path, body, token=self._token)
        ui.notify(done if well else words, type="positive" if well else "negative")
        return well

    # -- a slot ---------------------------------------------------------------------------

    def slot(self, slot_id: str) -> None:
        """Count a slot, or give it to another product."""
        goods = self._goods()
        if goods is None:
            return
        row = goods.slot(slot_id)
        count_id = _id("count")
        with _form(f"{row['name']} in {slot_id}") as dialog:
            gtin = ui.select(goods.names, value=row["gtin"], label="Which product")
            counted = ui.number("Counted pieces", value=row["on_hand"], min=0, max=10_000)
            sure = ui.checkbox("It really holds that many")

            async def count() -> None:
                body = {
                    "count_id": count_id,
                    "slot_id": slot_id,
                    "gtin": gtin.value,
                    "counted": int(counted.value or 0),
                    "confirmed": bool(sure.value),
                }
                if await self.order("counts", body, f"{slot_id} is counted."):
                    dialog.close()

            async def change() -> None:
                body = {
                    "slot_id": slot_id,
                    "gtin": gtin.value,
                    "facings": int(facings.value or 0),
                    "deep": int(deep.value or 0),
                }
                if await self.order("planogram", body, f"{slot_id} is for that now."):
                    dialog.close()

            with ui.expansion("Another product for this slot").classes("more"):
                facings = ui.number("Pieces side by side", value=1, min=1, max=60)
                deep = ui.number("Pieces one behind the other", value=row["capacity"], min=1)
                ui.button("Change the slot", on_click=change).props("flat no-caps")
            answers(dialog, "Book the count", count)

    # -- a product ------------------------------------------------------------------------

    def product(self, gtin: str) -> None:
        """Price, age, closing and recall of a product."""
        goods = self._goods()
        if goods is None:
            return
        row, recall = goods.product(gtin), goods.recall_of(gtin)
        recall_id = _id("recall")
        with _form(row["name"]) as dialog:
            price = ui.number("Price in minor units", value=row["price_minor"], min=0, precision=0)
            ages = ui.number(
                "Sold from this age on (empty: everybody)", value=row["age_min"], min=1
            )
            reason = ui.input("Reason").props('maxlength="200"')
            batch = ui.input("Batch that is called back").props('maxlength="200"')

            async def save() -> None:
                done = True
                if int(price.value or 0) != row["price_minor"]:
                    body = {"gtin": gtin, "price_minor": int(price.value or 0)}
                    done = await self.order("prices", body, "The price holds from now on.")
                limit = int(ages.value) if ages.value else None
                if done and limit != row["age_min"]:
                    body = {"gtin": gtin, "age_min": limit}
                    done = await self.order("age-limits", body, "The age limit holds.")
                if done:
                    dialog.close()

            async def toggle() -> None:
                body = {"gtin": gtin}
                if row["closed"]:
                    done = await self.order("products/reopen", body, "It is for sale again.")
                else:
                    more = {**body, "reason": reason.value or "closed by staff"}
                    done = await self.order("products/close", more, "It is not for sale now.")
                if done:
                    dialog.close()

            async def call_back() -> None:
                if recall is not None:
                    body = {"recall_id": recall["recall_id"]}
                    done = await self.order("recalls/lift", body, "It is sold again.")
                else:
                    body = {
                        "recall_id": recall_id,
                        "gtin": gtin,
                        "batch": batch.value,
                        "reason": reason.value,
                    }
                    done = await self.order("recalls", body, "It is called back.")
                if done:
                    dialog.close()

            with ui.row().classes("answers"):
                closed = "Sell again" if row["closed"] else "Close"
                ui.button(closed, on_click=toggle).props("flat no-caps")
                back = "Lift the recall" if recall is not None else "Call back"
                ui.button(back, on_click=call_back).props("flat no-caps color=negative")
            answers(dialog, "Save", save)

    # -- offers ---------------------------------------------------------------------------

    def offer(self) -> None:
        """A new promotion."""
        goods = self._goods()
        if goods is None:
            return
        promotion_id = _id("offer")
        with _form("New offer") as dialog:
            name = ui.input("What shoppers read").props('maxlength="80"')
            kind = ui.select(OFFERS, value="percent", label="Kind")
            gtins = ui.select(goods.names, multiple=True, label="Products", value=[])
            number = ui.number("Percent, or minor units", value=10, min=0, precision=0)
            take = ui.number("Pieces taken", value=3, min=2, max=12, precision=0)
            pay = ui.number("Pieces paid", value=2, min=1, max=11, precision=0)
            number.bind_visibility_from(kind, "value", lambda value: value != "n_for_m")
            take.bind_visibility_from(kind, "value", lambda value: value == "n_for_m")
            pay.bind_visibility_from(kind, "value", lambda value: value == "n_for_m")
            begin = ui.input("From, every day (17:00; empty: always)")
            end = ui.input("Until, every day (19:00)")
            most = ui.number("At most so many a visit (empty: no limit)", min=1, precision=0)
            joint = ui.checkbox("May be combined with others that may")

            async def add() -> None:
                body: dict[str, Any] = {
                    "promotion_id": promotion_id,
                    "offer": kind.value,
                    "name": name.value,
                    "combinable": bool(joint.value),
                    "visit_max": int(most.value) if most.value else None,
                }
                named = list(gtins.value or ())
                if kind.value == "bundle":
                    body["items"] = [[gtin, 1] for gtin in named]
                    body["price_minor"] = int(number.value or 0)
                else:
                    body["gtins"] = named
                if kind.value == "percent":
                    body["percent_bp"] = int(number.value or 0) * PRICE_PLACES
                elif kind.value == "amount":
                    body["amount_minor"] = int(number.value or 0)
                elif kind.value == "n_for_m":
                    body |= {"take": int(take.value or 0), "pay": int(pay.value or 0)}
                if begin.value or end.value:
                    body["hours"] = [{"begin": begin.value, "end": end.value}]
                if await self.order("promotions", body, "The offer holds."):
                    dialog.close()

            answers(dialog, "Add the offer", add)

    # -- recalls and rules ----------------------------------------------------------------

    async def buyers(self, recall_id: str) -> None:
        """Who bought what was called back."""
        found = await self._feed.buyers(recall_id, token=self._token)
        with _form("Who bought it") as dialog:
            said = "<p>The hub did not answer.</p>" if found is None else buyers_html(found)
            Pane().show(said)
            with ui.row().classes("answers"):
                ui.button("Close", on_click=dialog.close).props("flat no-caps")

    def rules(self) -> None:
        """How the store deals with goods."""
        goods = self._goods()
        if goods is None:
            return
        policy = goods.stock["policy"]
        with _form("Rules for goods") as dialog:
            ages = ui.select(AGES, value=policy["unproven_age"], label="Without an ID")
            watch = ui.checkbox("Tell of slots that run low or out", value=policy["watch_stock"])
            low = ui.number("Low is this share, in percent", value=policy["low_percent"], min=0)
            rate = ui.number(
                "A node moves at most so many pieces a minute (0: no bound)",
                value=policy["pieces_per_minute_max"], min=0, precision=0,
            )  # fmt: skip
            beyond = ui.number(
                "and takes at most so many an hour that no shelf held (0: no bound)",
                value=policy["beyond_stock_max"], min=0, precision=0,
            )  # fmt: skip

            async def save() -> None:
                body = {
                    "unproven_age": ages.value,
                    "watch_stock": bool(watch.value),
                    "low_percent": int(low.value or 0),
                    "pieces_per_minute_max": int(rate.value or 0),
                    "beyond_stock_max": int(beyond.value or 0),
                }
                if await self.order("goods/policy", body, "The rules hold from now on."):
                    dialog.close()

            answers(dialog, "Save", save)

    # -- restocking and finds -------------------------------------------------------------

    def move(self, session_id: str) -> None:
        """Pieces put in, or taken out."""
        goods = self._goods()
        if goods is None:
            return
        move_id = _id("move")
        with _form("Put in, or take out") as dialog:
            slot = ui.select(goods.slots, label="Slot", with_input=True)
            quantity = ui.number("Pieces; below 0 is taken out", value=1, precision=0)

            async def put() -> None:
                if not slot.value:
                    ui.notify("Choose a slot first.", type="info")
                    return
                body = {
                    "session_id": session_id,
                    "move_id": move_id,
                    "slot_id": slot.value,
                    "gtin": goods.slot(slot.value)["gtin"],
                    "quantity": int(quantity.value or 0),
                }
                if await self.order("restocking/moves", body, "Noted."):
                    dialog.close()

            answers(dialog, "Note it", put)

    def find(self) -> None:
        """Pieces that lay about."""
        goods = self._goods()
        if goods is None:
            return
        find_id = _id("find")
        with _form("Found pieces") as dialog:
            gtin = ui.select(goods.names, label="Product", with_input=True)
            quantity = ui.number("Pieces", value=1, min=1, precision=0)
            where = ui.input("Where they lay").props('maxlength="200"')

            async def note() -> None:
                if not gtin.value:
                    ui.notify("Choose a product first.", type="info")
                    return
                body = {
                    "find_id": find_id,
                    "gtin": gtin.value,
                    "quantity": int(quantity.value or 0),
                    "where": where.value,
                }
                if await self.order("finds", body, "In the lost-and-found."):
                    dialog.close()

            answers(dialog, "Note it", note)

    def shelve(self, find_id: str) -> None:
        """A find goes back to a slot."""
        goods = self._goods()
        if goods is None:
            return
        with _form("Back to a slot") as dialog:
            slot = ui.select(goods.slots, label="Slot", with_input=True)

            async def back() -> None:
                if slot.value:
                    body = {"find_id": find_id, "slot_id": slot.value}
                    if await self.order("finds/resolve", body, "It is back."):
                        dialog.close()

            answers(dialog, "Put it back", back)


def _form(title: str) -> AbstractContextManager[ui.dialog]:
    return dialog_over(f"<h3>{escape(title)}</h3>", look="refund form")


def _id(what: str) -> str:
    """One id a dialog: pressing twice does it once."""
    return f"{what}-{secrets.token_hex(8)}"
