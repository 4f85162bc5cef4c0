"""Disputes: opened on the phone with one tap, looked at and decided by staff."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from hub.accounts.model import Principal
from hub.api.aftercare import Aftercare
from hub.api.auth import StaffAuth, actor, check_origin
from hub.api.evidence import disputed_reaches, shown
from hub.api.giving import give_back, upheld_after
from hub.api.reading import Token
from hub.command import Reply
from hub.disputes.commands import DecideDispute, OpenDispute
from hub.disputes.words import WORDS_MAX, keep_words, words_of
from hub.review.policy import policy_of
from hub.service import Hub
from hub.store import tables as t
from hub.store.service import Store
from hub.views import shown_dispute
from hub.visits.status import status

__all__ = ["dispute_routes"]

CLOSED_SHOWN = 50
SHOWN_MAX = 200
"""Disputes in one answer; the others wait behind the oldest."""


class DisputeWish(BaseModel):
    """A line that is wrong, and why, in the shopper's own words if they want."""

    model_config = ConfigDict(extra="forbid")

    dispute_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    line: Annotated[int, Field(ge=1, le=10_000)]
    quantity: Annotated[int, Field(ge=1, le=10_000)] = 1
    words: Annotated[str, Field(max_length=WORDS_MAX)] = ""


class DisputeState(BaseModel):
    """How the dispute stands; `refunded_minor` is what was given back at once."""

    dispute_id: str
    state: str
    refunded_minor: int


def dispute_routes(aftercare: Aftercare, auth: StaffAuth) -> APIRouter:
    """Routes of phones and staff."""
    router = APIRouter(prefix="/api/v1", tags=["disputes"])
    driver = aftercare.driver

    @router.post("/phones/me/disputes", status_code=201)
    def open_dispute(request: Request, token: Token, wish: DisputeWish) -> DisputeState:
        """Disputes pieces of a receipt line; the same dispute_id again changes nothing."""
        check_origin(request)
        visit, _account = driver.visit_by_token(token)
        # Two phones may draw the same name; within its visit it is the phone's own.
        dispute_id = f"{visit.visit_id}.{wish.dispute_id}"[:100]
        command = OpenDispute(
            dispute_id=dispute_id, visit_id=visit.visit_id, line=wish.line, quantity=wish.quantity
        )
        reply = driver.command(command)
        driver.read(lambda hub: keep_words(hub.store, dispute_id, wish.words, driver.now()))
        visit, _account = driver.visit_by_token(token)
        state = visit.disputes[dispute_id]["state"]
        return DisputeState(dispute_id=dispute_id, state=state, refunded_minor=reply.amount_minor)

    @router.get("/phones/me/disputes")
    def own(token: Token, response: Response) -> list[dict[str, Any]]:
        """The visit's disputes with their evidence."""
        response.headers["Cache-Control"] = "no-store"
        visit, _account = driver.visit_by_token(token)
        rows = shown(aftercare, disputed_reaches(visit))
        return [
            {
                **shown_dispute(dispute_id, record),
                "evidence": [
                    {"sha256": row["sha256"], "state": row["state"]}
                    for row in rows
                    if row["reach_id"] in _reaches(visit.lines, record["line"])
                ],
            }
            for dispute_id, record in visit.disputes.items()
        ]

    @router.get("/staff/disputes", dependencies=[Depends(auth.needs("viewer", "read:review"))])
    def queue(response: Response) -> dict[str, Any]:
        """Open disputes, the oldest first, the last closed ones, and what is refunded at once."""
        response.headers["Cache-Control"] = "no-store"
        rows = driver.read(_queue)
        driver.stored(lambda store: _tell_more(store, rows))
        reaches = [reach for row in rows for reach in row["reaches"]]
        pictures = shown(aftercare, reaches)
        for row in rows:
            row["evidence"] = [one for one in pictures if one["reach_id"] in row["reaches"]]
        policy = driver.read(lambda hub: policy_of(hub.core.state))
        return {"disputes": rows, "policy": asdict(policy)}

    deciding = Depends(auth.needs("clerk"))

    @router.post("/staff/disputes/decide", dependencies=[deciding])
    def decide(request: Request, body: DecideDispute, who: Principal = deciding) -> Reply:
        """Upholds a dispute, which gives the money back, or rejects it with a reason. A clerk gives
        back up to a limit for each visit, a manager any amount."""
        wish = body.model_copy(update={"by": actor(request)})

        def after(hub: Hub) -> int:
            return upheld_after(hub, wish.visit_id, wish.dispute_id) if wish.uphold else 0

        return give_back(driver, auth, aftercare.settings, who, wish, after)

    return router


def _queue(hub: Hub) -> list[dict[str, Any]]:
    state = hub.core.state
    still_open: list[dict[str, Any]] = []
    closed: list[dict[str, Any]] = []
    for visit in state.visits.values():
        account = state.wallets.accounts.get(visit.visit_id)
        for dispute_id, record in visit.disputes.items():
            line = next(line for line in visit.lines if line.line == record["line"])
            row = {
                "dispute_id": dispute_id,
                "visit_id": visit.visit_id,
                "status": status(visit, account),
                **record,
                "gtin": line.gtin,
                "name": state.catalog.name(line.gtin),
                "unit_price_minor": line.unit_price_minor,
                "reaches": list(line.reaches),
            }
            (still_open if record["state"] == "open" else closed).append(row)
    closed = sorted(closed, key=lambda row: row["decided_us"])[-CLOSED_SHOWN:]
    rows = [*sorted(still_open, key=lambda row: row["opened_us"]), *reversed(closed)]
    return rows[:SHOWN_MAX]


def _tell_more(store: Store, rows: list[dict[str, Any]]) -> None:
    """Adds what the database has of the rows: the shopper's words and what vision said."""
    words = words_of(store, [row["dispute_id"] for row in rows])
    decisions = _decisions(store, list({row["visit_id"] for row in rows}))
    for row in rows:
        row["words"] = words.get(row["dispute_id"], "")
        row["decisions"] = [one for reach in row["reaches"] for one in decisions.get(reach, ())]


def _decisions(store: Store, visit_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """What vision said of the reaches of some visits, by reach, from the event log."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows = store.select(
        select(t.events)
        .where(t.events.c.visit_id.in_(visit_ids), t.events.c.kind.like("decision.%"))
        .order_by(t.events.c.number)
    )
    for row in rows:
        data = json.loads(row["data"])
        decision = {"number": row["number"], "kind": row["kind"], **data}
        found.setdefault(data["reach_id"], []).append(decision)
    return found


def _reaches(lines: Any, number: int) -> tuple[str, ...]:
    return next((line.reaches for line in lines if line.line == number), ())
