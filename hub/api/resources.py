"""The store as resources, read from the database and paged: visits, receipts, products, stock,
devices, events, what waits for review. For systems with a key of the scope, and for staff.

Nothing here names a payer: a visit is its id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, select

from hub.api.auth import StaffAuth
from hub.api.paging import Cursor, Limit, Page, Reader, page_of
from hub.api.reading import VisitId
from hub.driver import Driver
from hub.errors import UnknownVisitError
from hub.events import newest
from hub.personal import public_data
from hub.store import tables as t
from hub.views import devices_view

__all__ = ["resource_routes"]

Gtin = Annotated[str, Path(pattern=r"^[0-9]{8,14}$")]
Row = dict[str, Any]


class _Out(BaseModel):
    """Times are hub microseconds, amounts minor units of `currency`."""

    model_config = ConfigDict(extra="forbid")


class VisitRow(_Out):
    """A visit as it stands."""

    visit_id: str
    stage: str
    gate_id: str | None
    opened_us: int
    scanned_us: int | None
    exited_us: int | None
    settled_us: int | None
    receipt_us: int | None
    exit_kind: str | None
    lost: bool
    needs_review: bool
    currency: str
    hold_minor: int
    total_minor: int
    charged_minor: int
    captured_minor: int
    debt_minor: int
    refunded_minor: int


class ReceiptLine(_Out):
    """One product of a receipt."""

    line: int
    gtin: str
    name: str
    quantity: int
    unit_price_minor: int
    vat_rate: str
    vat_minor: int
    total_minor: int


class ReceiptRow(_Out):
    """A receipt as it was issued; what was given back since is in its visit."""

    visit_id: str
    issued_us: int
    currency: str
    total_minor: int
    vat_minor: int
    charged_minor: int
    debt_minor: int
    lines: list[ReceiptLine]


class ProductRow(_Out):
    """A product: its price now, and where its pieces are."""

    gtin: str
    name: str
    vat_rate: str
    price_minor: int | None
    initial: int
    restocked: int
    in_carts: int
    sold: int
    unaccounted: int


class StockRow(_Out):
    """Pieces of a product in a slot."""

    slot_id: str
    gtin: str
    on_hand: int


class EventRow(_Out):
    """A row of the event log, without what is personal."""

    number: int
    at_us: int
    kind: str
    visit_id: str | None
    data: dict[str, Any]


class ReviewRow(_Out):
    """A visit that a person should look at."""

    visit_id: str
    stage: str
    opened_us: int
    reasons: list[str]


class DeviceRow(_Out):
    """A node as it was last heard of."""

    device_id: str
    alive: bool
    heard_s_ago: float | None
    software: str | None
    config_revision: Annotated[int | None, Field(description="what the node says it runs")]


def resource_routes(driver: Driver, auth: StaffAuth) -> APIRouter:
    """Routes under /api/v1."""
    router = APIRouter(prefix="/api/v1", tags=["resources"])
    read = Reader(driver)
    _visit_routes(router, auth, read)
    _goods_routes(router, auth, read)
    _log_routes(router, driver, auth, read)
    return router


def _visit_routes(router: APIRouter, auth: StaffAuth, read: Reader) -> None:
    needed = Depends(auth.needs("viewer", "read:visits"))
    columns = [t.visits.c[name] for name in VisitRow.model_fields]

    @router.get("/visits", dependencies=[needed])
    def visits(
        limit: Limit = 50,
        cursor: Cursor = None,
        stage: Annotated[str | None, Query(max_length=16, pattern=r"^[a-z_]+$")] = None,
    ) -> Page[VisitRow]:
        """Visits, the newest first."""
        asked = select(*columns)
        if stage is not None:
            asked = asked.where(t.visits.c.stage == stage)
        keys = ("opened_us", "visit_id")
        rows = read.page("visits", asked, keys, (int, str), limit, cursor, newest_first=True)
        return page_of("visits", rows, limit, keys, lambda row: VisitRow(**row))

    @router.get("/visits/{visit_id}", dependencies=[needed])
    def visit(visit_id: VisitId) -> VisitRow:
        """One visit."""
        rows = read(select(*columns).where(t.visits.c.visit_id == visit_id))
        if not rows:
            raise UnknownVisitError(f"expected a visit of this store, got {visit_id}")
        return VisitRow(**rows[0])

    @router.get("/receipts", dependencies=[needed])
    def receipts(limit: Limit = 50, cursor: Cursor = None) -> Page[ReceiptRow]:
        """Receipts, the newest first."""
        keys = ("issued_us", "visit_id")
        rows = read.page(
            "receipts", _receipts(), keys, (int, str), limit, cursor, newest_first=True
        )
        lines = _lines(read, [row["visit_id"] for row in rows])
        return page_of(
            "receipts",
            rows,
            limit,
            keys,
            lambda row: ReceiptRow(**row, lines=lines.get(row["visit_id"], [])),
        )

    @router.get("/receipts/{visit_id}", dependencies=[needed])
    def receipt(visit_id: VisitId) -> ReceiptRow:
        """The receipt of a visit."""
        rows = read(_receipts().where(t.receipts.c.visit_id == visit_id))
        if not rows:
            raise UnknownVisitError(f"expected a visit with a receipt, got {visit_id}")
        return ReceiptRow(**rows[0], lines=_lines(read, [visit_id]).get(visit_id, []))

    @router.get("/reviews", dependencies=[Depends(auth.needs("viewer", "read:review"))])
    def reviews(limit: Limit = 50, cursor: Cursor = None) -> Page[ReviewRow]:
        """Visits that a person should look at, the newest first."""
        names = ("visit_id", "stage", "opened_us", "review_reasons")
        asked = select(*(t.visits.c[name] for name in names)).where(t.visits.c.needs_review)
        keys = ("opened_us", "visit_id")
        rows = read.page("reviews", asked, keys, (int, str), limit, cursor, newest_first=True)
        return page_of("reviews", rows, limit, keys, _review)


def _goods_routes(router: APIRouter, auth: StaffAuth, read: Reader) -> None:
    needed = Depends(auth.needs("viewer", "read:stock"))
    columns = [t.products.c[name] for name in ProductRow.model_fields if name != "price_minor"]

    @router.get("/products", dependencies=[needed])
    def products(limit: Limit = 50, cursor: Cursor = None) -> Page[ProductRow]:
        """Products, by GTIN."""
        rows = read.page("products", select(*columns), ("gtin",), (str,), limit, cursor)
        prices = _prices(read, [row["gtin"] for row in rows])
        return page_of(
            "products",
            rows,
            limit,
            ("gtin",),
            lambda row: ProductRow(**row, price_minor=prices.get(row["gtin"])),
        )

    @router.get("/products/{gtin}", dependencies=[needed])
    def product(gtin: Gtin) -> ProductRow:
        """One product."""
        rows = read(select(*columns).where(t.products.c.gtin == gtin))
        if not rows:
            raise HTTPException(404, f"expected a product of the store, got {gtin}")
        return ProductRow(**rows[0], price_minor=_prices(read, [gtin]).get(gtin))

    @router.get("/stock", dependencies=[needed])
    def stock(limit: Limit = 50, cursor: Cursor = None) -> Page[StockRow]:
        """Pieces on shelves, by slot and GTIN."""
        keys = ("slot_id", "gtin")
        asked = select(*(t.stock.c[name] for name in StockRow.model_fields))
        rows = read.page("stock", asked, keys, (str, str), limit, cursor)
        return page_of("stock", rows, limit, keys, lambda row: StockRow(**row))


def _log_routes(router: APIRouter, driver: Driver, auth: StaffAuth, read: Reader) -> None:
    @router.get("/events", dependencies=[Depends(auth.needs("viewer", "read:events"))])
    def events(
        limit: Limit = 50,
        cursor: Cursor = None,
        kind: Annotated[str | None, Query(max_length=100, pattern=r"^[a-z_.]+$")] = None,
    ) -> Page[EventRow]:
        """The event log, the oldest first; the cursor of the last page is worth keeping."""
        names = ("number", "at_us", "kind", "visit_id", "data")
        asked = select(*(t.events.c[name] for name in names))
        if kind is not None:
            asked = asked.where(t.events.c.kind == kind)
        rows = read.page("events", asked, ("number",), (int,), limit, cursor)
        return page_of("events", rows, limit, ("number",), _event)

    @router.get("/devices", dependencies=[Depends(auth.needs("viewer", "read:devices"))])
    def devices() -> list[DeviceRow]:
        """The nodes of the store."""
        return [
            DeviceRow(**{name: row[name] for name in DeviceRow.model_fields})
            for row in driver.read(lambda hub: devices_view(hub, driver.now()))
        ]


def _event(row: Row) -> EventRow:
    data = newest(row["kind"], json.loads(row["data"]))
    return EventRow(**{**row, "data": public_data(row["kind"], data)})


def _review(row: Row) -> ReviewRow:
    reasons = json.loads(row["review_reasons"])
    return ReviewRow(
        visit_id=row["visit_id"], stage=row["stage"], opened_us=row["opened_us"], reasons=reasons
    )


def _receipts() -> Select[Any]:
    names = [name for name in ReceiptRow.model_fields if name != "lines"]
    return select(*(t.receipts.c[name] for name in names))


def _lines(read: Reader, visits: Sequence[str]) -> dict[str, list[ReceiptLine]]:
    column = t.receipt_lines.c
    found: dict[str, list[ReceiptLine]] = {}
    asked = select(column.visit_id, *(column[name] for name in ReceiptLine.model_fields))
    for row in read(asked.where(column.visit_id.in_(visits)).order_by(column.line)):
        visit_id = row.pop("visit_id")
        found.setdefault(visit_id, []).append(ReceiptLine(**row))
    return found


def _prices(read: Reader, gtins: Sequence[str]) -> dict[str, int]:
    column = t.prices.c
    asked = select(column.gtin, column.price_minor).where(column.gtin.in_(gtins))
    return {row["gtin"]: row["price_minor"] for row in read(asked.order_by(column.from_us))}
