"""A camera's picture with the truth drawn in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from contracts.geometry import Camera
from contracts.store_file import StoreFile
from store_sim.render.camera import camera_array, project_points
from store_sim.viewer.known import ShownAction, product_name
from store_sim.viewer.paint import ACCENT, BACK, FAINT, INK, Rgb, chip, dimmed, font, shopper_rgb
from store_sim.viewer.snapshot import Mark, Snapshot
from store_sim.world.stock import bay_point

__all__ = ["SHOWN_S", "Tiles", "slot_points"]

SHOWN_S = (1.0, 1.4)
"""A slot is outlined so long before and after something happens to it."""
ABOVE_M = 0.02
SMALL_PX = 420
"""Pictures narrower than this carry smaller labels and fewer of them."""


def slot_points(store: StoreFile, slot_id: str) -> NDArray[np.float64] | None:
    """The corners (8, 3) of the room that a slot's front products fill, which is what a camera
    sees of it; None for an unknown slot."""
    slot = next((one for one in store.slots if one.slot_id == slot_id), None)
    if slot is None:
        return None
    bay = next(one for one in store.bays if one.bay_id == slot.bay_id)
    board = next(one for one in bay.boards if one.board_id == slot.board_id)
    look = store.product(slot.gtin).packaging
    depth = min(bay.depth_m, look.depth_m + ABOVE_M)
    top = board.z_m + min(board.clearance_m, look.height_m + ABOVE_M)
    return np.array(
        [
            bay_point(bay, u, v, z)
            for z in (board.z_m, top)
            for u in (slot.u0_m, slot.u1_m)
            for v in (0.0, depth)
        ]
    )


class Tiles:
    """Draws pictures of cameras at any size."""

    def __init__(self, store: StoreFile, actions: Sequence[ShownAction]) -> None:
        self._store, self._actions = store, actions
        self._cameras = {camera.camera_id: camera for camera in store.cameras}
        self._outlines: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def draw(self, snapshot: Snapshot, camera_id: str, width: int, height: int) -> Image.Image:
        """A camera's newest picture with boxes, names and outlines, (height, width)."""
        camera = self._cameras[camera_id]
        image = Image.new("RGB", (width, height), BACK)
        canvas = ImageDraw.Draw(image)
        rgb = snapshot.pictures.get(camera_id)
        if rgb is None:
            canvas.text(
                (width / 2, height / 2), "no picture yet", font=font(13), fill=FAINT, anchor="mm"
            )
            return image
        lens = camera.intrinsics
        scale = min(width / lens.width, height / lens.height)
        size = (max(1, round(lens.width * scale)), max(1, round(lens.height * scale)))
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        image.paste(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR), (left, top))
        shift = (left, top, scale)
        for action in self._actions:
            if -SHOWN_S[0] <= snapshot.t_s - action.t_s <= SHOWN_S[1]:
                self._outline(canvas, camera, action, snapshot.t_s, shift)
        small = width < SMALL_PX
        marks = sorted(snapshot.marks.get(camera_id, ()), key=lambda mark: mark.kind != "person")
        for mark in marks:
            self._mark(canvas, mark, shift, (width, height), small)
        return image

    def middle(self, camera_id: str, slot_id: str) -> tuple[float, float] | None:
        """The pixel of a slot's middle; None if it is not in the camera's picture."""
        points = slot_points(self._store, slot_id)
        if points is None:
            return None
        camera = self._cameras[camera_id]
        pixels, _ = project_points(camera_array(camera), points.mean(axis=0))
        x, y = pixels[0].tolist()
        inside = 0 <= x < camera.intrinsics.width and 0 <= y < camera.intrinsics.height
        return (x, y) if inside else None

    def sees(self, camera_id: str, slot_id: str) -> bool:
        """Whether a slot's middle is in a camera's picture."""
        return self.middle(camera_id, slot_id) is not None

    def _outline(
        self,
        canvas: ImageDraw.ImageDraw,
        camera: Camera,
        action: ShownAction,
        t_s: float,
        shift: tuple[int, int, float],
    ) -> None:
        key = (camera.camera_id, action.slot_id)
        if key not in self._outlines:
            self._outlines[key] = self._hull(camera, action.slot_id)
        points = self._outlines[key]
        if not points:
            return
        left, top, scale = shift
        line = [(left + x * scale, top + y * scale) for x, y in points]
        wide = 3 if abs(t_s - action.t_s) <= 0.3 else 2
        canvas.line([*line, line[0]], fill=ACCENT, width=wide, joint="curve")

    def _hull(self, camera: Camera, slot_id: str) -> list[tuple[float, float]]:
        points = slot_points(self._store, slot_id)
        if points is None or not self.sees(camera.camera_id, slot_id):
            return []
        pixels, _ = project_points(camera_array(camera), points)
        return [] if np.isnan(pixels).any() else convex_hull(pixels)

    def _mark(
        self,
        canvas: ImageDraw.ImageDraw,
        mark: Mark,
        shift: tuple[int, int, float],
        within: tuple[int, int],
        small: bool,
    ) -> None:
        left, top, scale = shift
        x0, y0, x1, y1 = (
            offset + value * scale
            for offset, value in zip((left, top, left, top), mark.box, strict=True)
        )
        rgb: Rgb = FAINT if mark.shopper is None else shopper_rgb(mark.shopper)
        size = 10 if small else 13
        if mark.kind == "person":
            canvas.rectangle((x0, y0, x1, y1), outline=rgb, width=2)
            text = f"{mark.shopper}" if small else f"shopper {mark.shopper}"
            chip(canvas, (x0, y0), text, rgb, size=size, within=within)
        elif mark.kind == "hand":
            canvas.rectangle((x0 - 2, y0 - 2, x1 + 2, y1 + 2), outline=INK, width=2)
            if not small:
                chip(canvas, (x0, y1 + size + 9), "hand", INK, size=size - 2, within=within)
        else:
            edge = dimmed(rgb, 0.35, INK)
            canvas.rectangle(
                (x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=edge, width=1 if small else 2
            )
            if not small:
                name = product_name(self._store, mark.gtin)
                chip(canvas, (x1 + 3, y1), name, edge, size=size - 1, within=within, bold=False)


def convex_hull(points: NDArray[np.float64]) -> list[tuple[float, float]]:
    """The convex hull of points (N, 2) by Andrew's monotone chain, against the clock."""
    ordered = sorted({(float(x), float(y)) for x, y in points})
    if len(ordered) < 3:
        return ordered

    def half(chain: list[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for x, y in chain:
            while len(kept) > 1:
                (ax, ay), (bx, by) = kept[-2], kept[-1]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                kept.pop()
            kept.append((x, y))
        return kept[:-1]

    return half(ordered) + half(ordered[::-1])
