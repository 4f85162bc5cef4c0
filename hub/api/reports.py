"""Reports for staff: VAT of a day, what the gateway says beside the books, the fiscal journal."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from hub.api.auth import StaffAuth
from hub.driver import Driver
from hub.errors import GatewaySetupError, GatewayTimeoutError
from hub.fiscal.keeper import FiscalKeeper
from hub.reports.reconcile import reconciliation_document
from hub.reports.service import books_of, compare, fiscal_status, vat_of
from hub.reports.vat import VatReport, vat_document, vat_page

__all__ = ["report_routes"]

Day = Annotated[
    str,
    Query(
        pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$",
        description="a store day such as 2026-03-31, a month or a year",
    ),
]
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def report_routes(driver: Driver, auth: StaffAuth) -> APIRouter:
    """Routes under /api/v1/staff; they only read."""
    managing = [Depends(auth.needs("manager", "export"))]
    router = APIRouter(prefix="/api/v1/staff", tags=["reports"], dependencies=managing)

    def vat_for(day: str) -> VatReport:
        layout = driver.read(lambda hub: hub.core.state.store)
        return driver.stored(lambda store: vat_of(store, layout, day))

    @router.get("/reports/vat")
    def vat(day: Day, response: Response) -> dict[str, Any]:
        """What was sold and taken back, per VAT rate; equal to the ledger's accounts."""
        response.headers["Cache-Control"] = "no-store"
        return vat_document(vat_for(day))

    @router.get("/reports/vat.html", response_class=HTMLResponse)
    def vat_html(day: Day) -> HTMLResponse:
        """The same as a page to print."""
        name = driver.read(lambda hub: hub.core.state.store.name)
        return HTMLResponse(
            vat_page(vat_for(day), name=name),
            headers={"Cache-Control": "no-store", "Content-Security-Policy": PAGE_POLICY},
        )

    @router.get("/reports/reconciliation")
    def reconciliation(response: Response) -> dict[str, Any]:
        """Every hold as the books have it beside the gateway; 503 if it cannot be read now."""
        response.headers["Cache-Control"] = "no-store"
        currency = driver.read(lambda hub: hub.core.state.store.currency)
        try:
            report = compare(lambda: driver.stored(books_of), driver.hub.gateway, currency)
        except (GatewayTimeoutError, GatewaySetupError) as error:
            raise HTTPException(503, str(error)) from error
        return reconciliation_document(report)

    @router.get("/fiscal")
    def fiscal(request: Request, response: Response) -> dict[str, Any]:
        """Where the fiscal journal stands; "fault" says why it is behind, if it is."""
        response.headers["Cache-Control"] = "no-store"
        keeper: FiscalKeeper | None = getattr(request.app.state, "fiscal", None)
        fault = None if keeper is None else keeper.fault
        return {**driver.stored(fiscal_status), "kept": keeper is not None, "fault": fault}

    return router
