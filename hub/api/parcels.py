"""Parcels: which are expected, where they stand, where one may be put, which nobody finds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from contracts.ids import WallId
from hub.api.auth import StaffAuth, note, signed
from hub.api.paging import Cursor, Limit, read_cursor, write_cursor
from hub.commands import Reply
from hub.driver import Driver
from hub.parcels.commands import (
    AddParcel,
    OrderedParcel,
    OrderId,
    ReportMissing,
    StaffName,
    StowParcel,
)
from hub.parcels.model import ParcelState
from hub.parcels.service import parcel_of
from hub.parcels.views import parcel_view
from hub.service import Hub

__all__ = ["By", "Listed", "parcel_routes", "sliced"]

T = TypeVar("T")
Key = Annotated[str, Path(pattern=r"^(sscc|text):.+$", max_length=261)]


class Listed(BaseModel):
    """Some rows of a list; `next` is null on the last page."""

    model_config = ConfigDict(extra="forbid")

    items: list[dict[str, Any]]
    next: str | None = None


class Expected(BaseModel):
    """One more parcel of an order."""

    model_config = ConfigDict(extra="forbid")

    order_id: OrderId
    parcel: OrderedParcel


class Stow(BaseModel):
    """On which wall a parcel shall stand."""

    model_config = ConfigDict(extra="forbid")

    wall_id: WallId
    by: StaffName = "staff"


class By(BaseModel):
    """Who of the staff says so."""

    model_config = ConfigDict(extra="forbid")

    by: StaffName = "staff"


def parcel_routes(driver: Driver, auth: StaffAuth) -> APIRouter:
    """Routes under /api/v1/parcels. A key is `sscc:` and 18 digits, or `text:` and the label."""
    router = APIRouter(prefix="/api/v1", tags=["parcels"])
    seeing = [Depends(auth.needs("viewer", "read:orders"))]
    stowing = [Depends(auth.needs("clerk", "write:orders"))]

    @router.get("/parcels", dependencies=seeing)
    def parcels(
        response: Response,
        state: Annotated[ParcelState | None, Query()] = None,
        wall_id: Annotated[str | None, Query(max_length=63)] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Listed:
        """Parcels of orders the hub still knows, by their keys."""
        response.headers["Cache-Control"] = "no-store"

        def rows(hub: Hub) -> Listed:
            room = hub.core.state.parcels
            known = [
                parcel
                for _, parcel in sorted(room.all.items())
                if state in (None, parcel.state) and wall_id in (None, parcel.wall_id)
            ]
            found, following = sliced(
                "parcels", known, lambda one: (one.key,), (str,), limit, cursor
            )
            return Listed(items=[parcel_view(hub.core.state, one) for one in found], next=following)

        return driver.read(rows)

    @router.post("/parcels", status_code=201, dependencies=stowing)
    def expect(request: Request, body: Expected) -> Reply:
        """One more parcel of an order is expected; the same again changes nothing."""
        note(request, target=body.order_id)
        return driver.command(AddParcel(order_id=body.order_id, parcel=body.parcel))

    @router.get("/parcels/{key:path}", dependencies=seeing)
    def parcel(response: Response, key: Key) -> dict[str, Any]:
        """One parcel."""
        response.headers["Cache-Control"] = "no-store"
        return driver.read(lambda hub: parcel_view(hub.core.state, parcel_of(hub.core.state, key)))

    @router.post("/parcels/{key:path}/stow", dependencies=stowing)
    def stow(request: Request, key: Key, body: Stow) -> dict[str, Any]:
        """Shows on a wall where a parcel shall be put; it counts as stowed once it stands."""
        wish = signed(request, body)
        driver.command(StowParcel(key=key, wall_id=wish.wall_id, by=wish.by))
        return driver.read(lambda hub: _place(hub, key, body.wall_id))

    @router.post("/parcels/{key:path}/missing", dependencies=stowing)
    def missing(request: Request, key: Key, body: By | None = None) -> Reply:
        """Nobody finds a parcel; the rest of its order waits for it no more."""
        wish = signed(request, body or By())
        return driver.command(ReportMissing(key=key, by=wish.by))

    return router


def sliced(
    kind: str,
    rows: Sequence[T],
    key: Callable[[T], tuple[int | str, ...]],
    types: Sequence[type],
    limit: int,
    cursor: str | None,
) -> tuple[list[T], str | None]:
    """A page of rows that are in memory, ordered by `key`, and the cursor of the next one. The row
    that the page before ended with may be gone by now."""
    after = read_cursor(kind, cursor, types)
    begin = 0 if after is None else bisect_right(rows, tuple(after), key=key)
    found = list(rows[begin : begin + limit])
    more = begin + limit < len(rows)
    return found, write_cursor(kind, key(found[-1])) if more and found else None


def _place(hub: Hub, key: str, wall_id: str) -> dict[str, Any]:
    wall = hub.core.state.parcels.walls[wall_id]
    place = next((one.place_m for one in wall.live() if one.placing == key), None)
    return {"key": key, "wall_id": wall_id, "place_m": place}
