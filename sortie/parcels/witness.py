"""What really happened at a simulated wall, kept as it happens, in the auditor's words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from auditor.wall import Lamp, PutBack, Served, Taking
from contracts.labels import label_key
from store_sim.wall import Deed, WallWorld

__all__ = ["Witness"]

SETTLED_S = 1.0
"""A mark that shone for less was not corrected by what cameras saw of it."""


@dataclass(slots=True)
class _Shining:
    """A mark that is on: since when, and how far off it was at each look."""

    t0_s: float
    off_mm: list[float] = field(default_factory=list)
    aim_mm: list[float] = field(default_factory=list)
    label_mm: list[float] = field(default_factory=list)


class Witness:
    """Looks at a world's truth after every step."""

    def __init__(self, world: WallWorld) -> None:
        self._world = world
        self._on: dict[tuple[str, str], _Shining] = {}
        self._lamps: list[Lamp] = []
        self._scans: dict[str, float] = {}
        self._ends: dict[str, float] = {}
        self._due: dict[str, tuple[str, ...]] = {}

    def look(self, meant: Mapping[str, tuple[float, float]]) -> None:
        """Takes in the light and the people of now. `meant`: where the node has the middle of each
        label's thing, (u, z), by the label's text."""
        world = self._world
        texts = {one.name: one.text for one in world.truth.parcels}
        now = {(name, lit.look): lit for name, lits in world.truth.lit().items() for lit in lits}
        for key in [key for key in self._on if key not in now]:
            self._dark(key, world.t_s)
        for key, lit in now.items():
            shining = self._on.setdefault(key, _Shining(world.t_s))
            shining.off_mm.append(lit.off_mm)
            if lit.label_mm is not None:
                shining.label_mm.append(lit.label_mm)
            place = meant.get(texts[key[0]] or "")
            if place is not None and lit.at_m is not None:
                u, _, z = lit.at_m
                shining.aim_mm.append(1000.0 * math.hypot(u - place[0], z - place[1]))
        for at_s, words in world.truth.notes:
            if words.startswith("scan "):
                self.serve(words.removeprefix("scan "), at_s)
        for order_id in world.departed:
            self.end(order_id, world.t_s)

    def serve(self, order_id: str, t_s: float) -> None:
        """An order's customer has scanned, or the van is at their stop."""
        if order_id not in self._scans:
            self._scans[order_id] = t_s
            self._due[order_id] = self._ready(order_id)

    def scanned(self, order_id: str) -> float | None:
        """When an order's code was scanned, None if it was not."""
        return self._scans.get(order_id)

    def over(self, order_id: str) -> bool:
        """Whether its customer has gone, or it was cancelled."""
        return order_id in self._ends

    def end(self, order_id: str, t_s: float) -> None:
        """Nothing may shine for it any more."""
        self._ends.setdefault(order_id, t_s)

    def close(self, t_s: float) -> None:
        """The run is over."""
        for key in list(self._on):
            self._dark(key, t_s)

    def facts(self, events: Sequence[dict[str, Any]], *, epoch_s: float) -> dict[str, Any]:
        """The arguments of auditor.wall.score_wall; `events` are the hub's."""
        told = [
            {
                "t_s": row["at_us"] / 1e6 - epoch_s,
                "kind": row["kind"],
                "alarm": row["data"].get("alarm"),
                "key": row["data"].get("parcel"),
            }
            for row in events
        ]
        return {
            "served": self._served(),
            "takings": [
                Taking(deed.name, _key(deed), deed.t_s, deed.right)
                for deed in self._world.truth.takings()
            ],
            "lamps": self._lamps,
            "unknown": self._unknown(),
            "alarms": [one for one in told if one["kind"] == "wall.alarm"],
            "put_back": self._put_back(),
            "handed": [one for one in told if one["kind"] == "parcel.handed_over"],
        }

    def _put_back(self) -> list[PutBack]:
        log = self._world.truth.log
        return [
            PutBack(
                deed.name,
                _key(deed),
                deed.t_s,
                next((one.t_s for one in log[k + 1 :] if one.name == deed.name), None),
            )
            for k, deed in enumerate(log)
            if deed.kind == "put_back"
        ]

    def _served(self) -> list[Served]:
        return [
            Served(
                order.customer, scan_s, self._ends.get(order.order_id), self._due[order.order_id]
            )
            for order in self._world.orders
            if (scan_s := self._scans.get(order.order_id)) is not None
        ]

    def _ready(self, order_id: str) -> tuple[str, ...]:
        """Names of the order's parcels that stand there and may shine."""
        order = next(one for one in self._world.orders if one.order_id == order_id)
        unknown = self._unknown()
        mine = {self._world.truth.parcel_of[index].name for index in order.indexes}
        return tuple(
            one.name
            for one in self._world.truth.parcels
            if one.name in mine and one.state == "stands" and one.name not in unknown
        )

    def _unknown(self) -> frozenset[str]:
        """Parcels that nothing may invite to take: without a label, or with one that two have."""
        parcels = self._world.truth.parcels
        texts = [one.text for one in parcels if one.text is not None]
        return frozenset(
            one.name for one in parcels if one.text is None or texts.count(one.text) > 1
        )

    def _dark(self, key: tuple[str, str], t_s: float) -> None:
        shining = self._on.pop(key)
        parcel, look = key
        settled = t_s - shining.t0_s >= SETTLED_S
        self._lamps.append(
            Lamp(
                parcel,
                look,
                shining.t0_s,
                t_s,
                off_mm=float(np.median(shining.off_mm)),
                aim_mm=_median(shining.aim_mm),
                label_mm=_median(shining.label_mm),
                settled=settled,
            )
        )


def _key(deed: Deed) -> str | None:
    """What the label of a parcel says that something was done to."""
    return None if deed.text is None else label_key(deed.text)


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None
