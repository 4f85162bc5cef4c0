"""A truth folder as the viewer reads it: actions, visits, reaches and tracks (store_sim.truth).

Files and fields that a recording of an older version lacks are taken as not known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from store_sim.errors import ViewError

__all__ = ["Known", "ShownAction", "ShownReach", "ShownVisit", "read_known", "sentence"]

WORDS = {
    "take": "takes {} from {}",
    "put_back": "puts {} back to {}",
    "touch": "touches {} on {}",
    "hover": "hovers before {} on {}",
    "hold": "holds {} on {}",
    "give": "hands {} over",
    "receive": "gets {}",
    "slip": "slips {} into another's bag",
    "swap": "swaps {} behind the back",
    "drop": "leaves {} on the floor",
    "pick_up": "picks {} up from the floor",
    "lean": "leans on {1}",
    "tamper": "spoils a device",
}
LEAVES_BOARD = ("take",)
MEETS_BOARD = ("put_back",)


@dataclass(frozen=True, slots=True)
class ShownAction:
    """What a hand did: when, who, what, where."""

    t_s: float
    shopper: int
    kind: str
    slot_id: str
    gtin: str
    bay_id: str = ""
    board_id: str = ""
    u_m: float | None = None
    hand: str = "r"
    item_index: int | None = None

    @classmethod
    def of_row(cls, shopper: int, row: Mapping[str, Any]) -> ShownAction:
        """An action of a line of visits.jsonl."""
        return cls(
            t_s=float(row["t_s"]),
            shopper=shopper,
            kind=str(row["kind"]),
            slot_id=str(row.get("slot_id") or ""),
            gtin=str(row.get("gtin") or ""),
            bay_id=str(row.get("bay_id") or ""),
            board_id=str(row.get("board_id") or ""),
            u_m=None if row.get("u_m") is None else float(row["u_m"]),
            hand=str(row.get("hand") or "r"),
            item_index=row.get("item_index"),
        )


@dataclass(frozen=True, slots=True)
class ShownReach:
    """A hand behind the front plane from `begin_s` to `end_s`."""

    shopper: int
    bay_id: str
    board_id: str
    u_m: float
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class ShownVisit:
    """When a shopper scanned and when the exit line was crossed; None where it did not happen."""

    shopper: int
    entered_s: float | None
    left_s: float | None
    staff: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a day; actions by time. `tracks` maps a shopper to (N, 3): t, x, y."""

    actions: tuple[ShownAction, ...] = ()
    visits: tuple[ShownVisit, ...] = ()
    reaches: tuple[ShownReach, ...] = ()
    tracks: Mapping[int, NDArray[np.float64]] | None = None


def read_known(folder: Path) -> Known:
    """What a truth folder says; nothing for a folder that is not there. ViewError names a line."""
    visits, actions = [], []
    for row in _rows(folder / "visits.jsonl"):
        shopper = int(row["shopper"])
        visits.append(
            ShownVisit(
                shopper, row.get("entered_s"), row.get("left_s"), bool(row.get("staff", False))
            )
        )
        actions += [ShownAction.of_row(shopper, one) for one in row.get("actions", ())]
    reaches = [
        ShownReach(
            int(row["shopper"]),
            str(row["bay_id"]),
            str(row.get("board_id") or ""),
            float(row["u_m"]),
            float(row["begin_s"]),
            float(row["end_s"]),
        )
        for row in _rows(folder / "reaches.jsonl")
    ]
    return Known(
        tuple(sorted(actions, key=lambda one: (one.t_s, one.shopper))),
        tuple(sorted(visits, key=lambda one: one.shopper)),
        tuple(sorted(reaches, key=lambda one: (one.begin_s, one.shopper))),
        _tracks(_rows(folder / "tracks.jsonl")),
    )


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            _ = row["shopper"]
        except (ValueError, KeyError, TypeError) as error:
            raise ViewError(
                f"{path}:{number}: expected a JSON object with a shopper, got {line[:60]!r}; copy "
                "the recording again"
            ) from error
        yield row


def _tracks(rows: Iterable[dict[str, Any]]) -> dict[int, NDArray[np.float64]]:
    found: dict[int, list[tuple[float, float, float]]] = {}
    for row in rows:
        place = (float(row["t_s"]), float(row["x_m"]), float(row["y_m"]))
        found.setdefault(int(row["shopper"]), []).append(place)
    return {shopper: np.array(sorted(places)) for shopper, places in found.items()}


def sentence(store: StoreFile, action: ShownAction) -> str:
    """Such as "shopper 0 takes Quellbach Still Water 1 l from bay-a-1"."""
    thing = product_name(store, action.gtin)
    where = action.board_id or action.slot_id or action.bay_id
    words = WORDS.get(action.kind, action.kind.replace("_", " ") + ": {}")
    return f"shopper {action.shopper} {words.format(thing, where)}"


def product_name(store: StoreFile, gtin: str) -> str:
    """Name and size of a product; the GTIN of one that the store does not sell."""
    for product in store.products:
        if product.gtin == gtin:
            return f"{product.name} {product.size_label}"
    return gtin or "something"
