"""Staff: the store live, its events, refunds, prices, stock, review, the auditor's export."""

from __future__ import annotations

import os
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.background import BackgroundTask

from contracts.ids import DeviceId
from hub.accounts.model import Principal
from hub.api.auth import StaffAuth, check_origin, note
from hub.api.giving import give_back, refunded_after
from hub.api.idempotent import Keyed, command_key
from hub.api.log import events_after
from hub.api.reading import VisitId
from hub.api.streams import EventStream, Streams
from hub.commands import ChangePrice, ChangeVat, RefundVisit, Reply, Restock, TrustDevice
from hub.driver import Driver
from hub.personal import public_data
from hub.service import Hub
from hub.settings import HubSettings
from hub.views import layout_view, mirror_view

__all__ = ["staff_routes"]

CHUNK_BYTES = 65_536
_JSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}}
}


class Login(BaseModel):
    """A name and password, and a one-time code where the account has a second factor. Without a
    name it is the staff password of the settings."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=63)] = ""
    password: Annotated[SecretStr, Field(max_length=256)]
    code: Annotated[str, Field(max_length=40, description="six figures, or a recovery code")] = ""


def staff_routes(
    driver: Driver, streams: Streams, auth: StaffAuth, settings: HubSettings, keyed: Keyed
) -> APIRouter:
    """Routes under /api/v1/staff and /api/v1/audit."""
    router = APIRouter(prefix="/api/v1", tags=["staff"])

    @router.post("/staff/login", status_code=204)
    def login(request: Request, response: Response, body: Login) -> None:
        """A session cookie for the password; the header X-CSRF-Token goes with it."""
        note(request)
        check_origin(request)
        password = body.password.get_secret_value()
        auth.login(request, response, body.name, password, body.code)

    @router.post(
        "/staff/logout", status_code=204, dependencies=[Depends(auth.needs("viewer", own=True))]
    )
    def logout(request: Request, response: Response) -> None:
        """Ends the session."""
        auth.logout(request, response)

    _reading(router, driver, streams, auth)
    _command_routes(router, driver, auth, settings, keyed)
    return router


def _reading(router: APIRouter, driver: Driver, streams: Streams, auth: StaffAuth) -> None:
    visits = Depends(auth.needs("viewer", "read:visits"))
    log = Depends(auth.needs("viewer", "read:events"))

    @router.get("/staff/state", dependencies=[visits])
    def state(response: Response, who: Principal = visits) -> dict[str, Any]:
        """Visits, carts, people on the floor, devices, counters."""
        response.headers["Cache-Control"] = "no-store"
        return _shown(who, driver.staff())

    @router.get("/staff/layout", dependencies=[visits])
    def layout() -> dict[str, Any]:
        """The floor plan and the names of products."""
        return driver.read(layout_view)

    @router.get("/staff/visits/{visit_id}/phone", dependencies=[visits])
    def mirror(visit_id: VisitId, response: Response) -> dict[str, Any]:
        """What the phone of a visit shows, without its entry code."""
        response.headers["Cache-Control"] = "no-store"
        return driver.read(lambda hub: mirror_view(hub, visit_id))

    @router.get("/staff/live", dependencies=[visits], response_class=EventStream)
    def live(request: Request, who: Principal = visits) -> StreamingResponse:
        """The same as server-sent events named `state`, whenever it changes."""
        return streams.states(
            lambda: _shown(who, driver.staff()), event="state", still=auth.still(request)
        )

    @router.get("/staff/events", dependencies=[log], response_class=EventStream)
    def events(
        request: Request,
        after: Annotated[int | None, Query(ge=0, le=2**53)] = None,
        who: Principal = log,
    ) -> StreamingResponse:
        """The event log as server-sent events named `log`, each event after `after` (or
        Last-Event-ID) once; without either it begins with the latest ones."""
        last = request.headers.get("last-event-id", "")
        begin = int(last) if last.isdecimal() and len(last) < 16 else after

        def rows(number: int) -> list[dict[str, Any]]:
            found = events_after(driver, number)
            if who.kind != "key":
                return found
            return [{**row, "data": public_data(row["kind"], row["data"])} for row in found]

        return streams.feed(rows, -1 if begin is None else begin, still=auth.still(request))

    @router.get("/staff/review", dependencies=[Depends(auth.needs("viewer", "read:review"))])
    def review() -> list[dict[str, Any]]:
        """What a person should look at."""
        return driver.review()

    whole = Depends(auth.needs("admin", "export", audited=True))

    @router.get("/audit/export", dependencies=[whole], response_class=Response, responses=_JSON)
    def export() -> StreamingResponse:
        """Event log, ledger, visits and receipts as they are now; the format is in
        hub.store.export."""
        file = driver.exported()
        length = str(os.fstat(file.fileno()).st_size)
        return StreamingResponse(
            iter(partial(file.read, CHUNK_BYTES), b""),
            media_type="application/json",
            headers={"Content-Length": length},
            background=BackgroundTask(file.close),
        )


def _shown(who: Principal, state: dict[str, Any]) -> dict[str, Any]:
    """The store as staff see it; a key is told of no payer."""
    if who.kind == "key":
        for visit in state["visits"]:
            visit["payer"] = None
    return state


def _command_routes(
    router: APIRouter, driver: Driver, auth: StaffAuth, settings: HubSettings, keyed: Keyed
) -> None:
    once = Depends(keyed)
    giving = Depends(auth.needs("clerk", "refund"))
    stocking = Depends(auth.needs("clerk", "write:stock"))

    @router.post("/staff/refunds", dependencies=[giving, once])
    def refund(
        request: Request,
        body: RefundVisit,
        who: Principal = giving,
    ) -> Reply:
        """Takes receipt lines back; the same refund_id again changes nothing. A clerk gives back
        up to a limit for each visit, a manager any amount."""
        note(request, target=body.visit_id)
        lines: dict[int, int] = {}
        for row in body.lines:
            lines[row.line] = lines.get(row.line, 0) + row.quantity

        def after(hub: Hub) -> int:
            return refunded_after(hub, body.visit_id, lines, refund_id=body.refund_id)

        return give_back(driver, auth, settings, who, body, after)

    @router.post(
        "/staff/prices", dependencies=[Depends(auth.needs("manager", "write:prices")), once]
    )
    def price(request: Request, body: ChangePrice) -> Reply:
        """A product costs something else from now on."""
        note(request, target=f"{body.gtin} at {body.price_minor}")
        return driver.command(body.model_copy(update={"once_key": command_key(request)}))

    @router.post("/staff/vat", dependencies=[Depends(auth.needs("manager", "write:prices")), once])
    def vat(request: Request, body: ChangeVat) -> Reply:
        """A product has another VAT rate from now on."""
        note(request, target=body.gtin)
        return driver.command(body.model_copy(update={"once_key": command_key(request)}))

    @router.post("/staff/stock", dependencies=[stocking, once])
    def stock(
        request: Request,
        body: Restock,
        who: Principal = stocking,
    ) -> Reply:
        """Pieces were put on a shelf, or, by a manager, taken off it."""
        note(request, target=f"{body.gtin} {body.quantity:+d} in {body.slot_id}")
        if body.quantity < 0:
            auth.demand(who, "manager", "to take pieces off")
        return driver.command(body.model_copy(update={"once_key": command_key(request)}))

    @router.post("/staff/devices/{device_id}/{word}", dependencies=[Depends(auth.needs("manager"))])
    def trust(request: Request, device_id: DeviceId, word: Literal["revoke", "reinstate"]) -> Reply:
        """What a node says does not count any more, or does again."""
        note(request, target=f"{word} {device_id}")
        return driver.command(TrustDevice(device_id=device_id, trusted=word == "reinstate"))
