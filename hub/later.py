"""Parts of the state that a dump names only where there is any of them.

They came after hubs had begun to write snapshots: a store that uses none of a part has the digest
that it had before there was that part, and what was dumped then reads as it was. Inside of visits,
devices, offers and shelves the same holds for what came to them later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hub.parcels.model import Parcels
from hub.review.model import Aftercare
from hub.state import HubState, NearReach
from hub.visits.commands import CodeJudged
from hub.visits.scans import code_judged
from hub.wallet.bank import Chargeback

__all__ = ["dump_later", "restore_later"]


def dump_later(state: HubState) -> dict[str, Any]:
    """Those parts as JSON values, by name."""
    parts: dict[str, Any] = {
        "level": state.level,
        "judged": [command.model_dump(mode="json") for command in state.judged.values()],
        "badges": dict(sorted(state.badges.items())),
        "guesses": dict(sorted(state.guesses.items())),
        "vat": state.catalog.dump_vat(),
        "by_place": state.by_place,
        "offers": state.catalog.offers.dump(),
        "shelves": state.shelves.dump(),
        "told": dict(state.told),
        "chargebacks": [asdict(one) for one in state.chargebacks.values()],
        "parked": dict(state.parked),
        "undated": [asdict(reach) for reach in state.undated.values()],
        "once": list(state.once),
        "aftercare": state.aftercare.dump() if state.aftercare else None,
        "parcels": state.parcels.dump() if state.parcels else None,
    }
    return {name: value for name, value in parts.items() if value}


def restore_later(state: HubState, dumped: Mapping[str, Any]) -> None:
    """Takes up what `dump_later` gave; the catalog's products must be there."""
    state.level = dumped.get("level", 0)
    for row in dumped.get("judged", ()):
        code_judged(state, CodeJudged.model_validate(row))
    state.badges = dict(dumped.get("badges", {}))
    state.guesses = {gate: list(tries) for gate, tries in dumped.get("guesses", {}).items()}
    state.catalog.restore_vat(dumped.get("vat", {}))
    state.by_place = dumped.get("by_place", False)
    state.catalog.offers.restore(dumped.get("offers", {}))
    state.shelves.restore(dumped.get("shelves", {}))
    state.told = dict(dumped.get("told", {}))
    rows = [Chargeback(**row) for row in dumped.get("chargebacks", ())]
    state.chargebacks = {row.dispute_id: row for row in rows}
    state.parked = dict(dumped.get("parked", {}))
    reaches = [NearReach(**row) for row in dumped.get("undated", ())]
    state.undated = {reach.reach_id: reach for reach in reaches}
    state.once = dict.fromkeys(dumped.get("once", ()))
    if "aftercare" in dumped:
        state.aftercare = Aftercare.load(dumped["aftercare"])
    if "parcels" in dumped:
        state.parcels = Parcels.load(dumped["parcels"])
