"""The application of the pages' process: NiceGUI's pages, plain routes, the guard at the door."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from nicegui import Client, ui
from starlette.middleware.trustedhost import TrustedHostMiddleware

from hub.pages import PHONE_FILES
from hub.pages.account import add_account
from hub.pages.disputed import build_disputes
from hub.pages.door import Guard, Sessions, add_login, cookie_of
from hub.pages.feed import HubFeed, hub_client
from hub.pages.life import alongside
from hub.pages.money import add_money
from hub.pages.review import build_review
from hub.pages.routes import add_play, add_routes
from hub.pages.settings import PagesSettings
from hub.pages.staff import build_staff
from hub.pages.start import build_start
from hub.pages.stock import build_stock
from hub.pages.wallets import build_wallets
from hub.pages.walls import build_walls
from hub.pages.words import Palette
from hub.settings import LOOPBACK_NAMES

__all__ = ["create_site"]

HEAD = (
    '<link rel="stylesheet" href="/assets/pages.css">'
    '<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">'
)
STILL_S = 10.0
ENDED = """<script>setInterval(async () => {
  const answer = await fetch('/still', {cache: 'no-store'}).catch(() => null);
  if (answer?.status === 401) location.replace('/login');
}, EVERY_MS)</script>""".replace("EVERY_MS", f"{1000 * STILL_S:.0f}")
"""A page whose line broke before its session was ended gets no line again to be sent away by. While
these pages do not answer it stays: nobody's session ends because they are away."""
RECONNECT_S = 30.0
"""A browser that is silent for less keeps its page; on a busy machine seconds pass easily."""
ACCENT = "#0f8a64"
Build = Callable[[HubFeed, Palette, PagesSettings, Callable[[], float], str], None]
"""Builds a page for one visitor; the last is their session at the hub, empty if they have none."""


def create_site(settings: PagesSettings, stopping: Callable[[], bool]) -> FastAPI:
    """The application; once a process, because NiceGUI's registry of pages is the process's."""
    client = hub_client(settings)
    feed = HubFeed(client, settings, now=time.monotonic)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        async with alongside(feed.run(), client.aclose):
            yield

    app = FastAPI(title="Sortie pages", lifespan=life, openapi_url=None)
    if settings.play_url is not None:
        add_play(app, settings.play_url)
    sessions = Sessions(settings.session_s, time.monotonic)
    add_routes(app, feed, stopping, sessions.token_of)
    add_money(app, feed, lambda: time.strftime("%Y-%m-%d", time.gmtime()), sessions.token_of)
    if settings.door:
        add_login(app, feed, sessions)
        add_account(app, client, sessions)
        app.add_middleware(Guard, sessions=sessions, stands=feed.stands)
    else:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK_NAMES)
    palette = Palette()
    _page("/", "Sortie", build_start, feed, palette, settings, sessions)
    _page("/staff", "Sortie: staff", build_staff, feed, palette, settings, sessions)
    _page("/staff/review", "Sortie: review", build_review, feed, palette, settings, sessions)
    _page("/staff/disputes", "Sortie: disputes", build_disputes, feed, palette, settings, sessions)
    _page("/staff/wallets", "Sortie: wallets", build_wallets, feed, palette, settings, sessions)
    _page("/staff/walls", "Sortie: pick-up", build_walls, feed, palette, settings, sessions)
    _page("/stock", "Sortie: stock", build_stock, feed, palette, settings, sessions)
    ui.run_with(
        app,
        title="Sortie",
        favicon=PHONE_FILES / "icon.svg",
        dark=None,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_S,
        show_welcome_message=False,
    )
    return app


def _page(
    path: str,
    title: str,
    build: Build,
    feed: HubFeed,
    palette: Palette,
    settings: PagesSettings,
    sessions: Sessions,
) -> None:
    @ui.page(path, title=title)
    def show(client: Client) -> None:
        feed.arrive()
        client.on_delete(feed.leave)
        ui.add_head_html(HEAD + ENDED if settings.door else HEAD)
        ui.colors(primary=ACCENT)
        token = sessions.token_of(client.request)
        build(feed, palette, settings, time.monotonic, token)
        if token:
            cookie = cookie_of(client.request.scope)
            ui.timer(STILL_S, lambda: _leave_if_ended(client, feed, sessions, token, cookie))


async def _leave_if_ended(
    client: Client, feed: HubFeed, sessions: Sessions, token: str, cookie: str
) -> None:
    """Back to the form once the session was ended elsewhere, or to one's own account where it opens
    no more than that."""
    stands = await feed.stands(token)
    if stands in ("open", "unknown"):
        return
    if stands == "ended":
        sessions.end(cookie)
    ui.navigate.to("/login" if stands == "ended" else "/account")
    # A browser that stays is shown nothing any more.
    client.content.clear()
