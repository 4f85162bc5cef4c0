"""Secrets of second factors are sealed in the database; first passwords run out."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyotp
import pytest

from hub.accounts import codes
from hub.accounts.seals import Seals, load_seals
from hub.accounts.service import FIRST_PASSWORD_S
from hub.errors import SettingsError
from hub.settings import HubSettings, account_keys_path
from tests.hub.doors import WORDS, Door, person

KNOWN = {"password": WORDS}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_a_sealed_secret_is_its_accounts_alone_and_fits_the_column() -> None:
    seals = Seals.fresh()
    kept = seals.seal("anna", SECRET)
    assert len(kept) == 64
    assert SECRET not in kept
    assert kept != seals.seal("anna", SECRET), "each time another nonce"
    assert seals.opened("anna", kept) == SECRET
    assert seals.opened("bert", kept) is None, "moved to another row it opens nothing"
    assert Seals.fresh().opened("anna", kept) is None
    turned = ("A" if kept[30] != "A" else "B").join((kept[:30], kept[31:]))
    assert seals.opened("anna", turned) is None


def test_a_new_key_opens_what_the_old_one_sealed() -> None:
    old, new = b"o" * 32, b"n" * 32
    kept = Seals([old]).seal("anna", SECRET)
    both = Seals([new, old])
    assert both.opened("anna", kept) == SECRET
    assert both.stale("anna", kept)
    assert not both.stale("anna", both.seal("anna", SECRET))


def test_the_key_file_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "account-keys.json"
    kept = load_seals(path).seal("anna", SECRET)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_seals(path).opened("anna", kept) == SECRET
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    for bad in ("", "{}", '{"keys": ["00"]}', '{"keys": []}', "[1]"):
        path.write_text(bad)
        with pytest.raises(SettingsError, match="account keys"):
            load_seals(path)


def test_the_key_file_lies_beside_the_entry_keys() -> None:
    def at(url: str, **more: Any) -> Path | None:
        return account_keys_path(HubSettings(store_file=Path("x"), **more), url)

    assert at("sqlite:////var/hub.sqlite") == Path("/var/hub.account-keys.json")
    assert at("postgresql+psycopg://db/hub") == Path("account-keys.json")
    assert at("sqlite:///:memory:") is None
    shared = Path("/etc/sortie/entry-keys.json")
    assert at("sqlite:///x", entry_keys_file=shared) == Path("/etc/sortie/account-keys.json")
    assert at("sqlite:///x", account_keys_file=Path("/k")) == Path("/k")


def test_the_database_has_no_secret_in_the_plain(
    make_shop: Callable[..., Any], tmp_path: Path
) -> None:
    door = Door(make_shop("hub.db"), staff_accounts=True)
    door.staff()
    secret = door.browser("manager").post("/api/v1/staff/me/totp", json=KNOWN).json()["secret"]
    code = pyotp.TOTP(secret).at(int(door.now_s))
    door.accounts.confirm_totp(person("manager"), code, client="c", now_s=door.now_s)
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.glob("hub.db*"))
    door.now_s += 30.0
    code = pyotp.TOTP(secret).at(int(door.now_s))
    assert door.browser().login("manager", code=code).status_code == 204


def test_a_secret_of_an_older_hub_still_works_and_is_sealed_when_used(
    make_shop: Callable[..., Any],
) -> None:
    door = Door(make_shop(), staff_accounts=True)
    door.staff()
    secret = codes.new_secret()
    door.accounts.store.change_account("manager", totp_secret=secret, totp_confirmed=True)
    assert door.browser().login("manager", code="000000").status_code == 403
    assert door.accounts.known("manager").totp_secret == secret
    code = pyotp.TOTP(secret).at(int(door.now_s))
    assert door.browser().login("manager", code=code).status_code == 204
    kept = door.accounts.known("manager").totp_secret
    assert kept is not None
    assert (len(kept), secret in kept) == (64, False)
    assert door.browser(host="10.0.0.9").login("manager", code=code).status_code == 403
    door.now_s += 30.0
    code = pyotp.TOTP(secret).at(int(door.now_s))
    assert door.browser().login("manager", code=code).status_code == 204


def test_a_lost_key_file_lets_nobody_in_without_the_second_factor(
    make_shop: Callable[..., Any],
) -> None:
    door = Door(make_shop(), staff_accounts=True)
    door.staff()
    totp, fresh = door.enrol("manager")
    door.accounts.seals = Seals.fresh()
    assert door.browser().login("manager").status_code == 401
    code = totp.at(int(door.now_s))
    assert door.browser().login("manager", code=code).status_code == 403
    assert door.browser(host="10.1.1.2").login("manager", code=fresh[0]).status_code == 204


def test_a_first_password_runs_out_and_a_password_of_ones_own_does_not(
    make_shop: Callable[..., Any],
) -> None:
    door = Door(make_shop(), staff_accounts=True)
    door.staff()
    admin = door.browser("admin")
    made = admin.post("/api/v1/staff/people", json={"name": "bert", "role": "clerk"}).json()
    door.now_s += FIRST_PASSWORD_S - 1.0
    assert door.browser().login("bert", made["password"]).status_code == 204
    door.now_s += 1.0
    late = door.browser().login("bert", made["password"])
    assert (late.status_code, late.json()["type"]) == (
        403,
        "urn:sortie:problem:first-password-expired",
    )
    # Who does not have the password learns nothing of it.
    wrong = door.browser(host="10.0.0.7").login("bert", "not the password at all")
    assert wrong.json()["type"] == "urn:sortie:problem:sign-in-refused"
    again = door.browser("admin").post("/api/v1/staff/people/bert/reset").json()["password"]
    bert = door.browser()
    assert bert.login("bert", again).status_code == 204
    body = {"old": again, "new": "seven kettles under ivy"}
    assert bert.post("/api/v1/staff/me/password", json=body).status_code == 204
    door.now_s += 100 * FIRST_PASSWORD_S
    assert door.browser().login("bert", body["new"]).status_code == 204
    assert json.dumps(body["new"]) not in str(door.accounts.known("bert"))
