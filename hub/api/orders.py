"""Orders to be fetched, what customers bring back, routes of vans, and a phone's own parcels."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contracts.ids import WallId
from hub.accounts.model import Principal
from hub.api.auth import Limiter, StaffAuth, check_origin, client_of, note, signed
from hub.api.giving import give_back
from hub.api.idempotent import Keyed
from hub.api.paging import Cursor, Limit
from hub.api.parcels import Listed, sliced
from hub.api.phones import SVG, qr_picture
from hub.api.reading import Token, WallPath, sha256_of
from hub.commands import Reply
from hub.driver import Driver
from hub.effects import us
from hub.errors import UnknownParcelError
from hub.parcels.codes import digest_of, holder_of, pickup_code
from hub.parcels.commands import (
    PARCELS_MAX,
    STOPS_MAX,
    ActId,
    CancelOrder,
    Key,
    LoadRoute,
    MoveRoute,
    OpenAtWall,
    OrderedParcel,
    OrderId,
    PlaceOrder,
    Reason,
    ReleaseOrder,
    ReturnGoods,
    RouteStop,
    StaffName,
)
from hub.parcels.model import Order
from hub.parcels.service import order_of
from hub.parcels.stored import contact_of, keep_contact, loaded, order_record
from hub.parcels.views import order_view, phone_orders, route_view
from hub.receipts.link import receipt_path
from hub.service import Hub
from hub.settings import HubSettings
from hub.visits.codes import claim_codes
from hub.visits.model import Visit

__all__ = ["OPENS_PER_MINUTE_MAX", "order_routes"]

OrderPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
OPENS_PER_MINUTE_MAX = 60


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewOrder(_Body):
    """An order and whose it is. Without a token and a code the hub makes a code, and tells it."""

    order_id: OrderId
    payer: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", description="who pays what is due"),
    ] = None
    wallet: Annotated[
        SecretStr | None,
        Field(min_length=20, max_length=100, description="the token of the wallet that pays"),
    ] = None
    token: Annotated[
        SecretStr | None,
        Field(
            min_length=20,
            max_length=100,
            description="a secret of the customer's phone: it shows the order and opens the wall",
        ),
    ] = None
    code: Annotated[
        SecretStr | None,
        Field(min_length=8, max_length=200, description="what the customer scans at the wall"),
    ] = None
    name: Annotated[
        str, Field(max_length=120, description="the customer's, for staff; erased on schedule")
    ] = ""
    phone: Annotated[str, Field(max_length=40, pattern=r"^[0-9+() /.-]*$")] = ""
    due_minor: Annotated[int | None, Field(ge=0, le=10**12)] = None
    deadline_s: Annotated[
        float | None, Field(ge=0, le=1e11, description="hub seconds (UTC); none: no deadline")
    ] = None
    parcels: Annotated[tuple[OrderedParcel, ...], Field(max_length=PARCELS_MAX)] = ()


class Off(_Body):
    """Why an order is off."""

    by: StaffName = "staff"
    reason: Reason = ""


class Released(_Body):
    """Until when what there is of an order may be fetched."""

    by: StaffName = "staff"
    deadline_s: Annotated[float | None, Field(ge=0, le=1e11)] = None


class Back(_Body):
    """Parcels that a customer brought back, and whether they are refunded."""

    return_id: ActId
    keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=PARCELS_MAX)]
    refund: bool = True
    by: StaffName = "staff"
    reason: Reason = ""


class NewRoute(_Body):
    """A van's stops in order."""

    route_id: OrderId
    wall_id: WallId
    stops: Annotated[tuple[RouteStop, ...], Field(min_length=1, max_length=STOPS_MAX)]
    by: StaffName = "staff"


class Moved(_Body):
    """Where the van is thought to stand (0 is the first stop, -1 before it), and which way."""

    at: Annotated[int, Field(ge=-1, le=STOPS_MAX)]
    back: bool = False
    by: StaffName = "staff"


def order_routes(
    driver: Driver, settings: HubSettings, auth: StaffAuth, keyed: Keyed, limiter: Limiter
) -> APIRouter:
    """Routes under /api/v1/orders, /api/v1/routes and /api/v1/phones/me."""
    router = APIRouter(prefix="/api/v1", tags=["orders"])
    _reading(router, driver, auth)
    _changing(router, driver, settings, auth, keyed)
    _vans(router, driver, auth, keyed)
    _phones(router, driver, limiter)
    return router


def _reading(router: APIRouter, driver: Driver, auth: StaffAuth) -> None:
    seeing = Depends(auth.needs("viewer", "read:orders"))

    @router.get("/orders", dependencies=[seeing])
    def orders(
        response: Response,
        state: Annotated[
            Literal["open", "collected", "expired", "cancelled"] | None, Query()
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        who: Principal = seeing,
    ) -> Listed:
        """Orders the hub still knows, the newest first."""
        response.headers["Cache-Control"] = "no-store"

        def rows(hub: Hub) -> Listed:
            known = [
                order
                for order in hub.core.state.parcels.orders.values()
                if state in (None, order.state)
            ]
            known.sort(key=_newest_first)
            found = sliced("orders", known, _newest_first, (int, str), limit, cursor)
            return Listed(
                items=[_shown(who, order_view(hub.core.state, one)) for one in found[0]],
                next=found[1],
            )

        return driver.read(rows)

    @router.get("/orders/{order_id}", dependencies=[seeing])
    def order(response: Response, order_id: OrderPath, who: Principal = seeing) -> dict[str, Any]:
        """One order with its parcels; staff see whose it is until that is forgotten."""
        response.headers["Cache-Control"] = "no-store"
        shown = driver.read(lambda hub: _shown(who, _view(hub, order_id)))
        if who.kind != "key":
            shown |= driver.stored(lambda store: contact_of(store, order_id))
        return shown


def _changing(
    router: APIRouter, driver: Driver, settings: HubSettings, auth: StaffAuth, keyed: Keyed
) -> None:
    placing = Depends(auth.needs("clerk", "write:orders"))
    managing = [Depends(auth.needs("manager", "write:orders"))]
    returning = Depends(auth.needs("clerk", "refund"))

    @router.post("/orders", status_code=201, dependencies=[placing])
    def place(
        request: Request, response: Response, body: NewOrder, who: Principal = placing
    ) -> dict[str, Any]:
        """An order is expected. Its id makes it one of a kind: the same again changes nothing.

        `code` is told only where the hub made it.
        """
        response.headers["Cache-Control"] = "no-store"
        if (body.payer or "").startswith(("guest-", "card:", "staff:")):
            raise HTTPException(422, "expected a payer's own name, got one the hub gives")
        note(request, target=body.order_id)
        code, made = body.code, None
        if code is None and body.token is None and body.wallet is None:
            made = driver.read(lambda hub: _code(hub, body.order_id))
            code = SecretStr(made)
        driver.command(
            PlaceOrder(
                order_id=body.order_id,
                payer=body.payer,
                wallet_sha256=_sha256(body.wallet),
                token_sha256=_sha256(body.token),
                code_sha256=None if code is None else digest_of(code.get_secret_value()),
                due_minor=body.due_minor,
                deadline_s=body.deadline_s,
                parcels=body.parcels,
            )
        )
        shown = driver.read(lambda hub: _shown(who, _view(hub, body.order_id)))
        if shown["state"] == "open":
            # Of one that is over nothing is kept that was forgotten, or soon will be.
            driver.read(lambda hub: _reach(hub, body, driver.now()))
        return {**shown, "code": made}

    @router.post("/orders/{order_id}/cancel", dependencies=managing)
    def cancel(request: Request, order_id: OrderPath, body: Off | None = None) -> Reply:
        """An order is off; what shines for it goes dark at once."""
        wish = signed(request, body or Off())
        return driver.command(CancelOrder(order_id=order_id, by=wish.by, reason=wish.reason))

    @router.post("/orders/{order_id}/release", dependencies=managing)
    def release(request: Request, order_id: OrderPath, body: Released | None = None) -> Reply:
        """What has been stowed of an order may be fetched, whatever is still expected."""
        wish = signed(request, body or Released())
        return driver.command(
            ReleaseOrder(order_id=order_id, by=wish.by, deadline_s=wish.deadline_s)
        )

    @router.post("/orders/{order_id}/returns", dependencies=[returning, Depends(keyed)])
    def back(
        request: Request, order_id: OrderPath, body: Back, who: Principal = returning
    ) -> Reply:
        """A customer brought parcels back; what was charged for them is refunded. A clerk gives
        back up to the limit of a visit, a manager any amount."""
        wish = ReturnGoods(order_id=order_id, **signed(request, body).model_dump())
        return give_back(
            driver, auth, settings, who, wish,
            lambda hub: _back_minor(hub, order_id, body), of="an order",
        )  # fmt: skip


def _vans(router: APIRouter, driver: Driver, auth: StaffAuth, keyed: Keyed) -> None:
    driving = [Depends(auth.needs("clerk", "write:orders"))]

    @router.post("/routes", status_code=201, dependencies=driving)
    def load(request: Request, body: NewRoute) -> dict[str, Any]:
        """The stops of a van, in order; what is wrong is said stop by stop."""
        wish = signed(request, body)
        driver.command(LoadRoute(**wish.model_dump()))
        return driver.read(lambda hub: _route(hub, body.route_id))

    @router.get("/routes/{route_id}", dependencies=[Depends(auth.needs("viewer", "read:orders"))])
    def route(response: Response, route_id: OrderPath) -> dict[str, Any]:
        """A route, where the van stands, and what was left behind."""
        response.headers["Cache-Control"] = "no-store"
        return driver.read(lambda hub: _route(hub, route_id))

    @router.post("/routes/{route_id}/next", dependencies=[*driving, Depends(keyed)])
    def move(request: Request, route_id: OrderPath, body: Moved) -> dict[str, Any]:
        """The van is at its next stop, or back at the one before."""
        wish = signed(request, body)
        driver.command(MoveRoute(route_id=route_id, **wish.model_dump()))
        return driver.read(lambda hub: _route(hub, route_id))


def _phones(router: APIRouter, driver: Driver, limiter: Limiter) -> None:
    @router.get("/phones/me/parcels")
    def mine(token: Token, response: Response) -> dict[str, Any]:
        """A phone's own orders, and the code that opens a wall for them now."""
        response.headers["Cache-Control"] = "no-store"
        secret = sha256_of(token)

        def view(hub: Hub) -> dict[str, Any]:
            state = hub.core.state
            shown = phone_orders(state, secret)
            if not shown["orders"]:
                raise UnknownParcelError("expected a token with orders, this one has none")
            code, turns_s = None, None
            if any(order["ready"] for order in shown["orders"]):
                code, turns_s = pickup_code(
                    hub.entry_keys,
                    state.rules,
                    state.store.store_id,
                    holder_of(secret),
                    used=state.parcels.holders.get(holder_of(secret), 0),
                    now_s=driver.now(),
                )
            for order in shown["orders"]:
                order["receipt_paths"] = _receipts(hub, order["receipts"])
            return {**shown, "now_s": driver.now(), "code": code, "code_turns_s": turns_s}

        return driver.read(view)

    @router.get("/phones/me/parcels/qr.svg", response_class=Response, responses=SVG)
    def qr(token: Token) -> Response:
        """The code that opens a wall now, as a picture; 409 while nothing waits for this phone."""
        code = mine(token, Response())["code"]
        if code is None:
            raise HTTPException(409, "expected a phone with parcels to fetch, nothing is ready")
        return qr_picture(code)

    @router.post("/phones/me/walls/{wall_id}/open")
    def open_wall(request: Request, wall_id: WallPath, token: Token) -> dict[str, Any]:
        """Shows the phone's parcels at a wall."""
        check_origin(request)
        limiter.check(request, "too many tries from here; wait a minute")
        limiter.count(client_of(request))
        secret = sha256_of(token)
        driver.command(OpenAtWall(wall_id=wall_id, token_sha256=secret))
        return driver.read(lambda hub: phone_orders(hub.core.state, secret))


def _newest_first(order: Order) -> tuple[int, str]:
    return -us(order.placed_s), order.order_id


def _receipts(hub: Hub, visit_ids: list[str]) -> list[str]:
    """The addresses of these sales' receipts, each of which opens that receipt alone."""
    found = []
    for visit_id in visit_ids:
        visit = hub.core.state.visits.get(visit_id)
        if visit is None:
            record = hub.store.visit_record(visit_id=visit_id)
            visit = None if record is None else Visit.load(record["visit"])
        if visit is not None:
            found.append(receipt_path(visit_id, visit.token_sha256))
    return found


def _shown(who: Principal, view: dict[str, Any]) -> dict[str, Any]:
    """An order as this asker may see it: a key learns no payer."""
    return {**view, "payer": None} if who.kind == "key" else view


def _view(hub: Hub, order_id: str) -> dict[str, Any]:
    """An order from memory, or from the database once it left that."""
    state = hub.core.state
    if order_id not in state.parcels.orders:
        record = order_record(hub.store, order_id)
        if record is not None:
            return order_view(state, *loaded(record))
    return order_view(state, order_of(state, order_id))


def _reach(hub: Hub, body: NewOrder, now_s: float) -> None:
    """Keeps how to reach an order's customer, if that was said."""
    if body.name or body.phone:
        keep_contact(hub.store, body.order_id, body.name, body.phone, now_s)


def _code(hub: Hub, order_id: str) -> str:
    """The code that the hub makes for an order: of one that it knows the one it made, whichever of
    its keys it was made with."""
    order = hub.core.state.parcels.orders.get(order_id)
    record = None if order is not None else order_record(hub.store, order_id)
    known = loaded(record)[0] if record is not None else order
    codes = claim_codes(hub.entry_keys, f"order {order_id}")
    mine = (code for code in codes if known is not None and digest_of(code) == known.code_sha256)
    return next(mine, codes[0])


def _back_minor(hub: Hub, order_id: str, body: Back) -> int:
    """What of an order will have been given back with this."""
    if not body.refund:
        return 0
    shown = _view(hub, order_id)
    return sum(
        parcel["due_minor"]
        for parcel in shown["parcels"]
        if parcel["visit_id"] is not None
        and (parcel["key"] in body.keys or parcel["state"] == "returned")
    )


def _route(hub: Hub, route_id: str) -> dict[str, Any]:
    route = hub.core.state.parcels.routes.get(route_id)
    if route is None:
        raise UnknownParcelError(f"expected a route of this store, got {route_id}")
    return route_view(hub.core.state, route)


def _sha256(secret: SecretStr | None) -> str | None:
    return None if secret is None else sha256_of(secret.get_secret_value())
