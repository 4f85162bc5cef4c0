"""The stock page: shelves, what lies astray, offers, restocking, and what staff must see to."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

from nicegui import ui

from hub.pages.feed import HubFeed
from hub.pages.goods import Goods, alert_key
from hub.pages.panes import Cards, Pane, section, top_bar
from hub.pages.settings import PagesSettings
from hub.pages.stock_forms import StockForms
from hub.pages.words import Palette

__all__ = ["build_stock"]

LOOK_EVERY_S = 1.0


class StockPage:
    """One member of staff's page."""

    def __init__(self, feed: HubFeed, *, login: bool, token: str) -> None:
        self._feed = feed
        self._login = login
        self._goods: Goods | None = None
        self._forms = StockForms(feed, lambda: self._goods, token)

    def build(self) -> None:
        """The page's elements."""
        with top_bar("stock", "/stock", login=self._login):
            rules = ui.button("Rules…", on_click=self._forms.rules).props("flat no-caps")
            rules.move(target_index=0)
        self._banner = Pane("banner", role="alert")
        with ui.element("section").classes("alerts").props('data-pane="alerts"'):
            self._alerts = Cards("alert-cards", self._alert_buttons)
        with ui.element("main").classes("staff stock"):
            with ui.element("div").classes("stack"), section("Shelves", "shelves"):
                self._slots = Cards("slots", self._slot_button)
            with ui.element("div").classes("stack"):
                with section("Restocking", "restocking"):
                    self._sessions = Cards("sessions", self._session_buttons)
                    _button("Start restocking", self._start)
                with section("In the wrong place", "misplaced"):
                    self._misplaced = Pane()
                with section("Lost and found", "finds"):
                    self._finds = Cards("finds", self._find_buttons)
                    _button("Found something…", self._forms.find)
                with section("Offers", "offers"):
                    self._offers = Cards("offers", self._offer_button)
                    _button("New offer…", self._forms.offer)
            with ui.element("div").classes("stack"):
                with section("Called back", "recalls"):
                    self._recalls = Cards("offers", self._recall_button)
                    self._no_recalls = Pane()
                with section("Products", "products"):
                    self._products = Cards("products", self._product_button)

    async def refresh(self) -> None:
        """Shows what the hub says now."""
        shot = self._feed.shot
        found = await self._feed.stock()
        well = found is not None and shot.connected
        fault = shot.fault or "the hub did not answer"
        self._banner.show("" if well else f"<p>{escape(fault)}; trying again…</p>")
        if found is None:
            return
        goods = Goods(found["stock"], found["goods"], found["alerts"], shot.currency)
        self._goods = goods
        self._alerts.show(goods.alert_cards())
        self._slots.show(goods.slot_cards())
        self._products.show(goods.product_cards())
        self._offers.show(goods.offer_cards())
        recalls = goods.recall_cards()
        self._recalls.show(recalls)
        self._no_recalls.show("" if recalls else '<p class="quiet">Nothing is called back.</p>')
        self._finds.show(goods.find_cards())
        self._sessions.show(goods.session_cards())
        self._misplaced.show(goods.misplaced_html())

    # -- buttons under cards --------------------------------------------------------------

    def _slot_button(self, slot_id: str) -> None:
        _button("Count…", partial(self._forms.slot, slot_id))

    def _product_button(self, gtin: str) -> None:
        _button("Change…", partial(self._forms.product, gtin))

    def _offer_button(self, promotion_id: str) -> None:
        body = {"promotion_id": promotion_id}
        _button("End", self._order("promotions/end", body, "The offer has ended."))

    def _recall_button(self, recall_id: str) -> None:
        _button("Who bought it…", partial(self._forms.buyers, recall_id))

    def _find_buttons(self, find_id: str) -> None:
        keep = {"find_id": find_id, "slot_id": None}
        with ui.row().classes("answers"):
            _button("Keep", self._order("finds/resolve", keep, "It is out of sale."))
            _button("Back to a slot…", partial(self._forms.shelve, find_id))

    def _session_buttons(self, session_id: str) -> None:
        body = {"session_id": session_id}
        with ui.row().classes("answers"):
            _button("Put in, or take out…", partial(self._forms.move, session_id))
            _button("Finish", self._order("restocking/finish", body, "Restocking is done."))

    def _alert_buttons(self, key: str) -> None:
        goods = self._goods
        row = next((one for one in goods.alerts if alert_key(one) == key), None) if goods else None
        if row is None:
            return
        with ui.row().classes("answers"):
            if row["kind"] == "id":
                for approve, text in ((True, "Old enough"), (False, "Not old enough")):
                    body = {"visit_id": row["visit_id"], "approve": approve}
                    _button(text, self._order("age-proofs", body, "Noted; nothing else is kept."))
            elif row["kind"] == "hand_back":
                body = {
                    "find_id": f"back-{secrets.token_hex(8)}",
                    "gtin": row["gtin"],
                    "quantity": row["quantity"],
                    "where": "handed back",
                    "visit_id": row["visit_id"],
                }
                _button("Handed back", self._order("finds", body, "In the lost-and-found."))
            elif row["kind"] == "quarantined":
                body = {"device_id": row["device_id"]}
                _button("Believe it again", self._order("nodes/release", body, "It counts again."))
            elif row["kind"] == "confirm":
                for approve, text in ((True, "It is right"), (False, "A mistake")):
                    body = {
                        "session_id": row["session_id"],
                        "move_id": row["move_id"],
                        "approve": approve,
                    }
                    _button(text, self._order("restocking/confirm", body, "Noted."))

    def _order(self, path: str, body: Mapping[str, Any], done: str) -> Callable[[], Any]:
        async def order() -> None:
            await self._forms.order(path, body, done)
            await self.refresh()

        return order

    async def _start(self) -> None:
        session_id = f"restock-{secrets.token_hex(6)}"
        body = {"session_id": session_id}
        await self._forms.order("restocking/start", body, "Say what you put where.")
        await self.refresh()


def build_stock(
    feed: HubFeed,
    _palette: Palette,
    settings: PagesSettings,
    _now: Callable[[], float],
    token: str,
) -> None:
    """Builds the stock page for one member of staff and keeps it up to date."""
    page = StockPage(feed, login=settings.door, token=token)
    page.build()
    ui.timer(LOOK_EVERY_S, page.refresh)


def _button(text: str, done: Callable[[], Any]) -> None:
    ui.button(text, on_click=done).props("flat dense no-caps").classes("give-back")
