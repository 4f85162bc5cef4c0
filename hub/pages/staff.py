"""The staff page: floor, cameras, carts, events, review and health of the whole store."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from html import escape

from nicegui import ui

from hub.pages.desk import DeskPanel
from hub.pages.feed import HubFeed
from hub.pages.markup import (
    cart_html,
    counters_html,
    facts_html,
    feed_html,
    review_html,
)
from hub.pages.panes import Cards, FloorPlan, Pane, Tile, answers, dialog_over, section, top_bar
from hub.pages.settings import PagesSettings
from hub.pages.shown import (
    Snapshot,
    carts,
    counters,
    facts,
    feed_rows,
    refund_minor,
    refundable,
)
from hub.pages.words import Palette, label, money

__all__ = ["build_staff"]

REVIEWS_SHOWN = 20
TILES_AT_ONCE = 2
"""Cameras that get a new picture per turn: tiles are low-rate, and nodes have better to do."""


class StaffPage:
    """One member of staff's page."""

    def __init__(self, feed: HubFeed, palette: Palette, *, login: bool, token: str) -> None:
        self._feed = feed
        self._palette = palette
        self._login = login
        self._token = token
        self._version = -1
        self._tiles: dict[str, Tile] = {}
        self._turn = 0

    def build(self) -> None:
        """The page's elements."""
        top_bar("staff", "/staff", login=self._login)
        self._banner = Pane("banner", role="alert")
        self._counters = Pane("counters", data_pane="counters")
        with ui.element("main").classes("staff"):
            with ui.element("div").classes("stack wide"):
                with section("Floor", "floor"):
                    self._floor = FloorPlan()
                with section("Cameras", "tiles"):
                    self._tile_box = ui.element("div").classes("tiles")
                with section("To review", "review"):
                    Pane().show(
                        '<p class="quiet">Nobody is accused. What stays here unlooked-at is free '
                        "for the shopper.</p>"
                    )
                    self._reviews = Cards("reviews", self._refund_button)
            with ui.element("div").classes("stack"), section("Carts", "carts"):
                self._no_carts = Pane()
                self._carts = Cards("carts", self._refund_button)
            with ui.element("div").classes("stack"):
                with section("Gate and desk", "desk"):
                    self._desk = DeskPanel(self._feed, self._token)
                with section("What happened", "feed"):
                    self._feed_pane = Pane("scroll", role="log")
                with section("Health", "health"):
                    self._health = Pane()

    def refresh(self) -> None:
        """Shows the newest snapshot."""
        if self._feed.version == self._version:
            return
        self._version = self._feed.version
        shot, palette = self._feed.shot, self._palette
        self._banner.show("" if shot.connected else f"<p>{escape(shot.fault)}; trying again…</p>")
        self._counters.show(counters_html(counters(shot)))
        self._health.show(facts_html(facts(shot)))
        self._feed_pane.show(feed_html(feed_rows(shot, palette)))
        shown = carts(shot, palette)
        self._no_carts.show("" if shown else '<p class="quiet">Nobody has come in yet.</p>')
        charged = {
            row["visit_id"]: row["stage"] == "final" and bool(row["lines"]) for row in shot.visits
        }
        self._carts.show(
            (cart.visit_id, cart_html(cart), charged.get(cart.visit_id, False)) for cart in shown
        )
        self._reviews.show(
            (
                row["visit_id"],
                f'<h3><i style="background:{palette.of(row["visit_id"])}"></i>'
                f"{escape(label(row['visit_id']))}</h3>{review_html(row, shot)}",
                charged.get(row["visit_id"], False),
            )
            for row in shot.review[:REVIEWS_SHOWN]
        )
        self._desk.show(shot)
        self._show_floor(shot)

    def _show_floor(self, shot: Snapshot) -> None:
        if shot.layout is None:
            return
        self._floor.show(shot, self._palette)
        for camera in shot.layout["cameras"]:
            if camera["camera_id"] not in self._tiles:
                with self._tile_box:
                    self._tiles[camera["camera_id"]] = Tile(camera["camera_id"])

    def turn_tiles(self) -> None:
        """New pictures of the next few cameras."""
        names = list(self._tiles)
        for step in range(min(TILES_AT_ONCE, len(names))):
            self._tiles[names[(self._turn + step) % len(names)]].turn()
        self._turn += TILES_AT_ONCE

    # -- refunds --------------------------------------------------------------------------

    def _refund_button(self, visit_id: str) -> None:
        button = ui.button("Give back…", on_click=partial(self._ask_refund, visit_id))
        button.props("flat dense no-caps").classes("give-back")

    async def _ask_refund(self, visit_id: str) -> None:
        phone = await self._feed.phone(visit_id)
        lines = [] if phone is None else refundable(phone)
        currency = self._feed.shot.currency
        if not lines:
            ui.notify("Nothing is left to give back.", type="info")
            return
        # One id for this dialog: pressing twice gives back once.
        refund_id = f"staff-{secrets.token_hex(8)}"
        wanted = dict.fromkeys((line for line, *_ in lines), 0)
        with dialog_over(f"<h3>Give back to {escape(label(visit_id))}</h3>") as dialog:

            def total_minor() -> int:
                return 0 if phone is None else refund_minor(phone, wanted)

            def changed(line: int, value: float | None) -> None:
                wanted[line] = int(value or 0)
                confirm.set_text(f"Give {money(total_minor(), currency)} back")
                confirm.set_enabled(total_minor() > 0)

            for line, name, left, price in lines:
                ui.number(
                    f"{name}, {money(price, currency)} each, up to {left}",
                    value=0, min=0, max=left, step=1, precision=0,
                    on_change=lambda event, line=line: changed(line, event.value),
                ).classes("pieces")  # fmt: skip
            reason = ui.input("Reason", value="").props('maxlength="200"').classes("reason")
            Pane().show('<p class="quiet">This is booked at once and cannot be taken back.</p>')

            async def give() -> None:
                chosen = {line: count for line, count in wanted.items() if count}
                confirm.set_enabled(False)
                done, words = await self._feed.refund(
                    refund_id, visit_id, chosen, reason.value, token=self._token
                )
                if done:
                    amount = money(total_minor(), currency)
                    ui.notify(f"{amount} given back to {label(visit_id)}.", type="positive")
                    dialog.close()
                else:
                    ui.notify(words, type="negative")
                    confirm.set_enabled(True)

            confirm = answers(dialog, f"Give {money(0, currency)} back", give)
            confirm.set_enabled(False)


def build_staff(
    feed: HubFeed,
    palette: Palette,
    settings: PagesSettings,
    now: Callable[[], float],
    token: str,
) -> None:
    """Builds the staff page for one member of staff and keeps it up to date."""
    page = StaffPage(feed, palette, login=settings.door, token=token)
    page.build()
    page.refresh()
    ui.timer(1.0 / settings.updates_hz_max, page.refresh)
    ui.timer(1.0 / settings.tiles_hz_max, page.turn_tiles)
