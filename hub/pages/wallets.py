"""The wallets page: gift cards issued, listed and blocked; a payer looked up, a debt paid or let
go; who owes, what banks were asked about, refunds that wait."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

from nicegui import ui

from contracts.money import minor_places
from hub.pages.back_office import BackOffice
from hub.pages.feed import HubFeed
from hub.pages.owed import OwedPanes
from hub.pages.panes import Cards, Pane, answers, ask_reason, dialog_over, top_bar
from hub.pages.purses import card_html, debts, end_of_day_s, issued_html, minor_of, payer_html
from hub.pages.settings import PagesSettings
from hub.pages.words import Palette, label, money

__all__ = ["build_wallets"]

ASK_EVERY_S = 2.0
CARDS_SHOWN = 60
_PAYER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}")


class WalletsPage:
    """One member of staff's page."""

    def __init__(self, feed: HubFeed, token: str) -> None:
        self._feed = feed
        self._desk = BackOffice(feed.client, token)
        self._cards_now: dict[str, Mapping[str, Any]] = {}
        self._looked_up = ""
        self._owed_minor: dict[str, int] = {}
        self._owed = OwedPanes(self._desk, self._look_at)

    def build(self, *, login: bool) -> None:
        """The page's elements."""
        top_bar("wallets", "/staff/wallets", login=login)
        self._banner = Pane("banner", role="alert")
        with ui.element("main").classes("office"):
            with ui.element("section").classes("pane").props('data-pane="gift-cards"'):
                Pane().show(
                    '<h2>Gift cards</h2><p class="quiet">A code is shown once, to whoever issues '
                    "the card. The hub keeps only a digest of it.</p>"
                )
                self._none = Pane()
                self._cards = Cards("reviews", self._dress)
                button = ui.button("Issue a card…", on_click=self._issue)
                button.props("flat dense no-caps").classes("give-back issue")
            with ui.element("section").classes("pane").props('data-pane="payer"'):
                Pane().show(
                    '<h2>A payer</h2><p class="quiet">By name, as the books have it; carts and '
                    "receipts are not shown here.</p>"
                )
                self._name = ui.input("Payer").props('maxlength="63"').classes("payer-name")
                self._name.on("keydown.enter", self._look)
                button = ui.button("Look up", on_click=self._look)
                button.props("no-caps").classes("look-up")
                self._payer = Pane()
                self._debts = Cards("reviews", self._dress_debt)
            self._owed.build()

    async def ask(self) -> None:
        """The hub's cards as they are now, and the payer who was looked up."""
        rows = await self._desk.gift_cards()
        self._banner.show("" if rows is not None else f"<p>{escape(self._desk.fault)}</p>")
        if rows is None:
            return
        currency = self._feed.shot.currency
        self._cards_now = {row["card_id"]: row for row in rows[:CARDS_SHOWN]}
        self._none.show("" if rows else '<p class="done">No card was issued yet.</p>')
        self._cards.show(
            (name, card_html(row, currency), not row["redeemed"])
            for name, row in self._cards_now.items()
        )
        if self._looked_up:
            await self._show_payer()
        await self._owed.ask()

    # -- gift cards -------------------------------------------------------------------------

    def _dress(self, card_id: str) -> None:
        button = ui.button("Block or unblock…", on_click=partial(self._block, card_id))
        button.props("flat dense no-caps").classes("give-back")

    def _block(self, card_id: str) -> None:
        row = self._cards_now.get(card_id)
        if row is None:
            return
        blocked = bool(row["blocked"])
        words = (
            "It may pay again."
            if blocked
            else "It pays for nothing more until it is unblocked; what is held already stays held."
        )

        async def send() -> None:
            done, why = await self._desk.block_card(card_id, blocked=not blocked)
            if done:
                dialog.close()
            else:
                ui.notify(why, type="negative")
            await self.ask()

        with dialog_over(f"<h3>{escape(card_id)}</h3><p>{escape(words)}</p>") as dialog:
            answers(dialog, "Unblock" if blocked else "Block", send)

    def _issue(self) -> None:
        with ui.dialog(value=True) as dialog, ui.card().classes("refund form") as card:
            dialog.on("hide", dialog.delete)
            Pane().show("<h3>Issue a gift card</h3>")
            amount = ui.input(f"Amount in {self._feed.shot.currency}").classes("amount")
            how = ui.select({"sold": "sold at a till", "given": "given as a present"}, value="sold")
            until = ui.input("Good until (YYYY-MM-DD, empty: for ever)").classes("until")
            wish = secrets.token_urlsafe(16)

            async def send() -> None:
                body = _card_body(
                    str(amount.value or ""),
                    str(how.value),
                    str(until.value or ""),
                    minor_places(self._feed.shot.currency),
                )
                if isinstance(body, str):
                    ui.notify(body, type="warning")
                    return
                # Without its code a card is worth nothing: the button cannot be pressed twice.
                button.set_enabled(False)
                issued, why = await self._desk.issue_card(body, wish)
                if issued is None:
                    button.set_enabled(True)
                    ui.notify(why, type="negative")
                    return
                card.clear()
                with card:
                    Pane("issued").show(issued_html(issued, self._feed.shot.currency))
                    ui.button("I have it", on_click=dialog.close).props("no-caps")
                await self.ask()

            button = answers(dialog, "Issue", send)

    # -- a payer ----------------------------------------------------------------------------

    async def _look(self) -> None:
        name = str(self._name.value or "").strip()
        if not _PAYER.fullmatch(name):
            ui.notify(
                "A payer's name has letters, digits, dots, colons and dashes.", type="warning"
            )
            return
        await self._look_at(name)

    async def _look_at(self, payer: str) -> None:
        self._looked_up = payer
        await self._show_payer()

    async def _show_payer(self) -> None:
        found, why = await self._feed.report(f"/wallets/{self._looked_up}", token=self._desk.token)
        if found is None:
            self._payer.show(f'<p role="alert">{escape(why)}</p>')
            self._debts.show(())
            return
        self._payer.show(payer_html(found))
        currency = str(found["currency"])
        self._owed_minor = dict(debts(found))
        self._debts.show(
            (
                visit_id,
                f'<h3 class="pair">{escape(label(visit_id))}'
                f"<b>{escape(money(minor, currency))} owed</b></h3>",
                True,
            )
            for visit_id, minor in debts(found)
        )

    def _dress_debt(self, visit_id: str) -> None:
        button = ui.button("Let it go…", on_click=partial(self._waive, visit_id))
        button.props("flat dense no-caps").classes("give-back waive")
        button = ui.button("Paid at the desk…", on_click=partial(self._paid, visit_id))
        button.props("flat dense no-caps").classes("give-back paid")

    def _paid(self, visit_id: str) -> None:
        """All that a visit owes came into a till."""
        amount_minor = self._owed_minor.get(visit_id, 0)
        currency = self._feed.shot.currency
        body = {"payment_id": f"desk-{secrets.token_hex(8)}", "amount_minor": amount_minor}
        head = (
            f"<h3>{escape(money(amount_minor, currency))} for {escape(label(visit_id))} were paid "
            "at the desk?</h3>"
        )
        with dialog_over(head) as dialog:
            method = ui.select({"cash": "in cash", "card": "by card"}, value="cash")

            async def send() -> None:
                done, why = await self._desk.pay_at_desk(visit_id, {**body, "method": method.value})
                if done:
                    dialog.close()
                else:
                    ui.notify(why, type="negative")
                await self.ask()

            answers(dialog, "It was paid", send)

    def _waive(self, visit_id: str) -> None:
        waive_id = f"waive-{secrets.token_hex(8)}"
        head = (
            f"<h3>Let go of what {escape(label(visit_id))} owes?</h3>"
            "<p>It is booked at once and cannot be taken back.</p>"
        )

        async def send(words: str) -> tuple[bool, str]:
            body = {"visit_id": visit_id, "waive_id": waive_id, "reason": words}
            answer = await self._desk.waive(body)
            await self.ask()
            return answer

        ask_reason(head, "Let it go", send)


def _card_body(amount: str, how: str, until: str, decimals: int) -> dict[str, Any] | str:
    """What the hub is asked, or what is wrong with the form."""
    minor = minor_of(amount, decimals)
    if minor is None:
        return "Expected an amount such as 20 or 7.50."
    try:
        expires_s = end_of_day_s(until)
    except ValueError:
        return "Expected a day such as 2027-12-31, or nothing."
    return {"amount_minor": minor, "how": how, "expires_s": expires_s}


def build_wallets(
    feed: HubFeed,
    _palette: Palette,
    settings: PagesSettings,
    _now: Callable[[], float],
    token: str,
) -> None:
    """Builds the page for one member of staff and keeps it up to date."""
    page = WalletsPage(feed, token)
    page.build(login=settings.door)
    ui.timer(ASK_EVERY_S, page.ask)
