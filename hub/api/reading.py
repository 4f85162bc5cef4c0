"""What routes read in the same way: ids, tokens and their digests, a body with a bound."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import HTTPException, Path, Request

__all__ = ["VISIT_PATTERN", "Token", "VisitId", "body_of", "sha256_of"]

VISIT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$"
Token = Annotated[str, Path(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
VisitId = Annotated[str, Path(pattern=VISIT_PATTERN)]


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
