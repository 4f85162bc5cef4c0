"""The payment gateway's side doors: its webhooks, a page to save a card, cards set by staff."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from hub.api.auth import Limiter, StaffAuth, check_origin, client_of
from hub.api.reading import Token, body_of
from hub.driver import Driver
from hub.errors import GatewaySetupError, GatewayTimeoutError, RejectedError
from hub.settings import HubSettings
from hub.wallet.book import Card, GatewayBook
from hub.wallet.opening import open_desk

__all__ = ["CARDS_PER_MINUTE_MAX", "WEBHOOK_BYTES_MAX", "gateway_routes"]

WEBHOOK_BYTES_MAX = 256_000
CARDS_PER_MINUTE_MAX = 20
"""Pages for saving a card that one address may open in a minute."""
OWN_NAMES = ("guest-", "w-")
"""Payers that the hub names; a phone cannot claim to be one."""
Payer = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]


class CardPage(BaseModel):
    """Where the card is saved: at the gateway's own page."""

    url: str


class CardIds(BaseModel):
    """The gateway's ids of a customer and a saved payment method; never a card number."""

    model_config = ConfigDict(extra="forbid")

    customer_id: Annotated[str, Field(pattern=r"^cus_[A-Za-z0-9_]{1,100}$")]
    method_id: Annotated[str, Field(pattern=r"^(pm|card)_[A-Za-z0-9_]{1,100}$")]


def gateway_routes(
    driver: Driver, settings: HubSettings, auth: StaffAuth, limiter: Limiter
) -> APIRouter:
    """Routes that answer 404 where the gateway has no such door."""
    router = APIRouter(prefix="/api/v1", tags=["gateway"])
    desk = open_desk(driver.hub.gateway, settings)

    @router.post("/gateway/stripe", status_code=200)
    async def webhook(request: Request) -> dict[str, bool]:
        """Stripe tells something. 400 if it is not Stripe's; 503: tell it again later."""
        if desk is None:
            raise HTTPException(404, "expected a hub whose gateway is Stripe")
        body = await body_of(request, WEBHOOK_BYTES_MAX)
        signature = request.headers.get("stripe-signature")
        try:
            known = await run_in_threadpool(_heard, body, signature)
        except RejectedError as error:
            driver.hub.live.count("webhooks_refused")
            raise HTTPException(400, str(error)) from error
        except (GatewayTimeoutError, GatewaySetupError) as error:
            raise HTTPException(503, str(error)) from error
        return {"used": known}

    def _heard(body: bytes, signature: str | None) -> bool:
        if desk is None:
            return False
        news = desk.heard(body, signature, now_s=driver.now())
        if news is None:
            return False
        return not driver.command(news).repeated

    @router.post("/phones/me/saved-card")
    def save_card(request: Request, token: Token) -> CardPage:
        """A page of the gateway's on which the visit's payer saves a card."""
        check_origin(request)
        if desk is None:
            raise HTTPException(404, "expected a hub whose gateway saves cards")
        limiter.check(request, "too many pages for cards from here; wait a minute")
        limiter.count(client_of(request))
        payer = driver.payer_of(token)
        if not payer.startswith(OWN_NAMES):
            raise HTTPException(
                409,
                f"expected a wallet or a guest to save a card for: anybody may say {payer}, and "
                "would pay with it",
            )
        back = f"{request.base_url}"
        try:
            return CardPage(
                url=desk.save_card_at(payer, back_url=back, key=f"card:{secrets.token_hex(16)}")
            )
        except (GatewayTimeoutError, GatewaySetupError) as error:
            raise HTTPException(503, str(error)) from error

    _staff_routes(router, driver, auth)
    return router


def _staff_routes(router: APIRouter, driver: Driver, auth: StaffAuth) -> None:
    @router.put(
        "/staff/payers/{payer}/card", status_code=204, dependencies=[Depends(auth.needs("admin"))]
    )
    def set_card(payer: Payer, body: CardIds) -> None:
        """A card that was saved elsewhere pays for this payer from now on."""
        book: GatewayBook | None = getattr(driver.hub.gateway, "book", None)
        if book is None:
            raise HTTPException(404, "expected a hub whose gateway saves cards")
        book.save_card(payer, Card(body.customer_id, body.method_id))
