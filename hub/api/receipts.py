"""Receipts: as a page by an address of its own, as JSON, as PDF, and by e-mail."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.api.aftercare import Aftercare
from hub.api.auth import StaffAuth, check_origin, client_of
from hub.api.reading import Token, VisitId
from hub.receipts import outbox
from hub.receipts.document import Receipt, as_json
from hub.receipts.link import visit_of_link
from hub.receipts.page import receipt_html

__all__ = ["receipt_routes"]

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
Link = Annotated[str, Path(min_length=20, max_length=200, pattern=r"^[A-Za-z0-9_.:-]+$")]
_PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


class MailWish(BaseModel):
    """Where a receipt should go. The same `mail_id` again sends nothing twice."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[SecretStr, Field(min_length=3, max_length=254)]
    mail_id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{8,40}$")] = None


class MailState(BaseModel):
    """How a mail stands; without its address."""

    mail_id: str
    state: str


class Mails(BaseModel):
    """All mails of a receipt."""

    available: bool
    mails: list[MailState]


def receipt_routes(aftercare: Aftercare, auth: StaffAuth) -> APIRouter:
    """Routes of phones and staff, and the page."""
    router = APIRouter(tags=["receipts"])
    settings = aftercare.settings

    def of_token(token: str) -> Receipt:
        visit, _account = aftercare.driver.visit_by_token(token)
        return aftercare.errands.receipt(visit.visit_id)

    def of_link(link: str) -> Receipt:
        return aftercare.errands.receipt(visit_of_link(aftercare.driver, link))

    @router.get("/receipt/{link}", response_class=HTMLResponse, include_in_schema=False)
    def page(link: Link) -> HTMLResponse:
        """The receipt as a page that prints; the link stays good and opens nothing else."""
        html = receipt_html(
            of_link(link),
            pdf_url=f"/receipt/{link}/pdf",
            seller=settings.receipt_seller,
        )
        return HTMLResponse(html, headers={**_PRIVATE, "Content-Security-Policy": POLICY})

    @router.get("/receipt/{link}/pdf", include_in_schema=False)
    def page_pdf(link: Link) -> Response:
        """The same as PDF."""
        return _pdf(aftercare, of_link(link))

    @router.get("/api/v1/phones/me/receipt")
    def document(token: Token, response: Response) -> dict[str, Any]:
        """The receipt as JSON; 422 before the settlement."""
        response.headers.update(_PRIVATE)
        return as_json(of_token(token))

    @router.get("/api/v1/phones/me/receipt.pdf")
    def pdf(token: Token) -> Response:
        """The receipt as PDF."""
        return _pdf(aftercare, of_token(token))

    @router.get(
        "/api/v1/staff/visits/{visit_id}/receipt.pdf",
        dependencies=[Depends(auth.needs("clerk"))],
    )
    def staff_pdf(visit_id: VisitId) -> Response:
        """The receipt of a visit, for a shopper who asks at the desk."""
        return _pdf(aftercare, aftercare.errands.receipt(visit_id))

    _mail_routes(router, aftercare)
    return router


def _mail_routes(router: APIRouter, aftercare: Aftercare) -> None:
    driver = aftercare.driver

    @router.post("/api/v1/phones/me/receipt/mails", status_code=202)
    def mail(request: Request, token: Token, wish: MailWish) -> MailState:
        """Sends the receipt by e-mail. The address is erased once that is done."""
        check_origin(request)
        if aftercare.errands.sender is None:
            raise HTTPException(409, "this store sends no e-mail; save the receipt as PDF")
        aftercare.mails.check(request, "too many mails from here; wait a minute")
        aftercare.mails.count(client_of(request))
        visit, _account = driver.visit_by_token(token)
        aftercare.errands.receipt(visit.visit_id)
        # A phone's own key is good within its visit only.
        mail_id = f"{visit.visit_id}-{wish.mail_id or secrets.token_hex(8)}"[:64]
        address = wish.address.get_secret_value()
        driver.read(
            lambda hub: outbox.enqueue(hub.store, mail_id, visit.visit_id, address, driver.now())
        )
        return MailState(mail_id=mail_id, state="waiting")

    @router.get("/api/v1/phones/me/receipt/mails")
    def mails(token: Token, response: Response) -> Mails:
        """Whether this store sends e-mail, and how the mails of this receipt stand."""
        response.headers.update(_PRIVATE)
        visit, _account = driver.visit_by_token(token)
        rows = driver.read(lambda hub: outbox.state_of(hub.store, visit.visit_id))
        return Mails(
            available=aftercare.errands.sender is not None,
            mails=[MailState(mail_id=row["mail_id"], state=row["state"]) for row in rows],
        )


def _pdf(aftercare: Aftercare, receipt: Receipt) -> Response:
    name = f"receipt-{receipt.number}.pdf"
    return Response(
        aftercare.printer.render(receipt),
        media_type="application/pdf",
        headers={**_PRIVATE, "Content-Disposition": f'inline; filename="{name}"'},
    )
