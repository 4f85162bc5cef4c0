"""The OpenAPI document as text, made without a store: `sortie hub openapi` writes it."""

from __future__ import annotations

import json
from pathlib import Path

from contracts.store_file import StoreFile, parse_store_file
from hub.api.app import create_app
from hub.attribution.engine import Engine
from hub.driver import Driver
from hub.service import Hub
from hub.settings import HubSettings

__all__ = ["document_text"]

_STORE = """
schema_version: 1
store_id: example
name: Example
currency: EUR
vat_rates: {full: "0.19"}
wallet: {hold_minor: 2000}
floor: {width_m: 4.0, depth_m: 3.0, ceiling_m: 3.0}
bays:
  - bay_id: bay-a
    origin_m: [0.6, 2.5]
    facing_deg: -90
    width_m: 1.0
    depth_m: 0.4
    height_m: 2.0
    boards: [{board_id: b1, z_m: 0.5, clearance_m: 0.4}]
gates:
  - gate_id: entry
    kind: entry
    line_m: [[0.5, 0.0], [1.5, 0.0]]
    zone_m: [[0.3, 0.0], [1.7, 0.0], [1.7, 1.0], [0.3, 1.0]]
  - gate_id: exit
    kind: exit
    line_m: [[2.5, 0.25], [3.5, 0.25]]
    zone_m: [[2.3, 0.0], [3.7, 0.0], [3.7, 1.0], [2.3, 1.0]]
nodes:
  - {node_id: node, bays: [bay-a], floor: true, gates: true}
products:
  - gtin: "4006381333931"
    name: Cola
    brand: Fizz
    size_label: 330 ml
    weight_g: 350
    weight_sd_g: 2
    price_minor: 119
    vat: full
    packaging: {shape: can, width_m: 0.07, depth_m: 0.07, height_m: 0.12,
                base_rgb: [1, 2, 3], accent_rgb: [4, 5, 6]}
slots:
  - {slot_id: s1, bay_id: bay-a, board_id: b1, u0_m: 0.0, u1_m: 1.0, gtin: "4006381333931",
     facings: 3, deep: 2}
"""
"""The smallest store there can be: the document says nothing of it."""


def document_text() -> str:
    """The document, with a line's end at the end."""
    layout: StoreFile = parse_store_file(_STORE, name="example.yaml")
    hub = Hub.open(layout, attributor=Engine)
    try:
        app = create_app(Driver(hub, lambda: 0.0), HubSettings(store_file=Path("example.yaml")))
        text = json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"
        app.state.accounts.store.close()
        return text
    finally:
        hub.close()
