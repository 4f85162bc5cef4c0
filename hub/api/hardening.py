"""What stands before every route: host names, sizes, headers, the audit log, kept answers.

Plain ASGI, so that streams pass through untouched. `Hardened` is the outermost; `Recorded` writes
what a route's dependencies noted in the request's state, before the answer goes out: who was
answered is in the audit log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.accounts.audit import Entry, append
from hub.accounts.idempotency import Claim, Kept, finish, release
from hub.accounts.store import AccountStore
from hub.api.auth import Limiter
from hub.api.problems import failure, problem
from hub.effects import us
from hub.errors import HubError, StoreError
from hub.settings import LOOPBACK_NAMES

__all__ = ["Hardened", "Recorded"]

TARGET_CHARS_MAX = 4_096
ANSWER_BYTES_MAX = 65_536
KNOCKS = (401, 403, 404, 429)
"""What a phone is answered that knocks at another's door; what else phones do is not audited."""
REFUSALS_MAX = 60
REFUSALS_WINDOW_S = 60.0
_POLICY = (
    "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "geolocation=(), microphone=(), payment=(), usb=()"),
    ("Content-Security-Policy", _POLICY),
)
_HSTS = "max-age=31536000; includeSubDomains"


class Hardened:
    """Refuses strange hosts and oversized requests, and adds headers to every answer.

    `hosts`: the names the hub answers to; None for any.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Callable[[], tuple[str, ...] | None], body_bytes_max: int
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        answered = False

        async def hardened(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                _add_headers(scope, MutableHeaders(scope=message))
            await send(message)

        refusal = await self._refusal(scope)
        if refusal is not None:
            status, words = refusal
            retry = {"Retry-After": "1"} if status == 503 else None
            await problem(status, words, _path(scope), headers=retry)(scope, receive, hardened)
            return
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._body_bytes_max:
                raise HTTPException(413, f"expected at most {self._body_bytes_max} bytes")
            return message

        try:
            await self._app(scope, limited, hardened)
        except Exception:
            # Said here, so that this answer has the headers too; the log has it from further out.
            if not answered:
                await failure(_path(scope))(scope, receive, hardened)
            raise

    async def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        name = _name(headers.get("host", ""))
        try:
            hosts = await run_in_threadpool(self._hosts)
        except StoreError as error:
            # On this machine routes say for themselves what they can do without a database.
            if name not in LOOPBACK_NAMES:
                return 503, f"expected a database to ask whether {name} may be answered; {error}"
            hosts = None
        if hosts is not None and name not in hosts:
            return 400, "expected a host name of this hub, got another"
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > TARGET_CHARS_MAX:
            return 414, f"expected an address of at most {TARGET_CHARS_MAX} characters"
        length = headers.get("content-length", "")
        if length and (not length.isdecimal() or len(length) > 15):
            return 400, "expected Content-Length to be a number"
        if length and int(length) > self._body_bytes_max:
            return 413, f"expected at most {self._body_bytes_max} bytes, got {length}"
        return None


class Recorded:
    """Writes the audit log, and keeps answers for idempotency keys."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        store: AccountStore,
        now: Callable[[], float],
        count: Callable[[str], None],
    ) -> None:
        self._app = app
        self._store = store
        self._now = now
        self._count = count
        self._refusals = Limiter(REFUSALS_MAX, REFUSALS_WINDOW_S, now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        held: list[Message] = []
        body = bytearray()
        answered = False

        async def recorded(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                await self._audit(state, message["status"])
            if state.get("claim") is None:
                await send(message)
                return
            held.append(message)
            body.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                # The answer is kept before it is given: whoever has it may ask for it again.
                claim, secret = state.pop("claim"), bool(state.get("tell_only"))
                await self._keep(claim, held[0], bytes(body), secret=secret)
                for part in held:
                    await send(part)

        try:
            await self._app(scope, receive, recorded)
        except BaseException:
            if not answered:
                # What failed may have been done all the same; the answer is made further out.
                await self._audit(state, 500)
            claim = state.get("claim")
            if claim is not None:
                await run_in_threadpool(self._release, claim)
            raise

    async def _audit(self, state: dict[str, object], status: int) -> None:
        entry, knock = state.get("audit"), state.get("knock")
        if knock is not None and status in KNOCKS:
            self._count("phones_refused")
            entry = knock
        if not isinstance(entry, Entry):
            return
        outcome = "done" if status < 400 else f"refused {status}" if status < 500 else "failed"
        if (entry is knock or status in (401, 429)) and not self._has_room(entry.origin):
            self._count("audit_refusals_dropped")
            return
        try:
            await run_in_threadpool(
                append, self._store, replace(entry, outcome=outcome), us(self._now())
            )
        except HubError as error:
            self._count("audit_lost")
            structlog.get_logger("hub").error("audit.lost", error=str(error), action=entry.action)

    def _has_room(self, origin: str) -> bool:
        """Whether a refusal is still written: whoever knocks all day must not fill the disk."""
        if self._refusals.spent(origin):
            return False
        self._refusals.count(origin)
        return True

    async def _keep(self, claim: object, start: Message, body: bytes, *, secret: bool) -> None:
        assert isinstance(claim, Claim)
        status = int(start["status"])
        # A conflict says to ask again in a moment, and nothing was done.
        if secret or status == 409 or status >= 500 or len(body) > ANSWER_BYTES_MAX:
            await run_in_threadpool(self._release, claim)
            return
        media = Headers(raw=start["headers"]).get("content-type", "application/json")
        kept = Kept(status, media, body.decode("utf-8", errors="replace"))
        try:
            await run_in_threadpool(finish, self._store, claim, kept)
        except HubError as error:
            structlog.get_logger("hub").error("idempotency.lost", error=str(error))

    def _release(self, claim: Claim) -> None:
        try:
            release(self._store, claim)
        except HubError as error:
            structlog.get_logger("hub").error("idempotency.lost", error=str(error))


def _add_headers(scope: Scope, headers: MutableHeaders) -> None:
    for name, value in _HEADERS:
        headers.setdefault(name, value)
    if _path(scope).startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")
    if scope.get("scheme") == "https":
        headers.setdefault("Strict-Transport-Security", _HSTS)


def _path(scope: Scope) -> str:
    return str(scope["path"])


def _name(host: str) -> str:
    """A host header without its port."""
    head, _, tail = host.rpartition(":")
    return head if tail.isdecimal() and head else host
