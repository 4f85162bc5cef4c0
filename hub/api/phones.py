"""The shopper's phone: a visit, its code as QR, its live cart, its receipt."""

from __future__ import annotations

import hashlib
import io
import secrets
from typing import Annotated, Any

import segno
from fastapi import APIRouter, HTTPException, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from hub.api.auth import Limiter, check_origin
from hub.api.streams import Streams
from hub.commands import OpenVisit, RenewCode
from hub.driver import Driver

__all__ = ["CODE_PREFIX", "phone_routes"]

CODE_PREFIX = "SORTIE:"
"""Capitals and digits only: the QR code stays small and scans from far."""
VISITS_PER_MINUTE_MAX = 240
Token = Annotated[str, Path(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]


class NewVisit(BaseModel):
    """What a phone may say about itself."""

    model_config = ConfigDict(extra="forbid")

    payer: Annotated[
        str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", description="wallet")
    ] = None


class VisitOpened(BaseModel):
    """The token is the phone's secret for this visit; the code is shown at the gate."""

    token: str
    visit_id: str
    code: str


def phone_routes(driver: Driver, streams: Streams, limiter: Limiter) -> APIRouter:
    """Routes under /api/v1/phones."""
    router = APIRouter(prefix="/api/v1/phones", tags=["phones"])

    @router.post("/visits", status_code=201)
    def open_visit(request: Request, wish: NewVisit | None = None) -> VisitOpened:
        """A new shopper session with an entry code."""
        check_origin(request)
        client = request.client.host if request.client is not None else "unknown"
        if limiter.spent(client):
            raise HTTPException(429, "too many visits from here; wait a minute")
        limiter.count(client)
        token, code = secrets.token_urlsafe(24), _new_code()
        reply = driver.command(
            OpenVisit(
                token_sha256=_digest(token), code=code, payer=None if wish is None else wish.payer
            )
        )
        return VisitOpened(token=token, visit_id=reply.visit_id or "", code=code)

    @router.post("/{token}/code")
    def renew_code(request: Request, token: Token) -> VisitOpened:
        """A new code when the old one ran out before the gate."""
        check_origin(request)
        code = _new_code()
        reply = driver.command(RenewCode(token_sha256=_digest(token), code=code))
        return VisitOpened(token=token, visit_id=reply.visit_id or "", code=code)

    @router.get("/{token}")
    def visit(token: Token, response: Response) -> dict[str, Any]:
        """The visit's state, cart and receipt."""
        response.headers["Cache-Control"] = "no-store"
        return driver.phone(token)

    @router.get("/{token}/events")
    def events(token: Token) -> StreamingResponse:
        """The same, as server-sent events named `visit`, whenever it changes."""
        driver.phone(token)
        return streams.states(lambda: driver.phone(token), event="visit")

    @router.get("/{token}/qr.svg")
    def qr(token: Token) -> Response:
        """The entry code as a picture; 409 once it was used."""
        code = driver.phone(token)["code"]
        if code is None:
            raise HTTPException(409, "expected a visit before its gate; the code is used")
        picture = io.BytesIO()
        segno.make(code, error="m", micro=False).save(
            picture, kind="svg", scale=8, border=4, xmldecl=False
        )
        return Response(
            picture.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"}
        )

    return router


def _new_code() -> str:
    # 80 random bits in the QR code's alphanumeric alphabet.
    return CODE_PREFIX + secrets.token_hex(10).upper()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
