"""The shopper's phone: a visit, its code as QR, its live cart, its receipt."""

from __future__ import annotations

import io
import math
import secrets
from collections.abc import Callable
from typing import Annotated, Any

import segno
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.api.auth import Limiter, check_origin, client_of
from hub.api.reading import Token, sha256_of
from hub.api.streams import PHONES_MAX, EventStream, Streams
from hub.commands import GrowGroup, OpenVisit, RenewCode
from hub.driver import Driver
from hub.receipts.link import receipt_path
from hub.visits.commands import ENTRIES_MAX

__all__ = ["SVG", "phone_routes", "qr_picture"]

VISITS_PER_MINUTE_MAX = 240
SVG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}
}


class NewVisit(BaseModel):
    """What a phone may say about itself."""

    model_config = ConfigDict(extra="forbid")

    payer: Annotated[
        str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", description="wallet")
    ] = None
    entries: Annotated[
        int, Field(ge=1, le=ENTRIES_MAX, description="people who come in on this wallet")
    ] = 1
    wallet: Annotated[
        SecretStr | None,
        Field(min_length=20, max_length=100, description="the token of the wallet that pays"),
    ] = None

    @property
    def wallet_sha256(self) -> str | None:
        """What the hub keeps of the wallet's token."""
        return None if self.wallet is None else sha256_of(self.wallet.get_secret_value())


class GroupSize(BaseModel):
    """How many people come in on one payer, all together."""

    model_config = ConfigDict(extra="forbid")

    entries: Annotated[int, Field(ge=1, le=ENTRIES_MAX)]


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
        limiter.check(request, "too many visits from here; wait a minute")
        _check_payer(wish)
        limiter.count(client_of(request))
        token = secrets.token_urlsafe(24)
        wanted = wish or NewVisit()
        driver.command(
            OpenVisit(
                token_sha256=sha256_of(token),
                visit_key=secrets.token_hex(10),
                payer=wanted.payer,
                entries=wanted.entries,
                wallet_sha256=wanted.wallet_sha256,
            )
        )
        return _opened(token)

    def _opened(token: str) -> VisitOpened:
        seen = driver.phone(token)
        return VisitOpened(token=token, visit_id=seen["visit_id"], code=seen["code"] or "")

    @router.post("/me/code")
    def renew_code(request: Request, token: Token) -> VisitOpened:
        """More time for codes when it ran out before the gate."""
        check_origin(request)
        driver.command(RenewCode(token_sha256=sha256_of(token)))
        return _opened(token)

    @router.post("/me/group")
    def group(request: Request, token: Token, wish: GroupSize) -> VisitOpened:
        """So many people may come in on this visit's payer, one after another."""
        check_origin(request)
        driver.command(GrowGroup(token_sha256=sha256_of(token), entries=wish.entries))
        return _opened(token)

    @router.get("/me")
    def visit(token: Token, response: Response) -> dict[str, Any]:
        """The visit's state, cart and receipt."""
        response.headers["Cache-Control"] = "no-store"
        return _shown(driver, token)

    @router.get("/me/events", response_class=EventStream)
    def events(token: Token) -> StreamingResponse:
        """The same, as server-sent events named `visit`, whenever it changes."""
        return _live(driver, streams, token)

    @router.get("/me/qr.svg", response_class=Response, responses=SVG)
    def qr(token: Token) -> Response:
        """The entry code as a picture; 409 once it was used."""
        code = driver.phone(token)["code"]
        if code is None:
            raise HTTPException(409, "expected a visit before its gate; the code is used")
        return qr_picture(code)

    return router


def qr_picture(code: str) -> Response:
    """A code as a QR picture that nobody keeps."""
    picture = io.BytesIO()
    made = segno.make(code, error="m", micro=False)
    made.save(picture, kind="svg", scale=8, border=4, xmldecl=False)
    return Response(
        picture.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"}
    )


def _check_payer(wish: NewVisit | None) -> None:
    if wish is not None and (wish.payer or "").startswith("guest-"):
        raise HTTPException(422, "expected a name of your own; guests are named by the hub")


def _shown(driver: Driver, token: str) -> dict[str, Any]:
    """What the phone shows, and once there is a receipt the address that opens it alone."""
    seen = driver.phone(token)
    final = seen["stage"] == "final"
    path = receipt_path(seen["visit_id"], sha256_of(token)) if final else None
    return {**seen, "receipt_path": path}


def _live(driver: Driver, streams: Streams, token: str) -> StreamingResponse:
    """A visit's state whenever something happened to it."""
    visit_id = driver.phone(token)["visit_id"]
    return streams.states(
        lambda: _shown(driver, token),
        event="visit",
        turns_s=_turns_s(driver),
        version=lambda: driver.visit_version(visit_id),
        most=PHONES_MAX,
    )


def _turns_s(driver: Driver) -> Callable[[dict[str, Any]], float]:
    """In how many seconds a phone's code becomes another one."""

    def turns_s(seen: dict[str, Any]) -> float:
        turns = seen["code_turns_s"]
        return math.inf if turns is None else float(turns) - driver.now()

    return turns_s
