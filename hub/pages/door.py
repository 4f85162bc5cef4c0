"""Who may open the pages: everyone on this machine, or whoever the hub knows by the password.

Sessions live in memory; a restart logs everybody out. The guard stands before every route and
every websocket, NiceGUI's included.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.pages.feed import HubFeed

__all__ = ["COOKIE", "Guard", "Sessions", "add_login"]

COOKIE = "sortie_pages"
SESSIONS_MAX = 500
FORM_BYTES_MAX = 4_096
OPEN_PATHS = ("/login", "/healthz")
OPEN_FOLDERS = ("/assets/",)
SAID = {
    "wrong": "That is not the staff password.",
    "wait": "Too many wrong passwords. Wait a minute.",
    "away": "The hub does not answer. Try again in a moment.",
    "site": "This form came from another site's page.",
}
FORM = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Sortie: staff</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/pages.css"></head>
<body class="login"><main><h1><img src="/assets/icon.svg" alt="" width="34" height="34">Sortie</h1>
<form method="post" action="/login"><label for="password">Staff password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required
 autofocus maxlength="200"><p class="fault" role="alert">{fault}</p>
<button type="submit">Open the staff pages</button></form></main></body></html>"""


class Sessions:
    """Who is logged in, by the digest of a random token; `now` is any clock that only rises."""

    def __init__(self, lasts_s: float, now: Callable[[], float]) -> None:
        self._lasts_s = lasts_s
        self._now = now
        self._ends: OrderedDict[str, float] = OrderedDict()

    def begin(self) -> str:
        """A new session's token."""
        token = secrets.token_urlsafe(32)
        self._ends[_digest(token)] = self._now() + self._lasts_s
        while len(self._ends) > SESSIONS_MAX:
            self._ends.popitem(last=False)
        return token

    def good(self, token: str) -> bool:
        """Whether a token is of a session that has not ended."""
        ends = self._ends.get(_digest(token))
        return ends is not None and self._now() < ends

    def end(self, token: str) -> None:
        """Logs out."""
        self._ends.pop(_digest(token), None)


class Guard:
    """ASGI middleware: without a session only the login form is served."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or sends it to the form."""
        if scope["type"] not in ("http", "websocket") or self._may(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401, "reason": "log in first"})
        else:
            await self._sent_away(scope)(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        path = str(scope["path"])
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            return True
        return self._sessions.good(_cookie(scope))

    @staticmethod
    def _sent_away(scope: Scope) -> Response:
        headers = dict(scope["headers"])
        if scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b""):
            return RedirectResponse("/login", status_code=303)
        return PlainTextResponse("expected a staff session; log in at /login\n", status_code=401)


def add_login(app: Starlette, feed: HubFeed, sessions: Sessions) -> None:
    """Adds /login and /logout; the password is checked by the hub."""

    async def form(request: Request) -> Response:
        if sessions.good(_cookie(request.scope)):
            return RedirectResponse("/staff", status_code=303)
        return _form("")

    async def enter(request: Request) -> Response:
        if not _same_site(request):
            return _form("site", 403)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > FORM_BYTES_MAX:
                return _form("wrong", 413)
        password = parse_qs(body.decode("utf-8", errors="replace")).get("password", [""])[0]
        answer = await feed.login(password)
        if answer != "in":
            return _form(answer, 429 if answer == "wait" else 403)
        response = RedirectResponse("/staff", status_code=303)
        response.set_cookie(
            COOKIE,
            sessions.begin(),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path="/",
        )
        return response

    async def leave(request: Request) -> Response:
        if _same_site(request):
            sessions.end(_cookie(request.scope))
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(COOKIE, path="/")
        return response

    app.router.add_route("/login", form, methods=["GET"], include_in_schema=False)
    app.router.add_route("/login", enter, methods=["POST"], include_in_schema=False)
    app.router.add_route("/logout", leave, methods=["POST"], include_in_schema=False)


def _form(fault: str, status: int = 200) -> HTMLResponse:
    text = FORM.replace("{fault}", escape(SAID.get(fault, "")))
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def _same_site(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def _cookie(scope: Scope) -> str:
    raw = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
    try:
        found = SimpleCookie(raw.decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
