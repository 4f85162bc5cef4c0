"""What phones and staff see, as JSON values. Times are hub seconds, amounts minor units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.catalog.notices import notices, offer_name, product_name
from hub.errors import UnknownVisitError
from hub.review.doubts import unclear_of
from hub.review.waiting import owed
from hub.service import Hub
from hub.state import HubState
from hub.visits.judging import claim_of, entry_code
from hub.visits.marks import mark_of
from hub.visits.model import Visit, phone_word
from hub.visits.status import status
from hub.wallet.service import Account, ChargeLine, vat_minor
from hub.wallet.views import money_view

__all__ = [
    "claim_view",
    "devices_view",
    "layout_view",
    "mirror_view",
    "phone_view",
    "shown_dispute",
    "staff_view",
]

CLOSED_SHOWN = 50
"""Closed visits on the staff page; all are in the database."""


def phone_view(
    hub: Hub, visit: Visit, account: Account | None, now_s: float | None = None
) -> dict[str, Any]:
    """One visit as its shopper sees it; `now_s` is the hub's latest time if it is not given."""
    state = hub.core.state
    seen = _seen(state, visit, account)
    now_s = hub.now_s if now_s is None else now_s
    code = entry_code(hub.entry_keys, state.rules, state.store.store_id, visit, now_s)
    return {
        **seen,
        "mark": mark_of(visit, state.now_s),
        "review_until_s": visit.review_until_s if visit.open else None,
        "store": state.store.name,
        "currency": state.store.currency,
        "code": None if code is None else code[0],
        "code_turns_s": None if code is None else code[1],
        "entries": visit.entries,
        "entered": visit.entered,
        "inside": _inside(visit),
        "code_expires_s": visit.code_expires_s if visit.stage == "issued" else None,
        "hold_minor": account.hold_minor if account is not None else state.store.wallet.hold_minor,
        "held": account is not None and account.state in ("held", "captured"),
        "saved_minor": sum(line["discount_minor"] for line in seen["lines"]),
        "money": money_view(state, visit, account),
        "receipt": _receipt(state, visit, account) if visit.stage == "final" else None,
        "disputes": [
            shown_dispute(dispute_id, record) for dispute_id, record in visit.disputes.items()
        ],
    }


def shown_dispute(dispute_id: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """A dispute as its shopper sees it: who of the staff decided is not told."""
    return {
        "dispute_id": dispute_id,
        **{name: value for name, value in record.items() if name != "by"},
    }


def staff_view(hub: Hub, now_s: float) -> dict[str, Any]:
    """The whole store at this moment."""
    state = hub.core.state
    shown = [visit for visit in state.visits.values() if visit.open and visit.stage != "issued"]
    closed = [visit for visit in state.visits.values() if visit.stage in ("final", "refused")]
    shown = [*closed[-CLOSED_SHOWN:], *shown]
    hub.live.forget_seen([visit.visit_id for visit in shown])
    return {
        "store_id": state.store.store_id,
        "name": state.store.name,
        "currency": state.store.currency,
        "now_s": now_s,
        "halted": hub.halted,
        "waiting_codes": sum(visit.stage == "issued" for visit in state.open_visits()),
        "visits": [_visit(hub, visit, now_s) for visit in shown],
        "tracks": _tracks(state),
        "tagged_along": [
            {"track_id": track_id, "gate_id": gate_id, "born_s": born_s}
            for track_id, (gate_id, born_s) in state.tagged.items()
        ],
        "reaches": _reaches(state),
        "log_number": state.log.number,
        "devices": devices_view(hub, now_s),
        "blind": [
            {"device_id": device, "sensor_id": sensor, "kind": kind}
            for (device, sensor), kind in sorted(state.blind.items())
        ],
        "counters": {**hub.live.counts, **state.counters},
        "stock": [
            {"slot_id": slot, "gtin": gtin, "on_hand": count}
            for (slot, gtin), count in sorted(state.stock.shelf.items())
        ],
    }


def mirror_view(hub: Hub, visit_id: str) -> dict[str, Any]:
    """What the phone of a visit shows, for staff: the entry code is its shopper's and left out."""
    state = hub.core.state
    visit = _in_memory(state, visit_id)
    seen = phone_view(hub, visit, state.wallets.accounts.get(visit_id))
    return {**seen, "code": None, "code_turns_s": None}


def claim_view(hub: Hub, visit_id: str) -> dict[str, Any]:
    """How an entry without a phone stands, for the terminal or the desk that made it, with the
    claim that opens its receipt."""
    visit = _in_memory(hub.core.state, visit_id)
    return {
        "visit_id": visit_id,
        "stage": visit.stage,
        "inside": _inside(visit),
        "refusal": visit.refusal,
        "claim": None if visit.signed else claim_of(hub.entry_keys, visit),
    }


def layout_view(hub: Hub) -> dict[str, Any]:
    """What does not move: the floor plan and the names of products."""
    store = hub.core.state.store
    return {
        "store_id": store.store_id,
        "name": store.name,
        "currency": store.currency,
        "floor": store.floor.model_dump(mode="json"),
        "bays": [bay.model_dump(mode="json", exclude={"boards"}) for bay in store.bays],
        "gates": [gate.model_dump(mode="json") for gate in store.gates],
        "cameras": [
            {
                "camera_id": camera.camera_id,
                "role": camera.role,
                "bay_id": camera.bay_id,
                "position_m": list(camera.pose.position_m),
            }
            for camera in store.cameras
        ],
        "walls": [
            {
                "wall_id": wall.wall_id,
                "kind": wall.kind,
                "cameras": [camera.camera_id for camera in wall.cameras],
            }
            for wall in store.walls
        ],
        "slots": [{"slot_id": slot.slot_id, "bay_id": slot.bay_id} for slot in store.slots],
        "products": {product.gtin: product.name for product in store.products},
    }


def _in_memory(state: HubState, visit_id: str) -> Visit:
    visit = state.visits.get(visit_id)
    if visit is None:
        raise UnknownVisitError(f"expected a visit the hub has in memory, got {visit_id}")
    return visit


def _inside(visit: Visit) -> int:
    """How many of its people are in the store."""
    return len(visit.inside()) if visit.stage in ("binding", "shopping") else 0


def _seen(state: HubState, visit: Visit, account: Account | None) -> dict[str, Any]:
    """What the shopper and staff both see of a visit."""
    unclear = len(unclear_of(state, visit.visit_id)) if visit.open else 0
    lines = _lines(state, visit)
    return {
        "visit_id": visit.visit_id,
        "state": phone_word(visit, unclear=unclear),
        "stage": visit.stage,
        "status": status(visit, account),
        "kind": visit.kind,
        "channel": visit.channel,
        "lines": [_line(state, line) for line in lines],
        "unclear": unclear,
        "total_minor": sum(line.gross_minor for line in lines),
        "notices": notices(state, visit),
        "refusal": visit.refusal,
    }


def _visit(hub: Hub, visit: Visit, now_s: float) -> dict[str, Any]:
    state = hub.core.state
    account = state.wallets.accounts.get(visit.visit_id)
    # What costs something to work out is kept while nothing happened to the visit.
    sign = visit.stage, visit.refusal, None if account is None else account.state
    seen = hub.live.seen(visit.visit_id, sign, now_s, lambda: _seen(state, visit, account))
    track = state.floor.tracks.get(visit.track_id or "")
    last = track.last if track is not None and visit.open else None
    return {
        **seen,
        "payer": visit.payer,
        "bodies": [
            {"track_id": body.track_id, "gate_id": body.gate_id, "gone_s": body.gone_s}
            for body in visit.bodies()
        ],
        "track_id": visit.track_id,
        "at_m": None if last is None else [last[1], last[2]],
        "scanned_s": visit.scanned_s,
        "exited_s": visit.exited_s,
        "settled_s": visit.settled_s,
        "lost": visit.lost,
        "needs_review": visit.needs_review,
        "reasons": list(visit.review_reasons),
        "hold": account.state if account is not None else "none",
        "captured_minor": account.captured_minor if account is not None else 0,
        "debt_minor": account.debt_minor if account is not None else 0,
        "refunded_minor": account.refunded_minor if account is not None else 0,
    }


def _lines(state: HubState, visit: Visit) -> Sequence[ChargeLine]:
    if visit.stage == "final":
        return visit.lines
    if visit.stage in ("shopping", "left"):
        quantities = owed(state, visit.visit_id)
        return state.carts.lines(visit.visit_id, quantities, state.catalog)
    return ()


def _line(state: HubState, line: ChargeLine) -> dict[str, Any]:
    return {
        "line": line.line,
        "gtin": line.gtin,
        "name": product_name(state, line),
        "quantity": line.quantity,
        "unit_price_minor": line.unit_price_minor,
        "total_minor": line.gross_minor,
        "discount_minor": line.discount_minor,
        "offers": [offer_name(state, name) for name in line.promotions],
    }


def _receipt(state: HubState, visit: Visit, account: Account | None) -> dict[str, Any]:
    currency = state.store.currency
    taxes: dict[str, list[int]] = {}
    for line in visit.lines:
        row = taxes.setdefault(line.vat_rate, [0, 0])
        row[0] += line.gross_minor
        row[1] += vat_minor(line.gross_minor, line.vat_rate, currency)
    refunded_minor = sum(
        line.gross_minor - line.left(line.quantity - visit.refunded.get(line.line, 0)).gross_minor
        for line in visit.lines
    )
    return {
        "store": state.store.name,
        "settled_s": visit.settled_s,
        "currency": currency,
        "total_minor": sum(line.gross_minor for line in visit.lines),
        "vat": [
            {"rate": rate, "gross_minor": gross, "vat_minor": vat}
            for rate, (gross, vat) in sorted(taxes.items())
        ],
        "refunded": [
            {"line": number, "quantity": count} for number, count in sorted(visit.refunded.items())
        ],
        "refunded_minor": refunded_minor,
        "captured_minor": account.captured_minor if account is not None else 0,
        "debt_minor": account.debt_minor if account is not None else 0,
        "paid": account is not None and account.state == "captured",
        "not_charged": len(visit.unclear),
    }


def _tracks(state: HubState) -> list[dict[str, Any]]:
    return [
        {
            "track_id": track.track_id,
            "visit_id": track.visit_id,
            "x_m": last[1],
            "y_m": last[2],
            "t_s": last[0],
            "trail": [[*track.points[at][1:]] for at in range(-min(24, len(track.points)), 0, 3)],
        }
        for track in state.floor.tracks.values()
        if track.lost_s is None and (last := track.last) is not None
    ]


def _reaches(state: HubState) -> list[dict[str, Any]]:
    """Hands in shelves, and reaches that are over but not decided yet."""
    return [
        {
            "reach_id": reach.reach_id,
            "bay_id": reach.bay_id,
            "t_open_s": reach.t_open_s,
            "closed": reach.t_close_s is not None,
        }
        for reach in state.reaches.values()
    ]


def devices_view(hub: Hub, now_s: float) -> list[dict[str, Any]]:
    """The nodes as they were last heard of."""
    rows = []
    for device in hub.core.state.devices.all.values():
        node = hub.live.nodes[device.device_id]
        boot = device.boot
        estimate = boot.clock.estimate() if boot is not None else None
        dead = node.dead_boot is not None and node.dead_boot == device.current
        rows.append(
            {
                "device_id": device.device_id,
                "boot_id": device.current,
                "alive": boot is not None and not dead,
                "heard_s_ago": None if node.heard_s is None else now_s - node.heard_s,
                "software": device.software,
                "config_revision": device.config_revision,
                "clock_offset_s": None if estimate is None else estimate.offset_s,
                "clock_sd_s": None if estimate is None else estimate.sd_s,
                "upto": -1 if boot is None else boot.upto,
                "behind_gap": sum(len(b.waiting) for b in device.boots.values()),
                "watermark_s_ago": (
                    None if boot is None or boot.watermark_s is None else now_s - boot.watermark_s
                ),
                "health": None if node.health is None else node.health.model_dump(mode="json"),
            }
        )
    return rows
