"""Staff: the store live, its events, refunds, prices, stock, review, the auditor's export."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contracts.ids import DeviceId
from hub.api.auth import StaffAuth, check_origin
from hub.api.streams import Streams
from hub.commands import ChangePrice, ChangeVat, RefundVisit, Reply, Restock, TrustDevice
from hub.driver import Driver
from hub.views import layout_view, mirror_view

__all__ = ["staff_routes"]

VisitId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]


class Login(BaseModel):
    """The staff password."""

    model_config = ConfigDict(extra="forbid")

    password: Annotated[SecretStr, Field(max_length=200)]


def staff_routes(driver: Driver, streams: Streams, auth: StaffAuth) -> APIRouter:
    """Routes under /api/v1/staff and /api/v1/audit."""
    outer = APIRouter(prefix="/api/v1", tags=["staff"])

    @outer.post("/staff/login", status_code=204)
    def login(request: Request, response: Response, body: Login) -> None:
        """A session cookie for the password."""
        check_origin(request)
        auth.login(request, response, body.password.get_secret_value())

    router = APIRouter(dependencies=[Depends(auth)])

    @router.post("/staff/logout", status_code=204)
    def logout(request: Request, response: Response) -> None:
        """Ends the session."""
        auth.logout(request, response)

    @router.get("/staff/state")
    def state(response: Response) -> dict[str, Any]:
        """Visits, carts, people on the floor, devices, counters."""
        response.headers["Cache-Control"] = "no-store"
        return driver.staff()

    @router.get("/staff/layout")
    def layout() -> dict[str, Any]:
        """The floor plan and the names of products."""
        return driver.read(layout_view)

    @router.get("/staff/visits/{visit_id}/phone")
    def mirror(visit_id: VisitId, response: Response) -> dict[str, Any]:
        """What the phone of a visit shows, without its entry code."""
        response.headers["Cache-Control"] = "no-store"
        return driver.read(lambda hub: mirror_view(hub, visit_id))

    @router.get("/staff/live")
    def live() -> StreamingResponse:
        """The same as server-sent events named `state`, whenever it changes."""
        return streams.states(driver.staff, event="state")

    @router.get("/staff/events")
    def events(request: Request, after: Annotated[int, Query(ge=0)] = 0) -> StreamingResponse:
        """The event log as server-sent events named `log`, from `after` (or Last-Event-ID)."""
        last = request.headers.get("last-event-id", "")
        begin = int(last) if last.isdecimal() and len(last) < 16 else after
        return streams.feed(driver.feed, begin)

    @router.get("/staff/review")
    def review() -> list[dict[str, Any]]:
        """What a person should look at."""
        return driver.review()

    @router.get("/audit/export")
    def export() -> dict[str, Any]:
        """Event log, ledger, visits and receipts; the format is in hub.store.export."""
        return driver.read(lambda hub: hub.export_json())

    _command_routes(router, driver)
    outer.include_router(router)
    return outer


def _command_routes(router: APIRouter, driver: Driver) -> None:
    @router.post("/staff/refunds")
    def refund(body: RefundVisit) -> Reply:
        """Takes receipt lines back; the same refund_id again changes nothing."""
        return driver.command(body)

    @router.post("/staff/prices")
    def price(body: ChangePrice) -> Reply:
        """A product costs something else from now on."""
        return driver.command(body)

    @router.post("/staff/vat")
    def vat(body: ChangeVat) -> Reply:
        """A product has another VAT rate from now on."""
        return driver.command(body)

    @router.post("/staff/devices/{device_id}/{word}")
    def trust(device_id: DeviceId, word: Literal["revoke", "reinstate"]) -> Reply:
        """What a node says does not count any more, or does again."""
        return driver.command(TrustDevice(device_id=device_id, trusted=word == "reinstate"))

    @router.post("/staff/stock")
    def stock(body: Restock) -> Reply:
        """Pieces were put on a shelf, or taken off."""
        return driver.command(body)
