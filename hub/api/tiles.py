"""Camera tiles: asked for, blurred by the node, shown for seconds, never stored."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from hub.api.auth import StaffAuth, has_token
from hub.api.reading import body_of
from hub.driver import Driver
from hub.settings import HubSettings

__all__ = ["TILE_BYTES_MAX", "TILE_S_MAX", "TileStore", "check_node", "tile_routes"]

TILE_BYTES_MAX = 400_000
TILE_S_MAX = 10.0
TILES_MAX = 200
WATCH_S = 15.0
Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]


class TileStore:
    """The latest JPEG of each camera, for ten seconds. Safe from any thread."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._tiles: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, camera_id: str, jpeg: bytes) -> None:
        """Replaces the camera's picture."""
        with self._lock:
            self._tiles[camera_id] = (self._now(), jpeg)
            self._tiles.move_to_end(camera_id)
            while len(self._tiles) > TILES_MAX:
                self._tiles.popitem(last=False)

    def get(self, camera_id: str) -> bytes | None:
        """The camera's picture, if it is fresh; older ones are dropped."""
        with self._lock:
            for name in [n for n, (t, _) in self._tiles.items() if self._now() - t > TILE_S_MAX]:
                del self._tiles[name]
            found = self._tiles.get(camera_id)
        return None if found is None else found[1]


class Watch(BaseModel):
    """How long to send tiles for."""

    model_config = ConfigDict(extra="forbid")

    for_s: Annotated[float, Field(gt=0, le=60)] = WATCH_S


def tile_routes(
    driver: Driver, settings: HubSettings, auth: StaffAuth, tiles: TileStore
) -> APIRouter:
    """Routes of nodes (bearer token) and staff."""
    router = APIRouter(prefix="/api/v1", tags=["tiles"])

    look = Depends(auth.needs("viewer", "read:devices"))

    @router.post("/staff/tiles/{camera}/watch", dependencies=[look])
    def watch(camera: Name, wish: Watch | None = None) -> dict[str, str]:
        """Asks the camera's node for pictures for a while."""
        for_s = WATCH_S if wish is None else wish.for_s
        return {"node_id": driver.watch_camera(camera, for_s)}

    @router.get(
        "/staff/tiles/{camera}.jpg",
        dependencies=[look],
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {"schema": {"type": "string"}}}}},
    )
    def tile(camera: Name) -> Response:
        """The latest picture; 404 if there is none younger than ten seconds."""
        jpeg = tiles.get(camera)
        if jpeg is None:
            raise HTTPException(404, f"no picture of {camera}; ask for it with /watch")
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    @router.put("/nodes/{device}/tiles/{camera}", status_code=204)
    async def put(request: Request, device: Name, camera: Name) -> None:
        """A node sends a picture: JPEG, at most 400 kB."""
        check_node(request, device, settings)
        if not driver.serves(device, camera):
            raise HTTPException(403, f"expected a camera of {device}, got {camera}")
        body = await body_of(request, TILE_BYTES_MAX)
        if not body.startswith(b"\xff\xd8\xff"):
            raise HTTPException(415, "expected a JPEG picture")
        tiles.put(camera, body)

    return router


def check_node(request: Request, device: str, settings: HubSettings) -> None:
    """403 for whoever does not have the token of this node."""
    expected = settings.node_tokens.get(device)
    if expected is None or not has_token(request, expected):
        raise HTTPException(403, f"expected the bearer token of {device}")
