"""What the demo's staff have said before the doors open: unclear lines wait for them, one brand is
cheaper. Headless days say nothing of the kind and stay as they are."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from contracts.store_file import StoreFile

__all__ = ["REVIEW_WAIT_S", "set_scene"]

REVIEW_WAIT_S = 60
"""Long enough to press a key on the review page, short enough to wait for a receipt."""
OFF_BP = 1_000
TIMEOUT_S = 20.0
# A proxy of the environment is not meant for the store's own machines.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def set_scene(hub_url: str, store: StoreFile) -> None:
    """Tells the hub through its staff's interface; OSError if it does not take it."""
    brand = store.products[0].brand
    gtins = [product.gtin for product in store.products if product.brand == brand]
    _post(hub_url, "aftercare", {"review_wait_s": REVIEW_WAIT_S})
    offer = {
        "promotion_id": "demo-offer",
        "offer": "percent",
        "name": f"{OFF_BP // 100} % off {brand}",
        "gtins": gtins,
        "percent_bp": OFF_BP,
    }
    _post(hub_url, "promotions", offer)


def _post(hub_url: str, path: str, body: Mapping[str, Any]) -> None:
    request = urllib.request.Request(
        f"{hub_url}/api/v1/staff/{path}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
        answer.read()
