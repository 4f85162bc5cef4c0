"""Pages of accounts: one's own at /account, and, for admins, everybody's and the keys at /people.

Plain forms without a script. What they do is asked of the hub with the session of whoever sent
them, so that the hub judges and records it. What the hub tells once (passwords, keys, recovery
codes) is shown once, on the page that answers the form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hub.pages.accounts_html import WAYS, account_html, people_html, told_html
from hub.pages.door import Seat, Sessions, cookie_of, form_of, plain_page, same_site
from hub.pages.feed import bearer

__all__ = ["add_account"]

API = "/api/v1/staff"
DAY_S = 86_400.0
Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Ask:
    """A request to the hub."""

    method: str
    path: str
    body: dict[str, Any] | None = None


Ask = Callable[[Form], _Ask]
OWN: dict[str, Ask] = {
    "password": lambda f: _Ask("POST", "/me/password", {"old": f["old"], "new": f["new"]}),
    "totp": lambda f: _Ask("POST", "/me/totp", {"password": f["password"]}),
    "confirm": lambda f: _Ask("POST", "/me/totp/confirm", {"code": f["code"]}),
    "remove": lambda f: _Ask(
        "POST", "/me/totp/remove", {"password": f["password"], "code": f["code"]}
    ),
    "end": lambda f: _Ask(
        "POST",
        "/me/sessions/end",
        {"password": f["password"], "session_id": f.get("session_id") or None},
    ),
}
PEOPLE: dict[str, Ask] = {
    "add": lambda f: _Ask("POST", "/people", {"name": f["name"], "role": f["role"]}),
    "role": lambda f: _Ask("PATCH", f"/people/{_id(f, 'name')}", {"role": f["role"]}),
    "close": lambda f: _Ask("PATCH", f"/people/{_id(f, 'name')}", {"disabled": True}),
    "open": lambda f: _Ask("PATCH", f"/people/{_id(f, 'name')}", {"disabled": False}),
    "reset": lambda f: _Ask("POST", f"/people/{_id(f, 'name')}/reset"),
    "end": lambda f: _Ask("DELETE", f"/sessions/{_id(f, 'session_id')}"),
    "key": lambda f: _Ask("POST", "/keys", _new_key(f)),
    "revoke": lambda f: _Ask("DELETE", f"/keys/{_id(f, 'key_id')}"),
}


def add_account(app: Starlette, client: httpx.AsyncClient, sessions: Sessions) -> None:
    """Adds /account and /people and what their forms ask for."""
    pages = _Pages(client, sessions)
    for path, asks in (("account", OWN), ("people", PEOPLE)):

        async def show(request: Request, path: str = path) -> Response:
            return await pages.show(request, path, "")

        async def act(request: Request, path: str = path, asks: dict[str, Ask] = asks) -> Response:
            return await pages.act(request, path, asks)

        app.router.add_route(f"/{path}", show, methods=["GET"], include_in_schema=False)
        app.router.add_route(f"/{path}/{{act}}", act, methods=["POST"], include_in_schema=False)


class _Pages:
    def __init__(self, client: httpx.AsyncClient, sessions: Sessions) -> None:
        self._client = client
        self._sessions = sessions

    async def show(self, request: Request, path: str, told: str) -> Response:
        """The page, with what was just told above it."""
        seat = self._sessions.seat(cookie_of(request.scope))
        if seat is None:
            return RedirectResponse("/login", status_code=303)
        try:
            me = await self._json(seat, "/me")
            if path == "account":
                body = account_html(me, await self._json(seat, "/me/sessions"))
            else:
                parts = [await self._json(seat, p) for p in ("/people", "/sessions", "/keys")]
                body = people_html(*parts)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 401:
                self._sessions.end(cookie_of(request.scope))
                return RedirectResponse("/login", status_code=303)
            return _page("Sortie: account", told_html({}, _detail(error.response)), 403)
        except (httpx.HTTPError, ValueError):
            return _page("Sortie: account", told_html({}, "The hub does not answer."), 503)
        return _page(f"Sortie: {path}", told + body, 200)

    async def act(self, request: Request, path: str, asks: Mapping[str, Ask]) -> Response:
        """Does what a form asks for and shows the page again."""
        seat = self._sessions.seat(cookie_of(request.scope))
        ask = asks.get(request.path_params["act"])
        form = await form_of(request)
        if seat is None or ask is None or form is None or not same_site(request):
            return _page("Sortie: account", told_html({}, "This form cannot be used."), 403)
        try:
            wanted = ask(form)
        except KeyError as error:
            return await self.show(request, path, told_html({}, f"Fill in {error.args[0]}."))
        try:
            answer = await self._client.request(
                wanted.method, API + wanted.path, json=wanted.body, headers=bearer(seat.token)
            )
        except httpx.HTTPError:
            return await self.show(request, path, told_html({}, "The hub does not answer."))
        finally:
            self._client.cookies.clear()
        if answer.is_success:
            said = answer.json() if answer.content else {}
            return await self.show(request, path, told_html(said, ""))
        return await self.show(request, path, told_html({}, _detail(answer)))

    async def _json(self, seat: Seat, path: str) -> Any:
        answer = await self._client.get(API + path, headers=bearer(seat.token))
        return answer.raise_for_status().json()


def _page(title: str, body: str, status: int) -> HTMLResponse:
    return plain_page(title, WAYS + body, status, look="account")


def _detail(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return f"The hub says no (status {answer.status_code})."
    return str(said.get("detail", "")) if isinstance(said, dict) else ""


def _id(form: Form, name: str) -> str:
    return quote(form[name], safe="")


def _new_key(form: Form) -> dict[str, Any]:
    days = form.get("days", "").strip()
    return {
        "label": form["label"],
        "scopes": form.get("scopes", "").split(),
        "lasts_s": float(days) * DAY_S if days.isdecimal() and days != "0" else None,
    }
