"""Pick-up walls live: for staff, for the kiosk before them, and what is scanned at a kiosk.

A kiosk has a token of its own (SORTIE_HUB_SCREEN_TOKENS, by the wall's id), as displays at exits
have; without one a wall's kiosk is for this machine only, or for staff who are signed in.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from contracts.ids import ScannerId
from hub.accounts.model import Principal
from hub.api.auth import Limiter, Needs, StaffAuth, check_origin, client_of, has_token, signed
from hub.api.idempotent import Keyed
from hub.api.parcels import By
from hub.api.reading import WallPath
from hub.api.streams import AT_WALL_S, EventStream, Still, Streams
from hub.commands import Reply
from hub.driver import Driver
from hub.parcels.codes import digest_of, judge_pickup
from hub.parcels.commands import CalibrateWall, ClearAlarm, ScanAtWall
from hub.parcels.views import kiosk_view, wall_row, wall_view
from hub.service import Hub
from hub.settings import HubSettings

__all__ = ["wall_routes"]

SCANS_PER_MINUTE_MAX = 120


class Scan(BaseModel):
    """What was read at a kiosk: a code of a customer or of staff, or a parcel's label."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(min_length=1, max_length=512)]
    scanner_id: ScannerId | None = None


class Cleared(By):
    """What became of the parcel that an alarm is about; `seen` says nothing about it."""

    outcome: Literal["seen", "handed_over", "missing"] = "seen"


def wall_routes(
    driver: Driver, streams: Streams, auth: StaffAuth, settings: HubSettings, keyed: Keyed
) -> APIRouter:
    """Routes under /api/v1/walls."""
    router = APIRouter(prefix="/api/v1", tags=["walls"])
    _staff(router, driver, streams, auth)
    _acting(router, driver, auth, keyed)
    _kiosk(router, driver, streams, auth, settings)
    return router


def _staff(router: APIRouter, driver: Driver, streams: Streams, auth: StaffAuth) -> None:
    seeing = Depends(auth.needs("viewer", "read:orders"))

    @router.get("/walls", dependencies=[seeing])
    def walls(response: Response) -> dict[str, Any]:
        """All walls of the store."""
        response.headers["Cache-Control"] = "no-store"
        return driver.read(
            lambda hub: {
                "items": [
                    {**wall_row(hub.core.state, one), **_alive(hub, one.wall_id)}
                    for one in hub.core.state.store.walls
                ]
            }
        )

    @router.get("/walls/{wall_id}", dependencies=[seeing])
    def wall(response: Response, wall_id: WallPath) -> dict[str, Any]:
        """A wall live: things, marks as they shine, sessions, projection, alarms."""
        response.headers["Cache-Control"] = "no-store"
        return driver.read(lambda hub: _wall(hub, wall_id, driver.now()))

    @router.get("/walls/{wall_id}/live", dependencies=[seeing], response_class=EventStream)
    def live(request: Request, wall_id: WallPath) -> StreamingResponse:
        """The same as server-sent events named `wall`, whenever it changes; without `now_s`."""
        driver.read(lambda hub: _wall(hub, wall_id, 0.0))
        return streams.states(
            lambda: driver.read(lambda hub: _wall(hub, wall_id, None)),
            event="wall",
            still=auth.still(request),
            version=lambda: driver.wall_version(wall_id),
        )


def _acting(router: APIRouter, driver: Driver, auth: StaffAuth, keyed: Keyed) -> None:
    clerk = Depends(auth.needs("clerk", "write:orders"))

    @router.post("/walls/{wall_id}/calibrate", dependencies=[clerk])
    def calibrate(request: Request, wall_id: WallPath, body: By | None = None) -> Reply:
        """The wall's node is asked to calibrate its projectors anew."""
        wish = signed(request, body or By())
        return driver.command(CalibrateWall(wall_id=wall_id, by=wish.by))

    @router.post("/walls/{wall_id}/alarms/{number}/clear", dependencies=[clerk, Depends(keyed)])
    def clear(
        request: Request,
        wall_id: WallPath,
        number: Annotated[int, Path(ge=1, le=10**9)],
        body: Cleared | None = None,
        who: Principal = clerk,
    ) -> Reply:
        """Staff have looked; to say what became of a parcel takes a manager."""
        wish = signed(request, body or Cleared())
        if wish.outcome != "seen":
            auth.demand(who, "manager", "to say what became of a parcel")
        return driver.command(
            ClearAlarm(wall_id=wall_id, number=number, outcome=wish.outcome, by=wish.by)
        )


def _kiosk(
    router: APIRouter,
    driver: Driver,
    streams: Streams,
    auth: StaffAuth,
    settings: HubSettings,
) -> None:
    scans = Limiter(SCANS_PER_MINUTE_MAX, 60.0, time.monotonic)
    viewer, clerk = auth.needs("viewer", "read:orders"), auth.needs("clerk", "write:orders")

    def checked(request: Request, wall_id: str, needs: Needs) -> Still:
        """Whether who asks still may, for answers that take long; a kiosk's own token always."""
        expected = settings.screen_tokens.get(wall_id)
        if expected is not None and has_token(request, expected):
            return lambda: True
        auth.admit(request, needs)
        return auth.still(request)

    @router.post("/walls/{wall_id}/scans")
    def scan(request: Request, response: Response, wall_id: WallPath, body: Scan) -> dict[str, Any]:
        """A code was read at a kiosk; the answer is what the kiosk shows."""
        check_origin(request)
        checked(request, wall_id, clerk)
        response.headers["Cache-Control"] = "no-store"
        scans.check(request, "too many scans from here; wait a minute")
        scans.count(client_of(request))
        driver.command(driver.read(lambda hub: _scan(hub, wall_id, body)))
        return driver.read(lambda hub: _bystander(hub, wall_id))

    @router.get("/walls/{wall_id}/kiosk")
    def kiosk(request: Request, response: Response, wall_id: WallPath) -> dict[str, Any]:
        """A wall as a bystander may see it."""
        checked(request, wall_id, viewer)
        response.headers["Cache-Control"] = "no-store"
        return driver.read(lambda hub: _bystander(hub, wall_id))

    @router.get("/walls/{wall_id}/kiosk/live", response_class=EventStream)
    def kiosk_live(request: Request, wall_id: WallPath) -> StreamingResponse:
        """The same as server-sent events named `kiosk`, whenever it changes."""
        still = checked(request, wall_id, viewer)
        driver.read(lambda hub: kiosk_view(hub.core.state, wall_id))
        return streams.states(
            lambda: driver.read(lambda hub: _bystander(hub, wall_id)),
            event="kiosk",
            still=still,
            version=lambda: driver.wall_version(wall_id),
            beat_s=AT_WALL_S,
        )


def _scan(hub: Hub, wall_id: str, body: Scan) -> ScanAtWall:
    """The scan as the core is told it: without the code, with what its signature says."""
    judged = judge_pickup(hub.entry_keys, hub.core.state.store.store_id, body.code)
    said: dict[str, Any] = {}
    if judged is not None:
        said = {
            "verdict": judged.verdict,
            "holder": judged.holder,
            "entry": judged.entry,
            "until_s": judged.until_s,
        }
    return ScanAtWall(
        wall_id=wall_id, scanner_id=body.scanner_id, code_sha256=digest_of(body.code), **said
    )


def _wall(hub: Hub, wall_id: str, now_s: float | None) -> dict[str, Any]:
    """A wall for staff; a stream has no `now_s`, which would be another each time."""
    view = {**wall_view(hub.core.state, wall_id, now_s or 0.0), **_alive(hub, wall_id)}
    if now_s is None:
        del view["now_s"]
    return view


def _bystander(hub: Hub, wall_id: str) -> dict[str, Any]:
    """A wall for a kiosk: what is known of it says nothing while its node is away."""
    return {**kiosk_view(hub.core.state, wall_id), **_alive(hub, wall_id)}


def _alive(hub: Hub, wall_id: str) -> dict[str, Any]:
    """Whether the wall's node was heard of, and whether the broker says that it died."""
    node_id = next(one.node_id for one in hub.core.state.store.nodes if wall_id in one.walls)
    node, device = hub.live.nodes[node_id], hub.core.state.devices.all[node_id]
    dead = node.dead_boot is not None and node.dead_boot == device.current
    return {"node_heard": node.heard_s is not None, "node_dead": dead}
