"""The review page: one unclear line after the other, its pictures, its explanations, two keys."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from html import escape

from nicegui import ui
from nicegui.events import KeyEventArguments

from hub.pages.back_office import BackOffice
from hub.pages.feed import HubFeed
from hub.pages.panes import Pane, section, top_bar
from hub.pages.queues import Task, candidate_of_key, task_html, tasks, waiting_html
from hub.pages.settings import PagesSettings
from hub.pages.words import Palette

__all__ = ["build_review"]

ASK_EVERY_S = 1.0
WAITING_SHOWN = 12


class ReviewPage:
    """One member of staff's page."""

    def __init__(
        self, feed: HubFeed, palette: Palette, now: Callable[[], float], token: str
    ) -> None:
        self._feed = feed
        self._desk = BackOffice(feed.client, token)
        self._palette = palette
        self._now = now
        self._tasks: list[Task] = []
        self._answered_s = 0.0
        self._hub_s = 0.0
        self._busy = False
        self._said: set[str] = set()

    def build(self, *, login: bool) -> None:
        """The page's elements."""
        top_bar("review", "/staff/review", login=login)
        self._banner = Pane("banner", role="alert")
        with ui.element("main").classes("office"):
            with ui.element("section").classes("pane").props('data-pane="task"'):
                self._task = Pane()
                with ui.element("div").classes("answers"):
                    self._yes = ui.button("Yes (J)", on_click=lambda: self.decide("j"))
                    self._no = ui.button("Nothing (K)", on_click=lambda: self.decide("k"))
                    self._yes.props("no-caps").classes("yes")
                    self._no.props("no-caps outline").classes("no")
                Pane().show(
                    '<p class="quiet">J or 1: the first explanation. K or 0: nothing. Other '
                    "digits: the explanation with that number. You can only confirm what cameras "
                    "and plates named; undecided is free.</p>"
                )
            with section("Waiting", "waiting"):
                self._waiting = Pane()
        ui.keyboard(on_key=self._pressed)

    async def ask(self) -> None:
        """The hub's queue as it is now."""
        answer = await self._desk.reviews()
        self._banner.show("" if answer else f"<p>{escape(self._desk.fault)}</p>")
        if answer is not None:
            self._answered_s, self._hub_s = self._now(), answer["now_s"]
            found = tasks(answer, self._feed.shot.names)
            self._tasks = [task for task in found if task.key not in self._said]
            self._said &= {task.key for task in found}
            await self._want_pictures()
        self.show()

    async def _want_pictures(self) -> None:
        """Of a line that no review waits for, the pictures are asked for once it is looked at."""
        if self._tasks and any(one["state"] == "on the node" for one in self._tasks[0].pictures):
            await self._desk.ask_for(self._tasks[0].reach_id)

    def show(self) -> None:
        """Shows the queue; the countdown runs between two answers."""
        now_s = self._hub_s + self._now() - self._answered_s
        first = self._tasks[0] if self._tasks else None
        self._yes.set_enabled(first is not None and bool(first.candidates))
        self._no.set_enabled(first is not None)
        if first is None:
            self._task.show('<p class="done">Nothing to decide.</p>')
        else:
            self._task.show(task_html(first, self._palette, now_s))
        self._waiting.show(waiting_html(self._tasks[1 : 1 + WAITING_SHOWN], now_s))

    async def decide(self, key: str) -> None:
        """Decides the task that is shown; one that was decided meanwhile is said so."""
        if self._busy or not self._tasks:
            return
        task = self._tasks[0]
        known, choice = candidate_of_key(task, key)
        if not known:
            return
        self._busy = True
        try:
            done, words = await self._desk.decide_review(
                {
                    "review_id": f"staff-{secrets.token_hex(8)}",
                    "visit_id": task.visit_id,
                    "reach_id": task.reach_id,
                    "line": task.line,
                    "choice": choice,
                }
            )
        finally:
            self._busy = False
        if done:
            self._said.add(task.key)
            self._tasks = self._tasks[1:]
        else:
            ui.notify(words, type="negative")
        await self.ask()

    async def _pressed(self, event: KeyEventArguments) -> None:
        if event.action.keydown and not event.action.repeat and not _modified(event):
            await self.decide(str(event.key.name))


def _modified(event: KeyEventArguments) -> bool:
    return bool(event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta)


def build_review(
    feed: HubFeed,
    palette: Palette,
    settings: PagesSettings,
    now: Callable[[], float],
    token: str,
) -> None:
    """Builds the page for one member of staff and keeps it up to date."""
    page = ReviewPage(feed, palette, now, token)
    page.build(login=settings.door)
    page.show()
    ui.timer(ASK_EVERY_S, page.ask)
