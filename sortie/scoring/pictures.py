"""Pictures and plate curves of moments: the same day made again from its seed, without vision.

The bay's cameras and the nearest ceiling camera take their pictures once more, with all that the
dials do to them; of these the latest shortly before, at, and after each moment are kept, and the
bay's plates are read around it. Nothing has to be kept of the run that was scored but when its
phones got their codes, and whom the hub let in.

A drawn moment is JSON: {"in_step", "frames": [{"camera_id", "role", "when", "t_s", "mark": [x, y]
in shares of the picture or null, "webp": base64}], "curves": [{"plate_id", "own", "points":
[[t_s, g]]}]}, grams from the level before. `in_step` is false if the day went another way than the
one that was scored.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay, Camera
from contracts.store_file import StoreFile, load_store_file
from hardware.ports import Frame
from sortie.day import day_scenario, day_stream
from sortie.scoring.cards import Spot
from sortie.scoring.plan import Request, Run
from store_sim.stream import SensorTick
from store_sim.truth import visit_line

__all__ = ["WHEN_S", "PictureTask", "draw", "picture_key"]

WHEN_S = {"before": -1.0, "at": 0.0, "after": 1.2}
"""Seconds from the moment at which the item left or met its board."""
TICK_ROUNDED_S = 0.001
CURVE_S = (-3.0, 4.0)
CURVES_MAX = 5
CURVE_G_MIN = 4.0
"""Plates that moved less are not shown, but for the one beneath the hand."""
CAMERAS_OF_BAY_MAX = 2
WIDTH_PX = 480
QUALITY = 62

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PictureTask:
    """The moments of one day. `opened_s` says when each shopper's phone got its code, `refused`
    at which gates the hub let nobody in, and when; `truth` holds the lines of those who left, to
    see whether the day went the same way."""

    request: Request
    run: Run
    spots: tuple[Spot, ...]
    opened_s: Mapping[int, float]
    truth: Sequence[Mapping[str, Any]]
    refused: Sequence[tuple[float, str]] = ()


def picture_key(day_key: str, spot: Spot) -> str:
    """Under which a drawn moment of a day (`Request.key` of one of its runs) is kept."""
    parts = json.dumps([day_key, asdict(spot), WHEN_S, WIDTH_PX, QUALITY])
    return hashlib.sha256(parts.encode()).hexdigest()


def draw(task: PictureTask) -> dict[Spot, dict[str, Any]]:
    """All moments of a day; what did not come until its end is missing."""
    plan = task.request.day(task.run)
    store = load_store_file(plan.store_path)
    scenario = day_scenario(plan, store)
    wanted = {spot: _cameras(store, spot) for spot in task.spots}
    cameras = {one.camera_id: one for chosen in wanted.values() for one in chosen}
    studio = _Studio(store, wanted)
    last_s = max(spot.t_s for spot in task.spots) + CURVE_S[1]

    def phone(shopper: int) -> str | None:
        if stream.world.people.is_staff(shopper):
            return f"badge of {shopper}"
        waiting = stream.world.t_s < task.opened_s.get(shopper, math.inf) - 1e-6
        return None if waiting else f"code of {shopper}"

    stream = day_stream(plan, store, scenario, cameras=tuple(cameras), phone=phone)
    refused = sorted(task.refused)
    for tick in stream:
        studio.see(tick)
        # As sortie.gatekeeper does it: between the tick in which the hub said no and the next.
        while refused and refused[0][0] <= tick.t_s + TICK_ROUNDED_S:
            stream.world.refuse_gate(refused.pop(0)[1])
        if tick.t_s > last_s:
            break
    known = {_story(line) for line in task.truth}
    gone = [_story(json.loads(visit_line(visit))) for visit in stream.world.take_finished()]
    in_step = known.issuperset(gone)
    return {spot: {"in_step": in_step, **drawn} for spot, drawn in studio.drawn.items()}


def _story(line: Mapping[str, Any]) -> str:
    """What somebody did, without the code, which differs."""
    return json.dumps([line["shopper"], line["left_s"], line["actions"]])


class _Studio:
    """Draws and reads what is wanted as the day goes by."""

    def __init__(self, store: StoreFile, wanted: Mapping[Spot, Sequence[Camera]]) -> None:
        self._store = store
        self._wanted = wanted
        self._latest: dict[str, Frame] = {}
        self._due = sorted(
            (spot.t_s + after_s, place, when)
            for place, spot in enumerate(wanted)
            for when, after_s in WHEN_S.items()
        )
        self._spots = list(wanted)
        self._rows: dict[Spot, list[tuple[float, NDArray[np.float64]]]] = {
            spot: [] for spot in wanted
        }
        self._frames: dict[Spot, list[dict[str, Any]]] = {spot: [] for spot in wanted}

    def see(self, tick: SensorTick) -> None:
        """Takes a tick in. A camera without a new picture shows its last one."""
        self._latest.update({frame.camera_id: frame for frame in tick.frames})
        while self._due and self._due[0][0] <= tick.t_s:
            _, place, when = self._due.pop(0)
            spot = self._spots[place]
            for camera in self._wanted[spot]:
                frame = self._latest.get(camera.camera_id)
                if frame is not None:
                    self._frames[spot].append(self._shot(camera, spot, when, frame))
        if tick.scales is None or not len(tick.scales.t_s):
            return
        for spot, rows in self._rows.items():
            if spot.t_s + CURVE_S[0] <= tick.t_s <= spot.t_s + CURVE_S[1]:
                rows.append((tick.t_s, tick.scales.grams.astype(np.float64).mean(axis=0)))

    @property
    def drawn(self) -> dict[Spot, dict[str, Any]]:
        """All moments that came."""
        order = list(WHEN_S)
        return {
            spot: {
                "frames": sorted(
                    self._frames[spot],
                    key=lambda frame: (
                        frame["role"] == "ceiling", frame["camera_id"], order.index(frame["when"]),
                    ),
                ),
                "curves": self._curves(spot),
            }
            for spot in self._spots
        }  # fmt: skip

    def _shot(self, camera: Camera, spot: Spot, when: str, frame: Frame) -> dict[str, Any]:
        return {
            "camera_id": camera.camera_id,
            "role": camera.role,
            "when": when,
            "t_s": round(frame.t_s, 2),
            "mark": _mark(camera, _point(self._store, spot)),
            "webp": _webp(frame.rgb),
        }

    def _curves(self, spot: Spot) -> list[dict[str, Any]]:
        rows = self._rows[spot]
        if not rows:
            return []
        times = np.array([t_s for t_s, _ in rows])
        grams = np.stack([row for _, row in rows])
        grams = grams - np.median(grams[: max(1, len(grams) // 6)], axis=0)
        found = []
        for column, plate in enumerate(self._store.plates):
            if plate.bay_id != spot.bay_id:
                continue
            moved_g = float(np.ptp(grams[:, column]))
            own = plate.u0_m <= spot.u_m < plate.u1_m and self._board(spot) == plate.board_id
            if own or moved_g >= CURVE_G_MIN:
                points = [
                    [round(float(t), 2), round(float(g), 1)]
                    for t, g in zip(times, grams[:, column], strict=True)
                ]
                row = {"plate_id": plate.plate_id, "own": own, "points": points}
                found.append((not own, -moved_g, plate.plate_id, row))
        return [row[-1] for row in sorted(found, key=lambda row: row[:-1])[:CURVES_MAX]]

    def _board(self, spot: Spot) -> str:
        bay = _bay(self._store, spot)
        below = [board for board in bay.boards if board.z_m <= spot.z_m]
        return (below or list(bay.boards))[-1].board_id


def _bay(store: StoreFile, spot: Spot) -> Bay:
    return next(bay for bay in store.bays if bay.bay_id == spot.bay_id)


def _point(store: StoreFile, spot: Spot) -> Point:
    """The spot in the world: see contracts.geometry for the bay's frame."""
    bay = _bay(store, spot)
    x, y = bay.origin_m
    cos, sin = bay.normal
    return (x - spot.u_m * sin, y + spot.u_m * cos, spot.z_m)


def _cameras(store: StoreFile, spot: Spot) -> tuple[Camera, ...]:
    """The bay's own cameras, and the ceiling camera nearest above the spot."""
    own = [camera for camera in store.cameras if camera.bay_id == spot.bay_id]
    point = _point(store, spot)
    ceiling = [camera for camera in store.cameras if camera.role == "ceiling"]
    ceiling.sort(key=lambda camera: math.dist(camera.pose.position_m[:2], point[:2]))
    return (*own[:CAMERAS_OF_BAY_MAX], *ceiling[:1])


def _mark(camera: Camera, point: Point) -> list[float] | None:
    """Where a point is in a camera's picture, in shares of it; None outside."""
    # Imported here: compiling the rasteriser takes seconds that scoring alone need not wait for.
    from store_sim.render.camera import camera_array, project_points

    pixels, depths = project_points(camera_array(camera), np.array([point]))
    size = camera.intrinsics
    x, y = float(pixels[0, 0]) / size.width, float(pixels[0, 1]) / size.height
    if depths[0] <= 0 or not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        return None
    return [round(x, 4), round(y, 4)]


def _webp(rgb: NDArray[np.uint8]) -> str:
    # Imported here: scoring without a report does without it.
    from PIL import Image

    picture = Image.fromarray(rgb)
    height = round(picture.height * WIDTH_PX / picture.width)
    small = picture.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=QUALITY, method=4)
    return base64.b64encode(out.getvalue()).decode()
