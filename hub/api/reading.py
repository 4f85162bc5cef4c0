"""What routes read in the same way: ids, tokens and their digests, a body with a bound."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Request

from hub.accounts.audit import Entry, network_of

__all__ = [
    "VISIT_PATTERN",
    "Token",
    "VisitId",
    "WallPath",
    "bearer_of",
    "body_of",
    "sha256_of",
    "token_of",
]

VISIT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$"
VisitId = Annotated[str, Path(pattern=VISIT_PATTERN)]
WallPath = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")


def bearer_of(request: Request) -> str:
    """What stands after "Bearer"; empty without one."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    return value if kind.lower() == "bearer" else ""


def token_of(request: Request) -> str:
    """FastAPI dependency: the token of a visit or a wallet, from the header; no address and no log
    of addresses has it. HTTPException 401 without one. Refusals are for the audit log, which tells
    no token: `Recorded` writes them."""
    route = request.scope.get("route")
    origin = network_of(request.client.host if request.client is not None else "unknown")
    request.state.knock = Entry(
        who="a phone", action=f"{request.method} {getattr(route, 'path', 'unknown')}", target="",
        origin=origin,
    )  # fmt: skip
    token = bearer_of(request).strip()
    if _TOKEN.fullmatch(token) is None:
        raise HTTPException(
            401,
            "expected the token of a visit or a wallet as `Authorization: Bearer TOKEN`",
            headers={"WWW-Authenticate": 'Bearer realm="sortie"'},
        )
    return token


Token = Annotated[str, Depends(token_of)]
"""Of a visit or a wallet: who has it may do what its phone may."""


def sha256_of(secret: str) -> str:
    """What the hub keeps of a token or code, and knows it again by."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def body_of(request: Request, bytes_max: int) -> bytes:
    """The body as it comes in; HTTPException 413 as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise HTTPException(413, f"expected at most {bytes_max} bytes")
    return bytes(body)
