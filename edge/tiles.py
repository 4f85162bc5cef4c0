"""Sends camera tiles to the hub: blurred, small, the newest one of each camera, none kept.

A thread of its own does the work, so that a slow hub slows nobody down. A tile that cannot be
sent is dropped and counted; after a failure there is a pause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.courier import Courier
from edge.exchange import Tile
from edge.pictures import blur_boxes, draw_boxes, encode_jpeg, shrink

__all__ = ["TileUploader", "tile_jpeg", "tile_path"]

TILE_WIDTH_PX = 480
TIMEOUT_S = 3.0
CAMERAS_MAX = 256
HEAD_CLASS = 0
COLOURS = ((150, 150, 150), (80, 170, 255), (90, 220, 120), (255, 170, 60))


def tile_path(node_id: str, camera_id: str) -> str:
    """Where the hub takes a tile."""
    return f"/api/v1/nodes/{node_id}/tiles/{camera_id}"


def tile_jpeg(tile: Tile, rgb: NDArray[np.uint8]) -> bytes:
    """The tile as JPEG: heads blurred first, then made small, then what vision sees drawn on."""
    picture = rgb.copy()
    blur_boxes(picture, tile.head_boxes_px)
    small = shrink(picture, TILE_WIDTH_PX)
    scale = np.float32(small.shape[1] / rgb.shape[1])
    shown = tile.detections.classes != HEAD_CLASS
    draw_boxes(
        small,
        tile.detections.boxes_px[shown] * scale,
        tile.detections.classes[shown],
        COLOURS,
    )
    return encode_jpeg(small)


@dataclass(frozen=True, slots=True)
class _Job:
    tile: Tile
    rgb: NDArray[np.uint8]


class TileUploader(Courier[_Job]):
    """`put(path, jpeg)` sends one tile and raises OSError if it fails."""

    def __init__(self, node_id: str, put: Callable[[str, bytes], None]) -> None:
        def letter(camera_id: str, job: _Job) -> tuple[str, bytes]:
            return tile_path(node_id, camera_id), tile_jpeg(job.tile, job.rgb)

        super().__init__("tiles", put, letter, most=CAMERAS_MAX)

    def show(self, tile: Tile, rgb: NDArray[np.uint8]) -> None:
        """Asks for a tile to be sent; a newer one of the same camera takes its place."""
        if self.offer(tile.camera_id, _Job(tile, rgb)):
            self.dropped += 1


def http_put(hub_url: str, token: str | None) -> tuple[Callable[[str, bytes], None], Any]:
    """A `put` over HTTP and the client to close in the end; every failure becomes an OSError."""
    import httpx

    headers = {"content-type": "image/jpeg"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    client = httpx.Client(base_url=hub_url, timeout=TIMEOUT_S, headers=headers)

    def put(path: str, jpeg: bytes) -> None:
        try:
            answer = client.put(path, content=jpeg)
        except httpx.HTTPError as error:
            raise OSError(f"{hub_url}: the hub does not answer ({error})") from error
        if answer.is_error:
            raise OSError(f"{hub_url}{path}: expected 2xx, got {answer.status_code}")

    return put, client
