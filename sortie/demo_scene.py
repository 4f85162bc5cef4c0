"""What the demo's staff have said before the doors open: unclear lines wait for them, one brand is
cheaper. Headless days say nothing of the kind and stay as they are."""

from __future__ import annotations

from contracts.store_file import StoreFile
from sortie.serve import post_json

__all__ = ["REVIEW_WAIT_S", "set_scene"]

REVIEW_WAIT_S = 60
"""Long enough to press a key on the review page, short enough to wait for a receipt."""
OFF_BP = 1_000


def set_scene(hub_url: str, store: StoreFile) -> None:
    """Tells the hub through its staff's interface; OSError if it does not take it."""
    brand = store.products[0].brand
    gtins = [product.gtin for product in store.products if product.brand == brand]
    staff = f"{hub_url}/api/v1/staff"
    post_json(f"{staff}/aftercare", {"review_wait_s": REVIEW_WAIT_S})
    offer = {
        "promotion_id": "demo-offer",
        "offer": "percent",
        "name": f"{OFF_BP // 100} % off {brand}",
        "gtins": gtins,
        "percent_bp": OFF_BP,
    }
    post_json(f"{staff}/promotions", offer)
