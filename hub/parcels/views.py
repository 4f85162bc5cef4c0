"""What pages and other systems see of orders, parcels, walls and routes, as JSON values.

Staff see everything but codes; a kiosk sees what a bystander may: looks, counts and words; a phone
sees its own orders. Times are hub seconds, places the wall's (u, z) in metres.
"""

from __future__ import annotations

from typing import Any

from contracts.wall import Wall as Layout
from contracts.wall_messages import INVITING
from hub.parcels.alarms import layout_of
from hub.parcels.attending import away
from hub.parcels.model import AlarmKind, Order, Parcel, Route, Seen, Session, Wall
from hub.parcels.service import WAITING
from hub.parcels.sessions import IDLE_S, STAFF_IDLE_S
from hub.parcels.words import ALARM_WORDS, colour_of, session_words
from hub.state import HubState

__all__ = [
    "kiosk_view", "order_view", "parcel_view", "phone_orders", "route_view", "wall_row",
    "wall_view",
]  # fmt: skip


WARNED: tuple[AlarmKind, ...] = ("wrong_taken", "taken_by_nobody", "unpaid_taken")
"""Alarms of which whoever stands before a wall is told."""


def order_view(
    state: HubState, order: Order, parcels: list[Parcel] | None = None
) -> dict[str, Any]:
    """One order with its parcels, which are not in memory any more where they are given."""
    parcels = state.parcels.of_order(order) if parcels is None else parcels
    return {
        "order_id": order.order_id,
        "state": order.state,
        "payer": order.payer,
        "placed_s": order.placed_s,
        "deadline_s": order.deadline_s,
        "closed_s": order.closed_s,
        "released": order.released,
        "reason": order.reason,
        "currency": state.store.currency,
        "due_minor": sum(parcel.due_minor for parcel in parcels),
        "ready": bool(parcels) and any(p.state in ("ready", "cued") for p in parcels),
        "to_return": order.state in ("expired", "cancelled")
        and any(parcel.state == "stowed" for parcel in parcels),
        "parcels": [parcel_view(state, parcel) for parcel in parcels],
    }


def parcel_view(state: HubState, parcel: Parcel) -> dict[str, Any]:
    """One parcel: what is in it, where it stands, and what became of it."""
    order = state.parcels.orders.get(parcel.order_id)
    return {
        "key": parcel.key,
        "label": parcel.label,
        "order_id": parcel.order_id,
        "order_state": None if order is None else order.state,
        "state": parcel.state,
        "wall_id": parcel.wall_id,
        "thing_id": parcel.thing_id,
        "items": [
            {
                "gtin": item.gtin,
                "quantity": item.quantity,
                "unit_price_minor": item.unit_price_minor,
                "vat_rate": item.vat_rate,
                "name": item.name,
            }
            for item in parcel.items
        ],
        "due_minor": parcel.due_minor,
        "size_m": None if parcel.size_m is None else list(parcel.size_m),
        "changed_s": parcel.changed_s,
        "handed_s": parcel.handed_s,
        "visit_id": parcel.visit_id,
        "proof": {k: v for k, v in parcel.proof.items() if k != "sale"},
    }


def wall_row(state: HubState, layout: Layout) -> dict[str, Any]:
    """A wall in a list."""
    wall = _wall(state, layout.wall_id)
    return {
        "wall_id": layout.wall_id,
        "kind": layout.kind,
        "node_id": _node_of(state, layout.wall_id),
        "whole": wall.whole,
        "blind": bool(wall.blind),
        "things": len(wall.things),
        "parcels": sum(
            1 for one in state.parcels.all.values()
            if one.wall_id == layout.wall_id and one.state in WAITING
        ),
        "sessions": len(wall.live()),
        "alarms": len(wall.alarms),
        "light": _light(layout, wall),
    }  # fmt: skip


def wall_view(state: HubState, wall_id: str, now_s: float) -> dict[str, Any]:
    """A wall as staff see it, with marks as they shine."""
    layout = layout_of(state, wall_id)
    wall = _wall(state, wall_id)
    by_thing = {mark.thing_id: mark for mark in wall.marks if mark.thing_id is not None}
    return {
        **wall_row(state, layout),
        "now_s": now_s,
        "revision": wall.revision,
        "calibrate": wall.calibrate,
        "somebody": wall.somebody,
        "nobody_s": wall.nobody_s,
        "layout": _drawn(layout),
        "blind_sensors": [
            {"sensor_id": name, "reason": reason} for name, reason in sorted(wall.blind.items())
        ],
        "projection": [
            {"projector_id": name, **row} for name, row in sorted(wall.projection.items())
        ],
        "things": [
            _thing(state, wall, one, by_thing.get(one.thing_id)) for one in wall.things.values()
        ],
        "marks": [
            {
                "mark_id": mark.mark_id,
                "look": mark.look,
                "thing_id": mark.thing_id,
                "area_m": mark.area_m,
                **_shown(wall, mark.mark_id),
            }
            for mark in wall.marks
        ],
        "sessions": [_session(state, one, whole=True) for one in wall.sessions],
        "alarms": [
            {
                "number": one.number,
                "kind": one.kind,
                "words": ALARM_WORDS[one.kind],
                "at_s": one.at_s,
                "key": one.key,
                "thing_id": one.thing_id,
                "session_id": one.session_id,
                "area_m": one.area_m,
            }
            for one in wall.alarms.values()
        ],
    }


def kiosk_view(state: HubState, wall_id: str) -> dict[str, Any]:
    """A wall as a bystander may see it: no order, no label, no name."""
    layout = layout_of(state, wall_id)
    wall = _wall(state, wall_id)
    sessions = [_session(state, one, whole=False) for one in wall.sessions]
    wrong = any(one["state"] == "wrong" for one in sessions)
    taken = [one.number for one in wall.alarms.values() if one.kind in WARNED]
    return {
        "wall_id": wall_id,
        "kind": layout.kind,
        "store": state.store.name,
        "light": _light(layout, wall),
        "blind": bool(wall.blind),
        "alarm": wrong or bool(taken),
        "alarm_number": max(taken, default=None),
        "sound": "wrong" if wrong else "right" if _just_right(sessions) else None,
        "words": sessions[-1]["words"] if sessions else "Please scan your code.",
        "sessions": sessions,
    }  # fmt: skip


def phone_orders(state: HubState, token_sha256: str) -> dict[str, Any]:
    """A phone's own orders; empty for a token that has none."""
    mine = [one for one in state.parcels.orders.values() if one.token_sha256 == token_sha256]
    names = {order.order_id for order in mine}
    sessions = [
        {
            "wall_id": wall.wall_id,
            "light": _light(layout_of(state, wall.wall_id), wall),
            **_session(state, one, whole=False),
            "blind": one.blind or bool(wall.blind),
        }
        for wall in state.parcels.walls.values()
        for one in wall.sessions
        if names & set(one.orders) and one.who == "customer"
    ]
    return {
        "store": state.store.name,
        "currency": state.store.currency,
        "orders": [_own_order(state, order) for order in mine],
        "sessions": sessions,
    }


def route_view(state: HubState, route: Route) -> dict[str, Any]:
    """A route with its stops."""
    return {
        "route_id": route.route_id,
        "wall_id": route.wall_id,
        "at": route.at,
        "over": route.at >= len(route.stops),
        "stops": [
            {
                "number": place + 1,
                "name": stop.name,
                "orders": list(stop.orders),
                "here": place == route.at,
                "left": list(route.left.get(place, ())),
                "parcels": [
                    {"key": key, "state": parcel.state, "off": _is_off(state, parcel)}
                    for key in stop.keys
                    if (parcel := state.parcels.all.get(key)) is not None
                ],
            }
            for place, stop in enumerate(route.stops)
        ],
    }


# -- parts --------------------------------------------------------------------------------


def _is_off(state: HubState, parcel: Parcel) -> bool:
    """Whether a parcel that is here is nobody's to be given any more: its order was cancelled, or
    its time is over."""
    return parcel.state in WAITING and state.parcels.orders[parcel.order_id].state != "open"


def _own_order(state: HubState, order: Order) -> dict[str, Any]:
    parcels = state.parcels.of_order(order)
    return {
        "order_id": order.order_id,
        "state": order.state,
        "deadline_s": order.deadline_s,
        "due_minor": sum(p.due_minor for p in parcels if p.visit_id is None),
        "ready": sum(parcel.state in ("ready", "cued") for parcel in parcels),
        "walls": sorted({str(p.wall_id) for p in parcels if p.state in ("ready", "cued")}),
        "receipts": sorted({p.visit_id for p in parcels if p.visit_id is not None}),
        "parcels": [
            {
                "label": parcel.label,
                "state": parcel.state,
                "wall_id": parcel.wall_id,
                "due_minor": parcel.due_minor,
                "items": [
                    {"gtin": item.gtin, "quantity": item.quantity, "name": item.name}
                    for item in parcel.items
                ],
            }
            for parcel in parcels
        ],
    }


def _session(state: HubState, session: Session, *, whole: bool) -> dict[str, Any]:
    states = [state.parcels.all[k].state for k in session.keys if k in state.parcels.all]
    taken = sum(one in ("taken", "handed_over") for one in states)
    idle_s = STAFF_IDLE_S if session.who == "staff" else IDLE_S
    gone = away(_wall(state, session.wall_id), session)
    layout = layout_of(state, session.wall_id)
    lamps = bool(layout.lights) and not layout.projectors
    served = session.who in ("customer", "route")
    shown: dict[str, Any] = {
        "session_id": session.session_id,
        "who": session.who,
        "look": session.look if served else None,
        "lamps": lamps,
        "colour": colour_of(session, lamps=lamps) if served else None,
        "state": session.state,
        "reason": session.reason,
        "words": session_words(session, parcels=len(states), taken=taken, away=gone, lamps=lamps),
        "away": gone,
        "parcels": len(states),
        "taken": taken,
        "wrong": len(session.wrong),
        "left": len(session.left),
        "elsewhere": session.elsewhere,
        "unpaid": len(session.unpaid),
        "blind": session.blind,
        "stowing": session.placing is not None,
        "lit": _lit(state, session),
        "moved_s": session.moved_s,
        "ends_s": None if session.who == "route" else session.moved_s + idle_s,
    }
    if whole:
        shown |= {
            "orders": list(session.orders),
            "keys": list(session.keys),
            "taken_keys": list(session.taken),
            "wrong_keys": list(session.wrong),
            "left_keys": list(session.left),
            "paying": list(session.paying),
            "unpaid_orders": list(session.unpaid),
            "holder": session.holder,
            "placing": session.placing,
            "place_m": session.place_m,
            "began_s": session.began_s,
            "over_s": session.over_s,
        }
    return shown


def _lit(state: HubState, session: Session) -> int:
    """How many of its parcels are lit to be taken, as far as the node has said."""
    wall = _wall(state, session.wall_id)
    mine = {thing.thing_id for thing in wall.things.values() if thing.key in session.keys}
    marks = [one for one in wall.marks if one.thing_id in mine and one.look in INVITING]
    return sum(_shown(wall, one.mark_id)["state"] != "withheld" for one in marks)


def _just_right(sessions: list[dict[str, Any]]) -> bool:
    return any(one["state"] in ("taken", "done") for one in sessions)


def _thing(state: HubState, wall: Wall, thing: Seen, mark: Any) -> dict[str, Any]:
    parcel = state.parcels.all.get(thing.name or "")
    shown = {"mark": None, "mark_reason": ""} if mark is None else {
        "mark": _shown(wall, mark.mark_id)["state"],
        "mark_reason": _shown(wall, mark.mark_id)["reason"],
    }  # fmt: skip
    return {
        "thing_id": thing.thing_id,
        "state": thing.state,
        "hidden": thing.hidden,
        "contested": thing.contested,
        "twins": list(thing.twins),
        "outline_m": thing.outline_m,
        "mark_m": thing.mark_m,
        "v_m": thing.v_m,
        "label": thing.text,
        "key": thing.key,
        "reads": thing.reads,
        "since_s": thing.since_s,
        "seen_s": thing.seen_s,
        "parcel": None if parcel is None else {
            "key": parcel.key,
            "order_id": parcel.order_id,
            "state": parcel.state,
            "order_state": state.parcels.orders[parcel.order_id].state,
        },
        "look": None if mark is None else mark.look,
        "mark_id": None if mark is None else mark.mark_id,
        **shown,
    }  # fmt: skip


def _shown(wall: Wall, mark_id: str) -> dict[str, str]:
    state, reason = wall.shown.get(mark_id, ["asked", ""])
    return {"state": state, "reason": reason}


def _light(layout: Layout, wall: Wall) -> str:
    """Whether light can be trusted: "on", "off" (none, or out of bounds), "unknown"."""
    if layout.lights:
        return "on"
    if not layout.projectors:
        return "off"
    states = [wall.projection.get(p.projector_id, {}).get("state") for p in layout.projectors]
    if any(one == "true" for one in states):
        return "on"
    return "unknown" if all(one is None for one in states) else "off"


def _drawn(layout: Layout) -> dict[str, Any]:
    return {
        "width_m": layout.width_m,
        "height_m": layout.height_m,
        "depth_m": layout.depth_m,
        "boards": [
            {"board_id": one.board_id, "z_m": one.z_m, "clearance_m": one.clearance_m}
            for one in layout.boards
        ],
        "hooks": [{"hook_id": one.hook_id, "u_m": one.u_m, "z_m": one.z_m} for one in layout.hooks],
        "cameras": [one.camera_id for one in layout.cameras],
        "projectors": [one.projector_id for one in layout.projectors],
        "lights": [one.light_id for one in layout.lights],
        "scanners": list(layout.scanners),
    }


def _wall(state: HubState, wall_id: str) -> Wall:
    """What is known of a wall; looking changes nothing."""
    return state.parcels.walls.get(wall_id) or Wall(wall_id)


def _node_of(state: HubState, wall_id: str) -> str:
    return next(one.node_id for one in state.store.nodes if wall_id in one.walls)
