"""The failures of a scoring, one card a wrong receipt, the sensor sets side by side.

A card belongs to one account on one day; what was wrong at one moment in several sets stands
together, so that its pictures are drawn and shown once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.store_file import StoreFile
from sortie.lockstep import Sensors
from sortie.scoring.findings import Finding, findings_of, reaches_near
from sortie.scoring.plan import Run
from sortie.scoring.runner import Scored

__all__ = ["CARDS_MAX", "Card", "Moment", "Spot", "cards_of"]

CARDS_MAX = 300
"""Cards of a report; the page says how many were left out."""
HAND_ABOVE_M = 0.12
"""Where a hand is above its board, for the ring in the pictures."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where and when to look: a point of a bay's front plane, in store seconds and metres."""

    bay_id: str
    t_s: float
    u_m: float
    z_m: float


@dataclass(slots=True)
class Moment:
    """What was wrong at one moment, by sensor set. `spot` is None where nothing tells when."""

    spot: Spot | None
    findings: dict[Sensors, list[Finding]] = field(default_factory=dict)

    @property
    def first(self) -> Finding:
        """Any of its findings, for what is the same in all: the true act."""
        return next(found for group in self.findings.values() for found in group)


@dataclass(slots=True)
class Card:
    """One account on one day. `rows` has its row in every set that was scored, exact or not."""

    case: str
    seed: int
    shopper: str
    visit_id: str
    rows: dict[Sensors, Mapping[str, Any]] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)


def cards_of(scored: Scored, store: StoreFile) -> tuple[list[Card], int]:
    """The cards in the order of cases and seeds, and how many more there would be."""
    cards: list[Card] = []
    days: dict[tuple[str, int], list[Run]] = {}
    for run in scored.request.runs:
        if run in scored.documents:
            days.setdefault((run.case, run.seed), []).append(run)
    for (case, seed), runs in days.items():
        accounts: dict[tuple[str, str], Card] = {}
        for run in runs:
            for row in scored.documents[run]["visits"]:
                key = (row["shopper"], row["visit_id"])
                card = accounts.setdefault(key, Card(case, seed, *key))
                card.rows[run.sensors] = row
        for card in accounts.values():
            if any(not row["exact"] for row in card.rows.values()):
                _fill(card, runs, scored, store)
                cards.append(card)
    return cards[:CARDS_MAX], max(0, len(cards) - CARDS_MAX)


def _fill(card: Card, runs: list[Run], scored: Scored, store: StoreFile) -> None:
    """Adds the moments at which something went wrong."""
    moments: dict[object, Moment] = {}
    for run in runs:
        row, trace = card.rows.get(run.sensors), scored.traces.get(run)
        if row is None or row["exact"] or trace is None:
            continue
        for finding in findings_of(row, scored.documents[run], trace):
            moment = moments.setdefault(
                _same(finding), Moment(_spot(finding, trace, store))
            )  # fmt: skip
            moment.findings.setdefault(run.sensors, []).append(finding)
    card.moments = sorted(
        moments.values(),
        key=lambda one: (one.spot is None, 0.0 if one.spot is None else one.spot.t_s),
    )


def _same(finding: Finding) -> object:
    """What findings at the same moment have in common."""
    if finding.act is not None:
        return (finding.act.shopper, finding.act.t_s, finding.act.sign)
    if finding.t_s is not None:
        return (finding.bay_id, round(finding.t_s))
    return None


def _spot(finding: Finding, trace: Mapping[str, Any], store: StoreFile) -> Spot | None:
    t_s, bay_id = finding.t_s, finding.bay_id
    bay = next((bay for bay in store.bays if bay.bay_id == bay_id), None)
    if t_s is None or bay is None or bay_id is None:
        return None
    u_m, z_m = bay.width_m / 2, bay.height_m / 2
    if finding.act is not None:
        action = finding.act.action
        boards = {board.board_id: board.z_m for board in bay.boards}
        u_m = action["u_m"]
        z_m = boards.get(action["board_id"], z_m) + HAND_ABOVE_M
    else:
        near = reaches_near(trace, bay_id, t_s)
        if near:
            u_m, z_m = near[0]["u_m"], near[0]["z_m"] or z_m
    return Spot(bay_id, t_s, u_m, z_m)
