"""Customers of a pick-up wall: what they do, step by step. They see lights, not orders of a hub."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from contracts.wall_messages import INVITING, MarkLook
from store_sim.wall.cases import Behaviour
from store_sim.wall.lights import Lit
from store_sim.wall.parcels import ParcelPose, SimParcel
from store_sim.wall.visitor import Steps, Visitor

__all__ = ["Script", "SimOrder", "WallScene", "mover", "plan"]

CODE_S_MAX = 30.0
"""Who has no code by then goes home."""
LIGHT_S_MAX = 8.0
"""Who sees no light for so long after the scan scans again."""
SCANS_MAX = 3
"""And after so many looks from nearer, scans once more and gives up."""
NEXT_LIGHT_S = 3.0


@dataclass(frozen=True, slots=True)
class SimOrder:
    """An order as the driver posts it: labels' texts of its parcels. `needs_code` is false where
    nobody scans (a van's stop, a taker without an order). `due_s`: when the customer comes, store
    seconds, once the one before has left where `after` names them. `cancel_after_s`: so long after
    the scan the driver cancels it."""

    order_id: str
    customer: str
    parcels: tuple[str, ...]
    indexes: tuple[int, ...]
    due_minor: int
    due_s: float
    behaviour: Behaviour
    needs_code: bool
    after: str | None = None
    cancel_after_s: float | None = None


class WallScene(Protocol):
    """What a customer can see and do at the wall; the world is one."""

    t_s: float
    width_m: float

    def code_of(self, order_id: str) -> str | None:
        """The code of an order, once it is known."""
        ...

    def scan(self, order: SimOrder, code: str) -> None:
        """Holds a code before the scanner."""
        ...

    def look_of(self, order_id: str) -> MarkLook | None:
        """Which light the kiosk said is theirs, None if it said nothing."""
        ...

    def alone(self) -> bool:
        """Whether nobody else is at the wall."""
        ...

    def lights(self) -> dict[int, tuple[Lit, ...]]:
        """The light that falls on parcels, by index."""
        ...

    def standing(self) -> dict[int, tuple[SimParcel, ParcelPose]]:
        """The parcels at the wall, by index."""
        ...

    def taken(self, who: Visitor, order: SimOrder, index: int) -> None:
        """A parcel leaves its place."""
        ...

    def placed(self, order: SimOrder, index: int, place: str, pose: ParcelPose) -> None:
        """A parcel stands again."""
        ...

    def free_pose(self, parcel: SimParcel) -> tuple[str, ParcelPose] | None:
        """An empty place for a parcel, and how it would stand there."""
        ...

    def place_name(self, index: int) -> str:
        """Where a parcel stands."""
        ...

    def left(self, who: Visitor, order: SimOrder) -> None:
        """Goes out of sight."""
        ...


Script = Callable[[WallScene, Visitor, SimOrder, float], Steps]
"""A plan of somebody: what they do at the scene, and on which side of the wall they come."""


def _seen(scene: WallScene, order: SimOrder) -> list[int]:
    """Parcels that are lit for this customer. Who was not told which light is theirs follows any
    that invites; with somebody else there, only if their own name is on the label."""
    told = scene.look_of(order.order_id)
    looks: frozenset[str] = INVITING if told is None else frozenset({told})
    standing = scene.standing()
    names = told is None and not scene.alone()
    return sorted(
        index
        for index, marks in scene.lights().items()
        if index in standing
        and any(mark.look in looks for mark in marks)
        and (not names or index in order.indexes)
    )


def plan(scene: WallScene, who: Visitor, order: SimOrder, side: float) -> Steps:
    """All that a customer does, from coming to leaving. `side`: -1 they wait left of the wall."""
    wait_u = -0.42 if side < 0 else scene.width_m + 0.42
    yield from who.walk((wait_u, -0.75))
    if order.behaviour == "nobody":
        yield from who.wait(0.5 + float(who.rng.random()))
        yield from _take_any(scene, who, order)
        yield from _leave(scene, who, order, side)
        return
    if order.needs_code:
        yield from who.wait(CODE_S_MAX, lambda: scene.code_of(order.order_id) is not None)
        if scene.code_of(order.order_id) is None:
            yield from _leave(scene, who, order, side)
            return
        yield from who.wait(0.6 + 0.8 * float(who.rng.random()))
    yield from _ask(scene, who, order, SCANS_MAX)
    # Eyes and feet need a moment.
    yield from who.wait(0.5 + 0.7 * float(who.rng.random()))
    yield from _act(scene, who, order)
    yield from _leave(scene, who, order, side)


def _ask(scene: WallScene, who: Visitor, order: SimOrder, scans: int) -> Steps:
    """Scans, and scans again as long as nothing shines."""
    who.look_at((scene.width_m / 2, 0.0, 1.3))
    for _ in range(scans):
        code = scene.code_of(order.order_id)
        if order.needs_code and code is not None:
            scene.scan(order, code)
        yield from who.wait(LIGHT_S_MAX, lambda: bool(_seen(scene, order)))
        if _seen(scene, order):
            return


def _act(scene: WallScene, who: Visitor, order: SimOrder) -> Steps:
    if order.behaviour == "cancelled":
        yield from who.wait(7.0)
        yield from _collect(scene, who, order, 0.5)
        return
    if order.behaviour in ("wrong_keep", "wrong_return"):
        yield from _mistake(scene, who, order)
    if order.behaviour == "elsewhere":
        yield from _elsewhere(scene, who, order)
    if order.behaviour == "moved":
        yield from who.wait(9.0)
    yield from _collect(scene, who, order, NEXT_LIGHT_S)


def _collect(scene: WallScene, who: Visitor, order: SimOrder, patience_s: float) -> Steps:
    """Takes what is lit, one after the other, until as many are taken as the order has. Who sees no
    light from beside the wall looks from in front of it: light may wait for somebody to come. Who
    still lacks something steps back and asks once more, unless it was called off."""
    asked = order.behaviour == "cancelled"
    wanted = len(order.parcels) - (order.behaviour == "leave_one")
    mine = 0
    while mine < wanted:
        yield from who.wait(patience_s, lambda: bool(_seen(scene, order)))
        beside = not 0.0 < who.at[0] < scene.width_m
        if beside and not _seen(scene, order):
            yield from who.walk((scene.width_m * (0.25 if who.at[0] < 0.0 else 0.75), -0.75))
            yield from who.wait(patience_s, lambda: bool(_seen(scene, order)))
        lit = _seen(scene, order)
        if not lit and not asked:
            asked = True
            yield from who.walk((who.at[0], -0.8))
            yield from _ask(scene, who, order, 1)
            continue
        if not lit:
            return
        index = min(lit, key=lambda k: abs(scene.standing()[k][1].at_m[0] - who.at[0]))
        yield from _bag(who)
        got = yield from _take(scene, who, order, index)
        mine += got


def _bag(who: Visitor) -> Steps:
    for held in list(who.carried):
        yield from who.stow_away(held)


def _take(
    scene: WallScene, who: Visitor, order: SimOrder, index: int
) -> Generator[None, None, int]:
    """Walks up to a parcel and takes it; 1 if it was still there, else 0."""
    standing = scene.standing()
    if index not in standing:
        return 0
    parcel, pose = standing[index]
    yield from who.walk(who.stand_for(pose, scene.width_m))
    standing = scene.standing()
    if index not in standing:
        return 0
    parcel, pose = standing[index]
    yield from who.grab(parcel, pose, lambda: scene.taken(who, order, index))
    return 1


def _beside(scene: WallScene, order: SimOrder) -> int | None:
    """A parcel that is not theirs, next to one that is lit for them."""
    standing, lit = scene.standing(), _seen(scene, order)
    others = [k for k in standing if k not in order.indexes and k not in lit]
    if not others or not lit:
        return None
    _, near = standing[lit[0]]
    return min(others, key=lambda k: (math.dist(standing[k][1].at_m, near.at_m), k))


def _mistake(scene: WallScene, who: Visitor, order: SimOrder) -> Steps:
    """Takes a neighbour of theirs; keeps it, or looks at it and puts it back."""
    index = _beside(scene, order)
    if index is None:
        return
    _, before = scene.standing()[index]
    place = scene.place_name(index)
    got = yield from _take(scene, who, order, index)
    if not got:
        return
    yield from who.wait(1.6 + 1.6 * float(who.rng.random()))
    if order.behaviour == "wrong_return" and who.carried:
        held = who.carried[-1]
        pose = before.moved(float(who.rng.uniform(-0.01, 0.01)), 0.0, 0.0)
        yield from who.put(held, pose, lambda: scene.placed(order, index, place, pose))
        yield from who.wait(0.8)


def _elsewhere(scene: WallScene, who: Visitor, order: SimOrder) -> Steps:
    """Takes one of theirs and sets it down in another place."""
    lit = _seen(scene, order)
    if not lit:
        return
    yield from _shift(scene, who, order, lit[0])
    yield from who.wait(1.5)


def _shift(scene: WallScene, who: Visitor, order: SimOrder, index: int) -> Steps:
    got = yield from _take(scene, who, order, index)
    if not got:
        return
    held = who.carried[-1]
    yield from who.wait(0.7 + float(who.rng.random()))
    free = scene.free_pose(held.parcel)
    if free is None:
        return
    place, pose = free
    yield from who.walk(who.stand_for(pose, scene.width_m))
    yield from who.put(held, pose, lambda: scene.placed(order, index, place, pose))
    yield from who.walk((who.at[0], who.at[1] - 0.35))


def mover(scene: WallScene, who: Visitor, order: SimOrder, side: float) -> Steps:
    """Somebody who moves the parcel that is lit for another, and goes."""
    yield from who.walk((-0.42 if side < 0 else scene.width_m + 0.42, -0.8))
    yield from who.wait(40.0, lambda: bool(_seen(scene, order)))
    lit = _seen(scene, order)
    if lit:
        yield from who.wait(0.4)
        yield from _shift(scene, who, order, lit[0])
    yield from _leave(scene, who, order, side)


def _take_any(scene: WallScene, who: Visitor, order: SimOrder) -> Steps:
    """Takes some parcel without asking anybody."""
    standing = sorted(scene.standing())
    if standing:
        yield from _take(scene, who, order, standing[int(who.rng.integers(len(standing)))])


def _leave(scene: WallScene, who: Visitor, order: SimOrder, side: float) -> Steps:
    who.look_at(None)
    away = -2.2 if side < 0 else scene.width_m + 2.2
    yield from who.walk((who.at[0], -1.0))
    yield from who.walk((away, -1.2))
    scene.left(who, order)
