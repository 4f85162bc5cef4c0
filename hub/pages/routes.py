"""Plain routes beside NiceGUI's pages: pictures of cameras, mirrored phones, files, liveness."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from hub.pages import ASSET_FILES, MIRROR_FILES, PHONE_FILES, PlainFiles
from hub.pages.back_office import BackOffice
from hub.pages.feed import HubFeed

__all__ = ["EMPTY_TILE", "add_play", "add_routes"]

MIRROR_POLL_S = 0.2
HEARTBEAT_S = 10.0
MIRRORS_MAX = 100
_VISIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
EMPTY_TILE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 270">
<rect width="480" height="270" fill="#1c2421"/>
<text x="240" y="140" fill="#8fa097" font-family="system-ui, sans-serif" font-size="17"
 text-anchor="middle">waiting for a picture of {camera}</text></svg>"""


def add_routes(
    app: Starlette,
    feed: HubFeed,
    stopping: Callable[[], bool],
    token_of: Callable[[Request], str] = lambda _request: "",
) -> None:
    """Adds the routes; `stopping` ends the streams, `token_of` gives the session of who asks."""
    mirrors = 0

    async def tile(request: Request) -> Response:
        camera_id = request.path_params["camera"]
        if not feed.knows_camera(camera_id):
            return PlainTextResponse("expected a camera of the store\n", status_code=404)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        jpeg = await feed.tile(camera_id)
        if jpeg is None:
            empty = EMPTY_TILE.replace("{camera}", camera_id)
            return Response(empty, media_type="image/svg+xml", headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    async def mirror(request: Request) -> Response:
        nonlocal mirrors
        visit_id = request.path_params["visit"]
        if not _VISIT.fullmatch(visit_id) or await feed.phone(visit_id) is None:
            return JSONResponse({"detail": "no such visit"}, status_code=404)
        if mirrors >= MIRRORS_MAX:
            return JSONResponse({"detail": "too many mirrored phones"}, status_code=503)

        async def counted() -> AsyncIterator[str]:
            nonlocal mirrors
            mirrors += 1
            try:
                async for chunk in _states(feed, visit_id, stopping):
                    yield chunk
            finally:
                mirrors -= 1

        return StreamingResponse(
            counted(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def known(request: Request) -> Response:
        visit_id = request.path_params["visit"]
        phone = await feed.phone(visit_id) if _VISIT.fullmatch(visit_id) else None
        if phone is None:
            return JSONResponse({"detail": "no such visit"}, status_code=404)
        return JSONResponse(dict(phone), headers={"Cache-Control": "no-store"})

    async def evidence(request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        desk = BackOffice(feed.client, token_of(request))
        found = await desk.picture(sha256) if _SHA256.fullmatch(sha256) else None
        if found is None:
            return PlainTextResponse("expected evidence that is here\n", status_code=404)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(found[0], media_type=found[1], headers=headers)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"ok": True, "hub": feed.shot.connected})

    app.router.add_route("/tiles/{camera}.jpg", tile, include_in_schema=False)
    app.router.add_route("/evidence/{sha256}", evidence, include_in_schema=False)
    app.router.add_route("/mirrored/{visit}/events", mirror, include_in_schema=False)
    app.router.add_route("/mirrored/{visit}", known, include_in_schema=False)
    app.router.add_route("/healthz", healthz, include_in_schema=False)
    app.mount("/mirror/phone", PlainFiles(directory=PHONE_FILES), name="phone")
    app.mount("/mirror", PlainFiles(directory=MIRROR_FILES, html=True), name="mirror")
    app.mount("/assets", PlainFiles(directory=ASSET_FILES), name="assets")


def add_play(app: Starlette, play_url: str) -> None:
    """Adds /play, which leads to the demo's page for playing the shopper."""

    async def to_play(_request: Request) -> Response:
        return RedirectResponse(f"{play_url}/play/")

    app.router.add_route("/play", to_play, include_in_schema=False)


async def _states(feed: HubFeed, visit_id: str, stopping: Callable[[], bool]) -> AsyncIterator[str]:
    """A visit's phone whenever it differs from what was sent last, as long as the hub has it."""
    sent = ""
    quiet_s = 0.0
    while not stopping():
        phone = await feed.phone(visit_id)
        if phone is None:
            # Who asks again is told that there is no such visit any more.
            return
        text = json.dumps(phone)
        if text != sent:
            sent, quiet_s = text, 0.0
            yield f"event: visit\ndata: {text}\n\n"
        elif quiet_s >= HEARTBEAT_S:
            quiet_s = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(MIRROR_POLL_S)
        quiet_s += MIRROR_POLL_S
