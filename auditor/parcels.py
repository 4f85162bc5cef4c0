"""Checks of parcels: the way of each, what was charged for it and what came back.

Written from the event log alone: who was shown what, who took it, what was handed over on which
order, and whether the receipt is of just that. An export without parcels has no findings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from auditor.sums import events_of

__all__ = ["PARCEL_CHECKS", "pickup_visits"]

Export = Mapping[str, Any]
REACH = "parcel:"
_BEFORE: dict[str, frozenset[str]] = {
    "expected": frozenset({""}),
    "stowed": frozenset({"expected", "missing", "taken", "ready", "cued", "stowed"}),
    "ready": frozenset({"stowed", "cued"}),
    "cued": frozenset({"ready", "taken"}),
    "taken": frozenset({"cued", "ready", "stowed"}),
    "handed_over": frozenset({"taken"}),
    "returned": frozenset({"handed_over", "stowed", "ready"}),
    "missing": frozenset({"expected", "stowed", "ready", "cued", "taken"}),
}
"""What a parcel may have been before."""


def pickup_visits(export: Export) -> frozenset[str]:
    """Sales of parcels that customers fetched: no shelf, no reach and no body belongs to them."""
    return frozenset(row["visit_id"] for row in events_of(export, "pickup.payment_asked"))


def _ways(export: Export) -> Iterable[str]:
    """A parcel goes from state to state as parcels do, and only its own order's session takes it
    rightly."""
    was: dict[str, str] = {}
    order_of: dict[str, str] = {}
    orders: dict[str, list[str]] = {}
    for event in events_of(export, "parcel.", "pickup.opened"):
        data = event["data"]
        if event["kind"] == "pickup.opened":
            orders[data["session_id"]] = data["orders"]
            continue
        to = event["kind"].removeprefix("parcel.")
        key, name = data["parcel"], f"event {event['number']}: parcel {data['parcel']}"
        if to == "expected":
            order_of[key] = data["order_id"]
            was[key] = ""
        if order_of.get(key) != data["order_id"]:
            yield f"{name} is of {order_of.get(key)}, not of {data['order_id']}"
        if to not in _BEFORE:
            continue
        if was.get(key, "") not in _BEFORE[to]:
            yield f"{name} is {to} after {was.get(key) or 'nothing'}"
        was[key] = to
        session = data.get("session_id")
        rightly = to in ("cued", "handed_over") or (to == "taken" and data["right"])
        if rightly and session is not None and data["order_id"] not in orders.get(session, ()):
            yield f"{name} of {data['order_id']} in {session}, which is of {orders.get(session)}"


def _twice(export: Export) -> Iterable[str]:
    """Nothing is handed over twice without having come back."""
    out: dict[str, int] = {}
    for event in events_of(export, "parcel.handed_over", "parcel.returned", "parcel.expected"):
        key = event["data"]["parcel"]
        if event["kind"] != "parcel.handed_over":
            out.pop(key, None)
        elif key in out:
            yield f"event {event['number']}: parcel {key} was handed over by event {out[key]}"
        else:
            out[key] = event["number"]


def _closed_orders_dark(export: Export) -> Iterable[str]:
    """Nothing is shown for an order that is off or over."""
    closed: set[str] = set()
    for event in events_of(export, "order.", "parcel.cued"):
        order_id = event["data"]["order_id"]
        if event["kind"] in ("order.cancelled", "order.expired", "order.collected"):
            closed.add(order_id)
        elif event["kind"] == "order.released":
            closed.discard(order_id)
        elif event["kind"] == "parcel.cued" and order_id in closed:
            yield f"event {event['number']}: a parcel of {order_id} is shown, which is closed"


def _charged_as_ordered(export: Export) -> Iterable[str]:
    """A pick-up's receipt has the parcels that were handed over before it, each with what its
    order said, and no parcel is charged twice."""
    ordered: dict[str, list[list[Any]]] = {}
    handed: dict[str, int] = {}
    settled: dict[str, int] = {}
    pickups = pickup_visits(export)
    if not pickups:
        return
    for event in events_of(export, "parcel.expected", "parcel.handed_over", "visit.settled"):
        data = event["data"]
        if event["kind"] == "parcel.expected":
            ordered[data["parcel"]] = data["items"]
        elif event["kind"] == "parcel.handed_over":
            handed.setdefault(data["parcel"], event["number"])
        elif event["visit_id"] in pickups:
            settled[event["visit_id"]] = event["number"]
    charged: dict[str, str] = {}
    for receipt in export["receipts"]:
        visit_id = receipt["visit_id"]
        if visit_id not in pickups:
            continue
        name = f"receipt of pick-up {visit_id}"
        found: defaultdict[str, list[list[Any]]] = defaultdict(list)
        for line in receipt["lines"]:
            keys = [one.removeprefix(REACH) for one in line["reaches"] if one.startswith(REACH)]
            if len(keys) != 1:
                yield f"{name}, line {line['line']}: names {keys}, not one parcel"
                continue
            row = [line["gtin"], line["quantity"], line["unit_price_minor"], line["vat_rate"]]
            found[keys[0]].append(row)
        for key, rows in found.items():
            if sorted(rows) != sorted(ordered.get(key, [])):
                yield f"{name}: parcel {key} is charged as {rows}, ordered as {ordered.get(key)}"
            if handed.get(key, 2**62) > settled.get(visit_id, 0):
                yield f"{name}: parcel {key} was not handed over before"
            if key in charged:
                yield f"{name}: parcel {key} was charged with {charged[key]} already"
            charged[key] = visit_id


def _refunded_once(export: Export) -> Iterable[str]:
    """What a return gives back is what its sales gave back for it."""
    back: defaultdict[str, int] = defaultdict(int)
    for event in events_of(export, "visit.corrected"):
        back[event["visit_id"]] += event["data"]["amount_minor"]
    returned: defaultdict[str, int] = defaultdict(int)
    for event in events_of(export, "parcel.returned"):
        if event["visit_id"] is not None:
            returned[event["visit_id"]] += event["data"]["refund_minor"]
    for visit_id, amount in returned.items():
        if amount > back[visit_id]:
            yield f"pick-up {visit_id}: parcels worth {amount} returned, {back[visit_id]} refunded"


def _alarms(export: Export) -> Iterable[str]:
    """Every alarm that was cleared had been raised."""
    raised: set[tuple[str, int]] = set()
    for event in events_of(export, "wall.alarm", "wall.alarm_cleared"):
        mark = (event["data"]["wall_id"], event["data"]["number"])
        if event["kind"] == "wall.alarm":
            if mark in raised:
                yield f"event {event['number']}: alarm {mark} was raised before"
            raised.add(mark)
        elif mark not in raised:
            yield f"event {event['number']}: alarm {mark} was cleared and never raised"


PARCEL_CHECKS: dict[str, Callable[[Export], Iterable[str]]] = {
    "parcels go their way": _ways,
    "parcels are handed over once": _twice,
    "closed orders stay dark": _closed_orders_dark,
    "pick-ups charge what was handed over": _charged_as_ordered,
    "returns are refunded": _refunded_once,
    "alarms are raised before they are cleared": _alarms,
}
"""Name to check; each yields findings as sentences."""
