"""A van's route: stops in order, each with the parcels that are left there.

A stop is a session at the van's wall in which all its parcels are shown and nothing else is.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.labels import label_key
from hub.command import Reply
from hub.errors import ConflictError, RejectedError, UnknownParcelError
from hub.levels import ROUTES_LEVEL
from hub.parcels.alarms import wall_of
from hub.parcels.commands import LoadRoute, MoveRoute, RouteStop
from hub.parcels.model import Route, Session, Stop, Wall
from hub.parcels.sessions import end, open_route
from hub.state import HubState

__all__ = ["load_route", "move_route", "route_faults", "route_session", "sees_again"]

ROUTES_MAX = 200
OVER: tuple[str, ...] = ("handed_over", "returned")


def load_route(state: HubState, command: LoadRoute) -> Reply:
    """Takes a route in, or says stop by stop what is wrong with it."""
    wall_of(state, command.wall_id)
    known = state.parcels.routes.get(command.route_id)
    faults = route_faults(state, command.stops)
    if faults:
        raise RejectedError("; ".join(faults[:12]))
    stops = tuple(_stop(state, one) for one in command.stops)
    if known is not None:
        if (known.wall_id, known.stops) == (command.wall_id, stops):
            return Reply(repeated=True)
        if 0 <= known.at < len(known.stops):
            raise ConflictError(f"expected a route that is not under way, {known.route_id} is")
    if state.level >= ROUTES_LEVEL:
        # As new as it is, it is not the first to be forgotten.
        state.parcels.routes.pop(command.route_id, None)
    state.parcels.routes[command.route_id] = Route(command.route_id, command.wall_id, stops)
    while len(state.parcels.routes) > ROUTES_MAX:
        del state.parcels.routes[_oldest(state)]
    state.event(
        "route.loaded",
        None,
        route_id=command.route_id,
        wall_id=command.wall_id,
        stops=len(stops),
        parcels=sum(len(stop.keys) for stop in stops),
    )
    return Reply()


def route_faults(state: HubState, stops: Sequence[RouteStop]) -> list[str]:
    """What is wrong with stops: empty ones, orders or labels that are unknown or named twice."""
    faults: list[str] = []
    before: dict[str, int] = {}
    for number, stop in enumerate(stops, 1):
        where = f"stop {number} ({stop.name})"
        if not stop.orders and not stop.labels:
            faults.append(f"{where}: expected an order or a label, got neither")
        keys: list[tuple[str, str]] = []
        for order_id in stop.orders:
            order = state.parcels.orders.get(order_id)
            if order is None:
                faults.append(f"{where}: expected an order of this store, got {order_id}")
                continue
            if not order.parcels:
                faults.append(f"{where}: expected an order with parcels, {order_id} has none")
            keys += [(key, order_id) for key in order.parcels]
        for label in stop.labels:
            key = label_key(label)
            if key not in state.parcels.all:
                faults.append(f"{where}: expected a parcel of an order here, got {label!r}")
                continue
            keys.append((key, label))
        for key, named in keys:
            if key in before:
                faults.append(f"{where}: {named} is at stop {before[key]} already")
            before.setdefault(key, number)
    return faults


def move_route(state: HubState, command: MoveRoute) -> Reply:
    """Ends a stop and begins the next; what was not delivered is remembered as left behind."""
    route = state.parcels.routes.get(command.route_id)
    if route is None:
        raise UnknownParcelError(f"expected a route of this store, got {command.route_id}")
    to = command.at + (-1 if command.back else 1)
    if route.at == to:
        return Reply(repeated=True)
    if route.at != command.at:
        raise ConflictError(f"expected the van at stop {command.at + 1}, it is at {route.at + 1}")
    if not -1 <= to <= len(route.stops):
        raise RejectedError(f"expected one of {len(route.stops)} stops, got {to + 1}")
    wall = state.parcels.wall(route.wall_id)
    if 0 <= to < len(route.stops) and state.level >= ROUTES_LEVEL:
        _end_others(state, wall, route)
    session = route_session(state, route)
    left: list[str] = []
    if session is not None:
        end(state, wall, session)
        left = list(session.left)
    if 0 <= route.at < len(route.stops):
        route.left[route.at] = left
    route.at = to
    state.event(
        "route.moved",
        None,
        route_id=route.route_id,
        stop=to + 1,
        name=route.stops[to].name if 0 <= to < len(route.stops) else "",
        left=left,
        by=command.by,
    )
    if 0 <= to < len(route.stops):
        open_route(state, wall, route.route_id, _waiting(state, route.stops[to].keys))
    state.parcels.touched.add(wall.wall_id)
    return Reply()


def route_session(state: HubState, route: Route) -> Session | None:
    """The session of the stop that a van stands at."""
    wall = state.parcels.walls.get(route.wall_id)
    live = [] if wall is None else wall.live()
    return next((one for one in live if one.who == "route" and one.holder == route.route_id), None)


def sees_again(state: HubState, wall: Wall) -> None:
    """No camera of a wall is blind any more: what stands there of a stop shines again. Of what went
    meanwhile staff say what became of it."""
    if wall.blind or state.level < ROUTES_LEVEL:
        return
    for session in wall.live():
        if session.who == "route" and session.blind:
            end(state, wall, session)
            open_route(state, wall, session.holder, _waiting(state, session.keys))


def _waiting(state: HubState, keys: Sequence[str]) -> list[str]:
    """Those parcels that nobody has yet."""
    found = ((key, state.parcels.all.get(key)) for key in keys)
    return [key for key, parcel in found if parcel is not None and parcel.state not in OVER]


def _end_others(state: HubState, wall: Wall, route: Route) -> None:
    """A van is on one route at a time: another's stop is over, unless something is left there."""
    others = [one for one in wall.live() if one.who == "route" and one.holder != route.route_id]
    for other in others:
        parcels = (state.parcels.all[key] for key in other.keys)
        if any(parcel.state in ("ready", "cued") for parcel in parcels):
            raise ConflictError(
                f"expected a van on one route at a time, {other.holder} is under way at "
                f"{wall.wall_id} and not all was given there; drive that one on first"
            )
    for other in others:
        end(state, wall, other)


def _oldest(state: HubState) -> str:
    """The route to forget where there are too many: of those that no van drives the first."""
    routes = state.parcels.routes
    idle = (name for name, one in routes.items() if route_session(state, one) is None)
    first = next(iter(routes))
    return next(idle, first) if state.level >= ROUTES_LEVEL else first


def _stop(state: HubState, stop: RouteStop) -> Stop:
    keys = [key for order_id in stop.orders for key in state.parcels.orders[order_id].parcels]
    keys += [label_key(label) for label in stop.labels]
    return Stop(stop.name, tuple(stop.orders), tuple(dict.fromkeys(keys)))
