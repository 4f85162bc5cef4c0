"""Who may do what over HTTP: staff by session, systems by API key; or everyone on this machine.

    auth = StaffAuth(settings, accounts, now=driver.now)
    @router.get("/x", dependencies=[Depends(auth)])                         # any staff
    @router.post("/y", dependencies=[Depends(auth.needs("manager", "write:prices"))])

Staff sign in at POST /api/v1/staff/login and get a session as a cookie (SameSite=Strict,
HttpOnly, `__Host-` over https), which may also be sent as a bearer token. The staff password of
the settings is an account "staff" of role admin, meant for the first day and for the pages'
process; it works as a bearer too. Systems send an API key (`sk_…`) as a bearer; a key may do what
its scopes name and nothing else. Without a password and without accounts the hub listens on
loopback only, and only to loopback names; then everyone on this machine is admin.

What changes something by cookie must show that it comes from a page of this site: its Origin, or
Sec-Fetch-Site, or the session's CSRF token. Wrong tries are slowed per client and per account.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from pydantic import BaseModel, SecretStr

from hub.accounts.audit import Entry, network_of
from hub.accounts.errors import SignInError
from hub.accounts.limits import Backoff
from hub.accounts.model import Principal, Role, Scope
from hub.accounts.service import KEY_PREFIX, SHARED, Accounts, Issued, csrf_of
from hub.api.reading import bearer_of, sha256_of
from hub.settings import HubSettings

__all__ = [
    "COOKIE",
    "Limiter",
    "Needs",
    "StaffAuth",
    "actor",
    "check_origin",
    "client_of",
    "cookie_of",
    "has_token",
    "note",
    "signed",
]

COOKIE = "sortie_staff"
T = TypeVar("T", bound=BaseModel)
CLIENTS_MAX = 10_000
TOKEN_CHARS_MAX = 400
SAFE = ("GET", "HEAD", "OPTIONS")


class Limiter:
    """At most `most` tries per client in `window_s` seconds. Safe from any thread."""

    def __init__(self, most: int, window_s: float, now: Callable[[], float]) -> None:
        self._most = most
        self._window_s = window_s
        self._now = now
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def spent(self, client: str) -> bool:
        """Whether the client has used its tries up."""
        with self._lock:
            return len(self._recent(client)) >= self._most

    def count(self, client: str) -> None:
        """One more try."""
        with self._lock:
            self._recent(client).append(self._now())
            while len(self._tries) > CLIENTS_MAX:
                self._tries.popitem(last=False)

    def check(self, request: Request, words: str) -> None:
        """HTTPException 429 with these words if whoever asks has used the tries up."""
        if self.spent(client_of(request)):
            raise HTTPException(429, words)

    def _recent(self, client: str) -> deque[float]:
        tries = self._tries.setdefault(client, deque(maxlen=self._most))
        self._tries.move_to_end(client)
        while tries and tries[0] <= self._now() - self._window_s:
            tries.popleft()
        return tries


class Needs:
    """FastAPI dependency: lets a role or a key's scope through; others get 401, 403 or 429.

    `audited`: reading this is written into the audit log too. `own`: open to people who must still
    set their own password or second factor.
    """

    def __init__(
        self,
        auth: StaffAuth,
        role: Role,
        scope: Scope | None,
        *,
        audited: bool = False,
        own: bool = False,
    ) -> None:
        self.auth = auth
        self.role: Role = role
        self.scope: Scope | None = scope
        self.audited = audited
        self.own = own

    def __call__(self, request: Request) -> Principal:
        """Who asks."""
        return self.auth.admit(request, self)


class StaffAuth:
    """Staff and keys; the dependency itself lets any signed-in staff through."""

    def __init__(
        self, settings: HubSettings, accounts: Accounts, *, now: Callable[[], float]
    ) -> None:
        password = settings.staff_password
        self._password = None if password is None else sha256_of(password.get_secret_value())
        self._always = settings.staff_accounts
        self._session_s = settings.session_s
        self._now = now
        self._bearers = Backoff(5, first_s=60.0, most_s=900.0)
        self._knows: OrderedDict[str, None] = OrderedDict()
        self.accounts = accounts
        self._any = Needs(self, "viewer", None)

    @property
    def needed(self) -> bool:
        """Whether there is a password or an account: without, everyone here is admin."""
        return self._password is not None or self._always or self.accounts.store.any_account()

    def needs(
        self, role: Role, scope: Scope | None = None, *, audited: bool = False, own: bool = False
    ) -> Needs:
        """The dependency of a route that asks for a role; `scope` is what lets a key in."""
        return Needs(self, role, scope, audited=audited, own=own)

    def __call__(self, request: Request) -> Principal:
        """FastAPI dependency: any signed-in staff; no key."""
        return self.admit(request, self._any)

    # -- signing in and out ---------------------------------------------------------------

    def login(
        self, request: Request, response: Response, name: str, password: str, code: str
    ) -> Principal:
        """Gives a session; SignInError says what is missing."""
        now_s, client = self._now(), client_of(request)
        old = cookie_of(request)
        known = not name or name == SHARED or self.accounts.store.account(name) is not None
        note(request, who=(name or SHARED) if known else "unknown")
        if name and name != SHARED:
            issued = self.accounts.sign_in(
                name, password, code, client=client, old_token=old, now_s=now_s
            )
        else:
            issued = self._shared(password, client, old, now_s)
        self._give(request, response, issued)
        return issued.principal

    def _shared(self, password: str, client: str, old: str, now_s: float) -> Issued:
        self._prove_shared(client, password, now_s)
        return self.accounts.begin_shared(client, old, now_s)

    def _prove_shared(self, client: str, password: str, now_s: float) -> None:
        self.accounts.count_try(client, SHARED, now_s)
        # Without a staff password the same work is done for nothing, so that it does not show.
        if self._password is None:
            self.accounts.passwords.fits(None, password)
        if self._password is None or not self._is_shared(password):
            raise SignInError("wrong")
        self.accounts.went_well(client, SHARED)

    def _give(self, request: Request, response: Response, issued: Issued) -> None:
        secure = request.url.scheme == "https"
        response.set_cookie(
            f"__Host-{COOKIE}" if secure else COOKIE,
            issued.token,
            max_age=int(self._session_s),
            httponly=True,
            samesite="strict",
            secure=secure,
            path="/",
        )
        response.headers["X-CSRF-Token"] = issued.csrf

    def logout(self, request: Request, response: Response) -> None:
        """Ends the session."""
        who: Principal = request.state.principal
        if who.session is not None:
            self.accounts.store.end_sessions(session_id=who.session.session_id)
        for name in (COOKIE, f"__Host-{COOKIE}"):
            response.delete_cookie(name, path="/", secure=name != COOKIE)

    # -- who asks -------------------------------------------------------------------------

    def admit(self, request: Request, needs: Needs) -> Principal:
        """Who asks, if that is enough; HTTPException otherwise."""
        changes = request.method not in SAFE
        if changes:
            note(request)
        check_origin(request)
        who, by_cookie = self._who(request)
        request.state.principal = who
        if changes or needs.audited:
            note(request, who=who.name)
        if changes and by_cookie:
            _check_csrf(request)
        if not who.may(needs.role, needs.scope):
            note(request, who=who.name)
            raise HTTPException(403, _lacks(who, needs))
        if who.limited and not needs.own:
            raise HTTPException(403, who.limited, headers={"X-Problem": "not-open-yet"})
        return who

    def demand(self, who: Principal, role: Role, why: str) -> None:
        """403 where what is asked turns out to need more than the route does; a key passes."""
        if who.role is not None and not who.may(role, None):
            raise HTTPException(403, f"expected the role {role} {why}, got {who.role}")

    def again(self, request: Request, who: Principal, password: str) -> None:
        """SignInError unless who is signed in shows the password once more."""
        if who.kind == "person":
            client = client_of(request)
            self.accounts.prove(who.name, password, client=client, now_s=self._now())
        elif who.kind == "shared":
            self._prove_shared(client_of(request), password, self._now())

    def still(self, request: Request) -> Callable[[], bool]:
        """Whether whoever asked this may still ask it, for answers that take long."""
        who: Principal = request.state.principal
        return lambda: self.accounts.still(who, self._now())

    def _who(self, request: Request) -> tuple[Principal, bool]:
        value = bearer_of(request).strip()
        if value:
            return self._of_bearer(request, value), False
        if not self.needed:
            return Principal("local", "local", "admin"), False
        shared = self._password is not None
        who = self.accounts.of_session(cookie_of(request), self._now(), shared=shared)
        if who is None:
            raise HTTPException(
                401,
                "expected a staff session; log in at /api/v1/staff/login",
                headers={"WWW-Authenticate": 'Bearer realm="sortie"'},
            )
        return who, True

    def _of_bearer(self, request: Request, value: str) -> Principal:
        now_s, client = self._now(), client_of(request)
        shared = self._password is not None
        if not self.needed and not value.startswith(KEY_PREFIX):
            return Principal("local", "local", "admin")
        who = None
        if len(value) <= TOKEN_CHARS_MAX:
            if value.startswith(KEY_PREFIX):
                who = self.accounts.of_key(value, now_s)
            else:
                who = self.accounts.of_session(value, now_s, shared=shared)
        if who is not None:
            # Nobody guesses 256 bits: who has such a token does not wait for those who guess.
            return who
        wait_s = self._bearers.wait_s(client, now_s)
        if wait_s > 0.0 and client not in self._knows:
            note(request, who="unknown")
            raise SignInError("wait", wait_s)
        if shared and self._is_shared(value):
            self._know(client)
            return Principal("shared", SHARED, "admin")
        self._bearers.failed(client, now_s)
        note(request, who="unknown")
        raise HTTPException(403, "expected a session, a key or the staff password, got another")

    def _know(self, client: str) -> None:
        """Who has sent the right password goes on, whatever others at the same address try."""
        self._bearers.succeeded(client)
        self._knows[client] = None
        while len(self._knows) > CLIENTS_MAX:
            self._knows.popitem(last=False)

    def _is_shared(self, password: str) -> bool:
        expected = self._password or ""
        return secrets.compare_digest(sha256_of(password), expected)


def note(request: Request, *, who: str = "", target: str = "") -> None:
    """What the audit log is to say of this request; the answer's status says how it went."""
    before: Entry | None = getattr(request.state, "audit", None)
    route = request.scope.get("route")
    path = getattr(route, "path", None) or "unknown"
    ids = "/".join(str(value) for value in request.path_params.values())
    request.state.audit = Entry(
        who=who or (before.who if before else "unknown"),
        action=f"{request.method} {path}",
        target=target or (before.target if before else ids),
        origin=network_of(client_of(request)),
    )


def actor(request: Request) -> str:
    """Who of the staff asks, as the door knows them; never what the request says of itself."""
    who: Principal = request.state.principal
    # While everyone here is admin nobody has a name of their own.
    return SHARED if who.kind == "local" else who.name


def signed(request: Request, body: T) -> T:
    """A command with who of the staff asks, where it has a place for that: as the door knows them,
    not as the request says of itself."""
    who: Principal = request.state.principal
    if who.kind != "person":
        return body
    known = {"by": who.name, "role": who.role}
    update = {name: value for name, value in known.items() if name in type(body).model_fields}
    return body.model_copy(update=update) if update else body


def check_origin(request: Request) -> None:
    """403 for a request that changes something and comes from another site's page."""
    if request.method in SAFE:
        return
    origin = request.headers.get("origin")
    if origin is not None and _site_of(origin) != request.headers.get("host", ""):
        raise HTTPException(403, "expected a request from this site, got one from another origin")
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise HTTPException(403, "expected a request from this site, got one from another site")


def _site_of(origin: str) -> str | None:
    """Host and port of an origin; None of what is none, as no browser sends."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def client_of(request: Request) -> str:
    """The address a request comes from; what is kept of it is its network only."""
    return request.client.host if request.client is not None else "unknown"


def has_token(request: Request, expected: SecretStr) -> bool:
    """Whether a request has this very token as its bearer: of a node, of a display."""
    given = bearer_of(request)
    return secrets.compare_digest(given.encode(), expected.get_secret_value().encode())


def _check_csrf(request: Request) -> None:
    """403 unless a request by cookie shows that a page of this site sent it."""
    headers = request.headers
    # check_origin has compared them already: what is here now is this site's own.
    if "origin" in headers or headers.get("sec-fetch-site") == "same-origin":
        return
    given = headers.get("x-csrf-token", "")
    if not secrets.compare_digest(given.encode(), csrf_of(cookie_of(request)).encode()):
        raise HTTPException(
            403,
            "expected a request from a page of this site; send Origin or X-CSRF-Token",
            headers={"X-Problem": "csrf"},
        )


def cookie_of(request: Request) -> str:
    """The session's token. Over https only a cookie that no other host can have set is taken."""
    name = f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE
    return request.cookies.get(name, "")[:TOKEN_CHARS_MAX]


def _lacks(who: Principal, needs: Needs) -> str:
    if who.role is None:
        wanted = "a member of staff" if needs.scope is None else f"the scope {needs.scope}"
        return f"expected {wanted}, got a key with {', '.join(who.scopes)}"
    return f"expected the role {needs.role}, got {who.role}"
