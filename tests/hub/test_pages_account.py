"""People at the pages: signing in with a second factor, their account, everybody's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import httpx
import pyotp
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from hub.pages.account import add_account
from hub.pages.door import COOKIE, Guard, Sessions, add_login
from hub.pages.feed import HubFeed, bearer, hub_client
from hub.pages.settings import PagesSettings, load_pages_settings
from tests.hub.doors import WORDS, Door


class Site:
    """The guarded pages before a hub in this process; `asked` is what they asked it."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.clock_s = 0.0
        self.sessions = Sessions(3_600.0, lambda: self.clock_s)
        self.cookie = ""
        self.asked: list[str] = []
        key = door.key("read:visits", "read:events", "read:review", "read:devices")
        self._key = dict(key.headers)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request of a browser."""

        async def run() -> httpx.Response:
            hub = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=self.door.app),
                base_url="http://testserver",
                headers=self._key,
                event_hooks={"request": [self._note]},
            )
            feed = HubFeed(hub, PagesSettings(), now=lambda: 0.0)
            app = Starlette()
            app.router.add_route("/staff", lambda _request: PlainTextResponse("the staff page"))
            add_login(app, feed, self.sessions)
            add_account(app, hub, self.sessions)
            transport = httpx.ASGITransport(app=Guard(app, self.sessions, feed.stands))
            headers = {"Accept": "text/html", **more.pop("headers", {})}
            if self.cookie:
                headers["Cookie"] = f"{COOKIE}={self.cookie}"
            async with (
                hub,
                httpx.AsyncClient(transport=transport, base_url="http://door") as client,
            ):
                answer = await client.request(method, path, headers=headers, **more)
                self.cookie = answer.cookies.get(COOKIE) or self.cookie
                return answer

        return asyncio.run(run())

    async def _note(self, request: httpx.Request) -> None:
        self.asked.append(f"{request.method} {request.url.path}")

    def login(self, name: str, password: str = WORDS) -> httpx.Response:
        return self.ask("POST", "/login", data={"name": name, "password": password})

    def act(self, path: str, **form: str) -> str:
        answer = self.ask("POST", path, data=form)
        assert answer.headers["cache-control"] == "no-store"
        assert "form-action 'self'" in answer.headers["content-security-policy"]
        return unescape(answer.text)

    def said(self, text: str, words: str) -> str:
        found = re.search(rf"{words}[^<]*<code>([^<]*)</code>", text)
        assert found is not None, text
        return found.group(1)


@pytest.fixture
def site(make_shop: Callable[..., Any]) -> Site:
    door = Door(make_shop(), staff_accounts=True)
    door.staff()
    return Site(door)


def test_a_person_signs_in_with_a_code(site: Site) -> None:
    totp, _ = site.door.enrol("manager")
    asked = site.login("manager")
    assert asked.status_code == 200
    assert "authenticator" in asked.text
    assert WORDS not in asked.text
    ticket = re.search(r'name="ticket" value="([^"]+)"', asked.text)
    assert ticket is not None
    form = {"ticket": ticket.group(1), "code": totp.at(int(site.door.now_s))}
    assert site.ask("POST", "/login", data=form).headers["location"] == "/staff"
    assert site.ask("GET", "/staff").text == "the staff page"
    again = site.ask("POST", "/login", data=form)
    assert (again.status_code, "Begin again" in again.text) == (403, True)
    late = site.sessions.wait("manager", WORDS)
    site.clock_s += 181.0
    assert site.sessions.waited(late) is None


def test_wrong_names_and_other_sites_stay_outside(site: Site) -> None:
    wrong = site.login("clerk", "not the password")
    assert (wrong.status_code, "do not belong together" in wrong.text) == (403, True)
    away = {"Sec-Fetch-Site": "cross-site"}
    form = {"name": "clerk", "password": WORDS}
    assert site.ask("POST", "/login", data=form, headers=away).status_code == 403
    assert site.cookie == ""


def test_a_session_that_an_admin_ends_is_over_here_too(site: Site) -> None:
    site.login("clerk")
    assert site.ask("GET", "/staff").status_code == 200
    site.door.accounts.store.end_sessions(name="clerk")
    # The hub was asked a moment ago.
    assert site.ask("GET", "/staff").status_code == 200
    site.clock_s += 11.0
    assert site.ask("GET", "/staff").status_code == 303
    site.clock_s -= 11.0
    assert site.ask("GET", "/staff").status_code == 303


def test_a_first_password_shows_nothing_but_ones_own_account(site: Site) -> None:
    """The pages ask the hub as themselves for what they show: who may see it they must know."""
    site.door.accounts.add("bert", "manager", WORDS, site.door.now_s, own=False)
    assert site.login("bert").headers["location"] == "/staff"
    for path in ("/staff", "/people", "/evidence/x"):
        led = site.ask("GET", path)
        assert (led.status_code, led.headers["location"]) == (303, "/account")
    assert site.ask("GET", "/staff", headers={"Accept": "*/*"}).status_code == 403
    assert "password of your own" in site.ask("GET", "/account").text
    assert "Done." in site.act("/account/password", old=WORDS, new=f"{WORDS} too")
    assert site.ask("GET", "/staff").text == "the staff page"


def test_without_a_second_factor_that_is_missing_the_pages_stay_shut(
    make_shop: Callable[..., Any],
) -> None:
    door = Door(make_shop(), staff_accounts=True, totp_required=True)
    door.staff()
    site = Site(door)
    site.login("manager")
    assert site.ask("GET", "/staff").headers["location"] == "/account"
    told = site.act("/account/totp", password=WORDS)
    code = pyotp.TOTP(site.said(told, "or type ")).at(int(door.now_s))
    assert "<p>On.</p>" in site.act("/account/confirm", code=code)
    assert site.ask("GET", "/staff").text == "the staff page"
    door.accounts.store.change_account("manager", totp_confirmed=False)
    site.clock_s += 11.0
    assert site.ask("GET", "/staff").headers["location"] == "/account"


def test_logging_out_ends_the_hubs_session(site: Site) -> None:
    site.login("clerk")
    assert len(site.door.accounts.store.sessions("clerk")) == 1
    site.ask("POST", "/logout")
    assert site.door.accounts.store.sessions("clerk") == []


def test_ones_own_account(site: Site) -> None:
    site.login("clerk")
    page = site.ask("GET", "/account").text
    assert "clerk, clerk" in page
    assert "Off." in page
    assert "belong together" in site.act("/account/totp", password="not the password")
    told = site.act("/account/totp", password=WORDS)
    assert "data:image/svg+xml;base64," in told
    totp = pyotp.TOTP(site.said(told, "or type "))
    assert "belong together" in site.act("/account/confirm", code="000000")
    told = site.act("/account/confirm", code=totp.at(int(site.door.now_s)))
    assert told.count("<li><code>") == 10
    assert "<p>On.</p>" in told
    site.door.now_s += 30.0
    assert "<p>Off.</p>" in site.act(
        "/account/remove", password=WORDS, code=totp.at(int(site.door.now_s))
    )
    refused = site.act("/account/password", old=WORDS, new="short")
    assert "12 to 256" in refused
    assert "Done." in site.act("/account/password", old=WORDS, new=f"{WORDS} too")
    site.door.browser().login("clerk", f"{WORDS} too")
    assert len(site.door.accounts.store.sessions("clerk")) == 2
    refused = site.act("/account/end", password=WORDS)
    assert "belong together" in refused
    assert len(site.door.accounts.store.sessions("clerk")) == 2
    assert "Done." in site.act("/account/end", password=f"{WORDS} too", session_id="")
    assert len(site.door.accounts.store.sessions("clerk")) == 1


def test_an_admin_sees_to_people_and_keys(site: Site) -> None:
    site.login("admin")
    told = site.act("/people/add", name="bert", role="viewer")
    password = site.said(told, "shown only now: ")
    assert password not in site.ask("GET", "/people").text
    assert site.door.browser().login("bert", password).status_code == 204
    site.act("/people/role", name="bert", role="clerk")
    assert site.door.accounts.known("bert").role == "clerk"
    site.act("/people/close", name="bert")
    assert site.door.accounts.known("bert").disabled
    site.act("/people/open", name="bert")
    fresh = site.said(site.act("/people/reset", name="bert"), "shown only now: ")
    assert fresh != password
    body = {"label": "till <1>", "scopes": ["read:visits", "read:stock"], "days": "30"}
    answer = site.ask("POST", "/people/key", data=body)
    key = site.said(unescape(answer.text), "shown only now: ")
    assert "till &lt;1&gt;" in answer.text
    system = site.door.browser(own=False)
    assert system.get("/api/v1/stock", headers=bearer(key)).status_code == 200
    key_id = key.split("_")[1]
    assert "revoked" in site.act("/people/revoke", key_id=key_id)
    assert system.get("/api/v1/stock", headers=bearer(key)).status_code == 403
    assert ("admin", "POST /api/v1/staff/people", "done") in site.door.audit()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/people/add", {"name": "x", "role": "admin"}),
        ("/people/reset", {"name": "admin"}),
        ("/people/reset", {"name": "../me/totp"}),
        ("/people/role", {"name": "clerk", "role": "admin"}),
        ("/people/nothing", {"name": "clerk"}),
        ("/people/role", {"name": "clerk"}),
    ],
)
def test_a_clerk_changes_nobody(site: Site, path: str, form: dict[str, str]) -> None:
    site.login("clerk")
    before = [row for row in site.door.accounts.store.accounts() if row.name != "clerk"]
    answer = site.ask("POST", path, data=form)
    assert answer.status_code in (200, 403)
    assert "clerk" not in answer.text or "fault" in answer.text
    assert [r for r in site.door.accounts.store.accounts() if r.name != "clerk"] == before
    assert site.door.accounts.known("clerk").role == "clerk"
    assert site.ask("GET", "/people").status_code == 403


def test_refunds_are_the_persons_own(site: Site) -> None:
    site.login("viewer")
    seat = site.sessions.seat(site.cookie)
    assert seat is not None

    async def refund() -> tuple[bool, str]:
        transport = httpx.ASGITransport(app=site.door.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as hub:
            feed = HubFeed(hub, PagesSettings(), now=lambda: 0.0)
            return await feed.refund("r", "v-1", {1: 1}, "", token=seat.token)

    done, words = asyncio.run(refund())
    assert not done
    assert "expected the role clerk" in words
    assert site.door.audit()[0] == ("viewer", "POST /api/v1/staff/refunds", "refused 403")


def test_pages_know_of_keys(monkeypatch: Any) -> None:
    monkeypatch.setenv("SORTIE_PAGES_HOST", "0.0.0.0")
    monkeypatch.setenv("SORTIE_PAGES_HUB_KEY", "sk_0123456789abcdef_secretsecret")
    settings = load_pages_settings()
    assert settings.door
    assert "secretsecret" not in repr(settings)
    client = hub_client(settings)
    assert client.headers["authorization"] == "Bearer sk_0123456789abcdef_secretsecret"
    asyncio.run(client.aclose())
