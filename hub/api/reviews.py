"""Reviews: the queue of unclear lines, staff's decisions, and what waits how long."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from hub.api.aftercare import Aftercare
from hub.api.auth import StaffAuth, actor
from hub.api.evidence import shown
from hub.command import Reply
from hub.effects import us
from hub.evidence.training import TrainingFolder
from hub.review.commands import DecideReview, Minor, SetAftercare
from hub.review.policy import policy_of
from hub.review.service import review_list

__all__ = ["review_routes"]


class AftercareChange(BaseModel):
    """What is to be another value from now on; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    review_wait_s: Annotated[float, Field(ge=0, le=86_400)] | None = None
    refund_line_minor: Minor | None = None
    refund_payer_day_minor: Minor | None = None
    refund_payer_day_count: Annotated[int, Field(ge=0, le=1_000)] | None = None
    refund_store_day_minor: Minor | None = None


def review_routes(aftercare: Aftercare, auth: StaffAuth) -> APIRouter:
    """Routes of staff."""
    router = APIRouter(prefix="/api/v1/staff", tags=["review"])
    driver = aftercare.driver

    @router.get("/reviews", dependencies=[Depends(auth.needs("viewer", "read:review"))])
    def queue(response: Response) -> dict[str, Any]:
        """Visits with unclear lines, those that wait first, each with its evidence; and the hub's
        time, for countdowns."""
        response.headers["Cache-Control"] = "no-store"
        rows = driver.read(lambda hub: review_list(hub.core.state))
        reaches = [line["reach_id"] for row in rows for line in (*row["lines"], *row["late"])]
        pictures = shown(aftercare, list(dict.fromkeys(reaches)))
        for row in rows:
            own = {line["reach_id"] for line in (*row["lines"], *row["late"])}
            row["evidence"] = [one for one in pictures if one["reach_id"] in own]
        policy = driver.read(lambda hub: policy_of(hub.core.state))
        return {
            "now_s": driver.now(),
            "visits": rows,
            "policy": asdict(policy),
        }

    @router.post("/reviews/decide", dependencies=[Depends(auth.needs("clerk"))])
    def decide(request: Request, body: DecideReview) -> Reply:
        """Confirms an explanation that vision named, or that nothing was taken."""
        training = aftercare.training
        # What a line was before its decision is asked for as training truth only.
        line = None if training is None else _line(aftercare, body)
        reply = driver.command(body.model_copy(update={"by": actor(request)}))
        if not reply.repeated and training is not None and line is not None:
            _keep_truth(aftercare, training, body, line)
        return reply

    @router.post("/aftercare", dependencies=[Depends(auth.needs("manager"))])
    def set_aftercare(request: Request, body: AftercareChange) -> Reply:
        """How long reviews wait and which disputes are refunded at once; 0 turns a part off.
        What is left out stays as it is."""
        told = body.model_dump(exclude_none=True)
        # Between looking and setting nobody else may set.
        with driver.lock:
            held = driver.read(lambda hub: asdict(policy_of(hub.core.state)))
            return driver.command(SetAftercare(**{**held, **told, "by": actor(request)}))

    return router


def _line(aftercare: Aftercare, body: DecideReview) -> dict[str, Any] | None:
    """The unclear line a decision is about, as it was before."""
    for row in aftercare.driver.read(lambda hub: review_list(hub.core.state)):
        if row["visit_id"] == body.visit_id:
            for line in (*row["lines"], *row["late"]):
                if (line["reach_id"], line["line"]) == (body.reach_id, body.line):
                    found: dict[str, Any] = line
                    return found
    return None


def _keep_truth(
    aftercare: Aftercare, training: TrainingFolder, body: DecideReview, line: dict[str, Any]
) -> None:
    """Training truth, where the setting says so."""
    pictures = []
    for row in shown(aftercare, [body.reach_id]):
        found = aftercare.desk.read(row["sha256"])
        if found is not None:
            pictures.append((row["sha256"], found[1], found[0]))
    choice = None if body.choice is None else body.choice.model_dump()
    training.keep(line, choice, pictures, decided_us=us(aftercare.driver.now()))
