"""One case of a pick-up wall in lockstep, audited: world, node and hub under one virtual clock.

The node is the one of production and so is the hub; what stands in is the wall behind the hardware
ports (store_sim.wall), whose light the node's pictures fall on. Nothing above the ports knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from auditor.wall import ParcelScore, score_wall
from contracts.store_file import StoreFile
from contracts.wall import Wall
from contracts.wall_messages import INVITING
from edge.compose import CoreMaker
from edge.exchange import NodeOutputs
from edge.settings import NodeSettings
from hardware.ports import Frame, GateScan, ScaleBatch
from hub.attribution.engine import Engine
from hub.parcels.codes import digest_of
from hub.parcels.commands import (
    CancelOrder,
    LoadRoute,
    MoveRoute,
    OrderedParcel,
    PlaceOrder,
    RouteStop,
)
from hub.service import Hub
from sortie.errors import UsageError
from sortie.lockstep import EPOCH_S, DirectLine, Lockstep
from sortie.lockstep_node import LockstepNode
from sortie.parcels.witness import Witness
from store_sim.dials import ClockDials
from store_sim.wall import SimOrder, WallWorld

__all__ = ["STEP_S", "WallRun", "run_case", "store_of"]

STEP_S = 0.05
SETTLE_S = 12.0
"""Nobody has a code before: the wall is read and its projector calibrated."""
AFTER_S = 3.0
ROUTE = "round"
RUN_S_MAX = 300.0

Look = Callable[[WallWorld, Hub, float], None]


@dataclass(frozen=True, slots=True)
class _Tick:
    """What the wall's sensors gave since the last step."""

    t_s: float
    frames: tuple[Frame, ...]
    scans: tuple[GateScan, ...]
    scales: ScaleBatch | None = None


@dataclass(slots=True)
class WallRun:
    """What one run gave. `events` are the hub's, as exported; `cpu_s` by part."""

    case: str
    seed: int
    score: ParcelScore
    store_s: float
    cpu_s: dict[str, float]
    events: list[dict[str, Any]] = field(default_factory=list)


class _ShownLine(DirectLine):
    """A direct line on which projectors and lamps show what the node draws."""

    def __init__(self, nodes: Sequence[LockstepNode], hub: Hub, world: WallWorld) -> None:
        super().__init__(nodes, hub)
        self._world = world

    def step(self, node: LockstepNode, tick: Any) -> NodeOutputs:
        """The node's step, and its pictures on the wall."""
        names = [one.projector_id for one in self._world.wall.projectors]
        node.unplugged = frozenset(name for name in names if not self._world.plugged(name))
        outputs = super().step(node, tick)
        for name, picture in outputs.pictures.items():
            self._world.show(name, picture)
        for name, colours in outputs.lamps.items():
            self._world.show_lamps(name, colours)
        return outputs


def run_case(
    store: StoreFile,
    wall: Wall,
    case: str,
    seed: int,
    *,
    progress: Callable[[float], None] = lambda _t: None,
    look: Look = lambda _world, _hub, _t: None,
) -> WallRun:
    """Runs one case to its end. `look` sees world and hub after every step, for pictures.

    UsageError where no node of the store serves the wall; WallSimError where the wall cannot be
    filled as the case asks.
    """
    began = time.process_time()
    only = store_of(store, wall)
    world = WallWorld(wall, case, seed)
    witness = Witness(world)
    with closing(Hub.open(only, attributor=Engine)) as hub:
        lockstep = Lockstep(
            only,
            hub,
            CoreMaker(NodeSettings()),
            clock=ClockDials(),
            seed=seed,
            line=lambda nodes, made: _ShownLine(nodes, made, world),
        )
        _place(hub, world)
        if world.case.van:
            _load_route(hub, world)
        end_s = lockstep.run(_ticks(world, hub, witness, look), progress=progress)
        witness.close(end_s)
        events = [row for row in hub.export_json()["events"] if _of_walls(row)]
        spent = lockstep.cpu_s
    facts = witness.facts(events, epoch_s=EPOCH_S)
    score = score_wall(name=f"{case}/{seed}", end_s=end_s, **facts)
    return WallRun(case, seed, score, end_s, {**spent, "all": time.process_time() - began}, events)


def store_of(store: StoreFile, wall: Wall) -> StoreFile:
    """A store of this one wall alone: nothing else is simulated here. UsageError if nobody serves
    the wall."""
    nodes = tuple(
        node.model_copy(
            update={"walls": (wall.wall_id,), "bays": (), "gates": False, "floor": False}
        )
        for node in store.nodes
        if wall.wall_id in node.walls
    )
    if not nodes:
        raise UsageError(f"expected a node that serves wall {wall.wall_id}, got none")
    return store.model_copy(
        update={
            "bays": (), "plates": (), "cameras": (), "gates": (), "products": (), "slots": (),
            "walls": (wall,), "nodes": nodes,
        }
    )  # fmt: skip


def _place(hub: Hub, world: WallWorld) -> None:
    """The orders, as a shop would post them before their customers come. What else stands there
    with a good label of this store waits for customers who do not come."""
    coming = [one for one in world.orders if one.behaviour != "nobody"]
    for order in coming:
        _order(hub, order.order_id, _code(world, order), order.parcels)
    named = {text for order in coming for text in order.parcels}
    for one in world.truth.parcels:
        if one.text is not None and one.text not in named and world.is_ours(one.name):
            named.add(one.text)
            _order(hub, f"later-{one.name}", f"PCK-{world.seed}-{one.name}", (one.text,))


def _order(hub: Hub, order_id: str, code: str, labels: Sequence[str]) -> None:
    parcels = tuple(OrderedParcel(label=text) for text in labels)
    command = PlaceOrder(order_id=order_id, code_sha256=digest_of(code), parcels=parcels)
    hub.command(command, EPOCH_S)


def _code(world: WallWorld, order: SimOrder) -> str:
    return f"PCK-{world.seed}-{order.order_id}"


def _ticks(world: WallWorld, hub: Hub, witness: Witness, look: Look) -> Iterator[_Tick]:
    step, over_s = 0, None
    while True:
        t_s = step * STEP_S
        if step > 0:
            witness.look(_meant(hub, world))
            look(world, hub, world.t_s)
        world.step(t_s)
        if t_s >= SETTLE_S:
            for order in world.orders:
                if order.needs_code and world.code_of(order.order_id) is None:
                    world.give_code(order.order_id, _code(world, order))
        _tell_looks(world, hub)
        if world.case.van and t_s >= SETTLE_S:
            _drive(world, hub, witness, t_s)
        _cancel(world, hub, witness, t_s)
        scans = tuple(GateScan(one.scanner_id, one.t_s, one.code) for one in world.scans())
        yield _Tick(t_s, world.frames(t_s), scans)
        if world.over and over_s is None:
            over_s = t_s
        if t_s >= RUN_S_MAX or (over_s is not None and t_s >= over_s + AFTER_S):
            return
        step += 1


def _load_route(hub: Hub, world: WallWorld) -> None:
    """Each order is a stop of the van's round."""
    stops = tuple(
        RouteStop(name=f"stop {number + 1}", orders=(order.order_id,))
        for number, order in enumerate(world.orders)
    )
    command = LoadRoute(route_id=ROUTE, wall_id=world.wall.wall_id, stops=stops)
    hub.command(command, EPOCH_S)


def _drive(world: WallWorld, hub: Hub, witness: Witness, t_s: float) -> None:
    """The van is at its next stop when whoever unloads at it has come."""
    at = hub.core.state.parcels.routes[ROUTE].at
    if at + 1 >= len(world.orders):
        return
    coming = world.orders[at + 1]
    done = at < 0 or world.orders[at].order_id in world.departed
    if done and coming.customer in world.visitors:
        hub.command(MoveRoute(route_id=ROUTE, at=at), EPOCH_S + t_s)
        witness.serve(coming.order_id, t_s)


def _tell_looks(world: WallWorld, hub: Hub) -> None:
    """The kiosk says which light is whose; who is let in by none has no light."""
    known = hub.core.state.parcels.walls.get(world.wall.wall_id)
    looks = {
        order_id: session.look
        for session in (() if known is None else known.live())
        for order_id in session.orders
        if session.look in INVITING
    }
    for order in world.orders if not world.case.van else ():
        world.tell_look(order.order_id, looks.get(order.order_id, "look"))


def _meant(hub: Hub, world: WallWorld) -> dict[str, tuple[float, float]]:
    """Where the node told the hub that the middle of a mark for each label belongs, (u, z)."""
    known = hub.core.state.parcels.walls.get(world.wall.wall_id)
    found = {}
    for one in () if known is None else known.things.values():
        if one.state == "stands" and one.text is not None:
            us, zs = zip(*(one.mark_m or one.outline_m), strict=True)
            found[one.text] = ((min(us) + max(us)) / 2, (min(zs) + max(zs)) / 2)
    return found


def _cancel(world: WallWorld, hub: Hub, witness: Witness, t_s: float) -> None:
    for order in world.orders:
        scan_s = witness.scanned(order.order_id)
        if order.cancel_after_s is None or scan_s is None or witness.over(order.order_id):
            continue
        if t_s >= scan_s + order.cancel_after_s:
            hub.command(CancelOrder(order_id=order.order_id), EPOCH_S + t_s)
            witness.end(order.order_id, t_s)


def _of_walls(row: dict[str, Any]) -> bool:
    return str(row["kind"]).split(".")[0] in ("wall", "pickup", "parcel", "order", "route")
