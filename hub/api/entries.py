"""Entries without a phone: cards at terminals, people let in by staff, badges; and the desk.

A visit without a phone has a token all the same, its claim: twenty characters that open its cart
and receipt as a phone's token does, at /phone/#CLAIM. Who let somebody in hands it out.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.ids import DeviceId, GateId, TrackId
from hub.api.auth import StaffAuth, check_origin, signed
from hub.api.reading import VISIT_PATTERN, VisitId, sha256_of
from hub.api.tiles import check_node
from hub.commands import Reply
from hub.driver import Driver
from hub.settings import HubSettings
from hub.views import claim_view
from hub.visits.codes import claim_code, new_badge
from hub.visits.commands import (
    AddBadge,
    AssignTrack,
    EndVisit,
    LetIn,
    OpenForTrack,
    RevokeBadge,
    SettleAtDesk,
    TapCard,
)

__all__ = ["entry_routes"]

Who = Literal["shopper", "staff"]
StaffName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}$")]
Reason = Annotated[str, Field(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tap(_Body):
    """A card at a gate's terminal: the terminal's own id of the tap, and its token of the card."""

    tap_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
    gate_id: GateId
    card: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z][A-Za-z0-9_-]{7,99}$",
            description="an opaque token of the payment provider, never the card's number",
        ),
    ]


class Entry(_Body):
    """Who is let in at a gate, and why."""

    gate_id: GateId
    who: Who = "shopper"
    by: StaffName = "staff"
    reason: Reason


class BodyVisit(_Body):
    """A visit for a body that has none."""

    who: Who = "shopper"
    by: StaffName = "staff"
    reason: Reason


class Assigned(_Body):
    """Whose a body is."""

    visit_id: Annotated[str, Field(pattern=VISIT_PATTERN)]
    by: StaffName = "staff"


class Ended(_Body):
    """Why a visit is over."""

    by: StaffName = "staff"
    reason: Reason


class Badge(_Body):
    """Whose badge."""

    holder: StaffName
    by: StaffName = "staff"


class Payment(_Body):
    """What was paid at the desk for a visit; the same `payment_id` again changes nothing."""

    payment_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
    method: Literal["cash", "card"]
    amount_minor: Annotated[int, Field(ge=1, le=10**12)]
    by: StaffName = "staff"


def entry_routes(driver: Driver, settings: HubSettings, auth: StaffAuth) -> APIRouter:
    """Routes under /api/v1/terminals and /api/v1/staff."""
    router = APIRouter(prefix="/api/v1", tags=["entries"])
    staff = APIRouter(prefix="/staff", dependencies=[Depends(auth.needs("clerk"))])

    @router.post("/terminals/{node_id}/taps")
    def tap(request: Request, response: Response, node_id: DeviceId, body: Tap) -> dict[str, Any]:
        """A card's tap; ask again with the same tap_id for how its entry stands."""
        check_origin(request)
        check_node(request, node_id, settings)
        response.headers["Cache-Control"] = "no-store"
        name = sha256_of(f"{node_id}/{body.tap_id}")[:20]
        reply = driver.command(
            TapCard(
                tap_id=f"{node_id}:{body.tap_id}"[:127],
                gate_id=body.gate_id,
                card=body.card,
                visit_key=name,
                token_sha256=_claim(driver, name),
            )
        )
        return driver.read(lambda hub: claim_view(hub, reply.visit_id or ""))

    @staff.post("/entries", status_code=201)
    def let_in(request: Request, body: Entry) -> dict[str, Any]:
        """Lets somebody in at a gate: a customer who pays at the desk, or a helper of staff."""
        key = secrets.token_hex(10)
        token = _claim(driver, key)
        reply = driver.command(
            LetIn(**signed(request, body).model_dump(), visit_key=key, token_sha256=token)
        )
        return driver.read(lambda hub: claim_view(hub, reply.visit_id or ""))

    _body_routes(staff, driver)
    _desk_routes(staff, driver, auth)
    router.include_router(staff)
    return router


def _body_routes(staff: APIRouter, driver: Driver) -> None:
    @staff.post("/tracks/{track_id}/visit", status_code=201)
    def open_for_track(request: Request, track_id: TrackId, body: BodyVisit) -> dict[str, Any]:
        """A visit for a body that came in without one."""
        key = secrets.token_hex(10)
        token = _claim(driver, key)
        reply = driver.command(
            OpenForTrack(
                **signed(request, body).model_dump(),
                track_id=track_id,
                visit_key=key,
                token_sha256=token,
            )
        )
        return driver.read(lambda hub: claim_view(hub, reply.visit_id or ""))

    @staff.post("/tracks/{track_id}/assign")
    def assign(request: Request, track_id: TrackId, body: Assigned) -> Reply:
        """This body belongs to that visit."""
        return driver.command(AssignTrack(**signed(request, body).model_dump(), track_id=track_id))

    @staff.post("/visits/{visit_id}/end")
    def end(request: Request, visit_id: VisitId, body: Ended) -> Reply:
        """Everybody of a visit has left, by a way that no gate sees."""
        return driver.command(EndVisit(**signed(request, body).model_dump(), visit_id=visit_id))


def _desk_routes(staff: APIRouter, driver: Driver, auth: StaffAuth) -> None:
    badges = Depends(auth.needs("manager"))

    @staff.post("/visits/{visit_id}/payments")
    def pay(request: Request, visit_id: VisitId, body: Payment) -> Reply:
        """What a visit owes, or a part of it, was paid at the desk."""
        return driver.command(SettleAtDesk(**signed(request, body).model_dump(), visit_id=visit_id))

    @staff.get("/visits/{visit_id}/claim")
    def claim(visit_id: VisitId, response: Response) -> dict[str, Any]:
        """How an entry stands, and the claim of a visit without a phone."""
        response.headers["Cache-Control"] = "no-store"
        return driver.read(lambda hub: claim_view(hub, visit_id))

    @staff.post("/badges", status_code=201, dependencies=[badges])
    def add_badge(request: Request, body: Badge, response: Response) -> dict[str, str]:
        """A new badge. Its code is told this once; print it as a QR code."""
        response.headers["Cache-Control"] = "no-store"
        code = new_badge()
        driver.command(AddBadge(**signed(request, body).model_dump(), badge_sha256=sha256_of(code)))
        return {"holder": body.holder, "code": code}

    @staff.post("/badges/revoke", dependencies=[badges])
    def revoke(request: Request, body: Badge) -> Reply:
        """The badges of a holder open nothing any more."""
        return driver.command(RevokeBadge(**signed(request, body).model_dump()))


def _claim(driver: Driver, visit_key: str) -> str:
    """The SHA-256 of the claim of a visit that is about to be opened."""
    ring = driver.read(lambda hub: hub.entry_keys)
    return sha256_of(claim_code(ring, ring.current, f"v-{visit_key}"))
