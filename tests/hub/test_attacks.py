"""Attacks over HTTP: each is refused, changes nothing, and where staff are meant, is in the audit
log. The matrix of routes and roles is made from the route table itself."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.routing import RouteContext

from hub.accounts.model import ROLES, SCOPES, at_least
from hub.api.auth import COOKIE, SAFE, Needs
from hub.api.openapi import needs_of, routes_of
from hub.driver import Driver
from hub.errors import StoreWriteError
from tests.hub.bearing import bearing
from tests.hub.doors import COLA, WORDS, Browser, Door
from tests.hub.open_routes import OPEN

PRICE = ("/api/v1/staff/prices", {"gtin": COLA, "price_minor": 1})
DAY = "?day=2026-01-01"
QUERIES = {"/api/v1/staff/reports/vat": DAY, "/api/v1/staff/reports/vat.html": DAY}
"""What a route cannot be asked without."""


@pytest.fixture
def door(make_shop: Callable[..., Any]) -> Door:
    made = Door(make_shop(), staff_accounts=True)
    made.staff()
    return made


def table(door: Door) -> Iterator[tuple[str, RouteContext]]:
    for route in routes_of(door.app):
        for method in sorted(route.methods or ()):
            yield method, route


def filled(path: str) -> str:
    """A path with ids that fit their patterns and belong to nobody, and the query it needs."""
    for name, value in {
        "{token}": "t" * 32, "{visit_id}": "v-none", "{camera}": "cam", "{device}": "node-shelf",
        "{session_id}": "0" * 16, "{key_id}": "0" * 16, "{name}": "nobody", "{gtin}": COLA,
        "{webhook_id}": f"wh_{'0' * 16}", "{track_id}": "t-none", "{node_id}": "node-floor",
        "{sha256}": "0" * 64, "{reach}": "r-none", "{day}": "2026-01-01", "{gate}": "entry",
        "{device_id}/{word}": "node-floor/revoke", "{recall_id}": "none", "{payer}": "nobody",
        "{dispute_id}": "dp_none", "{order_id}": "none", "{key:path}": "text:none",
        "{wall_id}": "wall-none", "{number}": "1", "{route_id}": "none",
    }.items():  # fmt: skip
        path = path.replace(name, value)
    return path + QUERIES.get(path, "")


# ---------------------------------------------------------------------------- escalation


def test_every_route_declares_who_may_call_it(door: Door) -> None:
    bare = {
        (method, route.path)
        for method, route in table(door)
        if needs_of(route) is None and (method, route.path) not in OPEN
    }
    assert bare == set(), "declare auth.needs(role, scope), or say in OPEN what protects it"
    plain = [
        (method, route.path)
        for method, route in table(door)
        if method not in SAFE and needs_of(route) is not None
        if not isinstance(needs_of(route), Needs)
    ]
    assert plain == [], "what changes something asks for a role by name: auth.needs(role)"


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_route_lets_in_its_role_and_those_above(door: Door, role: Any) -> None:
    before = door.state()
    tried = 0
    for method, route in table(door):
        needs = needs_of(route)
        if needs is None:
            continue
        least = needs.role if isinstance(needs, Needs) else "viewer"
        if role is not None and at_least(role, least):
            continue
        browser = door.browser() if role is None else door.known(role)
        answer = browser.ask(method, filled(str(route.path)), json={})
        assert answer.status_code == (401 if role is None else 403), (method, route.path)
        assert answer.headers["content-type"] == "application/problem+json"
        tried += 1
    assert tried > 5 or role in ("manager", "admin")
    assert door.state() == before
    written = [row for row in door.audit() if row[2].startswith("refused")]
    assert written or role == "admin"


def test_each_role_reaches_what_it_may(door: Door) -> None:
    for role in ROLES:
        for method, route in table(door):
            needs = needs_of(route)
            if needs is None or method not in SAFE:
                continue
            if at_least(role, needs.role if isinstance(needs, Needs) else "viewer"):
                answer = door.known(role).ask(method, filled(str(route.path)))
                assert answer.status_code in (200, 404), (role, route.path, answer.text)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_the_routes_of_its_scope_alone(door: Door, scope: Any) -> None:
    before, system = door.state(), door.key(scope)
    for method, route in table(door):
        needs = needs_of(route)
        if needs is None:
            continue
        answer = system.ask(method, filled(str(route.path)), json={})
        if isinstance(needs, Needs) and needs.scope == scope:
            assert answer.status_code not in (401, 403), (method, route.path)
        else:
            assert answer.status_code == 403, (method, route.path)
    assert door.state() == before


def test_a_clerk_gives_back_little_and_takes_nothing_off(door: Door) -> None:
    clerk = door.browser("clerk")
    stock = {"slot_id": "s1", "gtin": COLA, "quantity": 1}
    assert clerk.post("/api/v1/staff/stock", json=stock).status_code == 200
    before = door.state()
    off = clerk.post("/api/v1/staff/stock", json={**stock, "quantity": -1})
    assert (off.status_code, "manager" in off.json()["detail"]) == (403, True)
    assert door.state() == before
    assert door.audit()[0] == ("clerk", "POST /api/v1/staff/stock", "refused 403")


def test_small_refunds_of_a_clerk_do_not_add_up(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop()
    shop.open_visit("code-one-0001")
    end_s = day.shop(1.0, "t1", "code-one-0001", [(COLA, True)] * 3)
    shop.play(day.script, end_s + 6.0)
    visit_id = next(iter(shop.hub.core.state.visits))
    door = Door(shop, staff_accounts=True, clerk_refund_minor_max=250)
    door.staff()
    clerk, manager = door.browser("clerk"), door.browser("manager")

    def give(browser: Browser, name: str) -> int:
        lines = [{"line": 1, "quantity": 1}]
        body = {"refund_id": name, "visit_id": visit_id, "lines": lines}
        return browser.post("/api/v1/staff/refunds", json=body).status_code

    assert [give(clerk, name) for name in ("a", "b", "c")] == [200, 200, 403]
    assert give(manager, "c") == 200
    # Asked again, what was given is told again: it needs no higher role.
    assert give(clerk, "b") == 200


# ---------------------------------------------------------------------------- whose is it


def test_another_visits_token_id_and_code_open_nothing(door: Door) -> None:
    phone = door.browser()
    mine = phone.post("/api/v1/phones/visits", json={"payer": "anna"}).json()
    theirs = phone.post("/api/v1/phones/visits", json={"payer": "bert"}).json()
    before = door.state()
    for guess in (theirs["visit_id"] + "x" * 20, mine["token"][:-1] + "A", "A" * 32, "", "short"):
        answer = phone.get("/api/v1/phones/me", headers=bearing(guess))
        assert answer.status_code == (401 if len(guess) < 20 else 404)
        assert phone.post("/api/v1/phones/me/code", headers=bearing(guess)).status_code in (
            401,
            404,
        )
    seen = phone.get("/api/v1/phones/me", headers=bearing(mine["token"])).text
    assert theirs["visit_id"] not in seen
    assert "bert" not in seen
    # Staff's resources name no payer either.
    assert "anna" not in door.key("read:visits").get("/api/v1/visits").text
    assert "anna" not in door.key("read:events").get("/api/v1/events").text
    door.app.state.streams.ended = iter([False, True, False, True, False, True]).__next__
    assert "visit.opened" in (log := door.key("read:events").get("/api/v1/staff/events").text)
    assert "anna" not in log
    for url in ("/api/v1/staff/state", "/api/v1/staff/live"):
        assert "anna" not in door.key("read:visits").get(url).text
    assert "anna" in door.known("viewer").get("/api/v1/staff/events").text
    assert door.state() == before


def test_a_node_sends_pictures_of_its_own_cameras_only(door: Door) -> None:
    system = door.browser(own=False)
    picture = b"\xff\xd8\xff\xe0 picture"
    for bearer in ("tok2", "", "tok\u00e9"):
        headers = {b"Authorization": b"Bearer " + bearer.encode()}
        answer = system.ask(
            "PUT", "/api/v1/nodes/node-shelf/tiles/cam", content=picture, headers=headers
        )
        assert answer.status_code == 403
    own = {"Authorization": "Bearer tok"}
    for device in ("node-shelf", "node-floor", "node-none"):
        url = f"/api/v1/nodes/{device}/tiles/cam"
        assert system.ask("PUT", url, content=picture, headers=own).status_code == 403


def test_bearers_open_their_own_doors_only(door: Door) -> None:
    system = door.browser(own=False)
    session = door.browser("admin").cookies[COOKIE]
    key = door.key().headers["Authorization"].removeprefix("Bearer ")
    picture = b"\xff\xd8\xff\xe0 picture"
    for token in (session, key):
        headers = {"Authorization": f"Bearer {token}"}
        url = "/api/v1/nodes/node-shelf/tiles/cam"
        assert system.ask("PUT", url, content=picture, headers=headers).status_code == 403
    visit = system.post("/api/v1/phones/visits").json()
    for token in ("tok", visit["token"], visit["code"]):
        headers = {"Authorization": f"Bearer {token}"}
        assert system.get("/api/v1/staff/state", headers=headers).status_code == 403
    cookie = {"Cookie": f"{COOKIE}={key}"}
    assert system.get("/api/v1/staff/state", headers=cookie).status_code == 401
    basic = {"Authorization": f"Basic {session}"}
    assert system.get("/api/v1/staff/state", headers=basic).status_code == 401


def test_other_peoples_sessions_cannot_be_ended(door: Door) -> None:
    clerk, admin = door.browser("clerk"), door.browser("admin")
    rows = admin.get("/api/v1/staff/me/sessions").json()
    body = {"password": WORDS, "session_id": rows[0]["session_id"]}
    assert clerk.post("/api/v1/staff/me/sessions/end", json=body).status_code == 404
    assert admin.get("/api/v1/staff/me").status_code == 200


# ---------------------------------------------------------------------------- CSRF


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "http://evil.example/testserver"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-CSRF-Token": "guessed"},
        {"Content-Type": "text/plain"},
        {},
    ],
)
def test_other_sites_pages_change_nothing_by_cookie(door: Door, headers: dict[str, str]) -> None:
    browser = door.browser("admin")
    before, browser.own = door.state(), False
    answer = browser.post(PRICE[0], content=json.dumps(PRICE[1]), headers=headers)
    assert answer.status_code == 403
    assert door.state() == before
    assert door.audit()[0][1:] == ("POST /api/v1/staff/prices", "refused 403")


def test_a_page_of_the_site_may(door: Door) -> None:
    browser = door.browser("admin")
    csrf, browser.own = browser.get("/api/v1/staff/me").json()["csrf"], False
    for headers in ({"X-CSRF-Token": csrf}, {"Origin": "http://testserver"}):
        door.now_s += 1.0
        assert browser.post(PRICE[0], json=PRICE[1], headers=headers).status_code == 200
    other = door.browser("admin")
    other.own = False
    # Another session's token is no proof.
    assert other.post(PRICE[0], json=PRICE[1], headers={"X-CSRF-Token": csrf}).status_code == 403


# ---------------------------------------------------------------------------- sessions


def test_guessing_is_slowed_and_recovers(door: Door) -> None:
    thief = door.browser(host="203.0.113.5")
    assert [thief.login("clerk", f"guess {n}").status_code for n in range(6)] == [403] * 5 + [429]
    answer = thief.login("clerk")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) == 60
    assert answer.json()["type"] == "urn:sortie:problem:too-many-tries"
    # The person herself, from elsewhere, is let in meanwhile.
    assert door.browser(host="198.51.100.7").login("clerk").status_code == 204
    door.now_s += 61.0
    assert thief.login("clerk").status_code == 204
    assert ("clerk", "POST /api/v1/staff/login", "refused 429") in door.audit()
    # People type passwords into the wrong field: a name nobody has is not written down.
    thief.login("my secret password", "x")
    assert door.audit()[0] == ("unknown", "POST /api/v1/staff/login", "refused 403")


def test_guessing_from_everywhere_is_slowed_for_the_account(door: Door) -> None:
    codes = [
        door.browser(host=f"203.0.{n}.5").login("clerk", f"guess {n}").status_code
        for n in range(21)
    ]
    assert codes == [403] * 20 + [429]
    door.now_s += 61.0
    assert door.browser(host="198.51.100.7").login("clerk").status_code == 204


def test_guessed_keys_and_codes_are_slowed(door: Door) -> None:
    door.enrol("manager")
    thief = door.browser(own=False, host="203.0.113.5")
    bearer = {"Authorization": f"Bearer sk_{'0' * 16}_{'A' * 43}"}
    said = [thief.get("/api/v1/visits", headers=bearer).status_code for _ in range(6)]
    assert said == [403] * 5 + [429]
    other = door.browser(host="203.0.113.6")
    codes = [other.login("manager", code=f"{n:06d}").status_code for n in range(6)]
    assert codes == [403] * 5 + [429]


def test_a_planted_session_is_not_taken_up(door: Door) -> None:
    victim = door.browser()
    victim.cookies.set(COOKIE, "planted-by-somebody-else-0123456789", domain="testserver.local")
    assert victim.login("clerk").status_code == 204
    planted = door.browser()
    planted.cookies.set(COOKIE, "planted-by-somebody-else-0123456789")
    assert planted.get("/api/v1/staff/me").status_code == 401
    # A second sign-in gives a new token, and the old one is over.
    old = victim.cookies[COOKIE]
    assert victim.login("clerk").status_code == 204
    stale = door.browser()
    stale.cookies.set(COOKIE, old)
    assert stale.get("/api/v1/staff/me").status_code == 401


@pytest.mark.parametrize("value", ["", "x", "A" * 43, "' OR 1=1 --", "A" * 3000, "%00", "sk_a_b"])
def test_forged_cookies_open_nothing(door: Door, value: str) -> None:
    browser = door.browser()
    answer = browser.get("/api/v1/staff/state", headers={"Cookie": f"{COOKIE}={value}"})
    assert answer.status_code == 401


def test_over_https_only_a_cookie_of_this_host_counts(door: Door) -> None:
    browser = door.browser(scheme="https")
    answer = browser.login("clerk")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"__Host-{COOKIE}=")
    for part in ("HttpOnly", "SameSite=strict", "Secure", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert "max-age=31536000" in answer.headers["strict-transport-security"]
    assert browser.get("/api/v1/staff/me").status_code == 200
    token = browser.cookies[f"__Host-{COOKIE}"]
    set_by_a_neighbour = {"Cookie": f"{COOKIE}={token}"}
    fresh = door.browser(scheme="https")
    assert fresh.get("/api/v1/staff/me", headers=set_by_a_neighbour).status_code == 401


def test_unknown_names_and_wrong_passwords_are_answered_alike(door: Door) -> None:
    def once(name: str) -> tuple[float, Any]:
        browser = door.browser(host="203.0.113.9")
        door.now_s += 7_200.0
        begun = time.process_time()
        answer = browser.login(name, "not the password")
        return time.process_time() - begun, answer

    # The hub's own parameters: hashing must be most of the time.
    door.accounts._passwords = None
    door.accounts.store.change_account("clerk", password_hash=door.accounts.passwords.hash(WORDS))
    known, unknown = [], []
    for n in range(7):
        spent, first = once("clerk")
        known.append(spent)
        spent, second = once(f"nobody{n}")
        unknown.append(spent)
        assert first.status_code == second.status_code == 403
        assert first.json() == second.json()
        assert first.headers.keys() == second.headers.keys()
    ratio = statistics.median(known) / statistics.median(unknown)
    assert 0.5 < ratio < 2.0


# ---------------------------------------------------------------------------- shapes of requests


@pytest.mark.parametrize(
    "path",
    [
        "/phone/../hub/settings.py", "/phone/%2e%2e/%2e%2e/pyproject.toml", "/phone//etc/passwd",
        "/phone/..%2f..%2fpyproject.toml", "/phone/%00", "/phone/..\\..\\x", "/api/v1/../../etc",
        "/api/v1/staff/state/", "/api/v1/staff//state", "/api/v1/staff/state%2f", "/docs", "/redoc",
        "/openapi.json", "/.git/config", "/api/v1/phones/../staff/state",
    ],
)  # fmt: skip
def test_tricks_with_paths_lead_nowhere(door: Door, path: str) -> None:
    answer = door.browser().get(path)
    assert answer.status_code in (400, 401, 404, 405, 422), answer.text
    assert "import" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "path", ["//evil.example", "/phone//evil.example/..", "/?next=//evil.example"]
)
def test_nothing_leads_to_another_site(door: Door, path: str) -> None:
    answer = door.browser().get(path)
    target = answer.headers.get("location", "/")
    assert not target.startswith("//")
    assert "evil.example" not in target.split("?")[0].split("/")[0:3]


def test_oversized_requests_are_refused(door: Door) -> None:
    browser, before = door.browser("admin"), door.state()
    large = b"x" * (door.settings.body_bytes_max + 1)
    assert browser.post(PRICE[0], content=large).status_code == 413

    async def pieces() -> Any:
        for _ in range(40):
            yield b"x" * 65_536

    assert browser.post(PRICE[0], content=pieces()).status_code == 413
    lying = {"Content-Length": "-5"}
    assert browser.post(PRICE[0], content=b"{}", headers=lying).status_code == 400
    assert browser.get("/api/v1/visits?cursor=" + "A" * 5_000).status_code == 414
    deep = b"[" * 100_000 + b"]" * 100_000
    assert browser.post(PRICE[0], content=deep).status_code == 422
    assert door.state() == before


def test_headers_cannot_be_injected(door: Door) -> None:
    browser = door.browser("admin")
    answer = browser.get("/api/v1/staff/tiles/cam%0d%0aSet-Cookie:x=1.jpg")
    assert answer.status_code in (404, 422)
    assert "set-cookie" not in answer.headers
    body = {"label": "x\r\nSet-Cookie: a=b", "scopes": ["metrics"]}
    assert browser.post("/api/v1/staff/keys", json=body).status_code == 422
    split = {"Idempotency-Key": "a b\tc"}
    assert browser.post(PRICE[0], json=PRICE[1], headers=split).status_code == 400


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost:80:80"])
def test_other_names_are_refused_on_this_machine(make_shop: Callable[..., Any], host: str) -> None:
    door = Door(make_shop())
    answer = door.browser().get("/api/v1/staff/state", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    named = Door(make_shop(), hosts=("hub.example",), staff_accounts=True)
    assert named.browser().get("/healthz").status_code == 400
    assert named.browser().get("/healthz", headers={"Host": "hub.example:8080"}).status_code == 200


def test_answers_carry_their_headers(door: Door) -> None:
    browser = door.browser("admin")
    for path in ("/api/v1/staff/state", "/api/v1/none", "/phone/", "/healthz"):
        headers = browser.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        for part in ("default-src", "object-src", "base-uri"):
            assert f"{part} 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
    assert browser.get("/api/v1/staff/state").headers["cache-control"] == "no-store"
    visit = browser.post("/api/v1/phones/visits")
    assert visit.headers["cache-control"] == "no-store"


# ---------------------------------------------------------------------------- errors


def test_every_error_is_a_problem(door: Door, monkeypatch: Any) -> None:
    browser = door.browser("admin")
    for method, path, status in (
        ("GET", "/api/v1/none", 404),
        ("DELETE", "/api/v1/staff/state", 405),
        ("GET", "/api/v1/visits?limit=0", 422),
        ("GET", "/api/v1/visits/v-none", 404),
        ("GET", "/api/v1/phones/me", 401),
        ("GET", "/phone/none", 404),
    ):
        answer = browser.ask(method, path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert told["status"] == status
        assert told["instance"] == path.split("?")[0]
        assert isinstance(told["detail"], str)
        assert told["type"].startswith("urn:sortie:problem:")
    fields = browser.post(PRICE[0], json={"gtin": "x", "secret": "hidden words"})
    assert {row["field"] for row in fields.json()["errors"]} >= {"body.gtin", "body.price_minor"}
    assert "hidden words" not in fields.text

    def fails(_self: Any) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(Driver, "staff", fails)
    failed = browser.get("/api/v1/staff/state")
    assert (failed.status_code, failed.json()["status"]) == (500, 500)
    assert "secret" not in failed.text


def test_a_hub_that_cannot_write_says_so(door: Door, monkeypatch: Any) -> None:
    browser = door.browser("admin")

    def full(_rows: Any) -> None:
        raise StoreWriteError("nothing was stored: database or disk is full")

    monkeypatch.setattr(door.hub.store, "write", full)
    answer = browser.post(PRICE[0], json=PRICE[1], headers={"Idempotency-Key": "a"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    monkeypatch.undo()
    door.hub.recover()
    # The key was given back: nothing was done under it.
    again = browser.post(PRICE[0], json=PRICE[1], headers={"Idempotency-Key": "a"})
    assert (again.status_code, "idempotency-replayed" in again.headers) == (200, False)
