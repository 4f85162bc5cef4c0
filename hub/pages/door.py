"""Who may open the pages: everyone on this machine, or whom the hub knows.

The hub checks name, password and one-time code and gives a session; what a person does on these
pages is done with it. Seats live in memory; a restart logs everybody out of the pages. The guard
stands before every route and every websocket, NiceGUI's included, and asks the hub again every few
seconds whether the session still is one: an admin can end it. Whom the hub lets see nothing but
their own account (a first password, a second factor that is missing) sees nothing else here.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.pages.feed import HubFeed, Stands

__all__ = [
    "COOKIE",
    "Guard",
    "Seat",
    "Sessions",
    "add_login",
    "cookie_of",
    "form_of",
    "plain_page",
    "same_site",
]

COOKIE = "sortie_pages"
SESSIONS_MAX = 500
FORM_BYTES_MAX = 4_096
OPEN_PATHS = ("/login", "/healthz")
OPEN_FOLDERS = ("/assets/",)
OWN_PATHS = ("/account", "/logout", "/still")
OWN_FOLDERS = ("/account/",)
FRESH_S = 10.0
"""A seat the hub was asked about so recently is not asked about again."""
PENDING_S = 180.0
PENDING_MAX = 200
SAID = {
    "wrong": "That is not the staff password.",
    "person": "That name and password do not belong together.",
    "code": "Enter the code that your authenticator shows.",
    "again": "That code is not good, or was used already. Begin again.",
    "wait": "Too many wrong passwords. Wait a minute.",
    "away": "The hub does not answer. Try again in a moment.",
    "site": "This form came from another site's page.",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/pages.css"></head>
<body class="login"><main class="{look}">
<h1><img src="/assets/icon.svg" alt="" width="34" height="34">Sortie</h1>
{body}</main></body></html>"""
PASSWORD_FORM = """<form method="post" action="/login">
<label for="name">Name</label>
<input id="name" name="name" autocomplete="username" maxlength="63" autocapitalize="none"
 placeholder="empty for the store's password">
<label for="password">Staff password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required
 autofocus maxlength="256"><p class="fault" role="alert">{fault}</p>
<button type="submit">Open the staff pages</button></form>"""
CODE_FORM = """<form method="post" action="/login">
<input type="hidden" name="ticket" value="{ticket}">
<label for="code">One-time code</label>
<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required autofocus
 maxlength="40"><p class="fault" role="alert">{fault}</p>
<button type="submit">Open the staff pages</button></form>"""
POLICY = (
    "default-src 'none'; script-src 'none'; style-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(slots=True)
class Seat:
    """Somebody who is logged in; `token` is their session at the hub, empty if it gave none.
    `own_only`: it opens no more than their own account, as far as the hub has said yet."""

    ends_s: float
    token: str
    asked_s: float = -math.inf
    own_only: bool = False


class Sessions:
    """Who is logged in, by the digest of a random token; `now` is any clock that only rises."""

    def __init__(self, lasts_s: float, now: Callable[[], float]) -> None:
        self._lasts_s = lasts_s
        self._now = now
        self._seats: OrderedDict[str, Seat] = OrderedDict()
        self._pending: OrderedDict[str, tuple[float, str, str]] = OrderedDict()

    def begin(self, hub_token: str = "") -> str:
        """A new session's token."""
        token = secrets.token_urlsafe(32)
        ends_s = self._now() + self._lasts_s
        self._seats[_digest(token)] = Seat(ends_s, hub_token, own_only=bool(hub_token))
        while len(self._seats) > SESSIONS_MAX:
            self._seats.popitem(last=False)
        return token

    def seat(self, token: str) -> Seat | None:
        """The seat of a session that has not ended."""
        seat = self._seats.get(_digest(token))
        return seat if seat is not None and self._now() < seat.ends_s else None

    def token_of(self, request: Request) -> str:
        """The hub's session of who asks; empty if there is none."""
        seat = self.seat(request.cookies.get(COOKIE, ""))
        return "" if seat is None else seat.token

    def good(self, token: str) -> bool:
        """Whether a token is of a session that has not ended."""
        return self.seat(token) is not None

    def due(self, seat: Seat) -> bool:
        """Whether the hub should be asked about a seat; it is taken as asked from now on. One that
        opens little is asked about each time: it may have become more a moment ago."""
        fresh = self._now() - seat.asked_s < FRESH_S and not seat.own_only
        if not seat.token or fresh:
            return False
        seat.asked_s = self._now()
        return True

    def end(self, token: str) -> None:
        """Logs out."""
        self._seats.pop(_digest(token), None)

    def wait(self, name: str, password: str) -> str:
        """Keeps what was typed until the code comes, for three minutes; a ticket for it."""
        ticket = secrets.token_urlsafe(24)
        self._pending[_digest(ticket)] = (self._now() + PENDING_S, name, password)
        while len(self._pending) > PENDING_MAX:
            self._pending.popitem(last=False)
        return ticket

    def waited(self, ticket: str) -> tuple[str, str] | None:
        """What a ticket stands for, once."""
        ends_s, name, password = self._pending.pop(_digest(ticket), (0.0, "", ""))
        return (name, password) if self._now() < ends_s else None


class Guard:
    """ASGI middleware: without a session only the login form is served.

    `stands`: what a session of the hub opens.
    """

    def __init__(
        self,
        app: ASGIApp,
        sessions: Sessions,
        stands: Callable[[str], Awaitable[Stands]] | None = None,
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._stands = stands

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or sends it to the form."""
        if scope["type"] not in ("http", "websocket") or await self._may(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401, "reason": "log in first"})
        else:
            await self._sent_away(scope)(scope, receive, send)

    async def _may(self, scope: Scope) -> bool:
        path = str(scope["path"])
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            return True
        seat = self._sessions.seat(cookie_of(scope))
        if seat is None or not await self._open(scope, seat):
            return False
        if self._stands is None or not seat.own_only:
            return True
        return path in OWN_PATHS or path.startswith(OWN_FOLDERS)

    async def _open(self, scope: Scope, seat: Seat) -> bool:
        """Whether a seat's session has not ended; what it opens is asked of the hub."""
        if self._stands is None or not self._sessions.due(seat):
            return True
        stands = await self._stands(seat.token)
        if stands == "ended":
            self._sessions.end(cookie_of(scope))
        elif stands != "unknown":
            seat.own_only = stands == "own"
        return stands != "ended"

    def _sent_away(self, scope: Scope) -> Response:
        headers = dict(scope["headers"])
        seated = self._sessions.seat(cookie_of(scope)) is not None
        if scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b""):
            return RedirectResponse("/account" if seated else "/login", status_code=303)
        if seated:
            words = "expected a password of your own and a second factor; see /account\n"
            return PlainTextResponse(words, status_code=403)
        return PlainTextResponse("expected a staff session; log in at /login\n", status_code=401)


def add_login(app: Starlette, feed: HubFeed, sessions: Sessions) -> None:
    """Adds /login, /logout and /still, which says whether one still is logged in; the password is
    checked by the hub."""

    async def form(request: Request) -> Response:
        if sessions.good(cookie_of(request.scope)):
            return RedirectResponse("/staff", status_code=303)
        return _form("")

    async def enter(request: Request) -> Response:
        if not same_site(request):
            return _form("site", 403)
        form = await form_of(request)
        if form is None:
            return _form("wrong", 413)
        typed: tuple[str, str] | None = form.get("name", ""), form.get("password", "")
        if "ticket" in form:
            typed = sessions.waited(form["ticket"])
        if typed is None:
            return _form("again", 403)
        name, password = typed
        client = request.client.host if request.client is not None else ""
        entered = await feed.login(password, name=name, code=form.get("code", ""), client=client)
        if entered.answer == "code":
            return _code_form(sessions.wait(name, password))
        if entered.answer != "in":
            fault: str = (
                "again" if "ticket" in form and entered.answer == "wrong" else entered.answer
            )
            fault = "person" if fault == "wrong" and name else fault
            return _form(fault, 429 if fault == "wait" else 403)
        sessions.end(cookie_of(request.scope))
        response = RedirectResponse("/staff", status_code=303)
        response.set_cookie(
            COOKIE,
            sessions.begin(entered.token),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path="/",
        )
        return response

    async def leave(request: Request) -> Response:
        if same_site(request):
            seat = sessions.seat(cookie_of(request.scope))
            if seat is not None and seat.token:
                await feed.logout(seat.token)
            sessions.end(cookie_of(request.scope))
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(COOKIE, path="/")
        return response

    async def still(_request: Request) -> Response:
        # The guard has asked the hub by now.
        return Response(status_code=204, headers={"Cache-Control": "no-store"})

    app.router.add_route("/still", still, methods=["GET"], include_in_schema=False)
    app.router.add_route("/login", form, methods=["GET"], include_in_schema=False)
    app.router.add_route("/login", enter, methods=["POST"], include_in_schema=False)
    app.router.add_route("/logout", leave, methods=["POST"], include_in_schema=False)


def _form(fault: str, status: int = 200) -> HTMLResponse:
    return _page(PASSWORD_FORM.replace("{fault}", escape(SAID.get(fault, ""))), status)


def _code_form(ticket: str) -> HTMLResponse:
    said = CODE_FORM.replace("{fault}", escape(SAID["code"]))
    return _page(said.replace("{ticket}", escape(ticket)), 200)


def _page(form: str, status: int) -> HTMLResponse:
    return plain_page("Sortie: staff", form, status)


def plain_page(title: str, body: str, status: int, *, look: str = "") -> HTMLResponse:
    """A page without a script that nobody keeps; `body` is HTML, the rest is plain."""
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY}
    text = PAGE.replace("{title}", title).replace("{look}", look).replace("{body}", body)
    return HTMLResponse(text, status_code=status, headers=headers)


async def form_of(request: Request) -> dict[str, str] | None:
    """The fields of a small form, each once; None if it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            return None
    fields = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True)
    return {name: " ".join(values) for name, values in fields.items()}


def same_site(request: Request) -> bool:
    """Whether a form was sent by a page of this site, as far as its browser says."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    except ValueError:
        # No browser sends an origin that cannot be read.
        return False


def cookie_of(scope: Scope) -> str:
    """The pages' session token of a request, empty if it has none."""
    raw = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
    try:
        found = SimpleCookie(raw.decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
