"""The whole check of a store: coverage and findings, as a document and for drawings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from contracts.store_file import StoreFile
from store_sim.plan.coverage import (
    FINE_PX_CM,
    BoardCoverage,
    FloorCoverage,
    board_coverage,
    floor_coverage,
)
from store_sim.plan.findings import Finding
from store_sim.plan.floor import floor_findings
from store_sim.plan.shelves import shelf_findings
from store_sim.plan.walls import WallSight, wall_findings, wall_sights

__all__ = ["StoreCheck", "check_store"]


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What is to be said about a store."""

    store: StoreFile
    floor: FloorCoverage
    boards: tuple[BoardCoverage, ...]
    findings: tuple[Finding, ...]
    walls: tuple[WallSight, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """With these the store cannot work."""
        return tuple(each for each in self.findings if each.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """With these it works less well."""
        return tuple(each for each in self.findings if each.level == "warning")

    def of_bay(self, bay_id: str) -> tuple[BoardCoverage, ...]:
        """Coverage of a bay's boards, the lowest first."""
        return tuple(board for board in self.boards if board.bay_id == bay_id)

    def front_px_cm(self) -> tuple[float, float, float]:
        """Worst, median and share of at least FINE_PX_CM over all fronts where goods stand; zeros
        where none do."""
        if not self.boards:
            return 0.0, 0.0, 0.0
        fronts = np.concatenate([board.goods.ravel() for board in self.boards])
        fine = float((fronts >= FINE_PX_CM).mean())
        return float(fronts.min()), float(np.median(fronts)), fine

    def counts(self) -> dict[str, int]:
        """How many of everything there are."""
        store = self.store
        shelf = sum(camera.role == "shelf" for camera in store.cameras)
        return {
            "bays": len(store.bays),
            "boards": sum(len(bay.boards) for bay in store.bays),
            "plates": len(store.plates),
            "slots": len(store.slots),
            "products": len(store.products),
            "shelf_cameras": shelf,
            "ceiling_cameras": len(store.cameras) - shelf,
            "gates": len(store.gates),
            "nodes": len(store.nodes),
            **({"walls": len(store.walls)} if store.walls else {}),
        }

    def document(self) -> dict[str, Any]:
        """The JSON document; shares are 0 to 1, px/cm along the shelf on the front plane."""
        least, median, fine = self.front_px_cm()
        return {
            "store_id": self.store.store_id,
            "name": self.store.name,
            "ok": not self.errors,
            "counts": self.counts(),
            "floor": {
                "seen_by_1": round(self.floor.share(1), 4),
                "seen_by_2": round(self.floor.share(2), 4),
                "blind_spots": [
                    {"x_m": x, "y_m": y, "area_m2": area} for x, y, area in self.floor.blind_spots()
                ],
            },
            "front": {
                "px_cm_min": round(least, 2),
                "px_cm_median": round(median, 2),
                "share_6_px_cm": round(fine, 4),
            },
            "boards": [
                {
                    "bay_id": board.bay_id,
                    "board_id": board.board_id,
                    "px_cm_min": round(board.least, 2),
                    "px_cm_median": round(board.median, 2),
                    "share_6_px_cm": round(board.share(FINE_PX_CM), 4),
                    "share_seen": round(board.share(math.ulp(0.0)), 4),
                }
                for board in self.boards
            ],
            **({"walls": [sight.row() for sight in self.walls]} if self.walls else {}),
            "errors": [_row(each) for each in self.errors],
            "warnings": [_row(each) for each in self.warnings],
        }


def _row(finding: Finding) -> dict[str, str]:
    return {
        "code": finding.code,
        "where": finding.where,
        "message": finding.message,
        "fix": finding.fix,
    }


def check_store(store: StoreFile, *, more: tuple[Finding, ...] = ()) -> StoreCheck:
    """Checks a store that could be loaded; `more` are findings of others about it."""
    floor, boards, walls = floor_coverage(store), board_coverage(store), wall_sights(store)
    # A store of nothing but walls has no floor that people are followed on.
    shop = (*floor_findings(store, floor), *shelf_findings(store, boards)) if store.bays else ()
    return StoreCheck(store, floor, boards, (*shop, *wall_findings(walls), *more), walls)
