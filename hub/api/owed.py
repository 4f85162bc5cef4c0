"""What staff look after by hand: who owes, payments disputed at banks, refunds that wait."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, func, literal_column, select

from hub import commands as c
from hub.api.auth import StaffAuth, note, signed
from hub.api.idempotent import Keyed
from hub.api.paging import Cursor, Limit, Page, Reader, page_of
from hub.driver import Driver
from hub.service import Hub
from hub.state import HubState
from hub.store import tables as t
from hub.wallet.bank import kept_out
from hub.wallet.commands import Id, StaffName
from hub.wallet.purse_tables import chargebacks, payouts

__all__ = ["owed_routes", "owed_visits"]

VISITS_SHOWN = 20
OPEN_STATES = ("asked", "unanswered", "refused")
NOTHING: ColumnElement[int] = literal_column("0")
"""As a parameter it would hide the index of visits that owe."""
Row = dict[str, Any]
DisputeId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
Reason = Annotated[str, Field(max_length=200)]


class _Out(BaseModel):
    """Times are hub microseconds, amounts minor units of `currency`."""

    model_config = ConfigDict(extra="forbid")


class OwedVisit(_Out):
    """What one visit still owes, and since when."""

    visit_id: str
    amount_minor: int
    since_us: int | None


class Debtor(_Out):
    """A payer who owes: how much in all, since when, and what that blocks: "entry", "tab"."""

    payer: str
    currency: str
    debt_minor: int
    since_us: int
    wallet: bool
    blocks: list[str]
    visits: Annotated[list[OwedVisit], Field(description="the oldest ones")]
    visits_count: int


class DisputeRow(_Out):
    """A payment that its payer disputes at the bank. `keeps_out`: the payer is not let in."""

    dispute_id: str
    visit_id: str
    payer: str
    currency: str
    amount_minor: int
    reason: str
    state: str
    withdrawn_minor: int
    returned_minor: int
    fee_minor: int
    lost_minor: int
    owed_minor: int
    keeps_out: bool
    decision: str
    by: str
    opened_us: int
    changed_us: int


class WaitingRefund(_Out):
    """A refund that the gateway has not paid. "asked": right now; "unanswered": it never said;
    "refused": it said no. `again_us`: when the hub asks by itself."""

    key: str
    visit_id: str
    payer: str
    currency: str
    amount_minor: int
    state: str
    reason: str
    rounds: int
    since_us: int
    again_us: int | None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Decision(_Body):
    """Whether the payer is let in again."""

    let_in: bool
    by: StaffName = "staff"
    reason: Reason = ""


class Again(_Body):
    """Which refund to ask the gateway about now. The same `retry_id` again changes nothing."""

    visit_id: Annotated[str, Field(max_length=127)]
    refund_key: Annotated[str, Field(min_length=1, max_length=200)]
    retry_id: Id
    by: StaffName = "staff"


class ByHand(_Body):
    """How a refund was paid. `checked`: somebody looked at the gateway, which did not pay it. The
    same `settle_id` again changes nothing."""

    visit_id: Annotated[str, Field(max_length=127)]
    refund_key: Annotated[str, Field(min_length=1, max_length=200)]
    settle_id: Id
    how: Literal["gateway", "balance", "cash", "card", "transfer"]
    checked: bool = False
    by: StaffName = "staff"
    reason: Annotated[str, Field(min_length=1, max_length=200)]


def owed_routes(driver: Driver, auth: StaffAuth, keyed: Keyed) -> APIRouter:
    """Routes under /api/v1/staff. They name payers, so that no key opens them."""
    router = APIRouter(prefix="/api/v1/staff", tags=["staff"])
    read = Reader(driver)
    _debts(router, driver, auth, read)
    _disputes(router, driver, auth, read)
    _refunds(router, driver, auth, keyed, read)
    return router


def _debts(router: APIRouter, driver: Driver, auth: StaffAuth, read: Reader) -> None:
    @router.get("/debts", dependencies=[Depends(auth.needs("clerk"))])
    def debts(response: Response, limit: Limit = 50, cursor: Cursor = None) -> Page[Debtor]:
        """Payers who owe, the oldest debt first."""
        response.headers["Cache-Control"] = "no-store"
        keys = ("since_us", "payer")
        visits = t.visits.c
        since = func.min(func.coalesce(visits.settled_us, visits.opened_us))
        whole = (
            select(
                visits.payer,
                func.sum(visits.debt_minor).label("debt_minor"),
                since.label("since_us"),
                func.count().label("visits_count"),
            )
            .where(visits.debt_minor > NOTHING)
            .group_by(visits.payer)
            .subquery()
        )
        rows = read.page("debts", select(whole), keys, (int, str), limit, cursor)
        owed = owed_visits(driver, [row["payer"] for row in rows])

        def shown(hub: Hub) -> Page[Debtor]:
            state = hub.core.state
            return page_of("debts", rows, limit, keys, lambda row: _debtor(state, row, owed))

        return driver.read(shown)


def owed_visits(driver: Driver, payers: list[str]) -> dict[str, list[OwedVisit]]:
    """The oldest visits that each of these payers still owes for, by payer."""
    visits = t.visits.c
    question = (
        select(visits.payer, visits.visit_id, visits.debt_minor, visits.settled_us)
        .where(visits.payer.in_(payers), visits.debt_minor > NOTHING)
        .order_by(visits.payer, visits.settled_us, visits.visit_id)
    )
    found: dict[str, list[OwedVisit]] = {}
    for row in driver.stored(lambda store: store.select(question)):
        shown = found.setdefault(row["payer"], [])
        if len(shown) < VISITS_SHOWN:
            shown.append(
                OwedVisit(
                    visit_id=row["visit_id"],
                    amount_minor=row["debt_minor"],
                    since_us=row["settled_us"],
                )
            )
    return found


def _debtor(state: HubState, row: Row, owed: dict[str, list[OwedVisit]]) -> Debtor:
    payer, debt_minor = row["payer"], int(row["debt_minor"])
    wallet = state.store.wallet
    most = wallet.debt_block_minor
    out = (most is not None and debt_minor > most) or kept_out(state.chargebacks.values(), payer)
    has_wallet = payer in state.wallets.purses.all
    tab = has_wallet and wallet.tab_visit_minor_max > 0
    return Debtor(
        payer=payer,
        currency=state.store.currency,
        debt_minor=debt_minor,
        since_us=row["since_us"],
        wallet=has_wallet,
        blocks=[name for name, is_so in (("entry", out), ("tab", tab)) if is_so],
        visits=owed.get(payer, []),
        visits_count=row["visits_count"],
    )


def _disputes(router: APIRouter, driver: Driver, auth: StaffAuth, read: Reader) -> None:
    @router.get("/chargebacks", dependencies=[Depends(auth.needs("clerk"))])
    def listed(response: Response, limit: Limit = 50, cursor: Cursor = None) -> Page[DisputeRow]:
        """Payments disputed at banks, the newest first."""
        response.headers["Cache-Control"] = "no-store"
        keys = ("opened_us", "dispute_id")
        question = select(*(chargebacks.c[name] for name in DisputeRow.model_fields))
        rows = read.page(
            "chargebacks", question, keys, (int, str), limit, cursor, newest_first=True
        )
        return page_of("chargebacks", rows, limit, keys, lambda row: DisputeRow(**row))

    @router.post("/chargebacks/{dispute_id}/decide", dependencies=[Depends(auth.needs("manager"))])
    def decide(request: Request, dispute_id: DisputeId, body: Decision) -> c.Reply:
        """Lets the payer of a disputed payment in again, or keeps them out."""
        note(request, target=f"{dispute_id} {'let in' if body.let_in else 'kept out'}")
        wish = signed(request, body)
        return driver.command(c.DecideChargeback(dispute_id=dispute_id, **wish.model_dump()))


def _refunds(
    router: APIRouter, driver: Driver, auth: StaffAuth, keyed: Keyed, read: Reader
) -> None:
    managing = [Depends(auth.needs("manager")), Depends(keyed)]

    @router.get("/refunds/waiting", dependencies=[Depends(auth.needs("clerk"))])
    def waiting(
        response: Response, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[WaitingRefund]:
        """Refunds that the gateway has not paid, the oldest first."""
        response.headers["Cache-Control"] = "no-store"
        keys = ("since_us", "key")
        question = select(*(payouts.c[name] for name in WaitingRefund.model_fields)).where(
            payouts.c.state.in_(OPEN_STATES)
        )
        rows = read.page("refunds", question, keys, (int, str), limit, cursor)
        return page_of("refunds", rows, limit, keys, lambda row: WaitingRefund(**row))

    @router.post("/refunds/again", dependencies=managing)
    def again(request: Request, body: Again) -> c.Reply:
        """Asks the gateway about a refund now, so that it is paid once whatever comes of it."""
        note(request, target=body.refund_key)
        return driver.command(c.RetryRefund(**signed(request, body).model_dump()))

    @router.post("/refunds/settle", dependencies=managing)
    def settle(request: Request, body: ByHand) -> c.Reply:
        """Books how a refund was paid in another way, or by the gateway after all."""
        note(request, target=f"{body.refund_key} by {body.how}")
        return driver.command(c.SettleRefund(**signed(request, body).model_dump()))
