"""The start page: camera, belief and phone of one shopper side by side."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from nicegui import ui

from hub.pages.feed import HubFeed
from hub.pages.follow import NOBODY, Following, follow
from hub.pages.markup import acts_html, cart_html, ways_html
from hub.pages.panes import FloorPlan, Pane, Tile
from hub.pages.settings import PagesSettings
from hub.pages.shown import Json, Snapshot, belief
from hub.pages.words import Palette, age, label

__all__ = ["build_start"]

WAITING = (
    '<p class="doing">Waiting for the first shopper.</p><ol class="told">'
    "<li>A code is scanned at the gate: money is reserved, not charged.</li>"
    "<li>A hand goes into a shelf: cameras and scales say what they saw, as probabilities.</li>"
    "<li>What is clear goes into the cart, at once. What is put back leaves it.</li>"
    "<li>What stays unclear is free. Software never accuses anybody.</li>"
    "<li>Out of the door: one receipt.</li></ol>"
)


class StartPage:
    """One visitor's start page."""

    def __init__(self, feed: HubFeed, palette: Palette, settings: PagesSettings) -> None:
        self._feed = feed
        self._palette = palette
        self._settings = settings
        self._following: Following = NOBODY
        self._pinned: str | None = None
        self._chips: dict[str, ui.element] = {}
        self._version = -1

    def build(self) -> None:
        """The page's elements."""
        with ui.element("header").classes("top"):
            Pane().show(
                '<h1><img src="/assets/icon.svg" alt="" width="30" height="30">Sortie</h1>'
                "<p>The shop whose checkout is the exit.</p>"
            )
            with ui.element("nav"):
                self._light = Pane("light-word", role="status")
                ui.link("Staff", "/staff").classes("button quiet")
                phone = self._settings.phones + "/phone/"
                play = self._settings.play_url is not None
                own = "button quiet" if play else "button"
                ui.link("Open a phone of your own", phone, new_tab=True).classes(own)
                if play:
                    ui.link("Be the shopper", "/play").classes("button")
        with ui.element("main").classes("triptych"):
            self._camera()
            self._belief()
            self._phone()
        with ui.element("footer").classes("strip"):
            self._crowd = ui.element("div").classes("crowd")
            self._ways = Pane("ways", tag="nav", aria_label="All pages")

    def _camera(self) -> None:
        with ui.element("section").classes("pane camera").props('data-pane="camera"'):
            Pane().show(
                "<h2><b>1</b>Camera</h2><p>What a camera sees: boxes around arms, hands and what "
                "they hold. Frames stay in the store, heads are blurred.</p>"
            )
            self._tile = Tile()
            self._floor = FloorPlan()

    def _belief(self) -> None:
        with ui.element("section").classes("pane belief").props('data-pane="belief"'):
            Pane().show(
                "<h2><b>2</b>Belief</h2><p>What the hub makes of pixels and grams: who took what, "
                "and how sure it is. What stays unclear is free.</p>"
            )
            self._acts = Pane("grow")
            self._cart = Pane()

    def _phone(self) -> None:
        with ui.element("section").classes("pane phone").props('data-pane="phone"'):
            Pane().show(
                "<h2><b>3</b>Phone</h2><p>What the shopper sees, live: the cart, then the "
                "receipt.</p>"
            )
            with ui.element("div").classes("handset"):
                self._frame = ui.element("iframe").props(
                    'src="/mirror/index.html" title="The phone of the shopper who is followed"'
                )

    def refresh(self, now_s: float) -> None:
        """Shows the newest snapshot; does little if nothing has changed."""
        if self._feed.version == self._version:
            return
        self._version = self._feed.version
        shot = self._feed.shot
        before = self._following
        self._following = follow(before, shot, now_s, pinned=self._pinned)
        self._light.show(_light(shot))
        self._ways.show(ways_html(self._settings.phones, shot.exits, shot.walls))
        self._floor.show(shot, self._palette, self._following.visit_id)
        self._show_belief(shot)
        self._show_crowd(shot)
        if self._following.visit_id != before.visit_id:
            self._frame.props(f'src="/mirror/index.html#{self._following.visit_id or ""}"')

    def turn_tile(self) -> None:
        """The next picture of the camera that is followed."""
        camera_id = self._following.camera_id
        if camera_id is not None:
            self._tile.caption(_caption(self._feed.shot, camera_id))
            self._tile.turn(camera_id)

    def _show_belief(self, shot: Snapshot) -> None:
        believed = belief(shot, self._following.visit_id, self._palette)
        if believed is None:
            self._acts.show(WAITING)
            self._cart.show("")
            return
        self._acts.show(acts_html(believed))
        self._cart.show(cart_html(believed.cart, head=False))

    def _show_crowd(self, shot: Snapshot) -> None:
        """A chip for everybody inside; choosing one stops the page from moving on."""
        inside = [row["visit_id"] for row in shot.visits if row["at_m"] is not None]
        followed = self._following.visit_id
        wanted = list(dict.fromkeys([*inside, *([followed] if followed else [])]))
        for visit_id in [name for name in self._chips if name not in wanted]:
            self._chips.pop(visit_id).delete()
        if self._pinned not in wanted:
            self._pinned = None
        for visit_id in wanted:
            if visit_id not in self._chips:
                self._chips[visit_id] = self._chip(visit_id)
            state = "on" if visit_id == followed else ""
            pin = " pinned" if visit_id == self._pinned else ""
            self._chips[visit_id].classes(replace=f"chip {state}{pin}")

    def _chip(self, visit_id: str) -> ui.element:
        def choose() -> None:
            self._pinned = None if self._pinned == visit_id else visit_id
            self._version = -1

        with self._crowd:
            chip = ui.element("button").on("click", choose)
            chip.props('type="button" title="Stay with this shopper; again: follow the newest"')
            with chip:
                Pane(tag="span").show(
                    f'<i style="background:{self._palette.of(visit_id)}"></i>'
                    f"{escape(label(visit_id))}"
                )
        return chip


def build_start(
    feed: HubFeed,
    palette: Palette,
    settings: PagesSettings,
    now: Callable[[], float],
    _token: str,
) -> None:
    """Builds the start page for one visitor and keeps it up to date."""
    page = StartPage(feed, palette, settings)
    page.build()
    page.refresh(now())
    ui.timer(1.0 / settings.updates_hz_max, lambda: page.refresh(now()))
    ui.timer(1.0 / settings.tiles_hz_max, page.turn_tile)


def _light(shot: Snapshot) -> str:
    if shot.state is None or not shot.connected:
        return f'<i class="light red"></i>{escape(shot.fault)}'
    inside = sum(row["at_m"] is not None for row in shot.visits)
    people_said = "nobody inside" if not inside else f"{inside} inside"
    return f'<i class="light good"></i>{escape(str(shot.state["name"]))} · {people_said}'


def _caption(shot: Snapshot, camera_id: str) -> str:
    """The camera's name and how fresh its frames are, as its node says."""
    health: list[Json] = [] if shot.state is None else [
        camera
        for device in shot.state["devices"]
        if device["health"] is not None
        for camera in device["health"]["cameras"]
        if camera["camera_id"] == camera_id
    ]  # fmt: skip
    said = f"<b>{escape(camera_id)}</b>"
    if not health:
        return said
    return (
        f"{said} {health[0]['fps']:.1f} fps · last frame {age(health[0]['last_frame_age_s'])} ago"
    )
