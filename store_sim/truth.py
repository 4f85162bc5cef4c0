"""What really happened, for the auditor alone.

A truth folder holds, one JSON object a line,

    visits.jsonl   written when a shopper has left:
        {"schema": 2, "shopper": 0, "code": "...", "entered_s": 4.2, "left_s": 61.0, "payer": 0,
         "staff": false, "kept": {"2000000011011": 2}, "actions": [{"t_s": 12.3, "kind": "take",
         "slot_id": "...", "bay_id": "...", "board_id": "...", "u_m": 0.31, "gtin": "...",
         "item_index": 17, "hand": "r"}]}
    reaches.jsonl  a hand behind the front plane: {"shopper", "hand", "bay_id", "board_id", "u_m",
                   "begin_s", "end_s", "actions": [places in the visit's actions]}
    plates.jsonl   a plate's true load changed: {"t_s", "plate_id", "delta_g", "shopper"}
    tracks.jsonl   where somebody was, five times a second: {"t_s", "shopper", "x_m", "y_m"}

Who pays: the picker pays, and a hand-over does not move the debt; what goes back to a shelf, or is
left on the floor, is owed by nobody; a group pays through one (`payer`); staff, and whoever came in
without a code, pay nothing (`payer` is null). `kept` is what the shopper owes for by this rule,
before it is put on the payer's account. Times are store seconds. No sensor, node or hub ever reads
this folder.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "TRUTH_SCHEMA",
    "Action",
    "ActionKind",
    "PlateStep",
    "Traces",
    "TrackPoint",
    "TrueReach",
    "TruthVisit",
    "TruthWriter",
    "visit_line",
]

TRUTH_SCHEMA = 2
VISITS_FILE = "visits.jsonl"

ActionKind = Literal[
    "take", "put_back", "touch", "hover", "hold",
    "give", "receive", "slip", "hide", "swap", "drop", "pick_up", "lean", "tamper",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a hand did. `t_s` is when the item left or met the board; away from the shelves
    `slot_id`, `bay_id` and `board_id` are empty. `other` is the shopper who got or gave."""

    t_s: float
    kind: ActionKind
    slot_id: str
    bay_id: str
    board_id: str
    u_m: float
    gtin: str
    item_index: int | None
    hand: Literal["l", "r"]
    other: int | None = None


@dataclass(frozen=True, slots=True)
class TrueReach:
    """A hand behind the front plane of a bay; `actions` are places in the visit's actions."""

    shopper: int
    hand: Literal["l", "r"]
    bay_id: str
    board_id: str
    u_m: float
    begin_s: float
    end_s: float
    actions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlateStep:
    """The true load of a plate changed."""

    t_s: float
    plate_id: str
    delta_g: float
    shopper: int


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """Where somebody was."""

    t_s: float
    shopper: int
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True)
class Traces:
    """What is true of reaches, plates and tracks, since it was last asked."""

    reaches: tuple[TrueReach, ...] = ()
    plates: tuple[PlateStep, ...] = ()
    tracks: tuple[TrackPoint, ...] = ()


@dataclass(slots=True)
class TruthVisit:
    """One shopper from the scan at the gate to the exit line. `owed` counts, by GTIN, the items
    this shopper picked and owes for; `payer` is who pays for them, None for nobody."""

    shopper: int
    code: str | None = None
    entered_s: float | None = None
    left_s: float | None = None
    payer: int | None = None
    staff: bool = False
    owed: Counter[str] = field(default_factory=Counter)
    actions: list[Action] = field(default_factory=list)

    @property
    def kept(self) -> dict[str, int]:
        """GTIN to quantity of what was picked and is owed for."""
        return {gtin: count for gtin, count in sorted(self.owed.items()) if count}


def visit_line(visit: TruthVisit) -> str:
    """The JSON line of a visit."""
    return json.dumps(
        {
            "schema": TRUTH_SCHEMA,
            "shopper": visit.shopper,
            "code": visit.code,
            "entered_s": visit.entered_s,
            "left_s": visit.left_s,
            "payer": visit.payer,
            "staff": visit.staff,
            "kept": visit.kept,
            "actions": [asdict(action) for action in visit.actions],
        },
        ensure_ascii=False,
    )


class TruthWriter:
    """Appends what is true to a truth folder, whole lines only."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def write(self, visits: Iterable[TruthVisit]) -> None:
        """Appends finished visits (World.take_finished)."""
        self._append(VISITS_FILE, [visit_line(visit) for visit in visits])

    def write_traces(self, traces: Traces) -> None:
        """Appends reaches, plate steps and track points (World.take_traces)."""
        self._append("reaches.jsonl", _lines(traces.reaches))
        self._append("plates.jsonl", _lines(traces.plates))
        self._append("tracks.jsonl", _lines(traces.tracks))

    def _append(self, name: str, lines: Sequence[str]) -> None:
        if lines:
            with (self._folder / name).open("a", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))


def _lines(rows: Iterable[Any]) -> list[str]:
    return [json.dumps(asdict(row), ensure_ascii=False) for row in rows]
