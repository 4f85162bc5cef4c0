"""The page of pick-up walls: what stands and shines there, who is there, orders and parcels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

from nicegui import ui

from hub.pages.feed import HubFeed
from hub.pages.markup import facts_html
from hub.pages.panes import Cards, Pane, section, top_bar
from hub.pages.settings import PagesSettings
from hub.pages.walls_forms import WallForms
from hub.pages.walls_office import WallsOffice
from hub.pages.walls_shown import WallShown, legend_html, order_cards, parcel_cards
from hub.pages.walls_svg import forms_svg
from hub.pages.walls_words import ORDER_STATES, PARCEL_STATES
from hub.pages.words import Palette

__all__ = ["build_walls"]

LOOK_EVERY_S = 0.4
LISTS_EVERY_S = 2.0
ALL = "all"
TAKEN = ("wrong_taken", "taken_by_nobody", "unpaid_taken", "handover_unseen")
"""Alarms of which staff may say what became of the parcel."""
NOBODY = '<p class="quiet">Nobody is at the wall.</p>'
NO_PICTURE = (
    '<p class="quiet">No pictures of this wall are shown: people in them could not be blurred. '
    "What its cameras see is drawn above.</p>"
)
NO_WALL = '<p class="done">This store has no pick-up wall. A store file gets one under `walls`.</p>'


class WallsPage:
    """One member of staff's page."""

    def __init__(self, feed: HubFeed, token: str) -> None:
        self._feed = feed
        self._office = WallsOffice(feed.client, token)
        self._wall_id: str | None = None
        self._shown: WallShown | None = None
        self._orders: dict[str, Mapping[str, Any]] = {}
        self._parcels: dict[str, Mapping[str, Any]] = {}
        self._forms = WallForms(self._office, lambda: self._wall_id, self._now_s, self.lists)

    def build(self, *, login: bool) -> None:
        """The page's elements."""
        top_bar("pick-up", "/staff/walls", login=login)
        Pane("forms").show(forms_svg())
        self._banner = Pane("banner", role="alert")
        with ui.element("section").classes("alerts").props('data-pane="alarms"'):
            self._alarms = Cards("alert-cards", self._alarm_buttons)
        with ui.element("main").classes("staff walls"):
            with ui.element("div").classes("stack"):
                with section("Wall", "wall"):
                    self._which = ui.select([], on_change=self._choose).props("dense borderless")
                    self._drawing = Pane("drawing")
                    Pane().show(legend_html())
                with section("Cameras", "cameras"):
                    Pane().show(NO_PICTURE)
            with ui.element("div").classes("stack"):
                with section("At the wall", "sessions"):
                    self._nobody = Pane()
                    self._sessions = Cards("sessions", lambda _key: None)
                with section("Light and sight", "projection"):
                    self._facts = Pane()
                    _button("Calibrate", self._forms.calibrate)
                with section("Route", "route"):
                    self._forms.build_route()
            with ui.element("div").classes("stack"):
                with section("Orders", "orders"):
                    self._order_state = _filter([ALL, *ORDER_STATES], "open", self.lists)
                    self._order_cards = Cards("orders", self._order_buttons)
                with section("Parcels", "parcels"):
                    self._parcel_state = _filter([ALL, *PARCEL_STATES], ALL, self.lists)
                    self._parcel_cards = Cards("parcels", self._parcel_buttons)

    # -- keeping up -----------------------------------------------------------------------

    async def look(self) -> None:
        """The wall as it is now."""
        if self._wall_id is None and not await self._find():
            return
        view = await self._office.wall(str(self._wall_id))
        if view is None:
            # What was true a moment ago must not be taken for what shines now.
            self._banner.show(f"<p>{escape(self._office.fault)}</p>")
            self._drawing.element.classes(add="stale")
            return
        self._banner.show("")
        self._drawing.element.classes(remove="stale")
        self._shown = shown = WallShown(view)
        self._drawing.show(shown.drawing())
        self._alarms.show(shown.alarm_cards())
        sessions = shown.session_cards()
        self._nobody.show("" if sessions else NOBODY)
        self._sessions.show(sessions)
        self._facts.show(facts_html(shown.facts()))

    def _now_s(self) -> float:
        """The hub's time, as it last told."""
        return 0.0 if self._shown is None else self._shown.now_s

    async def _find(self) -> bool:
        """Which walls there are; the first is shown first."""
        walls = await self._office.walls()
        if walls is None:
            self._banner.show(f"<p>{escape(self._office.fault)}</p>")
            return False
        if not walls:
            self._drawing.show(NO_WALL)
            return False
        names = [str(row["wall_id"]) for row in walls]
        self._wall_id = names[0]
        self._which.set_options(names, value=names[0])
        self._which.set_visibility(len(names) > 1)
        return True

    async def _choose(self, event: Any) -> None:
        if event.value and event.value != self._wall_id:
            self._wall_id = str(event.value)
            await self.look()

    async def lists(self) -> None:
        """Orders and parcels as they are now."""
        orders = await self._office.orders(_wanted(self._order_state))
        parcels = await self._office.parcels(_wanted(self._parcel_state))
        if orders is not None:
            self._orders = {str(row["order_id"]): row for row in orders}
            self._order_cards.show(order_cards(orders, self._now_s()))
        if parcels is not None:
            self._parcels = {str(row["key"]): row for row in parcels}
            self._parcel_cards.show(parcel_cards(parcels, self._feed.shot.currency))
        await self._forms.refresh_route()

    # -- buttons under cards --------------------------------------------------------------

    def _alarm_buttons(self, number: str) -> None:
        rows = [] if self._shown is None else self._shown.view["alarms"]
        row = next((one for one in rows if str(one["number"]) == number), None)
        with ui.row().classes("answers"):
            _button("Seen", partial(self._forms.clear, number, "seen"))
            if row is not None and row["key"] and row["kind"] in TAKEN:
                _button("They may keep it", partial(self._forms.clear, number, "handed_over"))
                _button("It is missing", partial(self._forms.clear, number, "missing"))

    def _order_buttons(self, order_id: str) -> None:
        with ui.row().classes("answers"):
            _button("Release…", lambda: self._forms.release(self._orders.get(order_id)))
            _button("Cancel…", lambda: self._forms.cancel(self._orders.get(order_id)))
            _button("Take back…", lambda: self._forms.take_back(self._orders.get(order_id)))

    def _parcel_buttons(self, key: str) -> None:
        with ui.row().classes("answers"):
            _button("Stow", partial(self._forms.stow, key))
            _button("Missing", partial(self._forms.missing, key))


def build_walls(
    feed: HubFeed,
    _palette: Palette,
    settings: PagesSettings,
    _now: Callable[[], float],
    token: str,
) -> None:
    """Builds the page for one member of staff and keeps it up to date."""
    page = WallsPage(feed, token)
    page.build(login=settings.door)
    ui.timer(LOOK_EVERY_S, page.look)
    ui.timer(LISTS_EVERY_S, page.lists)


def _wanted(chosen: Any) -> str:
    return "" if chosen.value == ALL else str(chosen.value)


def _filter(states: list[str], value: str, changed: Callable[[], Any]) -> Any:
    words = {state: state.replace("_", " ") for state in states}
    made = ui.select(words, value=value, on_change=changed).props("dense borderless")
    return made.classes("filter")


def _button(text: str, done: Callable[[], Any]) -> None:
    ui.button(text, on_click=done).props("flat dense no-caps").classes("give-back")
