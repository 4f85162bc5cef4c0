"""Evidence over HTTP: nodes send what was asked for; staff and the visit's own phone look at it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from hub.api.aftercare import Aftercare
from hub.api.auth import StaffAuth
from hub.api.reading import Token, body_of
from hub.api.tiles import check_node
from hub.evidence.desk import EVIDENCE_BYTES_MAX
from hub.visits.model import Visit

__all__ = ["disputed_reaches", "evidence_routes", "shown"]

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
EvidenceId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
ReachId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]


def evidence_routes(aftercare: Aftercare, auth: StaffAuth) -> APIRouter:
    """Routes of nodes (bearer token), staff, and phones (their own disputes only)."""
    router = APIRouter(prefix="/api/v1", tags=["evidence"])
    driver, desk = aftercare.driver, aftercare.desk

    @router.put("/nodes/{device}/evidence/{evidence}", status_code=204)
    async def put(request: Request, device: Name, evidence: EvidenceId) -> None:
        """A node sends a piece that was asked for; it must be what the event announced."""
        check_node(request, device, aftercare.settings)
        await run_in_threadpool(desk.wanted, driver.hub, device, evidence)
        body = await body_of(request, EVIDENCE_BYTES_MAX)
        await run_in_threadpool(desk.take, driver.hub, device, evidence, body)

    @router.put("/nodes/{device}/evidence/{evidence}/gone", status_code=204)
    def gone(request: Request, device: Name, evidence: EvidenceId) -> None:
        """A node says that a piece is not there any more."""
        check_node(request, device, aftercare.settings)
        desk.missing(driver.hub, device, evidence)

    @router.get(
        "/staff/evidence/{sha256}", dependencies=[Depends(auth.needs("viewer", audited=True))]
    )
    def look(sha256: Sha256) -> Response:
        """A piece, blurred by its node; 404 if it is not here."""
        return _picture(aftercare, sha256)

    @router.get("/staff/reaches/{reach}/evidence", dependencies=[Depends(auth.needs("viewer"))])
    def of_reach(reach: ReachId) -> list[dict[str, Any]]:
        """What there is of a reach."""
        return shown(aftercare, [reach])

    @router.post(
        "/staff/reaches/{reach}/evidence",
        dependencies=[Depends(auth.needs("clerk"))],
        status_code=202,
    )
    def ask(reach: ReachId) -> list[dict[str, Any]]:
        """Asks the node for what it has of a reach, review or not."""
        out = desk.due(driver.hub, [reach], driver.now())
        if driver.bus is not None:
            driver.bus.publish(out)
        return shown(aftercare, [reach])

    @router.get("/phones/me/evidence/{sha256}")
    def own(token: Token, sha256: Sha256) -> Response:
        """A piece of a line that this phone disputes; 404 for anybody else's."""
        visit, _account = driver.visit_by_token(token)
        rows = desk.of_reaches(driver.hub, disputed_reaches(visit))
        if not any(row["sha256"] == sha256 for row in rows):
            raise HTTPException(404, "expected evidence of a line you dispute")
        return _picture(aftercare, sha256)

    return router


def disputed_reaches(visit: Visit) -> list[str]:
    """Reaches behind the lines that a visit disputes."""
    numbers = {record["line"] for record in visit.disputes.values()}
    return [reach for line in visit.lines if line.line in numbers for reach in line.reaches]


def shown(aftercare: Aftercare, reaches: list[str]) -> list[dict[str, Any]]:
    """Evidence of some reaches as pages show it."""
    rows = aftercare.desk.of_reaches(aftercare.driver.hub, reaches)
    return [
        {
            name: row[name]
            for name in ("reach_id", "device_id", "evidence_id", "sha256", "media_type", "state")
        }
        for row in rows
    ]


def _picture(aftercare: Aftercare, sha256: str) -> Response:
    found = aftercare.desk.read(sha256)
    if found is None:
        raise HTTPException(404, "this evidence is not here; it is asked for, or it expired")
    data, media_type = found
    return Response(
        data,
        media_type=media_type,
        headers={"Cache-Control": "no-store"},
    )
