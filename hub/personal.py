"""What of the event log may leave the hub, by key or by webhook: what is listed here, nothing else.

    public_data("gift.claimed", {"card_id": "g-1", "payer": "anna"})      # {}

A kind that is not listed tells that it happened, and no more; so does a field that somebody adds to
hub.events, until it is listed here as well. Left out on purpose: who pays and who owns a card or
balance, which of the staff did it (`by`, `holder`), words that staff wrote (`reason` of a refund, a
dispute, a debt, an opened gate), and the keys of payments, which have the payer's name in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["INNER", "PUBLIC", "public_data"]

_DECISION = """reach_id line revision t_us gtin quantity slot_id to_visit probability certain why
alternatives"""
_SENSOR = "device_id sensor_id sensor bay_id t_us reason"
_MOVE = "session_id move_id slot_id gtin quantity role"
_TABLE = {
    "visit.group_sized": "entries",
    "visit.let_in": "gate_id who",
    "visit.bound": "track_id t_us member",
    "visit.relinked": "from_track track_id t_us why",
    "visit.track_assigned": "track_id",
    "visit.lost": "reason",
    "visit.member_lost": "reason",
    "visit.member_left": "track_id how gate_id t_us",
    "visit.exited": "how gate_id t_us",
    "visit.settled": "total_minor charged_minor debt_minor currency needs_review reasons lines"
    " unclear",
    "visit.corrected": "refund_id amount_minor paid_back_minor lines",
    "visit.withheld": "lines",
    "entry.scanned": "gate_id t_us",
    "entry.joined": "gate_id t_us member",
    "entry.refused": "gate_id reason",
    "entry.tagged_along": "gate_id track_id t_us",
    "entry.tag_along_explained": "track_id",
    "gate.guessed_at": "gate_id tries",
    "staff.came_in": "gate_id",
    "staff.left": "how",
    "decision.made": _DECISION,
    "decision.revised": _DECISION,
    "decision.late": _DECISION,
    "decision.reviewed": _DECISION + " review_id",
    "review.opened": "until_us lines",
    "review.closed": "why not_charged",
    "review.noted": "reach_id line choice review_id amount_minor",
    "dispute.opened": "dispute_id line gtin quantity amount_minor automatic limit_line_minor"
    " limit_payer_minor limit_payer_count limit_store_minor",
    "dispute.upheld": "dispute_id refund_id amount_minor",
    "dispute.rejected": "dispute_id",
    "dispute.closed": "dispute_id refund_id",
    "dispute.waits_for_staff": "dispute_id",
    "settling.set": "by_place",
    "aftercare.set": "review_wait_s refund_line_minor refund_payer_day_minor"
    " refund_payer_day_count refund_store_day_minor",
    "hold.placed": "amount_minor",
    "hold.captured": "amount_minor",
    "hold.voided": "amount_minor",
    "hold.extension_asked": "amount_minor",
    "hold.extended": "amount_minor",
    "hold.extension_refused": "amount_minor reason",
    "hold.expired": "amount_minor",
    "balance.captured": "amount_minor",
    "gateway.hold_gone": "amount_minor reason",
    "gateway.disputed": "amount_minor reason",
    "gateway.dispute_withdrawn": "amount_minor reason",
    "gateway.dispute_reinstated": "amount_minor reason",
    "gateway.dispute_won": "amount_minor reason",
    "gateway.dispute_lost": "amount_minor reason",
    "gateway.refund_failed": "amount_minor reason",
    "chargeback.booked": "dispute_id state at_bank_minor lost_minor fee_minor",
    "chargeback.decided": "dispute_id let_in",
    "gateway.refused": "outcome reason",
    "debt.recorded": "amount_minor",
    "debt.payment_asked": "amount_minor",
    "debt.paid": "amount_minor",
    "debt.paid_at_desk": "payment_id method amount_minor",
    "debt.waived": "amount_minor",
    "tab.charged": "amount_minor",
    "tab.asked": "amount_minor",
    "tab.captured": "amount_minor",
    "tab.refused": "amount_minor reason",
    "tab.paid": "amount_minor",
    "tip.added": "amount_minor",
    "tip.captured": "amount_minor",
    "tip.refused": "amount_minor reason",
    "tip.failed": "amount_minor",
    "topup.asked": "amount_minor",
    "topup.captured": "amount_minor",
    "topup.refused": "amount_minor reason",
    "gift.issued": "amount_minor",
    "refund.paid": "amount_minor",
    "refund.unpaid": "amount_minor",
    "refund.tried_again": "amount_minor",
    "refund.settled": "amount_minor how",
    "device.born": "device_id boot_id",
    "device.gap": "device_id boot_id from_seq upto_seq",
    "device.revoked": "device_id",
    "device.reinstated": "device_id",
    "retention.ran": "visits payers messages commands dead_letters",
    "sensor.blind": _SENSOR,
    "sensor.back": _SENSOR,
    "price.changed": "gtin price_minor",
    "vat.changed": "gtin vat_rate",
    "stock.restocked": "slot_id gtin quantity",
    "promotion.added": "promotion_id offer name gtins percent_bp amount_minor take pay items"
    " price_minor hours visit_max combinable from_us until_us",
    "promotion.ended": "promotion_id",
    "product.age_limited": "gtin age_min",
    "product.hours_set": "gtin hours",
    "product.closed": "gtin reason",
    "product.reopened": "gtin",
    "product.recalled": "recall_id gtin batch reason days slots",
    "recall.lifted": "recall_id gtin",
    "policy.set": "unproven_age watch_stock low_percent pieces_per_minute_max beyond_stock_max",
    "cart.not_for_sale": "gtin why",
    "cart.needs_id": "gtin age_min",
    "age.confirmed": "approved role",
    "stock.counted": "count_id slot_id gtin counted role difference",
    "stock.ran_out": "slot_id gtin on_hand",
    "stock.low": "slot_id gtin on_hand low_at",
    "stock.filled": "slot_id gtin on_hand",
    "stock.found": "find_id gtin quantity where role",
    "find.resolved": "find_id gtin quantity slot_id role",
    "restocking.started": "session_id role",
    "restocking.moved": _MOVE,
    "restocking.held": _MOVE,
    "restocking.confirmed": _MOVE,
    "restocking.dropped": _MOVE,
    "restocking.finished": "session_id moves dropped differences",
    "planogram.changed": "slot_id gtin facings deep low_at before",
    "node.quarantined": "device_id reason",
    "node.released": "device_id",
    "order.placed": "order_id due_minor deadline_us",
    "order.ready": "order_id parcels",
    "order.released": "order_id deadline_us",
    "order.collected": "order_id",
    "order.cancelled": "order_id",
    "order.expired": "order_id",
    "parcel.expected": "order_id parcel due_minor items",
    "parcel.stowed": "order_id parcel wall_id thing_id",
    "parcel.ready": "order_id parcel wall_id",
    "parcel.cued": "order_id parcel session_id back",
    "parcel.taken": "order_id parcel wall_id session_id thing_id t_us right",
    "parcel.put_back": "order_id parcel wall_id thing_id",
    "parcel.handed_over": "order_id parcel wall_id session_id thing_id reads taken_us how",
    "parcel.returned": "order_id parcel return_id refund_minor",
    "parcel.missing": "order_id parcel",
    "pickup.opened": "session_id wall_id who look orders parcels",
    "pickup.refused": "wall_id reason",
    "pickup.payment_asked": "order_id session_id amount_minor",
    "pickup.unpaid": "order_id",
    "pickup.ended": "session_id wall_id state reason taken left wrong",
    "wall.alarm": "wall_id number alarm parcel thing_id session_id",
    "wall.alarm_cleared": "wall_id number alarm outcome",
    "wall.blind": "wall_id sensor_id t_us reason",
    "wall.sees": "wall_id sensor_id t_us reason",
    "wall.projection": "wall_id projector_id state residual_um reason",
    "wall.calibration_asked": "wall_id",
    "route.loaded": "route_id wall_id stops parcels",
    "route.moved": "route_id stop left",
}
PUBLIC: Mapping[str, frozenset[str]] = {
    kind: frozenset(fields.split()) for kind, fields in _TABLE.items()
}
"""Kind to the fields that may leave."""
INNER = frozenset(("begin", "end", "days"))
"""The names inside of those fields: of hours of sale. Lines of a receipt and the other explanations
of a reach are lists without names."""


def public_data(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Of an event's data in its newest version, what may leave the hub."""
    allowed = PUBLIC.get(kind, frozenset())
    return {name: _public(value) for name, value in data.items() if name in allowed}


def _public(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _public(inner) for name, inner in value.items() if name in INNER}
    if isinstance(value, list | tuple):
        return [_public(item) for item in value]
    return value
