"""What really happened at a wall, for the auditor and the score alone.

Times are store seconds; poses are in the wall's frame. Nothing here comes from a picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from store_sim.wall.lights import Lit
from store_sim.wall.parcels import ParcelPose, SimParcel

__all__ = ["Deed", "DeedKind", "ParcelState", "TrueParcel", "WallTruth"]

ParcelState = Literal["stands", "carried", "gone"]
DeedKind = Literal["take", "put_back", "leave"]


@dataclass(frozen=True, slots=True)
class TrueParcel:
    """A parcel now: it stands, is carried by somebody (`holder`), or has left with them. `key` is
    what it truly is, `text` what its label says (None: nothing readable)."""

    name: str
    key: str
    text: str | None
    state: ParcelState
    pose: ParcelPose
    size_m: tuple[float, float, float]
    place: str
    holder: str | None


@dataclass(frozen=True, slots=True)
class Deed:
    """Somebody did something to a parcel. `take`: it leaves its place; `put_back`: it stands again,
    at `place`; `leave`: it left the wall with them. `right`: the parcel is of their order."""

    t_s: float
    kind: DeedKind
    name: str
    text: str | None
    customer: str
    order_id: str | None
    right: bool
    place: str = ""


@dataclass(slots=True)
class WallTruth:
    """The whole truth of one run so far. `log` are deeds in order; `notes` what else happened to
    the wall (a bump, a blind camera), as (t_s, words)."""

    log: list[Deed] = field(default_factory=list)
    notes: list[tuple[float, str]] = field(default_factory=list)
    now: dict[int, TrueParcel] = field(default_factory=dict)
    lights: dict[int, tuple[Lit, ...]] = field(default_factory=dict)
    parcel_of: dict[int, SimParcel] = field(default_factory=dict)
    t_s: float = 0.0

    @property
    def parcels(self) -> tuple[TrueParcel, ...]:
        """All parcels there are or were."""
        return tuple(self.now[index] for index in sorted(self.now))

    def takings(self) -> tuple[Deed, ...]:
        """Every time a parcel left its place."""
        return tuple(deed for deed in self.log if deed.kind == "take")

    def lit(self, t_s: float | None = None) -> dict[str, tuple[Lit, ...]]:
        """The light that really falls on each parcel's front now, by the parcel's name; parcels
        without any are left out. ValueError for another time than now: it is not kept."""
        if t_s is not None and abs(t_s - self.t_s) > 1e-6:
            raise ValueError(f"expected the world's time {self.t_s}, got {t_s}; step there first")
        return {self.parcel_of[index].name: lits for index, lits in sorted(self.lights.items())}
