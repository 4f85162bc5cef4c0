"""`Idempotency-Key` on what moves money or stock: the same request is done once.

    keyed = Keyed(store, now)
    @router.post("/refunds", dependencies=[Depends(needs), Depends(keyed)])
    def refund(body: …, request: Request): … command_key(request) …

The dependency comes after the one that says who asks: keys are the asker's own. API keys must
send one; people may. The answer is kept by hub.api.hardening.Recorded; not so where it tells a
secret (`tell_only`): such a route answers the same by itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Annotated

from fastapi import Header, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from hub.accounts.idempotency import Claim, Kept, claim
from hub.accounts.model import Principal
from hub.accounts.store import AccountStore
from hub.effects import us

__all__ = ["AnsweredBefore", "Keyed", "command_key", "tell_only"]

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


class AnsweredBefore(Exception):  # noqa: N818 - no error: the answer is there already
    """The request was done before; this is what it was answered."""

    def __init__(self, kept: Kept) -> None:
        super().__init__("done before")
        self.kept = kept


class Keyed:
    """FastAPI dependency: claims the key, or answers as before."""

    def __init__(self, store: AccountStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def __call__(
        self,
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(
                max_length=202,
                description="a value of your own, new for each thing to be done; kept for three "
                "days. Needed with an API key.",
            ),
        ] = None,
    ) -> None:
        """HTTPException 400 if a key is missing or strange; AnsweredBefore."""
        who: Principal = request.state.principal
        if idempotency_key is None:
            if who.kind == "key":
                raise HTTPException(
                    400,
                    "expected an Idempotency-Key header: this moves money or stock",
                    headers={"X-Problem": "idempotency-key-needed"},
                )
            return
        # The draft writes the key as a quoted string; both spellings are the same key.
        key = idempotency_key.strip().strip('"')
        if not _KEY.fullmatch(key):
            raise HTTPException(
                400, "expected an Idempotency-Key of 1 to 200 visible ASCII characters"
            )
        body = await request.body()
        what = f"{request.method}\n{request.url.path}\n{request.url.query}\n".encode() + body
        asked = Claim(who.name, key, hashlib.sha256(what).hexdigest())
        kept = await run_in_threadpool(claim, self._store, asked, us(self._now()))
        if kept is not None:
            raise AnsweredBefore(kept)
        request.state.claim = asked


def command_key(request: Request) -> str | None:
    """What the core is to know this request's command by; None without an Idempotency-Key."""
    asked: Claim | None = getattr(request.state, "claim", None)
    return None if asked is None else asked.command_key


def tell_only(request: Request) -> None:
    """The answer to this request has a secret in it, and is not to be kept."""
    request.state.tell_only = True
