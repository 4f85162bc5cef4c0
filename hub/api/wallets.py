"""Wallets over HTTP: the owner's by its secret, a visit's money by its token, and staff's part.

A wallet's secret is drawn here, given once, and kept as its SHA-256: whoever knows only the payer's
name reads and spends nothing. A gift card's code is made here and shown to whoever issues it, and
kept as its SHA-256 too; wrong codes are counted per client and refused for a while.
"""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from contracts.money import AMOUNT_MINOR_MAX
from hub import commands as c
from hub.api.auth import Limiter, StaffAuth, check_origin, client_of
from hub.api.idempotent import Keyed, command_key, tell_only
from hub.api.owed import owed_visits
from hub.api.reading import Token, sha256_of
from hub.api.streams import PHONES_MAX, Streams
from hub.driver import Driver
from hub.errors import UnknownWalletError
from hub.service import Hub
from hub.visits.codes import claim_codes
from hub.wallet.views import card_view, payer_view, wallet_view

__all__ = ["code_sha256", "wallet_routes"]

WRONG_CODES_MAX = 10
WALLETS_PER_MINUTE_MAX = 60
TIME_S_MAX = 4e9
CARDS_SHOWN = 500
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Nothing that can be taken for something else: a code may be read from paper."""
_TO_PAPER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET)
CODE_CHARS = 16
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Payer = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
Amount = Annotated[int, Field(gt=0, le=AMOUNT_MINOR_MAX)]
Code = Annotated[str, Field(min_length=8, max_length=60, pattern=r"^[A-Za-z0-9 -]+$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WalletOpened(_Body):
    """The token is the wallet's secret: whoever has it may spend."""

    token: str
    payer: str


class Order(_Body):
    """Sources as they are to pay: "card", "stored", "gift:CARD"."""

    order: Annotated[
        tuple[Annotated[str, Field(max_length=140)], ...], Field(min_length=1, max_length=12)
    ]


class TopUpWish(_Body):
    """Money from the card to the balance. The same id again changes nothing."""

    topup_id: Id
    amount_minor: Amount


class CardWish(_Body):
    """A gift card by its code; `redeem` turns it into balance, else it becomes a source."""

    code: Code
    redeem: bool = True


class DebtWish(_Body):
    """Pays one visit's debt. The same id again changes nothing."""

    pay_id: Id
    visit_id: Annotated[str, Field(max_length=127)]
    source: Literal["card", "stored"] = "card"


class VisitDebtWish(_Body):
    """Pays this visit's debt by card."""

    pay_id: Id


class TipWish(_Body):
    """A tip, once a visit."""

    tip_id: Id
    amount_minor: Amount


class VisitCard(_Body):
    """A gift card that pays first for this visit."""

    code: Code


class NewCard(_Body):
    """A card to issue: sold at a till, or given as a present."""

    amount_minor: Amount
    how: Literal["sold", "given"] = "sold"
    expires_s: (
        Annotated[float, Field(gt=0, le=TIME_S_MAX, description="hub seconds (UTC)")] | None
    ) = None


class CardIssued(_Body):
    """The code is shown this once, and again to who asks with the same Idempotency-Key."""

    card_id: str
    code: str
    amount_minor: int


class Blocked(_Body):
    """Whether a card is blocked."""

    blocked: bool


def code_sha256(code: str) -> str:
    """What the hub keeps of a gift card's code; spaces, dashes and small letters do not matter."""
    plain = code.replace("-", "").replace(" ", "").upper()
    return sha256_of(plain)


def wallet_routes(driver: Driver, streams: Streams, auth: StaffAuth, keyed: Keyed) -> APIRouter:
    """Routes under /api/v1/wallets, and what wallets add under /phones and /staff."""
    outer = APIRouter(prefix="/api/v1")
    guesses = Limiter(WRONG_CODES_MAX, 60.0, time.monotonic)
    _owner_routes(outer, driver, streams)
    _card_routes(outer, driver, guesses)
    _visit_routes(outer, driver)
    staff = APIRouter(prefix="/staff", tags=["staff"])
    _staff_routes(staff, driver, auth, keyed)
    outer.include_router(staff)
    return outer


def _owner_routes(router: APIRouter, driver: Driver, streams: Streams) -> None:
    limiter = Limiter(WALLETS_PER_MINUTE_MAX, 60.0, time.monotonic)

    @router.post("/wallets", status_code=201, tags=["wallets"])
    def open_wallet(request: Request) -> WalletOpened:
        """A new wallet; its token is given this once."""
        check_origin(request)
        limiter.check(request, "too many wallets from here; wait a minute")
        limiter.count(client_of(request))
        token = secrets.token_urlsafe(32)
        reply = driver.command(c.OpenWallet(wallet_sha256=sha256_of(token)))
        return WalletOpened(token=token, payer=reply.payer or "")

    @router.get("/wallets/me", tags=["wallets"])
    def wallet(token: Token, response: Response) -> dict[str, Any]:
        """Balance, held, debts, order, cards, latest movements."""
        response.headers["Cache-Control"] = "no-store"
        return _wallet(driver, token)

    @router.get("/wallets/me/events", tags=["wallets"])
    def events(token: Token) -> StreamingResponse:
        """The same, as server-sent events named `wallet`, whenever it changes."""
        _wallet(driver, token)
        return streams.states(lambda: _wallet(driver, token), event="wallet", most=PHONES_MAX)

    @router.put("/wallets/me/order", tags=["wallets"])
    def order(request: Request, token: Token, body: Order) -> c.Reply:
        """In which order the sources pay."""
        check_origin(request)
        return driver.command(c.SetOrder(wallet_sha256=sha256_of(token), order=body.order))

    @router.post("/wallets/me/topups", tags=["wallets"])
    def top_up(request: Request, token: Token, body: TopUpWish) -> c.Reply:
        """Asks the card; the balance has it when the gateway has paid."""
        check_origin(request)
        return driver.command(
            c.TopUp(
                wallet_sha256=sha256_of(token),
                topup_id=body.topup_id,
                amount_minor=body.amount_minor,
            )
        )

    @router.post("/wallets/me/debts", tags=["wallets"])
    def pay_debt(request: Request, token: Token, body: DebtWish) -> c.Reply:
        """Pays what a visit on this wallet owes."""
        check_origin(request)
        return driver.command(
            c.PayDebt(
                visit_id=body.visit_id,
                pay_id=body.pay_id,
                source=body.source,
                wallet_sha256=sha256_of(token),
            )
        )


def _card_routes(router: APIRouter, driver: Driver, guesses: Limiter) -> None:
    def guarded(request: Request, command: c.Command) -> c.Reply:
        """Does a command that names a code; wrong codes are counted."""
        check_origin(request)
        guesses.check(request, "too many wrong codes; wait a minute")
        try:
            return driver.command(command)
        except UnknownWalletError:
            guesses.count(client_of(request))
            raise

    @router.post("/wallets/me/cards", tags=["wallets"])
    def take_card(request: Request, token: Token, body: CardWish) -> c.Reply:
        """A gift card for this wallet: as balance, or as a source of its own."""
        kind = c.RedeemGiftCard if body.redeem else c.ClaimGiftCard
        return guarded(
            request,
            kind(wallet_sha256=sha256_of(token), code_sha256=code_sha256(body.code)),
        )

    @router.post("/phones/me/card", tags=["phones"])
    def use_card(request: Request, token: Token, body: VisitCard) -> c.Reply:
        """A gift card pays first for this visit; what is left stays on the card."""
        return guarded(
            request,
            c.UseGiftCard(token_sha256=sha256_of(token), code_sha256=code_sha256(body.code)),
        )


def _visit_routes(router: APIRouter, driver: Driver) -> None:
    @router.post("/phones/me/tip", tags=["phones"])
    def tip(request: Request, token: Token, body: TipWish) -> c.Reply:
        """A tip, once, for a while after the exit."""
        check_origin(request)
        return driver.command(
            c.AddTip(
                token_sha256=sha256_of(token),
                tip_id=body.tip_id,
                amount_minor=body.amount_minor,
            )
        )

    @router.post("/phones/me/debt", tags=["phones"])
    def pay_visit(request: Request, token: Token, body: VisitDebtWish) -> c.Reply:
        """Pays what this visit still owes, by card."""
        check_origin(request)
        return driver.command(
            c.PayDebt(
                visit_id=driver.phone(token)["visit_id"],
                pay_id=body.pay_id,
                token_sha256=sha256_of(token),
            )
        )


def _staff_routes(router: APIRouter, driver: Driver, auth: StaffAuth, keyed: Keyed) -> None:
    managing = [Depends(auth.needs("manager")), Depends(keyed)]
    seeing = [Depends(auth.needs("clerk"))]

    @router.post("/gift-cards", status_code=201, dependencies=managing)
    def issue(request: Request, body: NewCard) -> CardIssued:
        """A new card; its code is shown this once."""
        # The answer is made anew where it is asked for again, as nothing may keep its code.
        tell_only(request)
        key = command_key(request)
        card_id, code = driver.read(lambda hub: _new_card(hub, key))
        driver.command(
            c.IssueGiftCard(
                card_id=card_id,
                code_sha256=code_sha256(code),
                amount_minor=body.amount_minor,
                how=body.how,
                expires_s=body.expires_s,
            )
        )
        shown = "-".join(code[begin : begin + 4] for begin in range(0, CODE_CHARS, 4))
        return CardIssued(card_id=card_id, code=shown, amount_minor=body.amount_minor)

    @router.get("/gift-cards", dependencies=seeing)
    def cards() -> list[dict[str, Any]]:
        """The latest cards, the newest first."""
        return driver.read(
            lambda hub: [
                card_view(hub.core.state, card)
                for card in list(hub.core.state.wallets.purses.cards.values())[
                    : -CARDS_SHOWN - 1 : -1
                ]
            ]
        )

    @router.put("/gift-cards/{card_id}", dependencies=managing)
    def block(card_id: Name, body: Blocked) -> c.Reply:
        """Blocks a card, or lets it be used again."""
        return driver.command(c.BlockGiftCard(card_id=card_id, blocked=body.blocked))

    @router.post("/debts/waive", dependencies=managing)
    def waive(body: c.WaiveDebt) -> c.Reply:
        """Lets go of what a visit owes; the same waive_id again changes nothing."""
        return driver.command(body)

    @router.get("/wallets/{payer}", dependencies=seeing)
    def payer(payer: Payer) -> dict[str, Any]:
        """A payer's wallet, or what a payer without one owes."""
        found = driver.read(lambda hub: payer_view(hub.core.state, payer))
        if found["wallet"]:
            return found
        # Visits of long ago are not in memory.
        owed = owed_visits(driver, [payer]).get(payer, [])
        return {**found, "debts": [one.model_dump(exclude={"since_us"}) for one in owed]}


def _new_card(hub: Hub, key: str | None) -> tuple[str, str]:
    """Name and code of a card to issue. Under an idempotency key they are always the same, so that
    who asks again after a lost answer has the same card, and not one more."""
    if key is None:
        code = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_CHARS))
        return f"g-{secrets.token_hex(6)}", code
    known = hub.core.state.wallets.purses.by_code
    texts = claim_codes(hub.entry_keys, f"gift card {key}")
    codes = [text.translate(_TO_PAPER)[:CODE_CHARS] for text in texts]
    # The keys may have been turned since the card was issued.
    issued = [code for code in codes if code_sha256(code) in known]
    return f"g-{sha256_of(key)[:12]}", (issued or codes)[0]


def _wallet(driver: Driver, token: str) -> dict[str, Any]:
    return driver.read(lambda hub: wallet_view(hub.core.state, sha256_of(token)))
