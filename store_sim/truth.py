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
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["TRUTH_SCHEMA", "Action", "ActionKind", "TruthVisit", "TruthWriter", "visit_line"]

TRUTH_SCHEMA = 1
VISITS_FILE = "visits.jsonl"

ActionKind = Literal["take", "put_back", "touch"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a hand did to the shelf. `t_s` is when the item left or met the board."""

    t_s: float
    kind: ActionKind
    slot_id: str
    bay_id: str
    board_id: str
    u_m: float
    gtin: str
    item_index: int | None
    hand: Literal["l", "r"]


@dataclass(slots=True)
class TruthVisit:
    """One shopper from the scan at the gate to the exit line."""

    shopper: int
    code: str | None = None
    entered_s: float | None = None
    left_s: float | None = None
    actions: list[Action] = field(default_factory=list)

    @property
    def kept(self) -> dict[str, int]:
        """GTIN to quantity of what was taken and not put back."""
        counts: Counter[str] = Counter()
        for action in self.actions:
            if action.kind == "take":
                counts[action.gtin] += 1
            elif action.kind == "put_back":
                counts[action.gtin] -= 1
        return {gtin: count for gtin, count in sorted(counts.items()) if count}


def visit_line(visit: TruthVisit) -> str:
    """The JSON line of a visit."""
    return json.dumps(
        {
            "schema": TRUTH_SCHEMA,
            "shopper": visit.shopper,
            "code": visit.code,
            "entered_s": visit.entered_s,
            "left_s": visit.left_s,
            "kept": visit.kept,
            "actions": [asdict(action) for action in visit.actions],
        },
        ensure_ascii=False,
    )


class TruthWriter:
    """Appends visits to a truth folder, whole lines only."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / VISITS_FILE

    def write(self, visits: Iterable[TruthVisit]) -> None:
        """Appends finished visits (World.take_finished)."""
        lines = [visit_line(visit) + "\n" for visit in visits]
        if lines:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(lines))
