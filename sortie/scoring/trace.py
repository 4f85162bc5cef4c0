"""What was said and believed on a day with a wrong receipt: for the report, never for scoring.

Read from the hub when the day is over: the messages of its inbox are what the nodes published,
the events of its log what it believed. A trace holds JSON values, times in store seconds:

    {"visits":    {visit_id: {"shopper": 0 or null, "wallet", "opened_s", "reasons": [],
                   "exit_kind"}},
     "truth":     [lines of visits.jsonl], "hands": [lines of reaches.jsonl, if there are any],
     "reaches":   [{"node", "reach_id", "bay_id", "t_open_s", "t_close_s", "u_m", "z_m",
                    "camera_ok", "plates_ok", "hands": [{"t_in_s", "t_out_s", "u_m", "z_m",
                    "held_in", "held_out", "body_m"}],
                    "changes": [{"board_id", "u0_m", "u1_m", "t_before_s", "t_after_s",
                    "action": {"pick", "put_back", "nothing"}, "pieces": [], "products": []}],
                    "grams": [{"plate_id", "t_start_s", "t_end_s", "delta_g", "sd_g"}]}],
     "decisions": [{"kind", "at_s", and the data of a decision's event}],
     "news":      [{"kind", "at_s", "visit_id", "data"}: what else happened to visits, sensors]}

Likelihoods are shown as shares that add up to one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.codec import decode, message_of
from contracts.errors import ContractError
from contracts.messages import FacingChange, HandSeen, ProductScores, ReachClosed
from hub.service import Hub
from hub.store import tables as t
from sortie.lockstep import EPOCH_S

__all__ = ["REACHES_MAX", "trace_of"]

REACHES_MAX = 2_000
DECISIONS_MAX = 4_000
NEWS_MAX = 500
_NEWS = (
    "entry.refused", "visit.bound", "visit.exited", "visit.lost", "visit.relinked",
    "visit.settled", "sensor.blind", "sensor.back",
)  # fmt: skip

ToStore = Callable[[float], float]


def trace_of(hub: Hub, truth: Path) -> dict[str, Any]:
    """The trace of a day whose hub has not closed yet; the first of too many things are kept."""
    phones = {row["visit_id"]: row["shopper"] for row in _lines(truth / "phones.jsonl")}
    export = hub.export_json()
    events = [
        {**event, "at_s": event["at_us"] / 1e6 - EPOCH_S}
        for event in export["events"]
        if event["kind"] in _NEWS or event["kind"].startswith("decision.")
    ]
    return {
        "visits": {
            row["visit_id"]: {
                "shopper": phones.get(row["visit_id"]),
                "wallet": row["payer"],
                "opened_s": row["opened_us"] / 1e6 - EPOCH_S,
                "reasons": row["review_reasons"],
                "exit_kind": row["exit_kind"],
            }
            for row in export["visits"]
        },
        "truth": _lines(truth / "visits.jsonl"),
        "hands": _lines(truth / "reaches.jsonl"),
        "reaches": _reaches(hub),
        "decisions": [
            {
                "kind": event["kind"],
                "at_s": round(event["at_s"], 3),
                **event["data"],
                "t_s": round(event["data"]["t_us"] / 1e6 - EPOCH_S, 3),
            }
            for event in events
            if event["kind"].startswith("decision.")
        ][:DECISIONS_MAX],
        "news": [
            {
                "kind": event["kind"],
                "at_s": round(event["at_s"], 3),
                "visit_id": event["visit_id"],
                "data": event["data"],
            }
            for event in events
            if event["kind"] in _NEWS
        ][:NEWS_MAX],
    }


def _reaches(hub: Hub) -> list[dict[str, Any]]:
    """What every node said when a reach had closed."""
    found: list[dict[str, Any]] = []
    for row in hub.store.rows(t.inbox, "position"):
        if f'"{ReachClosed.TYPE}"' not in row["payload"] or row["dead"]:
            continue
        try:
            message = message_of(decode(row["payload"].encode()))
        except ContractError:
            continue
        if isinstance(message, ReachClosed):
            to_store = _clock(hub, row["device_id"], row["boot_id"])
            found.append({"node": row["device_id"], **_reach(message, to_store)})
        if len(found) >= REACHES_MAX:
            break
    return found


def _clock(hub: Hub, device_id: str, boot_id: str) -> ToStore:
    """From a node's seconds to the store's, as the hub knows the node's clock."""
    boot = hub.core.state.devices.all[device_id].boots.get(boot_id)
    offset_s = 0.0 if boot is None else boot.clock.estimate().offset_s - EPOCH_S
    return lambda t_s: round(t_s + offset_s, 3)


def _reach(reach: ReachClosed, to_store: ToStore) -> dict[str, Any]:
    return {
        "reach_id": reach.reach_id,
        "bay_id": reach.bay_id,
        "t_open_s": to_store(reach.t_open_s),
        "t_close_s": to_store(reach.t_close_s),
        "u_m": round(reach.u_m, 3),
        "z_m": None if reach.z_m is None else round(reach.z_m, 3),
        "camera_ok": reach.camera_ok,
        "plates_ok": reach.plates_ok,
        "hands": [_hand(hand, to_store) for hand in reach.hands],
        "changes": [_change(change, to_store) for change in reach.changes],
        "grams": [
            {
                "plate_id": step.plate_id,
                "t_start_s": to_store(step.t_start_s),
                "t_end_s": to_store(step.t_end_s),
                "delta_g": round(step.delta_g, 1),
                "sd_g": round(step.sd_g, 2),
            }
            for step in reach.grams
        ],
    }


def _hand(hand: HandSeen, to_store: ToStore) -> dict[str, Any]:
    seen = hand.body_x_m is not None and hand.body_y_m is not None
    return {
        "t_in_s": to_store(hand.t_in_s),
        "t_out_s": to_store(hand.t_out_s),
        "u_m": round(hand.u_m, 3),
        "z_m": round(hand.z_m, 3),
        "held_in": round(hand.held_in, 3),
        "held_out": round(hand.held_out, 3),
        "body_m": [hand.body_x_m, hand.body_y_m] if seen else None,
    }


def _change(change: FacingChange, to_store: ToStore) -> dict[str, Any]:
    action = change.action
    pick, put_back, nothing = _shares([action.pick, action.put_back, action.nothing])
    return {
        "board_id": change.board_id,
        "u0_m": round(change.u0_m, 3),
        "u1_m": round(change.u1_m, 3),
        "t_before_s": to_store(change.t_before_s),
        "t_after_s": to_store(change.t_after_s),
        "action": {"pick": pick, "put_back": put_back, "nothing": nothing},
        "pieces": _shares(change.pieces),
        "products": _products(change.products),
    }


def _products(scores: ProductScores) -> list[list[Any]]:
    """GTIN and share, the likeliest first; None is anything else."""
    if not scores.top:
        return []
    shares = _shares([*(one.log_likelihood for one in scores.top), scores.other])
    named: list[list[Any]] = [
        [gtin, share]
        for gtin, share in zip([*(one.gtin for one in scores.top), None], shares, strict=True)
    ]
    return sorted(named, key=lambda row: -float(row[1]))


def _shares(log_likelihoods: Sequence[float]) -> list[float]:
    if not log_likelihoods:
        return []
    most = max(log_likelihoods)
    weights = [math.exp(value - most) for value in log_likelihoods]
    return [round(weight / sum(weights), 4) for weight in weights]


def _lines(path: Path) -> list[Mapping[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
