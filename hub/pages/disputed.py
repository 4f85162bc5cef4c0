"""The disputes page: what shoppers say is wrong, its evidence, and the two answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

from nicegui import ui

from hub.pages.back_office import BackOffice
from hub.pages.feed import HubFeed
from hub.pages.panes import Cards, Pane, answers, dialog_over, section, top_bar
from hub.pages.queues import dispute_html
from hub.pages.settings import PagesSettings
from hub.pages.words import Palette, age, money

__all__ = ["build_disputes"]

ASK_EVERY_S = 1.0


class DisputesPage:
    """One member of staff's page."""

    def __init__(self, feed: HubFeed, palette: Palette, token: str) -> None:
        self._feed = feed
        self._desk = BackOffice(feed.client, token)
        self._palette = palette
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._policy: Mapping[str, Any] = {}

    def build(self, *, login: bool) -> None:
        """The page's elements."""
        top_bar("disputes", "/staff/disputes", login=login)
        self._banner = Pane("banner", role="alert")
        with ui.element("main").classes("office"):
            with section("Disputes", "disputes"):
                self._none = Pane()
                self._cards = Cards("reviews", self._dress)
            with section("After the exit", "policy"):
                self._set = Pane()
                button = ui.button("Change…", on_click=self._ask_policy)
                button.props("flat dense no-caps").classes("give-back")

    async def ask(self) -> None:
        """The hub's queue as it is now."""
        answer = await self._desk.disputes()
        self._banner.show("" if answer else f"<p>{escape(self._desk.fault)}</p>")
        if answer is None:
            return
        self._policy = answer["policy"]
        self._rows = {row["dispute_id"]: row for row in answer["disputes"]}
        currency = self._feed.shot.currency
        self._none.show("" if self._rows else '<p class="done">Nobody disputes anything.</p>')
        self._cards.show(
            (name, dispute_html(row, currency, self._palette), row["state"] == "open")
            for name, row in self._rows.items()
        )
        self._set.show(_policy_html(self._policy, currency))

    def _dress(self, dispute_id: str) -> None:
        with ui.row().classes("answers"):
            uphold = ui.button("Give it back", on_click=partial(self._decide, dispute_id, True, ""))
            uphold.props("no-caps").classes("yes")
            reject = ui.button("Reject…", on_click=partial(self._reject, dispute_id))
            reject.props("no-caps outline").classes("no")

    def _reject(self, dispute_id: str) -> None:
        head = "<h3>Why does it stay as it is?</h3><p>The shopper reads this.</p>"
        with dialog_over(head) as dialog:
            reason = ui.input("Reason").props('maxlength="200"').classes("reason")

            async def send() -> None:
                if not reason.value.strip():
                    ui.notify("A reason is needed: the shopper reads it.", type="warning")
                    return
                await self._decide(dispute_id, False, reason.value.strip())
                dialog.close()

            answers(dialog, "Reject", send)

    async def _decide(self, dispute_id: str, uphold: bool, reason: str) -> None:
        row = self._rows.get(dispute_id)
        if row is None:
            return
        done, words = await self._desk.decide_dispute(
            {
                "dispute_id": dispute_id,
                "visit_id": row["visit_id"],
                "uphold": uphold,
                "reason": reason,
            }
        )
        if not done:
            ui.notify(words, type="negative")
        await self.ask()

    def _ask_policy(self) -> None:
        with dialog_over("<h3>After the exit</h3><p>0 turns a part off.</p>") as dialog:
            fields = {
                name: ui.number(text, value=self._policy.get(name, 0), min=0, step=1, precision=0)
                for name, text in _FIELDS
            }

            async def save() -> None:
                body = {name: int(field.value or 0) for name, field in fields.items()}
                done, words = await self._desk.set_aftercare(body)
                if done:
                    dialog.close()
                else:
                    ui.notify(words, type="negative")
                await self.ask()

            for field in fields.values():
                field.classes("pieces")
            answers(dialog, "Save", save)


_FIELDS = (
    ("review_wait_s", "Unclear lines wait for staff (seconds)"),
    ("refund_line_minor", "Refund at once, up to (smallest units)"),
    ("refund_payer_day_minor", "a payer and day, up to"),
    ("refund_payer_day_count", "a payer and day, times"),
    ("refund_store_day_minor", "the whole store a day, up to"),
)


def _policy_html(policy: Mapping[str, Any], currency: str) -> str:
    wait_s = policy["review_wait_s"]
    reviews = (
        f"Unclear lines wait {age(wait_s)} for staff, then they are free."
        if wait_s
        else "Unclear lines are free at once; nobody is asked."
    )
    line_minor = policy["refund_line_minor"]
    refunds = (
        f"Disputes up to {money(line_minor, currency)} are refunded at once: a payer at most "
        f"{policy['refund_payer_day_count']} times and "
        f"{money(policy['refund_payer_day_minor'], currency)} a day, the store "
        f"{money(policy['refund_store_day_minor'], currency)} a day."
        if line_minor
        else "Every dispute waits for staff."
    )
    return f"<p>{escape(reviews)}</p><p>{escape(refunds)}</p>"


def build_disputes(
    feed: HubFeed,
    palette: Palette,
    settings: PagesSettings,
    _now: Callable[[], float],
    token: str,
) -> None:
    """Builds the page for one member of staff and keeps it up to date."""
    page = DisputesPage(feed, palette, token)
    page.build(login=settings.door)
    ui.timer(ASK_EVERY_S, page.ask)
