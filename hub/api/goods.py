"""Staff: promotions, age limits, closed and recalled goods, stock, restocking; EPCIS for partners.

Every command carries an id of the caller's or says what shall be, so that sending it again
changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from hub import commands as c
from hub.api.auth import StaffAuth, signed
from hub.api.idempotent import Keyed
from hub.command import Reply
from hub.driver import Driver
from hub.inventory.epcis import epcis_document
from hub.inventory.views import alerts, goods_view, stock_view
from hub.store.epcis import EPCIS_PAGE_MAX, epcis_page
from hub.store.recalls import recall_buyers

__all__ = ["goods_routes"]

RecallId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class LinkedData(JSONResponse):
    """JSON-LD."""

    media_type = "application/ld+json"


def goods_routes(driver: Driver, auth: StaffAuth, keyed: Keyed) -> APIRouter:
    """Routes under /api/v1/staff and /api/v1/epcis, for staff."""
    router = APIRouter(prefix="/api/v1", tags=["goods"])
    _reading(router, driver, auth)
    _selling(router, driver, auth, keyed)
    _stocking(router, driver, auth, keyed)
    _epcis(router, driver, auth)
    return router


def _reading(router: APIRouter, driver: Driver, auth: StaffAuth) -> None:
    seeing = [Depends(auth.needs("viewer", "read:stock"))]
    managing = [Depends(auth.needs("manager"))]

    @router.get("/staff/stock", dependencies=seeing)
    def stock(response: Response) -> dict[str, Any]:
        """Slots, misplaced pieces, products, finds, restocking sessions, quarantined nodes."""
        response.headers["Cache-Control"] = "no-store"
        return driver.read(lambda hub: stock_view(hub.core.state))

    @router.get("/staff/goods", dependencies=seeing)
    def goods() -> dict[str, Any]:
        """Promotions and recalls."""
        return driver.read(lambda hub: goods_view(hub.core.state))

    @router.get("/staff/alerts", dependencies=seeing)
    def alert_rows(response: Response) -> list[dict[str, Any]]:
        """What staff should do now, the most urgent first."""
        response.headers["Cache-Control"] = "no-store"
        return driver.read(lambda hub: alerts(hub.core.state))

    @router.get("/staff/recalls/{recall_id}/buyers", dependencies=managing)
    def buyers(
        recall_id: RecallId, most: Annotated[int, Query(ge=1, le=1_000)] = 200
    ) -> dict[str, Any]:
        """Receipts with a product that was called back, the newest first."""
        recall = driver.read(lambda hub: hub.core.state.catalog.offers.recalls.get(recall_id))
        if recall is None:
            raise HTTPException(404, f"expected a recall of this store, got {recall_id}")
        return driver.stored(lambda store: recall_buyers(store, recall, most=most))


def _selling(router: APIRouter, driver: Driver, auth: StaffAuth, keyed: Keyed) -> None:
    at_hand = [Depends(auth.needs("clerk")), Depends(keyed)]
    pricing = [Depends(auth.needs("manager", "write:prices")), Depends(keyed)]
    deciding = [Depends(auth.needs("admin"))]

    @router.post("/staff/promotions", dependencies=pricing)
    def add_promotion(request: Request, body: c.AddPromotion) -> Reply:
        """A promotion holds from now on, or from a later time."""
        return driver.command(signed(request, body))

    @router.post("/staff/promotions/end", dependencies=pricing)
    def end_promotion(request: Request, body: c.EndPromotion) -> Reply:
        """A promotion ends; what was picked before keeps it."""
        return driver.command(signed(request, body))

    @router.post("/staff/age-limits", dependencies=pricing)
    def age_limit(request: Request, body: c.SetAgeLimit) -> Reply:
        """From which age on a product is sold; null lifts the limit."""
        return driver.command(signed(request, body))

    @router.post("/staff/age-proofs", dependencies=at_hand)
    def age_proof(request: Request, body: c.ConfirmAge) -> Reply:
        """An ID was looked at; nothing of it is kept."""
        return driver.command(signed(request, body))

    @router.post("/staff/sale-hours", dependencies=pricing)
    def sale_hours(request: Request, body: c.SetSaleHours) -> Reply:
        """In which hours a product is sold; none: always."""
        return driver.command(signed(request, body))

    @router.post("/staff/products/close", dependencies=at_hand)
    def close(request: Request, body: c.CloseProduct) -> Reply:
        """A product is not for sale from now on."""
        return driver.command(signed(request, body))

    @router.post("/staff/products/reopen", dependencies=pricing)
    def reopen(request: Request, body: c.ReopenProduct) -> Reply:
        """A closed product is for sale again."""
        return driver.command(signed(request, body))

    @router.post("/staff/recalls", dependencies=pricing)
    def recall(request: Request, body: c.RecallProduct) -> Reply:
        """A product is called back: not sold any more, holders and buyers are told."""
        return driver.command(signed(request, body))

    @router.post("/staff/recalls/lift", dependencies=pricing)
    def lift(request: Request, body: c.LiftRecall) -> Reply:
        """The product is sold again."""
        return driver.command(signed(request, body))

    @router.post("/staff/goods/policy", dependencies=deciding)
    def policy(request: Request, body: c.SetGoodsPolicy) -> Reply:
        """How the store deals with age, stock that runs low, and nodes beyond belief."""
        return driver.command(signed(request, body))


def _stocking(router: APIRouter, driver: Driver, auth: StaffAuth, keyed: Keyed) -> None:
    stocking = [Depends(auth.needs("clerk", "write:stock")), Depends(keyed)]
    managing = [Depends(auth.needs("manager", "write:stock")), Depends(keyed)]

    @router.post("/staff/counts", dependencies=stocking)
    def count(request: Request, body: c.CountSlot) -> Reply:
        """Somebody counted a slot; the books follow."""
        return driver.command(signed(request, body))

    @router.post("/staff/restocking/start", dependencies=stocking)
    def start(request: Request, body: c.StartRestocking) -> Reply:
        """A round of restocking begins."""
        return driver.command(signed(request, body))

    @router.post("/staff/restocking/moves", dependencies=stocking)
    def move(request: Request, body: c.MoveStock) -> Reply:
        """Pieces were put in, or taken out of the store if negative."""
        return driver.command(signed(request, body))

    @router.post("/staff/restocking/confirm", dependencies=managing)
    def confirm(request: Request, body: c.ConfirmMove) -> Reply:
        """The second look at an amount that was kept back."""
        return driver.command(signed(request, body))

    @router.post("/staff/restocking/finish", dependencies=stocking)
    def finish(request: Request, body: c.FinishRestocking) -> Reply:
        """The round is over."""
        return driver.command(signed(request, body))

    @router.post("/staff/finds", dependencies=stocking)
    def find(request: Request, body: c.FindPieces) -> Reply:
        """Pieces lay about, or were handed back."""
        return driver.command(signed(request, body))

    @router.post("/staff/finds/resolve", dependencies=stocking)
    def resolve(request: Request, body: c.ResolveFind) -> Reply:
        """Found pieces go back to a slot, or are kept out of sale."""
        return driver.command(signed(request, body))

    @router.post("/staff/planogram", dependencies=managing)
    def planogram(request: Request, body: c.ChangePlanogram) -> Reply:
        """A slot is for another product from now on."""
        return driver.command(signed(request, body))

    @router.post("/staff/nodes/release", dependencies=managing)
    def release(request: Request, body: c.ReleaseNode) -> Reply:
        """A quarantined node is believed again."""
        return driver.command(signed(request, body))


def _epcis(router: APIRouter, driver: Driver, auth: StaffAuth) -> None:
    @router.get(
        "/epcis/events",
        dependencies=[Depends(auth.needs("manager", "export"))],
        response_class=LinkedData,
    )
    def epcis(
        request: Request,
        per_page: Annotated[int, Query(alias="perPage", ge=1, le=EPCIS_PAGE_MAX)] = 100,
        token: Annotated[str, Query(alias="nextPageToken", pattern=r"^[0-9]{1,15}$")] = "0",
        from_time: Annotated[datetime | None, Query(alias="GE_recordTime")] = None,
        to_time: Annotated[datetime | None, Query(alias="LT_recordTime")] = None,
    ) -> LinkedData:
        """What left the store and what came back, as an EPCIS 2.0 document.

        The Link header names the next page; the last page has none. A later export goes on from
        the last token it was given.
        """
        layout = driver.read(lambda hub: hub.core.state.store)
        events, following = driver.stored(
            lambda store: epcis_page(
                store,
                layout,
                after=int(token),
                most=per_page,
                from_s=_seconds(from_time),
                to_s=_seconds(to_time),
            )
        )
        headers = {
            "GS1-EPCIS-Version": "2.0.0",
            "GS1-CBV-Version": "2.0.0",
            "Cache-Control": "no-store",
        }
        if following is not None:
            url = request.url.include_query_params(nextPageToken=following)
            headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        document = epcis_document(events, created_us=round(driver.now() * 1e6))
        return LinkedData(document, headers=headers)


def _seconds(moment: datetime | None) -> float | None:
    """Hub seconds of a time; one without an offset is UTC."""
    if moment is None:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
