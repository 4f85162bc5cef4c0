"""Building blocks of the NiceGUI pages: panes that change only when what they show changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from nicegui import ui

from hub.pages.markup import dot_html, plan_svg, trails_svg
from hub.pages.shown import Person, Snapshot, people
from hub.pages.words import DESK_PAGES, Palette

__all__ = [
    "Cards",
    "FloorPlan",
    "Pane",
    "Tile",
    "answers",
    "ask_reason",
    "dialog_over",
    "section",
    "top_bar",
]

FLIP_FROM = 0.8
"""Right of this share of the plan a name stands on the left of its dot."""


class Pane:
    """A piece of page whose HTML comes from hub.pages.markup, where all text is escaped."""

    def __init__(self, classes: str = "", *, tag: str = "div", **attributes: str) -> None:
        self.element = ui.html("", sanitize=False, tag=tag).classes(classes)
        for name, value in attributes.items():
            self.element.props[name.replace("_", "-")] = value
        self._shown = ""

    def show(self, html: str) -> None:
        """Shows this, if it is not shown already."""
        if html != self._shown:
            self._shown = html
            self.element.set_content(html)


def top_bar(title: str, path: str, *, login: bool) -> ui.element:
    """The header of a staff page, with the way to all others; returns its row of links."""
    with ui.element("header").classes("top"):
        Pane().show(
            '<h1><img src="/assets/icon.svg" alt="" width="30" height="30">Sortie '
            f"<small>{escape(title)}</small></h1>"
        )
        with ui.element("nav") as nav:
            for name, there in DESK_PAGES:
                link = ui.link(name, there).classes("button quiet")
                if there == path:
                    link.classes("here").props("aria-current=page")
            if login:
                ui.link("Account", "/account").classes("button quiet")
                Pane().show(
                    '<form method="post" action="/logout">'
                    '<button class="button quiet" type="submit">Log out</button></form>'
                )
            else:
                Pane("open-door").show(
                    '<p title="No password and no account is set: everyone on this machine '
                    'may do everything.">Open to this machine</p>'
                )
    return nav


def section(title: str, name: str) -> ui.element:
    """A pane with a heading; `name` is what it is called on the page."""
    made = ui.element("section").classes("pane").props(f'data-pane="{name}"')
    with made:
        Pane().show(f"<h2>{title}</h2>")
    return made


@contextmanager
def dialog_over(head_html: str, *, look: str = "refund") -> Iterator[ui.dialog]:
    """A dialog with a card in it, open until it is closed, and then gone."""
    with ui.dialog(value=True) as dialog, ui.card().classes(look):
        dialog.on("hide", dialog.delete)
        Pane().show(head_html)
        yield dialog


def answers(dialog: ui.dialog, text: str, done: Callable[[], Any]) -> ui.button:
    """A dialog's last row: away with it, or do it; returns the button that does."""
    with ui.row().classes("answers"):
        ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
        return ui.button(text, on_click=done).props("no-caps").classes("confirm")


def ask_reason(
    head_html: str, text: str, done: Callable[[str], Awaitable[tuple[bool, str]]]
) -> None:
    """A dialog that asks why before it does something: `done` gets the words, and says whether it
    was done and, if not, why not. It stays open until it was."""
    with dialog_over(head_html) as dialog:
        reason = ui.input("Reason").props('maxlength="200"').classes("reason")

        async def send() -> None:
            words = str(reason.value or "").strip()
            if not words:
                ui.notify("A reason is needed: it stands in the books.", type="warning")
                return
            went, why = await done(words)
            if went:
                dialog.close()
            else:
                ui.notify(why, type="negative")

        answers(dialog, text, send)


class FloorPlan:
    """The floor plan, the latest steps of everybody on it, and a dot with a name for each."""

    def __init__(self) -> None:
        with ui.element("div").classes("floorplan"):
            self._sheet = ui.element("div").classes("sheet")
        with self._sheet:
            self._plan = Pane()
            self._trails = Pane()
            self._dots = _Dots()

    def show(self, shot: Snapshot, palette: Palette, followed: str | None = None) -> None:
        """Shows a snapshot, with one visit made to stand out."""
        if shot.layout is None:
            return
        floor = shot.layout["floor"]
        self._sheet.style(f"--ratio:{floor['width_m'] / floor['depth_m']:.4f}")
        self._plan.show(plan_svg(shot.layout, shot.state))
        if shot.state is not None:
            self._trails.show(trails_svg(shot.layout, shot.state, palette))
        self._dots.show(people(shot, palette), followed)


class _Dots:
    """People over a floor plan, as elements that glide to where they are."""

    def __init__(self) -> None:
        self._layer = ui.element("div").classes("dots")
        self._dots: dict[str, tuple[ui.element, Pane, str]] = {}

    def show(self, people: Iterable[Person], followed: str | None = None) -> None:
        """Moves, adds and takes away."""
        here = {person.track_id: person for person in people}
        for track_id in [name for name in self._dots if name not in here]:
            self._dots.pop(track_id)[0].delete()
        for track_id, person in here.items():
            style = f"left:{100 * person.left:.2f}%;top:{100 * person.top:.2f}%"
            look = "dot followed" if followed and person.visit_id == followed else "dot"
            if person.left > FLIP_FROM:
                look += " flip"
            if track_id not in self._dots:
                with self._layer:
                    dot = ui.element("div").classes(look)
                    dot.props["data-visit"] = person.visit_id or ""
                    with dot:
                        name = Pane()
                self._dots[track_id] = (dot, name, "")
            dot, name, before = self._dots[track_id]
            name.show(dot_html(person))
            if before != style + look:
                dot.style(replace=style).classes(replace=look)
                dot.props["data-visit"] = person.visit_id or ""
                self._dots[track_id] = (dot, name, style + look)


class Cards:
    """A list of cards by key, each with a pane and whatever `dress` adds under it."""

    def __init__(self, classes: str, dress: Callable[[str], None]) -> None:
        self.box = ui.element("div").classes(classes)
        self._dress = dress
        self._cards: dict[str, tuple[ui.element, Pane, bool]] = {}
        self._order: list[str] = []

    def show(self, cards: Iterable[tuple[str, str, bool]]) -> None:
        """Cards as (key, html, dressed), in order; a card that changes its dress is made anew."""
        rows = list(cards)
        wanted = {key: dressed for key, _html, dressed in rows}
        for key in [k for k, row in self._cards.items() if wanted.get(k) != row[2]]:
            self._cards.pop(key)[0].delete()
            self._order.remove(key)
        for index, (key, html, dressed) in enumerate(rows):
            if key not in self._cards:
                with self.box:
                    card = ui.element("section").classes("carded")
                    with card:
                        pane = Pane()
                        if dressed:
                            self._dress(key)
                self._cards[key] = (card, pane, dressed)
                self._order.append(key)
            card, pane, _ = self._cards[key]
            pane.show(html)
            if self._order.index(key) != index:
                card.move(target_index=index)
                self._order.remove(key)
                self._order.insert(index, key)


class Tile:
    """A camera's picture, again and again; the old one stays until the new one is read."""

    def __init__(self, camera_id: str = "") -> None:
        self._number = 0
        self._camera_id = camera_id
        with ui.element("figure").classes("tile") as self.element:
            self._image: Any = ui.interactive_image("", sanitize=False)
            self._caption = Pane(tag="figcaption")
        self.caption(camera_id)

    def caption(self, html: str) -> None:
        """The line under the picture."""
        self._caption.show(html)

    def turn(self, camera_id: str | None = None) -> None:
        """Asks for the next picture, of another camera if one is named."""
        self._camera_id = camera_id or self._camera_id
        if self._camera_id:
            self._number += 1
            self._image.set_source(f"/tiles/{self._camera_id}.jpg?n={self._number}")
