"""What routes read in the same way: ids and tokens in an address, a body with a bound."""

from __future__ import annotations

from typing import Annotated

from fastapi import HTTPException, Path, Request

__all__ = ["VISIT_PATTERN", "Token", "VisitId", "body_of"]

VISIT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$"
Token = Annotated[str, Path(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
VisitId = Annotated[str, Path(pattern=VISIT_PATTERN)]


async def body_of(request: Request, bytes_max: int) -> bytes:
    """The body as it comes in; HTTPException 413 as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise HTTPException(413, f"expected at most {bytes_max} bytes")
    return bytes(body)
