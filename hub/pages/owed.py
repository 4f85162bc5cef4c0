"""The part of the wallets page for what is owed, disputed at banks, or not paid back."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from html import escape
from typing import Any

from nicegui import ui

from hub.pages.back_office import BackOffice
from hub.pages.owing import debtor_html, dispute_html, refund_html
from hub.pages.panes import Cards, Pane, answers, ask_reason, dialog_over, section
from hub.pages.words import label

__all__ = ["OwedPanes"]

ROWS = 20
Json = Mapping[str, Any]
_HOW = {
    "gateway": "the gateway paid it after all",
    "cash": "cash at the desk",
    "card": "onto a card at the desk",
    "transfer": "by a bank transfer",
    "balance": "onto the payer's balance",
}


class Listed:
    """One list of the hub's, a page of it at a time."""

    def __init__(self, path: str, key: str, none: str, dress: Callable[[str], None]) -> None:
        self.path = path
        self.rows: dict[str, Json] = {}
        self._key, self._words = key, none
        self._cursors: list[str] = []
        self._next: str | None = None
        self._none = Pane()
        self._cards = Cards("reviews", dress)
        with ui.row().classes("answers"):
            self._back = ui.button("Back", on_click=self._turn_back).props("flat dense no-caps")
            self._more = ui.button("More", on_click=self._turn).props("flat dense no-caps")

    @property
    def query(self) -> str:
        """What is asked of the hub."""
        cursor = f"&cursor={self._cursors[-1]}" if self._cursors else ""
        return f"{self.path}?limit={ROWS}{cursor}"

    def show(self, page: Json, html: Callable[[Json], str]) -> None:
        """Shows a page of the list."""
        self.rows = {row[self._key]: row for row in page["items"]}
        self._next = page["next"]
        self._none.show("" if self.rows else f'<p class="done">{self._words}</p>')
        self._cards.show((key, html(row), True) for key, row in self.rows.items())
        self._more.set_visibility(self._next is not None)
        self._back.set_visibility(bool(self._cursors))

    def _turn(self) -> None:
        if self._next is not None:
            self._cursors.append(self._next)

    def _turn_back(self) -> None:
        if self._cursors:
            self._cursors.pop()


class OwedPanes:
    """Three lists with what staff may do about each row; `look` shows a payer."""

    def __init__(self, desk: BackOffice, look: Callable[[str], Awaitable[None]]) -> None:
        self._desk, self._look = desk, look

    def build(self) -> None:
        """The panes."""
        with section("Who owes", "debts"):
            self._debts = Listed("/debts", "payer", "Nobody owes anything.", self._dress_debtor)
        with section("Disputes at the bank", "chargebacks"):
            self._disputes = Listed(
                "/chargebacks", "dispute_id", "No payment was disputed.", self._dress_dispute
            )
        with section("Refunds that wait", "refunds"):
            self._refunds = Listed(
                "/refunds/waiting", "key", "No refund waits.", self._dress_refund
            )

    async def ask(self) -> None:
        """The lists as they are now."""
        for listed, html in (
            (self._debts, debtor_html),
            (self._disputes, dispute_html),
            (self._refunds, refund_html),
        ):
            page = await self._desk.page(listed.query)
            if page is not None:
                listed.show(page, html)

    # -- debts ------------------------------------------------------------------------------

    def _dress_debtor(self, payer: str) -> None:
        button = ui.button("Look up", on_click=partial(self._look, payer))
        button.props("flat dense no-caps").classes("give-back")

    # -- disputes ---------------------------------------------------------------------------

    def _dress_dispute(self, dispute_id: str) -> None:
        for text, let_in in (("Let in again…", True), ("Keep out…", False)):
            button = ui.button(text, on_click=partial(self._decide, dispute_id, let_in))
            button.props("flat dense no-caps").classes("give-back")

    def _decide(self, dispute_id: str, let_in: bool) -> None:
        head = "Let the payer in again?" if let_in else "Keep the payer out?"

        async def send(reason: str) -> tuple[bool, str]:
            body = {"let_in": let_in, "reason": reason}
            answer = await self._desk.decide_chargeback(dispute_id, body)
            await self.ask()
            return answer

        ask_reason(f"<h3>{head}</h3>", "Let in" if let_in else "Keep out", send)

    # -- refunds ----------------------------------------------------------------------------

    def _dress_refund(self, key: str) -> None:
        button = ui.button("Try again", on_click=partial(self._try_again, key))
        button.props("flat dense no-caps").classes("give-back try-again")
        button = ui.button("Settle by hand…", on_click=partial(self._settle, key))
        button.props("flat dense no-caps").classes("give-back settle")

    async def _try_again(self, key: str) -> None:
        row = self._refunds.rows.get(key)
        if row is None:
            return
        body = {
            "visit_id": row["visit_id"],
            "refund_key": key,
            "retry_id": f"retry-{secrets.token_hex(8)}",
        }
        done, why = await self._desk.retry_refund(body)
        ui.notify("The gateway is asked." if done else why, type="info" if done else "negative")
        await self.ask()

    def _settle(self, key: str) -> None:
        row = self._refunds.rows.get(key)
        if row is None:
            return
        settle_id = f"settle-{secrets.token_hex(8)}"
        head = (
            f"<h3>How was the refund of {escape(label(row['visit_id']))} paid?</h3>"
            "<p>Look at the gateway first: what it never answered it may have paid. This is booked "
            "at once and cannot be taken back.</p>"
        )
        with dialog_over(head) as dialog:
            how = ui.select(_HOW, value="cash").classes("how")
            checked = ui.checkbox("I looked: the gateway did not pay it").classes("checked")
            reason = ui.input("Reason").props('maxlength="200"').classes("reason")

            async def send() -> None:
                words = str(reason.value or "").strip()
                if not words:
                    ui.notify("A reason is needed: it stands in the books.", type="warning")
                    return
                done, why = await self._desk.settle_refund(
                    {
                        "visit_id": row["visit_id"],
                        "refund_key": key,
                        "settle_id": settle_id,
                        "how": how.value,
                        "checked": bool(checked.value),
                        "reason": words,
                    }
                )
                if done:
                    dialog.close()
                else:
                    ui.notify(why, type="negative")
                await self.ask()

            answers(dialog, "Book it", send)
