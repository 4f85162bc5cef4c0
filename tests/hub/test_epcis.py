"""EPCIS 2.0: the structure the standard's JSON schema asks for, names by hash, pages, the file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.ids import is_gtin
from contracts.store_file import StoreFile, parse_store_file
from hub import commands as c
from hub.errors import StoreError
from hub.inventory.epcis import epcis_document, epcis_event, event_hash
from hub.store.epcis import epcis_page
from sortie.hub_cmd import hub_app

COLA, BREAD = "4006381333931", "5901234123457"
# Words of the Core Business Vocabulary 2.0 (sections 7.1, 7.2, 7.3), as far as a store needs them.
STEPS = {"retail_selling", "accepting", "removing"}
DISPOSITIONS = {"retail_sold", "returned", "non_sellable_other"}
PAPERS = {"inv", "rma"}
OBJECT_EVENT = {
    "type", "eventID", "eventTime", "eventTimeZoneOffset", "recordTime", "errorDeclaration",
    "certificationInfo", "epcList", "quantityList", "action", "bizStep", "disposition",
    "persistentDisposition", "readPoint", "bizLocation", "bizTransactionList", "sourceList",
    "destinationList", "sensorElementList", "ilmd", "@context",
}  # fmt: skip
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
OFFSET = re.compile(r"^([+-])((0[0-9]|1[0-3]):([0-5][0-9])|14:00)$")
URI = re.compile(r"^[a-z][a-z0-9+.-]*:\S+$")


def faults_of(document: dict[str, Any]) -> list[str]:
    """What the schema of an EPCISDocument would say against it, a sentence each."""
    faults = [
        f"document: {name} is missing"
        for name in ("@context", "type", "schemaVersion", "creationDate", "epcisBody")
        if name not in document
    ]
    if document.get("type") != "EPCISDocument":
        faults.append("document: type")
    if not re.fullmatch(r"\d+(\.\d+)*", str(document.get("schemaVersion"))):
        faults.append("document: schemaVersion")
    if not TIME.match(str(document.get("creationDate"))):
        faults.append("document: creationDate")
    if not all(URI.match(str(one)) for one in document.get("@context", [""])):
        faults.append("document: @context")
    events = document.get("epcisBody", {}).get("eventList")
    if not isinstance(events, list):
        return [*faults, "epcisBody: eventList"]
    return [*faults, *(fault for event in events for fault in _event_faults(event))]


def _event_faults(event: dict[str, Any]) -> list[str]:
    faults = [f"unknown field {name}" for name in set(event) - OBJECT_EVENT]
    for name in ("type", "eventTime", "eventTimeZoneOffset", "action"):
        if name not in event:
            faults.append(f"{name} is missing")
    if event.get("type") != "ObjectEvent":
        faults.append("type")
    if event.get("action") not in ("ADD", "OBSERVE", "DELETE"):
        faults.append("action")
    if not event.get("epcList") and not event.get("quantityList"):
        faults.append("neither epcList nor quantityList")
    for name in ("eventTime", "recordTime"):
        if not TIME.match(str(event.get(name))):
            faults.append(name)
    if not OFFSET.match(str(event.get("eventTimeZoneOffset"))):
        faults.append("eventTimeZoneOffset")
    words = (("bizStep", STEPS), ("disposition", DISPOSITIONS))
    faults += [name for name, known in words if event.get(name) not in known]
    for name in ("readPoint", "bizLocation"):
        if not URI.match(str(event.get(name, {}).get("id"))):
            faults.append(name)
    for row in event.get("quantityList", []):
        found = re.fullmatch(r"https://id\.gs1\.org/01/(\d{14})", str(row.get("epcClass")))
        if found is None or not is_gtin(found[1]) or not row.get("quantity", 0) > 0:
            faults.append("quantityList")
        faults += [f"quantityElement {name}" for name in set(row) - {"epcClass", "quantity", "uom"}]
    for row in event.get("bizTransactionList", []):
        if row.get("type") not in PAPERS or not URI.match(str(row.get("bizTransaction"))):
            faults.append("bizTransactionList")
    if not re.fullmatch(r"ni:///sha-256;[0-9a-f]{64}\?ver=CBV2\.0", str(event.get("eventID"))):
        faults.append("eventID")
    return faults


@pytest.fixture
def sold(make_shop: Callable[..., Any], day: Any) -> Any:
    """A hub on a file: a sale of three pieces, one of them given back, one piece taken out."""
    shop = make_shop("hub.sqlite")
    shop.visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True), (COLA, True)])
    shop.play(day.script, 20.0)
    lines = (c.RefundLine(line=1, quantity=1),)
    shop.hub.command(c.RefundVisit(refund_id="r", visit_id=shop.visit_id, lines=lines), 21.0)
    shop.hub.command(c.StartRestocking(session_id="s"), 22.0)
    for number, quantity in enumerate((2, -1)):
        shop.hub.command(
            c.MoveStock(
                session_id="s", move_id=f"m{number}", slot_id="s2", gtin=BREAD, quantity=quantity
            ),
            23.0,
        )
    shop.hub.export_json()
    return shop


def page(shop: Any, **more: Any) -> tuple[list[dict[str, Any]], int | None]:
    return epcis_page(shop.hub.store, shop.hub.core.state.store, **more)


def test_what_left_and_what_came_back(sold: Any) -> None:
    events, after = page(sold)
    assert after is None
    assert [
        (e["bizStep"], e["disposition"], e["action"], [x["quantity"] for x in e["quantityList"]])
        for e in events
    ] == [
        ("retail_selling", "retail_sold", "OBSERVE", [2, 1]),
        ("accepting", "returned", "OBSERVE", [1]),
        ("removing", "non_sellable_other", "OBSERVE", [1]),
    ]
    assert events[0]["quantityList"][0]["epcClass"] == f"https://id.gs1.org/01/0{COLA}"
    assert events[0]["readPoint"]["id"] == "urn:sortie:tiny:gate:exit"
    assert events[0]["bizLocation"]["id"] == "urn:sortie:tiny"
    assert events[0]["eventTime"] < events[0]["recordTime"], "the exit is before the settlement"
    assert events[0]["bizTransactionList"][0]["bizTransaction"].endswith(sold.visit_id)


def test_pieces_that_a_manager_takes_off_without_a_round_left_too(sold: Any) -> None:
    before = page(sold)[0]
    for quantity in (3, -2):
        sold.hub.command(c.Restock(slot_id="s1", gtin=COLA, quantity=quantity), 24.0)
    sold.hub.export_json()
    (out,) = page(sold)[0][len(before) :]
    assert (out["bizStep"], out["quantityList"][0]["quantity"]) == ("removing", 2)
    assert faults_of(epcis_document([out], created_us=30_000_000)) == []


def test_the_document_has_the_structure_of_the_standard(sold: Any) -> None:
    document = epcis_document(page(sold)[0], created_us=30_000_000)
    assert faults_of(json.loads(json.dumps(document))) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("creationDate"),
        lambda d: d.update(type="Document"),
        lambda d: d["epcisBody"]["eventList"][0].update(eventTime="yesterday"),
        lambda d: d["epcisBody"]["eventList"][0].update(eventTimeZoneOffset="+1:00"),
        lambda d: d["epcisBody"]["eventList"][0].update(action="SOLD"),
        lambda d: d["epcisBody"]["eventList"][0].update(price=3),
        lambda d: d["epcisBody"]["eventList"][0].pop("quantityList"),
        lambda d: d["epcisBody"]["eventList"][0]["quantityList"][0].update(epcClass="4006381"),
    ],
)
def test_the_check_of_the_structure_can_fail(
    sold: Any, spoil: Callable[[dict[str, Any]], object]
) -> None:
    document = epcis_document(page(sold)[0], created_us=30_000_000)
    spoil(document)
    assert faults_of(document) != []


def test_an_event_is_named_by_its_content(sold: Any) -> None:
    events, _ = page(sold)
    assert len({event["eventID"] for event in events}) == 3
    assert page(sold)[0] == events
    event = events[2]
    # The string of the Core Business Vocabulary, field by field in its order.
    text = (
        "eventType=ObjectEventeventTime=1970-01-01T00:00:23.000ZeventTimeZoneOffset=+00:00"
        f"quantityListquantityElementepcClass=https://id.gs1.org/01/0{BREAD}quantity=1"
        "action=OBSERVEbizStep=https://ref.gs1.org/cbv/BizStep-removing"
        "disposition=https://ref.gs1.org/cbv/Disp-non_sellable_other"
        "readPointid=urn:sortie:tinybizLocationid=urn:sortie:tiny"
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert event["eventID"] == f"ni:///sha-256;{digest}?ver=CBV2.0"
    other = {**event, "quantityList": [{**event["quantityList"][0], "quantity": 2}]}
    assert event_hash(other) != event["eventID"]


def test_a_store_with_a_gln_and_a_zone_says_so(store_text: str) -> None:
    layout: StoreFile = parse_store_file(
        store_text.replace(
            "currency: EUR", 'currency: EUR\ntime_zone: Europe/Paris\ngln: "4012345000054"'
        ),
        name="x",
    )
    row = {
        "kind": "visit.settled", "number": 7, "at_us": 1_751_360_400_000_000, "visit_id": "v-1",
        "data": {"lines": [[COLA, 1, 119, "0.1900", []], [COLA, 2, 99, "0.1900", []]]},
    }  # fmt: skip
    event = epcis_event(row, layout, gate_id="exit")
    assert event is not None
    assert event["eventTime"] == "2025-07-01T11:00:00.000+02:00"
    assert event["eventTimeZoneOffset"] == "+02:00"
    assert event["readPoint"]["id"] == "https://id.gs1.org/414/4012345000054/254/exit"
    assert event["bizLocation"]["id"] == "https://id.gs1.org/414/4012345000054"
    assert [row["quantity"] for row in event["quantityList"]] == [3]
    same = {**event, "eventTime": "2025-07-01T09:00:00.000Z"}
    assert event_hash(same) == event["eventID"], "the same moment told in another zone"
    assert epcis_event({**row, "data": {"lines": []}}, layout) is None


def test_pages_go_on_where_the_last_one_ended(sold: Any) -> None:
    whole, _ = page(sold)
    first, after = page(sold, most=2)
    assert (first, after is None) == (whole[:2], False)
    rest, end = page(sold, after=after, most=2)
    assert (rest, end) == (whole[2:], None)
    assert page(sold, from_s=21.0, to_s=22.5)[0] == whole[1:2]


def test_the_command_writes_a_file(sold: Any, tmp_path: Path) -> None:
    out = tmp_path / "left.jsonld"
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    arguments = ["epcis", "--database", url, "--out", str(out)]
    result = CliRunner().invoke(hub_app, arguments)
    assert result.exit_code == 0, result.output
    assert "3 events" in result.output
    document = json.loads(out.read_text())
    assert faults_of(document) == []
    assert datetime.fromisoformat(document["creationDate"]).year >= 2024
    later = CliRunner().invoke(hub_app, [*arguments, "--from", "2020-01-01"])
    assert "0 events" in later.output
    missing = CliRunner().invoke(
        hub_app, ["epcis", "--database", f"sqlite:///{tmp_path / 'no.sqlite'}", "--out", str(out)]
    )
    assert isinstance(missing.exception, StoreError)
