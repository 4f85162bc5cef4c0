"""Accounts over HTTP: one's own (password, second factor, sessions), and, for admins, everybody's.

Passwords and recovery codes that the hub makes are told in the answer, once, and kept as digests.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.accounts import codes
from hub.accounts.audit import entries
from hub.accounts.model import NAME_PATTERN, Account, Principal, Role, Session
from hub.accounts.passwords import LENGTH_MAX
from hub.accounts.service import Accounts, csrf_of
from hub.api.auth import StaffAuth, client_of, cookie_of, note
from hub.api.paging import Cursor, Limit, Page, page_of, read_cursor
from hub.driver import Driver

__all__ = ["own_routes", "people_routes"]

Name = Annotated[str, Path(pattern=NAME_PATTERN)]
SESSION_PATTERN = r"^[0-9a-f]{16}$"
SessionId = Annotated[str, Path(pattern=SESSION_PATTERN)]


class Body(BaseModel):
    """What a request may say."""

    model_config = ConfigDict(extra="forbid")


class NewPassword(Body):
    """The old password proves that it is the person and not a browser left open."""

    old: Annotated[SecretStr, Field(max_length=LENGTH_MAX)]
    new: Annotated[SecretStr, Field(max_length=LENGTH_MAX)]


class PasswordAgain(Body):
    """The password once more."""

    password: Annotated[SecretStr, Field(max_length=LENGTH_MAX)]


class Code(Body):
    """A one-time code."""

    code: Annotated[str, Field(min_length=6, max_length=40)]


class LastCode(PasswordAgain, Code):
    """Both factors, to take the second one off."""


class WhichEnds(PasswordAgain):
    """Which of one's logins ends; none: all but this one."""

    session_id: Annotated[str | None, Field(pattern=SESSION_PATTERN)] = None


class NewPerson(Body):
    """Somebody to be let in; the answer has the password for the first sign-in."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    role: Role


class Change(Body):
    """What an admin may change of an account."""

    role: Role | None = None
    disabled: bool | None = None


class Me(Body):
    """Who is signed in. `csrf` goes with requests by cookie as X-CSRF-Token."""

    name: str
    kind: str
    role: Role | None
    scopes: list[str]
    limited: str
    totp: bool
    csrf: str | None


class Enrolment(Body):
    """The secret of a second factor that a code must still confirm."""

    secret: str
    uri: str
    qr_svg: str


class RecoveryCodes(Body):
    """For the day the authenticator is lost: each is good once, and they are told once."""

    recovery_codes: list[str]


class Person(Body):
    """An account. Times are microseconds since 1970."""

    name: str
    role: Role
    disabled: bool
    totp: bool
    must_change: bool
    created_us: int
    last_login_us: int | None


class PersonMade(Person):
    """With the password for the first sign-in, told once."""

    password: str


class SessionRow(Body):
    """A login that has not ended."""

    session_id: str
    name: str
    created_us: int
    seen_us: int
    ends_us: int
    origin: Annotated[str, Field(description="the network it came from")]
    own: bool


class AuditRow(Body):
    """An entry of the audit log, with its place in the hash chain."""

    number: int
    at_us: int
    who: str
    action: str
    target: str
    origin: str
    outcome: str
    previous_hash: str
    hash: str


class Ended(Body):
    """How many sessions were ended."""

    ended: int


def own_routes(driver: Driver, auth: StaffAuth) -> APIRouter:
    """Routes under /api/v1/staff/me: everybody's own account."""
    router = APIRouter(prefix="/api/v1/staff/me", tags=["account"])
    accounts = auth.accounts
    own = Depends(auth.needs("viewer", own=True))

    @router.get("")
    def me(request: Request, who: Principal = own) -> Me:
        """Who is signed in, as what."""
        account = accounts.store.account(who.name) if who.kind == "person" else None
        token = cookie_of(request)
        return Me(
            name=who.name,
            kind=who.kind,
            role=who.role,
            scopes=list(who.scopes),
            limited=who.limited,
            totp=account is not None and account.totp_confirmed,
            csrf=csrf_of(token) if token and who.session is not None else None,
        )

    @router.post("/password", status_code=204)
    def password(request: Request, body: NewPassword, who: Principal = own) -> None:
        """Another password; other sessions of the account are ended."""
        accounts.change_password(
            _person(who),
            body.old.get_secret_value(),
            body.new.get_secret_value(),
            client=client_of(request),
            now_s=driver.now(),
        )

    @router.get("/sessions")
    def sessions(who: Principal = own) -> list[SessionRow]:
        """One's own logins."""
        return [_session(row, who) for row in accounts.store.sessions(who.name)]

    @router.post("/sessions/end")
    def end(request: Request, body: WhichEnds, who: Principal = own) -> Ended:
        """Ends one of one's own logins, or all but this one; the password shows who asks."""
        auth.again(request, who, body.password.get_secret_value())
        if body.session_id is None:
            spared = "" if who.session is None else who.session.token_sha256
            return Ended(ended=accounts.store.end_sessions(name=who.name, but=spared))
        ended = accounts.store.end_sessions(name=who.name, session_id=body.session_id)
        if not ended:
            raise HTTPException(404, "expected a session of your own")
        return Ended(ended=ended)

    _factor_routes(router, driver, accounts, auth)
    return router


def _factor_routes(router: APIRouter, driver: Driver, accounts: Accounts, auth: StaffAuth) -> None:
    own = Depends(auth.needs("viewer", own=True))

    @router.post("/totp")
    def enrol(request: Request, body: PasswordAgain, who: Principal = own) -> Enrolment:
        """Begins a second factor: a secret for an authenticator, confirmed by its first code. The
        password shows that it is the person and not a browser left open."""
        auth.again(request, _person(who), body.password.get_secret_value())
        secret = accounts.begin_totp(_person(who).name)
        store = driver.hub.core.state.store.name
        return Enrolment(
            secret=secret,
            uri=codes.uri(secret, who.name, store),
            qr_svg=codes.qr_svg(secret, who.name, store),
        )

    @router.post("/totp/confirm")
    def confirm(request: Request, body: Code, who: Principal = own) -> RecoveryCodes:
        """From now on a code is asked for at each sign-in; other sessions are ended."""
        fresh = accounts.confirm_totp(
            _person(who), body.code, client=client_of(request), now_s=driver.now()
        )
        return RecoveryCodes(recovery_codes=fresh)

    @router.post("/totp/remove", status_code=204)
    def remove(request: Request, body: LastCode, who: Principal = own) -> None:
        """Takes the second factor off; password and code are needed for it. Other sessions are
        ended."""
        accounts.remove_totp(
            _person(who),
            body.password.get_secret_value(),
            body.code,
            client=client_of(request),
            now_s=driver.now(),
        )


def people_routes(driver: Driver, auth: StaffAuth) -> APIRouter:
    """Routes of admins: people, their sessions, and the audit log."""
    admin = Depends(auth.needs("admin"))
    router = APIRouter(prefix="/api/v1/staff", tags=["people"], dependencies=[admin])
    accounts = auth.accounts

    @router.get("/people")
    def people() -> list[Person]:
        """All accounts."""
        return [_shown(row) for row in accounts.store.accounts()]

    @router.post("/people", status_code=201)
    def add(request: Request, body: NewPerson) -> PersonMade:
        """A new account, with a password for the first sign-in."""
        note(request, target=f"{body.name} {body.role}")
        password = codes.first_password()
        accounts.add(body.name, body.role, password, driver.now(), own=False)
        shown = _shown(accounts.known(body.name))
        return PersonMade(**shown.model_dump(), password=password)

    @router.patch("/people/{name}")
    def change(request: Request, name: Name, body: Change) -> Person:
        """Another role, or closed or opened; the person's sessions are ended."""
        note(request, target=f"{name} {body.model_dump_json(exclude_none=True)}")
        accounts.known(name)
        if body.role is not None:
            accounts.change_role(name, body.role)
        if body.disabled is not None:
            accounts.disable(name, disabled=body.disabled)
        return _shown(accounts.known(name))

    @router.post("/people/{name}/reset")
    def reset(name: Name) -> PersonMade:
        """A new first password; the second factor is taken off, sessions are ended."""
        password = accounts.reset(name, driver.now())
        return PersonMade(**_shown(accounts.known(name)).model_dump(), password=password)

    @router.get("/sessions")
    def sessions(who: Principal = admin) -> list[SessionRow]:
        """Everybody's logins."""
        return [_session(row, who) for row in accounts.store.sessions()]

    @router.delete("/sessions/{session_id}")
    def end(session_id: SessionId) -> Ended:
        """Ends anybody's login."""
        ended = accounts.store.end_sessions(session_id=session_id)
        if not ended:
            raise HTTPException(404, "expected a session that has not ended")
        return Ended(ended=ended)

    @router.delete("/people/{name}/sessions")
    def end_all(name: Name) -> Ended:
        """Ends all logins of somebody."""
        accounts.known(name)
        return Ended(ended=accounts.store.end_sessions(name=name))

    _audit_route(router, auth)
    return router


def _audit_route(router: APIRouter, auth: StaffAuth) -> None:
    @router.get("/audit")
    def audit(limit: Limit = 50, cursor: Cursor = None) -> Page[AuditRow]:
        """Who did what, the newest first."""
        before = read_cursor("audit", cursor, (int,))
        rows = entries(
            auth.accounts.store, before=None if before is None else before[0], limit=limit + 1
        )
        return page_of("audit", rows, limit, ("number",), lambda row: AuditRow(**row))


def _person(who: Principal) -> Principal:
    """HTTPException for those who have no account: the settings' password, this machine."""
    if who.kind != "person":
        raise HTTPException(422, f"expected a person with an account, got {who.name} ({who.kind})")
    return who


def _shown(account: Account) -> Person:
    return Person(
        name=account.name,
        role=account.role,
        disabled=account.disabled,
        totp=account.totp_confirmed,
        must_change=account.must_change,
        created_us=account.created_us,
        last_login_us=account.last_login_us,
    )


def _session(row: Session, who: Principal) -> SessionRow:
    shown: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("session_id", "name", "created_us", "seen_us", "ends_us", "origin")
    }
    own = who.session is not None and who.session.session_id == row.session_id
    return SessionRow(**shown, own=own)
