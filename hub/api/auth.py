"""Who may see staff pages: everyone on this machine, or whoever knows the staff password.

With a password: a session cookie (SameSite=Strict, HttpOnly) from POST /api/v1/staff/login, or the
password or a session as a bearer token. Wrong passwords are counted per client and refused for a
while (429). Requests that change something must come from the same origin. Without a password the
hub listens on loopback only, and only to loopback names, so that no web page can reach it by name.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response

from hub.settings import HubSettings

__all__ = ["COOKIE", "Limiter", "StaffAuth", "check_origin"]

COOKIE = "sortie_staff"
SESSIONS_MAX = 1_000
CLIENTS_MAX = 10_000


class Limiter:
    """At most `most` tries per client in `window_s` seconds."""

    def __init__(self, most: int, window_s: float, now: Callable[[], float]) -> None:
        self._most = most
        self._window_s = window_s
        self._now = now
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def spent(self, client: str) -> bool:
        """Whether the client has used its tries up."""
        return len(self._recent(client)) >= self._most

    def count(self, client: str) -> None:
        """One more try."""
        self._recent(client).append(self._now())
        while len(self._tries) > CLIENTS_MAX:
            self._tries.popitem(last=False)

    def _recent(self, client: str) -> deque[float]:
        tries = self._tries.setdefault(client, deque(maxlen=self._most))
        self._tries.move_to_end(client)
        while tries and tries[0] <= self._now() - self._window_s:
            tries.popleft()
        return tries


class StaffAuth:
    """Sessions of staff, in memory: a restart logs everybody out."""

    def __init__(self, settings: HubSettings, *, now: Callable[[], float] = time.monotonic) -> None:
        password = settings.staff_password
        self._password = None if password is None else _digest(password.get_secret_value())
        self._session_s = settings.session_s
        self._now = now
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self._wrong = Limiter(5, 60.0, now)

    @property
    def needed(self) -> bool:
        """Whether there is a password."""
        return self._password is not None

    def login(self, request: Request, response: Response, password: str) -> None:
        """Gives a session for the password; 403, or 429 after too many wrong ones."""
        client = _client(request)
        self._try(client, password)
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = self._now() + self._session_s
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(self._session_s),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path="/",
        )

    def logout(self, request: Request, response: Response) -> None:
        """Ends the session."""
        self._sessions.pop(_digest(request.cookies.get(COOKIE, "")), None)
        response.delete_cookie(COOKIE, path="/")

    def __call__(self, request: Request) -> None:
        """FastAPI dependency: lets staff through, others get 401 or 429."""
        check_origin(request)
        if self._password is None:
            return
        if self._session(request.cookies.get(COOKIE, "")):
            return
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and value:
            if not self._session(value):
                self._try(_client(request), value)
            return
        raise HTTPException(401, "expected a staff session; log in at /api/v1/staff/login")

    def _session(self, token: str) -> bool:
        ends = self._sessions.get(_digest(token))
        return ends is not None and self._now() < ends

    def _try(self, client: str, password: str) -> None:
        if self._wrong.spent(client):
            raise HTTPException(429, "too many wrong passwords; wait a minute")
        if self._password is None or not secrets.compare_digest(_digest(password), self._password):
            self._wrong.count(client)
            raise HTTPException(403, "expected the staff password, got another")


def check_origin(request: Request) -> None:
    """403 for a request that changes something and comes from another site's page."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise HTTPException(403, f"expected a request from this site, got one from {origin}")


def _client(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
