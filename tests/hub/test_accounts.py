"""Accounts: passwords, second factors, roles, sessions, keys, and the audit log's chain."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from auditor.ledger import audit as auditor_checks
from hub.accounts import audit
from hub.accounts.errors import AccountError, PasswordRefusedError
from hub.accounts.limits import Backoff
from hub.accounts.passwords import Passwords, check_password
from hub.accounts.tables import audit_log
from hub.attribution.engine import Engine
from hub.errors import SettingsError
from hub.settings import load_settings
from hub.store.verify import verify
from tests.hub.doors import WORDS, Door

KNOWN = {"password": WORDS}


@pytest.fixture
def door(make_shop: Callable[..., Any]) -> Door:
    made = Door(make_shop(), staff_accounts=True)
    made.staff()
    return made


# ---------------------------------------------------------------------------- passwords


@pytest.mark.parametrize(
    "bad",
    [
        "short", "x" * 257, "aaaaaaaaaaaaaa", "123456789012", "password1234", "Passw0rd!2024!",
        "qwertyuiop123", "abcabcabcabc", "1qaz2wsx3edc", "letmeinletmein", "anna-anna-anna",
    ],
)  # fmt: skip
def test_short_and_well_known_passwords_are_refused(bad: str) -> None:
    with pytest.raises(PasswordRefusedError) as told:
        check_password(bad, name="anna")
    assert bad not in str(told.value)


@pytest.mark.parametrize(
    "good", [WORDS, "ÿßé漢字 über zwölf", "x7k!kk!Qp0mm", " ".join(f"word{n}" for n in range(35))]
)
def test_long_ones_of_any_composition_are_taken(good: str) -> None:
    check_password(good, name="anna")


def test_hashes_are_renewed_when_parameters_rise(door: Door) -> None:
    weak = door.accounts.known("clerk").password_hash
    door.accounts._passwords = Passwords(
        PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)
    )
    assert door.browser("clerk").get("/api/v1/staff/me").json()["name"] == "clerk"
    strong = door.accounts.known("clerk").password_hash
    assert strong != weak
    assert "m=128,t=2" in strong
    assert strong.startswith("$argon2id$")
    # What the hub itself uses is not weaker than OWASP's least.
    assert "m=19456,t=2,p=1" in Passwords().hash("x")


def test_the_wait_doubles_and_ends() -> None:
    slow = Backoff(3, first_s=10.0, most_s=60.0, forget_s=600.0)
    for _ in range(3):
        slow.failed("a", 0.0)
    assert slow.wait_s("a", 0.0) == 10.0
    assert slow.wait_s("b", 0.0) == 0.0
    slow.failed("a", 10.0)
    assert slow.wait_s("a", 10.0) == 20.0
    for _ in range(50):
        slow.failed("a", 10.0)
    assert slow.wait_s("a", 10.0) == 60.0
    assert slow.wait_s("a", 70.0) == 0.0
    slow.failed("a", 1_000.0)
    assert slow.wait_s("a", 1_000.0) == 0.0


# ---------------------------------------------------------------------------- second factor


def test_a_second_factor_from_enrolment_to_sign_in(door: Door) -> None:
    anna = door.browser("manager")
    url = "/api/v1/staff/me/totp"
    assert anna.post(url, json={"password": "not the password"}).status_code == 403
    begun = anna.post(url, json=KNOWN).json()
    assert begun["qr_svg"].startswith("<svg")
    totp = pyotp.TOTP(begun["secret"])
    wrong = anna.post("/api/v1/staff/me/totp/confirm", json={"code": "000000"})
    assert wrong.status_code == 403
    assert door.browser("manager").get("/api/v1/staff/me").json()["totp"] is False
    body = {"code": totp.at(int(door.now_s))}
    before = door.browser("manager")
    fresh = anna.post("/api/v1/staff/me/totp/confirm", json=body).json()["recovery_codes"]
    assert len(set(fresh)) == 10
    # What was begun without it is over; the one that enrolled goes on.
    assert before.get("/api/v1/staff/me").status_code == 401
    assert anna.get("/api/v1/staff/me").json()["totp"] is True
    other = door.browser()
    asked = other.login("manager")
    assert (asked.status_code, asked.json()["type"]) == (401, "urn:sortie:problem:code-needed")
    # The code that confirmed the enrolment is used up.
    assert other.login("manager", code=body["code"]).status_code == 403
    door.now_s += 30.0
    code = totp.at(int(door.now_s))
    assert other.login("manager", code=code).status_code == 204
    assert door.browser(host="10.1.1.1").login("manager", code=code).status_code == 403
    lost = door.browser(host="10.1.1.2")
    assert lost.login("manager", code=fresh[0]).status_code == 204
    assert lost.login("manager", code=fresh[0]).status_code == 403
    kept = str(door.accounts.store.account("manager"))
    assert not any(one in kept for one in fresh)


def test_a_second_factor_comes_off_with_password_and_code(door: Door) -> None:
    totp, _ = door.enrol("clerk")
    browser, other = door.browser(), door.browser()
    for one in (browser, other):
        one.login("clerk", code=totp.at(int(door.now_s)))
        door.now_s += 30.0
    url = "/api/v1/staff/me/totp/remove"
    code = totp.at(int(door.now_s))
    assert browser.post(url, json={"code": code}).status_code == 422
    for wrong in ({**KNOWN, "code": "123456"}, {"password": "not the password", "code": code}):
        assert browser.post(url, json=wrong).status_code == 403
        assert other.get("/api/v1/staff/me").json()["totp"] is True
    assert browser.post(url, json={**KNOWN, "code": code}).status_code == 204
    assert other.get("/api/v1/staff/me").status_code == 401
    assert browser.get("/api/v1/staff/me").json()["totp"] is False
    assert door.browser("clerk").get("/api/v1/staff/me").json()["totp"] is False


@pytest.mark.parametrize(("steps", "lives"), [(0, [False, True, False]), (1, [True] * 3)])
def test_a_code_lives_for_thirty_seconds(
    make_shop: Callable[..., Any], steps: int, lives: list[bool]
) -> None:
    door = Door(make_shop(), staff_accounts=True, totp_grace_steps=steps)
    door.staff()
    totp, _ = door.enrol("clerk")
    begun_s = door.now_s // 30.0 * 30.0 + 300.0
    taken = []
    for at_s in (begun_s - 1.0, begun_s + 1.0, begun_s + 30.0):
        door.accounts.store.change_account("clerk", totp_step=0)
        door.now_s = at_s
        taken.append(door.browser().login("clerk", code=totp.at(int(begun_s))).status_code == 204)
    assert taken == lives


def test_guessing_codes_with_the_password_is_slowed(door: Door) -> None:
    totp, _ = door.enrol("clerk")
    browser = door.browser()
    browser.login("clerk", code=totp.at(int(door.now_s)))
    body = {**KNOWN, "code": "000000"}
    answers = [
        browser.post("/api/v1/staff/me/totp/remove", json=body).status_code for _ in range(7)
    ]
    assert (answers[0], answers[-1]) == (403, 429)


@pytest.mark.parametrize("asked", [None, True])
def test_managers_must_enrol_where_staff_have_accounts(
    make_shop: Callable[..., Any], asked: bool | None
) -> None:
    door = Door(make_shop(), staff_accounts=True, totp_required=asked)
    door.staff()
    boss, clerk = door.browser("manager"), door.browser("clerk")
    refused = boss.get("/api/v1/staff/state")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:sortie:problem:not-open-yet")
    assert "totp" in refused.json()["detail"]
    assert clerk.get("/api/v1/staff/state").status_code == 200
    assert boss.post("/api/v1/staff/me/totp", json=KNOWN).status_code == 200
    totp, _ = door.enrol("admin")
    admin = door.browser()
    assert admin.login("admin", code=totp.at(int(door.now_s))).status_code == 204
    assert admin.get("/api/v1/staff/people").status_code == 200


@pytest.mark.parametrize(
    "settings", [{}, {"staff_password": "correct horse battery"}, {"totp_required": False}]
)
def test_nobody_must_enrol_on_the_first_day(
    make_shop: Callable[..., Any], settings: dict[str, Any]
) -> None:
    door = Door(make_shop(), **{"totp_required": None, **settings})
    door.staff()
    assert door.browser("admin").get("/api/v1/staff/people").status_code == 200


# ---------------------------------------------------------------------------- people


def test_a_new_person_sets_a_password_of_their_own(door: Door) -> None:
    admin = door.browser("admin")
    made = admin.post("/api/v1/staff/people", json={"name": "bert", "role": "clerk"}).json()
    bert = door.browser()
    assert bert.login("bert", made["password"]).status_code == 204
    assert bert.get("/api/v1/staff/state").status_code == 403
    url = "/api/v1/staff/me/password"
    body = {"old": "not it at all", "new": WORDS}
    assert bert.post(url, json=body).status_code == 403
    body["old"] = made["password"]
    assert bert.post(url, json={**body, "new": "password1234"}).status_code == 422
    assert bert.post(url, json={**body, "new": made["password"]}).status_code == 422
    assert bert.post(url, json=body).status_code == 204
    assert bert.get("/api/v1/staff/state").status_code == 200
    again = admin.post("/api/v1/staff/people", json={"name": "bert", "role": "clerk"})
    assert (again.status_code, "already" in again.json()["detail"]) == (422, True)
    reserved = admin.post("/api/v1/staff/people", json={"name": "staff", "role": "clerk"})
    assert reserved.status_code == 422


def test_changing_a_password_ends_the_other_sessions(door: Door) -> None:
    here, there = door.browser("clerk"), door.browser("clerk")
    body = {"old": WORDS, "new": f"{WORDS} again"}
    assert here.post("/api/v1/staff/me/password", json=body).status_code == 204
    assert here.get("/api/v1/staff/state").status_code == 200
    assert there.get("/api/v1/staff/state").status_code == 401


def test_another_role_or_a_closed_account_ends_sessions(door: Door) -> None:
    admin, clerk = door.browser("admin"), door.browser("clerk")
    url = "/api/v1/staff/people/clerk"
    assert admin.ask("PATCH", url, json={"role": "viewer"}).json()["role"] == "viewer"
    assert clerk.get("/api/v1/staff/state").status_code == 401
    clerk = door.browser("clerk")
    assert admin.ask("PATCH", url, json={"disabled": True}).json()["disabled"] is True
    assert clerk.get("/api/v1/staff/state").status_code == 401
    assert door.browser().login("clerk").status_code == 403
    assert admin.ask("PATCH", url, json={"disabled": False}).status_code == 200
    assert door.browser().login("clerk").status_code == 204


def test_the_first_account_is_an_admins(make_shop: Callable[..., Any]) -> None:
    door = Door(make_shop())
    body = {"name": "anna", "role": "viewer"}
    refused = door.browser().post("/api/v1/staff/people", json=body)
    assert (refused.status_code, "first account" in refused.json()["detail"]) == (422, True)
    made = door.browser().post("/api/v1/staff/people", json={**body, "role": "admin"})
    assert made.status_code == 201
    # From now on being on this machine is not enough.
    assert door.browser().get("/api/v1/staff/state").status_code == 401


def test_the_last_admin_stays(door: Door) -> None:
    with pytest.raises(AccountError, match="last one"):
        door.accounts.change_role("admin", "clerk")
    with pytest.raises(AccountError, match="last one"):
        door.accounts.disable("admin")
    door.person("second", "admin")
    door.accounts.disable("admin")
    assert door.accounts.known("admin").disabled


def test_sessions_are_listed_and_ended(door: Door) -> None:
    one, two = door.browser("clerk"), door.browser("clerk")
    rows = one.get("/api/v1/staff/me/sessions").json()
    assert [row["own"] for row in rows].count(True) == 1
    assert {row["origin"] for row in rows} == {"this machine"}
    other = next(row["session_id"] for row in rows if not row["own"])
    url = "/api/v1/staff/me/sessions/end"
    wrong = {"password": "not the password", "session_id": other}
    assert one.post(url, json=wrong).status_code == 403
    assert two.get("/api/v1/staff/me").status_code == 200
    assert one.post(url, json={**KNOWN, "session_id": other}).json() == {"ended": 1}
    assert two.get("/api/v1/staff/me").status_code == 401
    admin = door.browser("admin")
    everybody = admin.get("/api/v1/staff/sessions").json()
    assert {row["name"] for row in everybody} == {"clerk", "admin"}
    assert admin.ask("DELETE", "/api/v1/staff/people/clerk/sessions").json() == {"ended": 1}
    assert one.get("/api/v1/staff/me").status_code == 401
    for _ in range(2):
        door.browser("clerk")
    last = door.browser("clerk")
    assert last.post(url, json=KNOWN).json() == {"ended": 2}
    assert last.get("/api/v1/staff/me").status_code == 200


def test_who_came_with_the_stores_password_ends_sessions_with_it(
    make_shop: Callable[..., Any],
) -> None:
    shared = "correct horse battery"
    door = Door(make_shop(), staff_password=shared)
    one, two = door.browser(), door.browser()
    assert [row.login("", shared).status_code for row in (one, two)] == [204, 204]
    url = "/api/v1/staff/me/sessions/end"
    assert one.post(url, json=KNOWN).status_code == 403
    assert two.get("/api/v1/staff/me").status_code == 200
    assert one.post(url, json={"password": shared}).json() == {"ended": 1}
    assert two.get("/api/v1/staff/me").status_code == 401


def test_a_session_ends_unused_and_in_any_case(make_shop: Callable[..., Any]) -> None:
    door = Door(make_shop(), staff_accounts=True, session_s=3600, session_idle_s=600)
    door.staff()
    idle, busy = door.browser("clerk"), door.browser("clerk")
    for _ in range(7):
        door.now_s += 500.0
        assert busy.get("/api/v1/staff/me").status_code == 200
    assert idle.get("/api/v1/staff/me").status_code == 401
    door.now_s += 200.0
    assert busy.get("/api/v1/staff/me").status_code == 401


def test_a_stream_ends_with_the_session_it_was_asked_with(door: Door, monkeypatch: Any) -> None:
    monkeypatch.setattr("hub.api.streams.POLL_S", 0.001)
    monkeypatch.setattr("hub.api.streams.STILL_S", 0.002)
    streams = door.app.state.streams
    streams.ended = lambda: False
    seen: list[bool] = []
    truth = door.accounts.still

    def still(who: Any, now_s: float) -> bool:
        # Looked at once while the session is good; then it is ended elsewhere.
        seen.append(truth(who, now_s))
        door.accounts.store.end_sessions(name="clerk")
        for key in door.accounts.store.all_keys():
            door.accounts.revoke_key(key.key_id, door.now_s)
        return seen[-1]

    monkeypatch.setattr(door.accounts, "still", still)
    for kind in ("session", "key"):
        seen.clear()
        client = door.browser("clerk") if kind == "session" else door.key("read:visits")
        answer = client.get("/api/v1/staff/live")
        assert answer.text.startswith("event: state")
        assert seen == [True, False]
    assert streams.open == 0


def test_accounts_outlive_the_process(make_shop: Callable[..., Any]) -> None:
    first = Door(make_shop("hub.sqlite"), staff_accounts=True)
    first.staff()
    browser = first.browser("clerk")
    key = first.key("read:visits").headers
    first.accounts.store.close()
    second = Door(make_shop("hub.sqlite"), staff_accounts=True)
    again = second.browser()
    again.cookies = browser.cookies
    assert again.get("/api/v1/staff/me").json()["name"] == "clerk"
    assert second.browser().get("/api/v1/visits", headers=key).status_code == 200
    second.accounts.store.close()


# ---------------------------------------------------------------------------- keys


def test_a_key_may_do_what_its_scopes_say(door: Door) -> None:
    admin = door.browser("admin")
    body = {"label": "till", "scopes": ["read:visits"], "lasts_s": 100.0}
    made = admin.post("/api/v1/staff/keys", json=body).json()
    bearer = {"Authorization": f"Bearer {made['key']}"}
    system = door.browser(own=False)
    assert system.get("/api/v1/visits", headers=bearer).status_code == 200
    refused = system.get("/api/v1/stock", headers=bearer)
    assert (refused.status_code, "read:stock" in refused.json()["detail"]) == (403, True)
    # No scope opens accounts or keys.
    assert door.key().get("/api/v1/staff/people").status_code == 403
    rows = admin.get("/api/v1/staff/keys").json()
    used = next(row for row in rows if row["key_id"] == made["key_id"])
    assert used["used_us"] is not None
    assert made["key"].rsplit("_", 1)[1] not in str(rows)
    door.now_s += 101.0
    assert system.get("/api/v1/visits", headers=bearer).status_code == 403
    late = door.key("read:visits")
    key_id = late.headers["Authorization"].split("_")[1]
    assert admin.ask("DELETE", f"/api/v1/staff/keys/{key_id}").status_code == 200
    assert late.get("/api/v1/visits").status_code == 403
    assert admin.post("/api/v1/staff/keys", json={**body, "scopes": ["all"]}).status_code == 422


# ---------------------------------------------------------------------------- the audit log


def test_everything_done_or_refused_is_in_the_audit_log(door: Door) -> None:
    admin, clerk = door.browser("admin"), door.browser("clerk")
    clerk.post("/api/v1/staff/prices", json={"gtin": "4006381333931", "price_minor": 1})
    admin.post("/api/v1/staff/prices", json={"gtin": "4006381333931", "price_minor": 99})
    admin.get("/api/v1/audit/export")
    door.browser().login("clerk", "not the password")
    assert door.audit()[:4] == [
        ("clerk", "POST /api/v1/staff/login", "refused 403"),
        ("admin", "GET /api/v1/audit/export", "done"),
        ("admin", "POST /api/v1/staff/prices", "done"),
        ("clerk", "POST /api/v1/staff/prices", "refused 403"),
    ]
    page = admin.get("/api/v1/staff/audit?limit=2").json()
    assert [row["number"] for row in page["items"]] == [6, 5]
    rest = admin.get(f"/api/v1/staff/audit?limit=200&cursor={page['next']}").json()
    assert [row["number"] for row in rest["items"]] == [4, 3, 2, 1]
    assert "4006381333931 at 99" in str(rest)
    assert WORDS not in str(rest)


def test_an_edited_audit_row_is_named(make_shop: Callable[..., Any], tmp_path: Path) -> None:
    shop = make_shop("hub.sqlite")
    door = Door(shop, staff_accounts=True)
    door.staff()
    for name in ("clerk", "manager", "admin"):
        door.browser(name)
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    report = verify(url, Engine)
    assert report.counts["audit entries"] == 3
    assert not [row for row in report.findings if "audit" in row]
    with door.accounts.store.write() as connection:
        connection.execute(text("UPDATE audit_log SET who = 'nobody' WHERE number = 2"))
    assert any("audit_log row 2" in row for row in verify(url, Engine).findings)
    export = shop.hub.export_json()
    assert len(export["audit_log"]) == 3
    assert [row for row in auditor_checks(export)["hash chains hold"] if "audit_log 2" in row]
    rows = door.accounts.store.read(audit_log.select().order_by("number"))
    assert audit.broken_row(iter(rows[:1])) is None
    assert "row 1" in (audit.broken_row(iter(rows[1:])) or "")
    door.accounts.store.close()


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("127.0.0.1", "this machine"),
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("nonsense", "unknown"),
    ],
)
def test_addresses_are_shortened(address: str, kept: str) -> None:
    assert audit.network_of(address) == kept


# ---------------------------------------------------------------------------- settings, commands


def test_who_is_reachable_needs_a_password_or_accounts(monkeypatch: Any) -> None:
    monkeypatch.setenv("SORTIE_HUB_STORE_FILE", "x.yaml")
    monkeypatch.setenv("SORTIE_HUB_HOST", "0.0.0.0")
    with pytest.raises(SettingsError, match="STAFF_PASSWORD"):
        load_settings()
    monkeypatch.setenv("SORTIE_HUB_STAFF_ACCOUNTS", "true")
    assert load_settings().staff_accounts
    monkeypatch.setenv("SORTIE_HUB_STAFF_PASSWORD", "correct horse battery")
    with pytest.raises(SettingsError, match="no shared staff password"):
        load_settings()


def test_the_command_line_makes_the_first_admin(
    make_shop: Callable[..., Any], tmp_path: Path
) -> None:
    make_shop("hub.sqlite")
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"

    def run(*words: str, said: str = "") -> tuple[int, str]:
        script = "from sortie.cli import main; main()"
        command = [sys.executable, "-c", script, "hub", "staff", *words, "--database", url]
        ended = subprocess.run(
            command, input=said, capture_output=True, text=True, timeout=120, check=False
        )
        return ended.returncode, ended.stdout + ended.stderr

    status, text_ = run("add", "anna", "--role", "admin")
    assert status == 0
    password = text_.strip().rsplit(" ", 1)[1]
    door = Door(make_shop("hub.sqlite"))
    # An account is enough: nobody is let in any more for being on this machine.
    assert door.browser().get("/api/v1/staff/state").status_code == 401
    assert door.browser().login("anna", password).status_code == 204
    assert run("add", "bert", "--ask", said=f"{WORDS}\n")[0] == 0
    assert "bert" in run("list")[1]
    assert run("role", "bert", "emperor") == (
        1, "sortie: expected a role of viewer, clerk, manager, admin, got 'emperor'\n"
    )  # fmt: skip
    assert "last one" in run("disable", "anna")[1]
    assert run("sessions")[1].count("anna") == 1
    assert run("end", "anna")[0] == 0
    assert [row[:2] for row in door.audit()[:2]] == [
        ("command line", "staff end"), ("command line", "staff add"),
    ]  # fmt: skip
    door.accounts.store.close()
