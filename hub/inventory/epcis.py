"""What left the store, and what came back, as EPCIS 2.0 events in a JSON-LD document. Pure.

    document = epcis_document(events, created_s)        # an EPCISDocument

One ObjectEvent per settled visit (retail_selling, retail_sold), per correction of a receipt
(accepting, returned) and per piece staff took out (removing, non_sellable_other). Goods are named
by class, as GS1 Digital Link URIs of their GTIN; shoppers are not named at all. A store with a
GLN is named by it, one without by a URN of its own.

The eventID is the event's hash as the Core Business Vocabulary 2.0 defines it (section 8.9), so
that the same event has the same name wherever it is made. Standard: GS1 EPCIS 2.0 (ISO/IEC 19987).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.hours import zone_of
from contracts.store_file import StoreFile

__all__ = ["EPCIS_KINDS", "epcis_document", "epcis_event", "event_hash"]

TAKEN_OUT = ("restocking.moved", "stock.restocked")
"""Pieces that staff put in, or took out if they are fewer than none: in a round and without."""
EPCIS_KINDS = ("visit.settled", "visit.corrected", *TAKEN_OUT)
"""The kinds of the hub's events that EPCIS events are made of."""
CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
CBV = "https://ref.gs1.org/cbv/"
LINK = "https://id.gs1.org"
Row = Mapping[str, Any]


def epcis_event(
    row: Row, store: StoreFile, *, exited_us: int | None = None, gate_id: str | None = None
) -> dict[str, Any] | None:
    """The EPCIS event of one row of the event log; None if nothing left or came back.

    `exited_us` is when the visit of a settlement crossed the exit, `gate_id` which one it was.
    """
    kind, data = row["kind"], row["data"]
    at_us = row["at_us"]
    if kind == "visit.settled":
        goods = _summed((line[0], line[1]) for line in data["lines"])
        at_us = at_us if exited_us is None else exited_us
        business = ("retail_selling", "retail_sold", "inv")
    elif kind == "visit.corrected":
        goods = _summed((gtin, count) for _line, gtin, count in data["lines"])
        business = ("accepting", "returned", "rma")
        gate_id = None
    elif kind in TAKEN_OUT and data["quantity"] < 0:
        goods = [(data["gtin"], -data["quantity"])]
        business = ("removing", "non_sellable_other", "")
        gate_id = None
    else:
        return None
    if not goods:
        return None
    step, disposition, paper = business
    event: dict[str, Any] = {
        "type": "ObjectEvent",
        "eventTime": _local(at_us, store.time_zone),
        "eventTimeZoneOffset": _offset(at_us, store.time_zone),
        "recordTime": _utc(row["at_us"]),
        "quantityList": [
            {"epcClass": f"{LINK}/01/{gtin:0>14}", "quantity": count} for gtin, count in goods
        ],
        "action": "OBSERVE",
        "bizStep": step,
        "disposition": disposition,
        "readPoint": {"id": _place(store, gate_id)},
        "bizLocation": {"id": _place(store, None)},
    }
    if paper:
        name = row["visit_id"] if paper == "inv" else f"{row['visit_id']}:{row['number']}"
        urn = f"urn:sortie:{store.store_id}:{'receipt' if paper == 'inv' else 'return'}:{name}"
        event["bizTransactionList"] = [{"type": paper, "bizTransaction": urn}]
    return {"type": event.pop("type"), "eventID": event_hash(event), **event}


def epcis_document(events: Sequence[Row], *, created_us: int) -> dict[str, Any]:
    """The document that carries events."""
    return {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": _utc(created_us),
        "epcisBody": {"eventList": list(events)},
    }


def event_hash(event: Row) -> str:
    """The name of an ObjectEvent by its content, as a ni URI (RFC 6920)."""
    parts = [
        "eventType=ObjectEvent",
        f"eventTime={_utc(_us(event['eventTime']))}",
        f"eventTimeZoneOffset={event['eventTimeZoneOffset']}",
        "quantityList",
        *sorted(
            f"quantityElementepcClass={row['epcClass']}quantity={row['quantity']}"
            for row in event["quantityList"]
        ),
        f"action={event['action']}",
        f"bizStep={CBV}BizStep-{event['bizStep']}",
        f"disposition={CBV}Disp-{event['disposition']}",
        f"readPointid={event['readPoint']['id']}",
        f"bizLocationid={event['bizLocation']['id']}",
    ]
    papers = event.get("bizTransactionList", [])
    if papers:
        parts.append("bizTransactionList")
        parts += sorted(
            f"type={CBV}BTT-{row['type']}bizTransaction={row['bizTransaction']}" for row in papers
        )
    digest = hashlib.sha256("".join(parts).encode()).hexdigest()
    return f"ni:///sha-256;{digest}?ver=CBV2.0"


def _summed(lines: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Pieces by product: a receipt may have several lines of one."""
    counts: dict[str, int] = {}
    for gtin, count in lines:
        if not gtin.strip("0"):
            # A parcel of which nobody said what is in it.
            continue
        counts[gtin] = counts.get(gtin, 0) + count
    return sorted(counts.items())


def _place(store: StoreFile, gate_id: str | None) -> str:
    if store.gln is None:
        return f"urn:sortie:{store.store_id}" + ("" if gate_id is None else f":gate:{gate_id}")
    return f"{LINK}/414/{store.gln}" + ("" if gate_id is None else f"/254/{gate_id}")


def _utc(at_us: int) -> str:
    moment = datetime.fromtimestamp(at_us / 1e6, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _local(at_us: int, zone: str) -> str:
    moment = datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(zone_of(zone))
    return moment.isoformat(timespec="milliseconds")


def _offset(at_us: int, zone: str) -> str:
    return _local(at_us, zone)[-6:]


def _us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)
