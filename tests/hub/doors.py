"""A hub's application with accounts of every role, keys, and clients that act as browsers do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pyotp
from argon2 import PasswordHasher

from hub.accounts.audit import entries
from hub.accounts.model import ROLES, SCOPES, Principal, Role
from hub.accounts.passwords import Passwords
from hub.accounts.seals import Seals
from hub.accounts.service import Accounts
from hub.api.app import create_app
from hub.driver import Driver
from hub.settings import HubSettings

__all__ = ["COLA", "WORDS", "Browser", "Door", "person"]

COLA = "4006381333931"
WORDS = "lantern gravel fourteen otters"
NOW_S = 1_790_000_000.0
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""Weak on purpose: tests hash hundreds of times."""


def person(name: str) -> Principal:
    """Somebody who is signed in nowhere in particular."""
    return Principal("person", name, "clerk")


class Browser:
    """One client with a cookie jar; `own`: it says that a page of the site itself asks."""

    def __init__(self, app: Any, *, own: bool = True, scheme: str = "http", host: str = "") -> None:
        peer = (host or "127.0.0.1", 4711)
        self._transport = httpx.ASGITransport(app=app, client=peer, raise_app_exceptions=False)
        self.cookies = httpx.Cookies()
        self.own = own
        self.base = f"{scheme}://testserver"
        self.headers: dict[str, str] = {}

    def ask(self, method: str, url: str, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        if self.own:
            headers = {"Sec-Fetch-Site": "same-origin", **headers}

        async def run() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url=self.base, cookies=self.cookies
            ) as client:
                answer = await client.request(method, url, headers=headers, **more)
                self.cookies = client.cookies
                return answer

        return asyncio.run(run())

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self.ask("GET", url, **more)

    def post(self, url: str, **more: Any) -> httpx.Response:
        return self.ask("POST", url, **more)

    def login(self, name: str, password: str = WORDS, code: str = "") -> httpx.Response:
        body = {"name": name, "password": password, "code": code}
        return self.post("/api/v1/staff/login", json=body)


class Door:
    """The application; its time is set by the test."""

    def __init__(self, shop: Any, **settings: Any) -> None:
        self.now_s = NOW_S
        self._known: dict[Role, Browser] = {}
        self.hub = shop.hub
        self.driver = Driver(shop.hub, lambda: self.now_s)
        self.driver.begin()
        values: dict[str, Any] = {"store_file": Path("x"), "node_tokens": {"node-shelf": "tok"}}
        values |= {"totp_required": False, **settings}
        self.settings = HubSettings(**values)
        self.app = create_app(self.driver, self.settings)
        self.app.state.streams.ended = lambda: True
        self.accounts: Accounts = self.app.state.accounts
        self.accounts._passwords = Passwords(QUICK)
        if not shop.hub.store.url.startswith("sqlite"):
            # The key file would lie where the tests run.
            self.accounts.seals = Seals.fresh()

    def person(self, name: str, role: Role) -> str:
        """An account that has set its own password."""
        self.accounts.add(name, role, WORDS, self.now_s, own=True)
        return name

    def staff(self) -> None:
        """One account of each role, named after it."""
        for role in reversed(ROLES):
            self.person(role, role)

    def browser(self, name: str = "", **more: Any) -> Browser:
        """A browser, signed in as somebody."""
        made = Browser(self.app, **more)
        if name:
            assert made.login(name).status_code == 204
        return made

    def known(self, role: Role) -> Browser:
        """The browser of a role's account, signed in once."""
        if role not in self._known:
            self._known[role] = self.browser(role)
        return self._known[role]

    def key(self, *scopes: str) -> Browser:
        """A system with a key."""
        _, text = self.accounts.new_key("test", scopes or SCOPES, "test", None, self.now_s)
        made = Browser(self.app, own=False)
        made.headers["Authorization"] = f"Bearer {text}"
        return made

    def enrol(self, name: str) -> tuple[pyotp.TOTP, list[str]]:
        """A second factor for somebody, and its recovery codes."""
        totp = pyotp.TOTP(self.accounts.begin_totp(name))
        code = totp.at(int(self.now_s))
        fresh = self.accounts.confirm_totp(person(name), code, client="c", now_s=self.now_s)
        self.now_s += 30.0
        return totp, fresh

    def audit(self) -> list[tuple[str, str, str]]:
        """Who, action, outcome; the newest first."""
        rows = entries(self.accounts.store, limit=200)
        return [(row["who"], row["action"], row["outcome"]) for row in rows]

    def state(self) -> str:
        """What must not change where something was refused."""
        return str(self.hub.digest())
