"""Displays at gates: the page, its signs live, and who may show them.

A display has a token of its own (SORTIE_HUB_SCREEN_TOKENS) in its address after the #, so that no
log has it and nobody has to log in on a screen. Without one a gate's signs are for this machine
only. Signs say what one shopper owes beside a neutral mark; they name nobody.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from contracts.signs import GateSigns
from hub.api.aftercare import Aftercare
from hub.api.auth import StaffAuth, has_token
from hub.api.streams import Streams
from hub.exits.signs import gate_signs
from hub.pages import EXIT_FILES, page_file

__all__ = ["exit_routes"]

Gate = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]


def exit_routes(aftercare: Aftercare, streams: Streams, auth: StaffAuth) -> APIRouter:
    """The page at /exit/GATE and its routes."""
    router = APIRouter(tags=["exits"])
    driver = aftercare.driver

    def checked(request: Request, gate: str) -> None:
        expected = aftercare.settings.screen_tokens.get(gate)
        if expected is None:
            if auth.needed:
                raise HTTPException(403, f"gate {gate} has no display; set its token")
            return
        if not has_token(request, expected):
            raise HTTPException(403, f"expected the token of the display at {gate}")

    def signs(gate: str) -> GateSigns:
        return driver.read(lambda hub: gate_signs(hub.core.state, gate, driver.now()))

    @router.get("/exit/{gate}", include_in_schema=False)
    def page(gate: Gate) -> FileResponse:
        """The display's page; what it shows comes by the routes below."""
        return page_file(EXIT_FILES / "index.html")

    @router.get("/api/v1/exits/{gate}")
    def now(request: Request, response: Response, gate: Gate) -> dict[str, object]:
        """What the display shows now, and the hub's time."""
        checked(request, gate)
        response.headers["Cache-Control"] = "no-store"
        return {**signs(gate).model_dump(mode="json"), "now_s": driver.now()}

    @router.get("/api/v1/exits/{gate}/events")
    def events(request: Request, gate: Gate) -> StreamingResponse:
        """The same, as server-sent events named `signs`, whenever it changes."""
        checked(request, gate)
        signs(gate)
        return streams.states(lambda: signs(gate).model_dump(mode="json"), event="signs")

    return router
