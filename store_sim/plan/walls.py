"""What a store's pick-up walls see: pixels a module of each label, and markers in view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contracts.geometry import Intrinsics, Pose
from contracts.store_file import StoreFile
from contracts.wall import LabelPrint, Wall, front_points, px_per_module
from store_sim.plan.findings import Finding, warning
from store_sim.wall.frame import optic

__all__ = ["LabelSight", "WallSight", "wall_findings", "wall_sights"]

MARKERS_MIN = 4
SPARE_PX = 0.03
"""Less than this above the least is soon lost to a camera that hangs a little askew."""


@dataclass(frozen=True, slots=True)
class LabelSight:
    """Pixels a module of one kind of label, in the best camera, over the front plane."""

    label: LabelPrint
    least_px: float
    median_px: float


@dataclass(frozen=True, slots=True)
class WallSight:
    """One wall: its labels, and how many markers each camera and projector has in its picture."""

    wall: Wall
    labels: tuple[LabelSight, ...]
    markers: tuple[tuple[str, int], ...]

    def row(self) -> dict[str, object]:
        """The wall in the check's JSON document."""
        wall = self.wall
        return {
            "wall_id": wall.wall_id,
            "kind": wall.kind,
            "cameras": len(wall.cameras),
            "projectors": len(wall.projectors),
            "boards": len(wall.boards),
            "hooks": len(wall.hooks),
            "markers_seen": dict(self.markers),
            "labels": [
                {
                    "symbology": one.label.symbology,
                    "modules": one.label.modules,
                    "module_mm": one.label.module_mm,
                    "px_per_module_min": round(one.least_px, 2),
                    "px_per_module_median": round(one.median_px, 2),
                }
                for one in self.labels
            ],
        }


def wall_sights(store: StoreFile) -> tuple[WallSight, ...]:
    """All walls of a store."""
    return tuple(_sight(wall) for wall in store.walls)


def _sight(wall: Wall) -> WallSight:
    points = front_points(wall)
    labels = []
    for label in wall.labels:
        best = [max(px_per_module(wall, eye, label, p) for eye in wall.cameras) for p in points]
        labels.append(LabelSight(label, min(best), float(np.median(best))))
    gear: list[tuple[str, Intrinsics, Pose]] = [
        (eye.camera_id, eye.intrinsics, eye.pose) for eye in wall.cameras
    ] + [(one.projector_id, one.intrinsics, one.pose) for one in wall.projectors]
    markers = tuple((name, _in_view(wall, lens, pose)) for name, lens, pose in gear)
    return WallSight(wall, tuple(labels), markers)


def _in_view(wall: Wall, lens: Intrinsics, pose: Pose) -> int:
    """How many markers are wholly in a picture."""
    if not wall.markers:
        return 0
    here = optic(wall, lens, pose)
    count = 0
    for marker in wall.markers:
        u, v, z = marker.centre_m
        half = marker.size_m / 2
        corners = [(u + i * half, v, z + k * half) for i in (-1, 1) for k in (-1, 1)]
        pixels, _ = here.pixels(np.array(corners))
        inside = (pixels >= 0) & (pixels <= (lens.width - 1, lens.height - 1))
        count += bool(inside.all())
    return count


def wall_findings(sights: tuple[WallSight, ...]) -> list[Finding]:
    """What works less well at walls; what cannot work is refused with the store file."""
    found = []
    for sight in sights:
        wall = sight.wall
        for one in sight.labels:
            if one.least_px < wall.px_per_module_min + SPARE_PX:
                found.append(
                    warning(
                        "label-scant", wall.wall_id,
                        f"labels {one.label.symbology} of {one.label.module_mm} mm a module have "
                        f"{one.least_px:.2f} px a module at worst, {wall.px_per_module_min:g} are "
                        "needed",
                        "print larger modules, or hang the camera a little nearer",
                    )
                )  # fmt: skip
        for name, count in sight.markers:
            if wall.projectors and count < MARKERS_MIN:
                found.append(
                    warning(
                        "markers-unseen", f"{wall.wall_id} {name}",
                        f"has {count} whole markers in its picture, {MARKERS_MIN} are wanted",
                        "glue more markers where it looks",
                    )
                )  # fmt: skip
    return found
